"""Compare the toolkit with Werkzeug: the same code, in processes of the same kind, as ratios.

`make bench` runs this after the servers; alone: ``python3 bench/toolkit.py``.  Status 0: there is a
table.  1: something could not be measured.  2: an option is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from errors import BenchError
from install import HERE, prepare
from peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VENV = HERE / ".venv"
OPERATIONS = HERE / "apps" / "toolkit_ops.py"
SECONDS = 120
IMPORT_TRIES = 15


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what is done, and how many times as fast it has to be."""

    name: str
    title: str
    floor: float | None = None


ROWS = (
    Row("hello", "Request.application, hello world", 4),
    Row("request", "a Request; path, args, cookies, accept", 3),
    Row("request-varied", "the same, no two requests alike", 3),
    Row("match-static", "matching among 2,000 rules, static", 5),
    Row("match-dynamic", "the same, int and string", 5),
    Row("build-static", "building among 2,000 rules, static", 4),
    Row("build-dynamic", "the same, int and string", 4),
    Row("form-urlencoded", "form of 20 fields, url-encoded", 2),
    Row("form-multipart", "form of 20 fields, multipart", 2),
    Row("upload-100m", "file of 100 MB, multipart", 1),
    Row("hostile-line-ends-16m", "16 MiB of CR LF in a file", None),
    Row("hostile-dashes-16m", "16 MiB of half boundaries in a file", None),
    Row("hostile-fields-16m", "2 MiB of empty parts, limits off", None),
    Row("import-toolkit", "import of the package", 2),
    Row("import-wrappers", "import of Request and Response", 2),
)
#: name -> the same with an eighth of the bytes: the time per byte has to stay
FLAT = ("hostile-line-ends", "hostile-dashes", "hostile-fields")
FLAT_LIMIT = 1.5
IMPORTS = {
    ("stein", "import-toolkit"): "import stein.toolkit",
    ("werkzeug", "import-toolkit"): "import werkzeug",
    ("stein", "import-wrappers"): "from stein.toolkit import Request, Response",
    ("werkzeug", "import-wrappers"): "from werkzeug.wrappers import Request, Response",
}


def run(command: Sequence[str | Path]) -> str:
    """What a command prints; its failure is an error that shows its last line."""
    # Both libraries are imported from their caches, as they are where they are installed.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"no end after {SECONDS} s") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BenchError(last[:160])
    return done.stdout


def time_import(python: Path, statement: str) -> float:
    """Seconds that a statement adds to the start of an interpreter: the best of some tries."""

    def once(code: str) -> float:
        began = perf_counter()
        run([python, "-c", code])
        return perf_counter() - began

    # The floor of one sort minus the floor of the other, taken in turns.
    pairs = [(once(statement), once("pass")) for _ in range(IMPORT_TRIES)]
    return min(with_it for with_it, _ in pairs) - min(bare for _, bare in pairs)


def measure(python: Path, library: str, operation: str) -> float:
    """Seconds per operation, in a process of its own."""
    statement = IMPORTS.get((library, operation))
    if statement is not None:
        return time_import(python, statement)
    printed = run([python, OPERATIONS, library, operation])
    return float(json.loads(printed)["seconds"])


def compare(python: Path, operation: str, rounds: int) -> tuple[float, float, float]:
    """Both libraries in turns: the median ratio, and each one's median time."""
    pairs = [
        (measure(python, "stein", operation), measure(python, "werkzeug", operation))
        for _ in range(rounds)
    ]
    ratio = median(theirs / ours for ours, theirs in pairs)
    return ratio, median(ours for ours, _ in pairs), median(theirs for _, theirs in pairs)


def verdict(ratio: float, floor: float | None) -> str:
    """What the floor says of a ratio."""
    if floor is None:
        return ""
    return f">= {floor:g} x" if ratio >= floor else f">= {floor:g} x: MISSED"


def time_text(seconds: float) -> str:
    """A time with a unit in which it has few digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.2f} {unit}"
    return f"{seconds / 1e-6:.2f} us"


def table(rows: Sequence[Row], python: Path, rounds: int, show: Callable[[str], None]) -> bool:
    """Print a line per operation; true if everything could be measured."""
    whole = True
    show(f"{'':<24}{'x werkzeug':>11}{'stein':>12}{'werkzeug':>12}  floor")
    for row in rows:
        try:
            ratio, ours, theirs = compare(python, row.name, rounds)
        except BenchError as error:
            show(f"{row.name:<24}  n/a ({error})")
            whole = False
            continue
        line = f"{row.name:<24}{ratio:>11.2f}{time_text(ours):>12}{time_text(theirs):>12}"
        show(f"{line}  {verdict(ratio, row.floor)}".rstrip())
    return whole


def flatness(python: Path, rounds: int, show: Callable[[str], None]) -> bool:
    """Time per MiB of the large hostile body in times of the small one's."""
    show("\ntime per MiB of 16 MiB in times of that of 2 MiB")
    whole = True
    for name in FLAT:
        try:
            growths = [
                measure(python, "stein", f"{name}-16m") / 8 / measure(python, "stein", f"{name}-2m")
                for _ in range(rounds)
            ]
        except BenchError as error:
            show(f"{name:<24}  n/a ({error})")
            whole = False
            continue
        growth = median(growths)
        state = f"<= {FLAT_LIMIT:g}" if growth <= FLAT_LIMIT else f"<= {FLAT_LIMIT:g}: MISSED"
        show(f"{name:<24}{growth:>11.2f}  {state}")
    return whole


def main(given: Sequence[str]) -> int:
    """Prepare, measure, print."""
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="bench/toolkit.py", description=about)
    add = parser.add_argument
    add("--only", default="", metavar="A,B", help=f"of {', '.join(row.name for row in ROWS)}")
    add("--rounds", type=int, default=3, help="of both libraries in turns, default 3")
    add("--venv", type=Path, default=VENV, metavar="DIR", help="default: bench/.venv")
    add("--python", default=sys.executable, metavar="PATH", help="interpreter of the environment")
    add("--no-install", action="store_true", help="use the environment as it is")
    options = parser.parse_args(given)
    wanted = [name.strip() for name in options.only.split(",") if name.strip()]
    unknown = set(wanted) - {row.name for row in ROWS}
    if unknown or options.rounds < 1:
        parser.error(f"unknown: {', '.join(sorted(unknown))}" if unknown else "--rounds below 1")
    rows = [row for row in ROWS if row.name in wanted or not wanted]
    peers = [peer for peer in PEERS if peer.name in {"stein", "werkzeug"}]
    try:
        environment = prepare(options.venv, options.python, peers, install=not options.no_install)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2

    def show(line: str) -> None:
        print(line, flush=True)

    show(f"toolkit: the same code through both libraries; median of {options.rounds} ratio(s)")
    whole = table(rows, environment.python, options.rounds, show)
    if not wanted:
        whole = flatness(environment.python, options.rounds, show) and whole
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
