"""Compare the framework with Flask: the same program, in process and over the wire, as ratios.

`make bench` runs this last; alone: ``python3 bench/framework.py``.  Status 0: there is a table.
1: something could not be measured.  2: a tool or an option is wrong.  130: interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import framework_chart
import load
import machine
import pairs
import startup
import wire
from errors import BenchError, MeasureError
from findings import Finding, amount, times
from install import HERE, prepare
from plan import QUICK, Plan
from results import Results
from run import Run, run_case

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cases import Case
    from findings import Question
    from install import Environment
    from machine import Cores

VENV = HERE / ".venv"
RESULTS = HERE / "results"
ROUNDS = 7
GROWTHS = ("growth-stein", "growth-flask")
NAMES = (
    *(question.name for question in pairs.OPERATIONS),
    *GROWTHS,
    *(question.name for question in startup.QUESTIONS),
    *(case.name for case in wire.CASES),
)
MISUSED, INTERRUPTED = 2, 130


@dataclass(slots=True)
class Report:
    """What this run found. Lines are printed as they come, so an interrupted run has shown them."""

    machine: str
    python: str
    started: str
    rounds: int
    versions: dict[str, str]
    findings: list[Finding] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def show(self, line: str = "") -> None:
        """One line of the table, now."""
        print(line, flush=True)
        self.text.append(line)

    def keep(self, finding: Finding) -> Finding:
        """A finding for the document and the picture."""
        self.findings.append(finding)
        return finding

    @property
    def whole(self) -> bool:
        """Whether everything could be measured."""
        return bool(self.findings) and all(f.why_not is None for f in self.findings)

    def document(self) -> str:
        """Everything, sample by sample, as JSON."""
        head = {name: getattr(self, name) for name in ("machine", "python", "started", "rounds")}
        found = [{**asdict(f), "verdict": f.verdict} for f in self.findings]
        whole = {**head, "versions": self.versions, "findings": found}
        return json.dumps(whole, indent=2) + "\n"


def attempt(question: Question, other: str, measure: Callable[[], Finding]) -> Finding:
    """A finding, or the reason why there is none."""
    try:
        return measure()
    except MeasureError as error:
        return Finding(question, "seconds", other, why_not=str(error))


def line(finding: Finding) -> str:
    """One comparison with Flask."""
    question = finding.question
    if finding.why_not is not None:
        return f"  {question.name:<15}  n/a ({finding.why_not})"
    ours, theirs = (amount(value, finding.unit) for value in (finding.ours, finding.theirs))
    figures = f"{times(finding.ratio):>8}{ours:>12}{theirs:>12}"
    return f"  {question.name:<15}{figures}  {finding.verdict:<18}{question.title}".rstrip()


def heading(report: Report, words: str, ours: str = "stein", theirs: str = "flask") -> None:
    """A section begins."""
    report.show()
    report.show(words)
    report.show(f"  {'':<15}{'x':>8}{ours:>12}{theirs:>12}")


def in_process(report: Report, names: Sequence[str], python: Path, core: int) -> None:
    """Requests without a server around them."""
    questions = [question for question in pairs.OPERATIONS if question.name in names]
    if questions:
        about = f"median ratio of {report.rounds} interleaved rounds"
        heading(report, f"one request in process, the same program on both sides; {about}")
    for question in questions:

        def compared(question: Question = question) -> Finding:
            return pairs.compare(python, core, question, report.rounds)

        report.show(line(report.keep(attempt(question, "flask", compared))))
    growths = [name for name in GROWTHS if name in names]
    if growths:
        words = "a large application against one of a single route, in the same framework"
        heading(report, words, "large", "small")
    for name in growths:

        def grown(name: str = name) -> Finding:
            return pairs.growth(python, core, name.removeprefix("growth-"), report.rounds)

        report.show(line(report.keep(attempt(pairs.GROWTH, "small", grown))))


def at_start(report: Report, names: Sequence[str], python: Path, core: int) -> None:
    """Time and memory before the first user comes."""
    questions = [question for question in startup.QUESTIONS if question.name in names]
    if questions:
        heading(report, f"start; the best of {startup.IMPORT_TRIES} interpreters of each sort")
    for question in questions:

        def answered(question: Question = question) -> Finding:
            return startup.answer(python, core, question)

        report.show(line(report.keep(attempt(question, "flask", answered))))


def show_case(report: Report, asked: Case, run: Run) -> None:
    """One path over the wire: a line for each server."""
    report.show(f"  {asked.name}: {asked.title}")
    heads = f"{'stein is':>10}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU us':>8}{'MiB':>7}"
    report.show(f"  {'':<18}{heads}")
    for found in wire.findings(asked, run.results.cases[asked.name]):
        report.keep(found)
        if found.why_not is not None or found.theirs is None:
            report.show(f"  {found.other:<18}  n/a ({found.why_not})")
            continue
        ahead = f"{times(found.ratio)} x" if found.ratio is not None else ""
        more = found.more
        figures = f"{found.theirs:>12,.0f}{more['p50']:>9.2f}{more['p99']:>9.2f}"
        weight = f"{more['cpu']:>8.1f}{more['memory']:>7.1f}"
        report.show(f"  {found.other:<18}{ahead:>10}{figures}{weight}  {found.verdict}".rstrip())


def on_the_wire(report: Report, cases: Sequence[Case], run: Run) -> None:
    """Whole servers, one after the other."""
    if not cases:
        return
    plan = run.plan
    report.show()
    report.show(
        f"over the wire, one worker on one core; medians of {plan.rounds} interleaved round(s) of"
        f" {plan.seconds} s"
    )
    for asked in cases:
        run_case(asked, wire.taking_part(asked), run)
        show_case(report, asked, run)


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Read the command line, here and nowhere else."""
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="bench/framework.py", description=about)
    add = parser.add_argument
    add("--only", default="", metavar="A,B", help=f"of {', '.join(NAMES)}; `wire` is all of them")
    add("--rounds", type=int, help=f"of both sides in turns, default {ROUNDS}; on the wire 3")
    add("--seconds", type=int, help=f"per measurement on the wire, default {Plan().seconds}")
    add("--quick", action="store_true", help="one short round of everything: a smoke test")
    add("--venv", type=Path, default=VENV, metavar="DIR", help="default: bench/.venv")
    add("--python", default=sys.executable, metavar="PATH", help="interpreter of the environment")
    add("--no-install", action="store_true", help="use the environment as it is")
    options = parser.parse_args(given)
    wanted = {name.strip() for name in options.only.split(",") if name.strip()}
    if "wire" in wanted:
        wanted = wanted - {"wire"} | {case.name for case in wire.CASES}
    if unknown := wanted - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if any(number is not None and number < 1 for number in (options.rounds, options.seconds)):
        parser.error("--rounds and --seconds begin at 1")
    options.names = [name for name in NAMES if name in wanted or not wanted]
    return options


def prepared(options: argparse.Namespace) -> tuple[Environment, Cores, Plan]:
    """Everything that can be refused is refused here, before the first measurement."""
    plan = QUICK if options.quick else Plan()
    rounds, seconds = options.rounds or plan.rounds, options.seconds or plan.seconds
    plan = Plan(rounds=rounds, seconds=seconds, warmup=plan.warmup)
    if any(name.startswith("wire-") for name in options.names):
        load.find_wrk()
    peers = [*wire.PEERS]
    environment = prepare(options.venv, options.python, peers, install=not options.no_install)
    return environment, machine.choose_cores(), plan


def write(report: Report) -> None:
    """Keep every run under its time, and the newest under a name one can link to."""
    RESULTS.mkdir(exist_ok=True)
    stamp = report.started.removesuffix(" UTC").translate({ord(":"): None, ord(" "): "-"})
    texts = {
        "json": report.document(),
        "svg": framework_chart.picture(report),
        "txt": "\n".join(report.text) + "\n",
    }
    for ending, content in texts.items():
        for name in (stamp, "latest"):
            (RESULTS / f"framework-{name}.{ending}").write_text(content, encoding="utf-8")
    print("written: bench/results/framework-latest.txt, .json and .svg", file=sys.stderr)


def main(given: Sequence[str]) -> int:
    """Prepare, measure, print, write."""
    options = arguments(given)
    try:
        environment, cores, plan = prepared(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return MISUSED
    about, versions = machine.describe(cores), environment.versions
    started = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    rounds = options.rounds or (1 if options.quick else ROUNDS)
    report = Report(about, environment.version, started, rounds, versions)
    results = Results(about, environment.version, started, plan, versions, [])
    report.show("framework: the same program through stein and through Flask; x is how many times")
    report.show(f"better stein is.  {about}; Python {environment.version}")
    report.show("; ".join(f"{name} {version}" for name, version in sorted(versions.items())))
    status = 0
    try:
        in_process(report, options.names, environment.python, cores.server)
        at_start(report, options.names, environment.python, cores.server)
        cases = [case for case in wire.CASES if case.name in options.names]
        on_the_wire(report, cases, Run(plan, cores, environment, results))
    except KeyboardInterrupt:
        status = INTERRUPTED
    write(report)
    return status or (0 if report.whole else 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
