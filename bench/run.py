"""Compare WSGI servers on this machine, in ratios. `make bench` runs this; see README.md.

Status 0: there is a table. 1: nothing could be measured. 2: a tool or an option is wrong.
130: interrupted; the table shows what had been measured.
"""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import chart
import load
import machine
import report
from cases import CASES, Trial
from errors import BenchError, MeasureError
from install import HERE, prepare
from peers import PEERS, Launch
from plan import QUICK, Plan
from results import Outcome, Results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cases import Case
    from install import Environment
    from machine import Cores
    from peers import Peer

VENV = HERE / ".venv"
RESULTS = HERE / "results"
NOTHING, MISUSED, INTERRUPTED = 1, 2, 130


def say(words: str) -> None:
    """Progress goes to standard error, so that the table alone can be kept."""
    print(words, file=sys.stderr, flush=True)


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Read the command line, here and nowhere else."""
    names = ", ".join(case.name for case in CASES)
    peers = ", ".join(peer.name for peer in PEERS)
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="bench/run.py", description=about)
    add = parser.add_argument
    add("--cases", default="", metavar="A,B", help=f"of {names}; default: all but flask")
    add("--peers", default="", metavar="A,B", help=f"of {peers}; default: all")
    add("--against", default="granian,fastpysgi", metavar="A,B", help="default: %(default)s")
    add("--rounds", type=int, help=f"interleaved rounds, default {Plan().rounds}")
    add("--seconds", type=int, help=f"seconds per measurement, default {Plan().seconds}")
    add("--quick", action="store_true", help="one short round and smaller bodies: a smoke test")
    add("--python", default=sys.executable, metavar="PATH", help="interpreter of the environment")
    add("--venv", type=Path, default=VENV, metavar="DIR", help="default: bench/.venv")
    add("--no-install", action="store_true", help="use the environment as it is")
    return parser.parse_args(given)


def pick(option: str, text: str, known: Sequence[str]) -> list[str]:
    """The names in an option's value; an unknown one is the user's mistake and says so."""
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    for name in wanted:
        if name not in known:
            raise BenchError(f"{option} {name!r} is not known; next: choose of {', '.join(known)}")
    return wanted


def pick_cases(text: str) -> list[Case]:
    """The named cases in the order of the table, or those that run by default."""
    wanted = pick("--cases", text, [case.name for case in CASES])
    return [case for case in CASES if (case.name in wanted if wanted else case.by_default)]


def pick_peers(text: str) -> list[Peer]:
    """The named peers in the order of the table, or all."""
    wanted = pick("--peers", text, [peer.name for peer in PEERS])
    return [peer for peer in PEERS if not wanted or peer.name in wanted]


def pick_plan(options: argparse.Namespace) -> Plan:
    """The default or the quick plan, with the numbers that were given."""
    plan = QUICK if options.quick else Plan()
    for name in ("rounds", "seconds"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise BenchError(f"--{name} {value} is too small; next: give 1 or more")
        if value is not None:
            plan = replace(plan, **{name: value})
    return plan


def measure(trial: Trial, case: Case, outcome: Outcome) -> None:
    """One peer, one round. A failure takes the peer out of this case, and only of this one."""
    metric = case.metrics[0]
    try:
        sample = case.measure(trial)
    except MeasureError as error:
        outcome.why_not = str(error)
        say(f"  {case.name:<11} {trial.peer.name:<11} n/a ({error})")
        return
    outcome.samples.append(sample)
    shown = report.number(sample[metric.key], metric)
    say(f"  {case.name:<11} {trial.peer.name:<11} {shown:>10} {metric.unit}")


def run_case(case: Case, peers: Sequence[Peer], run: Run) -> None:
    """A B C, A B C: a machine that gets slower for a while gets slower for everyone."""
    outcomes = run.results.cases.setdefault(case.name, {})
    for peer in peers:
        why_not = run.environment.why_missing(peer) or case.hindrance(peer)
        outcomes[peer.name] = Outcome(why_not=why_not)
    rounds = min(run.plan.rounds, case.max_rounds or run.plan.rounds)
    for _ in range(rounds):
        for peer in peers:
            if outcomes[peer.name].why_not is None:
                launch = Launch(run.environment.python, case.target, 0, case.threads, case.workers)
                measure(Trial(peer, launch, run.cores, run.plan), case, outcomes[peer.name])


@dataclass(frozen=True, slots=True)
class Run:
    """What stays the same during one run."""

    plan: Plan
    cores: Cores
    environment: Environment
    results: Results


def start(options: argparse.Namespace, peers: Sequence[Peer]) -> Run:
    """Everything that can be refused is refused here, before the first measurement."""
    load.find_wrk()
    against = pick("--against", options.against, [peer.name for peer in PEERS])
    if not against:
        raise BenchError("--against is empty; next: name a peer, such as granian")
    for name in set(against) - {peer.name for peer in peers}:
        say(f"{name} is not among --peers, so there are no ratios against it")
    plan, cores = pick_plan(options), machine.choose_cores()
    say("preparing the virtual environment")
    environment = prepare(options.venv, options.python, peers, install=not options.no_install)
    started = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    about = machine.describe(cores)
    results = Results(about, environment.version, started, plan, environment.versions, against)
    say(about)
    return Run(plan, cores, environment, results)


def write(results: Results) -> None:
    """Keep every run under its time, and the newest under a name one can link to."""
    RESULTS.mkdir(exist_ok=True)
    stamp = results.started.removesuffix(" UTC").translate({ord(":"): None, ord(" "): "-"})
    texts = {
        "json": report.document(results, CASES),
        "svg": chart.picture(results, CASES),
        "txt": report.table(results, CASES),
    }
    for ending, content in texts.items():
        for name in (stamp, "latest"):
            (RESULTS / f"{name}.{ending}").write_text(content, encoding="utf-8")
    say(f"written: bench/results/latest.txt, .json and .svg, and the same as {stamp}.*")


def main(given: Sequence[str]) -> int:
    """Prepare, measure, write, and leave nothing running; the result is the exit status."""
    options = arguments(given)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        cases, peers = pick_cases(options.cases), pick_peers(options.peers)
        run = start(options, peers)
    except BenchError as error:
        say(f"bench: {error}")
        return MISUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    status = 0
    try:
        for case in cases:
            run_case(case, peers, run)
    except KeyboardInterrupt:
        say("interrupted: no server is left running; what follows is what was measured")
        status = INTERRUPTED
    write(run.results)
    print(report.table(run.results, CASES), end="")
    measured = any(o.measured for outcomes in run.results.cases.values() for o in outcomes.values())
    return status or (0 if measured else NOTHING)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
