"""A small server with an engine of its own, as `web:wsgi` for gunicorn and `web:asgi` for uvicorn."""
from fastapi import FastAPI

from sqlalchemy_sync import query

asgi = FastAPI()


@asgi.get("/")
def view():
    query()
    return "done"


@asgi.get("/health")
async def health():
    return "up"


def wsgi(environ, start_response):
    if environ["PATH_INFO"] != "/health":
        query()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
