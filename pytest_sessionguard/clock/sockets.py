"""Blocking sockets in virtual threads: who waits for bytes gives up its turn, and its timeout is virtual.

Only the waiting is replaced: once the kernel says that a socket is ready, the real method is called.  Sockets that do
not block, as those of event loops, go to the real methods at once.
"""

from __future__ import annotations

import select
import socket
import sys
from _socket import socket as c_socket
from collections.abc import Callable
from errno import EINPROGRESS
from os import strerror
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from typing import Any, Final

from pytest_sessionguard.clock.select_turns import due_us, is_exempt, select_in_turn, work_beside
from pytest_sessionguard.clock.waits import me

_INTERNET: Final = (socket.AF_INET, socket.AF_INET6)
_AT_ONCE: Final = getattr(socket, "MSG_DONTWAIT", 0)
_poll: Callable[[], Any] | None = getattr(select, "poll", None)


def _waits(self: socket.socket, depth: int) -> bool:
    """Say whether a call on the socket may wait, for a virtual thread that is no tool's."""
    return self.gettimeout() != 0 and me() is not None and not is_exempt(sys._getframe(depth))


def _ready(self: socket.socket, event: int) -> None:
    """Wait until the socket is ready.

    Raises:
        TimeoutError: its timeout has passed in virtual time.
    """
    fd = self.fileno()
    if fd < 0 or _poll is None:
        return  # The real method knows what to say.
    here = me()
    assert here is not None
    turns, _ = here
    poller = _poll()
    poller.register(fd, select.POLLIN | select.POLLPRI if event == EVENT_READ else select.POLLOUT)
    if poller.poll(0):
        return
    timeout_s = self.gettimeout()
    key = SelectorKey(self, fd, event, None)
    ready, _ = select_in_turn(
        lambda: poller.poll(0), due_us(turns, timeout_s), lambda: [key], work_beside(turns), what=self
    )
    if not ready and timeout_s is not None:
        raise TimeoutError("timed out")


def _reading(name: str) -> Callable[..., Any]:
    real = getattr(c_socket, name)

    def read(self: socket.socket, *args: Any, **kwargs: Any) -> Any:
        if _waits(self, 2):
            _ready(self, EVENT_READ)
        return real(self, *args, **kwargs)

    return read


_accept, _connect, _send, _sendall = socket.socket.accept, c_socket.connect, c_socket.send, c_socket.sendall


def accept(self: socket.socket) -> tuple[socket.socket, Any]:
    """Accept a connection."""
    if _waits(self, 2):
        _ready(self, EVENT_READ)
    return _accept(self)


def connect(self: socket.socket, address: Any) -> None:
    """Connect; with a timeout, wait in virtual time."""
    timeout_s = self.gettimeout()
    if timeout_s is None or self.family not in _INTERNET or not _waits(self, 2):
        return _connect(self, address)
    self.setblocking(False)
    try:
        error = self.connect_ex(address)
    finally:
        self.settimeout(timeout_s)
    if error == EINPROGRESS:
        _ready(self, EVENT_WRITE)
        error = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, strerror(error))
    return None


def send(self: socket.socket, data: Any, flags: int = 0, /) -> int:
    """Send what there is room for."""
    if _waits(self, 2):
        _ready(self, EVENT_WRITE)
    return _send(self, data, flags)


def sendall(self: socket.socket, data: Any, flags: int = 0, /) -> None:
    """Send everything; give up the turn where there is no room."""
    if not _AT_ONCE or not _waits(self, 2):
        return _sendall(self, data, flags)
    with memoryview(data) as view, view.cast("B") as left:
        sent = 0
        while True:
            _ready(self, EVENT_WRITE)
            try:
                sent += _send(self, left[sent:], flags | _AT_ONCE)
            except BlockingIOError:
                continue
            if sent >= len(left):
                return None


def _patches() -> list[tuple[Any, str, Any]]:
    """Return every attribute that is replaced while a clock with threads is in force: owner, name, stand-in."""
    reading = ("recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into")
    return [
        *((socket.socket, name, _reading(name)) for name in reading if hasattr(c_socket, name)),
        (socket.socket, "accept", accept),
        (socket.socket, "connect", connect),
        (socket.socket, "send", send),
        (socket.socket, "sendall", sendall),
    ]


PATCHES: Final = _patches()
