"""The harness itself: three roads, one outcome; and it would notice if there were another."""

from __future__ import annotations

import tempfile
import threading
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.client import Client
from stein.toolkit.request import Request
from stein.toolkit.response import Response
from tests.toolkit.roads import ROADS, House, Road, Send, outcome, roads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stein.typing import Environ, StartResponse


@Request.application
def echo(request: Request) -> Response:
    """Say what came, and set fields of several kinds."""
    text = "|".join([
        request.method, request.path, request.url,
        repr(sorted(request.args.items(multi=True))), repr(sorted(request.form.items(multi=True))),
        repr([(n, f.filename, f.mimetype, f.read()) for n, f in sorted(request.files.items())]),
        repr(request.get_data()), repr(request.cookies.to_dict()), request.headers.get("X-In", ""),
        str(request.content_type and request.mimetype), str(request.content_length),
    ])  # fmt: skip
    response = Response(text, status=int(request.args.get("status", "200")))
    response.headers.add("X-Several", "one")
    response.headers.add("X-Several", "two")
    response.headers["X-Latin"] = "gr\xfc\xdfe"
    response.set_cookie("seen", "yes")
    request.close()
    return response


REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/", {}),
    ("GET", "/a%2fb/%e2%98%83?x=1&x=%20&y", {}),
    ("GET", "/\N{SNOWMAN}/\xff?q=\xfc", {}),
    ("GET", "//two//slashes", {}),
    ("GET", "/?", {}),
    ("GET", "/", {"query_string": {"a": ["1", "2"], "b": "\N{SNOWMAN}"}}),
    ("GET", "/below", {"base_url": "http://sub.example.com:8000/"}),
    ("GET", "/?status=404", {}),
    ("GET", "/?status=204", {}),
    ("GET", "/?status=304", {}),
    ("HEAD", "/", {}),
    ("DELETE", "/", {"headers": {"X-In": "caf\xe9"}}),
    ("OPTIONS", "/", {"headers": [("X-In", "1"), ("X-In", "2"), ("Cookie", "dropped=1")]}),
    ("FROB", "/", {}),
    ("POST", "/", {"data": {"a": ["1", "\N{SNOWMAN}"], "b": ""}}),
    ("POST", "/", {"data": b"x" * 300_000, "content_type": "application/octet-stream"}),
    ("POST", "/", {"data": b""}),
    ("PUT", "/", {"json": {"a": [1, None]}}),
    ("PATCH", "/", {"data": {"f": (b"", "n"), "t": "x"}, "files": True}),
]


@pytest.mark.parametrize(("method", "path", "options"), REQUESTS)
def test_the_three_roads_give_the_same(
    house: House, method: str, path: str, options: dict[str, Any]
) -> None:
    outcomes = []
    for name in ROADS:
        made = dict(options)
        if made.pop("files", False):
            import io

            made["data"] = {
                "f": (io.BytesIO(b"\r\n--x\r\n\0" * 999), "n\xfc.txt", "text/x-y"), "t": "\xfc"
            }  # fmt: skip
        outcomes.append(outcome(Road(name, house).send(echo, method, path, **made)))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    body = outcomes[0][2]
    assert body or method == "HEAD" or "204" in path or "304" in path


class Piecewise:
    """A body that notes what becomes of it."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = iter(pieces)
        self.given = 0
        self.closed = 0
        self.was_closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        self.given += 1
        return piece

    def close(self) -> None:
        self.closed += 1
        self.was_closed.set()


def test_a_stream_comes_whole_and_is_closed(road: Road) -> None:
    body = Piecewise(b"one ", b"", b"two ", b"x" * 200_000)

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return body

    response = road.send(app, "GET")
    assert outcome(response) == (
        "200 OK", [("Content-Type", "text/plain")], b"one two " + b"x" * 200_000
    )  # fmt: skip
    assert body.was_closed.wait(10)  # the server closes it when the last bytes have gone
    assert body.closed == 1


@roads
def test_a_file_and_what_was_written_come_in_order(road: Road) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/written":
            start_response("200 OK", [])(b"written, ")
            return [b"returned"]
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the server closes it
        file.write(b"in a file")
        file.seek(3)
        start_response("200 OK", [])
        if wrapper := environ.get("wsgi.file_wrapper"):
            return wrapper(file)  # type: ignore[no-any-return]
        with file:
            return [file.read()]

    client = road.client(app)
    with client.get("/written") as response:
        assert response.data == b"written, returned"
    with client.get("/file") as response:
        assert response.data == b"a file"


def test_cookies_and_redirects_work_on_each_road(road: Road) -> None:
    @Request.application
    def app(request: Request) -> Response:
        if request.path == "/me":
            return Response(f"{request.method} {request.cookies['user']} {request.get_data()!r}")
        response = Response(status=request.path[1:], headers={"Location": "/me"})
        response.set_cookie("user", request.form["name"])
        return response

    client = road.client(app)
    with client.post("/302", data={"name": "ada"}, follow_redirects=True) as response:
        assert response.text == "GET ada b''"
        assert [each.status_code for each in response.history] == [302]
    with client.post("/307", data={"name": "bob"}, follow_redirects=True) as response:
        assert response.text == "POST bob b'name=bob'"


def test_what_the_application_raises_comes_out_on_each_road(send: Send) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        raise ZeroDivisionError("on purpose")

    with pytest.raises(ZeroDivisionError, match="on purpose"):
        send(app, "GET")


def test_options_of_the_client_are_taken(send: Send) -> None:
    class Own(Response):
        pass

    response = send(echo, "GET", response_wrapper=Own, use_cookies=False)
    assert isinstance(response, Own)
    response.close()


def test_what_the_server_refuses_it_refuses_on_both_of_its_roads(house: House) -> None:
    server, socket = [
        outcome(Road(name, house).send(echo, "GET", "/" + 9000 * "x")) for name in ROADS[1:]
    ]
    assert server == socket
    assert server[0].startswith("414 ")


def test_the_harness_notices_a_difference(house: House) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        # What only a server puts there; and whether it is in a thread of its own.
        seen = [name for name in ("REMOTE_ADDR", "SERVER_SOFTWARE") if name in environ]
        port = environ.get("REMOTE_PORT")
        start_response("200 OK", [("X-Seen", ",".join(seen)), ("X-Known", str(port == "40000"))])
        return []

    environ, server, socket = [outcome(Road(name, house).send(app, "GET")) for name in ROADS]
    assert environ != server
    assert environ != socket
    assert server != socket


def test_a_road_is_what_it_says(house: House) -> None:
    client = Road("environ").client(echo)
    assert type(client) is Client
    assert client.application is echo
    assert "ThroughBytes" in type(Road("server").client(echo).application).__name__
    assert repr(Road("socket", house).client(echo).application) == f"<LiveServer {house.url}>"
