"""The picture of the framework's table: panels of bars, in the hand of `chart.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chart import BAR, HEAD, LINE_LENGTH, MARGIN, STEP, STYLE, WIDTH, lines_of, text
from findings import amount, times

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from findings import Finding
    from framework import Report

TOP, GAP, GUTTER = 84, 26, 36
HALF = (WIDTH - 2 * MARGIN - GUTTER) // 2
LABEL, VALUE = 252, 128
NARROW_LABEL, NARROW_VALUE = 124, 112
TITLE = "The same program with stein and with Flask"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its name, its length, what stands behind it, and how it looks."""

    label: str
    length: float
    words: str
    style: str
    mark: float | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars on one scale under a title."""

    title: str
    unit: str
    bars: Sequence[Bar]
    label: int = NARROW_LABEL
    value: int = NARROW_VALUE

    @property
    def height(self) -> int:
        """In pixels, with the title."""
        return HEAD + STEP * len(self.bars)

    def draw(self) -> str:
        """The panel with its upper left corner at the origin."""
        track = HALF - self.label - self.value
        longest = max((max(bar.length, bar.mark or 0) for bar in self.bars), default=0.0)
        scale = track / longest if longest else 0.0
        parts = [text(0, 12, self.title, "case"), text(0, 28, self.unit, "soft")]
        for row, bar in enumerate(self.bars):
            length = bar.length * scale
            shape = f'class="{bar.style}" y="0" height="{BAR}" rx="2" width="{length:.1f}"'
            content = text(self.label - 8, BAR - 2, bar.label, anchor="end")
            content += f'<rect x="{self.label}" {shape}/>'
            content += text(self.label + length + 6, BAR - 2, bar.words)
            if bar.mark:
                place = self.label + bar.mark * scale
                content += f'<path class="floor" d="M{place:.1f} -2V{BAR + 2}"/>'
            parts.append(f'<g transform="translate(0 {HEAD + row * STEP})">{content}</g>')
        axis = f"M{self.label}.5 {HEAD - 4}V{self.height}"
        return "\n".join([*parts, f'<path class="axis" d="{axis}"/>'])


def in_process(findings: Iterable[Finding]) -> Panel:
    """How many times as fast as Flask one request is."""
    bars = [
        Bar(
            finding.question.title,
            finding.ratio,
            f"{times(finding.ratio)} ×  ({amount(finding.ours, finding.unit)})".replace("us", "µs"),
            "ours",
            finding.question.floor,
        )
        for finding in findings
        if finding.ratio is not None
    ]
    unit = "times as fast as Flask, longer is better; the upright line is what it has to reach"
    return Panel("one request, in process", unit, bars, LABEL, VALUE)


def wire(name: str, findings: Sequence[Finding]) -> Panel:
    """Requests per second of each server, for one path."""
    bars = []
    for finding in findings:
        if finding.theirs is None:
            continue
        behind = f"  (stein {times(finding.ratio)} ×)" if finding.ratio is not None else ""
        style = "ours" if finding.ratio is None else "peer"
        bars.append(Bar(finding.other, finding.theirs, f"{finding.theirs:,.0f}{behind}", style))
    title = f"{name.removeprefix('wire-')} · {findings[0].question.title}"
    return Panel(title, "requests/s over the wire, one core; longer is better", bars)


def start(finding: Finding) -> Panel:
    """Ours and theirs, where less is better."""
    bars = [
        Bar(name, value, amount(value, finding.unit), style)
        for name, value, style in (
            ("stein", finding.ours, "ours"),
            ("Flask", finding.theirs, "peer"),
        )
        if value is not None
    ]
    return Panel(finding.question.title, "shorter is better", bars)


def panels(findings: Sequence[Finding]) -> tuple[list[Panel], list[Panel]]:
    """The left column: requests in process.  The right one: the wire, and the start."""
    left, right = [], []
    named: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.why_not is None:
            named.setdefault(finding.question.name, []).append(finding)
    on_wire = [name for name in named if name.startswith("wire-")]
    at_start = [name for name in ("import", "memory") if name in named]
    grown = [name for name in named if name.startswith("growth-")]
    others = {*on_wire, *grown, "import", "import-dropin", "memory", "memory-added"}
    process = [found[0] for name, found in named.items() if name not in others]
    if process:
        left.append(in_process(process))
    right += [wire(name, named[name]) for name in on_wire]
    left += [start(named[name][0]) for name in at_start]
    return left, right


def column(drawn: Sequence[Panel], x: int, top: int) -> tuple[list[str], int]:
    """Panels one under the other, and where they end."""
    parts, y = [], top
    for panel in drawn:
        parts.append(f'<g transform="translate({x} {y})">\n{panel.draw()}\n</g>')
        y += panel.height + GAP
    return parts, y


def picture(report: Report) -> str:
    """The whole picture as the text of an SVG file."""
    about = f"{report.machine}; Python {report.python}; {report.started}"
    notes = lines_of(about, LINE_LENGTH)
    top = TOP + 15 * (len(notes) - 1)
    left, right = panels(report.findings)
    parts = [text(MARGIN, 38, TITLE, "title")]
    parts += [text(MARGIN, 60 + 15 * n, words, "soft") for n, words in enumerate(notes)]
    lefts, left_end = column(left, MARGIN, top)
    rights, right_end = column(right, MARGIN + HALF + GUTTER, top)
    height = max(left_end, right_end)
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    floor = ".floor { stroke: #60666d; stroke-width: 1.5; fill: none }"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{TITLE}: requests, start and memory compared</title>",
            f"<style>{STYLE}{floor}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
            *parts,
            *lefts,
            *rights,
            "</svg>\n",
        ]
    )
