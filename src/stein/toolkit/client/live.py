"""A server that is running, as a WSGI application: the call becomes a request over a socket.

So a client that drives a server differs in nothing from one that calls an application: cookies,
redirects and responses are the same code.  Each request has a connection of its own, which is
closed when the body has been read, closed or forgotten.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Any, Final

from stein.errors import SteinError
from stein.http.hosts import is_valid_host
from stein.http.lists import split_list
from stein.http.numbers import parse_int
from stein.http.urls import iri_to_uri, percent_decode, percent_encode, split_url
from stein.toolkit.datastructures.headers import EnvironHeaders
from stein.toolkit.wsgi import get_input_stream

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator
    from http.client import HTTPConnection, HTTPResponse

    from stein.typing import Environ, StartResponse

__all__ = ["LiveServer", "NoAnswerError"]

_BLOCK: Final = 65536
#: a body up to this length is read at once, so that nobody has to close the response
_READ_AT_ONCE: Final = 65536
_PATH: Final = "!$&'()*+,/:;=@"
_QUERY: Final = "%!$&'()*+,/:;=@?"
# what may stand in a request line as it is
_PLAIN_TARGET: Final = re.compile(r"/[A-Za-z0-9\-._~%!$&'()*+,/:;=@?]*")


class NoAnswerError(SteinError, ConnectionError):
    """A server gave no answer, or not all of it.  The message says where, why and what to do."""


class LiveServer:
    """Sends what it is called with to a server, and answers as that does.

    The request goes to the address of ``url``, whatever host the environ names: that becomes the
    Host field, as if the name led to the server.

    :param url: ``http://127.0.0.1:5000``, as the server prints it; the path counts for nothing.
    :param timeout: seconds that the server may be silent.
    :param ssl_context: for ``https``; by default one that trusts what the system trusts.
    :raises ValueError: it is no such URL.
    """

    def __init__(
        self, url: str, timeout: float = 30.0, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        parts = split_url(iri_to_uri(url))
        address = (parts.authority or "").rpartition("@")[2]
        if parts.scheme not in {"http", "https"} or not is_valid_host(address):
            raise ValueError(
                f"base_url {url!r} is not the address of a server; write it as the server prints"
                " it, as in 'http://127.0.0.1:5000'"
            )
        self.scheme = parts.scheme
        self.address = address
        self.timeout = timeout
        self.ssl_context = ssl_context

    def __repr__(self) -> str:
        return f"<LiveServer {self.scheme}://{self.address}>"

    def connection(self) -> HTTPConnection:
        """Hook: make a connection, which is opened when it is first used."""
        # Late: it imports email and socket, and most tests call their application.
        from http.client import HTTPConnection, HTTPSConnection  # noqa: PLC0415 - see above

        if self.scheme == "https":
            return HTTPSConnection(self.address, timeout=self.timeout, context=self.ssl_context)
        return HTTPConnection(self.address, timeout=self.timeout)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Send the request, wait for the head of the answer, and give its body.

        :raises NoAnswerError: there is none.
        """
        # Late: as above.
        from http.client import HTTPException  # noqa: PLC0415 - see above

        body = None
        try:
            connection = self.connection()
            try:
                connection.connect()
                _send(connection, environ)
                response = connection.getresponse()
                body = _Body(self, response)
                # The response holds the socket on its own, and lets go of it when it is closed.
                if connection.sock is not None:
                    connection.sock.close()
                if response.length is not None and response.length <= _READ_AT_ONCE:
                    pieces: Iterable[bytes] = [b"".join(body)]
                else:
                    pieces = body
            except BaseException:
                if body is not None:
                    body.close()
                connection.close()
                raise
        except (OSError, HTTPException) as error:
            if isinstance(error, NoAnswerError):
                raise
            raise self.no_answer(error) from error
        status = f"{response.status} {response.reason}"
        # The body comes without its chunks, so a field that tells of them would be wrong.
        hidden = {"transfer-encoding"} if response.chunked else ()
        start_response(
            status, [pair for pair in response.getheaders() if pair[0].lower() not in hidden]
        )
        return pieces

    def no_answer(self, error: Exception, received: int | None = None) -> NoAnswerError:
        """Make the error that tells of another one.

        :param received: how many bytes of the body have come; ``None`` before the body.
        """
        cause, step = _explain(error, self)
        if received is not None:
            cause = f"the answer broke off after {received} bytes of its body: {cause}"
        return NoAnswerError(f"no answer from {self.scheme}://{self.address}: {cause}; {step}")


class _Body:
    """The body of an answer, read as it comes.

    :param server: for errors.
    :param response: as :mod:`http.client` has it.
    """

    def __init__(self, server: LiveServer, response: HTTPResponse) -> None:
        self._server = server
        self._response = response
        self._left = response.length  # None: up to the end, wherever that is
        self._received = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        # Late: it was imported when the request was sent.
        from http.client import HTTPException, IncompleteRead  # noqa: PLC0415 - see above

        try:
            if self._left is None:
                piece = self._response.read1(_BLOCK)
            else:
                piece = self._response.read(min(_BLOCK, self._left)) if self._left else b""
                self._left -= len(piece)
                if not piece and self._left:
                    raise IncompleteRead(b"", self._left)
        except (OSError, HTTPException) as error:
            self.close()
            raise self._server.no_answer(error, self._received) from error
        self._received += len(piece)
        if not piece:
            self.close()
            raise StopIteration
        return piece

    def close(self) -> None:
        """Close the connection, whether or not all was read."""
        self._response.close()

    def __del__(self) -> None:
        # Without this, whoever looks at nothing but the status of a stream gets a warning.
        self.close()


def _target(environ: Environ) -> str:
    """The request target (RFC 9112 3.2.1): as it was written, if the environ still says that."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    query = environ.get("QUERY_STRING", "")
    raw = environ.get("REQUEST_URI", "")
    if _PLAIN_TARGET.fullmatch(raw) is not None:
        raw_path, _, raw_query = raw.partition("?")
        if raw_query == query and percent_decode(raw_path, charset="latin-1") == path:
            return str(raw)
    target = percent_encode(path.encode("latin-1", "replace"), _PATH)
    if target[:1] != "/" and target != "*":
        target = f"/{target}"
    if query:
        target += f"?{percent_encode(query.encode('latin-1', 'replace'), _QUERY)}"
    return target


def _send(connection: HTTPConnection, environ: Environ) -> None:
    """Send the request; what the server answers before it has all of it is an answer, too."""
    headers = EnvironHeaders(environ)
    length = parse_int(environ.get("CONTENT_LENGTH") or "")
    chunked = "chunked" in split_list(environ.get("HTTP_TRANSFER_ENCODING", "").lower())
    if length is None and not chunked and environ.get("wsgi.input_terminated"):
        chunked = True
    connection.putrequest(
        environ["REQUEST_METHOD"], _target(environ), skip_host=True, skip_accept_encoding=True
    )
    connection.putheader("Host", environ.get("HTTP_HOST", ""))
    for name, value in headers:
        if name not in {"Host", "Content-Length", "Transfer-Encoding"}:
            # Text beyond latin-1 has no bytes of its own in a field; tests mean UTF-8.
            connection.putheader(name, value.encode("utf-8" if _is_wide(value) else "latin-1"))
    if chunked:  # and no length beside it, which is how requests are smuggled
        connection.putheader("Transfer-Encoding", "chunked")
    elif length is not None:
        connection.putheader("Content-Length", str(length))
    stream = get_input_stream({**environ, "wsgi.input_terminated": chunked})
    try:
        connection.endheaders()
        _send_body(connection, stream, chunked=chunked)
    except (BrokenPipeError, ConnectionResetError):
        pass


def _is_wide(value: str) -> bool:
    return not value.isascii() and max(value) > "\xff"


def _send_body(connection: HTTPConnection, stream: IO[bytes], *, chunked: bool) -> None:
    while block := stream.read(_BLOCK):
        connection.send(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
    if chunked:
        connection.send(b"0\r\n\r\n")


def _explain(error: Exception, server: LiveServer) -> tuple[str, str]:
    """What has happened, and what to do about it."""
    # Late: http.client has imported them.
    import http.client  # noqa: PLC0415 - see above
    import socket  # noqa: PLC0415 - see above

    known: tuple[tuple[Any, str, str], ...] = (
        (ConnectionRefusedError, "nothing listens there (connection refused)",
         "start the server first, or give the address that it prints as base_url"),
        (socket.gaierror, f"the name is not known ({error})",
         "is it spelled right? for a server on this machine give 127.0.0.1"),
        (TimeoutError, f"it was silent for {server.timeout:g} seconds",
         "does the application wait for something? Client(timeout=...) sets how long to wait"),
        (http.client.RemoteDisconnected, "it closed the connection instead of answering",
         "its log should say why; perhaps it speaks another scheme (http, https)"),
        (http.client.BadStatusLine, f"what it sent is no HTTP ({error})",
         "is the port that of the web server, and the scheme right (http, https)?"),
        (http.client.IncompleteRead, "it closed the connection",
         "its log should say why"),
    )  # fmt: skip
    for kind, cause, step in known:
        if isinstance(error, kind):
            return cause, step
    if type(error).__module__ == "ssl":
        step = (
            "is the scheme right (http, https)? a certificate of your own needs"
            " Client(ssl_context=...)"
        )
        return f"TLS was not agreed on ({error})", step
    return str(error) or type(error).__name__, "is the server still running? its log may say more"
