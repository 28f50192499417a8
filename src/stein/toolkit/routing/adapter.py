"""An adapter: a map bound to one request, for matching its path and building URLs from it."""

# ruff: noqa: PLR0913, PLR0917 - the parameters are those that programs give

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, overload
from urllib.parse import urljoin

from stein.http.urls import encode_query
from stein.toolkit.datastructures.multidict import MultiDict, iter_multi_items
from stein.toolkit.exceptions import HTTPException, MethodNotAllowed, NotFound
from stein.toolkit.routing.converters import encode_path
from stein.toolkit.routing.exceptions import (
    BuildError,
    NoMatch,
    RequestAliasRedirect,
    RequestPath,
    RequestRedirect,
    WebsocketMismatch,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence

    from stein.toolkit.routing.map import Map
    from stein.toolkit.routing.rules import Rule
    from stein.typing import WSGIApplication

__all__ = ["MapAdapter"]

_NAMES: Final = re.compile("<([^<>]+)>")


class MapAdapter:
    """A map bound to a request; :meth:`Map.bind` and :meth:`Map.bind_to_environ` make it.

    The parameters are those of :meth:`Map.bind`, the server name in ASCII.
    """

    def __init__(
        self,
        map: Map,  # noqa: A002 - public name
        server_name: str,
        script_name: str,
        subdomain: str | None,
        url_scheme: str,
        path_info: str,
        default_method: str,
        query_args: Mapping[str, Any] | str | None = None,
    ) -> None:
        self.map = map
        # The request
        self.default_method = default_method
        self.path_info = path_info
        self.query_args = query_args
        # Where the application is
        self.url_scheme = url_scheme
        self.websocket = url_scheme in {"ws", "wss"}
        self.subdomain = subdomain
        self.server_name = server_name
        self.script_name = script_name if script_name[-1:] == "/" else f"{script_name}/"

    # -- matching ---------------------------------------------------------------------------------

    def dispatch(
        self,
        view_func: Callable[[str, Mapping[str, Any]], WSGIApplication],
        path_info: str | None = None,
        method: str | None = None,
        catch_http_exceptions: bool = False,  # noqa: FBT001, FBT002 - public
    ) -> WSGIApplication:
        """Match, and call a function with what was found.

        :param view_func: is given the endpoint and the values.
        :param path_info: as for :meth:`match`.
        :param method: as for :meth:`match`.
        :param catch_http_exceptions: whether an HTTP error, of the function or of the matching, is
            returned; it is a WSGI application.  A redirect always is.
        """
        try:
            try:
                endpoint, values = self.match(path_info, method)
            except RequestRedirect as redirect:
                return redirect
            return view_func(endpoint, values)
        except HTTPException as error:
            if catch_http_exceptions:
                return error
            raise

    @overload
    def match(
        self,
        path_info: str | None = None,
        method: str | None = None,
        return_rule: Literal[False] = False,  # noqa: FBT002 - public
        query_args: Mapping[str, Any] | str | None = None,
        websocket: bool | None = None,  # noqa: FBT001 - public
    ) -> tuple[Any, Mapping[str, Any]]: ...

    @overload
    def match(
        self,
        path_info: str | None = None,
        method: str | None = None,
        return_rule: Literal[True] = True,  # noqa: FBT002 - public
        query_args: Mapping[str, Any] | str | None = None,
        websocket: bool | None = None,  # noqa: FBT001 - public
    ) -> tuple[Rule, Mapping[str, Any]]: ...

    def match(
        self,
        path_info: str | None = None,
        method: str | None = None,
        return_rule: bool = False,  # noqa: FBT001, FBT002 - public
        query_args: Mapping[str, Any] | str | None = None,
        websocket: bool | None = None,  # noqa: FBT001 - public
    ) -> tuple[Any, Mapping[str, Any]]:
        """Find what a path leads to.

        All parameters are those of the request, unless they are given.

        :param path_info: the path below the application's root, decoded.
        :param method: the method.
        :param return_rule: whether the rule is wanted, instead of its endpoint.
        :param query_args: the query; a redirect gets it.
        :param websocket: whether a WebSocket is asked for.
        :return: the endpoint, and the values of placeholders and defaults.
        :raises NotFound: nothing has this path.
        :raises MethodNotAllowed: something has, for other methods; it says which.
        :raises WebsocketMismatch: something has, but not (or only) for WebSockets.
        :raises RequestRedirect: the client shall ask for another URL.
        """
        url_map = self.map
        if url_map._remap:  # noqa: SLF001 - PERF: update() would be one more call for each request
            url_map.update()
        if path_info is None:
            path_info = self.path_info
        method = (method or self.default_method).upper()
        if websocket is None:
            websocket = self.websocket
        domain = self.server_name
        if self.subdomain is not None and not url_map.host_matching:
            domain = self.subdomain
        try:
            rule, values = url_map._matcher.match(domain, path_info, method, websocket)  # noqa: SLF001
        except (RequestPath, RequestAliasRedirect, NoMatch) as reason:
            answer = self._answer(reason, path_info, method, query_args)
        else:
            if not rule._plain:  # noqa: SLF001 - PERF: one look for all that can be special
                self._redirect(rule, values, method, query_args)
            return (rule if return_rule else rule.endpoint), values
        # Not in the except clause, nor with a name that stays: either would make a cycle of the
        # error and its caller's frames, and a server is asked for many paths that it does not have.
        try:
            raise answer
        finally:
            del answer

    def _answer(
        self,
        reason: RequestPath | RequestAliasRedirect | NoMatch,
        path_info: str,
        method: str,
        query_args: Mapping[str, Any] | str | None,
    ) -> HTTPException:
        """What it means for the client that the matcher gave no rule."""
        if query_args is None:
            query_args = self.query_args or {}
        if isinstance(reason, RequestPath):
            url = self.make_redirect_url(encode_path(reason.path_info), query_args)
            return RequestRedirect(url)
        if isinstance(reason, RequestAliasRedirect):
            asked = self.make_redirect_url(encode_path(path_info), {})
            values = reason.matched_values
            return RequestRedirect(
                self.make_alias_redirect_url(asked, reason.endpoint, values, method, query_args)
            )
        if reason.have_match_for:
            return MethodNotAllowed(valid_methods=sorted(reason.have_match_for))
        return WebsocketMismatch() if reason.websocket_mismatch else NotFound()

    def _redirect(
        self,
        rule: Rule,
        values: MutableMapping[str, Any],
        method: str,
        query_args: Mapping[str, Any] | str | None,
    ) -> None:
        """Redirect, if the rule that was found wants that.

        :raises RequestRedirect: it does.
        """
        if rule._canonical and self.map.redirect_defaults:  # noqa: SLF001
            if query_args is None:
                query_args = self.query_args or {}
            url = self.get_default_redirect(rule, method, values, query_args)
            if url is not None:
                raise RequestRedirect(url)
        target = rule.redirect_to
        if target is None:
            return
        if callable(target):
            target = target(self, **values)
        else:
            convert = rule._converters  # noqa: SLF001
            target = _NAMES.sub(lambda name: convert[name[1]].to_url(values[name[1]]), target)
        host = f"{self.subdomain}.{self.server_name}" if self.subdomain else self.server_name
        root = f"{self.url_scheme or 'http'}://{host}{self.script_name}"
        raise RequestRedirect(urljoin(root, target))

    def test(self, path_info: str | None = None, method: str | None = None) -> bool:
        """Whether the path leads to something, be it by a redirect.

        :param path_info: as for :meth:`match`.
        :param method: as for :meth:`match`.
        """
        try:
            self.match(path_info, method)
        except RequestRedirect:
            return True
        except HTTPException:
            return False
        return True

    def allowed_methods(self, path_info: str | None = None) -> Iterable[str]:
        """The methods that the path leads somewhere with; empty if it is for all, or for none.

        :param path_info: as for :meth:`match`.
        """
        try:
            self.match(path_info, method="--")
        except MethodNotAllowed as error:
            return error.valid_methods or []
        except HTTPException:
            pass
        return []

    # -- redirects --------------------------------------------------------------------------------

    def get_host(self, domain_part: str | None) -> str:
        """The whole host for a part of it.

        :param domain_part: a subdomain or, if the map matches hosts, a host; None: the request's.
        """
        if self.map.host_matching:
            return self.server_name if domain_part is None else domain_part
        subdomain = self.subdomain if domain_part is None else domain_part
        return f"{subdomain}.{self.server_name}" if subdomain else self.server_name

    def get_default_redirect(
        self,
        rule: Rule,
        method: str,
        values: MutableMapping[str, Any],
        query_args: Mapping[str, Any] | str,
    ) -> str | None:
        """The URL of the rule whose defaults these values are; None if they are no rule's.

        :param rule: that was found.
        :param values: that were found; the defaults are added to them.
        """
        for better in rule._canonical:  # noqa: SLF001 - worked out by the map
            if better.suitable_for(values, method):
                values.update(better.defaults or {})
                built = better.build(values)
                if built is not None:
                    domain, path = built
                    return self.make_redirect_url(path, query_args, domain_part=domain)
        return None

    def encode_query_args(self, query_args: Mapping[str, Any] | str) -> str:
        """The query as a text."""
        if isinstance(query_args, str):
            return query_args
        pairs: Iterable[tuple[object, object]] = iter_multi_items(query_args)  # type: ignore[arg-type] # the keys are texts
        return encode_query(pairs)

    def make_redirect_url(
        self,
        path_info: str,
        query_args: Mapping[str, Any] | str | None = None,
        domain_part: str | None = None,
    ) -> str:
        """The whole URL for a path below the application's root.

        :param path_info: percent-encoded.  However many slashes it begins with, the URL stays on
            the host.
        :param query_args: None: the request's.
        :param domain_part: as for :meth:`get_host`.
        """
        if query_args is None:
            query_args = self.query_args
        root = self.script_name.strip("/")
        url = (
            f"{self.url_scheme or 'http'}://{self.get_host(domain_part)}/"
            f"{root and root + '/'}{path_info.lstrip('/')}"
        )
        query = self.encode_query_args(query_args) if query_args else ""
        return f"{url}?{query}" if query else url

    def make_alias_redirect_url(
        self,
        path: str,
        endpoint: Any,
        values: Mapping[str, Any],
        method: str,
        query_args: Mapping[str, Any] | str,
    ) -> str:
        """The canonical URL of what an alias stands for.

        :param path: the URL that was asked for.
        :raises RuntimeError: it is its own canonical URL.
        """
        url = self.build(endpoint, values, method, append_unknown=False, force_external=True)
        if url == path:
            raise RuntimeError(
                f"the rule for {url!r} is an alias, but the endpoint {endpoint!r} has no other "
                f"rule for {method} with the placeholders {sorted(values)}; add one, or make it "
                "no alias"
            )
        return f"{url}?{self.encode_query_args(query_args)}" if query_args else url

    # -- building ---------------------------------------------------------------------------------

    def build(
        self,
        endpoint: Any,
        values: Mapping[str, Any] | None = None,
        method: str | None = None,
        force_external: bool = False,  # noqa: FBT001, FBT002 - public
        append_unknown: bool = True,  # noqa: FBT001, FBT002 - public
        url_scheme: str | None = None,
    ) -> str:
        """Build the URL of an endpoint.

        It is a path, unless the URL is on another host, the rule is for WebSockets or a whole URL
        is asked for.  Values are encoded, and are not checked beyond what their converters do.

        :param endpoint: what the URL shall lead to.
        :param values: for the placeholders, and for the query.  In a mapping, ``None`` counts as
            not given; in a ``MultiDict``, a key without values does.
        :param method: for endpoints whose rules differ in that; None: the request's, or any.
        :param force_external: whether it shall be a whole URL.
        :param append_unknown: whether values without a placeholder become the query.
        :param url_scheme: None: the request's; empty: none, the URL begins with the host.
        :raises BuildError: no rule of the endpoint can be built with these values; the message has
            the rule that comes nearest to it.
        :raises ValueError: a value cannot be written, such as a text for a number.
        """
        url_map = self.map
        if url_map._remap:  # noqa: SLF001 - as in match()
            url_map.update()
        # PERF: most URLs are those of an endpoint's only rule, on the same host, with just the
        # values it needs; all that is below takes three times as long.
        shortcut = url_map._shortcuts.get(endpoint)  # noqa: SLF001
        if shortcut is not None and method is None:
            domain, path, make = shortcut
            try:
                if make is not None:
                    path = make(values) if values.__class__ is dict else None
                elif values:
                    path = None
            except (OverflowError, TypeError, ValueError):
                path = None  # below, it is told what is wrong
            if path is not None:
                if domain != self.subdomain or force_external:
                    return self._join(domain, path, url_scheme, external=force_external)
                root = self.script_name
                return path if root == "/" else root.rstrip("/") + path
        given = _given(values) if values else {}
        built = self._partial_build(endpoint, given, method, append_unknown)
        if built is None:
            raise BuildError(endpoint, given, method, self)
        domain, path, websocket = built
        return self._join(domain, path, url_scheme, external=force_external, websocket=websocket)

    def _join(
        self,
        domain: str,
        path: str,
        url_scheme: str | None,
        *,
        external: bool,
        websocket: bool = False,
    ) -> str:
        """The URL of a path below the application's root, a whole one where it must be."""
        path = f"/{path.lstrip('/')}"  # two slashes would begin a host
        if not external and not websocket:
            here = self.server_name if self.map.host_matching else self.subdomain
            if domain == here:
                return self.script_name.rstrip("/") + path
        scheme = self.url_scheme if url_scheme is None else url_scheme
        # Browsers want a scheme for WebSockets, and from within one, URLs lead to HTTP.
        if scheme or websocket:
            plain, tls = ("ws:", "wss:") if websocket else ("http:", "https:")
            scheme = tls if scheme in {"https", "wss"} else plain
        return f"{scheme}//{self.get_host(domain)}{self.script_name[:-1]}{path}"

    def _partial_build(
        self,
        endpoint: Any,
        values: Mapping[str, Any],
        method: str | None,
        append_unknown: bool,  # noqa: FBT001 - known by this signature
    ) -> tuple[str, str, bool] | None:
        """Domain, path, and whether it is for WebSockets; None if no rule can be built."""
        rules: Any = self.map._buildable.get(endpoint, ())  # noqa: SLF001 - ready for this
        if rules.__class__ is not tuple:
            rules = rules.select(values)
        if method is not None:
            return self._build_first(rules, values, method, append_unknown)
        built = self._build_first(rules, values, self.default_method, append_unknown)
        if built is None:
            built = self._build_first(rules, values, None, append_unknown)
        return built

    def _build_first(
        self,
        rules: Sequence[Rule],
        values: Mapping[str, Any],
        method: str | None,
        append_unknown: bool,  # noqa: FBT001 - as above
    ) -> tuple[str, str, bool] | None:
        """Build the first rule that can be; of those for hosts, one on this host."""
        elsewhere = None
        for rule in rules:
            if method is not None and rule.methods is not None and method not in rule.methods:
                continue
            recipe = rule._recipe  # noqa: SLF001 - PERF: the public methods check all this again
            if recipe is not None:
                if not recipe.suits(values):
                    continue
                built = recipe.build(values, append_unknown=append_unknown)
            elif rule.suitable_for(values, method):
                built = rule.build(values, append_unknown)
            else:
                continue
            if built is None:
                continue
            domain, path = built
            if not self.map.host_matching or domain == self.server_name:
                return domain, path, rule.websocket
            if elsewhere is None:
                elsewhere = (domain, path, rule.websocket)
        return elsewhere


def _given(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values that count as given."""
    if values.__class__ is dict:
        # PERF: values are seldom None, and are only read: what is as it shall be is not copied.
        for value in values.values():
            if value is None:
                break
        else:
            return values
    elif isinstance(values, MultiDict):
        # Of a single value a converter gets just that, of several the list.
        return {
            key: each[0] if len(each) == 1 else each for key, each in dict.items(values) if each
        }
    return {key: value for key, value in values.items() if value is not None}
