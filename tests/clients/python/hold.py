"""What every program here does: many queries at once, on a table that the test has locked, and a word on how they ended.

A locked table makes each query keep its connection until the test lets go, so a client opens all that it may.
"""
import asyncio
import collections
import json
import os
import signal
import sys
import threading

QUERY = "select count(*) from gate"
REQUESTS = int(os.environ.get("REQUESTS", "40"))
URL = os.environ.get("DATABASE_URL", "")
MAX = int(os.environ["DB_POOL_MAX"]) if "DB_POOL_MAX" in os.environ else None

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # process 1 of a container ends at no signal by itself


class Tally:
    """How queries ended."""

    def __init__(self):
        self.ok = 0
        self.errors = collections.Counter()
        self.lock = threading.Lock()

    def add(self, error=None):
        with self.lock:
            if error is None:
                self.ok += 1
            else:
                self.errors[f"{type(error).__name__}: {error}"[:200]] += 1

    def say(self):
        failed = sum(self.errors.values())
        print(json.dumps({"ok": self.ok, "failed": failed, "errors": list(self.errors)}), flush=True)


def in_threads(query):
    """Runs `query` in as many threads as there are requests, reports, and stays."""
    tally = Tally()

    def one():
        try:
            query()
            tally.add()
        except Exception as error:  # whatever the client raises is what the test wants to know
            tally.add(error)

    threads = [threading.Thread(target=one) for _ in range(REQUESTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.say()
    signal.pause()
    sys.exit(0)


async def in_tasks(query):
    """The same with as many tasks."""
    tally = Tally()

    async def one():
        try:
            await query()
            tally.add()
        except Exception as error:
            tally.add(error)

    await asyncio.gather(*[one() for _ in range(REQUESTS)])
    tally.say()
    await asyncio.Event().wait()
