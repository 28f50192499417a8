"""What a server passes to an application, for tests without one."""

from __future__ import annotations

import sys
from io import BytesIO
from typing import Any


def make_environ(
    path: str = "/", query: str = "", body: bytes = b"", **more: Any
) -> dict[str, Any]:
    """An environ (PEP 3333).

    :param more: names in capitals, and with ``__`` for a dot: ``wsgi__url_scheme="https"``.
    """
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST" if body else "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "HTTP_HOST": "example.com",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    environ.update({name.replace("__", "."): value for name, value in more.items()})
    return environ


def call(app: Any, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
    """Call an application as a server does; gives status, fields and body."""
    told: list[Any] = []
    result = app(environ, lambda status, headers, exc_info=None: told.extend([status, headers]))
    try:
        body = b"".join(result)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    return told[0], told[1], body
