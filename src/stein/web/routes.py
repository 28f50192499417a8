"""The rules of an application: which URL leads to which view, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stein.http.urls import percent_encode
from stein.toolkit.routing.exceptions import BuildError
from stein.toolkit.routing.map import Map
from stein.toolkit.routing.rules import Rule
from stein.toolkit.wsgi import get_host
from stein.web.globals import context_var
from stein.web.request import blueprints_of
from stein.web.setup import Setup, default_endpoint, setupmethod

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.toolkit.routing.adapter import MapAdapter
    from stein.web.config import Config
    from stein.web.request import Request
    from stein.web.typing import RouteCallable

__all__ = ["Routes"]

# what may stand in a fragment as it is (RFC 3986 3.5), and what is encoded already
_FRAGMENT = "%!#$&'()*+,/:;=?@"


class Routes(Setup):
    """The part of an application that knows its rules."""

    #: the class of rules
    url_rule_class: type[Rule] = Rule

    #: the class of :attr:`url_map`
    url_map_class: type[Map] = Map

    config: Config
    subdomain_matching: bool
    ensure_sync: Callable[[Callable[..., Any]], Callable[..., Any]]  # see Lifecycle

    # Whether requests' URLs are bound to the rules as below, and not as a subclass wants it.
    _plain_urls = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._plain_urls = cls.create_url_adapter is Routes.create_url_adapter

    def _find_rule(self, request: Request) -> tuple[Rule, dict[str, Any]] | None:
        """The rule of a request; None if only an adapter can tell.

        PERF: most requests build no URL, and an adapter would be made for nothing: 0.3 us.
        """
        url_map = self.url_map
        if (
            self.subdomain_matching
            or url_map.host_matching
            or self.config["TRUSTED_HOSTS"] is not None
            or request.trusted_hosts
        ):
            return None
        return url_map.find(request.environ)

    def _init_routes(self, *, host_matching: bool, subdomain_matching: bool) -> None:
        #: the rules; converters can be added to its ``converters``
        self.url_map = self.url_map_class(host_matching=host_matching)
        self.subdomain_matching = subdomain_matching
        #: each is called with the error, the endpoint and the values when a URL cannot be built,
        #: and returns the URL, or None
        self.url_build_error_handlers: list[
            Callable[[Exception, str, dict[str, Any]], str | None]
        ] = []

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: RouteCallable | None = None,
        provide_automatic_options: bool | None = None,  # noqa: FBT001 - the interface
        **options: Any,
    ) -> None:
        """Let a path lead to a view; ``@app.route`` does so, too.

        :param rule: the path with its placeholders: ``/users/<int:id>``.
        :param endpoint: what the rule is called where URLs are built; by default the name of the
            function.
        :param view_func: the view; can be added later to ``view_functions``.
        :param provide_automatic_options: answer OPTIONS requests; by default if ``methods`` does
            not name it, and the key ``PROVIDE_AUTOMATIC_OPTIONS`` is true.
        :param options: for the rule: ``methods``, ``defaults``, ``host``, ``subdomain``,
            ``strict_slashes``, ...; see :class:`stein.toolkit.routing.rules.Rule`.
        :raises AssertionError: the endpoint has another view.
        """
        if isinstance(view_func, type) and hasattr(view_func, "as_view"):
            # Late: only for a mistake.
            from stein.web.explain.views import forgotten_as_view  # noqa: PLC0415

            raise forgotten_as_view(view_func)
        if endpoint is None:
            endpoint = default_endpoint(view_func)
        methods = options.pop("methods", None)
        if methods is None:
            methods = getattr(view_func, "methods", None) or ("GET",)
        if isinstance(methods, str):
            raise TypeError(
                f"Allowed methods must be a list of strings, for example: "
                f"@app.route(..., methods=[{methods!r}])"
            )
        methods = {method.upper() for method in methods}
        required = set(getattr(view_func, "required_methods", ()))
        if provide_automatic_options is None:
            provide_automatic_options = getattr(view_func, "provide_automatic_options", None)
        if provide_automatic_options is None:
            provide_automatic_options = (
                "OPTIONS" not in methods and self.config["PROVIDE_AUTOMATIC_OPTIONS"]
            )
            if provide_automatic_options:
                required.add("OPTIONS")
        known = self.view_functions.get(endpoint)
        if view_func is not None and known is not None and known != view_func:
            raise _endpoint_taken(endpoint, known, view_func)
        made = self.url_rule_class(rule, methods=methods | required, endpoint=endpoint, **options)
        made.provide_automatic_options = provide_automatic_options  # type: ignore[attr-defined]
        self.url_map.add(made)
        if view_func is not None:
            self.view_functions[endpoint] = view_func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Hook: bind the rules to a request, or to where the application is served.

        :param request: None outside of a request: the keys ``SERVER_NAME``, ``APPLICATION_ROOT``
            and ``PREFERRED_URL_SCHEME`` then tell what URLs begin with.
        :return: None if there is no request, and no ``SERVER_NAME``.
        :raises SecurityError: the request's host is none of ``TRUSTED_HOSTS``.
        """
        config = self.config
        server_name = config["SERVER_NAME"]
        url_map = self.url_map
        if request is None:
            if server_name is None:
                return None
            return url_map.bind(
                server_name,
                script_name=config["APPLICATION_ROOT"],
                url_scheme=config["PREFERRED_URL_SCHEME"],
            )
        trusted = config["TRUSTED_HOSTS"]
        if trusted is not None:
            request.trusted_hosts = trusted
        if request.trusted_hosts:
            request.host = get_host(request.environ, request.trusted_hosts)
        if url_map.host_matching:
            return url_map.bind_to_environ(request.environ)
        # Without subdomains SERVER_NAME does not restrict which requests are answered.
        subdomain = None if self.subdomain_matching else url_map.default_subdomain or ""
        return url_map.bind_to_environ(request.environ, server_name, subdomain)

    def inject_url_defaults(self, endpoint: str, values: dict[str, Any]) -> None:
        """Hook: put the values of the url_defaults functions in, before a URL is built.

        :param endpoint: whose URL it is.
        :param values: changed in place.
        """
        functions = self.url_default_functions
        if not functions:
            return
        for name in (None, *reversed(blueprints_of(endpoint))):
            if name in functions:
                for function in functions[name]:
                    self.ensure_sync(function)(endpoint, values)

    def url_for(
        self,
        /,
        endpoint: str,
        *,
        _anchor: str | None = None,
        _method: str | None = None,
        _scheme: str | None = None,
        _external: bool | None = None,
        **values: Any,
    ) -> str:
        """Build the URL of an endpoint.

        :param endpoint: of the rule; with a dot in front, in the current blueprint.
        :param _anchor: the fragment, behind ``#``.
        :param _method: of the rule, if there are several for the endpoint.
        :param _scheme: ``https``, for a whole URL.
        :param _external: give the whole URL, with scheme and host; by default only outside of
            requests.
        :param values: for the placeholders; those that the rule has not become the query.
        :raises RuntimeError: outside of a request, without the key ``SERVER_NAME``.
        :raises BuildError: there is no such rule, or values are missing.
        """
        context = context_var.get(None)
        current = None if context is None else context.request_context
        if current is not None:
            adapter = current.url_adapter
            if endpoint[:1] == ".":
                blueprint = current.request.blueprint
                endpoint = endpoint[1:] if blueprint is None else f"{blueprint}{endpoint}"
            if _external is None:
                _external = _scheme is not None
        else:
            adapter = self.create_url_adapter(None) if context is None else context.url_adapter
            if _external is None:
                _external = True
        if adapter is None:
            raise RuntimeError(
                f"Unable to build URLs outside an active request without 'SERVER_NAME' configured"
                f" (here: for {endpoint!r}). Set app.config['SERVER_NAME'] = 'example.org', and"
                " 'APPLICATION_ROOT' and 'PREFERRED_URL_SCHEME' as needed."
            )
        if _scheme is not None and not _external:
            # An answer without the scheme would be taken for one with it.
            raise ValueError(
                f"When specifying '_scheme' ({_scheme!r}), '_external' must be True: a path has"
                " no scheme."
            )
        self.inject_url_defaults(endpoint, values)
        try:
            url = adapter.build(
                endpoint,
                values,
                method=_method,
                url_scheme=_scheme,
                force_external=_external,
            )
        except BuildError as error:
            values.update(_anchor=_anchor, _method=_method, _scheme=_scheme, _external=_external)
            return self.handle_url_build_error(error, endpoint, values)
        if _anchor is not None:
            url = f"{url}#{percent_encode(str(_anchor), safe=_FRAGMENT)}"
        return url

    def handle_url_build_error(
        self, error: BuildError, endpoint: str, values: dict[str, Any]
    ) -> str:
        """Hook: give the URL of an endpoint that there is no rule for.

        :param error: why there is none.
        :return: what the first of ``url_build_error_handlers`` gives that gives something.
        :raises BuildError: none did.
        """
        for handler in self.url_build_error_handlers:
            try:
                url = handler(error, endpoint, values)
            except BuildError as another:
                error = another
            else:
                if url is not None:
                    return url
        try:
            raise error
        finally:
            del error  # its traceback holds this frame, and with it the request


def _endpoint_taken(endpoint: str, known: Any, view: Any) -> AssertionError:
    # Late: only for a mistake.
    from stein.web.explain.views import place_of  # noqa: PLC0415

    return AssertionError(
        f"View function mapping is overwriting an existing endpoint function: {endpoint} is "
        f"{place_of(known)}, and now {place_of(view)}. Rename one function, give endpoint='...', "
        "or, if both went through a decorator, let that use functools.wraps."
    )
