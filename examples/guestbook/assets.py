"""The files under ``static/``: a fixed list read at start, so no request can name any other."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from exchange import Refusal, Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from store import Store

__all__ = ["asset"]

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

FILES = {
    path.name: (path, f'"{hashlib.sha256(path.read_bytes()).hexdigest()[:20]}"')
    for path in (Path(__file__).parent / "static").iterdir()
    if path.suffix in TYPES
}


def asset(request: Request, _store: Store) -> Response:
    """One file, or 304 when the browser still has this version of it."""
    name = request.captured["name"]
    if name not in FILES:
        raise Refusal(404, f"there is no file {name}")
    path, etag = FILES[name]
    headers = [("ETag", etag), ("Cache-Control", "no-cache")]
    if etag in request.environ.get("HTTP_IF_NONE_MATCH", ""):
        return Response([], status=304, headers=headers)
    headers.append(("Content-Length", str(path.stat().st_size)))
    return Response(_sent(request, path.open("rb")), TYPES[path.suffix], headers=headers)


def _sent(request: Request, file: BinaryIO) -> Iterable[bytes]:
    """The file as a response body: by the server's own, faster means where it has any."""
    wrapper = request.environ.get("wsgi.file_wrapper")
    if wrapper is None or request.method == "HEAD":
        with file:
            return [file.read()]
    body: Iterable[bytes] = wrapper(file, 64 * 1024)
    return body
