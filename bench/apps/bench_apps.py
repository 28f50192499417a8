"""The plain WSGI application every server runs: one dictionary look-up, then the smallest view.

The views do as little as a view can, so that the figures are about the servers. One application for
all cases keeps the start-up, the import and the dispatch the same for every peer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

    View = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]

HELLO = b"hello, world\n"
BODY_10K = b"x" * 10_240
BODY_1M = b"x" * 1_048_576
BLOCK = b"x" * 65_536
SLEEP = 0.020


def answer(start_response: StartResponse, body: bytes) -> list[bytes]:
    """One complete response with its length, which every server can frame without chunking."""
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def hello(_environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """Thirteen bytes: what is left is the server."""
    return answer(start_response, HELLO)


def body_10k(_environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """A page of usual size."""
    return answer(start_response, BODY_10K)


def body_1m(_environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """A picture: the server may need several writes."""
    return answer(start_response, BODY_1M)


def slow(_environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """A view that waits for something, as views that ask a database do."""
    time.sleep(SLEEP)
    return answer(start_response, HELLO)


def upload(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """Read the body in blocks and answer with the number of bytes seen, so the client can check."""
    read = environ["wsgi.input"].read
    left = int(environ.get("CONTENT_LENGTH") or 0)
    seen = 0
    while left > 0:
        block = read(min(len(BLOCK), left))
        if not block:
            break
        left -= len(block)
        seen += len(block)
    return answer(start_response, str(seen).encode())


def blocks(size: int) -> Iterator[bytes]:
    """`size` bytes as an iterator: no server is helped by a file descriptor to send from."""
    whole, rest = divmod(size, len(BLOCK))
    for _ in range(whole):
        yield BLOCK
    if rest:
        yield BLOCK[:rest]


def download(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """As many bytes as the query asks for, block by block, with their length in front."""
    size = int(parse_qs(environ["QUERY_STRING"])["bytes"][0])
    headers = [("Content-Type", "application/octet-stream"), ("Content-Length", str(size))]
    start_response("200 OK", headers)
    return blocks(size)


VIEWS: dict[str, View] = {
    "/": hello,
    "/10k": body_10k,
    "/1m": body_1m,
    "/post": upload,
    "/slow": slow,
    "/upload": upload,
    "/download": download,
}


def missing(_environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """A path that no case asks for."""
    start_response("404 Not Found", [("Content-Length", "0")])
    return []


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The application every server runs."""
    return VIEWS.get(environ["PATH_INFO"], missing)(environ, start_response)
