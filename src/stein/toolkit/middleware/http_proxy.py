"""Some paths answered by another HTTP server: a proxy for development.

What passes, and what does not (RFC 9110 7.6): the body goes through as it comes, in both
directions, with the length or the chunked framing that it had.  Fields that belong to one
connection stay on theirs, also those which ``Connection`` names.  Whatever happens, the connection
to the target is closed when the response is over.
"""

from __future__ import annotations

import functools
import re
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, Self
from urllib.parse import quote, urlsplit

from stein.http.grammar import is_field_value, is_token
from stein.toolkit.exceptions import BadGateway, BadRequest
from stein.toolkit.http import is_hop_by_hop_header
from stein.toolkit.wsgi import get_input_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from http.client import HTTPConnection, HTTPResponse

    from stein.typing import Environ, HeaderList, StartResponse, WSGIApplication

__all__ = ["ProxyMiddleware"]

_DEFAULTS: Final = {"remove_prefix": False, "host": "<auto>", "headers": {}, "ssl_context": None}
_PORTS: Final = {"http": 80, "https": 443}

# RFC 3986 3.3, without the percent sign: the path of the environ is unquoted, so one that is in
# it stands for itself.
_PATH_SAFE: Final = "!$&'()*+,/:;=@~"
# A query keeps its quoting, but what no request line may hold is quoted.
_QUERY_SAFE: Final = "!\"$%&'()*+,/:;<=>?@[\\]^`{|}~"
_CLIMBS: Final = re.compile(r"(?:^|[/\\])\.\.(?:[/\\]|$)")
# Written by the proxy itself; an expectation was met by the server that read the request.
_OWN: Final = frozenset({"connection", "content-length", "expect", "host", "transfer-encoding"})


class _Target(NamedTuple):
    scheme: str
    host: str  # as the Host field has it: IDNA, IPv6 in brackets
    port: int
    path: str  # without a slash at its end

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


@functools.lru_cache(maxsize=64)
def _read_target(url: str) -> _Target:
    """Take a target's URL apart.

    :raises ValueError: it is no URL that can be proxied to.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = parts.port
    except ValueError as error:
        raise ValueError(f"the proxy target {url!r} is not a URL: {error}") from error
    if parts.scheme not in _PORTS:
        raise ValueError(
            f"Target scheme must be 'http' or 'https', got {parts.scheme!r}; write the proxy"
            f" target {url!r} like 'http://127.0.0.1:5001/'"
        )
    if not host:
        raise ValueError(
            f"the proxy target {url!r} names no host; write it like 'http://127.0.0.1:5001/'"
        )
    name = f"[{host}]" if ":" in host else host
    return _Target(parts.scheme, name, port or _PORTS[parts.scheme], parts.path.rstrip("/"))


class ProxyMiddleware:
    """Answers requests below some paths with what other HTTP servers say, and the rest itself.

    A development tool: a thread waits for each request, and only HTTP passes, not WebSocket::

        app = ProxyMiddleware(app, {"/static/": {"target": "http://127.0.0.1:5001/"}})

    Each prefix has these options:

    ``target``
        the URL of the other server; required.
    ``remove_prefix``
        whether the path goes to the target without the prefix, below the path of the target's
        URL; otherwise it goes unchanged.  Default: False.
    ``host``
        the ``Host`` field: ``"<auto>"`` (default) for the target's host, None for the one that
        the client sent, or a text.
    ``headers``
        a dict of fields to send; each replaces the client's field of the same name.
    ``ssl_context``
        the :class:`ssl.SSLContext` for an ``https`` target.  Default: one that verifies.

    If the target cannot be reached, is too slow or answers nonsense, the client gets 502 with the
    cause.  If it breaks off in the middle of a body, an :class:`OSError` makes the server break
    off as well, so that nobody takes the part for the whole.

    :param app: the application for all other paths.
    :param targets: from the prefix to its options; the first prefix that fits is taken.
    :param chunk_size: most bytes to read and write at a time.
    :param timeout: seconds that connecting, or waiting for the next bytes, may take.
    :raises ValueError: for a target which is no ``http`` or ``https`` URL.
    """

    def __init__(
        self,
        app: WSGIApplication,
        targets: Mapping[str, dict[str, Any]],
        chunk_size: int = 2 << 13,
        timeout: int = 10,
    ) -> None:
        self.app = app
        self.targets: dict[str, dict[str, Any]] = {}
        for prefix, options in targets.items():
            if "target" not in options:
                raise ValueError(
                    f"the proxy options of {prefix!r} have no 'target', only"
                    f" {sorted(options)}; add the URL to proxy to"
                )
            _read_target(options["target"])
            inner = prefix.strip("/")
            self.targets[f"/{inner}/" if inner else "/"] = {**_DEFAULTS, **options}
        self.chunk_size = chunk_size
        self.timeout = timeout

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Call the application, or the proxy if the path is below one of the prefixes."""
        path: str = environ.get("PATH_INFO", "")
        for prefix, options in self.targets.items():
            if path.startswith(prefix):
                return self.proxy_to(options, path, prefix)(environ, start_response)
        return self.app(environ, start_response)

    def proxy_to(self, opts: dict[str, Any], path: str, prefix: str) -> WSGIApplication:
        """A WSGI application that proxies to one target.

        :param opts: all the options of the target.
        :param path: ``PATH_INFO`` of the request.
        :param prefix: the part of it that chose the target.
        """
        target = _read_target(opts["target"])

        def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            if _CLIMBS.search(path):
                # The target would take it out of the prefix, and out of its own folder.
                refused = BadRequest(f"The path {path!r} climbs with '..', it is not proxied.")
                return refused(environ, start_response)
            connection = self._connection(target, opts["ssl_context"])
            try:
                response = self._ask(connection, target, opts, path, prefix, environ)
                relay = _Relay(connection, response, target, self.chunk_size)
                start_response(_status(response), _response_fields(response))
            except _GatewayError as error:
                connection.close()
                return BadGateway(str(error))(environ, start_response)
            except BaseException:
                connection.close()
                raise
            return relay

        return application

    def _connection(self, target: _Target, context: Any) -> HTTPConnection:
        # late: http.client brings the email package along, which is slow to import
        from http.client import HTTPConnection, HTTPSConnection  # noqa: PLC0415

        host = target.host.strip("[]")
        if target.scheme == "https":
            return HTTPSConnection(host, target.port, timeout=self.timeout, context=context)
        return HTTPConnection(host, target.port, timeout=self.timeout)

    def _ask(  # noqa: PLR0913, PLR0917 - the parts of one request
        self,
        connection: HTTPConnection,
        target: _Target,
        options: dict[str, Any],
        path: str,
        prefix: str,
        environ: Environ,
    ) -> HTTPResponse:
        """Send the request and wait for the head of the response.

        :raises _GatewayError: the target failed.
        """
        url = _request_target(target if options["remove_prefix"] else None, path, prefix, environ)
        fields = _request_fields(target, options, environ)
        body = _Body(environ, self.chunk_size)
        with _failures_of(target):
            connection.connect()
            connection.putrequest(
                environ["REQUEST_METHOD"], url, skip_host=True, skip_accept_encoding=True
            )
            for name, value in [*fields, *body.fields]:
                connection.putheader(name, value)
            connection.endheaders()
        # The client's own failures are not the target's: they leave as they are.
        while piece := body.take():
            try:
                connection.send(piece)
            except OSError:
                break  # it may have said why before it closed, for instance 413
        with _failures_of(target):
            response = connection.getresponse()
            if response.status < 200:
                raise _GatewayError(target, f"it ended with the interim status {response.status}")
            if response.msg.defects:
                # http.client takes what follows a malformed field for the body.
                raise _GatewayError(target, "the fields of its response are malformed")
            return response


class _GatewayError(Exception):
    """The target failed; the text is for the client."""

    def __init__(self, target: _Target, cause: str) -> None:
        super().__init__(f"The proxy got no answer from {target}: {cause}.")


class _failures_of:  # noqa: N801 - used as a verb is
    """Turns what http.client raises into :class:`_GatewayError`, with the cause."""

    def __init__(self, target: _Target) -> None:
        self._target = target

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        from http.client import HTTPException  # noqa: PLC0415 - loaded by now, see _connection

        # ValueError: a request that http.client refuses to send, or a length it cannot read
        if isinstance(error, OSError | HTTPException | ValueError):
            text = str(error) or "no further cause"
            raise _GatewayError(self._target, f"{type(error).__name__}: {text}") from error


class _Body:
    """The body of the request on its way to the target, framed as it was."""

    __slots__ = ("_first", "_read", "_size", "chunked", "fields")

    def __init__(self, environ: Environ, chunk_size: int) -> None:
        stream: IO[bytes] = get_input_stream(environ)
        # read1 gives what is there and does not wait until the piece is full.
        self._read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
        self._size = chunk_size
        self._first = b""
        self.chunked = False
        self.fields: HeaderList = []
        length: str = environ.get("CONTENT_LENGTH") or ""
        if length.isascii() and length.isdigit():
            self.fields = [("Content-Length", length)]
        elif environ.get("wsgi.input_terminated"):
            # Without a length only the first piece tells whether there is a body at all, on
            # servers which keep Transfer-Encoding to themselves.
            self._first = self._read(chunk_size)
            self.chunked = bool(self._first or environ.get("HTTP_TRANSFER_ENCODING"))
            if self.chunked:
                self.fields = [("Transfer-Encoding", "chunked")]

    def take(self) -> bytes:
        """The next bytes to send; empty at the end."""
        piece, self._first = self._first or self._read(self._size), b""
        if not self.chunked:
            return piece
        if piece:
            return b"%x\r\n%b\r\n" % (len(piece), piece)
        self.chunked = False  # so that the next is the end
        self._read = _nothing
        return b"0\r\n\r\n"


def _nothing(_: int) -> bytes:
    return b""


class _Relay:
    """The body of the response, on its way to the client; closes the connection to the target."""

    __slots__ = ("_connection", "_left", "_response", "_size", "_target")

    def __init__(
        self, connection: HTTPConnection, response: HTTPResponse, target: _Target, size: int
    ) -> None:
        self._connection = connection
        self._response = response
        self._target = target
        self._size = size
        self._left = response.length  # None: until its end

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._left == 0:
            self.close()
            raise StopIteration
        size = self._size if self._left is None else min(self._size, self._left)
        piece = self._read(size)
        if piece:
            if self._left is not None:
                self._left -= len(piece)
            return piece
        missing = self._left
        self.close()
        if missing is not None:
            raise self._broken(f"{missing} bytes before the declared end")
        raise StopIteration

    def _read(self, size: int) -> bytes:
        from http.client import HTTPException  # noqa: PLC0415 - loaded by now, see _connection

        try:
            return self._response.read1(size)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            raise self._broken(f"with {type(error).__name__}: {error}") from error

    def _broken(self, how: str) -> OSError:
        return ConnectionError(f"the proxy target {self._target} broke off its response {how}")

    def close(self) -> None:
        """Close the connection to the target."""
        self._response.close()
        self._connection.close()
        self._left = 0


def _request_target(below: _Target | None, path: str, prefix: str, environ: Environ) -> str:
    """What stands in the request line; ``below``: the target, if the prefix is removed."""
    if below is not None:
        path = (
            f"{quote(below.path, safe=_PATH_SAFE + '%')}/{_quote(path[len(prefix) :].lstrip('/'))}"
        )
    else:
        path = _quote(path)
    query: str = environ.get("QUERY_STRING", "")
    if not query:
        return path
    return f"{path}?{quote(query.encode('latin-1', 'replace'), safe=_QUERY_SAFE)}"


def _quote(path: str) -> str:
    return quote(path.encode("latin-1", "replace"), safe=_PATH_SAFE)


def _request_fields(target: _Target, options: dict[str, Any], environ: Environ) -> HeaderList:
    """The fields for the target, without those about the body."""
    extra: dict[str, str] = options["headers"]
    dropped = {name.lower() for name in extra} | _OWN
    dropped |= _named(environ.get("HTTP_CONNECTION", ""))
    fields = []
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            name = key[5:].replace("_", "-").title()
        elif key == "CONTENT_TYPE" and value:
            name = "Content-Type"
        else:
            continue
        lower = name.lower()
        if lower not in dropped and not is_hop_by_hop_header(lower):
            fields.append((name, value))
    host = options["host"]
    if host == "<auto>":
        host = target.host
    elif host is None:
        host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    fields += [("Connection", "close"), ("Host", host)]
    # What is the proxy's own business stays so, whatever the options say.
    for name, value in extra.items():
        lower = name.lower()
        if lower not in _OWN and not is_hop_by_hop_header(lower):
            fields.append((name, value))
    return fields


def _named(connection: str) -> set[str]:
    """The fields that a ``Connection`` field names (RFC 9110 7.6.1)."""
    return {option.strip(" \t").lower() for option in connection.split(",")}


def _status(response: HTTPResponse) -> str:
    reason = response.reason if is_field_value(response.reason) else ""
    return f"{response.status} {reason or 'Unknown'}"


def _response_fields(response: HTTPResponse) -> HeaderList:
    """The fields for the client."""
    fields = response.getheaders()
    dropped = set[str]()
    for name, value in fields:
        if name.lower() == "connection":
            dropped |= _named(value)
    kept = []
    for name, value in fields:
        lower = name.lower()
        if lower in dropped or is_hop_by_hop_header(lower) or not is_token(name):
            continue
        # A folded line of RFC 2616's days is one line here.
        value = " ".join(value.split("\r\n")) if "\n" in value else value  # noqa: PLW2901 - tidied
        if is_field_value(value):
            kept.append((name.title(), value))
    return kept
