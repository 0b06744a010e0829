"""Real servers for who tries a store out on this machine: started when first asked for, gone with the process.

A shell stands between: it kills the server as soon as the pipe from this process closes, however this process ends.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
from typing import Final

from pytest_sessionguard.errors import InvalidSetting

_HOST: Final = "127.0.0.1"
_READY: Final = "ready to accept connections"
# Somebody else may take the port that was free a moment ago.
_ATTEMPTS: Final = 5
_KILLED_WITH_US: Final = '"$@" </dev/null & exec >&- 2>&-; read -r _; kill -9 $!'
_PATIENCE_SECS: Final = 10.0

_running: dict[int, RedisServer] = {}


class RedisServer:
    """One `redis-server` on the loopback interface, which keeps nothing on disk.

    Raises:
        InvalidSetting: there is no such program, or it does not start.
    """

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise InvalidSetting("endpoint", "redis-server", "the program redis-server on the PATH of this machine")
        self._folder = tempfile.mkdtemp(prefix="sessionguard-redis-")
        said = ""
        for _ in range(_ATTEMPTS):
            self.port = _free_port()
            told = ["--port", str(self.port), "--bind", _HOST, "--dir", self._folder, "--save", ""]
            self._process = subprocess.Popen(
                ["sh", "-c", _KILLED_WITH_US, "sh", program, *told],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
            assert self._process.stdout is not None
            for line in self._process.stdout:
                if _READY in line.lower():
                    return
                said = line.strip() or said
            self._end()
        shutil.rmtree(self._folder, ignore_errors=True)
        raise InvalidSetting("endpoint", program, f"a program that starts; it said: {said}")

    @property
    def address(self) -> str:
        """Where it listens: host:port."""
        return f"{_HOST}:{self.port}"

    def forget(self) -> None:
        """Let it forget everything."""
        with socket.create_connection((_HOST, self.port), timeout=_PATIENCE_SECS) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            answer = connection.recv(64)
        if not answer.startswith(b"+OK"):
            raise InvalidSetting("reset", answer, "+OK from redis-server")

    def stop(self) -> None:
        """Kill it."""
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self) -> None:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        process.wait()


def redis_server() -> str:
    """Return the address of this process's own Redis server; it is started where there is none yet.

    Raises:
        InvalidSetting: it cannot be.
    """
    return _of_this_process().address


def forget_all() -> None:
    """Let this process's own Redis server forget everything."""
    _of_this_process().forget()


def stop_all() -> None:
    """Stop what this process has started."""
    server = _running.pop(os.getpid(), None)
    if server is not None:
        server.stop()


def _of_this_process() -> RedisServer:
    server = _running.get(os.getpid())  # a forked child must not share what its parent's cases are kept in
    if server is None:
        server = _running[os.getpid()] = RedisServer()
        atexit.register(stop_all)
    return server


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((_HOST, 0))
        return int(free.getsockname()[1])
