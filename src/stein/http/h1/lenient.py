"""Requests that are wrong, and that a server may mend: for development, and for old clients.

The strict reader refuses them all, since in a chain of servers each one that mends a message in
its own way is half of a smuggling hole.  Nobody is in front of a server on a laptop; and there
lives the client that has done it like this for ten years.  So the lenient reader mends

- a folded field line, by taking the line end away (RFC 9112 5.2), unless the field decides where
  the message ends or for whom it is;
- a Content-Length beside ``Transfer-Encoding: chunked``: the latter counts (RFC 9112 6.3);
- a fragment behind the request target, which no client should send (RFC 9110 7.1): it is cut off;
- a path as Host, as clients of a Unix socket send it that know no host: ``localhost``.

After a mended request the connection is closed, so that nothing behind it can be taken for a
request; and somebody is told.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stein.errors import RequestError
from stein.http.h1.reader import NEVER, RequestReader
from stein.http.h1.strict import parse_request_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.http.exchange import Exchange
    from stein.http.limits import Limits

__all__ = ["LenientReader", "Mended", "mend"]

_FRAGMENT: Final = re.compile(rb"([^ ]+ [^ #]+)#[^ ]*( HTTP/1\.[01])")
_PATH_AS_HOST: Final = re.compile(rb"host:[ \t]*/", re.IGNORECASE)

# A folded one of these has been used to hide it from one server of a chain.
_NEVER_FOLDED: Final = frozenset({b"content-length", b"host", b"transfer-encoding"})


class Mended(NamedTuple):
    """A head that a strict reader can read."""

    head: bytes
    faults: tuple[str, ...]  #: what was wrong with it
    length: bytes | None  #: the value of a Content-Length that does not count


class LenientReader(RequestReader):
    """Reads requests as :class:`RequestReader` does, and mends what may be mended.

    :param note: called with what was wrong, for each request that was mended.
    :param local: whether the connection is that of a Unix socket.
    """

    __slots__ = ("_local", "_note")

    def __init__(
        self,
        limits: Limits,
        template: dict[str, Any],
        note: Callable[[Exchange, str], object],
        *,
        local: bool,
    ) -> None:
        super().__init__(limits, template)
        self._note = note
        self._local = local

    def _check_piece(self, head: bytearray, start: int) -> None:
        try:
            super()._check_piece(head, start)
        except RequestError:
            line = _without_fragment(bytes(head.partition(b"\r\n")[0]))
            if self._line is not None or line is None:
                raise
            self._line = parse_request_line(line)
            super()._check_piece(head, start)

    def _read_head(self, head: bytes) -> Exchange:
        try:
            return self._make_exchange(head)
        except RequestError as error:
            mended = None
            # What is cut off is looked at, too: it is as long as it is, and holds what it holds.
            if not (error.limit or NEVER.search(head) or self._is_large(head)):
                mended = mend(head, local=self._local)
            if mended is None:
                self._parser = None
                return super()._read_head(head)  # raises the same again
        self._parser = None  # it may have stopped in the middle of a line
        exchange = super()._read_head(mended.head)
        exchange.persistent = False
        if mended.length is not None:
            exchange.variables["CONTENT_LENGTH"] = mended.length.decode("latin-1")
        self._note(exchange, "; ".join(mended.faults))
        return exchange

    def _is_large(self, head: bytes) -> bool:
        line = head.index(b"\r\n")
        limits = self._limits
        return line > limits.request_line or len(head) - line - 2 > limits.header_bytes


def mend(head: bytes, *, local: bool) -> Mended | None:
    """Mend a request head that was refused.

    :param head: from the request line to the empty line.
    :param local: whether a path may stand for the host.
    :return: ``None`` if nothing in it may be mended.
    """
    first, *lines = head[:-4].split(b"\r\n")
    faults = []
    line = _without_fragment(first)
    if line is not None:
        faults.append("a fragment in the request target")
        first = line
    unfolded = _unfold(lines)
    if unfolded is None:
        return None
    if len(unfolded) < len(lines):
        faults.append("a folded field line")
    fields, length = _without_length(unfolded)
    if length is not None:
        faults.append("Content-Length beside Transfer-Encoding")
    hosts = [number for number, field in enumerate(fields) if _PATH_AS_HOST.match(field)]
    if local and hosts:
        faults.append("a path as Host")
        for number in hosts:
            fields[number] = b"Host: localhost"
    if not faults:
        return None
    return Mended(b"\r\n".join([first, *fields, b"", b""]), tuple(faults), length)


def _without_fragment(line: bytes) -> bytes | None:
    """The request line without its fragment; ``None`` if it has none."""
    match = _FRAGMENT.fullmatch(line)
    return match[1] + match[2] if match else None


def _unfold(lines: list[bytes]) -> list[bytes] | None:
    """The field lines with continuations joined; ``None`` if one is where none may be."""
    found: list[list[bytes]] = []
    for line in lines:
        if not line.startswith((b" ", b"\t")):
            found.append([line])
            continue
        if not found or found[-1][0].partition(b":")[0].lower() in _NEVER_FOLDED:
            return None
        found[-1].append(line)
    return [b"".join(parts) for parts in found]


def _without_length(fields: list[bytes]) -> tuple[list[bytes], bytes | None]:
    """The fields without Content-Length, and its value, if the body is chunked and only that."""
    split = [(field.partition(b":"), field) for field in fields]
    codings = [value for (name, _, value), _ in split if name.lower() == b"transfer-encoding"]
    lengths = [value for (name, _, value), _ in split if name.lower() == b"content-length"]
    if len(lengths) != 1 or [each.strip(b" \t").lower() for each in codings] != [b"chunked"]:
        return fields, None
    rest = [field for (name, _, _), field in split if name.lower() != b"content-length"]
    return rest, lengths[0].strip(b" \t")
