"""Small applications for the tests of this folder."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from stein.toolkit.request import Request
from stein.toolkit.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stein.typing import WSGIApplication


def says(look: Callable[[Any], object], kind: type[Request] = Request) -> WSGIApplication:
    """An application that answers with the `repr` of what a function sees in the request."""

    @kind.application
    def app(request: Request) -> Response:
        return Response(repr(look(request)))

    return app


def answers(make: Callable[[Any], Any], kind: type[Request] = Request) -> WSGIApplication:
    """An application out of a function from a request to a response, as a plain expression."""
    return kind.application(make)


def limited(**limits: Any) -> type[Request]:
    """A class of requests with other limits."""
    return type("Limited", (Request,), limits)


class Unknown:
    """A body whose length nobody knows beforehand: all that it can is `read`."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    def read(self, size: int = -1) -> bytes:
        """Give the next piece, or as much of it as is wanted; all of them for -1."""
        if size < 0:
            data, self._pieces = b"".join(self._pieces), []
            return data
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if len(piece) > size:
            self._pieces.insert(0, piece[size:])
        return piece[:size]

    def readline(self, size: int = -1) -> bytes:
        """Give the next line, which no body of these tests has."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


def unknown(*pieces: bytes) -> IO[bytes]:
    """An `Unknown`, as its users see it."""
    body: Any = Unknown(*pieces)
    return body  # type: ignore[no-any-return]
