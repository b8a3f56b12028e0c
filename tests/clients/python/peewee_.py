"""peewee, all from the URL: pooled or not."""
from playhouse.db_url import connect

import hold

database = connect(hold.URL)


def query():
    with database.connection_context():
        database.execute_sql(hold.QUERY)


hold.in_threads(query)
