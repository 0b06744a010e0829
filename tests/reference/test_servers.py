"""A real server comes up when it is asked for, forgets when told, and does not outlive who asked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from servers import needs_redis

from pytest_sessionguard.errors import InvalidSetting, UsageError
from pytest_sessionguard.reference import servers
from pytest_sessionguard.reference.servers import RedisServer
from pytest_sessionguard.target import endpoints
from pytest_sessionguard.target.loading import load


def said(address: str, command: bytes) -> bytes:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(command + b"\r\n")
        return connection.recv(64)


@needs_redis
def test_a_server_keeps_until_it_is_told_to_forget_and_is_gone_once_it_is_stopped() -> None:
    server = RedisServer()
    try:
        assert said(server.address, b"SET a 1") == b"+OK\r\n"
        assert said(server.address, b"DBSIZE") == b":1\r\n"
        server.forget()
        assert said(server.address, b"DBSIZE") == b":0\r\n"
    finally:
        server.stop()
    with pytest.raises(OSError):
        said(server.address, b"PING")


@needs_redis
def test_a_server_goes_with_a_process_that_is_killed() -> None:
    program = """
        import os, signal, sys
        from pytest_sessionguard.reference import servers
        assert servers.redis_server() == servers.redis_server()
        servers.forget_all()
        print(servers.redis_server(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True, check=False
    )
    address = child.stdout.strip()
    assert child.returncode < 0
    with pytest.raises(OSError):
        # It is killed a moment after its process: whoever still reaches it is cut off.
        for _ in range(10_000):
            said(address, b"PING")


def test_where_there_is_no_such_program_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InvalidSetting, match="redis-server on the PATH"):
        RedisServer()


def test_a_program_that_does_not_start_is_told_with_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho no more memory\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    with pytest.raises(InvalidSetting, match="no more memory"):
        RedisServer()


def test_who_has_started_none_has_none_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_running", {os.getpid() + 1: "another's"})
    servers.stop_all()
    assert servers._running == {os.getpid() + 1: "another's"}


def test_who_runs_a_shipped_profile_without_the_program_is_told_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_running", {})
    monkeypatch.setattr(endpoints, "_GIVEN", {})
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UsageError, match=r"reference-redis: endpoint raised .*redis-server on the PATH"):
        endpoints.endpoint_of(load("reference-redis"))
