"""Routing: from a path to an endpoint and back.

::

    urls = Map([
        Rule("/", endpoint="index"),
        Rule("/user/<int:id>/", endpoint="user", methods=["GET"]),
    ])
    adapter = urls.bind_to_environ(environ)
    adapter.match()  # ("user", {"id": 7}) for /user/7/; raises NotFound, RequestRedirect, …
    adapter.build("user", {"id": 7})  # "/user/7/"
"""

from __future__ import annotations

from stein.toolkit.routing.converters import (
    AnyConverter,
    BaseConverter,
    FloatConverter,
    IntegerConverter,
    PathConverter,
    UnicodeConverter,
    UUIDConverter,
    ValidationError,
)
from stein.toolkit.routing.exceptions import (
    BuildError,
    NoMatch,
    RequestAliasRedirect,
    RequestPath,
    RequestRedirect,
    RoutingException,
    WebsocketMismatch,
)
from stein.toolkit.routing.map import Map, MapAdapter
from stein.toolkit.routing.matcher import StateMachineMatcher
from stein.toolkit.routing.rules import (
    EndpointPrefix,
    Rule,
    RuleFactory,
    RuleTemplate,
    RuleTemplateFactory,
    Subdomain,
    Submount,
    parse_converter_args,
)

__all__ = [
    "AnyConverter",
    "BaseConverter",
    "BuildError",
    "EndpointPrefix",
    "FloatConverter",
    "IntegerConverter",
    "Map",
    "MapAdapter",
    "NoMatch",
    "PathConverter",
    "RequestAliasRedirect",
    "RequestPath",
    "RequestRedirect",
    "RoutingException",
    "Rule",
    "RuleFactory",
    "RuleTemplate",
    "RuleTemplateFactory",
    "StateMachineMatcher",
    "Subdomain",
    "Submount",
    "UUIDConverter",
    "UnicodeConverter",
    "ValidationError",
    "WebsocketMismatch",
    "parse_converter_args",
]
