"""Splitting a text among several placeholders in linear time.

The fact: a regular expression such as ``(.+?)/x/(.+?)/y/(.+?)`` tries, for a text that does not
fit in the end, every pair of places for ``/x/`` and ``/y/``.  The danger: 64 KB of ``/x`` keep a
worker busy for minutes.

The decision: go through the pieces twice.  *Backwards*, from the last piece to the first, mark
for each piece the positions from which it and all that follows it can reach the end of the text;
the marks are a ``bytearray``, and a piece that takes a run of characters marks each run with one
slice.  *Forwards*, let each piece take as much (or, for ``path``, as little) as still leads to a
mark.  That is what a backtracking pattern would find first, without the backtracking.

The price: a few microseconds even for a short text, so short texts go to the pattern
(:mod:`stein.toolkit.routing.parts`); and only the patterns of our own converters are understood.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

from stein.toolkit.routing.converters import AnyConverter, PathConverter, UUIDConverter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stein.toolkit.routing.converters import BaseConverter
    from stein.toolkit.routing.parts import Piece

__all__ = ["Spans", "make_spans"]


class Step(Protocol):
    """One step through the text."""

    def starts(self, text: str, ends: bytearray) -> bytearray:
        """Mark where the step may start, so that it ends on a mark."""

    def end(self, text: str, start: int, ends: bytearray) -> int:
        """Where the step that starts here ends: on a mark, the one preferred."""


class Fixed:
    """One of some texts, the first that fits; an empty one makes the step optional."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def starts(self, text: str, ends: bytearray) -> bytearray:
        marks = bytearray(ends) if "" in self.texts else bytearray(len(ends))
        for each in filter(None, self.texts):
            # Looked for where it would end, or where it stands: whatever is less often.
            if ends.count(1) < text.count(each):
                end = ends.find(1, len(each))
                while end >= 0:
                    if text.startswith(each, end - len(each)):
                        marks[end - len(each)] = 1
                    end = ends.find(1, end + 1)
            else:
                place = text.find(each)
                while place >= 0:
                    if ends[place + len(each)]:
                        marks[place] = 1
                    place = text.find(each, place + 1)
        return marks

    def end(self, text: str, start: int, ends: bytearray) -> int:
        return next(
            start + len(each)
            for each in self.texts
            if text.startswith(each, start) and ends[start + len(each)]
        )


class Pattern:
    """A pattern that always takes the same number of characters."""

    def __init__(self, regex: str, length: int) -> None:
        self.everywhere = re.compile(f"(?={regex})")
        self.length = length

    def starts(self, text: str, ends: bytearray) -> bytearray:
        marks = bytearray(len(ends))
        for found in self.everywhere.finditer(text):
            place = found.start()
            marks[place] = ends[place + self.length]
        return marks

    def end(self, text: str, start: int, ends: bytearray) -> int:  # noqa: ARG002 - as all steps
        return start + self.length


class Run:
    """From ``low`` to ``high`` characters of a class, as many as possible."""

    def __init__(self, characters: str, low: int = 1, high: int | None = None) -> None:
        self.run = re.compile(f"{characters}+")
        self.low = low
        self.high = high

    def starts(self, text: str, ends: bytearray) -> bytearray:
        low, high = self.low, self.high
        marks = bytearray(len(ends)) if low else bytearray(ends)
        for run in self.run.finditer(text):
            begin, stop = run.span()
            end = ends.rfind(1, begin + low, stop + 1)
            if high is None:
                if end >= 0:
                    marks[begin : end - low + 1] = b"\1" * (end - low + 1 - begin)
                continue
            # Each end has a window of starts; the windows are filled from the right, each only as
            # far as the one before has not filled it.
            free = stop
            while end >= 0:
                first, last = max(begin, end - high), min(end - low, free)
                if first <= last:
                    marks[first : last + 1] = b"\1" * (last + 1 - first)
                    free = first - 1
                end = ends.rfind(1, begin + low, end)
        return marks

    def end(self, text: str, start: int, ends: bytearray) -> int:
        run = self.run.match(text, start)
        stop = start if run is None else run.end()
        if self.high is not None:
            stop = min(stop, start + self.high)
        return ends.rfind(1, start + self.low, stop + 1)


class Path:
    """What ``path`` takes: no slash first and no line feed after that, as little as possible."""

    def starts(self, text: str, ends: bytearray) -> bytearray:
        marks = bytearray(len(ends))
        begin = 0
        for line in text.split("\n"):
            stop = begin + len(line)
            end = ends.rfind(1, begin, stop + 1)
            first = max(begin - 1, 0)  # the line feed before it may be the first character
            if end > first:
                marks[first:end] = b"\1" * (end - first)
            begin = stop + 1
        slash = text.find("/")
        while slash >= 0:
            marks[slash] = 0
            slash = text.find("/", slash + 1)
        return marks

    def end(self, text: str, start: int, ends: bytearray) -> int:  # noqa: ARG002 - as all steps
        return ends.find(1, start + 1)


class Spans:
    """The steps through a text, and which of them belong to which placeholder.

    :param steps: in order.
    :param groups: for each placeholder the numbers of its first step and of the one after its
        last.
    """

    def __init__(self, steps: Sequence[Step], groups: Sequence[tuple[int, int]]) -> None:
        self.steps = steps
        self.groups = groups

    def find(self, text: str) -> list[str] | None:
        """What each placeholder takes; None if the text does not fit."""
        marks = bytearray(len(text) + 1)
        marks[-1] = 1
        goals = []
        for step in reversed(self.steps):
            goals.append(marks)
            marks = step.starts(text, marks)
            if 1 not in marks:
                return None
        if not marks[0]:
            return None
        places = [0]
        for step in self.steps:
            places.append(step.end(text, places[-1], goals.pop()))
        return [text[places[first] : places[after]] for first, after in self.groups]


# -- from converters to steps --------------------------------------------------------------------

_SEGMENT: Final = re.compile(r"\[\^/\](?:\{([0-9]+)(?:(,)([0-9]*))?\}|\+)")
_NUMBER: Final = re.compile(r"(-\?)?\\d\+(\\\.\\d\+)?")
_UUID_LENGTH: Final = 36


def make_spans(pieces: Sequence[Piece]) -> Spans | None:
    """The steps for a part of a rule; None if a converter has a pattern of its own."""
    steps: list[Step] = []
    groups = []
    for piece in pieces:
        if isinstance(piece, str):
            steps.append(Fixed(piece))
            continue
        begin = len(steps)
        taken = _steps(piece)
        if taken is None:
            return None
        steps += taken
        groups.append((begin, len(steps)))
    return Spans(steps, groups)


def _steps(converter: BaseConverter) -> list[Step] | None:  # noqa: PLR0911 - a case each
    """What a converter's pattern does; None if it is not one of ours."""
    regex = converter.regex
    if regex == PathConverter.regex:
        return [Path()]
    if segment := _SEGMENT.fullmatch(regex):
        low, comma, high = segment.groups()
        if low is None:
            return [Run("[^/]")]
        if comma:
            return [Run("[^/]", int(low), int(high) if high else None)]
        return [Run("[^/]", int(low), int(low))]
    if number := _NUMBER.fullmatch(regex):
        minus: list[Step] = [Fixed("-", "")] if number[1] else []
        fraction: list[Step] = [Fixed("."), Run(r"\d")] if number[2] else []
        return [*minus, Run(r"\d"), *fraction]
    if regex == UUIDConverter.regex:
        return [Pattern(regex, _UUID_LENGTH)]
    if isinstance(converter, AnyConverter) and regex == converter.words_regex:
        return [Fixed(*converter.words)]
    return None
