"""What routing raises.

:class:`RequestRedirect`, :class:`WebsocketMismatch`, ``NotFound`` and ``MethodNotAllowed`` leave
:meth:`MapAdapter.match` and are answers; :class:`BuildError` leaves :meth:`MapAdapter.build`.  The
others are between the matcher and the adapter.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from stein.http.urls import iri_to_uri
from stein.toolkit.exceptions import BadRequest, HTTPException

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stein.toolkit.request import Request
    from stein.toolkit.response import Response
    from stein.toolkit.routing.adapter import MapAdapter
    from stein.toolkit.routing.rules import Rule
    from stein.typing import Environ

__all__ = [
    "BuildError",
    "NoMatch",
    "RequestAliasRedirect",
    "RequestPath",
    "RequestRedirect",
    "RoutingException",
    "WebsocketMismatch",
]


class RoutingException(Exception):  # noqa: N818 - public name
    """The base of what is raised in here and of no status code's class."""


class RequestRedirect(HTTPException, RoutingException):
    """The client shall ask for another URL: the one with a slash, the canonical one.

    :param new_url: the whole URL to go to.
    """

    code = 308

    def __init__(self, new_url: str) -> None:
        super().__init__(new_url)
        self.new_url = new_url

    def get_response(
        self,
        environ: Environ | Request | None = None,  # noqa: ARG002 - the signature of the base
        scope: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> Response:
        """The redirect, with the status :attr:`code`."""
        # Late: a response needs most of the toolkit, and rules are often made before that.
        from stein.toolkit.redirects import redirect  # noqa: PLC0415

        # The query is the client's, and may hold what no header may.
        return redirect(iri_to_uri(self.new_url), self.code)


class RequestPath(RoutingException):
    """The matcher would take another path than the one asked for.

    :param path_info: that path, decoded.
    """

    __slots__ = ("path_info",)

    def __init__(self, path_info: str) -> None:
        super().__init__(path_info)
        self.path_info = path_info


class RequestAliasRedirect(RoutingException):
    """The rule that matched is an alias of another one.

    :param matched_values: what its placeholders took.
    :param endpoint: whose canonical URL is wanted.
    """

    def __init__(self, matched_values: Mapping[str, Any], endpoint: Any) -> None:
        super().__init__(matched_values, endpoint)
        self.matched_values = matched_values
        self.endpoint = endpoint


class BuildError(RoutingException, LookupError):
    """There is no URL for this endpoint with these values.

    The rule that may have been meant is looked for when the message, or :attr:`suggested`, is
    read: who catches the error pays nothing for it.

    :param endpoint: the endpoint that was asked for.
    :param values: the values that were given.
    :param method: the method that was asked for, or None.
    :param adapter: whose map it was.
    """

    def __init__(
        self,
        endpoint: Any,
        values: Mapping[str, Any],
        method: str | None,
        adapter: MapAdapter | None = None,
    ) -> None:
        super().__init__(endpoint, values, method)
        self.adapter = adapter
        self.endpoint, self.values, self.method = endpoint, values, method

    @cached_property
    def suggested(self) -> Rule | None:
        """The rule that comes nearest to what was asked for; None if the map is empty."""
        return self.closest_rule(self.adapter)

    def closest_rule(self, adapter: MapAdapter | None) -> Rule | None:
        """Find the rule of a map that comes nearest to what was asked for."""
        if adapter is None:
            return None
        # Late: only who reads a message needs it.
        from stein.toolkit.routing.suggestions import nearest_rule  # noqa: PLC0415

        return nearest_rule(self, adapter.map._rules)  # noqa: SLF001 - known by that name

    def __str__(self) -> str:
        from stein.toolkit.routing.suggestions import build_message  # noqa: PLC0415 - as above

        return build_message(self)


class WebsocketMismatch(BadRequest):
    """Only WebSocket rules have this path and the request is none, or the other way round."""


class NoMatch(Exception):  # noqa: N818 - public name
    """No rule takes the path.

    :param have_match_for: the methods that some rule takes it for.
    :param websocket_mismatch: whether some rule takes it on the other side of the upgrade.
    """

    __slots__ = ("have_match_for", "websocket_mismatch")

    def __init__(self, have_match_for: set[str], websocket_mismatch: bool) -> None:  # noqa: FBT001 - public
        super().__init__(have_match_for, websocket_mismatch)
        self.have_match_for = have_match_for
        self.websocket_mismatch = websocket_mismatch
