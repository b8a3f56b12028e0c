"""The same with an asynchronous engine."""
import asyncio
import os

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

import hold

NAMES = {"DB_POOL_SIZE": "pool_size", "DB_MAX_OVERFLOW": "max_overflow"}


async def main():
    numbers = {arg: int(os.environ[name]) for name, arg in NAMES.items() if name in os.environ}
    engine = create_async_engine(hold.URL, **numbers)

    async def query():
        async with engine.connect() as connection:
            await connection.execute(text(hold.QUERY))

    await hold.in_tasks(query)


asyncio.run(main())
