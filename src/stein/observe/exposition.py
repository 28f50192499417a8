"""Prometheus' text format, version 0.0.4: families of samples to lines.

One family is one name with its help, its kind, and all its samples in one block.  What the format
forbids (a name of other characters, a label twice) is a mistake of the program and raised as such;
label values and help texts may hold anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["CONTENT_TYPE", "Family", "Sample", "counter", "gauge", "histogram", "render"]

#: Media type of the format.
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

is_name: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*").fullmatch
is_label: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*").fullmatch


@dataclass(frozen=True, slots=True)
class Sample:
    """One line.

    :param value: what was measured.
    :param labels: what tells it from the other samples of its family.
    :param suffix: what follows the family's name, e.g. ``_bucket``.
    """

    value: float
    labels: Mapping[str, str]
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one name.

    :param name: with its unit, and ``_total`` if it counts.
    :param help: what it is, in a sentence.
    :param kind: ``counter``, ``gauge`` or ``histogram``.
    :raises ValueError: the format has no such name.
    """

    name: str
    help: str
    kind: Kind
    samples: Sequence[Sample]

    def __post_init__(self) -> None:
        if is_name(self.name) is None:
            message = f"{self.name!r} cannot name a metric: letters, digits, _ and : only"
            raise ValueError(message)
        for sample in self.samples:
            for label in sample.labels:
                if is_label(label) is None:
                    message = f"{label!r} cannot name a label of {self.name}: letters, digits, _"
                    raise ValueError(message)


def counter(name: str, help: str, values: Mapping[str, float], label: str = "") -> Family:  # noqa: A002 - the format's word
    """Return a family that only grows: one sample per key, which is the value of ``label``."""
    return Family(name, help, "counter", samples_of(values, label))


def gauge(name: str, help: str, values: Mapping[str, float], label: str = "") -> Family:  # noqa: A002 - the format's word
    """Return a family that goes up and down: one sample per key."""
    return Family(name, help, "gauge", samples_of(values, label))


def samples_of(values: Mapping[str, float], label: str) -> list[Sample]:
    """Return a sample for each value; without a label there is one, whose key does not matter."""
    return [Sample(value, {label: key} if label else {}) for key, value in values.items()]


def histogram(
    name: str,
    help: str,  # noqa: A002 - the format's word
    bounds: Sequence[float],
    cumulative: Sequence[int],
    total: float,
) -> Family:
    """Return a histogram.

    :param bounds: upper bounds of the buckets, ascending.
    :param cumulative: how many were at most each bound, and at last how many there were at all.
    :param total: the sum of all values.
    """
    texts = [*map(number, bounds), "+Inf"]
    samples = [
        Sample(count, {"le": text}, "_bucket")
        for text, count in zip(texts, cumulative, strict=True)
    ]
    samples += [Sample(total, {}, "_sum"), Sample(cumulative[-1], {}, "_count")]
    return Family(name, help, "histogram", samples)


def render(families: Iterable[Family]) -> str:
    """Return the families as text.

    A family without samples is left out.

    :raises ValueError: two families have the same name.
    """
    lines: list[str] = []
    seen: set[str] = set()
    for family in families:
        if family.name in seen:
            message = f"two families are called {family.name}"
            raise ValueError(message)
        seen.add(family.name)
        if family.samples:
            lines.append(f"# HELP {family.name} {escape_help(family.help)}")
            lines.append(f"# TYPE {family.name} {family.kind}")
            lines += [line_of(family.name, sample) for sample in family.samples]
    return "".join([f"{line}\n" for line in lines])


def line_of(name: str, sample: Sample) -> str:
    """Return one sample's line."""
    labels = ",".join([f'{label}="{escape(text)}"' for label, text in sample.labels.items()])
    shown = f"{{{labels}}}" if labels else ""
    return f"{name}{sample.suffix}{shown} {number(sample.value)}"


def number(value: float) -> str:
    """Return a number as Go reads it, without a needless ``.0``."""
    if value != value:  # noqa: PLR0124 - that is what makes a NaN
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    return text.removesuffix(".0")


def escape(text: str) -> str:
    """Return the value of a label as it stands between quotes."""
    return escape_help(text).replace('"', '\\"')


def escape_help(text: str) -> str:
    """Return a text that stays on its line."""
    # A lone surrogate could not be sent as UTF-8 (a path of undecodable bytes has some).
    text = text.encode("utf-8", "backslashreplace").decode()
    return text.replace("\\", "\\\\").replace("\n", "\\n")
