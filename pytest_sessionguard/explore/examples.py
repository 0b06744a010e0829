"""Where a team shares what was found: Hypothesis' own databases, by the text that names one.

A folder (in a repository, or shared), a Redis server, or what a workflow of GitHub's has uploaded of a folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from hypothesis.database import DirectoryBasedExampleDatabase, GitHubArtifactDatabase

from pytest_sessionguard.errors import UsageError

_TAKES: Final = "expected a folder, redis://HOST:PORT/NUMBER or github://OWNER/REPOSITORY"


class Database(Protocol):
    """What keeps texts under a key, each once."""

    def fetch(self, key: bytes) -> Iterable[bytes]:
        """Give what is kept."""

    def save(self, key: bytes, value: bytes) -> None:
        """Keep one more."""


class Examples:
    """A database, and what to say of it when it cannot be reached.

    Attributes:
        takes: whether anything can be put into it; what GitHub has can only be read.
    """

    def __init__(self, url: str, database: Database, *, takes: bool = True) -> None:
        self.takes = takes
        self._url = url
        self._database = database

    def fetch(self, key: str) -> list[bytes]:
        """Return what is kept under a key, in an order of its own.

        Raises:
            UsageError: it cannot be reached.
        """
        try:
            return sorted(self._database.fetch(key.encode()))
        except Exception as error:  # noqa: BLE001 - whatever a server or a disk says, it is the user's to mend.
            raise self._beyond_reach(error) from None

    def save(self, key: str, value: bytes) -> None:
        """Keep one more, unless nothing can be put there.

        Raises:
            UsageError: it cannot be reached.
        """
        if not self.takes:
            return
        try:
            self._database.save(key.encode(), value)
        except Exception as error:  # noqa: BLE001 - as above.
            raise self._beyond_reach(error) from None

    def _beyond_reach(self, error: Exception) -> UsageError:
        return UsageError(f"the database {self._url} cannot be reached: {type(error).__name__}: {error}")


def opened(url: str) -> Examples:
    """Return the database that a text names.

    Raises:
        UsageError: it names none, or something that is not installed.
    """
    scheme, rest = urlsplit(url).scheme, url.partition("://")[2]
    if "://" not in url:
        return _folder(url)
    if scheme == "file":
        return _folder(urlsplit(url).path)
    if scheme in ("redis", "rediss", "unix") and rest:
        return _redis(url)
    if scheme == "github":
        owner, _, repository = rest.strip("/").partition("/")
        if owner and repository and "/" not in repository:
            return Examples(url, GitHubArtifactDatabase(owner, repository), takes=False)
    raise UsageError(f"no database {url!r}: {_TAKES}")


def _folder(path: str) -> Examples:
    if not path or Path(path).is_file():
        raise UsageError(f"no database {path!r}: {_TAKES}{', and this is a file' if path else ''}")
    return Examples(path, DirectoryBasedExampleDatabase(path))


def _redis(url: str) -> Examples:
    try:
        from hypothesis.extra.redis import RedisExampleDatabase
        from redis import Redis
    except ImportError:
        raise UsageError(f"the database {url} needs redis: pip install 'pytest-sessionguard[redis]'") from None
    try:
        return Examples(url, RedisExampleDatabase(Redis.from_url(url)))
    except ValueError as error:
        raise UsageError(f"no database {url!r}: {error}; {_TAKES}") from None
