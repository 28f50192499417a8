"""``WSGIRequestHandler``: the hooks that programs override in the development server.

Our engine needs no handler: it reads and writes by itself.  So one is made only for a class that
overrides something, and only what it overrides is asked: an object for each request, built from
what the engine knows already.  What a handler of :mod:`http.server` does to the bytes themselves
(``wfile``, ``send_response``) is not offered, and says so.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final, cast

import stein
from stein.clock import wall
from stein.http.dates import http_date
from stein.toolkit.datastructures.headers import EnvironHeaders
from stein.toolkit.urls import uri_to_iri

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stein.http.exchange import Exchange
    from stein.server.call import Call
    from stein.serving.devserver import BaseWSGIServer
    from stein.typing import Environ, ExcInfo, HeaderList, StartResponse, Write

__all__ = [
    "LOGGING",
    "ROAD",
    "SOFTWARE",
    "VERSION",
    "WSGIRequestHandler",
    "call_of",
    "overrides",
    "run",
    "tell_handlers",
]

SOFTWARE: Final = f"stein/{stein.__version__}"

#: Where the handler of a request is found by whoever logs it.
KEY: Final = "stein.request_handler"

#: What a program may write into its own path or reason, for one line of a log.
CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
CONTROLS[ord("\\")] = "\\\\"

NOT_OFFERED: Final = frozenset(
    {
        "close_connection", "end_headers", "flush_headers", "parse_request", "raw_requestline",
        "send_error", "send_header", "send_response", "send_response_only", "wfile",
    }
)  # fmt: skip


class WSGIRequestHandler:
    """What the development server asks about a request; to be subclassed.

    :param request: the connection's socket.
    :param client_address: host and port of the client.
    :param server: the server that the request came to.
    """

    server_version = SOFTWARE
    sys_version = f"Python/{sys.version.split(maxsplit=1)[0]}"
    #: ``"HTTP/1.0"`` in a server of one thread, as Werkzeug has it: the connection ends with each
    #: answer.  A subclass that says ``"HTTP/1.1"`` keeps it.
    protocol_version = "HTTP/1.0"

    environ: Environ
    _variables: Environ
    _start_response: StartResponse
    _result: Iterable[bytes] | None = None

    def __init__(self, request: Any, client_address: tuple[str, int], server: Any) -> None:
        self.request = self.connection = request
        self.client_address = client_address
        self.server = server

    def _know(self, exchange: Exchange) -> None:
        """Take over what the request line and the fields said."""
        line = exchange.line
        self.command = line.method
        # "//host" at the start of a path is a host to whoever redirects to it (gh-87389)
        self.path = f"/{line.target.lstrip('/')}" if line.target[:2] == "//" else line.target
        self.request_version = line.protocol
        self.requestline = f"{line.method} {line.target} {line.protocol}".strip()
        self._variables = exchange.variables

    @property
    def headers(self) -> EnvironHeaders:
        """The header fields of the request."""
        return EnvironHeaders(self._variables)

    @property
    def rfile(self) -> Any:
        """The body of the request: ``wsgi.input``."""
        return self._variables["wsgi.input"]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # every method of HTTP is the application's
            return self.run_wsgi
        why = "the server itself writes responses" if name in NOT_OFFERED else "there is none"
        raise AttributeError(f"{type(self).__name__}.{name}: {why}")

    # -- the road of a request ----------------------------------------------------------------

    def setup(self) -> None:
        """Begin; called before everything else."""

    def handle(self) -> None:
        """Handle the request."""
        self.handle_one_request()

    def handle_one_request(self) -> None:
        """Handle the request."""
        self.run_wsgi()

    def run_wsgi(self) -> None:
        """Make the environ and call the application."""
        self.environ = self.make_environ()
        self._result = self.server.app(self.environ, self._start_response)

    def finish(self) -> None:
        """End; called when the response is complete."""

    def make_environ(self) -> Environ:
        """Return the environ of the request (PEP 3333), which a subclass may change."""
        environ = self._variables
        environ["REMOTE_ADDR"] = self.address_string()
        environ["REMOTE_PORT"] = self.port_integer()
        environ["SERVER_SOFTWARE"] = self.server_version
        return environ

    def connection_dropped(self, error: BaseException, environ: Environ | None = None) -> None:
        """Do something about a client that left before it had the response; nothing here.

        :param error: how it was noticed.
        :param environ: the request.
        """

    # -- who and when -------------------------------------------------------------------------

    def address_string(self) -> str:
        """Return the client's address, as the environ has it if there is one already."""
        environ: Environ | None = self.__dict__.get("environ")
        if environ is not None and environ.get("REMOTE_ADDR"):
            return str(environ["REMOTE_ADDR"])
        return self.client_address[0] or "<local>"

    def port_integer(self) -> int:
        """Return the client's port; 0 for a Unix socket."""
        return self.client_address[1]

    def version_string(self) -> str:
        """Return what the field ``Server`` says."""
        return f"{self.server_version} {self.sys_version}"

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return a moment, now by default, as HTTP writes it."""
        return http_date(wall() if timestamp is None else timestamp)

    def log_date_time_string(self) -> str:
        """Return now, as a log writes it."""
        return time.strftime("%d/%b/%Y %H:%M:%S")

    # -- the log ------------------------------------------------------------------------------

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log a request that has ended.

        :param code: the status.
        :param size: how many bytes its body had.
        """
        target = uri_to_iri(self.path) if self.command else self.path
        text = f"{self.command} {target} {self.request_version}".strip().translate(CONTROLS)
        self.log("info", '"%s" %s %s', text, code, size)

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's signature
        """Log what went wrong."""
        self.log("error", format, *args)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's signature
        """Log anything else."""
        self.log("info", format, *args)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - Werkzeug's signature
        """Log a message with the client's address and the time.

        :param type: a method of the logger: ``info``, ``error``.
        """
        # The address is an argument: that of an IPv6 interface has a % in it.
        text = message % args if args else message
        self.server.log(
            type, "%s - - [%s] %s", self.address_string(), self.log_date_time_string(), text
        )


# -- which hooks a class has of its own ---------------------------------------------------------

#: what changes the field Server
VERSION: Final = ("version_string", "server_version", "sys_version")
#: what changes how a request is run
ROAD: Final = (
    "__init__", "setup", "handle", "handle_one_request", "run_wsgi", "finish", "make_environ",
    "address_string", "port_integer", *VERSION,
)  # fmt: skip
#: what changes how it is logged
LOGGING: Final = (
    "log_request", "log_error", "log_message", "log", "log_date_time_string", "address_string",
)  # fmt: skip

#: As they were written here: programs replace them in this very class, too.
ORIGINALS: Final = {
    name: getattr(WSGIRequestHandler, name) for name in (*ROAD, *LOGGING, "connection_dropped")
}


def overrides(handler: type[WSGIRequestHandler], names: Iterable[str]) -> bool:
    """Whether a class has any of these hooks of its own."""
    return any(getattr(handler, name) is not ORIGINALS[name] for name in names)


# -- what the server does with a class that has hooks -------------------------------------------


def call_of(start_response: StartResponse) -> Call:
    """Return the server's call that a ``start_response`` belongs to."""
    return cast("Call", start_response.__self__)  # type: ignore[attr-defined]


def make(server: BaseWSGIServer, exchange: Exchange) -> WSGIRequestHandler:
    """Make the handler of a request."""
    connection, variables = exchange.connection, exchange.variables
    sock = connection.sock
    # A TLS connection is asked for the client's certificate, which is OpenSSL's own object's.
    sock = getattr(sock, "_tls", sock)
    peer = "" if connection.peer == "unix:" else connection.peer
    address = peer, int(variables.get("REMOTE_PORT") or 0)
    handler = server.RequestHandlerClass(sock, address, server)
    handler._know(exchange)  # noqa: SLF001 - the other half of this module
    return handler


def run(server: BaseWSGIServer, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Call the application by way of a handler."""
    handler = make(server, call_of(start_response).exchange)
    environ[KEY] = handler
    version = None
    if overrides(type(handler), VERSION):
        version = handler.version_string()
    handler._start_response = named(start_response, version)  # noqa: SLF001
    try:
        handler.setup()
        handler.handle()
    except BaseException:
        handler.finish()
        raise
    result = handler._result  # noqa: SLF001
    if result is None:
        message = f"{type(handler).__name__}.handle() did not call that of its base class"
        raise TypeError(message)
    if overrides(type(handler), ["finish"]):
        return Finishing(result, handler)
    return result


def named(start_response: StartResponse, version: str | None) -> StartResponse:
    """Return a ``start_response`` that names the server, unless the application does."""
    if not version:
        return start_response

    def start(status: str, headers: HeaderList, exc_info: ExcInfo | None = None, /) -> Write:
        if not any(name.lower() == "server" for name, _ in headers):
            headers = [*headers, ("Server", version)]
        return start_response(status, headers, exc_info)

    return start


class Finishing:
    """The body of a response, at whose end the handler's ``finish()`` is called."""

    def __init__(self, body: Iterable[bytes], handler: WSGIRequestHandler) -> None:
        self._body = body
        self._handler = handler

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """Close the body, and finish."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._handler.finish()


def tell_handlers(server: BaseWSGIServer, exchanges: Sequence[Exchange], *, logs: bool) -> None:
    """Tell the handlers of requests that these have ended.

    :param logs: whether to let them log.
    """
    for exchange in exchanges:
        handler = exchange.variables.pop(KEY, None) or make(server, exchange)
        handler.__dict__.setdefault("environ", exchange.variables)
        if exchange.outcome == "client_gone":
            error = ConnectionAbortedError(exchange.error or "the client went away")
            handler.connection_dropped(error, exchange.variables)
        if not logs:
            continue
        if not exchange.line.method:
            handler.log_error("code %s, message %s", exchange.status, exchange.error)
        handler.log_request(exchange.status or "-", exchange.sent_bytes)
