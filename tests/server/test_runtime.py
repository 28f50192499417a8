"""What the server asks of the runtime instead of the system."""

from __future__ import annotations

import select
import threading
from typing import TYPE_CHECKING, Any

import pytest

from stein.server import Server, Settings
from stein.server.pace import SLOW, Pace
from stein.server.poller import Poller, default_poller
from stein.server.runtime import THREADS, Runtime
from tests.server.client import BOUND, Client, request

if TYPE_CHECKING:
    from types import FrameType

    from stein.typing import Environ, StartResponse

pytestmark = pytest.mark.usefixtures("no_leaks")


class Theatre:
    """A view that says in which thread it ran, and one that waits."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go = threading.Event()

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        if environ["PATH_INFO"] == "/wait":
            self.entered.set()
            assert self.go.wait(BOUND)
        disconnected = environ["stein.disconnected"]()
        body = f"{threading.current_thread().name} {disconnected}".encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


def serving(runtime: Runtime, theatre: Theatre | None = None, **settings: Any) -> Server:
    return Server(theatre or Theatre(), Settings(**settings), port=0, runtime=runtime)


class Tokens(list[Any]):
    """The crew's token, laid down before each call that the leader runs itself."""

    laid = 0

    def append(self, call: Any) -> None:
        self.laid += 1
        super().append(call)


def test_a_cautious_leader_runs_only_what_it_knows_to_be_short() -> None:
    with serving(Runtime(cautious=True), threads=2) as server, Client.to(server) as client:
        assert server._engine is not None
        crew = server._engine.crew
        crew.token = tokens = Tokens()
        assert client.ask("/short").status == 200
        assert tokens.laid == 0
        assert client.ask("/short").status == 200
        assert tokens.laid == 1


def test_what_is_short_is_learnt_at_once_and_unlearnt_at_once() -> None:
    pace = Pace(cautious=True)
    pace.judge("/a", SLOW / 2)
    assert pace.fast_paths == {"/a": None}
    pace.judge("/a", SLOW * 2)
    assert pace.fast_paths == {}
    assert pace.unsettled
    careless = Pace()
    careless.judge("/a", SLOW / 2)
    assert careless.fast_paths == {}
    assert not careless.unsettled


def test_the_leader_waits_in_the_poller_of_the_runtime() -> None:
    made: list[Poller] = []

    def make() -> Poller:
        made.append(default_poller())
        return made[0]

    with serving(Runtime(make_poller=make)) as server, Client.to(server) as client:
        assert client.ask().status == 200
        assert server._engine is not None
        assert made == [server._engine.poller]


@pytest.mark.skipif(not hasattr(select, "POLLRDHUP"), reason="Linux")
def test_whether_a_client_is_there_is_looked_up_by_the_runtime() -> None:
    looks: list[object] = []

    def glance() -> Any:
        looks.append(None)
        return select.poll()

    with serving(Runtime(glance=glance)) as server, Client.to(server) as client:
        assert client.ask().body.endswith(b" False")
        assert looks


def test_without_a_way_to_glance_the_socket_is_asked() -> None:
    with serving(Runtime(glance=None)) as server, Client.to(server) as client:
        assert client.ask().body.endswith(b" False")


def test_stacks_are_looked_up_by_the_runtime() -> None:
    asked: list[int] = []

    def frame_of(ident: int) -> FrameType | None:
        asked.append(ident)
        return THREADS.frame_of(ident)

    theatre = Theatre()
    runtime = Runtime(frame_of=frame_of, besides=lambda: [("a loose end", 0)])
    with serving(runtime, theatre, threads=2) as server, Client.to(server) as client:
        client.send(request("/wait"))
        assert theatre.entered.wait(BOUND)
        text = server.stacks()
        theatre.go.set()
        assert client.answer().status == 200
    assert "a loose end:\n  (the thread has ended)" in text
    assert "GET '/wait'" in text
    assert "in __call__" in text
    assert len(set(asked)) > 2
