"""The report: a table to read, a JSON document to keep. The picture is in `chart.py`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from peers import PEERS
from results import ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cases import Case, Metric
    from results import Outcome, Results

NOTHING = "-"
NAME_WIDTH = 11


def number(value: float, metric: Metric) -> str:
    """A figure with the digits that its metric deserves."""
    return f"{value:,.{metric.digits}f}"


def times(value: float | None) -> str:
    """A ratio with three figures that mean something, whatever its size."""
    if value is None:
        return NOTHING
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def headings(case: Case, against: Sequence[str]) -> list[str]:
    """The first line of a case: ratios first, absolute figures after them."""
    compared, *others = case.metrics
    return [*(f"x {name}" for name in against), compared.label, "spread"] + [
        metric.label for metric in others
    ]


def cells(
    case: Case, outcomes: Mapping[str, Outcome], peer: str, against: Sequence[str]
) -> list[str]:
    """The row of one measured peer, in the order of the headings."""
    mine = outcomes[peer]
    compared, *others = case.metrics
    ratios = [
        times(ratio(mine, outcomes[name], compared)) if name in outcomes else NOTHING
        for name in against
    ]
    spread = f"±{mine.spread(compared):.0f} %" if len(mine.samples) > 1 else NOTHING
    absolute = [number(mine.middle(metric), metric) for metric in others]
    return [*ratios, number(mine.middle(compared), compared), spread, *absolute]


def case_table(case: Case, outcomes: Mapping[str, Outcome], against: Sequence[str]) -> list[str]:
    """The lines of one case: heading, column heads, a line for every peer."""
    better = "" if case.metrics[0].better == "higher" else " (less is better)"
    heads = headings(case, against)
    rows = {
        peer: cells(case, outcomes, peer, against)
        for peer, outcome in outcomes.items()
        if outcome.measured
    }
    widths = [max(map(len, column)) for column in zip(heads, *rows.values(), strict=True)]

    def line(name: str, parts: Sequence[str]) -> str:
        aligned = [part.rjust(width) for part, width in zip(parts, widths, strict=True)]
        return "  ".join([f"  {name:<{NAME_WIDTH}}", *aligned])

    lines = [f"{case.name}: {case.title}; compared by {case.metrics[0].label}{better}"]
    lines.append(line("", heads))
    for peer, outcome in outcomes.items():
        if peer in rows:
            lines.append(line(peer, rows[peer]))
        else:
            lines.append(f"  {peer:<{NAME_WIDTH}}  n/a ({outcome.why_not or 'not measured'})")
    return lines


def bounds(results: Results) -> str:
    """How long and how large this run was."""
    plan = results.plan
    return (
        f"{plan.rounds} interleaved round(s) of {plan.seconds} s after {plan.warmup:g} s of"
        f" warm-up; bodies of {plan.transfer_bytes >> 20} MiB in the upload and download cases;"
        f" {plan.idle_connections:,} idle connections"
    )


def table(results: Results, cases: Sequence[Case]) -> str:
    """The whole report as text."""
    used = [
        f"{peer.name} {results.versions[peer.distribution]}"
        + (f" ({peer.remark})" if peer.remark else "")
        for peer in PEERS
        if peer.distribution in results.versions
    ]
    lines = [
        "Ratios (x) say how many times better than that peer: above 1 is better, in every case.",
        results.machine,
        f"Python {results.python}; {bounds(results)}",
        "; ".join(used),
    ]
    for case, outcomes in results.shown(cases):
        lines += ["", *case_table(case, outcomes, results.against)]
    return "\n".join(lines) + "\n"


def document(results: Results, cases: Sequence[Case]) -> str:
    """Everything that was measured, sample by sample, as JSON."""
    found = {}
    for case, outcomes in results.shown(cases):
        compared = case.metrics[0]
        found[case.name] = {
            "title": case.title,
            "threads": case.threads,
            "compared_by": asdict(compared),
            "peers": {
                peer: {
                    "not_available": outcome.why_not,
                    "median": {m.key: outcome.middle(m) for m in case.metrics}
                    if outcome.measured
                    else None,
                    "times_better_than": {
                        name: ratio(outcome, outcomes[name], compared)
                        for name in results.against
                        if name in outcomes
                    },
                    "rounds": outcome.samples,
                }
                for peer, outcome in outcomes.items()
            },
        }
    head = {
        "machine": results.machine,
        "python": results.python,
        "started": results.started,
        "plan": asdict(results.plan),
        "versions": results.versions,
    }
    return json.dumps({**head, "cases": found}, indent=2) + "\n"
