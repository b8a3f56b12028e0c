"""A service, as `app.main:app`."""
from fastapi import FastAPI

from app import database

app = FastAPI()


@app.get("/")
def view():
    database.query()
    return "done"


@app.get("/async")
async def view_async():
    await database.query_async()
    return "done"


@app.get("/health")
async def health():
    return "up"


@app.get("/health/db-pool")
async def pool():
    return database.NUMBERS
