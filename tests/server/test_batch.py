"""Answers that are kept for a moment: sent in order, once each, never behind a blocked call.

A turn of several events is forced: the leader waits in a posted action until all are there.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from contextlib import ExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.exchange import RequestLine
from stein.server import batch as module
from stein.server.batch import Batch, Trust
from stein.server.board import Board
from tests.server.client import BOUND, Client, request, serving, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stein.http.exchange import Exchange
    from stein.server import Server
    from stein.server.crew import Crew
    from stein.typing import Environ, StartResponse

pytestmark = pytest.mark.usefixtures("no_leaks")


# -- trust ----------------------------------------------------------------------------------------


def test_trust_comes_slowly_and_goes_at_once() -> None:
    trust = Trust()
    calls = 0
    while not trust.holds("/"):
        trust.learn("/", 0.00001)
        calls += 1
    assert calls > 1
    trust.learn("/", module.BRIEF)
    assert trust.holds("/")
    trust.learn("/", module.BRIEF * 1.01)
    again = 0
    while not trust.holds("/"):
        trust.learn("/", 0.00001)
        again += 1
    assert again > calls
    assert not trust.holds("/other")
    for _ in range(1000):
        trust.learn("/trifle", 0.0)
    assert not trust.holds("/trifle")


@pytest.mark.parametrize("took", [0.00001, module.BRIEF * 2])
def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, took: float) -> None:
    monkeypatch.setattr(module, "_MOST_PATHS", 10)
    trust = Trust()
    for number in range(100):
        trust.learn(f"/{number}", took)
        assert len(trust.wanting) <= 10


# -- the batch alone ------------------------------------------------------------------------------


class FakeCall:
    """A call that ended at some time, with an answer to keep or without."""

    def __init__(self, left: float, kept: bytes | None, done: list[FakeCall]) -> None:
        self.exchange = SimpleNamespace(left=left, entered=left, line=("", "", "/"))
        self.kept = kept
        self.connection: Any = self
        self.engine = SimpleNamespace(observer=None)
        self._done = done

    def send_kept(self) -> None:
        assert self.kept is not None
        self.kept = None

    def after_call(self, call: FakeCall, _leading: bool, _usual: bool, _sent: object) -> None:  # noqa: FBT001
        self._done.append(call)


def test_a_failure_with_one_answer_is_not_that_of_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    batch = Batch(deque())
    done: list[FakeCall] = []
    calls: list[Any] = [FakeCall(0.0, b"x", done) for _ in range(3)]
    posted: list[object] = []
    calls[1].after_call = None  # cannot be called
    calls[1].close = lambda: None
    calls[1].engine.post = posted.append
    for call in calls:
        batch.keep(call)
    batch.send(leading=True)
    assert done == [calls[0], calls[2]]
    assert posted == [calls[1].close]
    assert "internal error after a call" in caplog.text


@given(st.lists(st.tuples(st.floats(0, module.LONGEST), st.booleans()), max_size=100))
def test_each_answer_is_sent_once_in_order_and_soon(
    calls: list[tuple[float, bool]],
) -> None:
    batch = Batch(deque())
    batch.open = True
    kept: list[FakeCall] = []
    done: list[FakeCall] = []
    now = 0.0
    for passed, keeps in calls:
        now += passed
        call: Any = FakeCall(now, b"x" if keeps else None, done)
        if keeps:
            batch.keep(call)
            kept.append(call)
        assert len(batch.calls) < module.MOST
        waiting = [each for each, _ in batch.calls]
        if keeps:
            assert all(now - each.exchange.left < module.LONGEST for each in waiting)
        assert [*done, *waiting] == kept
    batch.send(leading=True)
    assert done == kept
    assert not batch.calls


def test_what_is_kept_stands_on_the_board_until_it_is_sent() -> None:
    board = Board.create(workers=1, threads=1)
    place = board.worker(0)
    place.begin(1, seats=1)
    place.note_peer(7, "192.0.2.1")
    places = deque([place.extra("sending")])  # noqa: S610 - no SQL
    batch = Batch(places)
    thread = place.thread("a")
    done: list[FakeCall] = []
    for number in (1, 2):  # the second finds no place, and is kept all the same
        call: Any = FakeCall(5.0, b"x", done)
        call.exchange.line = RequestLine("GET", "/a?b", "/a", "b", "HTTP/1.1", None)
        call.exchange.connection = SimpleNamespace(id=7)
        call.exchange.number = number
        call.worker = SimpleNamespace(place=thread)
        thread.enter(call.exchange, 1.0)
        batch.keep(call)
        # It does not stand there twice.
        assert thread.since[0] == (0.0 if number == 1 else 1.0)
    thread.leave()
    (held,) = board.read_worker(0).requests
    assert (held.target, held.connection, held.number, held.peer) == ("/a?b", 7, 1, "192.0.2.1")
    assert held.state == "sending"
    batch.send(leading=True)
    assert not board.read_worker(0).requests
    assert len(done) == 2
    place.leave()
    board.close()


# -- in the crew ----------------------------------------------------------------------------------


class Stage:
    """/quick answers at once, /gate when the test says so; /either is what the test makes it."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.gate = threading.Event()
        self.blocks = False

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        path: str = environ["PATH_INFO"]
        self.entered.append(path)
        if path == "/gate" or (path == "/either" and self.blocks):
            assert self.gate.wait(BOUND)
        if path == "/broken":
            raise RuntimeError("the view is broken")
        body = path.encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


def crew_of(server: Server) -> Crew:
    assert server._engine is not None
    return server._engine.crew


def trust(server: Server, *paths: str) -> None:
    """Have the paths known as brief; what the tests' own machine makes slow stays so."""
    crew = crew_of(server)
    for path in paths:
        while not crew.trust.holds(path):
            crew.trust.learn(path, 0.00001)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stall of the machine neither makes a path slow nor sends what is kept."""
    monkeypatch.setattr(module, "BRIEF", 5.0)
    monkeypatch.setattr("stein.server.crew.BRIEF", 5.0)
    monkeypatch.setattr(module, "LONGEST", 5.0)
    monkeypatch.setattr("stein.server.crew.SLOW", 5.0)
    monkeypatch.setattr("stein.server.pace.SLOW", 5.0)


def nothing_is_brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a call takes from now on is longer."""
    monkeypatch.setattr(module, "BRIEF", -1.0)
    monkeypatch.setattr("stein.server.crew.BRIEF", -1.0)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def connected(server: Server, stack: ExitStack, count: int) -> list[Client]:
    clients = [stack.enter_context(Client.to(server)) for _ in range(count)]
    for client in clients:
        assert client.ask("/quick").status == 200
    return clients


@contextlib.contextmanager
def one_turn(server: Server) -> Iterator[None]:
    """All that is sent inside comes to the leader in one turn."""
    assert server._engine is not None
    held, go = threading.Event(), threading.Event()

    def wait() -> None:
        held.set()
        assert go.wait(BOUND)

    server._engine.post(wait)
    assert held.wait(BOUND)
    try:
        yield
    finally:
        go.set()


class Sendings(list[int]):
    """How many answers were kept when they were sent, each time."""


@pytest.fixture
def sendings(monkeypatch: pytest.MonkeyPatch) -> Sendings:
    found = Sendings()
    send = Batch.send

    def counted(self: Batch, *, leading: bool) -> None:
        found.append(len(self.calls))
        send(self, leading=leading)

    monkeypatch.setattr(Batch, "send", counted)
    return found


@pytest.mark.parametrize("threads", [1, 4])
def test_a_turn_of_several_requests_sends_its_answers_together(
    threads: int, stack: ExitStack, sendings: Sendings
) -> None:
    seen: list[Exchange] = []
    with serving(Stage(), seen.extend, threads=threads, linger_timeout=0.01) as server:
        clients = connected(server, stack, 5)
        trust(server, "/quick")
        sendings.clear()
        with one_turn(server):
            for client in clients:
                client.send(request("/quick"))
        for client in clients:
            assert client.answer().body == b"/quick"
        assert sendings == [5]
        until(lambda: len(seen) == 10)
        assert all(each.sent >= each.left for each in seen)
        # And the connections go on.
        assert [client.ask("/quick").status for client in clients] == [200] * 5


@pytest.mark.parametrize("threads", [1, 4])
def test_no_more_are_kept_than_may_be(
    threads: int, stack: ExitStack, sendings: Sendings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    with serving(Stage(), threads=threads, linger_timeout=0.01) as server:
        clients = connected(server, stack, 5)
        trust(server, "/quick")
        sendings.clear()
        with one_turn(server):
            for client in clients:
                client.send(request("/quick"))
        for client in clients:
            assert client.answer().status == 200
        assert sendings == [2, 2, 1]


@pytest.mark.parametrize("threads", [1, 4])
def test_a_call_that_nobody_knows_finds_nothing_kept(threads: int, stack: ExitStack) -> None:
    stage = Stage()
    with serving(stage, threads=threads, linger_timeout=0.01) as server:
        *clients, blocked = connected(server, stack, 3)
        trust(server, "/quick")
        with one_turn(server):
            for client in clients:
                client.send(request("/quick"))
            blocked.send(request("/gate"))
        for client in clients:  # while the leader is in the gate
            assert client.answer().body == b"/quick"
        assert not stage.gate.is_set()
        stage.gate.set()
        assert blocked.answer().body == b"/gate"


def test_the_monitor_sends_what_a_leader_has_kept_who_blocks(stack: ExitStack) -> None:
    stage = Stage()
    seen: list[Exchange] = []
    with serving(stage, seen.extend, threads=4, linger_timeout=0.01) as server:
        *clients, blocked = connected(server, stack, 3)
        trust(server, "/quick", "/either")
        stage.blocks = True
        with one_turn(server):
            for client in clients:
                client.send(request("/quick"))
            blocked.send(request("/either"))
        for client in clients:
            assert client.answer().body == b"/quick"
        for client in clients:  # and its connections have a leader again
            assert client.ask("/quick").body == b"/quick"
        assert not stage.gate.is_set()
        stage.gate.set()
        assert blocked.answer().body == b"/either"
        assert blocked.ask("/quick").status == 200
        until(lambda: len(seen) == 3 + 3 + 2 + 1)
        tally = crew_of(server)._engine.tally
        until(lambda: tally._count == 9)


@pytest.mark.parametrize("threads", [1, 4])
def test_a_path_that_has_blocked_is_not_trusted_any_more(
    threads: int, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage()
    with serving(stage, threads=threads, linger_timeout=0.01) as server:
        other, blocked = connected(server, stack, 2)
        trust(server, "/quick", "/either")
        nothing_is_brief(monkeypatch)
        stage.blocks = True
        with one_turn(server):
            other.send(request("/quick"))
            blocked.send(request("/either"))
        until(lambda: "/either" in stage.entered)
        stage.gate.set()
        assert blocked.answer().body == b"/either"
        assert other.answer().body == b"/quick"
        until(lambda: not crew_of(server).trust.holds("/either"))


def test_a_path_that_has_blocked_alone_is_not_trusted_either(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage()
    with serving(stage, threads=1, linger_timeout=0.01) as server:
        (client,) = connected(server, stack, 1)
        trust(server, "/gate")
        nothing_is_brief(monkeypatch)
        client.send(request("/gate"))
        until(lambda: "/gate" in stage.entered)
        stage.gate.set()
        assert client.answer().status == 200
        until(lambda: not crew_of(server).trust.holds("/gate"))


def test_a_thread_that_takes_the_lead_sends_what_the_last_leader_has_kept(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The monitor is not the only one who takes the lead from a call that blocks."""
    stage = Stage()
    back = threading.Event()

    def views(environ: Environ, start_response: StartResponse) -> list[bytes]:
        if environ["PATH_INFO"] == "/long":
            stage.entered.append("/long")
            assert back.wait(BOUND)
        return stage(environ, start_response)

    with serving(views, threads=4, linger_timeout=0.01) as server:
        first, blocked, other, *clients = connected(server, stack, 6)
        trust(server, "/quick", "/either")
        first.send(request("/long"))
        until(lambda: "/long" in stage.entered)
        assert other.ask("/quick").status == 200  # somebody else leads by now
        monkeypatch.setattr(crew_of(server), "take_over", lambda: None)  # a monitor that is late
        stage.blocks = True
        with one_turn(server):
            for client in clients:
                client.send(request("/quick"))
            blocked.send(request("/either"))
        until(lambda: "/either" in stage.entered)
        back.set()  # and finds the token of whoever is in /either
        assert first.answer().body == b"/long"
        for client in clients:
            assert client.answer().body == b"/quick"
        assert not stage.gate.is_set()
        stage.gate.set()
        assert blocked.answer().body == b"/either"


@pytest.mark.parametrize("threads", [1, 4])
def test_whoever_has_gone_meanwhile_spoils_it_for_nobody(threads: int, stack: ExitStack) -> None:
    with serving(Stage(), threads=threads, linger_timeout=0.01) as server:
        gone, *clients = connected(server, stack, 4)
        trust(server, "/quick")
        with one_turn(server):
            gone.send(request("/quick"))
            gone.sock.close()
            for client in clients:
                client.send(request("/quick"))
        for client in clients:
            assert client.answer().body == b"/quick"


@pytest.mark.parametrize("threads", [1, 4])
def test_failures_and_last_answers_are_kept_like_the_others(
    threads: int, stack: ExitStack, sendings: Sendings
) -> None:
    with serving(Stage(), threads=threads, linger_timeout=0.01) as server:
        first, broken, last = connected(server, stack, 3)
        trust(server, "/quick", "/broken")
        sendings.clear()
        with one_turn(server):
            first.send(request("/quick"))
            broken.send(request("/broken"))
            last.send(request("/quick", "Connection: close"))
        assert first.answer().body == b"/quick"
        assert broken.answer().status == 500
        assert broken.is_closed()
        assert last.answer().body == b"/quick"
        assert last.is_closed()
        assert sendings == [3]


@pytest.mark.parametrize("threads", [1, 4])
def test_pipelined_requests_are_answered_in_order(threads: int, stack: ExitStack) -> None:
    stage = Stage()
    with serving(stage, threads=threads, linger_timeout=0.01) as server:
        other, piped = connected(server, stack, 2)
        trust(server, "/quick", "/1", "/2", "/3")
        with one_turn(server):
            other.send(request("/quick"))
            piped.send(request("/1") + request("/2") + request("/3"))
        assert [piped.answer().body for _ in range(3)] == [b"/1", b"/2", b"/3"]
        assert other.answer().body == b"/quick"


def test_a_single_request_is_answered_at_once(stack: ExitStack, sendings: Sendings) -> None:
    with serving(Stage(), threads=1, linger_timeout=0.01) as server:
        (client,) = connected(server, stack, 1)
        trust(server, "/quick")
        sendings.clear()
        assert client.ask("/quick").status == 200
        assert sendings == []
