"""Flask-SQLAlchemy. With the argument `env` the application reads its settings from variables."""
import sys

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text

import hold

app = Flask(__name__)
if sys.argv[1:] == ["env"]:
    app.config.from_prefixed_env()
app.config["SQLALCHEMY_DATABASE_URI"] = hold.URL
database = SQLAlchemy(app)


def query():
    with app.app_context():
        database.session.execute(text(hold.QUERY))


hold.in_threads(query)
