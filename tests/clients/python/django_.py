"""Django, its database from a URL by dj-database-url. As a program, or served as `django_:app`."""
import os

import dj_database_url
import django
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


urlpatterns = [path("", view), path("health", health)]
settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": dj_database_url.parse(os.environ["DATABASE_URL"], conn_max_age=0)},
    ROOT_URLCONF="django_",
    SECRET_KEY="of a test",
)
django.setup()
app = get_wsgi_application()

if __name__ == "__main__":
    hold.in_threads(query)
