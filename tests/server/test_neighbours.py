"""Two servers on one listening socket and one board, as two workers are."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import pytest

from stein.server import Server, Settings
from stein.server import neighbours as module
from stein.server.board import Board
from tests.server.client import BOUND, Client, request, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stein.typing import Environ, StartResponse

pytestmark = pytest.mark.usefixtures("no_leaks")


class Workers:
    """Some servers that share what workers share."""

    def __init__(self, count: int, **settings: object) -> None:
        self.go = threading.Event()
        self.board = Board.for_settings(Settings(**settings), count)  # type: ignore[arg-type]
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        self.servers = [
            Server(
                self._app,
                Settings(graceful_timeout=5, linger_timeout=0.01, **settings),  # type: ignore[arg-type]
                listeners=[listener.dup()],
                board=self.board,
                place=number,
            )
            for number in range(count)
        ]
        listener.close()

    def _app(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        if environ["PATH_INFO"] == "/gate":
            assert self.go.wait(BOUND)
        start_response("200 OK", [])
        return [b"hello"]

    @property
    def connections(self) -> list[int]:
        return [each.connections for each in self.board.read().workers]

    @property
    def busy(self) -> list[int]:
        return [each.busy for each in self.board.read().workers]

    def __enter__(self) -> Self:
        for server in self.servers:
            server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()
        for server in self.servers:
            server.stop()
        self.board.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the others go first for longer: here they need the same interpreter lock."""
    monkeypatch.setattr(module, "_WITH_SEAT", 0.1)
    monkeypatch.setattr(module, "_WITHOUT_SEAT", 0.2)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.mark.usefixtures("patient")
def test_connections_are_spread_evenly(stack: ExitStack) -> None:
    with Workers(3, threads=2) as workers:
        clients = [stack.enter_context(Client.to(workers.servers[0])) for _ in range(60)]
        for client in clients:
            assert client.ask().body == b"hello"
        assert sum(workers.connections) == 60
        assert max(workers.connections) - min(workers.connections) <= 8


@pytest.mark.usefixtures("patient")
def test_a_worker_without_a_free_seat_leaves_connections_to_one_that_has_some(
    stack: ExitStack,
) -> None:
    with Workers(2, threads=2) as workers:
        blocked = [stack.enter_context(Client.to(workers.servers[0])) for _ in range(4)]
        for client in blocked:  # no connection more than there are seats in all
            client.send(request("/gate"))
        until(lambda: sum(workers.busy) == 4)
        assert workers.busy == [2, 2]
        assert [each.waiting for each in workers.board.read().workers] == [0, 0]


@pytest.mark.usefixtures("patient")
def test_with_no_free_seat_anywhere_a_health_check_is_answered(stack: ExitStack) -> None:
    with Workers(2, threads=2, health_path="/", unready_after=0) as workers:
        server = workers.servers[0]
        for _ in range(4):
            stack.enter_context(Client.to(server)).send(request("/gate"))
        until(lambda: workers.busy == [2, 2])
        probe = stack.enter_context(Client.to(server))
        assert probe.ask("/livez").status == 200
        assert probe.ask("/readyz").status == 200  # nobody waits yet
        for _ in range(8):
            stack.enter_context(Client.to(server)).send(request("/gate"))
        until(lambda: all(each.saturated for each in workers.board.read().workers))
        assert probe.ask("/readyz").status == 503
        assert probe.ask("/livez").status == 200
        workers.go.set()
        until(lambda: probe.ask("/readyz").status == 200)


def test_it_is_ready_while_another_worker_is(stack: ExitStack) -> None:
    with Workers(2, threads=2, health_path="/") as workers:
        probes = [stack.enter_context(Client.to(workers.servers[0])) for _ in range(8)]
        for probe in probes:
            assert probe.ask("/readyz").status == 200
        until(lambda: min(workers.connections) > 0)
        workers.servers[0].request_stop(5.0, 5.0)
        until(lambda: workers.board.read().workers[0].state == "draining")
        for probe in probes:
            assert probe.ask("/readyz").status == 200
        engine = workers.servers[0]._engine
        assert engine is not None
        assert engine.crew.ended.wait(BOUND)
        workers.servers[1].request_stop(5.0, 5.0)
        survivors = [each for each in probes if each.is_silent()]
        assert survivors
        until(lambda: workers.board.read().workers[1].state == "draining")
        assert survivors[0].ask("/readyz").status == 503


def test_a_stuck_neighbour_keeps_nobody_from_being_served(stack: ExitStack) -> None:
    with Workers(2, threads=2) as workers:
        place = workers.board.worker(0)
        workers.servers[0].stop()
        place.state = "ready"  # as one that was stopped by the debugger: idle, and deaf
        for _ in range(10):
            assert stack.enter_context(Client.to(workers.servers[1])).ask().body == b"hello"


def test_the_board_says_what_became_of_each_worker() -> None:
    with Workers(2, threads=1) as workers:
        assert [each.state for each in workers.board.read().workers] == ["ready", "ready"]
        threads = [threading.Thread(target=each.serve) for each in workers.servers]
        for thread in threads:
            thread.start()
        for server in workers.servers:
            server.stop()
        for thread in threads:
            thread.join()
        assert [each.state for each in workers.board.read().workers] == ["gone", "gone"]
