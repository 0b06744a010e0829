"""A proxy on the loopback interface before a server: real sockets, and one thread that lets through what it should.

A request is what a client says after an answer, and a reply what the server says after a request, in however many
pieces they come: at the beginning of each it is asked what is to go wrong.  In virtual time the thread takes turns as
any other, so that what it delays and for how long it cuts is virtual, and no time passes while a request is under way.

What does not get through is kept, as TCP would keep it, and goes on once all is healed; but what its client has given
up by then is lost.  A connection that is made meanwhile is taken, and then silent.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector, SelectorKey
from typing import Any, Final, TypeAlias

from pytest_sessionguard.clock.readings import real_monotonic
from pytest_sessionguard.clock.select_turns import select_in_turn
from pytest_sessionguard.clock.threads import start_virtual
from pytest_sessionguard.clock.underway import UnderWay
from pytest_sessionguard.clock.waits import me
from pytest_sessionguard.errors import HarnessError
from pytest_sessionguard.faults import Away, Effect, Part, Reset, Wait

TO_SERVER: Final = "to-server"
FROM_SERVER: Final = "from-server"

_AT_ONCE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: a close is a reset
_PIECE: Final = 1 << 16
_LINGER_S: Final = 0.002
# Real time that a server is given to reply: on a busy machine it may be long in getting its turn.
_PATIENCE_US: Final = 5_000_000
_HOST: Final = "127.0.0.1"

# What is asked at the beginning of a request ("before") and of a reply ("after").
Ask: TypeAlias = Callable[[str], "Effect | None"]


class Way:
    """One direction of one connection: what is still to be delivered, each piece not before its instant."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pieces: deque[tuple[int, bytes]] = deque()

    def add(self, data: bytes, due_us: int) -> None:
        """Add what comes after all that is there."""
        if data:
            self.pieces.append((max(due_us, self.pieces[-1][0] if self.pieces else 0), data))

    def due_us(self) -> int | None:
        """Return when the first piece may be delivered."""
        return self.pieces[0][0] if self.pieces else None


class Link:
    """One connection: of a client to the proxy, and of the proxy to the server."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.server: socket.socket | None = None
        self.ways = {TO_SERVER: Way(TO_SERVER), FROM_SERVER: Way(FROM_SERVER)}
        self.is_asking = False
        self.server_has_left = False

    def to(self, name: str) -> socket.socket | None:
        """Return where a direction leads."""
        return self.server if name == TO_SERVER else self.client


class Proxy:
    """Stands before the server at an address.

    Attributes:
        ask: what is asked at each chance.
        troubles: how often something was kept from arriving, or taken away.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server_at = host, port
        self.ask: Ask = _nothing
        self.troubles = 0
        self._links: dict[int, Link] = {}
        self._selector = DefaultSelector()
        self._orders: deque[Callable[[], None]] = deque()
        self._bell, self._rung = socket.socketpair()
        self._thread: threading.Thread | None = None
        self._is_over = False
        self._parted: frozenset[str] = frozenset()
        self._until_us: int | None = None
        self._away_until_us: int | None = None
        self._listener = socket.create_server((_HOST, 0))
        self.endpoint = f"{_HOST}:{self._listener.getsockname()[1]}"
        for each in (self._listener, self._rung):
            each.setblocking(False)
            self._selector.register(each, EVENT_READ)

    # -- for others --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Let it work: in turn with the others where time is virtual."""
        self._thread = threading.Thread(target=self._work, name="the network", daemon=True)
        if me() is None:
            self._thread.start()
        else:
            start_virtual(self._thread)

    def stop(self) -> None:
        """End it, and every connection with it; may be called again."""
        if self._is_over:
            return
        self._is_over = True
        if self._thread is not None:
            self._bell.send(b"!")
            self._thread.join()
        for link in list(self._links.values()):
            self._end(link)
        for each in (self._listener, self._rung, self._bell):
            each.close()
        self._selector.close()

    def part(self, directions: frozenset[str], for_us: int | None = None) -> None:
        """Let nothing through in these directions any more, for so long, or until it is healed."""
        self._order(lambda: self._part(Part(directions, for_us)))

    def heal(self) -> None:
        """Let everything through again, what was kept first."""
        self._order(self._heal)

    # -- the thread --------------------------------------------------------------------------------------------------

    def _order(self, order: Callable[[], None]) -> None:
        if self._is_over:
            return
        self._orders.append(order)
        self._bell.send(b"!")

    def _work(self) -> None:
        while not self._is_over:
            ready = self._ready()
            while self._orders:
                self._orders.popleft()()
            for key, events in ready:
                self._serve(key, events)
            self._keep_time()

    def _ready(self) -> list[tuple[SelectorKey, int]]:
        """Wait for something to do."""
        here, due_us = me(), self._due_us()
        if here is None:
            return self._selector.select(None if due_us is None else max(0, due_us - self._now_us()) / 1e6)
        if self._asked() and (ready := self._selector.select(_LINGER_S)):
            return ready  # A server nearby answers sooner than anybody would look again.
        ready, _ = select_in_turn(
            lambda: self._selector.select(0),
            due_us,
            self._asked,
            UnderWay(_PATIENCE_US),
            what=self,
        )
        return ready

    def __repr__(self) -> str:
        return f"the network at {self.endpoint}"

    def _asked(self) -> list[SelectorKey]:
        """Return the connections on which the server owes a reply: nothing else may come by itself."""
        asking = {link.server for link in self._links.values() if link.is_asking and not link.ways[TO_SERVER].pieces}
        return [key for key in self._selector.get_map().values() if key.fileobj in asking]

    def _due_us(self) -> int | None:
        """Return when the first thing is due; what is due by now waits for something else."""
        ways = (way for link in self._links.values() for way in link.ways.values() if way.name not in self._parted)
        dues = (self._until_us, self._away_until_us, *(way.due_us() for way in ways))
        now_us = self._now_us()
        return min((due_us for due_us in dues if due_us is not None and due_us > now_us), default=None)

    @staticmethod
    def _now_us() -> int:
        here = me()
        return int(real_monotonic() * 1e6) if here is None else here[0].clock.monotonic_us

    def _keep_time(self) -> None:
        """Do what is due by now."""
        now_us = self._now_us()
        if self._away_until_us is not None and now_us >= self._away_until_us:
            self._away_until_us = None
        if self._until_us is not None and now_us >= self._until_us:
            self._heal()
        for link in list(self._links.values()):
            self._deliver(link)

    def _serve(self, key: SelectorKey, events: int) -> None:
        if key.fileobj is self._rung:
            with suppress(BlockingIOError):
                self._rung.recv(_PIECE)
        elif key.fileobj is self._listener:
            with suppress(OSError):
                self._take(self._listener.accept()[0])
        elif events & EVENT_READ:  # What can be written again is, when time is kept.
            link = self._links.get(key.fd)
            if link is not None and key.fileobj in (link.client, link.server):
                self._read(link, key.fileobj)

    def _take(self, client: socket.socket) -> None:
        """Take a new connection."""
        if self._away_until_us is not None:
            self.troubles += 1
            _reset(client)
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._links[client.fileno()] = link = Link(client)
        self._selector.register(client, EVENT_READ)
        self._connect(link)

    def _connect(self, link: Link) -> None:
        """Connect to the server, unless nothing gets through."""
        if self._parted:
            self.troubles += 1
            return
        try:
            server = socket.create_connection(self._server_at)
        except OSError:
            self._break(link)
            return
        server.setblocking(False)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.server = server
        self._links[server.fileno()] = link
        self._selector.register(server, EVENT_READ)

    def _read(self, link: Link, end: Any) -> None:
        """Read what one end says, and see what becomes of it."""
        try:
            data = end.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if end is link.client:
            self._said(link, TO_SERVER, data)
        else:
            self._said(link, FROM_SERVER, data)

    def _said(self, link: Link, name: str, data: bytes) -> None:
        if not data:
            self._left(link, name)
            return
        begins = link.is_asking is (name == FROM_SERVER)
        link.is_asking = name == TO_SERVER
        effect = self.ask("before" if name == TO_SERVER else "after") if begins else None
        way, now_us = link.ways[name], self._now_us()
        match effect:
            case None:
                way.add(data, now_us)
            case Wait(span_us):
                way.add(data, now_us + span_us)
            case Part():
                way.add(data, now_us)
                self._part(effect)
            case Reset(half):
                way.add(data[: len(data) // 2] if half else b"", now_us)
                self._deliver(link)
                self._break(link)
            case Away(for_us, only_new):
                self._away_until_us = now_us + for_us
                if only_new:
                    way.add(data, now_us)
                else:
                    for each in set(self._links.values()):
                        self._break(each)
            case _:
                raise HarnessError(f"{effect} is nothing that a network does")
        if name in self._parted:
            self.troubles += 1

    def _left(self, link: Link, name: str) -> None:
        """See to it that an end that has left is missed: what it was to get is lost."""
        if name == FROM_SERVER and link.server is not None and link.ways[FROM_SERVER].pieces:
            link.server_has_left = True
            self._selector.unregister(link.server)
        else:
            self._end(link)

    def _deliver(self, link: Link) -> None:
        """Send on what may be."""
        if link.server is None and link.client.fileno() >= 0 and not self._parted:
            self._connect(link)
        for name, way in link.ways.items():
            end = link.to(name)
            if end is None or end.fileno() < 0 or name in self._parted:
                continue
            while way.pieces and way.pieces[0][0] <= self._now_us():
                due_us, data = way.pieces.popleft()
                try:
                    sent = end.send(data)
                except BlockingIOError:
                    sent = 0
                except OSError:
                    self._end(link)
                    return
                if sent < len(data):
                    way.pieces.appendleft((due_us, data[sent:]))
                    self._watch(end, EVENT_READ | EVENT_WRITE)
                    break
            else:
                self._watch(end, EVENT_READ)
        if link.server_has_left and not link.ways[FROM_SERVER].pieces:
            self._end(link)

    def _watch(self, end: socket.socket, events: int) -> None:
        """Wait for these events of an end that is not left behind."""
        key = self._selector.get_map().get(end)
        if key is not None and key.events != events:
            self._selector.modify(end, events)

    # -- what goes wrong ---------------------------------------------------------------------------------------------

    def _part(self, effect: Part) -> None:
        self._parted |= effect.directions
        self._until_us = None if effect.for_us is None else self._now_us() + effect.for_us

    def _heal(self) -> None:
        self._parted, self._until_us, self._away_until_us = frozenset(), None, None
        for link in set(self._links.values()):
            if any(way.pieces for way in link.ways.values()) and _has_left(link.client):
                self._end(link)
            else:
                self._deliver(link)

    def _break(self, link: Link) -> None:
        """Reset a connection at its client's end; the server is left in good order, and reads what it was sent."""
        self.troubles += 1
        self._forget(link)
        _reset(link.client)
        if link.server is not None:
            link.server.close()

    def _end(self, link: Link) -> None:
        self._forget(link)
        link.client.close()
        if link.server is not None:
            link.server.close()

    def _forget(self, link: Link) -> None:
        for each in (link.client, link.server):
            if each is not None and each.fileno() >= 0:
                self._links.pop(each.fileno(), None)
                with suppress(KeyError):
                    self._selector.unregister(each)


def _has_left(end: socket.socket) -> bool:
    """Say whether the other end has closed the connection, and nobody has read that yet."""
    try:
        return not end.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _reset(end: socket.socket) -> None:
    """Close a socket so that its other end is told of no good order."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    end.close()


def _nothing(when: str) -> None:
    """Let everything through."""
    del when
