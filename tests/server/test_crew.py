"""Who runs what: calls at once, calls in order, and a leader that is never missing.

Facts are forced with gates: a view that waits for an event which the test sets only after another
request was answered proves that the other one did not wait for it.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from stein.server import crew as module
from stein.server import pace
from tests.server.client import BOUND, Client, request, serving, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stein.http.exchange import Exchange
    from stein.server import Server
    from stein.server.crew import Crew
    from stein.typing import Environ, StartResponse

pytestmark = pytest.mark.usefixtures("no_leaks")


class Theatre:
    """Views by path: /gate... waits for the test, /slow... takes its time, others are quick."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.threads: list[str] = []
        self.gates: dict[str, threading.Event] = {}
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()  # guards the two counts

    def gate(self, path: str) -> threading.Event:
        return self.gates.setdefault(path, threading.Event())

    def open(self) -> None:
        for gate in self.gates.values():
            gate.set()

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        path: str = environ["PATH_INFO"]
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.entered.append(path)
            self.threads.append(threading.current_thread().name)
        if path.startswith("/gate"):
            assert self.gate(path).wait(BOUND)
        elif path.startswith("/slow"):
            threading.Event().wait(0.003)  # is slow, by the crew's own measure
        with self._lock:
            self.at_once -= 1
        body = f"{path} in {threading.current_thread().name}".encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    def wait_entered(self, count: int) -> None:
        until(lambda: len(self.entered) >= count)


class Tokens(list[Any]):
    """The crew's token, laid down before each call that the leader runs itself."""

    laid = 0

    def append(self, call: Any) -> None:
        self.laid += 1
        super().append(call)


def counting(server: Server) -> Tokens:
    """Count from now on, while no call runs."""
    crew = crew_of(server)
    until(lambda: not crew.token)
    crew.token = Tokens()
    return crew.token


def playing(
    theatre: Theatre, observer: Callable[[Sequence[Exchange]], None] | None = None, **settings: Any
) -> AbstractContextManager[Server]:
    """A server that does not wait for clients to close, as some stay until the test is over."""
    return serving(theatre, observer, linger_timeout=0.01, **settings)


def crew_of(server: Server) -> Crew:
    assert server._engine is not None
    return server._engine.crew


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def crowd(server: Server, stack: ExitStack, *paths: str) -> list[Client]:
    """One client for each path, its request sent."""
    clients = [stack.enter_context(Client.to(server)) for _ in paths]
    for client, path in zip(clients, paths, strict=True):
        client.send(request(path))
    return clients


@pytest.mark.parametrize("count", [10, 16])
def test_sleeping_views_run_at_once(count: int, stack: ExitStack) -> None:
    """With the default settings, the very first requests of the server's life."""
    theatre = Theatre()
    with playing(theatre) as server:
        clients = crowd(server, stack, *[f"/gate/{number}" for number in range(count)])
        theatre.wait_entered(count)
        assert theatre.most_at_once == count
        theatre.open()
        for client in clients:
            assert client.answer().status == 200
        assert len(set(theatre.threads)) == count


def test_sleeping_views_of_one_path_run_at_once(stack: ExitStack) -> None:
    theatre = Theatre()
    with playing(theatre) as server:
        for _ in range(3):  # unknown at first, remembered as slow later
            theatre.gate("/gate").clear()
            theatre.entered.clear()
            clients = crowd(server, stack, *["/gate"] * 16)
            theatre.wait_entered(16)
            theatre.open()
            for client in clients:
                assert client.answer().status == 200
        assert theatre.most_at_once == 16


def test_a_full_queue_is_answered_at_once(stack: ExitStack) -> None:
    theatre = Theatre()
    seen: list[tuple[str, str | None]] = []

    def observe(exchanges: Sequence[Exchange]) -> None:
        seen.extend((each.outcome, each.error) for each in exchanges)

    with playing(theatre, observe, threads=2, limit_queue=3, retry_after=7) as server:
        clients = crowd(server, stack, "/gate/1", "/gate/2")
        theatre.wait_entered(2)
        for number in range(3):
            clients += crowd(server, stack, f"/then/{number}")
            until(lambda number=number: len(crew_of(server).waiting) == number + 1)  # type: ignore[misc]
        worker = server.board.read_worker(0)
        assert (worker.busy, worker.free, worker.waiting) == (2, 0, 3)
        assert [each.path for each in worker.held] == ["/then/0", "/then/1", "/then/2"]
        assert {each.state for each in worker.held} == {"waiting"}
        assert len(worker.requests) == 5
        (refused,) = crowd(server, stack, "/too-many")
        answer = refused.answer()
        assert answer.status == 503
        assert answer.header("retry-after") == "7"
        until(lambda: seen)
        assert seen == [("queue_full", "3 requests waited for a thread already")]
        theatre.open()
        for client in clients:
            assert client.answer().status == 200
        until(lambda: server.board.read_worker(0).busy == 0)
        assert server.board.read_worker(0).requests == ()
        until(lambda: server.board.read_worker(0).counters.outcome("queue_full") == 1)
        until(lambda: server.board.read_worker(0).counters.requests == 6)


def test_no_more_calls_than_seats_and_the_rest_in_order(stack: ExitStack) -> None:
    theatre = Theatre()
    with playing(theatre, threads=4, health_path="/health", unready_after=0) as server:
        blocked = crowd(server, stack, *[f"/gate/{number}" for number in range(4)])
        theatre.wait_entered(4)
        paths = [f"/then/{number}" for number in range(20)]
        waiting = []
        for number, path in enumerate(paths, 1):
            waiting += crowd(server, stack, path)
            until(lambda number=number: len(crew_of(server).waiting) == number)  # type: ignore[misc]
        with Client.to(server) as probe:  # the last thread leads
            assert probe.ask("/health/livez").status == 200
            assert probe.ask("/health/readyz").status == 503
        assert theatre.most_at_once == 4
        theatre.gate("/gate/2").set()
        for path, client in zip(paths, waiting, strict=True):
            assert client.answer().body.startswith(path.encode())
        assert theatre.entered[4:] == paths  # one seat, so strictly in order
        theatre.open()
        for client in blocked:
            assert client.answer().status == 200
        assert theatre.most_at_once == 4


@pytest.mark.parametrize("threads", [2, 3, 16])
def test_a_blocked_call_passes_the_lead_on(
    threads: int, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate opens only after others were answered, so they cannot have waited for it."""
    monkeypatch.setattr(module, "SLOW", 5.0)  # a stall of the machine makes no path slow
    monkeypatch.setattr(pace, "SLOW", 5.0)
    theatre = Theatre()
    with playing(theatre, threads=threads) as server:
        warm = crowd(server, stack, "/quick")[0]
        warm.answer()
        for turn in range(5):
            path = f"/gate/{turn}"  # never seen before, so it is run inline
            (blocked,) = crowd(server, stack, path)
            until(lambda path=path: path in theatre.entered)  # type: ignore[misc]
            for _ in range(20):
                assert warm.ask("/quick").status == 200
            assert blocked.is_silent()
            theatre.gate(path).set()
            assert blocked.answer().status == 200


def test_the_leader_gives_up_its_seat_when_fast_traffic_has_ended(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen under load as a stall until another call ends, or a 503 after queue_timeout."""
    monkeypatch.setattr(module, "SLOW", 5.0)
    monkeypatch.setattr(pace, "SLOW", 5.0)
    monkeypatch.setattr(module, "_RECENT", 0.2)
    theatre = Theatre()
    with playing(theatre, threads=2) as server:
        (blocked,) = crowd(server, stack, "/gate")
        until(lambda: "/gate" in theatre.entered)
        (client,) = crowd(server, stack, "/quick")  # by the second leader, inline
        assert client.answer().status == 200
        crew_of(server).pace.slow_paths["/slow"] = 9.0
        client.send(request("/slow"))
        client.sock.settimeout(3.0)
        try:
            assert client.answer().status == 200
        finally:
            theatre.open()
        assert blocked.answer().status == 200


def test_several_leaders_in_a_row_may_block(stack: ExitStack) -> None:
    theatre = Theatre()
    with playing(theatre, threads=8, health_path="/health") as server:
        clients: list[Client] = []
        for number in range(8):
            clients += crowd(server, stack, f"/gate/{number}")
            theatre.wait_entered(number + 1)
        with Client.to(server) as probe:
            assert probe.ask("/health/livez").status == 200
        for number, client in enumerate(clients):  # the first one comes back first
            theatre.gate(f"/gate/{number}").set()
            assert client.answer().body.startswith(f"/gate/{number} ".encode())
        with Client.to(server) as other:
            assert other.ask("/quick").status == 200


def test_quick_calls_stay_with_the_leader(stack: ExitStack) -> None:
    theatre = Theatre()
    with playing(theatre) as server, Client.to(server) as client:
        for _ in range(50):
            client.ask("/quick")
        names = theatre.threads
        assert len(set(names)) <= 2  # a machine that stalls may change it once
        assert len(crew_of(server).workers) <= 2


def test_slow_paths_are_handed_over(stack: ExitStack) -> None:
    """Once a path is known to be slow, its calls leave the leader free."""
    theatre = Theatre()
    with playing(theatre) as server, Client.to(server) as client:
        client.ask("/slow")
        until(lambda: "/slow" in crew_of(server).pace.slow_paths)  # after the answer was sent
        inline = counting(server)
        for _ in range(5):
            assert client.ask("/slow").status == 200
        assert inline.laid == 0
        assert client.ask("/quick").status == 200


def test_a_path_that_has_become_quick_is_trusted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    theatre = Theatre()
    with playing(theatre) as server, Client.to(server) as client:
        client.ask("/slow")
        until(lambda: "/slow" in crew_of(server).pace.slow_paths)
        monkeypatch.setattr(module, "SLOW", 5.0)  # from now on nothing is slow
        monkeypatch.setattr(pace, "SLOW", 5.0)
        for _ in range(40):
            client.ask("/slow")
        assert "/slow" not in crew_of(server).pace.slow_paths
        inline = counting(server)
        client.ask("/slow")
        assert inline.laid == 1


def test_what_is_remembered_of_paths_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_MOST_PATHS", 20)
    theatre = Theatre()
    with playing(theatre) as server, Client.to(server) as client:
        for number in range(60):
            client.ask(f"/slow/{number}")
            client.ask(f"/quick/{number}")
        assert len(crew_of(server).pace.slow_paths) <= 20
        assert len(crew_of(server).pace.fast_paths) <= 20


def test_where_slow_calls_are_many_unknown_paths_are_handed_over(stack: ExitStack) -> None:
    theatre = Theatre()
    with playing(theatre) as server, Client.to(server) as client:
        for number in range(20):
            client.ask(f"/slow/{number}")
        assert crew_of(server).pace.unsettled
        inline = counting(server)
        client.ask("/slow/unknown")
        assert inline.laid == 0


def test_one_thread_does_everything_in_order(stack: ExitStack) -> None:
    theatre = Theatre()
    with playing(theatre, threads=1) as server:
        (first,) = crowd(server, stack, "/gate")
        theatre.wait_entered(1)
        later = crowd(server, stack, *[f"/later/{number}" for number in range(10)])
        assert all(client.is_silent() for client in later)
        theatre.open()
        assert first.answer().status == 200
        for client in later:
            assert client.answer().status == 200
        for _ in range(5):
            later += crowd(server, stack, "/slow")
            assert later[-1].answer().status == 200
    assert theatre.most_at_once == 1
    assert set(theatre.threads) == {"stein-1"}


def test_one_thread_is_the_one_that_serves() -> None:
    """As programs want it that bind a resource to a thread, such as sqlite3."""
    from stein.server import Server, Settings

    theatre = Theatre()
    server = Server(theatre, Settings(threads=1), port=0)
    server.start()
    before = threading.active_count()
    talker = threading.Thread(target=talk, args=(server,))
    talker.start()
    server.serve()
    talker.join(BOUND)
    assert set(theatre.threads) == {threading.current_thread().name}
    assert len(theatre.threads) == 3
    assert threading.active_count() <= before


def talk(server: Server) -> None:
    with Client.to(server) as client:
        for _ in range(3):
            assert client.ask().status == 200
    server.request_stop()


def test_exchanges_tell_which_thread_ran_them(stack: ExitStack) -> None:
    theatre = Theatre()
    seen: list[Exchange] = []
    with playing(theatre, seen.extend, threads=3) as server:
        clients = crowd(server, stack, "/gate/1", "/gate/2")
        theatre.wait_entered(2)
        theatre.open()
        for client in clients:
            client.answer()
        until(lambda: len(seen) == 2)
    assert sorted(each.thread for each in seen) == sorted(theatre.threads)


def test_as_many_threads_as_seats_and_one() -> None:
    theatre = Theatre()
    with playing(theatre, threads=3) as server, ExitStack() as stack:
        clients = crowd(server, stack, *[f"/gate/{number}" for number in range(10)])
        theatre.wait_entered(3)
        until(lambda: len(crew_of(server).waiting) == 7)
        assert len(crew_of(server).workers) == 4
        theatre.open()
        for number in range(3, 10):
            theatre.gate(f"/gate/{number}").set()
        for client in clients:
            assert client.answer().status == 200
        assert len(crew_of(server).workers) == 4


def test_a_machine_without_a_further_thread_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "SLOW", 5.0)
    monkeypatch.setattr(pace, "SLOW", 5.0)
    theatre = Theatre()
    with playing(theatre, threads=8) as server, ExitStack() as stack:
        with Client.to(server) as client:
            client.ask("/quick")

            def refuse(_thread: threading.Thread) -> None:
                raise RuntimeError("can't start new thread")

            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", refuse)
                (blocked,) = crowd(server, stack, "/gate")
                theatre.wait_entered(2)
                until(lambda: "no further thread" in caplog.text)
                client.send(request("/quick"))
                theatre.open()  # nobody else is there to answer
                assert blocked.answer().status == 200
                assert client.answer().status == 200
            assert client.ask("/quick").status == 200
        caplog.clear()


def test_without_a_further_thread_the_leader_runs_slow_paths_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    theatre = Theatre()
    with playing(theatre, threads=8) as server, Client.to(server) as client:
        client.ask("/quick")
        crew_of(server).pace.slow_paths["/slow"] = 9.0

        def refuse(_thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        client.sock.settimeout(2.0)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            assert client.ask("/slow").status == 200
    assert "no further thread" in caplog.text


def test_the_monitor_sleeps_when_nothing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLOW", 5.0)  # a stall of the machine makes no path slow
    monkeypatch.setattr(pace, "SLOW", 5.0)
    theatre = Theatre()
    with playing(theatre) as server, Client.to(server) as client:
        client.ask()
        until(lambda: crew_of(server).monitor.sleeps)
        inline = counting(server)
        client.ask()
        assert inline.laid == 1
        with ExitStack() as stack:  # and it is there when it is needed
            blocked = crowd(server, stack, "/gate")[0]
            until(lambda: "/gate" in theatre.entered)
            assert client.ask("/quick").status == 200
            theatre.open()
            assert blocked.answer().status == 200


@pytest.mark.parametrize("threads", [1, 4])
def test_the_board_shows_a_long_call_with_all_that_identifies_it(
    threads: int, stack: ExitStack
) -> None:
    theatre = Theatre()
    with playing(theatre, threads=threads) as server:
        for number in range(3):  # first unknown, then known as slow
            theatre.gate("/gate").clear()
            theatre.entered.clear()
            (client,) = crowd(server, stack, "/gate")
            theatre.wait_entered(1)

            def busy() -> list[Any]:
                return [
                    (each.request.path, each.request.connection, each.request.number)
                    for each in server.board.read_worker(0).threads
                    if each.request is not None
                ]

            expected = [("/gate", number + 1, 1)]
            until(lambda expected=expected, busy=busy: busy() == expected)  # type: ignore[misc]
            assert server.board.read_worker(0).requests[0].peer == "127.0.0.1"
            theatre.open()
            assert client.answer().status == 200
            until(lambda busy=busy: busy() == [])  # type: ignore[misc]
