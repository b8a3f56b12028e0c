"""Django, its database from a URL by dj-database-url. As a program, or served as `django_:app`.

Its argument is another way to a database: `plain` settings, those with a `pool`, or django-environ (`environ`).
"""
import os
import sys

import dj_database_url
import django
import environ
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpResponse
from django.urls import path

import hold


def query():
    with connection.cursor() as cursor:
        cursor.execute(hold.QUERY)
    connection.close()  # what the end of a request does with CONN_MAX_AGE 0


def view(_request):
    with connection.cursor() as cursor:
        cursor.execute(hold.QUERY)
    return HttpResponse("done")


def health(_request):
    return HttpResponse("up")


def database(way):
    if way == "environ":
        return environ.Env().db("DATABASE_URL")
    if way in ("plain", "pool"):
        parts = dj_database_url.parse(os.environ["DATABASE_URL"], conn_max_age=0)
        return parts | {"OPTIONS": {"pool": True} if way == "pool" else {}}
    return dj_database_url.parse(os.environ["DATABASE_URL"], conn_max_age=0)


urlpatterns = [path("", view), path("health", health)]
settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": database(sys.argv[-1])},
    ROOT_URLCONF="django_",
    SECRET_KEY="of a test",
)
django.setup()
app = get_wsgi_application()

if __name__ == "__main__":
    hold.in_threads(query)
