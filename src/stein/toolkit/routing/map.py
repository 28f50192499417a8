"""A map: all the rules of an application."""

# ruff: noqa: PLR0913, PLR0917 - the parameters are those that programs give

from __future__ import annotations

import warnings
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from stein.http.hosts import request_host
from stein.toolkit.datastructures.multidict import ImmutableDict
from stein.toolkit.exceptions import BadHost
from stein.toolkit.routing.adapter import MapAdapter
from stein.toolkit.routing.builder import make_candidates, make_shortcut
from stein.toolkit.routing.converters import DEFAULT_CONVERTERS
from stein.toolkit.routing.exceptions import NoMatch, RequestAliasRedirect, RequestPath
from stein.toolkit.routing.matcher import StateMachineMatcher
from stein.toolkit.wsgi import get_host, wsgi_decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from stein.toolkit.request import Request
    from stein.toolkit.routing.builder import Candidates, Shortcut
    from stein.toolkit.routing.converters import BaseConverter
    from stein.toolkit.routing.rules import Rule, RuleFactory
    from stein.typing import Environ

__all__ = ["Map", "MapAdapter"]


class Map:
    """All the rules of an application, to be bound to a request.

    Which of them a path leads to is told in :mod:`stein.toolkit.routing.matcher`.  Rules can be
    added at any time; a request in another thread sees a new rule from then on, or from its next
    request on.

    :param rules: rules and factories.
    :param default_subdomain: for rules that name none.
    :param strict_slashes: see :class:`~stein.toolkit.routing.rules.Rule`.
    :param merge_slashes: see :class:`~stein.toolkit.routing.rules.Rule`.
    :param redirect_defaults: whether requests with a rule's default values in the path are
        redirected to that rule, and requests to an alias to the rule it stands for.
    :param converters: more converters, by name; they come before :attr:`default_converters`.
    :param sort_parameters: whether the query of a URL that is built is sorted.
    :param sort_key: by what; it is given a pair of name and value.
    :param host_matching: whether rules are for hosts instead of subdomains.
    """

    #: the converters that every map knows
    default_converters: dict[str, type[BaseConverter]] = ImmutableDict(DEFAULT_CONVERTERS)

    #: what makes the lock that is held while rules are put in their places
    lock_class: Callable[[], Any] = Lock

    def __init__(
        self,
        rules: Iterable[RuleFactory] | None = None,
        default_subdomain: str = "",
        strict_slashes: bool = True,  # noqa: FBT001, FBT002 - public
        merge_slashes: bool = True,  # noqa: FBT001, FBT002 - public
        redirect_defaults: bool = True,  # noqa: FBT001, FBT002 - public
        converters: Mapping[str, type[BaseConverter]] | None = None,
        sort_parameters: bool = False,  # noqa: FBT001, FBT002 - public
        sort_key: Callable[[Any], Any] | None = None,
        host_matching: bool = False,  # noqa: FBT001, FBT002 - public
    ) -> None:
        self.default_subdomain = default_subdomain
        self.strict_slashes = strict_slashes
        self.redirect_defaults = redirect_defaults
        self.host_matching = host_matching
        self.sort_parameters = sort_parameters
        self.sort_key = sort_key
        self.converters = {**self.default_converters, **(converters or {})}

        self._matcher = StateMachineMatcher(merge_slashes)
        self._rules_by_endpoint: dict[Any, list[Rule]] = {}
        # The same, ready for building; made by update()
        self._buildable: dict[Any, Candidates | tuple[Rule, ...]] = {}
        self._shortcuts: dict[Any, Shortcut] = {}
        self._remap = True  # something was added since the last update()
        # Guards the five above.  Readers take no lock: each is replaced or added to as a whole.
        self._remap_lock = self.lock_class()

        for factory in rules or ():
            self.add(factory)

    @property
    def merge_slashes(self) -> bool:
        """Whether a path that nothing fits is tried without double slashes."""
        return self._matcher.merge_slashes

    @merge_slashes.setter
    def merge_slashes(self, value: bool) -> None:
        self._matcher.merge_slashes = value

    # -- rules ------------------------------------------------------------------------------------

    def add(self, rulefactory: RuleFactory) -> None:
        """Add a rule, or all the rules of a factory.

        :raises RuntimeError: a rule belongs to a map already.
        :raises ValueError: a rule cannot be understood.
        :raises LookupError: a rule names a converter that the map does not have.
        """
        for rule in rulefactory.get_rules(self):
            rule.bind(self)
            # Not around the loop: the factory and the converters are code of other people.
            with self._remap_lock:
                if not rule.build_only:
                    self._matcher.add(rule)
                self._rules_by_endpoint.setdefault(rule.endpoint, []).append(rule)
                self._remap = True

    def update(self) -> None:
        """Put rules that were added in their places; called before each use of the map."""
        if not self._remap:
            return
        with self._remap_lock:
            if not self._remap:
                return  # type: ignore[unreachable] # another thread has done it meanwhile
            buildable = {}
            shortcuts = {}
            for endpoint, rules in self._rules_by_endpoint.items():
                # A sorted copy: while list.sort() runs, other threads see an empty list.
                in_order = sorted(rules, key=_build_order)
                self._rules_by_endpoint[endpoint] = in_order
                buildable[endpoint] = make_candidates(in_order)
                shortcut = make_shortcut(in_order)
                if shortcut is not None:
                    shortcuts[endpoint] = shortcut
                _find_canonical(in_order)
            self._buildable = buildable
            self._shortcuts = shortcuts
            self._matcher.update()
            self._remap = False

    def is_endpoint_expecting(self, endpoint: Any, *arguments: str) -> bool:
        """Whether some rule of the endpoint has all these placeholders or defaults.

        :raises KeyError: there is no rule for the endpoint.
        """
        self.update()
        return any(
            rule.arguments.issuperset(arguments) for rule in self._rules_by_endpoint[endpoint]
        )

    @property
    def _rules(self) -> list[Rule]:
        return [rule for rules in self._rules_by_endpoint.values() for rule in rules]

    def iter_rules(self, endpoint: Any | None = None) -> Iterator[Rule]:
        """The rules.

        :param endpoint: only of this endpoint; None: all.
        :raises KeyError: there is no rule for the endpoint.
        """
        self.update()
        return iter(self._rules if endpoint is None else self._rules_by_endpoint[endpoint])

    def __repr__(self) -> str:
        from pprint import pformat  # noqa: PLC0415 - late: only who looks at it needs it

        return f"{type(self).__name__}({pformat(list(self.iter_rules()))})"

    # -- requests ---------------------------------------------------------------------------------

    def bind(
        self,
        server_name: str,
        script_name: str | None = None,
        subdomain: str | None = None,
        url_scheme: str = "http",  # and, below, the request
        default_method: str = "GET",
        path_info: str | None = None,
        query_args: Mapping[str, Any] | str | None = None,
    ) -> MapAdapter:
        """Bind the map to what is known of a request, or of where URLs shall lead.

        :param server_name: the host, with the port if it is not the scheme's usual one, and
            without the subdomain.
        :param script_name: the path of the application's root; None: ``/``.
        :param subdomain: None: the map's default.
        :param url_scheme: ``ws`` and ``wss`` are for WebSockets.
        :param default_method: the method, where :meth:`MapAdapter.match` is not given one.
        :param path_info: the path below the root, decoded; None: ``/``.
        :param query_args: the query, for redirects.
        :raises RuntimeError: there is a subdomain, and the map matches hosts.
        :raises BadHost: the host is no name.
        """
        if subdomain is None:
            subdomain = None if self.host_matching else self.default_subdomain
        elif self.host_matching:
            raise _subdomain_error(subdomain)
        return MapAdapter(
            self,
            _to_ascii(server_name.lower()),
            "/" if script_name is None else script_name,
            subdomain,
            url_scheme,
            "/" if path_info is None else path_info,
            default_method,
            query_args,
        )

    # Whether requests are bound as below, and not as a subclass wants it.
    _plain_binding = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._plain_binding = cls.bind_to_environ is Map.bind_to_environ

    def find(self, environ: Environ) -> tuple[Rule, dict[str, Any]] | None:
        """Find the rule of a request for the default subdomain, if it is an ordinary one.

        PERF: what an adapter's ``match(return_rule=True)`` gives, without an adapter.

        :return: the rule and the values; None if there is none, or something is special about the
            request or the rule, for :meth:`bind_to_environ` to tell.
        :raises BadHost: the host is no name.
        """
        scheme, host, path = (
            environ["wsgi.url_scheme"],
            environ.get("HTTP_HOST"),
            environ["PATH_INFO"],
        )
        if (
            not self._plain_binding
            or host is None
            or len(host) > _LONGEST_REMEMBERED
            or "HTTP_UPGRADE" in environ
            or not path.isascii()
            or (scheme != "http" and scheme != "https")  # noqa: PLR1714 - PERF: no set
        ):
            return None
        _known_host(scheme, host)  # raises
        if self._remap:
            self.update()
        try:
            rule, values = self._matcher.match(
                self.default_subdomain or "", path, environ["REQUEST_METHOD"].upper(), False
            )
        except (RequestPath, RequestAliasRedirect, NoMatch):
            return None
        return (rule, values) if rule._plain else None  # noqa: SLF001 - it belongs to the map

    def bind_to_environ(
        self,
        environ: Environ | Request,
        server_name: str | None = None,
        subdomain: str | None = None,
    ) -> MapAdapter:
        """Bind the map to a request.

        :param environ: a WSGI environ, or a request that has one.
        :param server_name: the host below which the subdomains are; if the request's is not below
            it, that is warned of, and no rule matches.  None: the request's, without a subdomain.
        :param subdomain: the subdomain, if it is known otherwise.
        :raises BadHost: the host is no name.
        """
        env: Any = environ if environ.__class__ is dict else getattr(environ, "environ", environ)
        if not isinstance(env, dict):
            kind = type(environ).__name__
            raise TypeError(f"{environ!r} is a {kind}; give a request or a WSGI environ (dict)")
        scheme = env["wsgi.url_scheme"]
        host = env.get("HTTP_HOST")
        # PERF: get_host(), lower() and _to_ascii() take six times as long as remembering it.
        if host is None or len(host) > _LONGEST_REMEMBERED:
            host = _to_ascii(get_host(env).lower())
        else:
            host = _known_host(scheme, host)
        if "HTTP_UPGRADE" in env:
            scheme = _upgraded_scheme(env)
        if server_name is None:
            server_name = host
        else:
            server_name = _to_ascii(_without_default_port(server_name.lower(), scheme))
        if subdomain is not None:
            if self.host_matching:
                raise _subdomain_error(subdomain)
        elif not self.host_matching:
            subdomain = "" if host == server_name else _subdomain(host, server_name)
            if subdomain is None:
                # The server may have been asked by its address, or by a health check.
                message = (
                    f"Current server name {host!r} doesn't match configured server name "
                    f"{server_name!r}"
                )
                warnings.warn(message, stacklevel=2)
                subdomain = "<invalid>"
        path = env.get("PATH_INFO", "/")
        root = env.get("SCRIPT_NAME")
        query = env.get("QUERY_STRING")
        return MapAdapter(
            self,
            server_name,
            _script_name(root) if root else "/",
            subdomain,
            scheme,
            path if path.isascii() else wsgi_decode(path),
            env["REQUEST_METHOD"],
            query if query is None or query.isascii() else wsgi_decode(query),
        )


def _script_name(root: str) -> str:
    """The path of the application's root, as text, with its slash in front."""
    if root[0] != "/":
        # A proxy's header may be where it comes from; behind a host it would be a part of that.
        root = f"/{root}"
    return root if root.isascii() else wsgi_decode(root)


def _subdomain_error(subdomain: str) -> RuntimeError:
    return RuntimeError(
        f"the map matches hosts; leave the subdomain {subdomain!r} out, and put it into the "
        "server name"
    )


def _build_order(rule: Rule) -> Any:
    return rule.build_compare_key()


def _find_canonical(rules: list[Rule]) -> None:
    """Work out whose defaults may make a rule redirect, for all the rules of an endpoint."""
    earlier: list[Rule] = []  # with defaults
    for rule in rules:
        better = [each for each in earlier if each.provides_defaults_for(rule)]
        if rule.defaults:
            earlier.append(rule)
        rule._canonical = tuple(better)  # noqa: SLF001 - the rule carries what is known of it
        rule._plain = not (  # noqa: SLF001
            better or rule.defaults or rule.alias or rule.redirect_to is not None
        )


def _upgraded_scheme(environ: Environ) -> str:
    """The scheme of a request, which for a WebSocket is another one (RFC 6455 4.2.1)."""
    scheme: str = environ["wsgi.url_scheme"]
    if environ["HTTP_UPGRADE"].lower() == "websocket":
        options = environ.get("HTTP_CONNECTION", "").lower().split(",")
        if any(option.strip(" \t") == "upgrade" for option in options):
            return "wss" if scheme == "https" else "ws"
    return scheme


def _subdomain(host: str, server_name: str) -> str | None:
    """What stands before the server's name in a host; None if the host is another one."""
    if not host.endswith(f".{server_name}"):
        return None
    return ".".join(filter(None, host.removesuffix(f".{server_name}").split(".")))


def _without_default_port(host: str, scheme: str) -> str:
    if scheme in {"http", "ws"}:
        return host.removesuffix(":80")
    if scheme in {"https", "wss"}:
        return host.removesuffix(":443")
    return host


_LONGEST_REMEMBERED: Final = 255  # no name is longer (RFC 1035 2.3.4)


@lru_cache(maxsize=256)
def _known_host(scheme: str, field: str) -> str:
    """The host in a Host field, in the form in which names are compared."""
    return _to_ascii(request_host(scheme, field, None).lower())


def _to_ascii(host: str) -> str:
    """A host in the form that is sent (RFC 3490); the port, if there is one, stays."""
    # PERF: the codec takes 3 us to find nothing to do.  What it refuses of ASCII names are empty
    # labels, and labels of more than 63 characters.
    if len(host) < 64 and host.isascii() and host[:1] != "." and ".." not in host:
        return host
    name, colon, port = host.partition(":")
    try:
        return f"{name.encode('idna').decode('ascii')}{colon}{port}"
    except UnicodeError as error:
        raise BadHost(f"The host {name!r} is no name: {error}.") from error
