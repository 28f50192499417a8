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

    If each opened it for itself, what a thread writes would be lost, as one of them is saved.  Any
    thread may call any method.
    """

    __slots__ = ("_contexts", "_lock", "_session")

    def __init__(self) -> None:
        #: guards the two below, and that only one thread opens a session
        self._lock = Lock()
        self._contexts: WeakSet[RequestContext] = WeakSet()
        self._session: SessionMixin | None = None

    def join(self, context: RequestContext, copied: RequestContext) -> None:
        """Let a copy have the session of a context, be it open already or not."""
        with self._lock:
            found = self._session
            # Only now, as another thread may have opened it while the copy was made.
            copied._opened = context._opened if found is None else found  # noqa: SLF001 - the other half
            copied._shared = self  # noqa: SLF001
            self._contexts.update((context, copied))

    def open(self, context: RequestContext) -> SessionMixin:
        """Give the session of a context that has none yet."""
        with self._lock:
            found = context._opened  # noqa: SLF001
            if found is None:
                found = self._tell(context._open_session())  # noqa: SLF001
        return found

    def settle(self, opened: SessionMixin) -> SessionMixin:
        """Give the session for a context that has opened one while a copy of it was made."""
        with self._lock:
            return self._tell(opened) if self._session is None else self._session

    def _tell(self, session: SessionMixin) -> SessionMixin:
        self._session = session
        for each in self._contexts:
            each._opened = session  # noqa: SLF001
        return session
