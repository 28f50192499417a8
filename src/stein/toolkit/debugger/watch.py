"""What stands between an application and the server while the application answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stein.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stein.typing import HeaderList, StartResponse

__all__ = ["Start", "Watched"]


class Start:
    """Stands before a server's ``start_response``, and remembers whether it was called."""

    def __init__(self, start_response: StartResponse) -> None:
        self._start_response = start_response
        self._called = False
        self.instead_of: Exception | None = None  #: the page for this one is about to begin

    def __call__(self, status: str, fields: HeaderList, exc_info: Any = None) -> Any:
        """Begin an answer (PEP 3333)."""
        if self._called and exc_info is None and self.instead_of is not None:
            # PEP 3333: raises the exception again if a part of the answer has been sent already.
            # Then nothing can be shown, and the server must cut the answer off, so that nobody
            # takes it for all of it.  It tells the exception, too.
            error = self.instead_of
            return self._start_response(status, fields, (type(error), error, error.__traceback__))
        self._called = True
        if exc_info is None:
            return self._start_response(status, fields)
        return self._start_response(status, fields, exc_info)


class Watched:
    """The body of an answer; what is raised while it is made is shown, too.

    :param given: by the application.
    :param show: gives another body in place of the rest, or raises the exception again.
    """

    def __init__(
        self, given: Iterable[bytes], show: Callable[[Exception], Iterable[bytes]]
    ) -> None:
        self._close = getattr(given, "close", None)
        self._given, self._show = given, show
        self._pieces: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._pieces is None:
                self._pieces = iter(self._given)
            return next(self._pieces)
        except (StopIteration, RequestError):
            raise
        except Exception as error:  # noqa: BLE001 - that is what it is for
            # Goes on with the page, or raises the exception again.
            self._pieces = iter(self._show(error))
            return next(self._pieces)

    def close(self) -> None:
        """Close the body that the application gave."""
        if self._close is not None:
            self._close()
