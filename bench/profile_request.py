"""Say what each step of one request costs, with stein and with Flask; write `docs/profile.md`.

usage: python3 bench/profile_request.py [--write]

It uses the environment that `bench/framework.py` has made.  Without ``--write`` the page is only
printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import machine
from errors import BenchError, MeasureError
from framework import VENV
from install import HERE, REPOSITORY, prepare
from peers import APPS
from startup import run
from wire import APP_RUN, OURS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCRIPT = APPS / "framework_steps.py"
PAGE = REPOSITORY / "docs" / "profile.md"
LIBRARIES = ("stein", "flask")
REQUESTS = {
    "hello": "`/` returns a text",
    "json": "`/user/<int:number>` returns `jsonify(...)`",
    "read": "`/read` reads the query and the session",
    "write": "`/write` begins a session",
}
STEPS = {
    "context": "`request_context`: the context, the request, the adapter of the rules",
    "push": "`push`: make it current, find the rule",
    "session": "`session`: check the cookie and decode it, where it is asked for",
    "before": "`preprocess_request`: the hooks before the view",
    "view": "`dispatch_request`: the view itself",
    "make": "`make_response`: a response of what it returned",
    "process": "`process_response`: the hooks after it; the session's cookie",
    "send": "`response(...)`: status and fields for the server",
    "body": "the server takes the body, and closes it",
    "pop": "`pop`: teardown",
}
HEAD = """\
# What one request costs

`python3 bench/profile_request.py --write` makes this page; the program is
`bench/apps/framework_app.py`, imported with stein and with Flask. The steps are called one by one
with a clock between them, and the clock is subtracted; *the whole* is timed without. Both are one
core's microseconds, in process, for this machine and this minute: what matters is which step is the
large one, and how the columns compare.
"""
WORDS = """\
Not in a column because it is not there: what nobody has registered, touched or asked for. A hook of
another blueprint, a signal without receivers, a session that the view does not look at, and the
thousandth rule cost a look into an empty table at most; `bench/framework.py` holds that (`growth`).
"""

Profiles = dict[str, dict[str, dict[str, Any]]]


def measure(python: Path, core: int) -> Profiles:
    """What framework_steps.py found, for each request and then for each library."""
    return {
        name: {
            library: json.loads(run([python, SCRIPT, library, name], core)) for library in LIBRARIES
        }
        for name in REQUESTS
    }


def micros(seconds: float) -> str:
    """A time in a cell."""
    return f"{seconds * 1e6:.2f}" if seconds < 1e-5 else f"{seconds * 1e6:.1f}"


def step_table(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The steps of one request, both libraries side by side."""
    lines = ["| step, µs | stein | Flask |", "|---|---:|---:|"]
    for step, title in STEPS.items():
        times = [found[library]["steps"][step] for library in LIBRARIES]
        if max(times) >= 5e-8:
            lines.append(f"| {title} | {' | '.join(map(micros, times))} |")
        if step == "push":
            matching = [micros(found[library]["matching"]) for library in LIBRARIES]
            lines.append(f"| … of that: find the rule | {' | '.join(matching)} |")
    whole = [micros(found[library]["whole"]) for library in LIBRARIES]
    lines.append(f"| **the whole** | {' | '.join(f'**{each}**' for each in whole)} |")
    python = [str(sum(found[library]["calls"].values())) for library in LIBRARIES]
    lines.append(f"| functions called, in Python | {' | '.join(python)} |")
    in_c = [str(found[library]["c_calls"]) for library in LIBRARIES]
    lines.append(f"| … and in C | {' | '.join(in_c)} |")
    return lines


def call_table(profiles: Profiles) -> list[str]:
    """Which modules of ours the functions belong to."""
    columns = [profiles[name]["stein"]["calls"] for name in REQUESTS]
    modules = sorted({module for column in columns for module, count in column.items() if count})
    lines = [
        f"| functions called of | {' | '.join(REQUESTS)} |",
        f"|---|{'---:|' * len(columns)}",
    ]
    for module in modules:
        cells = [str(column.get(module, 0) or "") for column in columns]
        lines.append(f"| {f'`{module}`' if '.' in module else module} | {' | '.join(cells)} |")
    return lines


def page(profiles: Profiles, about: str) -> str:
    """The whole page."""
    lines = [HEAD, f"{about}\n"]
    for name, title in REQUESTS.items():
        lines += [f"## {title}\n", *step_table(profiles[name]), ""]
    lines += ["## Where the calls go\n", *call_table(profiles), "", WORDS]
    return "\n".join(lines)


def main(given: Sequence[str]) -> int:
    """Measure, print, write."""
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="bench/profile_request.py", description=about)
    add = parser.add_argument
    add("--write", action="store_true", help=f"write {PAGE.relative_to(REPOSITORY)}")
    add("--venv", type=Path, default=VENV, metavar="DIR", help="default: bench/.venv")
    add("--install", action="store_true", help="make the environment first")
    options = parser.parse_args(given)
    cores = machine.choose_cores()
    try:
        environment = prepare(
            options.venv, sys.executable, [OURS, APP_RUN], install=options.install
        )
        profiles = measure(environment.python, cores.server)
    except MeasureError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    text = page(
        profiles,
        f"{machine.processor()}; Python {environment.version}; Flask"
        f" {environment.versions.get('flask', '?')}; {day}.",
    )
    print(text, end="")
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
        print(f"written: {PAGE.relative_to(HERE.parent)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
