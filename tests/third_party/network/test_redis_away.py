"""What Django's sessions in Redis tell their user when Redis is out of reach, as docs/third-party.md says."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from servers import needs_redis

from pytest_sessionguard.core.plan import cells
from pytest_sessionguard.core.result import CaseResult
from pytest_sessionguard.reference import servers
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.loading import load

HERE = Path(__file__).parent
STORIES = HERE.parents[2] / "scenarios"

pytestmark = [needs_redis, pytest.mark.unmeasured]


def told(name: str, story: str) -> CaseResult:
    pytest.importorskip(name.partition("-")[0], reason="it is not installed")
    (plan,) = cells(scenario_files.load(STORIES / f"{story}.session.yaml"))
    return Runner(load(str(HERE / f"{name}.sessionguard.toml"))).run(plan)


SEEN_IN = "5.2.19"
STALE = "a-server-that-is-away-for-longer-than-any-retry-loses-no-session"
GONE = "a-session-that-cannot-be-read-is-not-said-to-be-gone"


@pytest.mark.parametrize(("name", "story"), [("django-cached-db", STALE), ("django-cache", GONE)])
def test_what_is_found(name: str, story: str) -> None:
    case = told(name, story)
    if version("Django") == SEEN_IN:
        assert [found.property for found in case.violations] == ["fault.reported"], case.reason


@pytest.mark.parametrize(
    ("name", "story"), [("django-cached-db", GONE), ("django-cache", STALE), ("litestar-redis", GONE)]
)
def test_where_it_is_told_nothing_is(name: str, story: str) -> None:
    case = told(name, story)
    assert (case.status, case.reason) == ("held", ""), case.violations


# -- the same in plain Python: no profile, no virtual time, no proxy ---------------------------------------------------


@contextmanager
def project(engine: str, path: Path) -> Iterator[Any]:
    """Open a project whose cache is given up after a tenth of a second."""
    pytest.importorskip("django", reason="Django is not installed")
    import sys

    sys.path.insert(0, str(HERE.parent))
    try:
        import django_project
    finally:
        sys.path.remove(str(HERE.parent))
    servers.forget_all()
    opened = django_project.cached(engine, str(path), f"redis://{servers.redis_server()}/0?socket_timeout=0.1")
    yield next(opened)
    assert next(opened, None) is None


def said(command: bytes) -> bytes:
    """Return what the server answers to a command."""
    host, _, port = servers.redis_server().rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(command + b"\r\n")
        return connection.recv(1 << 16)


@contextmanager
def full_server() -> Iterator[None]:
    """Let the server take no write for a while."""
    assert said(b"CONFIG SET maxmemory 1") == b"+OK\r\n"
    try:
        yield
    finally:
        assert said(b"CONFIG SET maxmemory 0") == b"+OK\r\n"


@contextmanager
def silent_server() -> Iterator[None]:
    """Let the server answer nobody for a while."""
    pid = int(said(b"INFO server").partition(b"process_id:")[2].split()[0])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_cached_db_calls_a_session_saved_and_then_shows_the_one_before(tmp_path: Path) -> None:
    with project("cached_db", tmp_path / "sessions.sqlite3") as sessions:
        session = sessions.SessionStore()
        session["items"] = 1
        session.save()
        with full_server():
            session["items"] = 2
            session.save()  # An error is logged, and none is raised.
        assert sessions.SessionStore(session.session_key)["items"] == 1
        assert session._get_session_from_db().get_decoded() == {"items": 2}


def test_cache_says_of_a_session_that_it_cannot_read_that_there_is_none(tmp_path: Path) -> None:
    with project("cache", tmp_path / "sessions.sqlite3") as sessions:
        session = sessions.SessionStore()
        session["items"] = 1
        session.save()
        with silent_server():
            seen = sessions.SessionStore(session.session_key)
            assert seen.get("items") is None
            assert seen.session_key is None
        assert sessions.SessionStore(session.session_key)["items"] == 1
