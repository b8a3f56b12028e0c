"""Its two pools, one for synchronous code and one for asynchronous code. Neither opens anything before it is used."""
import os

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

QUERY = text("select count(*) from gate")
NAMES = {
    "DB_POOL_SIZE": "pool_size",
    "DB_MAX_OVERFLOW": "max_overflow",
    "DB_POOL_TIMEOUT": "pool_timeout",
    "DB_POOL_RECYCLE": "pool_recycle",
}
NUMBERS = {argument: int(os.environ[name]) for name, argument in NAMES.items() if name in os.environ}
URL = make_url(os.environ["DATABASE_URL"])

engine = create_engine(URL.set(drivername="postgresql+psycopg2"), **NUMBERS)
async_engine = create_async_engine(URL.set(drivername="postgresql+asyncpg"), **NUMBERS)


def query():
    with engine.connect() as connection:
        connection.execute(QUERY)


async def query_async():
    async with async_engine.connect() as connection:
        await connection.execute(QUERY)
