"""The proxy lets everything through but what it is told to keep, to delay or to break, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from pytest_sessionguard.errors import HarnessError
from pytest_sessionguard.faults import Away, Effect, Lose, Part, Reset, Wait
from pytest_sessionguard.faults.proxy import TO_SERVER, Link, Proxy


class Echo:
    """A server that answers each line with itself; `heard` is all that it was told."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self.listen, daemon=True)]
        self.threads[0].start()

    def listen(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self.serve, args=(connection,), daemon=True))
            self.threads[-1].start()

    def serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            said = b""
            while piece := connection.recv(1 << 16):
                self.heard.append(piece)
                said += piece
                if said.endswith(b"bye\n"):
                    return
                if said.endswith(b"\n"):
                    connection.sendall(said)
                    said = b""

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(5)
            assert not thread.is_alive()


@dataclass
class Stand:
    """A server, a proxy before it, and what is to go wrong: at which request or reply, what."""

    server: Echo
    proxy: Proxy
    plan: dict[tuple[str, int], Effect] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    clients: list[socket.socket] = field(default_factory=list)

    def ask(self, when: str) -> Effect | None:
        self.counts[when] = self.counts.get(when, 0) + 1
        return self.plan.get((when, self.counts[when]))

    def connect(self) -> socket.socket:
        host, _, port = self.proxy.endpoint.rpartition(":")
        self.clients.append(socket.create_connection((host, int(port)), timeout=5))
        return self.clients[-1]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0


@pytest.fixture
def stand() -> Iterator[Stand]:
    threads, files = set(threading.enumerate()), open_files()
    server = Echo()
    made = Stand(server, Proxy("127.0.0.1", server.port))
    made.proxy.ask = made.ask
    made.proxy.start()
    yield made
    made.proxy.stop()
    made.proxy.stop()
    made.proxy.heal()
    for client in made.clients:
        client.close()
    server.close()
    assert set(threading.enumerate()) <= threads
    assert open_files() <= files, "those of earlier tests may be closed meanwhile, and ours are"


def told(client: socket.socket, text: bytes) -> bytes:
    client.sendall(text)
    return heard(client, len(text))


def heard(client: socket.socket, length: int) -> bytes:
    answer = b""
    while len(answer) < length and (piece := client.recv(length - len(answer))):
        answer += piece
    return answer


def is_silent(client: socket.socket) -> bool:
    client.settimeout(0.03)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(5)
    return False


def once(claim: Callable[[], bool]) -> bool:
    """Wait for another thread to have done what it is about to do."""
    waiting = threading.Event()
    return any(claim() or waiting.wait(0.005) for _ in range(2_000))


def test_everything_comes_through_whole_and_each_message_is_one_chance(stand: Stand) -> None:
    client, other = stand.connect(), stand.connect()
    assert told(client, b"hello\n") == b"hello\n"
    much = b"x" * 3_000_000 + b"\n"
    assert told(other, much) == much
    assert told(client, b"again\n") == b"again\n"
    assert stand.counts == {"before": 3, "after": 3}
    assert stand.proxy.troubles == 0


@pytest.mark.parametrize("directions", [{"to-server"}, {"from-server"}, {"to-server", "from-server"}])
def test_nothing_gets_through_until_it_is_healed_and_then_all_does(stand: Stand, directions: set[str]) -> None:
    client = stand.connect()
    told(client, b"one\n")
    stand.proxy.part(frozenset(directions))
    client.sendall(b"two\n")
    assert is_silent(client)
    assert (b"two\n" in stand.server.heard) is (directions == {"from-server"})
    late = stand.connect()
    late.sendall(b"late\n")
    assert is_silent(late)
    assert stand.proxy.troubles > 0
    stand.proxy.heal()
    assert heard(client, 4) == b"two\n"
    assert heard(late, 5) == b"late\n"


def test_a_partition_may_heal_by_itself_or_begin_at_a_message(stand: Stand) -> None:
    client = stand.connect()
    stand.plan["before", 1] = Part(frozenset({"to-server"}), 20_000)
    assert told(client, b"one\n") == b"one\n"
    assert stand.proxy.troubles == 1


def test_what_its_client_has_given_up_is_lost(stand: Stand) -> None:
    client, other = stand.connect(), stand.connect()
    told(client, b"one\n")
    stand.proxy.part(frozenset({"to-server"}))
    client.sendall(b"two\n")
    assert is_silent(client)
    client.close()
    assert once(lambda: len(stand.proxy._links) == 2)
    stand.proxy.heal()
    assert told(other, b"three\n") == b"three\n"
    assert b"two\n" not in stand.server.heard


def test_what_takes_long_comes_late(stand: Stand) -> None:
    client = stand.connect()
    stand.plan = {("before", 1): Wait(20_000), ("after", 2): Wait(20_000)}
    for _ in range(2):
        began_s = time.monotonic()
        assert told(client, b"slow\n") == b"slow\n"
        assert time.monotonic() - began_s >= 0.02


@pytest.mark.parametrize(
    ("when", "half", "server_heard", "client_heard"),
    [
        ("before", False, b"", b""),
        ("before", True, b"12", b""),
        ("after", False, b"123\n", b""),
        ("after", True, b"123\n", b"12"),
    ],
)
def test_a_connection_is_reset_before_a_message_or_amidst_it(
    stand: Stand, when: str, half: bool, server_heard: bytes, client_heard: bytes
) -> None:
    client = stand.connect()
    stand.plan[when, 1] = Reset(half)
    client.sendall(b"123\n")
    assert heard(client, len(client_heard)) == client_heard
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert once(lambda: b"".join(stand.server.heard) == server_heard)
    assert told(stand.connect(), b"x\n") == b"x\n"


def test_while_the_server_is_away_every_connection_is_reset(stand: Stand) -> None:
    client, idle = stand.connect(), stand.connect()
    told(idle, b"x\n")
    stand.plan["before", 2] = Away(30_000_000)
    client.sendall(b"one\n")
    for connect in (lambda: client, lambda: idle, stand.connect):
        with pytest.raises(ConnectionError):
            connect().recv(1)
    stand.proxy.heal()
    assert told(stand.connect(), b"back\n") == b"back\n"
    stand.plan["before", 4] = Away(1)
    with suppress(OSError):
        stand.connect().sendall(b"short\n")

    def is_back() -> bool:
        with suppress(OSError):
            return told(stand.connect(), b"back\n") == b"back\n"
        return False

    assert once(is_back)


def test_a_server_that_is_crowded_takes_nobody_and_keeps_whom_it_has(stand: Stand) -> None:
    client = stand.connect()
    stand.plan["before", 1] = Away(30_000_000, only_new=True)
    assert told(client, b"one\n") == b"one\n"
    with pytest.raises(ConnectionError):
        stand.connect().recv(1)
    assert told(client, b"two\n") == b"two\n"
    stand.proxy.heal()
    assert told(stand.connect(), b"three\n") == b"three\n"


def test_a_server_that_leaves_is_missed_once_all_it_said_has_come(stand: Stand) -> None:
    client = stand.connect()
    stand.plan["after", 1] = Wait(20_000)
    client.sendall(b"a\n")
    assert once(lambda: stand.server.heard == [b"a\n"])
    client.sendall(b"bye\n")
    assert heard(client, 9) == b"a\n"


def test_where_there_is_no_server_the_connection_is_reset() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        proxy = Proxy("127.0.0.1", free.getsockname()[1])
    proxy.start()
    host, _, port = proxy.endpoint.rpartition(":")
    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection((host, int(port)), timeout=5) as client,
    ):
        client.recv(1)
    proxy.stop()
    assert proxy.troubles == 1


def test_what_no_network_does_is_our_own_fault() -> None:
    proxy = Proxy("127.0.0.1", 1)
    proxy.ask = lambda when: Lose()
    with socket.socket() as client, pytest.raises(HarnessError, match="nothing that a network does"):
        proxy._said(Link(client), TO_SERVER, b"x")
    proxy.stop()
