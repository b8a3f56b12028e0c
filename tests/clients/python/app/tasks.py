"""Its tasks: one query each, and a line that says so. `python -m app.tasks RUN` sends as many as there are requests."""
import os
import sys

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import text

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"]))


@dramatiq.actor(max_retries=0)
def task(run):
    from app import database

    with database.engine.begin() as connection:
        connection.execute(database.QUERY)
        connection.execute(text("insert into done values (:run)"), {"run": run})


if __name__ == "__main__":
    for _ in range(int(os.environ["REQUESTS"])):
        task.send(sys.argv[1])
