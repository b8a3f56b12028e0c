"""A service that opens its whole pool as it starts, and keeps it: WEB_CONCURRENCY processes of DB_POOL_SIZE connections.

Where it is refused it says so, and tries again each second. RUNS_FOR makes a task of it, which ends after these seconds.
"""
import os
import time

from sqlalchemy_sync import engine


def keep(seconds):
    kept, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if len(kept) < engine.pool.size():
                kept.append(engine.connect())
                continue
        except Exception as error:  # whatever the client raises
            print(str(error.__cause__ or error).strip().splitlines()[0], flush=True)
        time.sleep(1)


if __name__ == "__main__":
    for _ in range(int(os.environ["WEB_CONCURRENCY"]) - 1):
        if os.fork() == 0:
            break
    keep(float(os.environ.get("RUNS_FOR", "inf")))
