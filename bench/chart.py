"""The picture: one panel of horizontal bars for every case, written as SVG by hand.

Cases have different units, so each panel has a scale of its own; the number at the bar is the
figure itself, with the ratio to the first peer of `--against` behind it. Colours come from a style
sheet inside the picture that follows the reader's light or dark preference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from results import ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cases import Case
    from results import Outcome, Results

OURS = "stein"
COLUMNS = 2
WIDTH, MARGIN, GUTTER = 1080, 24, 36
NAME, VALUE = 72, 128
BAR, STEP = 13, 19
HEAD, TOP, GAP = 40, 84, 22
PANEL = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GUTTER) // COLUMNS
TRACK = PANEL - NAME - VALUE
REASON_LENGTH = 54
LINE_LENGTH = 150

# Plain rules, no CSS variables: not every program that shows SVG knows those.
STYLE = """
  text { font-family: system-ui, "Helvetica Neue", Arial, sans-serif; font-size: 12px }
  .title { font-size: 19px; font-weight: 600 }
  .case { font-size: 13px; font-weight: 600 }
  .soft { font-size: 11px }
  .paper { fill: #ffffff }
  text { fill: #1c2024 }
  .soft { fill: #60666d }
  .axis { stroke: #c3c9cf }
  .peer { fill: #9aa7b4 }
  .against { fill: #5b6c7d }
  .ours { fill: #b4451f }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #15181b }
    text { fill: #e8eaed }
    .soft { fill: #9aa2ab }
    .axis { stroke: #454c54 }
    .peer { fill: #56636f }
    .against { fill: #93a1b0 }
    .ours { fill: #f08a5d }
  }
"""


def text(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    """One line of text, its baseline at (x, y)."""
    kind = f' class="{style}"' if style else ""
    place = f'x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"'
    return f"<text {place}{kind}>{escape(words)}</text>"


def shorten(words: str, length: int) -> str:
    """Cut a reason to what fits beside a name; the table has it whole."""
    return words if len(words) <= length else words[: length - 1].rstrip() + "…"


def lines_of(words: str, length: int) -> list[str]:
    """Break a long line at blanks: SVG text does not wrap."""
    lines = [""]
    for word in words.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > length:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def bar(case: Case, outcome: Outcome, reference: Outcome | None, scale: float, style: str) -> str:
    """A bar from the panel's axis and its figure, for a peer that was measured."""
    metric = case.metrics[0]
    value = outcome.middle(metric)
    length = TRACK * value / scale if scale else 0
    times = ratio(outcome, reference, metric) if reference else None
    figure = f"{value:,.{metric.digits}f}" + (f"  ({times:.2f}×)" if times is not None else "")
    shape = f'<rect class="{style}" x="{NAME}" y="0" height="{BAR}" rx="2" width="{length:.1f}"/>'
    return shape + text(NAME + length + 6, BAR - 2, figure)


def style_of(peer: str, reference: str) -> str:
    """Ours stands out, the peer compared with is darker than the others."""
    return "ours" if peer == OURS else "against" if peer == reference else "peer"


def panel(case: Case, outcomes: Mapping[str, Outcome], reference: str) -> str:
    """One case: its title, its unit, a row for every peer."""
    metric = case.metrics[0]
    measured = [outcome.middle(metric) for outcome in outcomes.values() if outcome.measured]
    scale = max(measured, default=0.0)
    way = "longer is better" if metric.better == "higher" else "shorter is better"
    parts = [
        text(0, 12, f"{case.name} · {case.title.partition(';')[0]}", "case"),
        text(0, 28, f"{metric.unit}, {way}", "soft"),
    ]
    for row, (peer, outcome) in enumerate(outcomes.items()):
        content = text(NAME - 8, BAR - 2, peer, anchor="end")
        if outcome.measured:
            style = style_of(peer, reference)
            content += bar(case, outcome, outcomes.get(reference), scale, style)
        else:
            reason = f"n/a: {outcome.why_not or 'not measured'}"
            content += text(NAME + 6, BAR - 2, shorten(reason, REASON_LENGTH), "soft")
        parts.append(f'<g transform="translate(0 {HEAD + row * STEP})">{content}</g>')
    bottom = HEAD + len(outcomes) * STEP
    parts.append(f'<path class="axis" d="M{NAME}.5 {HEAD - 4}V{bottom}"/>')
    return "\n".join(parts)


def subtitle(results: Results, reference: str) -> list[str]:
    """How to read the picture, and the machine it is about."""
    about = (
        f"medians of {results.plan.rounds} interleaved round(s); in brackets: how many times better"
        f" than {reference}, above 1 is better"
    )
    machine = f"{results.machine}; Python {results.python}; {results.started}"
    return [about, *lines_of(machine, LINE_LENGTH)]


def picture(results: Results, cases: Sequence[Case]) -> str:
    """The whole picture as the text of an SVG file."""
    reference = results.against[0]
    shown = results.shown(cases)
    notes = subtitle(results, reference)
    y = TOP + 15 * (len(notes) - 1)
    parts = [text(MARGIN, 38, "WSGI servers on one core", "title")]
    parts += [text(MARGIN, 60 + 15 * n, line, "soft") for n, line in enumerate(notes)]
    for start in range(0, len(shown), COLUMNS):
        row = shown[start : start + COLUMNS]
        for column, (case, outcomes) in enumerate(row):
            x = MARGIN + column * (PANEL + GUTTER)
            content = panel(case, outcomes, reference)
            parts.append(f'<g transform="translate({x} {y})">\n{content}\n</g>')
        y += HEAD + STEP * max(len(outcomes) for _, outcomes in row) + GAP
    size = f'width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            "<title>WSGI servers on one core, compared case by case</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{y}"/>',
            *parts,
            "</svg>\n",
        ]
    )
