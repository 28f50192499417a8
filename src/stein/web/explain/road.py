"""The road of one request through an application, found out without sending it.

:func:`explain_request` matches a method and a URL as the application would, calls nothing of the
application but its hooks for making URL adapters, and gives a :class:`Road`: plain data for a
command to print.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stein.toolkit.client.builder import EnvironBuilder
from stein.toolkit.exceptions import HTTPException, MethodNotAllowed
from stein.toolkit.routing.exceptions import RequestRedirect
from stein.web.explain.misses import Miss, find_misses
from stein.web.explain.views import Place, find_place
from stein.web.handlers import find_handler
from stein.web.request import blueprints_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stein.toolkit.routing.adapter import MapAdapter
    from stein.toolkit.routing.rules import Rule
    from stein.web.app import Stein

__all__ = ["Handler", "Hook", "Miss", "Place", "Road", "explain_request"]


@dataclass(frozen=True, slots=True)
class Hook:
    """A function that is called on the way."""

    #: ``url_value_preprocessor``, ``before_request``, ``after_request``, ``teardown_request`` or
    #: ``teardown_appcontext``
    kind: str
    scope: str | None  #: the blueprint it was registered on; None: the application
    place: Place


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that answers errors."""

    error: str  #: the class, as a dotted name
    code: int | None  #: the HTTP status it is for
    scope: str | None  #: the blueprint it was registered on; None: the application
    place: Place


@dataclass(frozen=True, slots=True)
class Road:
    """What would happen to a request."""

    method: str
    url: str  #: the whole URL
    path: str  #: of it, decoded, below the application's root

    status: int  #: 200: a view would be called; 308, 400, 404, 405: what routing answers itself
    reason: str  #: a sentence about it

    rule: str | None = None  #: the rule that was matched, as it was written
    domain: str | None = None  #: the subdomain or host that the rule is for, if it is for one
    endpoint: str | None = None
    methods: tuple[str, ...] = ()  #: of the rule; of an answer 405, those that would be allowed
    values: dict[str, Any] = field(default_factory=dict)  #: what the view is called with
    redirect: str | None = None  #: where the client is sent
    view: Place | None = None  #: of a class-based view: the method
    automatic_options: bool = False  #: OPTIONS is answered without the view
    blueprints: tuple[str, ...] = ()  #: the endpoint's own first, then its parents

    before: tuple[Hook, ...] = ()  #: in the order in which they are called, the view comes next
    after: tuple[Hook, ...] = ()  #: in the order in which they are called
    handlers: tuple[Handler, ...] = ()  #: of errors that the view may raise, the first asked first
    answered_by: Handler | None = None  #: of the error that is the answer, if it is one
    misses: tuple[Miss, ...] = ()  #: rules that are not it, and nearly were; the nearest first


def explain_request(app: Stein, method: str, url: str) -> Road:
    """Find out what would happen to a request.

    It should be called in a context of the application, in case a converter asks for the current
    one.

    :param app: the application.
    :param method: ``GET``, ...
    :param url: a path with or without a query (``/users/3?full=1``), or a whole URL.
    :raises ValueError: the URL is none.
    """
    method = method.upper()
    asked = urlsplit(url)
    target = asked.path if asked.path.startswith("/") else f"/{asked.path}"
    if asked.query:
        target += f"?{asked.query}"
    host = asked.netloc or app.config["SERVER_NAME"] or "localhost"
    scheme = asked.scheme or app.config["PREFERRED_URL_SCHEME"]
    environ = EnvironBuilder(target, f"{scheme}://{host}/", method=method).get_environ()
    request = app.request_class(environ)
    common: dict[str, Any] = {"method": method, "url": request.url, "path": request.path}
    rule: Rule | None = None
    adapter: MapAdapter | None = None
    try:
        adapter = app.create_url_adapter(request)
        assert adapter is not None  # noqa: S101 - there is a request
        rule, values = adapter.match(return_rule=True)
    except HTTPException as error:
        common |= _refused(error)
        common["answered_by"] = _who_answers(app, error)
    else:
        common |= _matched(app, rule, values, method)
    names = () if rule is None else blueprints_of(str(rule.endpoint))
    return Road(
        **common,
        blueprints=names,
        before=tuple(_before(app, names)),
        after=tuple(_after(app, names)),
        handlers=tuple(_handlers(app, names)),
        misses=() if adapter is None else tuple(find_misses(adapter, method, request.path, rule)),
    )


def _matched(app: Stein, rule: Rule, values: Any, method: str) -> dict[str, Any]:
    view = app.view_functions.get(rule.endpoint)
    automatic = method == "OPTIONS" and getattr(rule, "provide_automatic_options", False)
    if automatic:
        reason = "The rule is matched; OPTIONS is answered without calling the view."
    elif view is None:
        reason = f"The rule is matched, but view_functions has nothing for {rule.endpoint!r}."
    else:
        reason = "The rule is matched and its view is called."
    url_map = app.url_map
    return {
        "status": 500 if view is None and not automatic else 200,
        "reason": reason,
        "rule": rule.rule,
        "domain": (rule.host if url_map.host_matching else rule.subdomain) or None,
        "endpoint": rule.endpoint,
        "methods": tuple(sorted(rule.methods or ())),
        "values": dict(values),
        "view": None if view is None else _place_of_view(view, method),
        "automatic_options": bool(automatic),
    }


def _place_of_view(view: Any, method: str) -> Place:
    kind = getattr(view, "view_class", None)
    function = getattr(kind, method.lower(), None)
    if function is None and method == "HEAD":
        function = getattr(kind, "get", None)
    if function is None:
        function = getattr(kind, "dispatch_request", None)
    return find_place(view if function is None else function)


def _refused(error: HTTPException) -> dict[str, Any]:
    if isinstance(error, RequestRedirect):
        return {
            "status": error.code,
            "reason": "Routing redirects to the canonical URL.",
            "redirect": error.new_url,
        }
    if isinstance(error, MethodNotAllowed):
        allowed = tuple(sorted(error.valid_methods or ()))
        return {
            "status": 405,
            "reason": f"There are rules for the path, but only for {', '.join(allowed)}.",
            "methods": allowed,
        }
    status = error.code or 500
    reason = "No rule is for this path." if status == 404 else str(error)
    return {"status": status, "reason": reason}


def _before(app: Stein, names: tuple[str, ...]) -> Iterator[Hook]:
    scopes = (None, *reversed(names))
    for kind, table in (
        ("url_value_preprocessor", app.url_value_preprocessors),
        ("before_request", app.before_request_funcs),
    ):
        yield from _hooks(kind, table, scopes)


def _after(app: Stein, names: tuple[str, ...]) -> Iterator[Hook]:
    scopes = (*names, None)
    for kind, table in (
        ("after_request", app.after_request_funcs),
        ("teardown_request", app.teardown_request_funcs),
    ):
        yield from _hooks(kind, table, scopes, backwards=True)
    for function in reversed(app.teardown_appcontext_funcs):
        yield Hook("teardown_appcontext", None, find_place(function))


def _hooks(
    kind: str, table: Any, scopes: Iterable[str | None], *, backwards: bool = False
) -> Iterator[Hook]:
    for scope in scopes:
        functions = table.get(scope, ())
        for function in reversed(functions) if backwards else functions:
            yield Hook(kind, scope, find_place(function))


def _handlers(app: Stein, names: tuple[str, ...]) -> Iterator[Handler]:
    """Those for a status code first, as they are asked first."""
    scopes = (*names, None)
    spec = app.error_handler_spec
    for with_code in (True, False):
        for scope in scopes:
            for code, by_class in spec.get(scope, {}).items():
                if (code is not None) is with_code:
                    for kind, function in by_class.items():
                        yield Handler(_name_of(kind), code, scope, find_place(function))


def _who_answers(app: Stein, error: HTTPException) -> Handler | None:
    if isinstance(error, RequestRedirect):
        return None  # it is an answer already
    function = find_handler(app.error_handler_spec, error, ())
    if function is None:
        return None
    for code, by_class in app.error_handler_spec[None].items():
        for kind, each in by_class.items():
            if each is function:
                return Handler(_name_of(kind), code, None, find_place(function))
    return None


def _name_of(kind: type[Exception]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
