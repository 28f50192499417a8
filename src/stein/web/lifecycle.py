"""One request, from the server's call to its answer, as plain steps in the order of time.

::

    wsgi_app                   the server calls
      request_context          the context is made, and pushed: the rule of the path is found
      full_dispatch_request
        preprocess_request     url_value_preprocessor and before_request hooks
        dispatch_request       the view
        handle_user_exception  if one of these two raised: an error handler
        finalize_request
          make_response        out of what the view returned
          process_response     after_request hooks; the session's cookie
      handle_exception         if any of these raised: the answer is 500
      response()               start_response is called, the body is given to the server
      do_teardown_request      the context is popped: teardown_request hooks
      do_teardown_appcontext   teardown_appcontext hooks

Each step is a method that a subclass may override, and is called as one each time.  What nobody has
registered costs the look at an empty table, however many routes and blueprints there are: the
hooks of a request are those of its own blueprints, which its endpoint names.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from stein.toolkit.exceptions import (
    BadRequest,
    BadRequestKeyError,
    HTTPException,
    InternalServerError,
)
from stein.toolkit.routing.exceptions import RequestRedirect, RoutingException
from stein.web.context import UNKNOWN
from stein.web.globals import context_var
from stein.web.handlers import find_handler
from stein.web.request import blueprints_of, scopes_inwards, scopes_outwards
from stein.web.respond import to_response
from stein.web.routes import Routes
from stein.web.signals import (
    appcontext_tearing_down,
    got_request_exception,
    request_finished,
    request_started,
    request_tearing_down,
)

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Coroutine, Iterable
    from types import TracebackType

    from stein.typing import Environ, StartResponse
    from stein.web.app import Stein
    from stein.web.context import AppContext, RequestContext
    from stein.web.request import Request
    from stein.web.response import Response
    from stein.web.sessions import SessionInterface, SessionMixin
    from stein.web.typing import (
        ErrorHandlerCallable,
        ResponseReturnValue,
        TeardownCallable,
    )

__all__ = ["Lifecycle"]

_get: Final = context_var.get
_COROUTINE: Final = 0x80  # inspect.CO_COROUTINE, which takes 10 ms to import


class Lifecycle(Routes):
    """The part of an application that handles requests."""

    response_class: type[Response]
    session_interface: SessionInterface
    debug: bool
    testing: bool
    logger: logging.Logger

    #: called when an application's context is torn down, in reverse
    teardown_appcontext_funcs: list[TeardownCallable]

    _got_first_request = False

    # -- the road ------------------------------------------------------------------------------

    def wsgi_app(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Handle a request: the WSGI application (PEP 3333).

        The application object calls this, so that a middleware can be put in between, and the
        object stays at hand::

            app.wsgi_app = Middleware(app.wsgi_app)
        """
        context = self.request_context(environ)
        error: BaseException | None = None
        response: Response | None = None
        try:
            try:
                context.push()
                response = self.full_dispatch_request()
            except Exception as raised:  # noqa: BLE001 - nothing may kill the server's thread
                error = raised
                _doubt_streams(context)
                response = self.handle_exception(raised)
            except BaseException as raised:
                error = raised
                raise
            # PERF: 3.11 finds the method faster than what a call of the object leads to.
            return response.__call__(environ, start_response)
        finally:
            # The test client and the debugger look at contexts after their request.
            if "werkzeug.debug.preserve_context" in environ:
                environ["werkzeug.debug.preserve_context"](context)
            if error is not None and self.should_ignore_error(error):
                error = None
            try:
                if context._streams is None:  # noqa: SLF001 - the context's other half
                    context.pop(error)
                else:
                    _leave(context, error, response)
            finally:
                error = None  # see full_dispatch_request()

    def request_context(self, environ: Environ) -> RequestContext:
        """Hook: make the context of a request."""
        raise NotImplementedError

    def full_dispatch_request(self) -> Response:
        """Hook: handle the current request, and the errors that a handler is registered for."""
        self._got_first_request = True
        try:
            if request_started.receivers:
                request_started.send(self, _async_wrapper=self.ensure_sync)
            value = self.preprocess_request()
            if value is None:
                value = self.dispatch_request()
        except Exception as error:  # noqa: BLE001 - it is for the handlers to say which
            _doubt_streams(_get().request_context)  # type: ignore[arg-type]
            value = self.handle_user_exception(error)
        try:
            return self.finalize_request(value)
        finally:
            # An HTTP error may be the value.  Its traceback holds this frame, which would hold it,
            # and the request with it, until the collector comes by; so it is in the methods below.
            value = None

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Hook: call what comes before the view.

        :return: what the first before_request function returned that returned something: it is
            the answer, and the view is not called.
        """
        preprocessors, hooks = self.url_value_preprocessors, self.before_request_funcs
        if not preprocessors and not hooks:
            return None
        context: RequestContext = _get().request_context  # type: ignore[assignment]
        request = context.request
        rule = request.url_rule
        scopes = (None,) if rule is None else scopes_inwards(rule.endpoint)
        if preprocessors:
            for scope in scopes:
                for preprocessor in preprocessors.get(scope, ()):
                    self.ensure_sync(preprocessor)(request.endpoint, request.view_args)
        if hooks:
            for scope in scopes:
                for hook in hooks.get(scope, ()):
                    value: ResponseReturnValue | None = self.ensure_sync(hook)()
                    if value is not None:
                        context._answered_by = "before_request function", hook  # noqa: SLF001
                        return value
        return None

    def dispatch_request(self) -> ResponseReturnValue:
        """Hook: call the view of the current request.

        :return: what the view returned.
        :raises HTTPException: no rule matched.
        """
        request = _get().request_context.request  # type: ignore[union-attr]
        if request.routing_exception is not None:
            self.raise_routing_exception(request)
        rule = request.url_rule
        # PERF: request.method would be worked out for this alone (0.3 us).
        if request.environ["REQUEST_METHOD"].upper() == "OPTIONS" and getattr(
            rule, "provide_automatic_options", False
        ):
            return self.make_default_options_response()
        view = self.ensure_sync(self.view_functions[rule.endpoint])  # type: ignore[union-attr]
        # PERF: typing.cast() is a call of a function, 0.06 us; so it is not used on this road.
        value: ResponseReturnValue = view(**request.view_args)  # type: ignore[arg-type]
        return value

    def finalize_request(
        self,
        rv: ResponseReturnValue | HTTPException,
        from_error_handler: bool = False,  # noqa: FBT001, FBT002 - the interface
    ) -> Response:
        """Hook: make the response of what a view or an error handler returned.

        :param from_error_handler: there was an error already: one more is only logged.
        """
        response = self.make_response(rv)
        try:
            response = self.process_response(response)
            if request_finished.receivers:
                request_finished.send(self, _async_wrapper=self.ensure_sync, response=response)
        except Exception:
            if not from_error_handler:
                raise
            self.logger.exception("Request finalizing failed with an error while handling an error")
        return response

    def make_response(self, rv: ResponseReturnValue) -> Response:
        """Hook: make a response of what a view returned.

        :param rv: text, bytes, a dict or a list (JSON), an iterator, a response, a WSGI
            application; or one of these in a tuple with a status, header fields or both.
        :raises TypeError: it is nothing of that.
        """
        # PERF: what most views return needs no call of a function.
        cls = self.response_class
        if rv.__class__ is str:
            return cls(rv)
        if rv.__class__ is cls:
            return rv
        return to_response(self, rv)  # type: ignore[arg-type] # it is the whole of it

    def process_response(self, response: Response) -> Response:
        """Hook: change the response before it is sent.

        Calls the functions of ``after_this_request`` and ``after_request``, and saves the session.

        :raises TypeError: one of them returned no response.
        """
        context: RequestContext = _get().request_context  # type: ignore[assignment]
        request = context.request
        for function in context._after_request_functions:  # noqa: SLF001 - the context's other half
            response = self.ensure_sync(function)(response)
            if not callable(response):
                _refuse_response("after_this_request", function, response)
        hooks = self.after_request_funcs
        if hooks:
            rule = request.url_rule
            for scope in (None,) if rule is None else scopes_outwards(rule.endpoint):
                for function in reversed(hooks.get(scope, ())):
                    response = self.ensure_sync(function)(response)
                    if not callable(response):
                        _refuse_response("after_request", function, response)
        interface = self.session_interface
        session: SessionMixin | None = context._opened  # noqa: SLF001
        app: Stein = self  # type: ignore[assignment] # it is the whole of it
        if session is not None:
            if not interface.is_null_session(session):
                interface.save_session(app, session, response)
        elif "HTTP_COOKIE" in request.environ and not context._unopened:  # noqa: SLF001
            interface.save_untouched(app, request, response)
        return response

    def do_teardown_request(self, exc: BaseException | None = UNKNOWN) -> None:
        """Hook: call the teardown_request functions, when the request's context is popped.

        :param exc: the error that nobody has handled; by default the one being handled.
        """
        hooks = self.teardown_request_funcs
        if not hooks and not request_tearing_down.receivers:
            return
        if exc is UNKNOWN:
            exc = sys.exc_info()[1]
        request = _get().request_context.request  # type: ignore[union-attr]
        rule = request.url_rule
        for scope in (None,) if rule is None else scopes_outwards(rule.endpoint):
            for function in reversed(hooks.get(scope, ())):
                self.ensure_sync(function)(exc)
        if request_tearing_down.receivers:
            request_tearing_down.send(self, _async_wrapper=self.ensure_sync, exc=exc)

    def do_teardown_appcontext(self, exc: BaseException | None = UNKNOWN) -> None:
        """Hook: call the teardown_appcontext functions, when an application's context is popped.

        :param exc: as in :meth:`do_teardown_request`.
        """
        functions = self.teardown_appcontext_funcs
        if not functions and not appcontext_tearing_down.receivers:
            return
        if exc is UNKNOWN:
            exc = sys.exc_info()[1]
        for function in reversed(functions):
            self.ensure_sync(function)(exc)
        if appcontext_tearing_down.receivers:
            appcontext_tearing_down.send(self, _async_wrapper=self.ensure_sync, exc=exc)

    # -- errors --------------------------------------------------------------------------------

    def raise_routing_exception(self, request: Request) -> NoReturn:
        """Hook: raise the error of a request that no rule matches.

        In debug mode a redirect that would lose what was posted is reported instead.

        :raises HTTPException: the request's routing_exception.
        """
        error = cast("HTTPException", request.routing_exception)
        if (
            self.debug
            and isinstance(error, RequestRedirect)
            and error.code not in {307, 308}
            and request.method not in {"GET", "HEAD", "OPTIONS"}
        ):
            # Late: only in debug mode.
            from stein.web.explain import FormDataRoutingRedirect  # noqa: PLC0415

            raise FormDataRoutingRedirect(request)
        try:
            raise error
        finally:
            del error

    def handle_user_exception(self, e: Exception) -> HTTPException | ResponseReturnValue:
        """Hook: answer an error of the view or of what comes before it.

        :return: what its handler returned; the error itself if it is an HTTP error without one.
        :raises Exception: the error, if it has no handler.
        """
        if isinstance(e, BadRequestKeyError):
            if self.debug:
                # Late: only for a mistake, in debug mode.
                from stein.web.explain.forms import explain_key_error  # noqa: PLC0415

                explain_key_error(e)
            elif self.config["TRAP_BAD_REQUEST_ERRORS"]:
                e.show_exception = True
        if isinstance(e, HTTPException) and not self.trap_http_exception(e):
            return self.handle_http_exception(e)
        handler = self._find_error_handler(e, self._current_blueprints())
        if handler is None:
            try:
                raise e
            finally:
                del e
        return self._call_error_handler(handler, e)

    def handle_http_exception(self, e: HTTPException) -> HTTPException | ResponseReturnValue:
        """Hook: answer an HTTP error.

        :return: what its handler returned; the error itself, which is a response, without one.
        """
        # A proxy's stand-in for a response, or a redirect of the rules.
        if e.code is None or isinstance(e, RoutingException):
            return e
        handler = self._find_error_handler(e, self._current_blueprints())
        if handler is None:
            return e
        return self._call_error_handler(handler, e)

    def handle_exception(self, e: Exception) -> Response:
        """Hook: answer an error that no handler was there for, with 500.

        A handler for 500 or InternalServerError is given an InternalServerError whose
        ``original_exception`` is the error.

        :raises Exception: the error itself, if the key ``PROPAGATE_EXCEPTIONS`` says so, which by
            default is in debug mode and in tests.
        """
        if got_request_exception.receivers:
            got_request_exception.send(self, _async_wrapper=self.ensure_sync, exception=e)
        propagate = self.config["PROPAGATE_EXCEPTIONS"]
        if propagate is None:
            propagate = self.testing or self.debug
        if propagate:
            try:
                raise e
            finally:
                del e
        self.log_exception(sys.exc_info())  # type: ignore[arg-type] # it is being handled
        answer: Any = InternalServerError(original_exception=e)
        handler = self._find_error_handler(answer, self._current_blueprints())
        if handler is not None:
            answer = self._call_error_handler(handler, answer)
        return self.finalize_request(answer, from_error_handler=True)

    def log_exception(
        self, exc_info: tuple[type[BaseException], BaseException, TracebackType | None]
    ) -> None:
        """Hook: log an error that no handler was there for.

        The traceback begins in the program's code; how the road led there is the same each time.
        """
        from stein.tracebacks import from_user  # noqa: PLC0415 - late: only for errors

        request = _get().request_context.request  # type: ignore[union-attr]
        kind, error, trace = exc_info
        self.logger.error(
            f"Exception on {request.path} [{request.method}]",  # noqa: G004 - the text that is known
            exc_info=(kind, error, from_user(trace)),
        )

    def trap_http_exception(self, e: Exception) -> bool:
        """Hook: whether an HTTP error is treated as any other exception.

        The keys ``TRAP_HTTP_EXCEPTIONS`` and ``TRAP_BAD_REQUEST_ERRORS`` say so; without the
        latter a key that is missing in a form is, in debug mode.
        """
        config = self.config
        if config["TRAP_HTTP_EXCEPTIONS"]:
            return True
        trap = config["TRAP_BAD_REQUEST_ERRORS"]
        if trap is None and self.debug and isinstance(e, BadRequestKeyError):
            return True
        return bool(trap) and isinstance(e, BadRequest)

    def should_ignore_error(self, error: BaseException | None) -> bool:  # noqa: ARG002 - for subclasses
        """Hook: whether the teardown functions are to see no error."""
        return False

    def _find_error_handler(
        self, e: Exception, blueprints: Iterable[str]
    ) -> ErrorHandlerCallable | None:
        return find_handler(self.error_handler_spec, e, blueprints)

    def _call_error_handler(
        self, handler: ErrorHandlerCallable, e: Exception
    ) -> ResponseReturnValue:
        context: AppContext | None = _get(None)
        current = None if context is None else context.request_context
        if current is not None:
            current._answered_by = "error handler", handler  # noqa: SLF001 - the other half
        return cast("ResponseReturnValue", self.ensure_sync(handler)(e))

    def _current_blueprints(self) -> tuple[str, ...]:
        context: AppContext | None = _get(None)
        current = None if context is None else context.request_context
        rule = None if current is None else current.request.url_rule
        return () if rule is None else blueprints_of(rule.endpoint)

    # -- what the steps are made with ----------------------------------------------------------

    def make_default_options_response(self) -> Response:
        """Hook: answer an OPTIONS request for a rule that does not do so itself."""
        adapter = cast("RequestContext", _get().request_context).url_adapter
        response = self.response_class()
        response.allow.update(adapter.allowed_methods())  # type: ignore[union-attr]
        return response

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Hook: make a function that can be called as if it were no ``async def``.

        A plain function is given back as it is.
        """
        # PERF: inspect.iscoroutinefunction() takes 1 us, for the view and for each hook.  A method
        # shows the code and the attributes of its function.
        code = getattr(func, "__code__", None)
        if code is None:
            return self.async_to_sync(func) if _is_async(func) else func
        if code.co_flags & _COROUTINE or "_is_coroutine_mark" in func.__dict__:
            return self.async_to_sync(func)
        return func

    def async_to_sync(self, func: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        """Hook: make a function that runs a coroutine function, and waits for what it returns.

        It runs on an event loop that the thread keeps.
        """
        # Late: asyncio takes long to import.
        from stein.web.asyncviews import to_sync  # noqa: PLC0415

        return to_sync(func)


def _doubt_streams(context: RequestContext) -> None:
    """Note that the streams made so far may lead nowhere, as something has raised."""
    if context._streams:  # noqa: SLF001 - the context's other half
        context._streams_in_doubt = len(context._streams)  # noqa: SLF001


def _refuse_response(kind: str, function: Callable[..., Any], value: Any) -> NoReturn:
    from stein.web.explain.hooks import no_response  # noqa: PLC0415 - only for this mistake

    raise no_response(kind, function, value)


def _leave(context: RequestContext, error: BaseException | None, response: Response | None) -> None:
    from stein.web.streaming import leave  # noqa: PLC0415 - few programs stream

    leave(context, error, response)


def _is_async(func: Callable[..., Any]) -> bool:
    from inspect import iscoroutinefunction  # noqa: PLC0415 - late: it takes 10 ms

    return iscoroutinefunction(func)
