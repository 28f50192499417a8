"""Rules that a URL nearly matches, and what keeps them from it.

Each rule is looked at by itself, in a map that holds no other: then all that the map's own rules
do to each other is out of the way, and what remains is a property of this rule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stein.toolkit.exceptions import HTTPException, MethodNotAllowed
from stein.toolkit.routing.converters import ValidationError
from stein.toolkit.routing.exceptions import RequestRedirect, WebsocketMismatch
from stein.toolkit.routing.map import Map
from stein.toolkit.routing.rules import Rule
from stein.toolkit.routing.syntax import read_rule

if TYPE_CHECKING:
    from stein.toolkit.routing.adapter import MapAdapter

__all__ = ["Miss", "find_misses"]

#: the kinds of misses, from the nearest to the farthest
KINDS: Final = ("weight", "method", "slash", "domain", "websocket", "converter", "spelling")
#: how alike a text of the rule and one of the path must be to be taken for a misspelling, and how
#: much of them is compared
_ALIKE: Final = 0.7
_LONGEST: Final = 100
#: how many misses are given
_MOST: Final = 10


@dataclass(frozen=True, slots=True)
class Miss:
    """A rule that a request does not lead to, and nearly does."""

    rule: str
    endpoint: str
    methods: tuple[str, ...]
    #: ``weight`` (it fits, and another one comes first), ``method``, ``slash``, ``domain``,
    #: ``websocket``, ``converter`` or ``spelling``
    kind: str
    reason: str  #: a sentence about it


def find_misses(adapter: MapAdapter, method: str, path: str, matched: Rule | None) -> list[Miss]:
    """Find the rules that are nearly those of a request.

    :param adapter: the application's map, bound to the request.
    :param method: of the request.
    :param path: of the request, decoded.
    :param matched: the rule that the request leads to.
    :return: at most ten, the nearest first.
    """
    found = []
    for rule in adapter.map.iter_rules():
        if rule is matched or rule.build_only:
            continue
        why = _why_not(adapter, rule, method, path, matched)
        if why is not None:
            kind, reason = why
            methods = tuple(sorted(rule.methods or ()))
            found.append(Miss(rule.rule, str(rule.endpoint), methods, kind, reason))
    found.sort(key=lambda miss: KINDS.index(miss.kind))
    return found[:_MOST]


def _why_not(  # noqa: PLR0911 - a question after the other
    adapter: MapAdapter, rule: Rule, method: str, path: str, matched: Rule | None
) -> tuple[str, str] | None:
    """The kind of a miss, and a sentence; None if the rule is far off."""
    outcome = _try(adapter, rule, method, path)
    if outcome is None:
        if not _matches_domain(adapter, rule):
            return "domain", _about_domain(adapter, rule)
        return "weight", _about_weight(matched)
    if isinstance(outcome, MethodNotAllowed):
        reason = f"It is only for {_methods_of(outcome)}."
        if not _matches_domain(adapter, rule):
            reason = f"{_about_domain(adapter, rule)} {reason}"
        return "method", reason
    if isinstance(outcome, RequestRedirect):
        if "//" in path:
            return "slash", "It is for the path without double slashes."
        return "slash", f"It is for the path with a slash at its end: {path + '/'!r}."
    if isinstance(outcome, WebsocketMismatch):
        only = "only" if rule.websocket else "not"
        return "websocket", f"It is {only} for WebSockets."
    return (
        _by_slash(adapter, rule, method, path)
        or _by_converter(adapter, rule, method, path)
        or (_by_spelling(rule, path) if matched is None else None)
    )


def _methods_of(refused: MethodNotAllowed) -> str:
    return ", ".join(sorted(refused.valid_methods or ()))


def _by_slash(adapter: MapAdapter, rule: Rule, method: str, path: str) -> tuple[str, str] | None:
    """Whether it would fit with a slash at the end, or without."""
    if path == "/":
        return None
    longer = not path.endswith("/")
    other = f"{path}/" if longer else path.rstrip("/")
    outcome = _try(adapter, rule, method, other)
    if isinstance(outcome, MethodNotAllowed):
        ends = "ends with a slash" if longer else "has no slash at its end"
        return "slash", f"It is only for {_methods_of(outcome)}, and {ends}: {other!r}."
    if outcome is None and not longer:
        return "slash", f"It is for the path without the slash at its end: {other!r}."
    return None


def _about_weight(matched: Rule | None) -> str:
    if matched is None:
        return "It fits, and it answers with a redirect, or a rule that comes first does."
    return (
        f"It fits, too, but {matched.rule!r} comes first: texts weigh more than placeholders, and "
        "of equals the one that was added first is taken."
    )


def _try(adapter: MapAdapter, rule: Rule, method: str, path: str) -> HTTPException | None:
    """Match a rule alone, on whatever domain it is for; None if it fits."""
    url_map = adapter.map
    alone = Map(
        [_loose(rule)],
        strict_slashes=url_map.strict_slashes,
        merge_slashes=url_map.merge_slashes,
        redirect_defaults=False,
        converters=url_map.converters,
    )
    bound = alone.bind("localhost", url_scheme=adapter.url_scheme)
    try:
        bound.match(path, method)
    except HTTPException as error:
        return error
    return None


def _loose(rule: Rule) -> Rule:
    """A copy of a rule, for whatever domain."""
    copy = rule.empty()
    copy.subdomain = copy.host = None
    copy.redirect_to = None
    copy.alias = False
    return copy


# -- domains ---------------------------------------------------------------------------------------


def _matches_domain(adapter: MapAdapter, rule: Rule) -> bool:
    url_map = adapter.map
    probe = Rule("/", subdomain=rule.subdomain, host=rule.host, endpoint="probe")
    alone = Map([probe], converters=url_map.converters, host_matching=url_map.host_matching)
    subdomain = None if url_map.host_matching else adapter.subdomain
    return alone.bind(adapter.server_name, subdomain=subdomain).test("/", "GET")


def _about_domain(adapter: MapAdapter, rule: Rule) -> str:
    if adapter.map.host_matching:
        return f"It is for the host {rule.host!r}, and the request is for {adapter.server_name!r}."
    wanted = f"the subdomain {rule.subdomain!r}" if rule.subdomain else "no subdomain"
    asked = f"{adapter.subdomain!r}" if adapter.subdomain else "none"
    return f"It is for {wanted}, and the request is for {asked}."


# -- placeholders and texts ------------------------------------------------------------------------


def _by_converter(
    adapter: MapAdapter, rule: Rule, method: str, path: str
) -> tuple[str, str] | None:
    """Whether it would fit if its converters took anything, and which of them does not."""
    converters = {}
    shape = ""
    for item in read_rule(rule.rule):
        if isinstance(item, str):
            shape += item
            continue
        made = rule.get_converter(item.name, item.converter, item.args, item.kwargs)
        converters[item.name] = item.converter, made
        shape += f"<{item.name}>" if made.part_isolating else f"<path:{item.name}>"
    if not converters:
        return None
    probe = Rule(shape, endpoint="probe", strict_slashes=rule.strict_slashes)
    bound = Map([probe]).bind("localhost", url_scheme=adapter.url_scheme)
    try:
        _, values = bound.match(path, method)
    except HTTPException:
        return None
    for name, (word, converter) in converters.items():
        text = values[name]
        fits = re.fullmatch(converter.regex, text) is not None
        if fits:
            try:
                converter.to_python(text)
            except ValidationError:
                fits = False
        if not fits:
            return "converter", f"The converter {word!r} of <{name}> does not take {text!r}."
    return None


def _by_spelling(rule: Rule, path: str) -> tuple[str, str] | None:
    """Whether each of its texts is nearly that of the path."""
    from difflib import SequenceMatcher  # noqa: PLC0415 - only where nothing else has fit

    parts, wanted = path.split("/"), rule.rule.split("/")
    if len(parts) != len(wanted):
        return None
    for part, text in zip(parts, wanted, strict=True):
        if part == text or ("<" in text and part):  # what a placeholder takes is not misspelled
            continue
        likeness = SequenceMatcher(None, text[:_LONGEST], part[:_LONGEST])
        if likeness.quick_ratio() < _ALIKE or likeness.ratio() < _ALIKE:
            return None
    return "spelling", "It is spelled nearly like the path."
