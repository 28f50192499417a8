"""A strict reader of Prometheus' text format, written from its specification alone.

Everything that a scraper may refuse is refused here: text outside the grammar, a family in two
places, a sample without a type or twice, a histogram whose buckets fall.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

COMMENT = re.compile(r"# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)")
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
NUMBER = re.compile(r"[+-]?Inf|NaN|[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
HELP = re.compile(r"(?:[^\\\n]|\\[\\n])*")
UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}

Labels = tuple[tuple[str, str], ...]


@dataclass
class Read:
    """One family."""

    kind: str
    help: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)

    def value(self, suffix: str = "", **labels: str) -> float:
        return self.samples[suffix, tuple(labels.items())]


def unescape(text: str) -> str:
    return re.sub(r'\\[\\n"]', lambda found: UNESCAPED[found[0]], text)


def read(text: str) -> dict[str, Read]:
    """Read a page; an assertion fails where it breaks a rule."""
    assert not text or text.endswith("\n"), "the last line must end, too"
    families: dict[str, Read] = {}
    helps: dict[str, str] = {}
    current = ""
    for line in text.split("\n")[:-1]:
        if line.startswith("#"):
            found = COMMENT.fullmatch(line)
            assert found, f"no comment of the format: {line!r}"
            word, name, rest = found.groups()
            if word == "HELP":
                assert name not in helps, f"a second HELP for {name}"
                assert HELP.fullmatch(rest), f"badly escaped: {line!r}"
                helps[name] = unescape(rest)
            else:
                assert name not in families, f"a second TYPE for {name}"
                assert rest in {"counter", "gauge", "histogram", "summary", "untyped"}
                families[name] = Read(rest, helps[name])
            current = name
            continue
        family, suffix, labels, value = read_sample(line, current, families)
        assert (suffix, labels) not in family.samples, f"twice: {line!r}"
        family.samples[suffix, labels] = value
    for name, family in families.items():
        assert family.samples, f"{name} has no samples"
        check(name, family)
    return families


def read_sample(
    line: str, current: str, families: dict[str, Read]
) -> tuple[Read, str, Labels, float]:
    found = SAMPLE.fullmatch(line)
    assert found, f"no sample: {line!r}"
    name, inside, number = found.groups()
    assert current in families, f"no TYPE before {line!r}"
    assert name.startswith(current), f"{line!r} stands among those of {current}"
    suffix = name.removeprefix(current)
    allowed = {"_bucket", "_sum", "_count"} if families[current].kind == "histogram" else {""}
    assert suffix in allowed, f"{name} is none of {current}"
    labels = []
    place = 0
    while inside and place < len(inside):
        label = LABEL.match(inside, place)
        assert label, f"bad labels in {line!r}"
        labels.append((label[1], unescape(label[2])))
        place = label.end()
    assert len({key for key, _ in labels}) == len(labels), f"a label twice in {line!r}"
    assert NUMBER.fullmatch(number), f"{number!r} is no number"
    return families[current], suffix, tuple(labels), float(number)


def check(name: str, family: Read) -> None:
    """Hold one family against what its kind asks for, and names against the conventions."""
    assert family.kind != "counter" or name.endswith("_total"), (
        f"{name} counts, and does not say so"
    )
    assert family.kind == "counter" or not name.endswith("_total")
    if family.kind == "counter":
        assert all(value >= 0 for value in family.samples.values())
    if family.kind != "histogram":
        return
    buckets = [
        (dict(labels), value) for (suffix, labels), value in family.samples.items()
        if suffix == "_bucket"
    ]  # fmt: skip
    bounds = [float(labels["le"]) for labels, _ in buckets]
    values = [value for _, value in buckets]
    assert bounds == sorted(set(bounds)), "bounds ascend"
    assert bounds[-1] == float("inf"), "the last bucket has all"
    assert values == sorted(values), "buckets add up"
    assert values[-1] == family.value("_count"), "the last bucket and the count agree"
    assert family.value("_sum") >= 0
