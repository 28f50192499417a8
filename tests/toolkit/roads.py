"""Three roads from a client to an application, on which everything must come out the same.

"environ"
    The client calls the application with a plain environ of PEP 3333, as any server may.
"server"
    The request becomes bytes, which go through the server's own reader, exchange, call and writer,
    in this thread and without a socket; the answer's bytes are read by the standard library.
"socket"
    A server in threads of its own, on a loopback socket.

A test takes the fixture `send`, or `road` for more than one request, and runs once on each::

    def test_something(send):
        response = send(app, "GET", "/", headers={"X": "y"})

What the application raises comes out of `send` on every road.
"""

from __future__ import annotations

import io
from functools import cache
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, cast

import pytest

from stein.clock import monotonic, wall
from stein.errors import Disconnected, RequestError
from stein.http.h1.reader import RequestReader
from stein.http.h1.writer import Tail
from stein.http.status import status_text
from stein.server import Server, Settings
from stein.server.board import Board
from stein.server.body import BodyCollector
from stein.server.call import Call
from stein.server.engine import base_environ
from stein.toolkit.client.client import Client
from stein.toolkit.client.live import LiveServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from http.client import HTTPConnection

    from stein.http.exchange import Exchange
    from stein.server.places import ThreadPlace
    from stein.toolkit.client.response import TestResponse
    from stein.typing import Environ, StartResponse, WSGIApplication

ROADS: Final = ("environ", "server", "socket")
"""Their names, which are the ids of the tests."""

roads = pytest.mark.parametrize("road", ROADS, indirect=True)
"""For a test that names its roads itself; without it the fixture `road` takes all."""

OF_THE_SERVER: Final = frozenset({"connection", "date", "server"})
"""Fields that a server may add to what the application says."""

_OF_THE_CLIENT: Final = ("response_wrapper", "use_cookies", "allow_subdomain_redirects")


class Send(Protocol):
    """What the fixture `send` is."""

    def __call__(
        self, app: WSGIApplication, method: str, path: str = "/", /, **options: Any
    ) -> TestResponse:
        """Send one request; the options are those of `Client` and of `Client.open`."""


class Watched:
    """An application whose failure is kept for the test, as a server turns it into an answer."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._error: BaseException | None = None

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return self._app(environ, start_response)
        except BaseException as error:
            self._error = error
            raise

    def take_error(self) -> BaseException | None:
        """Give the failure since this was asked last."""
        error, self._error = self._error, None
        return error


class WatchingClient(Client):
    """A client that raises what the application behind the server has raised."""

    watched: Watched

    def run_wsgi_app(self, environ: Environ, buffered: bool = False) -> Any:  # noqa: FBT001, FBT002 - as inherited
        self.watched.take_error()
        answer = super().run_wsgi_app(environ, buffered)
        error = self.watched.take_error()
        if error is not None:
            getattr(answer[0], "close", list)()
            raise error
        return answer


class Road:
    """One of the three.

    :param name: of `ROADS`.
    :param house: the server on the socket, which only that road needs.
    """

    def __init__(self, name: str, house: House | None = None) -> None:
        self.name = name
        self._house = house if name == "socket" else None

    def client(self, app: WSGIApplication, **options: Any) -> Client:
        """Make a client that reaches the application on this road.

        On the socket only the one that was made last does.
        """
        if self.name == "environ":
            return Client(app, **options)
        watched = Watched(app)
        if self._house is None:
            client = WatchingClient(ThroughBytes(watched), **options)
        else:
            self._house.application = watched
            client = WatchingClient(LiveServer(self._house.url, timeout=20.0), **options)
        client.watched = watched
        return client

    def send(
        self, app: WSGIApplication, method: str, path: str = "/", /, **options: Any
    ) -> TestResponse:
        """Send one request on this road."""
        own = {name: options.pop(name) for name in _OF_THE_CLIENT if name in options}
        return self.client(app, **own).open(path, method=method, **options)


class House:
    """A server on a loopback socket, in which the application can be changed."""

    def __init__(self) -> None:
        self.application: WSGIApplication | None = None
        self._server = Server(self, Settings(threads=4, graceful_timeout=1.0), port=0)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        assert self.application is not None
        return self.application(environ, start_response)

    def __enter__(self) -> str:
        self._server.__enter__()
        return self.url

    def __exit__(self, *_: object) -> None:
        self._server.stop(0.0)

    @property
    def url(self) -> str:
        return self._server.url


def outcome(response: TestResponse) -> tuple[str, list[tuple[str, str]], bytes]:
    """Give what must be equal on all roads: status, fields, body; the response is closed."""
    with response:
        body = response.get_data()
    fields = [
        (name, value) for name, value in response.headers if name.lower() not in OF_THE_SERVER
    ]
    return response.status, fields, body


# -- the road "server": no socket -----------------------------------------------------------------


class ThroughBytes(LiveServer):
    """The server's reader, call and writer, as an application that calls another one."""

    def __init__(self, app: WSGIApplication) -> None:
        super().__init__("http://127.0.0.1:80")
        self._app = app

    def connection(self) -> HTTPConnection:
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1:80")
        sock = Sock(self._app)
        connection.connect = lambda: setattr(connection, "sock", sock)  # type: ignore[method-assign]
        return connection


class Sock:
    """The client's end of a `Link`, as far as the standard library's client looks at it."""

    def __init__(self, app: WSGIApplication) -> None:
        self._link = Link(app)

    def sendall(self, data: bytes) -> None:
        self._link.request += data

    def makefile(self, _mode: str) -> IO[bytes]:
        return io.BufferedReader(self._link)

    def close(self) -> None:
        """Nothing yet: what was made by `makefile` closes the link, as with any socket."""


@cache
def _place() -> ThreadPlace:
    """Where a thread notes what it does; nobody reads it here."""
    return Board.create(workers=1, threads=1).worker(0).thread("test")


class Link(io.RawIOBase):
    """A `Connection` as a call sees it; whoever reads from it reads the answer.

    It is a client that reads slowly: when a piece of the answer waits to be read, the call is
    suspended, and goes on when that was read.
    """

    id = 1
    must_close = False
    unsent_any = False

    def __init__(self, app: WSGIApplication) -> None:
        self.request = bytearray()
        self._answer = bytearray()
        self._begun = False
        self._call: Call | None = None
        self.gone = False
        settings = Settings(response_buffer=1)
        self._settings = settings
        self.engine = SimpleNamespace(application=app, settings=settings, tail=Tail("stein", wall))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._begun:
            self._begun = True
            self._begin()
        while not self._answer and self._call is not None and self._call.suspended:
            self._call.resume()
        piece = self._answer[: len(buffer)]
        del self._answer[: len(piece)]
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Let the call notice that nobody reads any more."""
        self.gone = True
        while self._call is not None and self._call.suspended:
            self._call.resume()
        super().close()

    def _begin(self) -> None:
        try:
            exchange, body = self._read_request()
        except RequestError as error:
            text = f"{status_text(error.status)}\n"
            head = f"HTTP/1.1 {text}Content-Type: text/plain\nContent-Length: {len(text)}\n\n"
            self._answer += head.replace("\n", "\r\n").encode() + text.encode()
            return
        self._call = Call(cast("Any", self), exchange, body)
        me = {"name": "test", "place": _place(), "brief": False, "keeps": False, "told": False}
        self._call.run(SimpleNamespace(**me))

    def _read_request(self) -> tuple[Exchange, IO[bytes]]:
        template = base_environ(self._settings, cast("Any", self), tls=False)
        template["REMOTE_ADDR"], template["REMOTE_PORT"] = "127.0.0.1", "40000"
        template["stein.disconnected"] = lambda: self.gone
        reader = RequestReader(self._settings.limits, template)
        exchange = reader.feed(bytes(self.request))
        assert exchange is not None, f"no whole request: {bytes(self.request)!r:.200}"
        body = BodyCollector(self._settings.body_buffer)
        if not exchange.complete:
            data, reader.rest = reader.rest, b""
            body.add(reader.feed_body(data))
        assert exchange.complete, "the client has sent less than it said"
        assert not reader.rest, f"the client has sent more than it said: {reader.rest!r:.200}"
        exchange.connection, exchange.number = self, 1
        exchange.began = exchange.read = monotonic()
        return exchange, body.rewind()

    def getsockname(self) -> tuple[str, int]:
        """The address of the listener, for the environ."""
        return "127.0.0.1", 80

    @property
    def unsent(self) -> int:
        return len(self._answer)

    def write(self, data: Any, more: bytes = b"") -> Any:
        """Take bytes of the answer."""
        if self.gone:
            raise Disconnected(400, "the client went away")
        self._answer += data
        self._answer += more

    def write_file(self, file: IO[bytes], position: int, count: int) -> None:
        """Do what sendfile does."""
        file.seek(position)
        self.write(file.read(count))

    def wait_drained(self) -> None:
        """Never full."""

    def cut_off(self, *, abrupt: bool) -> None:
        """End in the middle: what was written is all there is."""
        self.must_close = True


def through_house() -> Iterator[House]:
    """Run a `House` as long as a fixture lasts."""
    house = House()
    with house:
        yield house
