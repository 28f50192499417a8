"""Figures as a person reads them, and tables that fit a width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stein.observe.lines import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Column", "cut", "percent", "rate", "shown", "size", "span", "table"]

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_GAP: Final = 2  # spaces between two columns
_NARROWEST: Final = 8  # characters that are left of a column that gives way


def span(seconds: float) -> str:
    """Return for how long something goes on: ``4.2 s``, ``3 min 12 s``, ``2 h 5 min``, ``3 d 4 h``.

    Four figures at most: this is for looking at, not for reckoning.
    """
    if seconds < 60:
        return f"{max(0.0, seconds):.1f} s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def size(count: int) -> str:
    """Return a number of bytes: ``54 MiB``; a dash if it is 0, which means that nobody knows."""
    if not count:
        return "-"
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return (
        f"{value:.0f} {_UNITS[unit]}" if value >= 10 or not unit else f"{value:.1f} {_UNITS[unit]}"
    )


def rate(per_second: float) -> str:
    """Return how often something happens each second: ``0.4``, ``12.3``, ``1234``."""
    return f"{per_second:.1f}" if per_second < 99.95 else f"{per_second:.0f}"


def percent(share: float | None) -> str:
    """Return a share of one processor: ``37%``; a dash if nobody knows."""
    return "-" if share is None else f"{share * 100:.0f}%"


def shown(text: str) -> str:
    """Return what came from a client so that it can do no harm to a terminal."""
    return text if text.isascii() and text.isprintable() else escaped(text)


def cut(text: str, width: int) -> str:
    """Return a text that is no longer than ``width``; what was cut off is marked by ``…``."""
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"[: max(0, width)]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    :param title: its heading.
    :param cells: its texts, from the top.
    :param right: whether they are aligned to the right, as figures are.
    :param rank: 0: it is always there; of the others the highest gives way first.
    """

    title: str
    cells: Sequence[str]
    right: bool = False
    rank: int = 0

    @property
    def width(self) -> int:
        """What it needs."""
        return max(map(len, (self.title, *self.cells)))


def table(columns: Sequence[Column], width: int) -> list[str]:
    """Return the lines of a table, headings first; none is longer than ``width``.

    Columns are left out as their ranks say until the rest fits; then the last one is cut.
    """
    kept = list(columns)
    while len(kept) > 1 and total(kept) > width and any(column.rank for column in kept):
        kept.remove(max(kept, key=lambda column: column.rank))
    widths = [column.width for column in kept]
    widths[-1] = max(_NARROWEST, min(widths[-1], width - total(kept) + widths[-1]))
    rows = zip(*[(column.title, *column.cells) for column in kept], strict=True)
    return [cut(line_of(row, kept, widths), width) for row in rows]


def total(columns: Sequence[Column]) -> int:
    """Return how wide a table is."""
    return sum(column.width for column in columns) + _GAP * (len(columns) - 1)


def line_of(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    """Return one row."""
    cells = [
        cut(text, width).rjust(width) if column.right else cut(text, width).ljust(width)
        for text, column, width in zip(row, columns, widths, strict=True)
    ]
    return (" " * _GAP).join(cells).rstrip()
