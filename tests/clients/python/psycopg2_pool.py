"""psycopg2's own pool, whose size has no default."""
from psycopg2.pool import ThreadedConnectionPool

import hold

pool = ThreadedConnectionPool(1, 5, hold.URL)


def query():
    connection = pool.getconn()
    try:
        connection.cursor().execute(hold.QUERY)
    finally:
        pool.putconn(connection)


hold.in_threads(query)
