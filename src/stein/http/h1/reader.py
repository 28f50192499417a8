"""Bytes to exchanges: the request side of HTTP/1.

Facts.
    Nearly every request head arrives in one piece; nearly every head ends where the bytes end;
    the same request lines and field names come again and again.
Danger.
    Two parsers that disagree about where a message ends are a smuggling hole.  llhttp (in
    httptools) is exact about fields and chunks, lenient about request lines, has no limits, and
    does not say where in the bytes a message ended.
Decision.
    The reader finds the end of the head itself (the first CRLF CRLF), feeds llhttp exactly the
    head, holds request line, Host and framing to its own rules, and counts a Content-Length body
    itself.  llhttp never sees that body, so there is no second opinion on where it ends.  A
    chunked body has an llhttp parser of its own, that is fed up to each CRLF CRLF, since a
    chunked message can end only there.
Price.
    A head that comes in pieces is kept until it is complete, at most ``header_bytes`` plus a
    request line; one search per piece looks for what can never become valid, so that garbage is
    answered at once and not when the deadline passes.

One reader serves one connection.  It gives one exchange at a time: what comes behind a message
stays in :attr:`RequestReader.rest` until the server asks for it, so no request is looked at
before the one in front of it has been answered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from stein.errors import RequestError
from stein.http.exchange import Exchange, RequestLine
from stein.http.grammar import is_host
from stein.http.h1.chunked import ChunkedBody
from stein.http.h1.framing import CHUNKED, apply_expectation, apply_persistence, body_length
from stein.http.h1.strict import parse_request_line, show

if TYPE_CHECKING:
    from stein.http.limits import Limits

__all__ = ["NEVER", "TLS_HELLO", "RequestReader", "clear_memories"]

#: What can never be part of a head, looked for in pieces that do not complete one: a line feed
# without its carriage return, the reverse, and control characters (a TLS hello has them).
NEVER: Final = re.compile(rb"\n(?<!\r\n)|\r[^\n]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

#: How a TLS handshake begins (RFC 8446 5.1, 4.1.2): type and major version.
TLS_HELLO: Final = b"\x16\x03"

_TRAILING_BLANKS: Final = re.compile(rb"([^ \t\r\n])[ \t]+\r\n")

# Fields of which a second one is an attack or a mistake (RFC 9112 3.2, 6.3; RFC 9110 8.3)
_SINGLE: Final = frozenset({"HTTP_HOST", "CONTENT_LENGTH", "CONTENT_TYPE"})

# Fields that decide about framing and persistence
_SPECIAL: Final = frozenset(
    {
        "CONTENT_LENGTH",
        "HTTP_CONNECTION",
        "HTTP_EXPECT",
        "HTTP_PROXY_CONNECTION",  # means nothing here, but does to llhttp
        "HTTP_TRANSFER_ENCODING",
    }
)

# llhttp refuses methods that it has no number for and bytes above 0x7f in a target, so it is
# shown another line instead.
_PLAIN_LINE: Final = b"GET / HTTP/1.1\r\n"
_METHODS_OF_LLHTTP: Final = frozenset({
    "ACL", "BIND", "CHECKOUT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "M-SEARCH",
    "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "OPTIONS", "PATCH", "POST",
    "PROPFIND", "PROPPATCH", "PURGE", "PUT", "QUERY", "REBIND", "REPORT", "SEARCH", "SOURCE",
    "SUBSCRIBE", "TRACE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE",
})  # fmt: skip

# Memories of pure functions, shared by all readers of the process.  They rely on the interpreter
# lock only in that a dict's get, set and clear are atomic, which holds without it, too.  They are
# emptied when full, so that no client can make them grow.
_MOST_REMEMBERED: Final = 1024
_LONGEST_REMEMBERED: Final = 512
# Only request lines of the plainest kind: HTTP/1.1, no authority, a method that llhttp knows.
_plain_lines: dict[bytes, RequestLine] = {}
# Only field names that mean nothing to the reader, see _SPECIAL.
_names: dict[str, str] = {}
_hosts: set[str] = set()


def clear_memories() -> None:
    """Forget all remembered request lines, field names and hosts (for tests)."""
    _plain_lines.clear()
    _names.clear()
    _hosts.clear()


class RequestReader:
    """Reads the requests of one connection.

    :param limits: what a request may be at most.
    :param template: what :attr:`Exchange.variables` starts from, copied for each request.
    """

    __slots__ = (
        "_chunks",
        "_detail",
        "_head",
        "_last_fields",
        "_last_variables",
        "_limits",
        "_line",
        "_lines_fit",
        "_parser",
        "_refused",
        "_remaining",
        "_template",
        "exchange",
        "rest",
    )

    def __init__(self, limits: Limits, template: dict[str, Any]) -> None:
        # for the life of the connection
        self._limits = limits
        self._template = template
        # a head at most this long cannot have too long a line or too many bytes
        self._detail = min(limits.request_line, limits.header_bytes)
        # no remembered request line can be too long
        self._lines_fit = limits.request_line >= _LONGEST_REMEMBERED
        self._parser: HttpRequestParser | None = None
        # the fields of the last head that came alone, as bytes and, once repeated, as variables
        self._last_fields = b"\n"  # what no head has
        self._last_variables: dict[str, Any] | None = None
        self.rest = b""  #: bytes behind the last complete message
        # for the life of one message
        self._head: bytearray | None = None  # of a head that comes in pieces, or was refused
        self._line: RequestLine | None = None  # of such a head, once complete
        self._refused: RequestError | None = None  # what is wrong with the head, once refused
        self._remaining = 0
        self._chunks: ChunkedBody | None = None
        #: the exchange whose head was read last; stays after its message is complete
        self.exchange: Exchange | None = None

    @property
    def begun(self) -> bool:
        """Whether a message has begun whose head is not complete."""
        return bool(self._head) and self._refused is None

    @property
    def seen(self) -> bytes:
        """What came of the head that is under way or was refused."""
        return b"" if self._head is None else bytes(self._head)

    def add_to_template(self, variables: dict[str, Any]) -> None:
        """Add to what the variables of each further request start from."""
        self._template.update(variables)
        self._last_variables = None

    def close(self) -> None:
        """Let go of the parser, which refers back to the reader, and of all that was kept."""
        self._parser = self._chunks = None
        self._template.clear()
        self._last_variables = None

    # -- the head -----------------------------------------------------------------------------

    def feed(self, data: bytes) -> Exchange | None:
        """Take bytes of a request head.

        :param data: what the peer sent; with what :attr:`rest` held in front, if anything.
        :return: the exchange once its head is complete, ``None`` as long as it is not.  If its
            ``complete`` is false, the body follows: see :meth:`feed_body`.
        :raises RequestError: the bytes are no request that this server will answer.  The reader
            cannot be used any more.
        """
        if self._head is not None:
            return self._feed_piece(data)
        text, _, fields = data.partition(b"\r\n")
        if fields == self._last_fields:
            line = _plain_lines.get(text)
            if line is not None:
                return self._repeat_fields(line, data)
        end = data.find(b"\r\n\r\n") + 4
        if end == 3 or data.startswith(b"\r\n"):  # incomplete, or empty lines in front
            return self._feed_piece(data)
        if end != len(data):
            self.rest = data[end:]
            return self._read_head(data[:end])
        self._last_fields = fields
        self._last_variables = None
        return self._read_head(data)

    def _repeat_fields(self, line: RequestLine, data: bytes) -> Exchange:
        """Make an exchange of a head whose fields are those of the last one on this connection.

        What HPACK does for HTTP/2: a client that says the same again, as browsers, pollers and
        proxies do with most of what they say, is not read again.  Only fields that end the head
        where the bytes end, and that leave nothing to be decided, are ever taken as known.
        """
        known = self._last_variables
        if known is not None:
            self.exchange = exchange = Exchange(line, known.copy())
            exchange.fields = self._last_fields
            return exchange
        exchange = self._read_head(data)
        if (
            exchange.persistent
            and not exchange.length
            and not exchange.expects_continue
            and self._lines_fit
        ):
            self._last_variables = exchange.variables.copy()
        return exchange

    def _feed_piece(self, data: bytes) -> Exchange | None:
        """Collect a head that comes in pieces."""
        if self._refused is not None:
            raise self._refused
        head = self._head
        if head is None:
            head = self._head = bytearray()
        known = len(head)
        head += data
        if known <= 2:  # empty lines in front of a request line are skipped (RFC 9112 2.2)
            while head.startswith(b"\r\n"):
                del head[:2]
            known = 0
        end = head.find(b"\r\n\r\n", max(0, known - 3)) + 4
        if end == 3:
            try:
                self._check_piece(head, max(0, known - 1))
            except RequestError as error:
                self._refused = error
                raise
            return None
        self.rest = bytes(head[end:])
        self._head = self._line = None
        return self._read_head(bytes(head[:end]))

    def _check_piece(self, head: bytearray, start: int) -> None:
        """Refuse an incomplete head that cannot become a valid one.

        Of several faults the first one in the order of bytes is told, here as in _read_line, so
        that the answer does not depend on how the bytes were cut.
        """
        limits = self._limits
        misplaced = NEVER.search(head, start)
        if self._line is None:
            eol = head.find(b"\r\n", max(0, start - 1))
            if (eol if eol >= 0 else len(head) - 1) > limits.request_line:
                raise self._too_long(head)
            if eol >= 0:
                self._line = parse_request_line(bytes(head[:eol]))
        if self._line is not None:
            eol = head.find(b"\r\n")
            if len(head) - eol - 2 > limits.header_bytes:
                raise self._too_large(head, eol)
        if misplaced:
            raise _out_of_place(head)

    def _read_head(self, head: bytes) -> Exchange:
        """Make an exchange of a whole head, from request line to empty line."""
        try:
            return self._make_exchange(head)
        except RequestError as error:
            self._head = bytearray(head)
            self._refused = error
            raise

    def _make_exchange(self, head: bytes) -> Exchange:
        # PERF: a memory of request lines; parse_request_line alone costs a sixth of a short
        # request (bench: hello).
        text, _, fields = head.partition(b"\r\n")
        line = _plain_lines.get(text)
        plain = line is not None and len(head) <= self._detail
        if line is None or not plain:
            line = self._read_line(text, head)
            plain = self._is_plain(line, text)
            if not plain:
                head = _PLAIN_LINE + fields
        self._check_syntax(head)
        variables = self._template.copy()
        special = self._add_fields(variables, fields) if len(fields) > 2 else False
        exchange = self.exchange = Exchange(line, variables)
        if special or not plain or variables.get("HTTP_HOST") not in _hosts:
            self._apply_policy(exchange)
        return exchange

    def _check_syntax(self, head: bytes) -> None:
        """Let llhttp check the fields of a head, and that nothing in it is out of place."""
        parser = self._parser
        if parser is None:
            parser = self._parser = HttpRequestParser(_Silence)
        try:
            parser.feed_data(head)
        except HttpParserUpgrade:
            # The client offers another protocol; nobody takes it up (RFC 9110 7.8).
            self._parser = None
        except HttpParserError as error:
            if not _TRAILING_BLANKS.search(head):
                raise RequestError(400, f"malformed header: {error}") from None
            # Blanks behind a value are no part of it (RFC 9112 5.1); llhttp stumbles over them
            # in the fields that it reads itself.  What may be a folded line stays refused.
            self._parser = None
            self._check_syntax(_TRAILING_BLANKS.sub(rb"\1\r\n", head))

    def _read_line(self, text: bytes, head: bytes) -> RequestLine:
        """Read a request line that is not remembered, or stands in a large head."""
        limits, eol = self._limits, len(text)
        if eol > limits.request_line:
            raise self._too_long(head)
        line = parse_request_line(text)
        if len(head) - eol - 2 > limits.header_bytes:
            raise self._too_large(head, eol)
        return line

    def _is_plain(self, line: RequestLine, text: bytes) -> bool:
        """Whether a request line asks for no closer look; remembers it if so."""
        if (
            line.host is not None
            or line.protocol != "HTTP/1.1"
            or line.method not in _METHODS_OF_LLHTTP
            or not line.target.isascii()
        ):
            return False
        if len(text) <= _LONGEST_REMEMBERED:
            if len(_plain_lines) >= _MOST_REMEMBERED:
                _plain_lines.clear()
            _plain_lines[text] = line
        return True

    def _add_fields(self, variables: dict[str, Any], fields: bytes) -> bool:
        """Add the fields to the variables; whether one of them asks for a closer look.

        llhttp has found each line to be a name, a colon and a value without line ends, so that
        there is only one way to take them apart.  (PERF: in one loop over decoded text; a
        callback for each field costs twice as much.)
        """
        lines = fields[:-4].decode("latin-1").split("\r\n")
        if len(lines) > self._limits.header_fields:
            reason = f"more than {self._limits.header_fields} header fields"
            raise RequestError(431, reason, "limit_header_fields")
        special = False
        for line in lines:
            name, _, value = line.partition(":")
            key = _names.get(name)
            if key is not None and key not in variables:
                variables[key] = value.strip(" \t")
            elif _add_odd_field(variables, name, value.strip(" \t")):
                special = True
        return special

    def _apply_policy(self, exchange: Exchange) -> None:
        """Hold Host, persistence, framing and expectation to the RFCs."""
        # llhttp has its own view of persistence and framing, which shall not outlive this head.
        self._parser = None
        line, variables = exchange.line, exchange.variables
        if variables.get("HTTP_HOST") not in _hosts:
            _check_host(exchange)
        if line.host is not None:  # goes before the field (RFC 9112 3.2.2)
            variables["HTTP_HOST"] = line.host
        apply_persistence(exchange)
        self._begin_body(exchange)
        if "HTTP_EXPECT" in variables:
            apply_expectation(exchange, variables["HTTP_EXPECT"])

    # -- limits -------------------------------------------------------------------------------

    def _too_long(self, head: bytes | bytearray) -> RequestError:
        limit = self._limits.request_line
        if NEVER.search(head, 0, limit + 2):
            return _out_of_place(head)
        reason = f"request line over {limit} bytes: {show(bytes(head[:81]))}"
        return RequestError(414, reason, "limit_request_line")

    def _too_large(self, head: bytes | bytearray, eol: int) -> RequestError:
        limit = self._limits.header_bytes
        if NEVER.search(head, 0, eol + 2 + limit + 1):
            return _out_of_place(head)
        reason = f"header fields over {limit} bytes"
        return RequestError(431, reason, "limit_header_bytes")

    # -- the body -----------------------------------------------------------------------------

    def _begin_body(self, exchange: Exchange) -> None:
        """Find out how long the body is, and prepare to read it."""
        length = exchange.length = body_length(exchange, self._limits)
        if length == 0:
            return
        exchange.complete = False
        if length == CHUNKED:
            self._chunks = ChunkedBody(self._limits)
        else:
            self._remaining = length

    def feed_body(self, data: bytes) -> bytes:
        """Take bytes of the body of :attr:`exchange`, whose ``complete`` is false.

        :return: the content in them; may be empty.  The exchange's ``received`` has grown by its
            length, its ``complete`` tells whether the body has ended, and :attr:`rest` is what
            came behind it.
        :raises RequestError: 400 for faulty chunks, 413 or 431 for a limit.
        """
        exchange = self.exchange
        if exchange is None or exchange.complete:
            message = "feed_body() without a message that has more body to come"
            raise RuntimeError(message)
        if self._chunks is not None:
            content, self.rest, ended = self._chunks.feed(data)
            exchange.received += len(content)
            limit = self._limits.body
            if limit is not None and exchange.received > limit:
                reason = f"chunked body is over the limit of {limit} bytes"
                raise RequestError(413, reason, "limit_body")
            if ended:
                exchange.complete = True
                self._chunks = None
            return content
        content = data
        if len(data) >= self._remaining:
            content, self.rest = data[: self._remaining], data[self._remaining :]
            exchange.complete = True
        self._remaining -= len(content)
        exchange.received += len(content)
        return content


class _Silence:
    """What a parser calls back that is to check and nothing else."""


def _add_odd_field(variables: dict[str, Any], name: str, value: str) -> bool:
    """Add a field that is new, repeated, dropped, or decides about the exchange.

    :return: whether it asks for a closer look.
    """
    if "_" in name:
        # Dropped: it would be indistinguishable from the same name with a hyphen, which a proxy
        # in front may have vouched for.
        return False
    key = name.upper().replace("-", "_")
    if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:  # RFC 3875 4.1.18
        key = "HTTP_" + key
    special = key in _SPECIAL
    if not special and len(name) <= _LONGEST_REMEMBERED:
        if len(_names) >= _MOST_REMEMBERED:
            _names.clear()
        _names[name] = key
    known = variables.get(key)
    if known is None:
        variables[key] = value
        return special
    if key in _SINGLE:
        raise RequestError(400, f"repeated header field {name}")
    # Repeated fields are joined (RFC 9110 5.2; RFC 6265 5.4 for cookies).  Joining one by one is
    # linear enough: a request has at most limits.header_fields of them.
    variables[key] = known + ("; " if key == "HTTP_COOKIE" else ",") + value
    return special


def _check_host(exchange: Exchange) -> None:
    """Hold the Host field to RFC 9112 3.2."""
    host = exchange.variables.get("HTTP_HOST")
    if host is None:
        if exchange.line.protocol == "HTTP/1.0":
            return
        raise RequestError(400, "HTTP/1.1 request without a Host field")
    if not is_host(host):
        raise RequestError(400, f"invalid Host field: {host[:80]!a}")
    if len(host) <= _LONGEST_REMEMBERED:
        if len(_hosts) >= _MOST_REMEMBERED:
            _hosts.clear()
        _hosts.add(host)


def _out_of_place(head: bytes | bytearray) -> RequestError:
    if head[:2] == TLS_HELLO:
        reason = "the client spoke TLS to a port without it: https:// instead of http://"
        return RequestError(400, reason)
    return RequestError(400, f"control character out of place: {show(bytes(head[:81]))}")
