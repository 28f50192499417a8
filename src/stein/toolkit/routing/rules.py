"""A rule: the path of a URL with placeholders, and what it leads to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from stein.http.urls import encode_query
from stein.toolkit.datastructures.multidict import iter_multi_items
from stein.toolkit.routing.builder import Recipe, query_of
from stein.toolkit.routing.converters import make_values
from stein.toolkit.routing.factories import (
    EndpointPrefix,
    RuleFactory,
    RuleTemplate,
    RuleTemplateFactory,
    Subdomain,
    Submount,
)
from stein.toolkit.routing.parts import RulePart, Weighting, pattern_of
from stein.toolkit.routing.syntax import parse_converter_args, read_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from stein.toolkit.routing.converters import BaseConverter
    from stein.toolkit.routing.map import Map
    from stein.toolkit.routing.parts import Piece

__all__ = [
    "EndpointPrefix",
    "Rule",
    "RuleFactory",
    "RulePart",
    "RuleTemplate",
    "RuleTemplateFactory",
    "Subdomain",
    "Submount",
    "Weighting",
    "parse_converter_args",
]

_SLASHES: Final = re.compile("/{2,}")
_WEBSOCKET_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Rule(RuleFactory):
    """One pattern of URLs.  Give all arguments but the first by name.

    :param string: the path, beginning with a slash: texts, and placeholders as in
        ``/user/<int(min=1):id>/<name>`` (:mod:`stein.toolkit.routing.syntax`).  A path that ends
        with a slash is a *branch*: who asks for it without the slash is redirected.
    :param defaults: values that are not in the path.  If another rule of the endpoint has
        placeholders for them, requests to that one with just these values are redirected here.
    :param subdomain: the subdomain it is for, may have placeholders; None: the map's default.
    :param methods: the methods it is for; HEAD comes with GET.  None: all.
    :param build_only: URLs are built from it, and none is matched: something else serves them.
    :param endpoint: what it leads to: a name, or anything that a dict takes as a key.
    :param strict_slashes: whether a branch redirects (if not, it takes both paths), and a leaf
        refuses a slash at its end; None: as the map.
    :param merge_slashes: whether ``//`` in a request's path is redirected to ``/``, unless a
        placeholder takes it; None: as the map.
    :param redirect_to: where matching it redirects to, relative to the application's root: a text
        with ``<name>`` for the values, or a function of the adapter and the values.
    :param alias: it stands for another rule of the endpoint with the same placeholders, to which
        it redirects.
    :param host: the host it is for, may have placeholders; if the map matches hosts.
    :param websocket: whether it is for WebSocket requests only, instead of all others.
    :raises ValueError: the path does not begin with a slash, or the methods are none of a
        WebSocket.
    :raises TypeError: ``methods`` is a single text.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the parameters are those that programs give
        self,
        string: str,
        defaults: Mapping[str, Any] | None = None,
        subdomain: str | None = None,
        methods: Iterable[str] | None = None,
        build_only: bool = False,  # noqa: FBT001, FBT002 - public
        endpoint: Any | None = None,
        strict_slashes: bool | None = None,  # noqa: FBT001 - public
        merge_slashes: bool | None = None,  # noqa: FBT001 - public
        redirect_to: str | Callable[..., str] | None = None,
        alias: bool = False,  # noqa: FBT001, FBT002 - public
        host: str | None = None,
        websocket: bool = False,  # noqa: FBT001, FBT002 - public
    ) -> None:
        if not string.startswith("/"):
            raise ValueError(f"URL rule {string!r} must begin with a slash: {'/' + string!r}")
        # As given
        self.rule = string
        self.is_branch = string.endswith("/")
        self.is_leaf = not self.is_branch
        self.defaults = defaults
        self.subdomain = subdomain
        self.methods = _method_set(string, methods, websocket=websocket)
        self.build_only = build_only
        self.endpoint: Any = endpoint
        self.strict_slashes = strict_slashes
        self.merge_slashes = merge_slashes
        self.redirect_to = redirect_to
        self.alias = alias
        self.host = host
        self.websocket = websocket
        #: names of its placeholders (once it is bound) and defaults
        self.arguments = set(map(str, defaults or ()))
        # From bind() on
        self.map: Any = None  # then the map; nearly all who ask have a rule that is bound
        self._trace: list[tuple[bool, str]] = []
        self._converters: dict[str, BaseConverter] = {}
        self._parts: list[tuple[RulePart, Sequence[Piece]]] = []
        #: makes the values of what the placeholders took
        self._make_values: Callable[[Sequence[str]], dict[str, Any]] = _no_values
        self._recipe: Recipe | None = None
        # From Map.update() on
        self._canonical: tuple[Rule, ...] = ()  # whose defaults may make it redirect
        self._plain = False  # a match of it is the answer: no default, redirect or alias

    # -- copies -----------------------------------------------------------------------------------

    def empty(self) -> Rule:
        """A copy that is not bound, for another map."""
        return type(self)(self.rule, **self.get_empty_kwargs())

    def get_empty_kwargs(self) -> dict[str, Any]:
        """The named arguments :meth:`empty` makes the copy with; a subclass adds its own."""
        kwargs = {
            "defaults": dict(self.defaults) if self.defaults else None,
            "subdomain": self.subdomain,
            "methods": self.methods,
            "build_only": self.build_only,
            "endpoint": self.endpoint,
            "strict_slashes": self.strict_slashes,
            "redirect_to": self.redirect_to,
            "alias": self.alias,
            "host": self.host,
        }
        # Only where they are set: there are subclasses that were written before these.
        if self.merge_slashes is not None:
            kwargs["merge_slashes"] = self.merge_slashes
        if self.websocket:
            kwargs["websocket"] = True
        return kwargs

    def get_rules(self, map: Map) -> Iterator[Rule]:  # noqa: A002, ARG002 - public
        """The rule itself."""
        yield self

    # -- binding ----------------------------------------------------------------------------------

    def bind(self, map: Map, rebind: bool = False) -> None:  # noqa: A002, FBT001, FBT002 - public
        """Belong to a map, and take from it what was left open.

        :param rebind: whether it may be bound already.
        :raises RuntimeError: it is bound already.
        """
        if self.map is not None and not rebind:
            message = f"url rule {self!r} already bound to map {self.map!r}; add rule.empty()"
            raise RuntimeError(message)
        self.map = map
        if self.subdomain is None:
            self.subdomain = map.default_subdomain
        for name in ("strict_slashes", "merge_slashes"):
            if getattr(self, name) is None:
                setattr(self, name, getattr(map, name))
        self.compile()

    def refresh(self) -> None:
        """Bind again, after an attribute was changed."""
        self.bind(self.map, rebind=True)

    def get_converter(
        self,
        variable_name: str,  # noqa: ARG002 - for subclasses
        converter_name: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> BaseConverter:
        """The converter for a placeholder.

        :param variable_name: the name of the placeholder.
        :param converter_name: the name of the converter.
        :param args: and ``kwargs``: what it is made with.
        :raises LookupError: the map has no such converter.
        """
        kind: type[BaseConverter] | None = self.map.converters.get(converter_name)
        if kind is None:
            known = ", ".join(sorted(self.map.converters))
            raise LookupError(
                f"the converter {converter_name!r} does not exist; the map has: {known}"
            )
        return kind(self.map, *args, **kwargs)

    def compile(self) -> None:
        """Work out all that does not depend on a request."""
        if self.map is None:
            raise RuntimeError(f"{self!r} is bound to no map; add it to one first")
        domain = (self.host if self.map.host_matching else self.subdomain) or ""
        path = _SLASHES.sub("/", self.rule) if self.merge_slashes else self.rule
        self._converters = {}
        self._parts = []
        self._trace = []
        self._plain = False
        self._read(domain, whole=True)
        on_domain = list(self._trace)
        self._trace.append((False, "|"))
        self._read(path)
        del self._parts[1]  # the nothing before the slash that all paths begin with
        self._make_values = make_values(self._converters)
        kind = type(self)
        if kind.build is Rule.build and kind.suitable_for is Rule.suitable_for:
            self._recipe = Recipe(self, on_domain, self._trace[len(on_domain) + 1 :])
        else:  # a subclass builds in its own way
            self._recipe = None

    def _read(self, text: str, *, whole: bool = False) -> None:
        """Take the domain, which is a whole, or the path apart."""
        part = _Part()
        for item in read_rule(text):
            if isinstance(item, str):
                self._trace.append((False, item))
                if item == "/" and not part.final and not whole:
                    self._parts.append(part.finish())
                    part = _Part()
                else:
                    part.add_text(item)
            else:
                self._trace.append((True, item.name))
                self.arguments.add(item.name)
                converter = self.get_converter(item.name, item.converter, item.args, item.kwargs)
                self._converters[item.name] = converter
                part.add_converter(converter)
        part.final = part.final and not whole
        self._parts.append(part.finish(last=True))
        if self._parts[-1][0].suffixed:
            self._parts.append(_Part().finish())

    # -- building ---------------------------------------------------------------------------------

    def build(
        self,
        values: Mapping[str, Any],
        append_unknown: bool = True,  # noqa: FBT001, FBT002 - public
    ) -> tuple[str, str] | None:
        """The domain and the path with these values, which :meth:`suitable_for` found suitable.

        :param append_unknown: whether values without a placeholder become the query.
        :return: None if a converter does not take its value.
        """
        recipe = self._recipe
        if recipe is None:  # build() of a subclass calls this one
            at = self._trace.index((False, "|"))
            recipe = Recipe(self, self._trace[:at], self._trace[at + 1 :])
        return recipe.build(values, append_unknown=append_unknown)

    def suitable_for(self, values: Mapping[str, Any], method: str | None = None) -> bool:
        """Whether these values are enough to build it, and it is for the method.

        A value that it has a default for must be the default.
        """
        if method is not None and self.methods is not None and method not in self.methods:
            return False
        defaults = self.defaults or {}
        if any(name not in values and name not in defaults for name in self.arguments):
            return False
        return not any(name in values and each != values[name] for name, each in defaults.items())

    def provides_defaults_for(self, rule: Rule) -> bool:
        """Whether another rule's requests may have to be redirected to this one."""
        return bool(
            self.defaults
            and not self.build_only
            and self.endpoint == rule.endpoint
            and self.arguments == rule.arguments
            and self != rule
        )

    def build_compare_key(self) -> tuple[int, int, int]:
        """Its place among the rules of the endpoint, when a URL is built.

        Aliases come last; then whoever has more placeholders, and then more defaults, comes first.
        """
        return (1 if self.alias else 0, -len(self.arguments), -len(self.defaults or ()))

    def _encode_query_vars(self, query_vars: Mapping[str, Any]) -> str:
        if query_vars.__class__ is dict and not self.map.sort_parameters:
            return query_of(query_vars)
        pairs: Iterable[tuple[str, Any]] = iter_multi_items(query_vars)
        if self.map.sort_parameters:
            pairs = sorted(pairs, key=self.map.sort_key)
        return encode_query(pairs)

    # -- as an object -----------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self._trace == other._trace

    __hash__ = None  # type: ignore[assignment] # it can be changed, as a list can

    def __str__(self) -> str:
        return self.rule

    def __repr__(self) -> str:
        kind = type(self).__name__
        if self.map is None:
            return f"<{kind} (unbound)>"
        words = [f"<{word}>" if is_name else word for is_name, word in self._trace]
        methods = "" if self.methods is None else f" ({', '.join(sorted(self.methods))})"
        return f"<{kind} {''.join(words).lstrip('|')!r}{methods} -> {self.endpoint}>"


def _method_set(string: str, methods: Iterable[str] | None, *, websocket: bool) -> set[str] | None:
    if methods is None:
        return None
    if isinstance(methods, str):
        raise TypeError(f"'methods' should be a list of strings, such as [{methods!r}]")
    names = {method.upper() for method in methods}
    if "GET" in names:
        names.add("HEAD")
    if websocket and (wrong := names - _WEBSOCKET_METHODS):
        raise ValueError(
            f"the WebSocket rule {string!r} has methods {sorted(wrong)}; it can only have GET, "
            "HEAD and OPTIONS"
        )
    return names


def _no_values(_: Sequence[str]) -> dict[str, Any]:
    return {}


class _Part:
    """A part of a rule that is being read."""

    __slots__ = ("final", "pieces", "texts", "weights")

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.texts: list[tuple[int, int]] = []
        self.weights: list[int] = []
        self.final = False

    def add_text(self, text: str) -> None:
        if text != "/":  # slashes weigh nothing
            self.texts.append((len(self.texts), -len(text)))
        if self.pieces and isinstance(self.pieces[-1], str):
            self.pieces[-1] += text
        else:
            self.pieces.append(text)

    def add_converter(self, converter: BaseConverter) -> None:
        self.pieces.append(converter)
        self.weights.append(converter.weight)
        self.final = self.final or not converter.part_isolating

    def finish(self, *, last: bool = False) -> tuple[RulePart, Sequence[Piece]]:
        """The part, and what it is made of."""
        pieces = self.pieces
        suffixed = False
        if last and self.final and isinstance(pieces[-1], str) and pieces[-1].endswith("/"):
            suffixed = True
            pieces[-1] = pieces[-1][:-1]
            if not pieces[-1]:
                del pieces[-1]
        static = not self.weights
        content = "".join(map(str, pieces)) if static else pattern_of(pieces)
        weight = Weighting(
            -len(self.texts), tuple(self.texts), -len(self.weights), tuple(self.weights)
        )
        return RulePart(content, self.final, static, suffixed, weight), pieces
