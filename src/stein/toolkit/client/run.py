"""Calling a WSGI application (PEP 3333) without a server."""

# ruff: noqa: FBT001, FBT002 - ``buffered`` is positional in the interface

from __future__ import annotations

from typing import TYPE_CHECKING

from stein.errors import ApplicationError
from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.wsgi import ClosingIterator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stein.typing import Environ, ExcInfo, HeaderList, Write, WSGIApplication

__all__ = ["run_wsgi_app"]


class _Start:
    """``start_response``: keeps what it is told, and what is written through it."""

    __slots__ = ("headers", "status", "written")

    def __init__(self) -> None:
        self.status: str | None = None
        self.headers: HeaderList = []
        self.written: list[bytes] = []

    def __call__(self, status: str, headers: HeaderList, exc_info: ExcInfo | None = None) -> Write:
        if exc_info is not None:
            # A server would send the page about the error; a test wants to see the error.
            try:
                raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # breaks the cycle through the traceback's frame
        self.status = status
        self.headers = headers
        return self.written.append

    def head(self, app: WSGIApplication) -> tuple[str, Headers]:
        """What it was told."""
        if self.status is None:
            raise ApplicationError(
                f"{app!r} gave its body and has not called start_response(); it must be called"
                " before the first piece of the body (PEP 3333)"
            )
        return self.status, Headers(self.headers)


def run_wsgi_app(
    app: WSGIApplication, environ: Environ, buffered: bool = False
) -> tuple[Iterable[bytes], str, Headers]:
    """Call an application and give what it answers.

    The application gets a copy of the environ, so that what it does to it stays its own affair.
    The iterable is read up to its first piece, or further until ``start_response`` was called.  If
    it is no list, the caller closes it.

    :param app: the application.
    :param environ: what it is called with; or a request, whose environ it is.
    :param buffered: read the whole body into a list and close it.
    :return: the body, the status, the header fields.
    :raises ApplicationError: ``start_response`` was not called.
    """
    environ = dict(getattr(environ, "environ", environ))
    start = _Start()
    result = app(environ, start)
    written = start.written
    # PERF: most answers are a list, which needs no iterator around it.
    if result.__class__ is list and not written and start.status is not None:
        return result, start.status, Headers(start.headers)
    close = getattr(result, "close", None)
    try:
        pieces = iter(result)
        for piece in pieces:
            written.append(piece)
            if not buffered and start.status is not None:
                break
        status, headers = start.head(app)
    except BaseException:
        if close is not None:
            close()
        raise
    if buffered:
        if close is not None:
            close()
        return written, status, headers
    body: Iterable[bytes] = _in_order(written, pieces)
    if close is not None:
        body = ClosingIterator(body, close)
    return body, status, headers


def _in_order(written: list[bytes], pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces, each behind what was written while it was made."""
    yield from written
    written.clear()
    for piece in pieces:
        written.append(piece)
        yield from written
        written.clear()
    yield from written
