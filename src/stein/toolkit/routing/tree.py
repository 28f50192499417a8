"""The tree of rules: nodes, and the parts with placeholders between them.

Rules are put in by one thread at a time, while others walk through the tree; how they get along is
told in :mod:`stein.toolkit.routing.matcher`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from stein.toolkit.routing.parts import OTHER, kind_of, make_finder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stein.toolkit.routing.parts import Finder, Piece, RulePart
    from stein.toolkit.routing.rules import Rule

__all__ = ["Edge", "Index", "State"]


class Edge:
    """A part with placeholders, and the node behind it."""

    __slots__ = ("final", "find", "kind", "part", "pieces", "suffixed", "target")

    def __init__(self, part: RulePart, pieces: Sequence[Piece]) -> None:
        self.part = part
        self.pieces = pieces
        self.final = part.final
        self.suffixed = part.suffixed
        self.kind = kind_of(part, pieces)
        self.find: Finder = make_finder(pieces, suffixed=part.suffixed)
        self.target = State()

    def __lt__(self, other: Edge) -> bool:
        return self.part.weight < other.part.weight


class State:
    """A node: what can follow a beginning that some rules have in common."""

    __slots__ = ("beyond", "edges", "index", "known", "only", "rules", "static")

    def __init__(self) -> None:
        # What walks read
        self.static: dict[str, State] = {}
        self.edges: tuple[Edge, ...] = ()  # in the order in which they are tried
        self.index: Index | None = None  # if there are many edges
        self.rules: tuple[Rule, ...] = ()  # that end here
        # PERF: the kind of the only edge, and what is behind it; with a loop over one edge, a path
        # with two placeholders takes 8 % longer.
        self.only = OTHER
        self.beyond = self
        # What is only for who puts rules in
        self.known: dict[RulePart, Edge] = {}

    def step(self, part: RulePart, pieces: Sequence[Piece]) -> State:
        """The node behind a part; a new one if there is none."""
        if part.static:
            node = self.static.get(part.content)
            if node is None:
                node = self.static[part.content] = State()
            return node
        edge = self.known.get(part)
        if edge is None:
            edge = self.known[part] = Edge(part, pieces)
        return edge.target

    def publish(self) -> None:
        """Let walks see the edges that were added."""
        if len(self.edges) != len(self.known):
            edges = sorted(self.known.values())
            self.index = Index(edges) if len(edges) > _FEW else None
            self.edges = tuple(edges)
            # In this order, and never another target: a walk may be between the two.
            if len(edges) == 1:
                self.beyond = edges[0].target
                self.only = edges[0].kind
            else:
                self.only = OTHER


#: of fewer edges the one that fits is found sooner by trying each of them
_FEW: Final = 8

Shape: TypeAlias = "tuple[bool, bool, int, int]"
Ranked: TypeAlias = "list[tuple[int, Edge]]"


class Index:
    """The edges of a node, by the texts that their parts begin and end with.

    :param edges: in the order in which they are tried.
    """

    __slots__ = ("by_shape",)

    def __init__(self, edges: Sequence[Edge]) -> None:
        self.by_shape: dict[Shape, dict[tuple[str, str], Ranked]] = {}
        for rank, edge in enumerate(edges):
            first, last = edge.pieces[0], edge.pieces[-1]
            head = first if isinstance(first, str) else ""
            tail = last if isinstance(last, str) else ""
            shape = (edge.final, edge.suffixed, len(head), len(tail))
            self.by_shape.setdefault(shape, {}).setdefault((head, tail), []).append((rank, edge))

    def select(self, parts: Sequence[str], at: int) -> list[Edge]:
        """The edges that come into question for the rest of a path, in order."""
        segment = parts[at]
        rest = ""
        chosen: Ranked = []
        for (final, suffixed, head, tail), edges in self.by_shape.items():
            text = segment
            if final:
                rest = rest or "/".join(parts[at:])
                text = rest.removesuffix("/") if suffixed else rest
            ranked = edges.get((text[:head], text[len(text) - tail :] if tail else ""))
            if ranked is not None:
                chosen += ranked
        chosen.sort(key=_by_rank)
        return [edge for _, edge in chosen]


def _by_rank(ranked: tuple[int, Edge]) -> int:
    return ranked[0]
