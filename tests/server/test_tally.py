"""What is counted of each request, on whichever road it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stein.http.exchange import Exchange, RequestLine
from stein.server import Server, Settings
from stein.server import tally as module
from stein.server.board import Board
from stein.snapshot import OUTCOMES, Counters
from tests.server.client import Client, request, serving, until

if TYPE_CHECKING:
    from stein.server.places import WorkerPlace
    from stein.typing import Environ, StartResponse

pytestmark = pytest.mark.usefixtures("no_leaks")


def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
    path = environ["PATH_INFO"]
    if path == "/broken":
        raise RuntimeError("as wanted")
    start_response({"/moved": "302 Found"}.get(path, "200 OK"), [])
    return [b"body"]


def counted(server: Server, requests: int) -> Counters:
    until(lambda: server.board.read_worker(0).counters.requests >= requests)
    return server.board.read_worker(0).counters


@pytest.mark.parametrize("threads", [1, 2])
def test_every_request_is_counted_once(threads: int) -> None:
    with serving(app, threads=threads, health_path="/") as server:
        with Client.to(server) as client:
            for path in ["/"] * 40 + ["/moved"] * 3 + ["/livez"] * 2:
                client.ask(path)
            client.ask("/broken")
        with Client.to(server) as client:
            client.send(b"nonsense\r\n\r\n")
            assert client.answer().status == 400
        counters = counted(server, 47)
        assert counters.statuses == (0, 0, 42, 3, 1, 1)
        assert counters.outcome("ok") == 45
        assert counters.outcome("app_error") == 1
        assert counters.outcome("bad_request") == 1
        assert counters.requests == 47
        assert counters.accepted == 2
        assert counters.duration.count == counters.queue.count == 44  # reached the application
        assert 0 < counters.duration.sum < 40
        assert counters.queue.sum <= counters.duration.sum


def test_the_leaders_shorthand_counts_the_same() -> None:
    turns = [(1, 0.0001), (3, 0.0009), (4, 0.008), (1, 3.0), (1, 99.0)]
    short, long = module.Tally(), module.Tally()
    for count, span in turns:
        short.count_usual(count, span)
    for took in [span * number / count for count, span in turns for number in range(1, count + 1)]:
        exchange = Exchange(RequestLine("GET", "/", "/", "", "HTTP/1.1"), {})
        exchange.status, exchange.read = 200, 1.0
        exchange.entered, exchange.left = 1.0, 1.0 + took
        long.count(exchange)
    published = []
    for tally in (short, long):
        board = Board.create(workers=1, threads=1)
        place = board.worker(0)
        place.begin(1, seats=1)
        assert tally.publish(place)
        assert not tally.publish(place)
        published.append(board.read_worker(0).counters)
        del place
        board.close()
    assert published[0].statuses == published[1].statuses == (0, 0, 10, 0, 0, 0)
    assert published[0].outcomes == published[1].outcomes
    assert published[0].duration.counts == published[1].duration.counts
    assert published[0].duration.sum == pytest.approx(published[1].duration.sum)
    assert published[0].queue == published[1].queue


def test_the_last_numbers_are_on_the_board_when_the_server_has_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tallies = []
    publish = module.Tally.publish

    class Watched(module.Tally):
        __slots__ = ()

        def publish(self, place: WorkerPlace) -> bool:
            tallies.append(self)
            return publish(self, place)

    monkeypatch.setattr("stein.server.engine.Tally", Watched)
    with Server(app, Settings(threads=2), port=0) as server, Client.to(server) as client:
        client.send(request())
        client.answer()
    assert tallies
    assert tallies[-1]._seen[0] == 1


def test_every_outcome_has_its_number() -> None:
    assert list(module._OUTCOME) == list(OUTCOMES)


def test_nothing_new_is_not_written_again() -> None:
    with serving(app, threads=1) as server, Client.to(server) as client:
        client.ask()
        counted(server, 1)
        assert server._engine is not None
        until(lambda: server._engine.housekeeper.resting)  # type: ignore[union-attr]
        client.ask()
        assert counted(server, 2).requests == 2
