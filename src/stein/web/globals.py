"""What is current: one context variable, and the proxies that programs import.

The variable holds the innermost context (:mod:`stein.web.context`).  A request context is also the
context of its application, so that one variable tells both; each context knows which request is
seen from it.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from stein.toolkit.proxy import LocalProxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token

    from stein.toolkit.proxy import Pick
    from stein.web.app import Stein
    from stein.web.context import AppContext, AppGlobals, RequestContext
    from stein.web.request import Request
    from stein.web.sessions import SessionMixin

__all__ = [
    "app_ctx",
    "context_var",
    "current_app",
    "g",
    "request",
    "request_ctx",
    "session",
]

#: the innermost context of this thread, task or greenlet
context_var: Final[ContextVar[AppContext]] = ContextVar("stein.context")

_NO_APP: Final = """\
Working outside of application context.

What was used here belongs to an application, and none is current. In a script or a test, set one
up around the code:

    with app.app_context():
        ...

In a thread or a callback that outlives the view, do the same there, or pass on what it needs.\
"""
_NO_REQUEST: Final = """\
Working outside of request context.

What was used here belongs to a request, and none is being handled. If this runs in a thread, wrap
its function with copy_current_request_context(); if it is a generator that the response streams,
with stream_with_context(). In a test or a script, make a request up:

    with app.test_request_context("/path"):
        ...\
"""


class ContextView:
    """One of two views of :data:`context_var`: the application's context, or the request's.

    It can be used like the context variable that it stands for in programs which look at these.

    :param attribute: of a context: the context that is seen in this view, or None.
    """

    __slots__ = ("_attribute", "name")

    def __init__(self, name: str, attribute: str) -> None:
        self.name = name
        self._attribute = attribute

    def get(self, *default: Any) -> Any:
        """The context; without one, the default, or LookupError."""
        context = context_var.get(None)
        found = None if context is None else getattr(context, self._attribute)
        if found is not None:
            return found
        if default:
            return default[0]
        raise LookupError(self)

    def set(self, value: AppContext) -> Token[AppContext]:
        """Make a context the current one, for both views."""
        return context_var.set(value)

    def reset(self, token: Token[AppContext]) -> None:
        """Take back what :meth:`set` did."""
        context_var.reset(token)

    def __current__(self, pick: Pick, unbound_message: str) -> Callable[[], Any]:
        get, attribute = self.get, self._attribute
        if attribute == "request_context":
            # PERF: the plain version, below, takes twice as long; most of what a view does with
            # its request goes through here.
            return _request_getter(pick, unbound_message)

        def current() -> Any:
            found = get(None)
            if found is None:
                raise RuntimeError(unbound_message)
            return found if pick is None else pick(found)

        return current

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


def _request_getter(pick: Pick, unbound_message: str) -> Callable[[], Any]:
    get = context_var.get

    def current() -> Any:
        context = get(None)
        if context is not None:
            found = context.request_context
            if found is not None:
                return found if pick is None else pick(found)
        raise RuntimeError(unbound_message)

    return current


_cv_app: Final = ContextView("stein.app_context", "app_context")
_cv_request: Final = ContextView("stein.request_context", "request_context")

app_ctx: AppContext = LocalProxy(_cv_app, unbound_message=_NO_APP)  # type: ignore[assignment]
current_app: Stein = LocalProxy(  # type: ignore[assignment]
    context_var, "app", unbound_message=_NO_APP
)
g: AppGlobals = LocalProxy(context_var, "g", unbound_message=_NO_APP)  # type: ignore[assignment]

request_ctx: RequestContext = LocalProxy(  # type: ignore[assignment]
    _cv_request, unbound_message=_NO_REQUEST
)
request: Request = LocalProxy(  # type: ignore[assignment]
    _cv_request, "request", unbound_message=_NO_REQUEST
)
session: SessionMixin = LocalProxy(  # type: ignore[assignment]
    _cv_request, "session", unbound_message=_NO_REQUEST
)
