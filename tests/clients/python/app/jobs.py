"""A runner that always has more jobs than connections, in threads and in tasks. One that fails is tried again."""
import asyncio
import threading
import time

import hold
from app import database

PAUSE = 0.5
tally = hold.Tally()


def work():
    while True:
        try:
            database.query()
        except Exception as error:
            tally.add(error)
        time.sleep(PAUSE)


async def work_async():
    while True:
        try:
            await database.query_async()
        except Exception as error:
            tally.add(error)
        await asyncio.sleep(PAUSE)


async def main():
    for _ in range(hold.REQUESTS):
        threading.Thread(target=work, daemon=True).start()
    await asyncio.gather(*[work_async() for _ in range(hold.REQUESTS)])


asyncio.run(main())
