"""What each request has of its own, and what it learns about its client, on every road."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.locals import Local, LocalManager, LocalStack
from stein.toolkit.request import Request
from stein.toolkit.response import Response
from tests.toolkit.roads import ROADS, Road, roads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.toolkit.roads import House

PATIENCE = 10.0  # seconds until a test fails that waits for something

local = Local()
stack: LocalStack[str] = LocalStack()
variable: ContextVar[str] = ContextVar("variable")
manager = LocalManager([local, stack])


def names() -> list[str]:
    """What this request sees of the ones before it."""
    seen = [name for name, _ in local]
    if stack.top is not None:
        seen.append(stack.top)
    return seen


def test_the_next_request_sees_nothing_of_the_one_before(road: Road) -> None:
    @manager.middleware
    @Request.application
    def app(request: Request) -> Response:
        seen = names()
        local.name = request.path
        stack.push(request.path)
        return Response(f"{seen} {local.name} {stack.top}")

    client = road.client(app)
    for path in ("/one", "/two", "/three"):
        assert client.get(path, buffered=True).text == f"[] {path} {path}"
    assert names() == []


@pytest.mark.parametrize("road", ROADS[1:], indirect=True)
def test_the_server_gives_each_request_its_own_context(road: Road) -> None:
    @Request.application
    def app(request: Request) -> Response:
        seen = [variable.get("nothing"), names()]
        variable.set(request.path)
        local.name = request.path
        return Response(repr(seen))

    client = road.client(app)
    for _ in range(6):  # more than there are threads
        assert client.get("/x").text == "['nothing', []]"


def test_two_requests_at_once_do_not_see_each_other(road: Road) -> None:
    both = threading.Barrier(2, timeout=PATIENCE)
    proxy = local("name")

    @manager.middleware
    @Request.application
    def app(request: Request) -> Response:
        local.name = request.path
        stack.push(request.path)
        variable.set(request.path)
        both.wait()  # now each has set its own
        seen = [local.name, str(proxy), stack.top, variable.get()]
        both.wait()
        return Response(repr(seen))

    client = road.client(app, use_cookies=False)

    def ask(path: str) -> str:
        return client.get(path, buffered=True).text

    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            one, two = pool.map(ask, ["/one", "/two"])
            assert one == repr(["/one"] * 4)
            assert two == repr(["/two"] * 4)


def test_a_stream_sees_what_its_request_has_set_up_to_its_end(road: Road) -> None:
    ended = threading.Event()

    @manager.middleware
    @Request.application
    def app(request: Request) -> Response:
        local.name = request.path

        def pieces() -> Iterator[str]:
            for _ in range(3):
                yield f"{local.name},".ljust(70_000)

        response = Response(pieces())
        response.call_on_close(ended.set)
        return response

    with road.client(app).get("/mine") as response:
        assert response.text.split() == ["/mine,"] * 3
    assert ended.wait(PATIENCE)
    assert names() == []


def test_a_proxy_to_nothing(road: Road) -> None:
    proxy = local("missing", unbound_message="nothing here")

    @Request.application
    def app(request: Request) -> Response:
        with pytest.raises(RuntimeError, match="nothing here"):
            str(proxy)
        return Response("fine")

    assert road.send(app, "GET").text == "fine"


# -- the client goes away -------------------------------------------------------------------------


@roads
def test_the_client_that_waits_is_not_disconnected(road: Road) -> None:
    @Request.application
    def app(request: Request) -> Response:
        before = request.is_disconnected
        request.get_data()
        return Response(repr([before, request.is_disconnected]))

    client = road.client(app)
    assert client.get("/").text == "[False, False]"
    assert client.post("/", data=b"x" * 300_000).text == "[False, False]"


def test_the_client_that_has_gone_while_the_view_works(house: House) -> None:
    begun, noticed = threading.Event(), threading.Event()
    told: list[bool] = []
    pause = threading.Event()

    @Request.application
    def app(request: Request) -> Response:
        told.append(request.is_disconnected)
        begun.set()
        for _ in range(int(PATIENCE / 0.005)):
            if request.is_disconnected:
                noticed.set()
                break
            pause.wait(0.005)  # the view's work, during which it asks now and then
        return Response("nobody reads this")

    Road("socket", house).client(app)
    host, _, port = house.url.rpartition("//")[2].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert begun.wait(PATIENCE)
        assert not noticed.is_set()
    assert noticed.wait(PATIENCE)
    assert told == [False]


def test_it_is_false_where_nobody_can_tell() -> None:
    seen: list[Any] = []

    @Request.application
    def app(request: Request) -> Response:
        seen.append(("stein.disconnected" in request.environ, request.is_disconnected))
        return Response()

    Road("environ").send(app, "GET")
    assert seen == [(False, False)]
