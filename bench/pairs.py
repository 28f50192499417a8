"""Requests in process: the same program in two processes of the same kind, timed in turns.

Each operation of `apps/framework_ops.py` runs in two children that live as long as its rounds: one
imports Flask, one stein under the same names. Only one of them works at a time, both on one core,
and both must have given the same answer before anything is timed.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any, Self

import load
from errors import MeasureError
from findings import Finding, Question
from peers import APPS

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = APPS / "framework_ops.py"
START_SECONDS = 30.0
SLICE_SECONDS = 60.0
SHOWN = 90

OPERATIONS = (
    Question("hello", "a plain view", 8),
    Question("hello-session", "a plain view, session cookie not looked at"),
    Question("json", "int route and jsonify", 6),
    Question("read", "query, session read from its cookie", 4),
    Question("read-varied", "the same, 512 visitors in turn"),
    Question("write", "a new session", 2.5),
    Question("hooks", "a plain view, hooks before and after", 6),
    Question("template", "a page of two templates", 1.5),
    Question("count", "a session read and changed"),
    Question("echo", "a JSON body there and back"),
    Question("form", "a form of five fields"),
    Question("flash", "flash and redirect"),
    Question("links", "url_for, 20 times"),
    Question("missing", "404 with the default page"),
    Question("static", "a file of the static folder"),
    Question("async", "an async view"),
)
GROWTH = Question("growth", "1,000 routes, 100 blueprints, unused hooks: times of one route")
GROWTH_LIMIT = 1.2


def environment() -> dict[str, str]:
    """That of this process; both sides are imported from their caches, as they are installed."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


class Sides:
    """Two children that are asked in turns; a context manager that ends them."""

    def __init__(
        self, python: Path, core: int, first: tuple[str, str], second: tuple[str, str]
    ) -> None:
        self._stack = ExitStack()
        self._commands = [[str(python), str(SCRIPT), *which] for which in (first, second)]
        self._core = core
        self._children: list[load.Client] = []

    def __enter__(self) -> Self:
        with self._stack as stack:
            for command in self._commands:
                child = load.conversation(command, self._core, environment())
                self._children.append(stack.enter_context(child))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def agree(self) -> None:
        """Both have given the same answer; otherwise they are not doing the same work."""
        first, second = (child.result(START_SECONDS) for child in self._children)
        if first != second:
            raise MeasureError(f"different answers: {difference(first, second)}")

    def time(self, rounds: int) -> list[tuple[float, float]]:
        """Seconds of one request on each side, for each round."""
        return [(self._slice(0), self._slice(1)) for _ in range(rounds)]

    def _slice(self, side: int) -> float:
        child = self._children[side]
        child.go_on()
        return float(child.result(SLICE_SECONDS)["seconds"])


def difference(first: dict[str, Any], second: dict[str, Any]) -> str:
    """The first part of two answers that is not the same."""
    for part, value in first.items():
        if value != second.get(part):
            return f"{part} {str(value)[:SHOWN]} and {str(second.get(part))[:SHOWN]}"
    return "one has more parts"


def compare(python: Path, core: int, question: Question, rounds: int) -> Finding:
    """One operation through both frameworks."""
    finding = Finding(question, "seconds", "flask")
    first, second = ("stein", question.name), ("flask", question.name)
    with Sides(python, core, first, second) as sides:
        sides.agree()
        finding.samples = sides.time(rounds)
    finding.ratio = median(theirs / ours for ours, theirs in finding.samples)
    finding.ours = median(ours for ours, _ in finding.samples)
    finding.theirs = median(theirs for _, theirs in finding.samples)
    return finding


def growth(python: Path, core: int, library: str, rounds: int) -> Finding:
    """A large application in times of a small one, within one framework."""
    limit = GROWTH_LIMIT if library == "stein" else None
    question = Question(f"growth-{library}", GROWTH.title, limit=limit)
    finding = Finding(question, "seconds", "small")
    with Sides(python, core, (library, "large"), (library, "small")) as sides:
        sides.agree()
        finding.samples = sides.time(rounds)
    finding.ratio = median(large / small for large, small in finding.samples)
    finding.ours = median(large for large, _ in finding.samples)
    finding.theirs = median(small for _, small in finding.samples)
    return finding
