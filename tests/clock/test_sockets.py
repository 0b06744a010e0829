"""Blocking sockets in virtual threads: timeouts are virtual, and an echo within the process makes nobody guess."""

from __future__ import annotations

import http.server
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from pytest_sessionguard.clock import readings
from pytest_sessionguard.clock.virtual import VirtualClock


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    # So patient that whoever guesses is found out.
    with VirtualClock(threads=True, patience_us=30_000_000).installed() as clock:
        yield clock


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


READS: dict[str, Callable[[socket.socket], object]] = {
    "recv": lambda sock: sock.recv(1),
    "recv_into": lambda sock: sock.recv_into(bytearray(1)),
    "recvfrom": lambda sock: sock.recvfrom(1)[0],
    "recvfrom_into": lambda sock: sock.recvfrom_into(bytearray(1))[0],
    "recvmsg": lambda sock: sock.recvmsg(1)[0],
    "recvmsg_into": lambda sock: sock.recvmsg_into([bytearray(1)])[0],
    "a file": lambda sock: sock.makefile("rb").read(1),
}


@pytest.mark.parametrize("name", READS)
def test_a_read_waits_in_virtual_time(
    clock: VirtualClock, pair: tuple[socket.socket, socket.socket], name: str
) -> None:
    ours, theirs = pair
    ours.settimeout(60)
    began_s = readings.real_monotonic()
    with pytest.raises(TimeoutError, match="timed out"):
        READS[name](ours)
    assert clock.virtual_elapsed_us == 60_000_000

    def answer() -> None:
        time.sleep(59)
        theirs.sendall(b"x")

    thread = threading.Thread(target=answer)
    thread.start()
    if name != "a file":  # A file that has timed out once reads no more.
        assert READS[name](ours) in (b"x", 1)
        assert clock.virtual_elapsed_us == 119_000_000
    thread.join()
    assert readings.real_monotonic() - began_s < 20


def test_a_socket_that_never_waits_and_a_closed_one_answer_as_ever(
    clock: VirtualClock, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        ours.recv(1)
    theirs.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        theirs.recv(1)
    assert ours.recv(1) == b""
    assert clock.virtual_elapsed_us == 0


def test_an_echo_over_tcp_takes_no_patience(clock: VirtualClock) -> None:
    began_s = readings.real_monotonic()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        with pytest.raises(TimeoutError):
            server.accept()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                while received := connection.recv(100):
                    time.sleep(2)
                    connection.sendall(received)

        thread = threading.Thread(target=serve)
        thread.start()
        with socket.create_connection(server.getsockname()[:2], timeout=4) as client:
            for _ in range(5):
                client.sendall(b"x")
                assert client.recv(100) == b"x"
            client.settimeout(1)
            client.sendall(b"y")
            with pytest.raises(TimeoutError):
                client.recv(100)
        thread.join()
    assert clock.virtual_elapsed_us == 5_000_000 + 10_000_000 + 2_000_000
    assert readings.real_monotonic() - began_s < 20


def test_a_web_server_in_threads_answers_in_virtual_time(clock: VirtualClock) -> None:
    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(2)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"answer")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        assert urllib.request.urlopen(url, timeout=2.5).read() == b"answer"
        server.shutdown()
        thread.join()
    assert 2_000_000 <= clock.virtual_elapsed_us <= 3_000_000


def test_who_sends_more_than_there_is_room_for_waits_for_the_reader(
    clock: VirtualClock, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    much = os.urandom(3_000_000)
    got = bytearray()

    def read() -> None:
        time.sleep(7)
        while len(got) < len(much):
            got.extend(theirs.recv(1_000_000))

    thread = threading.Thread(target=read)
    thread.start()
    ours.sendall(much)
    thread.join()
    assert got == much
    assert clock.virtual_elapsed_us == 7_000_000
    ours.settimeout(3)
    sent = 0
    with pytest.raises(TimeoutError):
        while True:
            sent += ours.send(much)
    assert sent
    assert clock.virtual_elapsed_us == 10_000_000


def test_a_connection_that_is_refused_is_refused_at_once(clock: VirtualClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()[:2]
    for timeout in (None, 5):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=timeout)
    assert clock.virtual_elapsed_us == 0


def test_sockets_are_the_real_ones_again_after_the_span() -> None:
    with VirtualClock(threads=True).installed():
        assert "recv" in vars(socket.socket)
    assert "recv" not in vars(socket.socket)
    assert socket.socket.accept.__module__ == "socket"
