"""What was measured, and the few sums made of it: medians, spreads, ratios."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cases import Case, Metric
    from plan import Plan


@dataclass(slots=True)
class Outcome:
    """One peer in one case: a sample for every round, or the reason why there is none."""

    samples: list[Mapping[str, float]] = field(default_factory=list)
    why_not: str | None = None

    @property
    def measured(self) -> bool:
        """Whether every round has a sample."""
        return self.why_not is None and bool(self.samples)

    def middle(self, metric: Metric) -> float:
        """The median over the rounds."""
        return median(sample[metric.key] for sample in self.samples)

    def spread(self, metric: Metric) -> float:
        """Half the distance from the lowest to the highest round, in percent of the median."""
        values = [sample[metric.key] for sample in self.samples]
        middle = median(values)
        return 50 * (max(values) - min(values)) / middle if middle else 0.0


def ratio(mine: Outcome, other: Outcome, metric: Metric) -> float | None:
    """How many times better `mine` is: the median of the ratios within each round.

    Rounds are compared with themselves, because a machine that slows down for a minute slows both.
    For a metric where less is better the ratio is turned round: above 1 is always better.
    """
    if not (mine.measured and other.measured):
        return None
    found = []
    # Not strict: an interrupted run has a last round that not every peer has seen.
    for sample, reference in zip(mine.samples, other.samples, strict=False):
        above, below = sample[metric.key], reference[metric.key]
        if metric.better == "lower":
            above, below = below, above
        if below > 0:
            found.append(above / below)
    return median(found) if found else None


@dataclass(slots=True)
class Results:
    """One run. It is filled round by round, so an interrupted run still has something to show."""

    machine: str
    python: str
    started: str
    plan: Plan
    versions: Mapping[str, str]
    against: Sequence[str]
    cases: dict[str, dict[str, Outcome]] = field(default_factory=dict)

    def shown(self, cases: Sequence[Case]) -> list[tuple[Case, dict[str, Outcome]]]:
        """The cases with at least one outcome, in their order."""
        return [(case, self.cases[case.name]) for case in cases if self.cases.get(case.name)]
