"""How long the request body is, by RFC 9112 6.

Wrong answers here are request smuggling, so whatever is doubtful is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stein.errors import RequestError

if TYPE_CHECKING:
    from stein.http.exchange import Exchange
    from stein.http.limits import Limits

__all__ = ["CHUNKED", "apply_expectation", "apply_persistence", "body_length"]

CHUNKED: Final = -1  #: stands for a length that only the chunks will tell

# More digits than any body will ever have: refused before any arithmetic.
_MOST_DIGITS: Final = 19
_ASCII_DIGITS: Final = frozenset("0123456789")
# RFC 1945 8.3: HTTP/1.0 has no other way to delimit the content of these
_LENGTH_REQUIRED_IN_1_0: Final = frozenset({"POST", "PUT"})


def body_length(exchange: Exchange, limits: Limits) -> int:
    """The length of the request body in bytes, or :data:`CHUNKED`.

    :raises RequestError: 400 for faulty framing, 411, 413, or 501 for an unknown coding.
    """
    variables, line = exchange.variables, exchange.line
    coding = variables.pop("HTTP_TRANSFER_ENCODING", None)
    declared = variables.get("CONTENT_LENGTH")
    if coding is not None:
        if declared is not None:
            raise RequestError(400, "both Transfer-Encoding and Content-Length")
        if line.protocol == "HTTP/1.0":
            raise RequestError(400, "Transfer-Encoding in an HTTP/1.0 request")
        _require_chunked(coding)
        return CHUNKED
    if declared is None:
        if line.protocol == "HTTP/1.0" and line.method in _LENGTH_REQUIRED_IN_1_0:
            raise RequestError(411, f"HTTP/1.0 {line.method} without Content-Length")
        return 0
    if not declared or len(declared) > _MOST_DIGITS or not _ASCII_DIGITS.issuperset(declared):
        raise RequestError(400, f"invalid Content-Length: {declared[:80]!a}")
    length = int(declared)
    if limits.body is not None and length > limits.body:
        reason = f"Content-Length {length} is over the limit of {limits.body} bytes"
        raise RequestError(413, reason, "limit_body")
    return length


def _require_chunked(coding: str) -> None:
    """Refuse every Transfer-Encoding but a single ``chunked`` (RFC 9112 6.1, 7)."""
    if not coding.isascii():  # lower() would make an ASCII k of U+212A
        raise RequestError(400, f"invalid Transfer-Encoding: {coding[:80]!a}")
    if coding.lower() == "chunked":
        return
    codings = [part.strip(" \t").lower() for part in coding.split(",")]
    if codings[-1] == "chunked" and "chunked" not in codings[:-1] and all(codings):
        raise RequestError(501, f"transfer coding not known here: {coding[:80]!a}")
    raise RequestError(400, f"invalid Transfer-Encoding: {coding[:80]!a}")


def apply_persistence(exchange: Exchange) -> None:
    """Decide whether the connection may go on after this exchange (RFC 9112 9.3)."""
    field = exchange.variables.get("HTTP_CONNECTION")
    if field is None:
        exchange.persistent = exchange.line.protocol != "HTTP/1.0"
        return
    options = {option.strip(" \t").lower() for option in field.split(",")}
    if "close" in options:
        exchange.persistent = False
    elif exchange.line.protocol == "HTTP/1.0":
        exchange.persistent = "keep-alive" in options


def apply_expectation(exchange: Exchange, expectation: str) -> None:
    """Note ``Expect: 100-continue`` (RFC 9110 10.1.1).

    :raises RequestError: 417 for any other expectation.
    """
    if exchange.line.protocol == "HTTP/1.0":
        return
    if expectation.lower() != "100-continue":
        raise RequestError(417, f"unknown expectation: {expectation[:80]!a}")
    exchange.expects_continue = True
