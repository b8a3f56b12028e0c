"""One query per task. `python dramatiq_tasks.py` sends as many tasks as there are requests."""
import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

import hold

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"]))


@dramatiq.actor(max_retries=0)
def task():
    from sqlalchemy_sync import query

    query()


if __name__ == "__main__":
    for _ in range(hold.REQUESTS):
        task.send()
