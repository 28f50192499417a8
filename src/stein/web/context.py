"""Contexts: which application and which request are current.

A context is pushed onto the one context variable of :mod:`stein.web.globals` and popped again.
There are two kinds.  An :class:`AppContext` is for code that needs an application and no request,
such as a script.  A :class:`RequestContext` is one that has a request besides, so that handling a
request takes a single object and a single change of a variable.

From a context one sees, as :attr:`~AppContext.app_context` and
:attr:`~AppContext.request_context`, what the names of the framework stand for:

* An application's context inside a request of whatever application: that request stays visible.
* A request inside a context of its own application shares that context's ``g``, which is how tests
  look at what the application did.  Inside another application's, it has its own.

A context can be pushed again while it is pushed, and after it was popped, which is what a streamed
response does.  The teardown functions run when the last push is popped.
"""

from __future__ import annotations

import sys
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from stein.toolkit.exceptions import HTTPException, InternalServerError
from stein.web.globals import context_var
from stein.web.sharing import SharedSession
from stein.web.signals import appcontext_popped, appcontext_pushed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Token
    from types import TracebackType
    from typing import ParamSpec, Self
    from weakref import ref

    from stein.toolkit.routing.adapter import MapAdapter
    from stein.typing import Environ
    from stein.web.app import Stein
    from stein.web.request import Request
    from stein.web.sessions import SessionMixin
    from stein.web.streaming import _Stream
    from stein.web.typing import AfterRequestCallable, ResponseHook

    P = ParamSpec("P")

__all__ = [
    "AppContext",
    "AppGlobals",
    "RequestContext",
    "after_this_request",
    "copy_current_request_context",
    "has_app_context",
    "has_request_context",
]

R = TypeVar("R")
F = TypeVar("F", bound="ResponseHook")

#: an exception that was not given, which is looked up; None says that there is none
UNKNOWN: Final[Any] = object()

#: what is made when it is asked for
_LATER: Final[Any] = object()

_get: Final = context_var.get
_set: Final = context_var.set
_reset: Final = context_var.reset


class AppGlobals:
    """A namespace for what lives as long as a context: ``g`` stands for the current one.

    Also supports ``in``, iteration over the names, and some methods of a dictionary.
    """

    # Tells type checkers that any attribute may be there.
    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"{name!r} was not set on g in this context; g.get({name!r}) gives None instead of "
            "this error"
        )

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self.__dict__[name]
        except KeyError:
            raise AttributeError(f"{name!r} was not set on g in this context") from None

    def get(self, name: str, default: Any | None = None) -> Any:
        """An attribute, or the default if it is not set."""
        return self.__dict__.get(name, default)

    def pop(self, name: str, default: Any = UNKNOWN) -> Any:
        """Take an attribute away, and give it.

        :param default: what is given if it is not set.
        :raises KeyError: it is not set, and there is no default.
        """
        if default is UNKNOWN:
            return self.__dict__.pop(name)
        return self.__dict__.pop(name, default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """An attribute, which is set to the default if it was not."""
        return self.__dict__.setdefault(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __repr__(self) -> str:
        context = _get(None)
        if context is None:
            return object.__repr__(self)
        return f"<g of {context.app.name!r}>"


class _Held:
    """Stands for the first push of a context whose teardown was put off."""

    __slots__ = ("error", "times")

    def __init__(self) -> None:
        self.times = 1
        #: with what the context was popped, had it not been held
        self.error: BaseException | None = None


class AppContext:
    """A context with an application.

    Made by :meth:`~stein.web.app.Stein.app_context`, and used with ``with``.

    :param app: the application.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_g",
        "_nested",
        "_token",
        "_url_adapter",
        "app",
        "app_context",
        "request_context",
    )

    # How to undo the first push, and those since: with what was seen from here before them.
    _token: Token[AppContext] | _Held | None
    _nested: list[tuple[Token[AppContext], AppContext | None, RequestContext | None]] | None

    def __init__(self, app: Stein) -> None:
        self.app = app
        self._g: AppGlobals | None = None
        self._url_adapter: MapAdapter | None = None
        self._token = self._nested = None
        #: the context whose ``g`` and URLs are used here: itself, or one further out
        self.app_context: AppContext | None = None
        #: the context of the request that is seen here
        self.request_context: RequestContext | None = None

    @property
    def g(self) -> AppGlobals:
        """The namespace, made when it is first touched."""
        found = self._g
        if found is None:
            home = self.app_context
            if home is not None and home is not self:
                return home.g
            found = self._g = self.app.app_ctx_globals_class()
        return found

    @g.setter
    def g(self, value: AppGlobals) -> None:
        self._g = value

    @property
    def url_adapter(self) -> MapAdapter | None:
        """What builds URLs outside of requests; None if the application has no SERVER_NAME."""
        if self._url_adapter is None:
            self._url_adapter = self.app.create_url_adapter(None)
        return self._url_adapter

    @url_adapter.setter
    def url_adapter(self, value: MapAdapter | None) -> None:
        self._url_adapter = value

    def push(self) -> None:
        """Make this the current context."""
        outer = _get(None)
        self._note(_set(self))
        self.app_context = self
        self.request_context = None if outer is None else outer.request_context
        if appcontext_pushed.receivers:
            appcontext_pushed.send(self.app, _async_wrapper=self.app.ensure_sync)

    def pop(self, exc: BaseException | None = UNKNOWN) -> None:
        """Make the context current again that was before; first tear this one down.

        :param exc: the error that ended the work, which the teardown functions are given; by
            default the one that is being handled.
        :raises AssertionError: another context was pushed after this one, and is still there.
        """
        self._check_innermost()
        try:
            if not self._nested:
                if exc is UNKNOWN:
                    exc = sys.exc_info()[1]
                self.app.do_teardown_appcontext(exc)
            else:
                self._note_error(exc)
        finally:
            self._undo()
            if appcontext_popped.receivers:
                appcontext_popped.send(self.app, _async_wrapper=self.app.ensure_sync)

    def _note(self, token: Token[AppContext]) -> None:
        """Remember how to undo a push."""
        if self._token is None:
            self._token = token
            return
        if self._nested is None:
            self._nested = []
        self._nested.append((token, self.app_context, self.request_context))

    def _undo(self) -> None:
        """Undo the last push."""
        if self._nested:
            token, self.app_context, self.request_context = self._nested.pop()
        else:
            token = cast("Token[AppContext]", self._token)
            self._token = self.app_context = self.request_context = None
        _reset(token)

    def hold(self) -> None:
        """Put off the teardown until :meth:`release` was called as often as this.

        For what goes on with the context after the last pop: a streamed response.  The context must
        be pushed.
        """
        if isinstance(self._token, _Held):
            self._token.times += 1
            return
        # As if there were a push below the first one.
        if self._nested is None:
            self._nested = []
        self._nested.insert(0, (cast("Token[AppContext]", self._token), None, None))
        self._token = _Held()

    def release(self) -> BaseException | None:
        """Take back a :meth:`hold`.  The context must be pushed: the next pop may tear it down.

        :return: the error that it was popped with, for that pop.
        """
        held = cast("_Held", self._token)
        held.times -= 1
        if held.times:
            return None
        self._token = cast("list[Any]", self._nested).pop(0)[0]
        return held.error

    def _note_error(self, exc: BaseException | None) -> None:
        """Keep the error of a pop that would tear down if nobody held the context."""
        held = self._token
        if type(held) is _Held and held.error is None and len(self._nested or ()) == 1:
            held.error = sys.exc_info()[1] if exc is UNKNOWN else exc

    def _check_innermost(self) -> None:
        current = _get(None)
        if current is not self or self._token is None:
            raise AssertionError(
                f"Popped wrong context: {self!r} is not the current one, {current!r} is. Pop "
                "contexts in the reverse order of pushing them, in the thread or task that pushed "
                "them; `with` does so."
            )

    def __enter__(self) -> Self:
        try:
            self.push()
        except BaseException as error:
            # The session or a receiver has failed, and nobody will call __exit__().
            if _get(None) is self:
                self.pop(error)
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.pop(exc_value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.app.name!r}>"


class RequestContext(AppContext):
    """A context with an application and a request.

    Made by :meth:`~stein.web.app.Stein.request_context` and
    :meth:`~stein.web.app.Stein.test_request_context`.  A subclass may override
    :meth:`match_request`.

    :param app: the application.
    :param environ: of the request (PEP 3333).
    :param request: a request that was made of the environ before.
    :param session: a session that was opened before.
    """

    __slots__ = ("_after_request_functions", "_opened", "_streams", "flashes", "request")

    # With whom it shares a session that is not opened yet; see copy().
    _shared: SharedSession | None = None
    # How many streams there were when something raised; see stein.web.streaming.
    _streams_in_doubt = 0
    # Who has answered in the view's place: what it is called, and the function.
    _answered_by: tuple[str, Callable[..., Any]] | None = None
    # Whether the session could not be opened: nothing is tried with it at the end of the request,
    # as a store that does not answer takes its time.
    _unopened = False

    def __init__(
        self,
        app: Stein,
        environ: Environ,
        request: Request | None = None,
        session: SessionMixin | None = None,
    ) -> None:
        # PERF: super().__init__() takes 0.15 us.
        self.app = app
        self._g = self._token = self._nested = None
        self.app_context = self.request_context = None
        if request is None:
            request = app.request_class(environ)
            request.json_module = app.json
        #: the request
        self.request: Request = request
        #: the messages that were taken out of the session to be shown; see ``flash``
        self.flashes: list[tuple[str, str]] | None = None
        # the session, as soon as it is opened
        self._opened: SessionMixin | None = session
        # the streams that see this request, as far as they are alive
        self._streams: list[ref[_Stream]] | None = None
        # by after_this_request()
        self._after_request_functions: list[AfterRequestCallable[Any]] = []
        self._url_adapter = _LATER
        if not app._plain_urls or "create_url_adapter" in app.__dict__:  # noqa: SLF001 - see there
            self._bind_urls()

    def _bind_urls(self) -> None:
        self._url_adapter = None
        try:
            self._url_adapter = self.app.create_url_adapter(self.request)
        except HTTPException as error:
            self.request.routing_exception = error

    @property
    def url_adapter(self) -> MapAdapter | None:
        """What finds the request's rule and builds URLs; None if its host is not served."""
        if self._url_adapter is _LATER:
            self._bind_urls()
        return self._url_adapter

    @url_adapter.setter
    def url_adapter(self, value: MapAdapter | None) -> None:
        self._url_adapter = value

    def copy(self) -> RequestContext:
        """Another context with the same request and session, for another thread or greenlet.

        The request is the same object, so that two threads should not read its body at a time.
        """
        opened = self._opened
        copied = type(self)(self.app, self.request.environ, request=self.request, session=opened)
        if opened is None:
            # One for all threads that make the first copy at the same time.
            self.__dict__.setdefault("_shared", SharedSession()).join(self, copied)
        return copied

    @property
    def session(self) -> SessionMixin:
        """The session, which is opened when it is first asked for, and knows that it was."""
        found = self._opened
        if found is None:
            found = self._session
        found.accessed = True
        return found

    @property
    def _session(self) -> SessionMixin:
        """The session, for those who must not count as asking for it."""
        found = self._opened
        if found is None:
            shared = self._shared
            if shared is not None:
                return shared.open(self)
            found = self._opened = self._open_session()
            shared = self._shared
            if shared is not None:  # by now
                found = self._opened = shared.settle(found)
        return found

    @_session.setter
    def _session(self, value: SessionMixin | None) -> None:
        self._opened = value

    def _open_session(self) -> SessionMixin:
        app = self.app
        try:
            found = app.session_interface.open_session(app, self.request)
        except BaseException:
            self._unopened = True
            raise
        return app.session_interface.make_null_session(app) if found is None else found

    def match_request(self) -> None:
        """Hook: find the rule that the request's path leads to.

        It is noted on the request, or the error if there is none.
        """
        request = self.request
        try:
            found: Any = None
            if self._url_adapter is _LATER:
                found = self.app._find_rule(request)  # noqa: SLF001 - the application's other half
            if found is None:
                adapter = self.url_adapter
                if adapter is None:
                    return
                found = adapter.match(return_rule=True)
            request.url_rule, request.view_args = found
        except HTTPException as error:
            request.routing_exception = error

    def push(self) -> None:
        """Make this the current context, and find out which rule the request is for."""
        app = self.app
        outer = _get(None)
        token = _set(self)
        if self._token is None:
            self._token = token
        else:
            self._note(token)
        self.request_context = self
        # One that has had a g keeps it when it is pushed again, inside of whatever.
        if outer is None or outer.app is not app or self._g is not None:
            self.app_context = self
            if appcontext_pushed.receivers:
                appcontext_pushed.send(app, _async_wrapper=app.ensure_sync)
        else:
            self.app_context = outer.app_context
        # A session of somebody else's kind is opened for each request, and before the rule is
        # looked for, as converters may ask for it.
        if (
            self._opened is None
            and not getattr(app.session_interface, "lazy", False)
            and not self._unopened
        ):
            self._session  # noqa: B018 - opens it
        request = self.request
        if (
            self._url_adapter is not None
            and request.url_rule is None
            and request.routing_exception is None
        ):
            try:
                self.match_request()
            except BaseException:
                # A converter's own error.  It is not to come again with each further push, the
                # last of which is there to tear down.
                request.routing_exception = InternalServerError()
                raise

    def pop(self, exc: BaseException | None = UNKNOWN) -> None:
        """Make the context current again that was before; first tear this one down.

        :param exc: as in :meth:`AppContext.pop`.
        :raises AssertionError: another context was pushed after this one, and is still there.
        """
        if _get(None) is not self or self._token is None:
            self._check_innermost()
        if self._nested:
            self._note_error(exc)
            self._undo()
            return
        app = self.app
        if exc is UNKNOWN:
            exc = sys.exc_info()[1]
        request = self.request
        mine = self.app_context is self
        try:
            try:
                app.do_teardown_request(exc)
                request.close()
            finally:
                if mine:
                    app.do_teardown_appcontext(exc)
        finally:
            # Without these two cycles nothing waits for the collector.
            request.environ["werkzeug.request"] = None
            if request.routing_exception is not None and request.routing_exception is not exc:
                request.routing_exception.__traceback__ = None
            token = self._token
            self._token = self.app_context = self.request_context = None
            _reset(token)  # type: ignore[arg-type]  # it is pushed, and nobody holds it
            if mine and appcontext_popped.receivers:
                appcontext_popped.send(app, _async_wrapper=app.ensure_sync)

    def __repr__(self) -> str:
        request = self.request
        return f"<{type(self).__name__} {request.url!r} [{request.method}] of {self.app.name!r}>"


def after_this_request(f: F) -> F:
    """Call a function with the response of the request that is being handled.

    ::

        @after_this_request
        def add_header(response):
            response.headers["X-Parade"] = "yes"
            return response

    :param f: takes the response, and returns it or another one.
    :return: the function.
    :raises RuntimeError: no request is being handled.
    """
    context = _request_context("after_this_request", "in a view function or a before_request hook")
    context._after_request_functions.append(f)  # noqa: SLF001 - the context's other half
    return f


def copy_current_request_context(f: Callable[P, R]) -> Callable[P, R]:
    """Make a function see the request that is being handled now, wherever it is called.

    For threads and greenlets, which begin without one::

        @copy_current_request_context
        def work():
            ...  # request and session are there

        Thread(target=work).start()

    Each call has a context of its own.  The request's body should be read before.

    :raises RuntimeError: no request is being handled.
    """
    context = _request_context("copy_current_request_context", "in a view function")
    # A copy, as the one that is current is torn down while the function may not have begun.
    context = context.copy()

    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        # Another one for each call, as two threads may call at the same time.
        with context.copy() as copied:
            return cast("R", copied.app.ensure_sync(f)(*args, **kwargs))

    return update_wrapper(wrapper, f)


def _request_context(function: str, where: str) -> RequestContext:
    context = _get(None)
    found = None if context is None else context.request_context
    if found is None:
        raise RuntimeError(
            f"'{function}' can only be used when a request context is active, such as {where}. "
            "None is here: the code runs at import time, in a thread of its own, or after the "
            "request has ended."
        )
    return found


def has_request_context() -> bool:
    """Whether a request is being handled, so that ``request`` and ``session`` can be used."""
    context = _get(None)
    return context is not None and context.request_context is not None


def has_app_context() -> bool:
    """Whether there is a current application, so that ``current_app`` and ``g`` can be used."""
    return _get(None) is not None
