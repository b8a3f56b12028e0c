"""An application that reads its pool from DB_POOL_SIZE and DB_MAX_OVERFLOW, as many do."""
import os

from sqlalchemy import create_engine, text

import hold

NAMES = {"DB_POOL_SIZE": "pool_size", "DB_MAX_OVERFLOW": "max_overflow"}
engine = create_engine(hold.URL, **{arg: int(os.environ[name]) for name, arg in NAMES.items() if name in os.environ})


def query():
    with engine.connect() as connection:
        connection.execute(text(hold.QUERY))


if __name__ == "__main__":
    hold.in_threads(query)
