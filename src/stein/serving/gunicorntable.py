"""Every setting of gunicorn 27, and what becomes of it here.

The table is ``gunicorn27.tsv``: names, flags and defaults were taken once from gunicorn's own list.
``docs/from-gunicorn.md`` shows the same, and a test holds the two against each other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast

__all__ = ["BUILT_IN", "FLAGS", "OURS", "REFUSED", "TABLE", "UNTOLD", "Row"]

#: It becomes settings of ours; nothing is left to set; it is refused, and told what to use instead.
Fate: TypeAlias = Literal["ours", "built-in", "refused"]
OURS: Final = "ours"
BUILT_IN: Final = "built-in"
REFUSED: Final = "refused"

#: The default of a setting that depends on the machine, or is a function.
UNTOLD: Final = object()


@dataclass(frozen=True, slots=True)
class Row:
    """One setting of gunicorn's.

    :param name: as in its configuration file.
    :param flags: on its command line.
    :param takes_value: whether a value belongs to the flag.
    :param default: what it is if nobody says otherwise; that is never refused.
    :param fate: what becomes of it.
    :param ours: what it becomes, or what to use instead: names of settings.
    :param note: what is different, or why it is refused and what to do.
    """

    name: str
    flags: tuple[str, ...]
    takes_value: bool
    default: Any
    fate: Fate
    ours: tuple[str, ...]
    note: str


def read_row(line: str) -> Row:
    """Read a line of the table."""
    name, flags, default, fate, ours, note = line.split("\t")
    words = () if flags == "-" else tuple(flags.split())
    return Row(
        name,
        tuple(word.removesuffix("=") for word in words),
        any(word.endswith("=") for word in words),
        UNTOLD if default == "?" else json.loads(default),
        cast("Fate", fate),
        () if ours == "-" else tuple(ours.split()),
        "" if note == "-" else note,
    )


#: By name.
TABLE: Final = {
    row.name: row
    for line in Path(__file__).with_name("gunicorn27.tsv").read_text("utf-8").splitlines()
    if not line.startswith("#")
    for row in [read_row(line)]
}
#: By flag.
FLAGS: Final = {flag: row for row in TABLE.values() for flag in row.flags}
