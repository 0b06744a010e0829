"""What a Django project has anyway: its settings, a database with the table of sessions, perhaps a cache in Redis."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

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
from django.core.cache import caches


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


def cached(engine: str, path: str, url: str) -> Iterator[object]:
    """Open the project with its sessions in the cache of a Redis server, by one engine or the other."""
    from django.core.cache.backends.redis import RedisCache

    before = caches["default"]
    caches["default"] = cache = RedisCache(url, {})
    opened = database(path, 3600)
    next(opened)
    yield import_module(f"django.contrib.sessions.backends.{engine}")
    next(opened, None)
    for pool in cache._cache._pools.values():
        pool.disconnect()
    caches["default"] = before
