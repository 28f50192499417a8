"""A call that does not end: its client is answered without it, its seat given to another."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from stein.server import Server, Settings
from stein.server.overdue import KEY
from tests.server.client import BOUND, Client, request, serving, until
from tests.server.test_tls import connect, trusting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stein.http.exchange import Exchange
    from stein.server.engine import Engine
    from stein.typing import Environ, StartResponse
    from tests.server.certificates import Certificates

pytestmark = pytest.mark.usefixtures("no_leaks")

SHORT = 0.15


class Views:
    """Views by path; those that get stuck do so until the test is over."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.entered = threading.Semaphore(0)
        self.closed = threading.Semaphore(0)
        self.timeout: object = None

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        if self.timeout is not None:
            environ[KEY] = self.timeout
        path = environ["PATH_INFO"]
        view: Callable[..., Any] = getattr(self, path.strip("/") or "quick")
        return view(environ, start_response)

    def quick(self, _environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [])
        return [b"quick"]

    def stuck(self, _environ: Environ, start_response: StartResponse) -> list[bytes]:
        self.entered.release()
        wait_for_ever(self.go)
        start_response("200 OK", [])
        return [b"too late"]

    def reading(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        self.entered.release()
        environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [b"read"]

    def stalling(self, _environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            yield b"first"
            self.entered.release()
            wait_for_ever(self.go)
            yield b"second"
        finally:
            self.closed.release()

    def trickling(self, _environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        for number in range(8):
            time.sleep(SHORT / 3)  # its subject: longer than the time-out, never silent for long
            yield b"%d" % number

    def large(self, _environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        for _ in range(64):
            yield b"x" * 65536


def wait_for_ever(event: threading.Event) -> None:
    """Stand in the stack under a name that the test looks for."""
    assert event.wait(BOUND)


@pytest.fixture
def views() -> Iterator[Views]:
    made = Views()
    yield made
    made.go.set()


@pytest.fixture
def errors(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The error log, checked to be of the lost threads only."""
    with caplog.at_level(logging.WARNING, "stein.error"):
        yield caplog


def engine_of(server: Server) -> Engine:
    assert server._engine is not None
    return server._engine


def ended(server: Server) -> Callable[[], bool]:
    return lambda: engine_of(server).crew.lost == 0


def test_the_client_gets_504_and_the_log_the_stack(
    views: Views, errors: pytest.LogCaptureFixture
) -> None:
    seen: list[tuple[str, int, str | None]] = []

    def observe(exchanges: Any) -> None:
        seen.extend((each.outcome, each.status, each.error) for each in exchanges)

    with serving(views, observe, threads=2, request_timeout=SHORT) as server:
        with Client.to(server) as client:
            began = time.monotonic()
            answer = client.ask("/stuck?secret=1")
            assert SHORT <= time.monotonic() - began < BOUND / 2
            assert (answer.status, answer.body) == (504, b"504 Gateway Timeout\n")
            assert client.is_closed()
        until(lambda: seen)
        assert seen == [("request_timeout", 504, f"no answer within {SHORT} s")]
        (record,) = errors.records
        text = record.getMessage()
        assert "GET '/stuck?secret=1' (connection 1, request 1): no answer within 0.15 s" in text
        assert "answered 504; stein-1 is lost, 1 of 2; stack:" in text
        assert "wait_for_ever" in text
        assert "stein/server" not in text
        views.go.set()
        until(ended(server))
        assert "stein-1 is back" in errors.records[-1].getMessage()
        assert len(seen) == 1


def test_lost_threads_are_replaced_and_come_back(views: Views) -> None:
    with serving(views, threads=2, request_timeout=SHORT, limit_lost_threads=0) as server:
        with ExitStack() as stack:
            clients = [stack.enter_context(Client.to(server)) for _ in range(2)]
            for client in clients:
                client.send(request("/stuck"))
            for client in clients:
                assert client.answer().status == 504
            crew = engine_of(server).crew
            assert crew.lost == 2
            places = server.board.read().workers[0]
            assert places.lost == 2
            assert sorted(each.state for each in places.threads).count("lost") == 2
            others = [stack.enter_context(Client.to(server)) for _ in range(2)]
            for client in others:  # both seats can be had again
                client.send(request("/stuck"))
            for _ in range(4):
                assert views.entered.acquire(timeout=BOUND)
            with Client.to(server) as client:
                client.send(request("/quick"))
                until(lambda: crew.saturated)
                assert client.answer().body == b"quick"  # the seats became free once more
            views.go.set()
            until(ended(server))
            assert server.board.read().workers[0].lost == 0
        for _ in range(3):
            with Client.to(server) as client:
                assert client.ask().body == b"quick"
        until(lambda: server.board.read().workers[0].counters.lost_threads == 4)


def test_neighbours_are_unharmed(views: Views) -> None:
    with serving(views, threads=4, request_timeout=SHORT) as server, Client.to(server) as client:
        with Client.to(server) as stuck:
            stuck.send(request("/stuck"))
            assert views.entered.acquire(timeout=BOUND)
            while stuck.is_silent():
                assert client.ask().body == b"quick"
            assert stuck.answer().status == 504
        assert client.ask().body == b"quick"


def test_a_view_may_take_its_own_time(views: Views) -> None:
    views.timeout = 0
    with serving(views, threads=2, request_timeout=SHORT) as server, Client.to(server) as client:
        client.send(request("/stuck"))
        assert views.entered.acquire(timeout=BOUND)
        time.sleep(2 * SHORT)  # its subject
        assert client.is_silent()
        views.go.set()
        assert client.answer().body == b"too late"


def test_a_view_may_want_less_time_than_others_or_be_the_only_one_with_a_limit(
    views: Views,
) -> None:
    views.timeout = "0.1"
    with serving(views, threads=2) as server, Client.to(server) as client:
        assert client.ask("/stuck").status == 504
        views.go.set()
        until(ended(server))


@pytest.mark.parametrize("wrong", ["soon", -1, [], float("nan")])
def test_a_time_out_that_is_no_number_is_named_once(
    wrong: object, views: Views, errors: pytest.LogCaptureFixture
) -> None:
    views.timeout = wrong
    with serving(views, threads=2, request_timeout=SHORT) as server, Client.to(server) as client:
        assert client.ask("/stuck").status == 504
        until(lambda: len(errors.records) == 2)
        first, second = errors.records
        assert f"environ['stein.request_timeout'] = {wrong!r} is no number" in first.getMessage()
        assert "is lost" in second.getMessage()
        views.go.set()
        until(ended(server))


def test_a_response_that_falls_silent_is_cut_off(
    views: Views, errors: pytest.LogCaptureFixture
) -> None:
    with serving(views, threads=2, request_timeout=SHORT) as server:
        with Client.to(server) as client:
            client.send(request("/stalling"))
            assert b"5\r\nfirst\r\n" in client.rest()
        until(lambda: errors.records)
        assert "its response has begun, cut off" in errors.records[0].getMessage()
        views.go.set()
        assert views.closed.acquire(timeout=BOUND)
        until(ended(server))


def test_without_chunks_only_a_reset_would_tell_so_it_comes_when_the_thread_is_back(
    views: Views,
) -> None:
    with serving(views, threads=2, request_timeout=SHORT) as server, Client.to(server) as client:
        client.send(request("/stalling", version="1.0"))
        until(lambda: engine_of(server).crew.lost)
        assert client.head().endswith(b"\r\n\r\n")
        assert client.exactly(5) == b"first"
        views.go.set()
        with pytest.raises(ConnectionResetError):
            client.rest()
        until(ended(server))


def test_a_response_that_goes_on_is_left_alone(views: Views) -> None:
    with serving(views, threads=2, request_timeout=SHORT) as server, Client.to(server) as client:
        assert client.ask("/trickling").body == b"01234567"
        assert engine_of(server).crew.lost == 0


def test_a_slow_client_is_no_reason(views: Views) -> None:
    with (
        serving(views, threads=2, request_timeout=0.05, response_buffer=65536) as server,
        Client.to(server, receive_buffer=4096) as client,
    ):
        client.send(request("/large"))
        until(lambda: server.board.read().workers[0].sending == 1)
        (held,) = server.board.read().workers[0].held
        assert (held.path, held.state, held.peer) == ("/large", "sending", "127.0.0.1")
        time.sleep(0.2)  # its subject
        assert len(client.answer().body) == 64 * 65536
        until(lambda: server.board.read().workers[0].sending == 0)
        assert engine_of(server).crew.lost == 0


def test_with_many_threads_lost_the_process_asks_to_be_replaced(views: Views) -> None:
    reasons: list[str] = []
    settings = Settings(threads=4, request_timeout=SHORT, limit_lost_threads=2)
    with Server(views, settings, port=0, on_recycle=reasons.append) as server, ExitStack() as stack:
        for count in (1, 2, 3):
            assert stack.enter_context(Client.to(server)).ask("/stuck").status == 504
            assert server.board.read().workers[0].lost == count
        until(lambda: reasons)
        assert server.board.read().workers[0].recycle == "lost_threads"
        assert reasons == ["lost_threads: 2 of 4 threads are lost in calls past their time-out"]
        views.go.set()
        until(ended(server))


def test_a_stop_does_not_wait_for_what_was_given_up(views: Views) -> None:
    with serving(views, threads=2, request_timeout=SHORT, graceful_timeout=BOUND) as server:
        with Client.to(server) as client:
            assert client.ask("/stuck").status == 504
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < BOUND / 2
        views.go.set()


def test_a_client_that_has_gone_frees_the_seat_all_the_same(
    views: Views, errors: pytest.LogCaptureFixture
) -> None:
    with serving(views, threads=2, request_timeout=SHORT) as server:
        with Client.to(server) as client:
            client.send(request("/stuck"))
            assert views.entered.acquire(timeout=BOUND)
            client.reset()
        until(lambda: engine_of(server).crew.lost == 1)
        assert "its client has gone" in errors.records[0].getMessage()
        views.go.set()
        until(ended(server))


def test_a_body_that_does_not_come_is_given_up_as_well(views: Views) -> None:
    with (
        serving(views, threads=2, request_timeout=SHORT, request_buffering=False) as server,
        Client.to(server) as client,
    ):
        client.send(request("/reading", "Content-Length: 5", method="POST"))
        assert client.answer().status == 504
        client.send(b"12345")
        until(ended(server))


def test_with_one_thread_another_one_watches(
    views: Views, errors: pytest.LogCaptureFixture
) -> None:
    reasons: list[str] = []
    seen: list[Exchange] = []
    settings = Settings(threads=1, request_timeout=SHORT)
    with Server(views, settings, port=0, on_recycle=reasons.append, observer=seen.extend) as server:
        with Client.to(server) as client:
            assert client.ask().body == b"quick"
            assert client.ask("/stuck").status == 504
            assert client.is_closed()
        until(lambda: reasons)
        assert reasons == ["lost_threads: 1 of 1 threads are lost in calls past their time-out"]
        assert "stein-1 is lost, 1 of 1" in errors.records[0].getMessage()
        views.go.set()
        until(ended(server))
        with Client.to(server) as client:
            assert client.ask().body == b"quick"
    assert [each.outcome for each in seen] == ["ok", "request_timeout", "ok"]


@pytest.mark.parametrize(("path", "status"), [("/stuck", 504), ("/stalling", 200)])
def test_over_tls_the_client_is_told_as_well(
    path: str, status: int, views: Views, certificates: Certificates
) -> None:
    settings: dict[str, Any] = {
        "certfile": str(certificates.localhost),
        "keyfile": str(certificates.key_of(certificates.localhost)),
        "request_timeout": SHORT,
        "threads": 2,
    }
    with serving(views, **settings) as server:
        with connect(server, trusting(certificates.localhost)) as client:
            client.send(request(path))
            if status == 504:
                assert client.answer().status == 504
                assert client.is_closed()
            else:
                assert client.head().startswith(b"HTTP/1.1 200")
                with pytest.raises((ssl.SSLEOFError, ConnectionError)):
                    client.rest()
        views.go.set()
        until(ended(server))


def test_a_response_whose_thread_is_lost_in_another_call_is_cut_off(views: Views) -> None:
    settings = {"threads": 2, "request_timeout": SHORT, "response_buffer": 65536}
    with serving(views, **settings) as server, Client.to(server, receive_buffer=4096) as client:
        client.send(request("/large"))
        until(lambda: server.board.read_worker(0).sending == 1)
        engine = engine_of(server)
        (connection,) = engine.connections.values()
        assert connection._call is not None
        worker = connection._call.worker
        with ExitStack() as stack:
            while not worker.lost:  # whichever thread it was: one of two
                stack.enter_context(Client.to(server)).send(request("/stuck"))
                until(lambda: worker.lost or not engine.crew.saturated)
            client.head()
            with pytest.raises((EOFError, ConnectionError)):
                client.exactly(65 * 65536)
            views.go.set()
            until(ended(server))


def test_what_each_thread_does_can_be_asked_for(views: Views) -> None:
    with serving(views, threads=2) as server, Client.to(server) as client:
        client.send(request("/stuck?a=b"))
        assert views.entered.acquire(timeout=BOUND)
        text = server.stacks()
        assert "GET '/stuck?a=b' for 0." in text
        assert "(connection 1, request 1)" in text
        assert "wait_for_ever" in text
        assert "stein-monitor" in text
        views.go.set()
        assert client.answer().status == 200
