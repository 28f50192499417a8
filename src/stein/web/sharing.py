"""What a context and its copies have in common."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from stein.web.context import RequestContext
    from stein.web.sessions import SessionMixin

__all__ = ["SharedSession"]


class SharedSession:
    """Opens a session for a context and its copies: whichever asks first.

    If each opened it for itself, what a thread writes would be lost, as one of them is saved.
    """

    __slots__ = ("_opening", "contexts")

    def __init__(self) -> None:
        self._opening = Lock()
        self.contexts: WeakSet[RequestContext] = WeakSet()

    def open(self, context: RequestContext) -> SessionMixin:
        """Give the session of a context that has none yet."""
        with self._opening:
            found = context._opened  # noqa: SLF001 - the other half
            if found is None:
                found = context._open_session()  # noqa: SLF001
                for each in self.contexts:
                    each._opened = found  # noqa: SLF001
        return found
