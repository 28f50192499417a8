"""The request line, held to RFC 9112 3.

llhttp checks header fields well, but lets by much in the request line (two blanks after the
method, fragments, other protocols' names) and refuses methods it does not know.  So this line is
read here, and llhttp only confirms.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from stein.errors import RequestError
from stein.http.exchange import RequestLine
from stein.http.grammar import TCHAR, is_host

__all__ = ["parse_request_line", "show"]

# RFC 9112 3.  Bytes above 0x7f are no URI characters, but browsers and curl do send them; a
# fragment is none of the target's (RFC 9112 3.2).
_LINE: Final = re.compile(rf"([{TCHAR}]+) ([\x21\x22\x24-\x7e\x80-\xff]+) HTTP/([0-9]\.[0-9])")
# RFC 9112 3.2.2, with the schemes that this server can stand for
_ABSOLUTE: Final = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE)
_SERVED: Final = {"1.0": "HTTP/1.0", "1.1": "HTTP/1.1"}


def show(data: bytes, most: int = 80) -> str:
    """Bytes for a log line: printable, one line, at most ``most`` characters of them."""
    text = data[:most].decode("latin-1").encode("unicode_escape").decode("ascii")
    return text + ("..." if len(data) > most else "")


def parse_request_line(line: bytes) -> RequestLine:
    """Decode a request line.

    :param line: without its CRLF.
    :raises RequestError: 400 if it is malformed, 501 for CONNECT, 505 for a version other than
        1.0 and 1.1.
    """
    match = _LINE.fullmatch(line.decode("latin-1"))
    if match is None:
        what = "fragment in the request target" if b"#" in line else "malformed request line"
        raise RequestError(400, f"{what}: {show(line)}")
    method, target, version = match.groups()
    protocol = _SERVED.get(version)
    if protocol is None:
        raise RequestError(505, f"HTTP version not served: {show(line)}")
    if method == "CONNECT":
        raise RequestError(501, "CONNECT: this server is no proxy")
    host = None
    path = target
    if target[0] != "/":
        host, path = _split_target(method, target)
    path, _, query = path.partition("?")
    if "%" in path:
        path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
    return RequestLine(method, target, path, query, protocol, host)


def _split_target(method: str, target: str) -> tuple[str | None, str]:
    """The authority and the path with query of a target that is no path (RFC 9112 3.2)."""
    if target == "*":
        if method != "OPTIONS":
            raise RequestError(400, f"target * goes with OPTIONS only, not with {method}")
        return None, target
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise RequestError(400, f"request target is no path and no http URL: {target[:80]!a}")
    host, path = match.groups()
    if not host or host.startswith(":") or not is_host(host):
        raise RequestError(400, f"invalid authority in the request target: {host[:80]!a}")
    return host, path if path.startswith("/") else "/" + path
