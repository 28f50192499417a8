"""What is set up alike on an application and on a blueprint: views, hooks, error handlers.

The tables are public dictionaries, keyed by scope: the name of a blueprint, or ``None`` for the
whole application.  Extensions write into them, too, and may do so at any time.
"""

from __future__ import annotations

from collections import defaultdict
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from stein.toolkit.properties import cached_property
from stein.web.handlers import handler_key, scope_handlers
from stein.web.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.web.cli import AppGroup
    from stein.web.handlers import ErrorHandlers
    from stein.web.resources import FolderPath
    from stein.web.typing import (
        AfterRequestCallable,
        AppOrBlueprintKey,
        BeforeRequestCallable,
        ErrorHandlerCallable,
        ResponseHook,
        RouteCallable,
        TeardownCallable,
        TemplateContextProcessorCallable,
        URLDefaultCallable,
        URLValuePreprocessorCallable,
    )

__all__ = ["Setup", "default_endpoint", "named_or_bare", "setupmethod", "template_name"]

# A decorator gives back the function that it was given, with the type that it had.
F = TypeVar("F", bound="Callable[..., Any]")
Route = TypeVar("Route", bound="RouteCallable")
Before = TypeVar("Before", bound="BeforeRequestCallable")
After = TypeVar("After", bound="ResponseHook")
Teardown = TypeVar("Teardown", bound="TeardownCallable")
ContextProcessor = TypeVar("ContextProcessor", bound="TemplateContextProcessorCallable")
Preprocessor = TypeVar("Preprocessor", bound="URLValuePreprocessorCallable")
Defaults = TypeVar("Defaults", bound="URLDefaultCallable")
Handler = TypeVar("Handler", bound="ErrorHandlerCallable")


def setupmethod(f: F) -> F:
    """Decorate a method that is refused as soon as the setup of its object is over.

    It calls ``_check_setup_finished`` of the object first, with the method's name.
    """
    name = f.__name__

    @wraps(f)
    def guarded(self: Setup, *args: Any, **kwargs: Any) -> Any:
        self._check_setup_finished(name)
        return f(self, *args, **kwargs)

    return cast("F", guarded)


def default_endpoint(view_func: RouteCallable | None) -> str:
    """The endpoint of a view that was given none: its name.

    :raises AssertionError: there is no view either.
    :raises TypeError: the view has no name.
    """
    if view_func is None:
        raise AssertionError(
            "expected view func if endpoint is not provided. A rule without both leads nowhere:"
            " pass 'view_func=' now, or 'endpoint=' and register the view for it later, with"
            " '@app.endpoint(...)'."
        )
    name: str | None = getattr(view_func, "__name__", None)
    if name is None:
        raise TypeError(
            f"{view_func!r} has no '__name__' that could be the endpoint, as it is no plain"
            " function. Pass 'endpoint=' along with it."
        )
    return name


def template_name(f: Callable[..., Any], name: str | None) -> str:
    """The name by which templates know a function.

    :raises TypeError: none was given, and it has none.
    """
    known_as: str | None = name or getattr(f, "__name__", None)
    if known_as is None:
        raise TypeError(
            f"{f!r} has no '__name__' for templates to know it by. Pass 'name=' along with it."
        )
    return known_as


def named_or_bare(add: Callable[..., None], name: Any) -> Any:
    """What a decorator for templates gives back, with parentheses behind its name or without.

    :param add: registers a function, under a name if one is given.
    :param name: the name, None, or the function itself.
    """
    if callable(name):
        add(name)
        return name

    def register(f: Any) -> Any:
        add(f, name=name)
        return f

    return register


def _callable(method: str, f: F) -> F:
    if not callable(f):
        raise TypeError(
            f"'{method}' was given {f!r}, which cannot be called. Pass the function itself: the"
            " decorator stands above it without parentheses, and as an argument it has none."
        )
    return f


class Setup(Resources):
    """What an application and a blueprint have in common while they are put together.

    :param import_name: of the module, mostly ``__name__``.
    :param static_folder: where the static files are, relative to the module's folder.
    :param static_url_path: where the URLs of the static files begin.
    :param template_folder: where the templates are, relative to the module's folder.
    :param root_path: the module's folder, if it cannot be found by the import name.
    """

    name: str  #: shown to people, and a part of endpoints

    #: endpoint -> view
    view_functions: dict[str, RouteCallable]
    #: scope -> status code -> class -> handler
    error_handler_spec: ErrorHandlers
    #: scope -> functions to call before a view
    before_request_funcs: dict[AppOrBlueprintKey, list[BeforeRequestCallable]]
    #: scope -> functions to call with each response
    after_request_funcs: dict[AppOrBlueprintKey, list[AfterRequestCallable[Any]]]
    #: scope -> functions to call when all is over
    teardown_request_funcs: dict[AppOrBlueprintKey, list[TeardownCallable]]
    #: scope -> functions that give variables to templates
    template_context_processors: dict[AppOrBlueprintKey, list[TemplateContextProcessorCallable]]
    #: scope -> functions that see the values of a URL first
    url_value_preprocessors: dict[AppOrBlueprintKey, list[URLValuePreprocessorCallable]]
    #: scope -> functions that add values to a URL that is built
    url_default_functions: dict[AppOrBlueprintKey, list[URLDefaultCallable]]

    def __init__(
        self,
        import_name: str,
        static_folder: FolderPath | None = None,
        static_url_path: str | None = None,
        template_folder: FolderPath | None = None,
        root_path: str | None = None,
    ) -> None:
        super().__init__(import_name, static_folder, static_url_path, template_folder, root_path)
        self.view_functions = {}
        self.error_handler_spec = defaultdict(scope_handlers)
        self.before_request_funcs = defaultdict(list)
        self.after_request_funcs = defaultdict(list)
        self.teardown_request_funcs = defaultdict(list)
        self.template_context_processors = defaultdict(list)
        self.url_value_preprocessors = defaultdict(list)
        self.url_default_functions = defaultdict(list)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def _check_setup_finished(self, f_name: str) -> None:
        """Refuse a setup method once it would come too late.

        :param f_name: of the method.
        :raises AssertionError: it comes too late.
        """

    @cached_property
    def cli(self) -> AppGroup:
        """The commands of this object, a click group; they stand under ``stein`` (``flask``)."""
        # Most processes serve requests, and never need click.
        from stein.web.cli import AppGroup  # noqa: PLC0415 - see above

        return AppGroup(name=self.name)

    # -- views ---------------------------------------------------------------------------------

    def _method_route(
        self, method: str, rule: str, options: dict[str, Any]
    ) -> Callable[[Route], Route]:
        if "methods" in options:
            raise TypeError(
                f"'{method.lower()}' is for one method only, and was given"
                f" 'methods={options['methods']!r}'. Use the 'route' decorator to use the"
                " 'methods' argument."
            )
        return self.route(rule, methods=[method], **options)

    @setupmethod
    def get(self, rule: str, **options: Any) -> Callable[[Route], Route]:
        """:meth:`route` for GET (and HEAD) alone."""
        return self._method_route("GET", rule, options)

    @setupmethod
    def post(self, rule: str, **options: Any) -> Callable[[Route], Route]:
        """:meth:`route` for POST alone."""
        return self._method_route("POST", rule, options)

    @setupmethod
    def put(self, rule: str, **options: Any) -> Callable[[Route], Route]:
        """:meth:`route` for PUT alone."""
        return self._method_route("PUT", rule, options)

    @setupmethod
    def delete(self, rule: str, **options: Any) -> Callable[[Route], Route]:
        """:meth:`route` for DELETE alone."""
        return self._method_route("DELETE", rule, options)

    @setupmethod
    def patch(self, rule: str, **options: Any) -> Callable[[Route], Route]:
        """:meth:`route` for PATCH alone."""
        return self._method_route("PATCH", rule, options)

    @setupmethod
    def route(self, rule: str, **options: Any) -> Callable[[Route], Route]:
        """Decorate a function to be the view of a URL.

        ::

            @app.route("/users/<int:number>")
            def user(number):
                return f"You are number {number}."

        :param rule: the path, with its variable parts.
        :param options: for :meth:`add_url_rule`, above all ``methods`` (by default GET) and
            ``endpoint`` (by default the name of the function).
        """
        if callable(rule):
            raise TypeError(
                f"The decorator stands above {getattr(rule, '__name__', rule)!r} without a rule,"
                " so that no URL would lead to the view. Give it the path:"
                " '@app.route(\"/path\")'."
            )
        endpoint: str | None = options.pop("endpoint", None)

        def register(f: Route) -> Route:
            self.add_url_rule(rule, endpoint, f, **options)
            return f

        return register

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: RouteCallable | None = None,
        provide_automatic_options: bool | None = None,  # noqa: FBT001 - part of the interface
        **options: Any,
    ) -> None:
        """Let a URL lead to an endpoint, and the endpoint to a view.

        :param rule: the path, with its variable parts, such as ``/users/<int:number>``.
        :param endpoint: the name that URLs are built by; by default that of the view function.
        :param view_func: the view.  It can be left out here, and be given by :meth:`endpoint`.
        :param provide_automatic_options: answer OPTIONS without calling the view; by default it
            is done if OPTIONS is not one of the methods.
        :param options: for the :class:`~stein.toolkit.routing.Rule`: ``methods``, ``defaults``,
            ``subdomain``, ``strict_slashes`` and so on.
        """
        raise NotImplementedError

    @setupmethod
    def endpoint(self, endpoint: str) -> Callable[[F], F]:
        """Decorate a function to be the view of an endpoint whose rules are added elsewhere.

        :param endpoint: the whole name, that of a blueprint and its dot included.
        """

        def register(f: F) -> F:
            self.view_functions[endpoint] = f
            return f

        return register

    # -- hooks ---------------------------------------------------------------------------------

    @setupmethod
    def before_request(self, f: Before) -> Before:
        """Call a function before each view; on a blueprint, before the views of the blueprint.

        It takes nothing.  If it returns something, that is the response, and neither the view
        nor any function registered after it is called.
        """
        self.before_request_funcs.setdefault(None, []).append(_callable("before_request", f))
        return f

    @setupmethod
    def after_request(self, f: After) -> After:
        """Call a function with each response; on a blueprint, with those of its views.

        It takes the response and must return one, the same or another.  It sees the 500 of an
        error that nobody has handled, too; but not if the error goes on to the server, as in debug
        mode and in tests: see :meth:`teardown_request`.
        """
        self.after_request_funcs.setdefault(None, []).append(_callable("after_request", f))
        return f

    @setupmethod
    def teardown_request(self, f: Teardown) -> Teardown:
        """Call a function when a request is over, whatever has happened in it.

        It takes the error that nobody has handled, or ``None``; what it returns is ignored.  It
        is the place to give back what the request has taken, and it should not raise.
        """
        self.teardown_request_funcs.setdefault(None, []).append(_callable("teardown_request", f))
        return f

    @setupmethod
    def context_processor(self, f: ContextProcessor) -> ContextProcessor:
        """Let a function give variables to each template.

        On a blueprint these are the templates that its views render.  The function takes nothing
        and returns a dictionary.
        """
        self.template_context_processors.setdefault(None, []).append(
            _callable("context_processor", f)
        )
        return f

    @setupmethod
    def url_value_preprocessor(self, f: Preprocessor) -> Preprocessor:
        """Let a function see, and change, the values of a URL before the view is called.

        It takes the endpoint and the dictionary of values (both ``None`` if no rule matches), and
        comes before all of :meth:`before_request`.
        """
        self.url_value_preprocessors.setdefault(None, []).append(
            _callable("url_value_preprocessor", f)
        )
        return f

    @setupmethod
    def url_defaults(self, f: Defaults) -> Defaults:
        """Let a function add values when a URL is built.

        It takes the endpoint and the dictionary of values, and changes the dictionary.
        """
        self.url_default_functions.setdefault(None, []).append(_callable("url_defaults", f))
        return f

    # -- errors --------------------------------------------------------------------------------

    @setupmethod
    def errorhandler(
        self, code_or_exception: type[Exception] | int
    ) -> Callable[[Handler], Handler]:
        """Decorate a function to answer an error.

        ::

            @app.errorhandler(404)
            def not_found(error):
                return "There is nothing here.", 404

        It takes the error and returns what a view may return.  On a blueprint it answers the
        errors of the blueprint's views; a URL that leads nowhere is the application's affair.

        :param code_or_exception: an HTTP status code, or an exception class.
        """
        handler_key(code_or_exception)  # while the traceback shows the line of the decorator

        def register(f: Handler) -> Handler:
            self.register_error_handler(code_or_exception, f)
            return f

        return register

    @setupmethod
    def register_error_handler(
        self, code_or_exception: type[Exception] | int, f: ErrorHandlerCallable
    ) -> None:
        """Let a function answer an error; :meth:`errorhandler` does it as a decorator.

        :param code_or_exception: an HTTP status code, or an exception class.
        :param f: takes the error, and returns what a view may return.
        :raises ValueError: there is no error with that code, or the class is not one of errors.
        :raises TypeError: it is neither a code nor a class.
        """
        kind, code = self._get_exc_class_and_code(code_or_exception)
        handlers = self.error_handler_spec[None]
        handlers.setdefault(code, {})[kind] = _callable("register_error_handler", f)

    @staticmethod
    def _get_exc_class_and_code(
        exc_class_or_code: type[Exception] | int,
    ) -> tuple[type[Exception], int | None]:
        return handler_key(exc_class_or_code)
