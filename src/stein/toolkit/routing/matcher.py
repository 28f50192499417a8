"""Which rule a path leads to.

**The order.**  Domain and path are held against the rules part by part, from the left.  Where the
parts of several rules stand in the same place, they are tried in this order, and the first one
with which the rest fits, too, decides:

1. the static part that is the same text;
2. parts with placeholders, sorted by :class:`~stein.toolkit.routing.parts.Weighting`: more texts
   first, then longer texts, then more placeholders, then less weight of their converters; where
   all this is equal, the part that was added first;
3. at a slash that ends the path: rules that end without it and are not strict about slashes.

Where the path ends, the rules that end there are asked in the order in which they were added; the
first one for the method (and for a WebSocket, if it is one) is the answer.  If there is none, but
there is one behind a slash that is missing, the answer is a redirect there, or that rule if it is
not strict.  If nothing at all fits and the path has ``//`` in it, the path is tried with single
slashes; what fits then is a redirect.  A converter that refuses its value when the rule is found
makes the answer 404; no other rule is tried then.

**The structure** is a tree of nodes, one for each beginning that rules have in common.  A node
knows the static parts behind it by a dictionary, so that the walk does not take longer when there
are more rules; many parts with placeholders behind one node are found by the texts around the
placeholder (:class:`~stein.toolkit.routing.tree.Index`).  A path is looked at once per node that
can be reached, and each of the parts in time linear in its length.  And a rule without any
placeholder is found by one look into a dictionary of whole paths, since by the order above nothing
can come before it.

**Threads.**  A walk takes no lock.  Rules are put into the tree by one thread at a time (the map
sees to that): first the nodes, without the rule; then the rule; then the edges that lead to it;
each with one assignment, so that a walk sees the tree with the rule or without it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from stein.toolkit.routing.converters import ValidationError
from stein.toolkit.routing.exceptions import NoMatch, RequestAliasRedirect, RequestPath
from stein.toolkit.routing.parts import DIGITS, PATH, WORD, is_path
from stein.toolkit.routing.tree import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stein.toolkit.routing.rules import Rule
    from stein.toolkit.routing.tree import Edge

__all__ = ["SlashRequired", "State", "StateMachineMatcher"]

_SLASHES: Final = re.compile("/{2,}")

Found: TypeAlias = "tuple[Rule, list[str]]"


class SlashRequired(Exception):  # noqa: N818 - public name
    """The path would lead somewhere with a slash at its end."""


_NO_DOMAIN: Final[tuple[dict[str, State], State]] = ({}, State())


class StateMachineMatcher:
    """The rules of a map, and the search among them.

    :param merge_slashes: whether a path that nothing fits is tried without double slashes.
    """

    def __init__(self, merge_slashes: bool) -> None:  # noqa: FBT001 - public
        self.merge_slashes = merge_slashes
        self._root = State()
        # Of domains without placeholders: the nodes behind whole paths without placeholders, and
        # the node behind the domain.
        self._domains: dict[str, tuple[dict[str, State], State]] = {}
        self._changed: dict[int, State] = {}  # nodes that got an edge
        self._waiting: list[tuple[Rule, State]] = []

    def add(self, rule: Rule) -> None:
        """Take a rule that is bound; from the next :meth:`update` on it is found.

        Like that one, this is for one thread at a time.

        :raises ValueError: the pattern of a converter is none.
        """
        node = self._root
        for part, pieces in rule._parts:  # noqa: SLF001 - the rule's other half
            self._changed[id(node)] = node
            node = node.step(part, pieces)
        self._waiting.append((rule, node))

    def update(self) -> None:
        """Let walks see the rules that were added."""
        for rule, node in self._waiting:
            node.rules += (rule,)
            parts = [part for part, _ in rule._parts]  # noqa: SLF001 - as above
            if parts[0].static:
                self._domain(parts[0].content)
            if all(part.static for part in parts):
                domain, *path = (part.content for part in parts)
                # An empty part in front would be a second slash, and these count as one.
                if path[0] or len(path) == 1:
                    whole, _ = self._domain(domain)
                    whole["/".join(("", *path))] = node
        for node in self._changed.values():
            node.publish()
        self._waiting.clear()
        self._changed.clear()

    def _domain(self, domain: str) -> tuple[dict[str, State], State]:
        """What is known of a domain that is the whole domain of a rule."""
        entry = self._domains.get(domain)
        if entry is None:
            entry = self._domains[domain] = ({}, self._root.static[domain])
        return entry

    def match(
        self,
        domain: str,
        path: str,
        method: str,
        websocket: bool,  # noqa: FBT001 - public
    ) -> tuple[Rule, dict[str, Any]]:
        """Find the rule for a request.

        :param domain: the subdomain or, if the map matches hosts, the host.
        :param path: decoded; however many slashes it begins with, they count as one.
        :param method: in capitals.
        :param websocket: whether the request is one for a WebSocket.
        :return: the rule, and the values of its placeholders and defaults.
        :raises RequestPath: another path leads to a rule.
        :raises RequestAliasRedirect: the rule is an alias.
        :raises NoMatch: there is none.
        """
        # PERF: a dictionary of whole paths instead of the walk, which would find the same: four
        # times as fast, for the most frequent of rules.
        whole, node = self._domains.get(domain, _NO_DOMAIN)
        end = whole.get(path)
        if end is not None:
            for rule in end.rules:
                methods = rule.methods
                if (methods is None or method in methods) and rule.websocket == websocket:
                    return rule, {} if rule._plain else _values(rule, ())  # noqa: SLF001
        parts = path.split("/")
        if parts[0] or path.startswith("//"):
            path = f"/{path.lstrip('/')}"
            parts = path.split("/")
        try:
            found = _descend(node, parts, method, websocket) if path else None
        except ValueError:
            found = None  # of a converter; it is asked once more, to see what it means
        return found or self._search(domain, path, method, websocket)

    def _search(
        self,
        domain: str,
        path: str,
        method: str,
        websocket: bool,  # noqa: FBT001 - as match()
    ) -> tuple[Rule, dict[str, Any]]:
        """Find the rule where it is not on the straight way down, or say why there is none."""
        refused: list[Rule] = []
        parts = path.split("/")
        parts[0] = domain  # in the place before the first slash
        try:
            found = _walk(self._root, parts, method, websocket, refused)
            if found is not None:
                return found[0], _values(*found)
            if self.merge_slashes and "//" in path:
                path = _SLASHES.sub("/", path)
                parts[1:] = path.split("/")[1:]
                found = _walk(self._root, parts, method, websocket, refused)
                if found is not None and found[0].merge_slashes is not False:
                    raise RequestPath(path)
        except SlashRequired:
            raise RequestPath(f"{path}/") from None
        except ValidationError as error:
            raise _no_match(refused, method) from error
        raise _no_match(refused, method)


def _descend(  # noqa: C901, PLR0911, PLR0912 - PERF: the hottest loop of all
    node: State,
    parts: Sequence[str],
    method: str,
    websocket: bool,  # noqa: FBT001 - PERF: positional arguments are the fast ones
) -> tuple[Rule, dict[str, Any]] | None:
    """Go straight down the tree, taking the first way at each node.

    PERF: this finds what the whole walk would find, too, and nearly always there is nothing else
    to find; it takes a third of the time, since nothing is kept for going back.

    :param parts: of the path; what is in front of its first slash is passed over.
    :return: None if the way ends without a rule, or it has to be looked at more closely.
    """
    taken: list[str] = []
    ahead = iter(parts)
    next(ahead)
    for part in ahead:
        child = node.static.get(part)
        if child is None:
            kind = node.only
            if (kind == WORD and part) or (kind == DIGITS and part.isdecimal()):
                taken.append(part)
                node = node.beyond
                continue
            if node.index is not None:
                return None
            for edge in node.edges:
                kind = edge.kind
                if kind == WORD:
                    if not part:
                        continue
                    taken.append(part)
                elif kind == DIGITS:
                    if not part.isdecimal():
                        continue
                    taken.append(part)
                elif kind == PATH:
                    rest = "/".join([part, *ahead])  # this ends the loop: nothing is ahead now
                    if not is_path(rest):
                        return None
                    taken.append(rest)
                elif edge.final:
                    return None
                else:
                    fits = edge.find(part)
                    if fits is None:
                        continue
                    taken += fits
                child = edge.target
                break
            else:
                return None
        node = child
    for rule in node.rules:
        methods = rule.methods
        if (methods is None or method in methods) and rule.websocket == websocket:
            if rule._plain:  # noqa: SLF001 - the rule's other half
                return rule, rule._make_values(taken)  # noqa: SLF001
            return rule, _values(rule, taken)
    return None


def _walk(  # noqa: C901, PLR0912 - PERF: a function for each case takes twice as long
    node: State,
    parts: Sequence[str],
    method: str,
    websocket: bool,  # noqa: FBT001 - as above
    refused: list[Rule],
) -> Found | None:
    """Go down the tree, and back where it leads nowhere.

    :param node: where the first part is looked for.
    :param refused: gets the rules that fit and are for other methods or requests.
    :return: the rule, and the texts that its placeholders took.
    """
    at, end = 0, len(parts)
    taken: list[str] = []
    waiting: list[tuple[State, int, int, Sequence[Edge], int]] = []  # where else one could go
    edges: Sequence[Edge] | None = None  # of this node; None when it is new
    turn = 0  # which of them is next
    while True:
        if at == end:
            rule = _arrive(node, method, websocket, refused)
            if rule is not None:
                return rule, taken
        else:
            part = parts[at]
            if edges is None:
                edges = node.edges if node.index is None else node.index.select(parts, at)
                turn = 0
                child = node.static.get(part)
                if child is not None:
                    if edges or node.rules:
                        waiting.append((node, at, len(taken), edges, 0))
                    node, edges = child, None
                    at += 1
                    continue
            while turn < len(edges):
                edge = edges[turn]
                turn += 1
                fits = edge.find("/".join(parts[at:]) if edge.final else part)
                if fits is None:
                    continue
                if turn < len(edges) or node.rules:
                    waiting.append((node, at, len(taken), edges, turn))
                taken += fits
                node, edges = edge.target, None
                if not edge.final:
                    at += 1
                else:
                    # All is taken, but for the slash at the end if that is a part of its own.
                    at = end - 1 if edge.suffixed and not parts[-1] else end
                break
            if edges is None:
                continue
            if at + 1 == end and not part:
                lenient = [rule for rule in node.rules if not rule.strict_slashes]
                rule = _accept(lenient, method, websocket, refused)
                if rule is not None:
                    return rule, taken
        if not waiting:
            return None
        node, at, count, edges, turn = waiting.pop()
        del taken[count:]


def _arrive(node: State, method: str, websocket: bool, refused: list[Rule]) -> Rule | None:  # noqa: FBT001 - as above
    """The rule for a path that ends at a node.

    :raises SlashRequired: there is none, but there is one behind a slash.
    """
    rule = _accept(node.rules, method, websocket, refused)
    if rule is None and (beyond := node.static.get("")) is not None:
        rule = _accept(beyond.rules, method, websocket, [])
        if rule is not None and rule.strict_slashes:
            raise SlashRequired
    return rule


def _accept(
    rules: Sequence[Rule],
    method: str,
    websocket: bool,  # noqa: FBT001 - as above
    refused: list[Rule],
) -> Rule | None:
    """The first of the rules that is for the request."""
    for rule in rules:
        methods = rule.methods
        if (methods is None or method in methods) and rule.websocket == websocket:
            return rule
        refused.append(rule)
    return None


def _values(rule: Rule, taken: Sequence[str]) -> dict[str, Any]:
    """The values for a rule that was found.

    :raises ValidationError: a converter refuses its text.
    :raises RequestAliasRedirect: the rule is an alias.
    """
    converters = rule._converters.items()  # noqa: SLF001 - the rule's other half
    values = {
        name: converter.to_python(text)
        for (name, converter), text in zip(converters, taken, strict=False)
    }
    if rule.defaults:
        values.update(rule.defaults)
    if rule.alias and rule.map.redirect_defaults:
        raise RequestAliasRedirect(values, rule.endpoint)
    return values


def _no_match(refused: Sequence[Rule], method: str) -> NoMatch:
    """Say why it is none of the rules."""
    allowed: set[str] = set()
    mismatch = False
    for rule in refused:
        if rule.methods is not None and method not in rule.methods:
            allowed |= rule.methods
        else:
            mismatch = True
    return NoMatch(allowed, mismatch)
