"""What real work is under way outside the event loop: may virtual time jump, or could something still arrive?

The rule: while real work may be under way, virtual time passes no faster than real time.  So a timer never fires
before the work had the real time that it would have had without us, and nothing waits longer than it really would.

- A future of an executor is work until it is done, however long it takes.
- A socket whose other end is in the same event loop, or in this process where its threads have turns, is work only
  while bytes are between the two.
- Any other open connection, pipe, child or thread of this span may be working or idle, and nobody can tell: it counts
  as work until it has been silent for the clock's patience, real time, and again from its next sign of life.  A child
  process that computes, as each does while it starts, is no silent peer.
- A listening socket never is.  A thread that was there before the span is not asked.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
import threading
import time
from _thread import get_ident
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import thread as pool_threads
from enum import Enum
from selectors import SelectorKey
from typing import Any, Final

from pytest_sessionguard.clock.children import Children
from pytest_sessionguard.clock.readings import real_monotonic, real_sleep

_ioctl: Callable[[int, int, bytes], bytes] | None
try:
    from fcntl import ioctl as _ioctl
except ImportError:
    _ioctl = None  # not a POSIX system: bytes in flight cannot be counted there

# How soon to look again, real seconds: a finished worker wakes the selector itself, bytes and threads do not.
LOOK_AGAIN_S: Final = 0.005
LOOK_AT_BYTES_S: Final = 0.0005
# Long enough to let go of the interpreter's lock, so that a thread that could run does.
YIELD_S: Final = 0.0001

_TIOCOUTQ: Final = 0x5411
_TCP_INFO: Final = getattr(socket, "TCP_INFO", None)
# Offsets of tcpi_last_data_sent and tcpi_last_data_recv in Linux's struct tcp_info, milliseconds.
_LAST_SENT, _LAST_RECEIVED = 44, 52
_PEER_CREDENTIALS: Final = getattr(socket, "SO_PEERCRED", None)

# What `threading.enumerate` lists, without its lock: this is asked before every jump.
_live_threads: Final[dict[int, threading.Thread]] = vars(threading)["_active"]

# Name of an end of a connection within this process -> its descriptor when last seen.
_ends: Final[dict[Any, int]] = {}
_DESCRIPTORS: Final = "/proc/self/fd"

Kind = Enum("Kind", ["SILENT", "TCP", "OTHER"])


class Channel:
    """One registered file descriptor and what is known of it."""

    __slots__ = ("key", "kind", "name", "peer", "stirred_s")

    def __init__(self, key: SelectorKey) -> None:
        self.key = key
        self.stirred_s = real_monotonic()
        self.kind, self.name, self.peer = _look_at(key.fd)


def _look_at(fd: int) -> tuple[Kind, Any, Any]:
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return Kind.OTHER, None, None
        with _borrowed(fd) as sock:
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return Kind.SILENT, None, None
            if sock.type is socket.SOCK_STREAM and sock.family in (socket.AF_INET, socket.AF_INET6):
                return Kind.TCP, sock.getsockname()[:2], sock.getpeername()[:2]
            if sock.family == socket.AF_UNIX and _PEER_CREDENTIALS is not None and sock.type is socket.SOCK_STREAM:
                # Within one process a Unix socket delivers at once: what was sent can be read.
                (pid,) = struct.unpack_from("i", sock.getsockopt(socket.SOL_SOCKET, _PEER_CREDENTIALS, 12))
                return (Kind.SILENT if pid == os.getpid() else Kind.OTHER), None, None
    except OSError:
        pass  # closed behind the selector's back, or not connected yet
    return Kind.OTHER, None, None


def live_threads() -> list[threading.Thread]:
    """Return the threads that are live now, the current one among them."""
    if get_ident() not in _live_threads:
        threading.current_thread()  # registers a thread that threading did not start: the owner is no stranger
    return list(_live_threads.values())


class _borrowed:  # noqa: N801 - reads as the verb it is
    """Give a socket object for a descriptor that somebody else owns."""

    def __init__(self, fd: int) -> None:
        self._sock = socket.socket(fileno=fd)

    def __enter__(self) -> socket.socket:
        return self._sock

    def __exit__(self, *_: object) -> None:
        self._sock.detach()


class UnderWay:
    """Know the real work outside the event loops of one span.

    `there_before`: the threads that were live at its beginning; given where threads are real, and their work counts.
    """

    def __init__(self, patience_us: int, there_before: Sequence[threading.Thread] | None = None) -> None:
        self._watch_threads = there_before is not None
        self.patience_s = patience_us / 1_000_000
        self.futures: list[tuple[Future[Any], asyncio.Future[Any]]] = []
        self.closing = 0
        self._channels: dict[int, Channel] = {}
        self._children = Children()
        self._stirred_s = 0.0
        # All live threads when last looked at, if none of them was one to wait for.
        self._nobody = list(there_before or ())
        self._there_before = set(self._nobody)
        # Thread -> processor time when last seen, and real time when that last changed.
        self._threads: dict[threading.Thread, tuple[int, float]] = {}

    def none_at_all(self, keys: int) -> bool:
        """Say at once that there is nobody but the loop: no future, no channel but the self-pipe, no other thread."""
        if keys > 1 or self.futures or self.closing:
            return False
        return not self._watch_threads or [*_live_threads.values()] == self._nobody

    def stirred(self, events: Iterable[tuple[SelectorKey, int]]) -> None:
        """Note signs of life of channels."""
        now = real_monotonic()
        for key, _ in events:
            channel = self._channels.get(key.fd)
            if channel is not None:
                channel.stirred_s = now

    def wrote(self) -> None:
        """Note that somebody was sent something and may be about to answer."""
        self._stirred_s = real_monotonic()

    def look_again_s(self, keys: Iterable[SelectorKey], self_pipe_fd: int) -> float:
        """Return 0.0 if nothing real is under way, else the real seconds after which to ask again."""
        self.futures = [pair for pair in self.futures if not (pair[0].done() and pair[1].done())]
        if self.futures or self.closing:
            return LOOK_AGAIN_S
        return self._channels_busy_s(keys, self_pipe_fd) or (self._threads_busy_s() if self._watch_threads else 0.0)

    def threads(self) -> list[threading.Thread]:
        """Return the live real threads that this span has started, idle workers of pools aside."""
        if not self._watch_threads:
            return []
        workers = getattr(pool_threads, "_threads_queues", {})
        live = list(_live_threads.values())
        found = [thread for thread in live if thread not in self._there_before and thread not in workers]
        if not found:
            self._nobody = live
        # One that idles now may be given work any time, by no future of ours: it is asked before every jump.
        return [thread for thread in found if not _idles_for_anyio(thread)]

    def _channels_busy_s(self, keys: Iterable[SelectorKey], self_pipe_fd: int) -> float:
        channels, known = {}, self._channels
        for key in keys:
            if key.fd == self_pipe_fd:
                continue
            channel = known.get(key.fd)
            if channel is None or channel.key is not key:
                stirred_s = channel.stirred_s if channel is not None and channel.kind is Kind.OTHER else None
                channel = Channel(key)
                if stirred_s is not None and channel.kind is Kind.OTHER:
                    channel.stirred_s = stirred_s
            channels[key.fd] = channel
        self._channels = channels
        names = {channel.name for channel in channels.values() if channel.kind is Kind.TCP}
        longest_s = 0.0
        now = real_monotonic()
        if any(channel.kind is Kind.OTHER for channel in channels.values()) and self._children.at_work():
            self._stirred_s = now
        for fd, channel in channels.items():
            if channel.kind is Kind.TCP and channel.peer in names:
                if _bytes_in_flight(fd):
                    return LOOK_AT_BYTES_S
            elif channel.kind is Kind.TCP and not self._watch_threads and (end := _end_of(channel.peer)) is not None:
                if _bytes_in_flight(fd) or _bytes_in_flight(end):
                    return LOOK_AT_BYTES_S
            elif channel.kind is Kind.TCP:
                if _silent_s(fd, channel, now) < self.patience_s:
                    longest_s = LOOK_AGAIN_S
            elif channel.kind is Kind.OTHER and now - max(channel.stirred_s, self._stirred_s) < self.patience_s:
                longest_s = LOOK_AGAIN_S
        return longest_s

    def _threads_busy_s(self) -> float:
        threads = self.threads()
        if not threads:
            return 0.0
        # A thread that we have just woken has not run yet: it needs the interpreter, which we hold.
        real_sleep(YIELD_S)
        now = real_monotonic()
        seen: dict[threading.Thread, tuple[int, float]] = {}
        for thread in threads:
            used_ns = _processor_ns(thread)
            before = self._threads.get(thread)
            seen[thread] = before if before is not None and before[0] == used_ns else (used_ns, now)
        self._threads = seen
        busy = any(now - since_s < self.patience_s for _, since_s in seen.values())
        return LOOK_AGAIN_S if busy else 0.0


def _idles_for_anyio(thread: threading.Thread) -> bool:
    """Say whether a thread is a worker of anyio that waits for its next task: it keeps the list of those that do."""
    return thread in getattr(thread, "idle_workers", ())


def _end_of(peer: Any) -> int | None:
    """Return the descriptor of this process that is the other end of a connection; none if it is elsewhere."""
    known = _ends.get(peer)
    if known is not None and _name_of(known) == peer:
        return known
    _ends.pop(peer, None)
    try:
        descriptors = [int(each) for each in os.listdir(_DESCRIPTORS)]
    except OSError:
        return None
    for fd in descriptors:
        if _name_of(fd) == peer:
            _ends[peer] = fd
            return fd
    return None


def _name_of(fd: int) -> Any:
    """Return the name of an end of a connection over the internet protocols; none of anything else."""
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return None
        with _borrowed(fd) as sock:
            internet = sock.type is socket.SOCK_STREAM and sock.family in (socket.AF_INET, socket.AF_INET6)
            return sock.getsockname()[:2] if internet else None
    except OSError:
        return None


def _bytes_in_flight(fd: int) -> bool:
    """Say whether bytes sent on this socket have not yet reached the other end's buffer."""
    if _ioctl is None:
        return False
    try:
        (count,) = struct.unpack("i", _ioctl(fd, _TIOCOUTQ, b"\0\0\0\0"))
        return bool(count)
    except OSError:
        return False


def _silent_s(fd: int, channel: Channel, now: float) -> float:
    """Return for how long nothing has gone either way on a connection."""
    if _TCP_INFO is not None:
        try:
            with _borrowed(fd) as sock:
                facts = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 104)
            sent, received = (
                struct.unpack_from("I", facts, _LAST_SENT)[0],
                struct.unpack_from("I", facts, _LAST_RECEIVED)[0],
            )
            return float(min(sent, received) / 1000)
        except (OSError, struct.error):
            pass
    return now - channel.stirred_s


def _processor_ns(thread: threading.Thread) -> int:
    """Return the processor time that a live thread has used: the one thing that a blocked thread cannot do."""
    if thread.ident is None or not hasattr(time, "pthread_getcpuclockid"):
        return 0
    try:
        return time.clock_gettime_ns(time.pthread_getcpuclockid(thread.ident))
    except OSError:
        return 0
