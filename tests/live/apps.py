"""Applications that the live tests serve in a process of their own."""

from __future__ import annotations

import hashlib
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BLOCK = bytes(range(256)) * 256  # 64 KiB


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer by path: a greeting, a digest of what was sent, or much data."""
    path, _, argument = environ["PATH_INFO"].strip("/").partition("/")
    if path == "digest":
        return digest(environ, start_response)
    if path == "generate":
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return generate(int(argument))
    if path == "file":
        return send_file(environ, start_response, int(argument))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


def digest(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The SHA-256 of the request body, read block by block."""
    found = hashlib.sha256()
    while block := environ["wsgi.input"].read(1 << 18):
        found.update(block)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "64")])
    return [found.hexdigest().encode()]


def generate(blocks: int) -> Iterator[bytes]:
    """So many blocks of 64 KiB, one at a time."""
    for _ in range(blocks):
        yield BLOCK


def send_file(environ: dict[str, Any], start_response: Any, blocks: int) -> Iterable[bytes]:
    """The same bytes out of a file, by way of ``wsgi.file_wrapper``."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the server with the response
    for _ in range(blocks):
        file.write(BLOCK)
    file.seek(0)
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file)
    return wrapped
