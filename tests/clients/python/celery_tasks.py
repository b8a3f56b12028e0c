"""One query per task. `python celery_tasks.py` sends as many tasks as there are requests."""
import os

from celery import Celery

import hold

app = Celery("celery_tasks", broker=os.environ["REDIS_URL"])


@app.task(name="task")
def task():
    from sqlalchemy_sync import query

    query()


if __name__ == "__main__":
    for _ in range(hold.REQUESTS):
        task.delay()
