"""A line of the framework's table: what was asked, what was found, what the floor says of it."""

from __future__ import annotations

from dataclasses import dataclass, field

MISSED = "MISSED"


@dataclass(frozen=True, slots=True)
class Question:
    """What is compared, and how many times better than the other side it has to be."""

    name: str
    title: str
    floor: float | None = None
    #: a ceiling instead: the figure itself has to stay below it
    limit: float | None = None


@dataclass(slots=True)
class Finding:
    """One answer, in seconds, bytes or requests per second, as `unit` says.

    The ratio is above 1 where stein is better, whichever way the unit goes.
    """

    question: Question
    unit: str
    other: str
    ratio: float | None = None
    ours: float | None = None
    theirs: float | None = None
    why_not: str | None = None
    samples: list[tuple[float, float]] = field(default_factory=list)
    more: dict[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """The floor, and whether it is held."""
        question = self.question
        if self.ratio is None:
            return ""
        if question.limit is not None:
            held, words = self.ratio <= question.limit, f"<= {question.limit:g} x"
        elif question.floor is not None:
            held, words = self.ratio >= question.floor, f">= {question.floor:.3g} x"
        else:
            return ""
        return words if held else f"{words}: {MISSED}"


def amount(value: float | None, unit: str) -> str:
    """A figure with its unit and few digits."""
    if value is None:
        return "-"
    if unit == "seconds":
        if value >= 1e-3:
            return f"{value * 1e3:.1f} ms"
        return f"{value * 1e6:.2f} us" if value < 1e-5 else f"{value * 1e6:.1f} us"
    if unit == "bytes":
        return f"{value / 2**20:.1f} MiB"
    return f"{value:,.0f}/s"


def times(ratio: float | None) -> str:
    """A ratio as text."""
    return "-" if ratio is None else f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"
