"""What a Django project has anyway: its settings, and a database with the table of sessions."""

from __future__ import annotations

from collections.abc import Iterator

import django
from django.conf import settings
from django.db import connection

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3"}},
        INSTALLED_APPS=["django.contrib.sessions"],
        SECRET_KEY="a secret of the tests",
        USE_TZ=True,
    )
    django.setup()

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session


def database(path: str, cookie_age: int) -> Iterator[object]:
    """Open the project with its database at `path`, its sessions expiring after so many seconds."""
    settings.SESSION_COOKIE_AGE = cookie_age
    connection.close()
    connection.settings_dict["NAME"] = path
    if Session._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Session)
    yield db
    connection.close()
