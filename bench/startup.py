"""What an empty application costs before its first request: seconds to import, bytes to hold."""

from __future__ import annotations

import json
import subprocess
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import machine
from errors import MeasureError
from findings import Finding, Question
from pairs import environment
from peers import APPS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SCRIPT = APPS / "weight.py"
SECONDS = 60
IMPORT_TRIES = 15
WEIGHT_TRIES = 3

IMPORT = Question("import", 'import, and an empty application: Stein("x"), Flask("x")', 2)
DROPIN = Question("import-dropin", 'the same by the drop-in: import flask; flask.Flask("x")')
MEMORY = Question("memory", "resident memory after the first requests", 4 / 3)
ADDED = Question("memory-added", "the same without that of the bare interpreter", 4 / 3)
QUESTIONS = (IMPORT, DROPIN, MEMORY, ADDED)

BARE = "pass"
FLASK = "import flask; flask.Flask('x')"
PROGRAMS = {
    IMPORT.name: "from stein import Stein; Stein('x')",
    DROPIN.name: f"import stein.dropin; stein.dropin.install(); {FLASK}",
}


def run(command: Sequence[str | Path], core: int) -> str:
    """What a command prints; its failure is a reason in the table."""
    try:
        with machine.pinned(core):
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
                env=environment(),
                cwd=APPS,
            )
    except subprocess.TimeoutExpired as error:
        raise MeasureError(f"no end after {SECONDS} s") from error
    if done.returncode:
        raise MeasureError((done.stderr.strip().splitlines() or ["no message"])[-1][:160])
    return done.stdout


def seconds(python: Path, core: int, program: str) -> float:
    """From the start of an interpreter to its end."""
    began = perf_counter()
    run([python, "-c", program], core)
    return perf_counter() - began


def time_import(python: Path, core: int, question: Question) -> Finding:
    """The best of each minus the best of a bare interpreter, taken in turns."""
    programs = (PROGRAMS[question.name], FLASK, BARE)
    for program in programs:
        run([python, "-c", program], core)  # writes the caches
    rounds = [[seconds(python, core, program) for program in programs] for _ in range(IMPORT_TRIES)]
    ours, theirs, bare = (min(column) for column in zip(*rounds, strict=True))
    finding = Finding(question, "seconds", "flask", ours=ours - bare, theirs=theirs - bare)
    finding.ratio = (theirs - bare) / (ours - bare)
    finding.samples = [(mine, other) for mine, other, _ in rounds]
    finding.more = {"bare": bare}
    return finding


def resident(python: Path, core: int, library: str) -> float:
    """Bytes of a process that has answered its first requests."""
    tries = [json.loads(run([python, SCRIPT, library], core)) for _ in range(WEIGHT_TRIES)]
    return 1024 * float(median(found["resident"] for found in tries))


def weigh(python: Path, core: int, question: Question) -> Finding:
    """The whole process, or what was added to an interpreter that does nothing."""
    bare = resident(python, core, "none") if question is ADDED else 0.0
    ours, theirs = (resident(python, core, library) - bare for library in ("stein", "flask"))
    finding = Finding(question, "bytes", "flask", ours=ours, theirs=theirs)
    finding.ratio = theirs / ours
    return finding


def answer(python: Path, core: int, question: Question) -> Finding:
    """The line of one question."""
    kind = time_import if question.name in PROGRAMS else weigh
    return kind(python, core, question)
