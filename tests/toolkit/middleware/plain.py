"""A call of a WSGI application by hand, with wsgiref's validator watching both sides."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref.headers import Headers
from wsgiref.validate import validator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stein.typing import Environ, HeaderList, WSGIApplication


class Answer(NamedTuple):
    status: str
    headers: Any  # wsgiref's Headers: None for a field that is not there
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("latin-1")


def environ_of(path: Any = "/", method: Any = "GET", body: Any = b"", **more: Any) -> Environ:
    """An environ as a server makes it: the path is the bytes that came, as latin-1.

    All of it is typed Any, so that keys which are no Python names can come as ``**{...}``.
    """
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    return {**environ, **more}


def call(app: WSGIApplication, environ: Environ | None = None, /, **kwargs: Any) -> Answer:
    """Call the application as a server does that holds both sides to PEP 3333."""
    return call_loosely(validator(app), environ, **kwargs)


def call_loosely(app: WSGIApplication, environ: Environ | None = None, /, **kwargs: Any) -> Answer:
    """Call the application, right or wrong."""
    started: list[tuple[str, HeaderList]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: HeaderList, exc_info: Any = None) -> Any:
        started.append((status, headers))
        return written.append

    result = app(environ_of(**kwargs) if environ is None else environ, start_response)
    try:
        written.extend(result)
    finally:
        if hasattr(result, "close"):
            close(result)
    status, headers = started[-1]
    return Answer(status, Headers(list(headers)), b"".join(written))


def close(body: Any) -> None:
    """Close a body as a server does; its type promises no ``close()``."""
    body.close()


def saying(text: str, status: str = "200 OK") -> WSGIApplication:
    """An application that says who it is."""
    return answering(lambda environ: text, status)


def answering(say: Callable[[Environ], str], status: str = "200 OK") -> WSGIApplication:
    """An application that says something about its environ."""

    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response(status, [("Content-Type", "text/plain")])
        return [say(environ).encode()]

    return app
