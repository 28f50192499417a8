"""Connections over a live server: limits, slow and vanishing clients, and what must not be lost."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

import stein
from stein.server.poller import READ
from tests.server.client import BOUND, Client, request, serving, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stein.http.exchange import Exchange
    from stein.server import Server
    from stein.server.engine import Engine
    from stein.typing import Environ, StartResponse

pytestmark = pytest.mark.usefixtures("no_leaks")
threads_1_and_16 = pytest.mark.parametrize("threads", [1, 16])


def hello(environ: Environ, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


def echo(environ: Environ, start_response: StartResponse) -> list[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [body]


def large(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """64 MiB in pieces for /large, and hello for others."""
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/large":
        return (bytes([number % 256]) * 65536 for number in range(1024))
    return iter([b"hello"])


def engine_of(server: Server) -> Engine:
    assert server._engine is not None
    return server._engine


def connections(server: Server) -> int:
    return len(engine_of(server).connections)


class Gate:
    """An application whose calls wait until the test lets them go."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        self.entered.release()
        self.go.wait(BOUND)
        return hello(environ, start_response)

    def wait_entered(self) -> None:
        assert self.entered.acquire(timeout=BOUND)


# -- persistence --------------------------------------------------------------------------------


@threads_1_and_16
def test_many_requests_on_one_connection(threads: int) -> None:
    with serving(hello, threads=threads) as server, Client.to(server) as client:
        for _ in range(100):
            assert client.ask().body == b"hello"
        assert connections(server) == 1


def test_connection_close_is_honoured_and_nothing_behind_it_is_run() -> None:
    seen: list[str] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        seen.append(environ["PATH_INFO"])
        return hello(environ, start_response)

    with serving(app) as server, Client.to(server) as client:
        client.send(request("/1") + request("/2", "Connection: close") + request("/3"))
        assert client.answer().header("connection") is None
        assert client.answer().header("connection") == "close"
        assert client.is_closed()
    assert seen == ["/1", "/2"]


def test_http_1_0_persists_only_if_asked() -> None:
    with (
        serving(hello) as server,
        Client.to(server) as client,
    ):
        for _ in range(2):
            answer = client.ask("/", "Connection: keep-alive", version="1.0")
            assert answer.header("connection") == "keep-alive"
        assert client.ask(version="1.0").header("connection") == "close"
        assert client.is_closed()


@threads_1_and_16
def test_no_keep_alive(threads: int) -> None:
    with serving(hello, threads=threads, keep_alive=0) as server, Client.to(server) as client:
        assert client.ask().header("connection") == "close"
        assert client.is_closed()


def test_an_idle_connection_is_closed_without_a_word() -> None:
    with serving(hello, keep_alive=0.05) as server, Client.to(server) as client:
        client.ask()
        assert client.is_closed()


def test_keep_alive_counts_from_the_last_answer() -> None:
    with serving(hello, keep_alive=30, head_timeout=0.05) as server, Client.to(server) as client:
        client.ask()
        with Client.to(server) as never_spoke:
            assert never_spoke.is_closed()
        assert client.ask().body == b"hello"


def test_the_head_of_a_later_request_has_a_deadline_too() -> None:
    with serving(hello, head_timeout=0.1) as server, Client.to(server) as client:
        client.ask()
        client.send(b"GET / HT")
        assert client.answer().status == 408
        assert client.is_closed()


@threads_1_and_16
def test_a_number_of_requests_for_each_connection(threads: int) -> None:
    settings = {"threads": threads, "limit_connection_requests": 3}
    with serving(hello, **settings) as server, Client.to(server) as client:
        client.send(request() * 5)
        for _ in range(2):
            assert client.answer().header("connection") is None
        assert client.answer().header("connection") == "close"
        assert client.is_closed()


def test_a_half_closed_client_gets_all_its_answers() -> None:
    with serving(hello) as server, Client.to(server) as client:
        client.send(request() * 3)
        client.shut()
        for _ in range(3):
            assert client.answer().body == b"hello"
        assert client.is_closed()


def test_a_half_closed_client_gets_an_answer_that_takes_long_and_is_large() -> None:
    gate = Gate()

    def slow(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        gate.entered.release()
        gate.go.wait(BOUND)
        start_response("200 OK", [("Content-Length", str(8 << 20))])
        return (bytes(65536) for _ in range(128))

    with serving(slow) as server, Client.to(server, receive_buffer=4096) as client:
        client.send(request())
        client.shut()
        gate.wait_entered()
        gate.go.set()
        client.head()
        assert client.exactly(8 << 20) == bytes(8 << 20)
        assert client.is_closed()


# -- limits on connections ----------------------------------------------------------------------


@threads_1_and_16
def test_more_connections_than_allowed_are_served_later(threads: int) -> None:
    with serving(hello, threads=threads, limit_connections=2) as server:
        first, second = Client.to(server), Client.to(server)
        with first, second:
            first.ask()
            second.ask()
            third = Client.to(server)
            with third:
                third.send(request())
                assert first.ask().status == 200  # and the third one had its chance to be seen
                assert connections(server) == 2
                assert third.is_silent()
                second.sock.close()
                assert third.answer().body == b"hello"


def test_a_crowd_passes_through_a_narrow_door() -> None:
    with serving(hello, limit_connections=3) as server:
        with ExitStack() as stack:
            crowd = [stack.enter_context(Client.to(server)) for _ in range(50)]
            for client in crowd:
                client.send(request("/", "Connection: close"))
            for client in crowd:
                assert client.answer().body == b"hello"
                client.sock.close()
        until(lambda: not connections(server))


def test_connections_of_one_address_are_limited() -> None:
    with serving(hello, limit_connections_per_address=2) as server:
        first, second = Client.to(server), Client.to(server)
        with first, second:
            first.ask()
            second.ask()
            with (
                Client.to(server) as third,
                pytest.raises((EOFError, ConnectionError)),
            ):
                third.ask()
            second.sock.close()
            until(lambda: connections(server) == 1)
            with Client.to(server) as third:
                assert third.ask().body == b"hello"


def test_a_lenient_server_mends_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    data = b"GET /#f HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"
    with serving(hello) as server, Client.to(server) as client:
        client.send(data)
        assert client.answer().status == 400
    with serving(hello, lenient=True) as server, Client.to(server) as client:
        client.send(data + request("/never"))
        assert client.answer().status == 200
        assert client.is_closed()
    (record,) = [each for each in caplog.records if "mended" in each.getMessage()]
    assert record.levelno == logging.WARNING
    assert "GET '/' has a fragment in the request target; a folded" in record.getMessage()


def test_clients_of_a_unix_socket_have_no_address(tmp_path: Path) -> None:
    import socket

    settings: dict[str, Any] = {
        "limit_connections_per_address": 1, "bind": (f"unix:{tmp_path / 's'}",)
    }  # fmt: skip
    with serving(hello, **settings) as server, ExitStack() as stack:
        assert server.addresses
        for _ in range(2):
            sock = socket.socket(socket.AF_UNIX)
            client = stack.enter_context(Client(sock))
            sock.connect(str(tmp_path / "s"))
            assert client.ask().body == b"hello"


# -- slow readers -------------------------------------------------------------------------------


@threads_1_and_16
def test_a_slow_reader_holds_no_thread_and_little_memory(threads: int) -> None:
    settings = {"threads": threads, "response_buffer": 1 << 18}
    with serving(large, **settings) as server, ExitStack() as stack:
        slow = [stack.enter_context(Client.to(server, receive_buffer=4096)) for _ in range(20)]
        for client in slow:
            client.send(request("/large"))
        with Client.to(server) as other:
            for _ in range(20):
                assert other.ask().body == b"hello"
        until(lambda: len(suspended(server)) == 20)
        for connection in suspended(server):
            assert connection.unsent <= (1 << 18) + 65536 + 100


def suspended(server: Server) -> list[Any]:
    calls = [(each, each._call) for each in list(engine_of(server).connections.values())]
    return [each for each, call in calls if call is not None and call.suspended]


@threads_1_and_16
def test_a_slow_reader_is_resumed_and_gets_everything(threads: int) -> None:
    settings = {"threads": threads, "response_buffer": 1 << 16}
    with serving(large, **settings) as server, Client.to(server, receive_buffer=4096) as client:
        client.send(request("/large") + request("/next"))
        until(lambda: suspended(server))
        data = 0
        for number in range(1024):
            if number == 0:
                client.head()
            assert client.exactly(7) == b"10000\r\n"
            assert client.exactly(65536) == bytes([number % 256]) * 65536
            assert client.exactly(2) == b"\r\n"
            data += 65536
        assert client.exactly(5) == b"0\r\n\r\n"
        assert data == 64 << 20
        assert client.answer().body == b"hello"


def test_write_waits_in_its_thread_and_memory_stays_bounded() -> None:
    most = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        if environ["PATH_INFO"] != "/large":
            return hello(environ, start_response)
        write = start_response("200 OK", [("Content-Length", str(16 << 20))])
        for _ in range(256):
            write(bytes(65536))
            most.append(max(each.unsent for each in engine_of(server).connections.values()))
        return []

    with (
        serving(app, response_buffer=1 << 17) as server,
        Client.to(server, receive_buffer=4096) as slow,
    ):
        slow.send(request("/large"))
        slow.exactly(10)
        with Client.to(server) as other:
            assert other.ask().body == b"hello"
        slow.head()
        assert slow.exactly(16 << 20) == bytes(16 << 20)
    assert max(most) <= 1 << 17


@threads_1_and_16
def test_a_client_that_takes_nothing_is_given_up(threads: int) -> None:
    body = bytes(32 << 20)

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [])
        return [body]

    seen: list[Exchange] = []
    settings = {"threads": threads, "write_timeout": 0.1}
    with (
        serving(app, seen.extend, **settings) as server,
        Client.to(server, receive_buffer=4096) as client,
    ):
        client.send(request())
        until(lambda: seen)
        until(lambda: not connections(server))
    assert [each.outcome for each in seen] == ["write_timeout"]


def test_slow_but_steady_is_not_given_up() -> None:
    """The deadline counts from the last byte that the client took."""
    with (
        serving(large, write_timeout=0.5, response_buffer=1 << 16) as server,
        Client.to(server, receive_buffer=4096) as client,
    ):
        client.send(request("/large"))
        client.head()
        pause = threading.Event()
        for _ in range(8):
            pause.wait(0.1)  # the client's own slowness is what is tested
            client.exactly(200_000)
        assert connections(server) == 1


# -- is the client still there? -----------------------------------------------------------------


@pytest.mark.parametrize("farewell", ["close", "reset", "shut"])
def test_the_application_can_see_that_the_client_has_gone(farewell: str) -> None:
    entered, found = threading.Event(), threading.Event()
    answers: list[bool] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        is_disconnected: Callable[[], bool] = environ["stein.disconnected"]
        answers.append(is_disconnected())
        entered.set()
        until(is_disconnected)
        found.set()
        return hello(environ, start_response)

    with serving(app) as server, Client.to(server) as client:
        client.send(request())
        assert entered.wait(BOUND)
        if farewell == "reset":
            client.reset()
        elif farewell == "shut":
            client.shut()
        else:
            client.sock.close()
        assert found.wait(BOUND)
        if farewell == "shut":
            assert client.answer().body == b"hello"
    assert answers == [False]


def test_a_pipelining_client_is_still_there() -> None:
    answers: list[bool] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        answers.append(environ["stein.disconnected"]())
        return hello(environ, start_response)

    with serving(app) as server, Client.to(server) as client:
        client.send(request() * 3)
        for _ in range(3):
            client.answer()
    assert answers == [False] * 3


# -- vanishing clients --------------------------------------------------------------------------


def in_head(client: Client, gate: Gate) -> None:
    client.send(b"GET / HTTP/1.1\r\nHost:")


def in_body(client: Client, gate: Gate) -> None:
    client.send(request("/", "Content-Length: 1000", method="POST") + b"x" * 300)


def in_spool(client: Client, gate: Gate) -> None:
    client.send(request("/", "Content-Length: 1000000", method="POST") + b"x" * 300_000)


def in_streamed_body(client: Client, gate: Gate) -> None:
    client.send(request("/read", "Expect: 100-continue", "Content-Length: 10", method="POST"))
    client.answer()


def in_expected_body(client: Client, gate: Gate) -> None:
    in_streamed_body(client, gate)


def in_call(client: Client, gate: Gate) -> None:
    client.send(request("/wait"))
    gate.wait_entered()


def in_response(client: Client, gate: Gate) -> None:
    client.send(request("/large"))
    client.exactly(1000)


def when_idle(client: Client, gate: Gate) -> None:
    client.ask()


def at_once(client: Client, gate: Gate) -> None:
    pass


def while_pipelining(client: Client, gate: Gate) -> None:
    client.send(request() * 200)
    client.exactly(100)


@threads_1_and_16
@pytest.mark.parametrize("farewell", ["close", "reset"])
@pytest.mark.parametrize(
    "moment",
    [at_once, in_head, in_body,
     in_spool, in_expected_body,
     in_streamed_body, in_call, in_response, when_idle,
     while_pipelining],
)  # fmt: skip
def test_a_client_that_vanishes_leaves_nothing_behind(
    moment: Callable[[Client, Gate], None], farewell: str, threads: int,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    gate = Gate()

    def app(environ: Environ, start_response: StartResponse) -> Any:
        if environ["PATH_INFO"] == "/wait":
            return gate(environ, start_response)
        if environ["PATH_INFO"] == "/read":
            try:
                environ["wsgi.input"].read()
            except OSError:
                return hello(environ, start_response)
        return large(environ, start_response)

    buffering = moment is not in_streamed_body
    settings = {"threads": threads, "body_buffer": 1000, "request_buffering": buffering}
    with serving(app, **settings) as server:
        for _ in range(3):
            gate.go.clear()
            with Client.to(server) as client:
                moment(client, gate)
                if farewell == "reset":
                    client.reset()
            gate.go.set()
        until(lambda: not connections(server))
        with Client.to(server) as client:
            assert client.ask().body == b"hello"
    assert [each.getMessage() for each in caplog.records if each.exc_info] == []
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


@threads_1_and_16
def test_a_storm_of_clients_that_reset_at_once(threads: int) -> None:
    with serving(hello, threads=threads) as server:
        for number in range(300):
            client = Client.to(server)
            if number % 2:
                client.send(request())
            client.reset()
        until(lambda: not connections(server))
        with Client.to(server) as client:
            assert client.ask().body == b"hello"


# -- request bodies -----------------------------------------------------------------------------


EXPECTED = "Expect: 100-continue"


class Stuck:
    """A socket whose other end takes nothing until it is let."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self.is_free = False
        self.tries = 0

    def send(self, data: bytes) -> int:
        if not self.is_free:
            self.tries += 1
            raise BlockingIOError
        sent: int = self._sock.send(data)
        return sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def stuck(server: Server) -> Stuck:
    """Let the only connection's client take nothing."""
    (connection,) = engine_of(server).connections.values()
    found = connection.sock = Stuck(connection.sock)
    connection._send = found.send
    return found


@threads_1_and_16
@pytest.mark.parametrize("framing", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_clients_that_expect_100_and_stay_silent_hold_no_thread(threads: int, framing: str) -> None:
    with serving(echo, threads=threads) as server, ExitStack() as stack:
        silent = [stack.enter_context(Client.to(server)) for _ in range(40)]
        for client in silent:
            client.send(request("/", framing, EXPECTED, method="POST"))
            assert client.answer().status == 100
        with Client.to(server) as other:
            assert other.ask("/", method="POST", body=b"between").body == b"between"
        for client in silent:
            client.send(b"hello" if "Length" in framing else b"5\r\nhello\r\n0\r\n\r\n")
            assert client.answer().body == b"hello"


def test_a_client_that_gets_100_and_stays_silent_is_timed_out() -> None:
    with serving(echo, body_timeout=0.1) as server, Client.to(server) as client:
        client.send(request("/", "Content-Length: 5", EXPECTED, method="POST"))
        assert [client.answer().status, client.answer().status] == [100, 408]
        assert client.is_closed()


@pytest.mark.parametrize("waits", [True, False])
def test_a_100_that_cannot_leave_at_once_leaves_before_the_answer(*, waits: bool) -> None:
    called = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        called.set()
        return echo(environ, start_response)

    with serving(app) as server, Client.to(server) as client:
        assert client.ask().status == 200
        called.clear()
        sock = stuck(server)
        client.send(request("/", "Content-Length: 5", EXPECTED, method="POST"))
        until(lambda: sock.tries)
        if not waits:
            client.send(b"hello")
            assert called.wait(BOUND)
        sock.is_free = True
        assert client.answer().status == 100
        if waits:
            client.send(b"hello")
        assert client.answer().body == b"hello"
        (connection,) = engine_of(server).connections.values()
        until(lambda: connection._interest == READ)
        assert client.ask(method="POST", body=b"again").body == b"again"


@pytest.mark.parametrize("fields", [("Content-Length: 300",), ("Transfer-Encoding: chunked",)])
@threads_1_and_16
def test_a_slow_body_holds_no_thread(threads: int, fields: tuple[str, ...]) -> None:
    with serving(echo, threads=threads) as server, ExitStack() as stack:
        slow = [stack.enter_context(Client.to(server)) for _ in range(40)]
        for client in slow:
            client.send(request("/", *fields, method="POST"))
        with Client.to(server) as other:
            assert other.ask("/", method="POST", body=b"quick").body == b"quick"
        for client in slow:
            if "chunked" in fields[0]:
                client.send(b"5\r\nhello\r\n0\r\n\r\n")
                assert client.answer().body == b"hello"
            else:
                client.send(b"x" * 300)
                assert client.answer().body == b"x" * 300


def test_a_silent_body_is_given_up() -> None:
    with serving(echo, body_timeout=0.1) as server, Client.to(server) as client:
        client.send(request("/", "Content-Length: 10", method="POST") + b"half")
        assert client.answer().status == 408
        assert client.is_closed()


def test_a_dripping_body_is_given_up() -> None:
    """Never silent for long, but far slower than the least rate."""
    with (
        serving(echo, body_timeout=0.2, body_min_rate=10_000) as server,
        Client.to(server) as client,
    ):
        client.send(request("/", "Content-Length: 1000", method="POST"))
        pause = threading.Event()
        dripped = 0
        while client.is_silent():
            client.send(b"x")
            dripped += 1
            pause.wait(0.02)
        assert client.answer().status == 408
        assert dripped < 1000


class FullDisk:
    """A temporary file that takes so many bytes and no more."""

    def __init__(self, room: int) -> None:
        self._file = tempfile.SpooledTemporaryFile(1 << 30)  # noqa: SIM115 - closed by its owner
        self._room = room

    def write(self, data: bytes) -> int:
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize("room", [-1, 0, 100, 5000])
def test_a_full_disk_fails_that_request_only(
    room: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    disks: list[FullDisk] = []

    def make(**_: object) -> IO[bytes]:
        if room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        disks.append(FullDisk(room))
        return disks[-1]  # type: ignore[return-value]

    with serving(echo, body_buffer=100) as server, Client.to(server) as small:
        assert small.ask("/", method="POST", body=b"x" * 100).body == b"x" * 100
        monkeypatch.setattr("tempfile.TemporaryFile", make)
        with Client.to(server) as client:
            client.send(request("/", "Content-Length: 10000", method="POST"))
            for _ in range(10):
                client.send(b"x" * 1000)
            answer = client.answer()
            assert answer.status == 507
            assert answer.header("connection") == "close"
            assert client.is_closed()
        assert small.ask("/", method="POST", body=b"x" * 100).body == b"x" * 100
    assert all(disk.closed for disk in disks)
    assert "Traceback" not in caplog.text


# -- busy threads -------------------------------------------------------------------------------


def test_health_is_answered_while_all_threads_are_blocked() -> None:
    gate = Gate()
    settings = {"threads": 2, "health_path": "/-", "keep_alive": 30, "unready_after": 0}
    with serving(gate, **settings) as server, ExitStack() as stack:
        blocked = [stack.enter_context(Client.to(server)) for _ in range(3)]
        with Client.to(server) as probe:
            assert probe.ask("/-/livez").status == 200
            assert probe.ask("/-/readyz").body == b"200 OK\n"
            for client in blocked:
                client.send(request())
            for _ in range(2):
                gate.wait_entered()
            until(lambda: engine_of(server).crew.saturated)
            answer = probe.ask("/-/livez")
            assert (answer.status, answer.body) == (200, b"200 OK\n")
            assert probe.ask("/-/readyz").status == 503
            assert probe.ask("/-/livez", method="HEAD").body == b""
            gate.go.set()
            for client in blocked:
                assert client.answer().body == b"hello"
            assert probe.ask("/-/readyz").status == 200
            assert probe.ask("/-/other").body == b"hello"


def test_readiness_is_refused_while_the_server_drains() -> None:
    gate = Gate()
    with serving(gate, health_path="/") as server, Client.to(server) as busy:
        busy.send(request())
        gate.wait_entered()
        with Client.to(server) as probe:
            probe.send(request("/readyz", "X-Slow: 1")[:-2])  # all but the last line
            until(lambda: any(each._reader.begun for each in conns(server)))
            server.request_stop()
            until(lambda: engine_of(server).draining)
            probe.send(b"\r\n")
            answer = probe.answer()
            assert (answer.status, answer.header("connection")) == (503, "close")
        gate.go.set()
        assert busy.answer().body == b"hello"


def conns(server: Server) -> list[Any]:
    return list(engine_of(server).connections.values())


def test_a_call_that_waits_too_long_for_a_thread_is_answered_503() -> None:
    gate = Gate()
    seen: list[Exchange] = []
    settings = {"threads": 2, "queue_timeout": 0.1, "retry_after": 7}
    with serving(gate, seen.extend, **settings) as server, ExitStack() as stack:
        clients = [stack.enter_context(Client.to(server)) for _ in range(3)]
        for client in clients[:2]:
            client.send(request("/blocked"))
            gate.wait_entered()
        clients[2].send(request("/late"))
        answer = clients[2].answer()
        assert answer.status == 503
        assert answer.header("retry-after") == "7"
        assert answer.header("connection") == "close"
        assert clients[2].is_closed()
        gate.go.set()
        for client in clients[:2]:
            assert client.answer().body == b"hello"
    assert not gate.entered.acquire(blocking=False)
    late = next(each for each in seen if each.line.path == "/late")
    assert (late.outcome, late.status) == ("queue_timeout", 503)


def test_a_client_that_leaves_the_queue_is_not_called_for() -> None:
    gate = Gate()
    with serving(gate, threads=2) as server, ExitStack() as stack:
        clients = [stack.enter_context(Client.to(server)) for _ in range(3)]
        for client in clients:
            client.send(request())
        for _ in range(2):
            gate.wait_entered()
        until(lambda: engine_of(server).crew.saturated)
        waiting = engine_of(server).crew.waiting[0].connection
        local = waiting.sock.getpeername()
        gone = next(each for each in clients if each.sock.getsockname() == local)
        gone.reset()
        until(lambda: waiting.gone)
        gate.go.set()
        for client in clients:
            if client is not gone:
                assert client.answer().body == b"hello"
        until(lambda: connections(server) == 2)
    assert not gate.entered.acquire(blocking=False)


# -- no descriptors left ------------------------------------------------------------------------

EXHAUSTED = """
import logging, os, resource, socket, sys, threading, time
from stein.server import Server, Settings
from stein.server.engine import Listener

logging.basicConfig(stream=sys.stdout, format="%(message)s")
accepts = 0
real = Listener.on_event
def counted(self, events):
    global accepts
    accepts += 1
    return real(self, events)
Listener.on_event = counted

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]

def ask(sock):
    sock.sendall(b"GET / HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n")
    answer = b""
    while not answer.endswith(b"ok"):
        data = sock.recv(1000)
        assert data, answer
        answer += data

with Server(app, Settings(threads=int(sys.argv[1])), port=0) as server:
    first = socket.create_connection((server.host, server.port), timeout=10)
    ask(first)
    second = socket.socket()
    second.settimeout(10)
    spare = os.dup(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))  # not one number is free
    second.connect((server.host, server.port))
    second.sendall(b"GET / HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n")
    before, end = accepts, time.monotonic() + 0.5
    while time.monotonic() < end:
        ask(first)  # who is in goes on
        time.sleep(0.01)
    tries = accepts - before
    assert 1 <= tries <= 10, tries
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    answer = b""
    while not answer.endswith(b"ok"):
        answer += second.recv(1000)
    first.close()
    second.close()
print("recovered")
"""


@pytest.mark.live
@threads_1_and_16
def test_without_descriptors_it_pauses_and_recovers(threads: int) -> None:
    result = subprocess.run(
        [sys.executable, "-c", EXHAUSTED, str(threads)],
        env={**os.environ, "PYTHONPATH": str(Path(stein.__file__).parents[1])},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert result.stdout.endswith("recovered\n"), result.stdout + result.stderr
    assert "cannot accept: Too many open files; trying again shortly" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_a_client_that_leaves_the_queue_is_observed_and_not_served() -> None:
    gate = Gate()
    seen: list[Exchange] = []
    with serving(gate, seen.extend, threads=2) as server, ExitStack() as stack:
        engine = engine_of(server)
        served = [stack.enter_context(Client.to(server)) for _ in range(2)]
        for client in served:
            client.send(request("/served"))
            gate.wait_entered()
        leaver = stack.enter_context(Client.to(server))
        leaver.send(request("/left"))
        until(lambda: engine.crew.saturated)
        leaver.reset()
        until(lambda: any(each.gone for each in list(engine.connections.values())))
        gate.go.set()
        assert [client.answer().status for client in served] == [200, 200]
        until(lambda: len(seen) == 3)
    ends = {each.line.target: (each.outcome, each.status) for each in seen}
    assert ends == {"/served": ("ok", 200), "/left": ("client_gone", 0)}
    assert not gate.entered.acquire(blocking=False)
