"""psycopg's own pool, all from the URL."""
from psycopg_pool import ConnectionPool

import hold

pool = ConnectionPool(hold.URL, open=True, timeout=5)  # seconds until a query gives up; by default 30


def query():
    with pool.connection() as connection:
        connection.execute(hold.QUERY)


hold.in_threads(query)
