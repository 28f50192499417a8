"""The framework over the wire: the same program behind the servers that people put before Flask.

One worker on one core, wrk on the other, each server with the command that its users give. The
measuring is that of `run.py`; only who takes part and what is asked is written here.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import load
from cases import P50, P99, RATE, THREADS, Case, Metric
from findings import Finding, Question
from load import Requests
from peers import Launch, Peer, granian, gunicorn, launched, stein
from results import ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cases import Sample, Trial
    from results import Outcome

PROGRAM = "framework_app:app"
FALCON = "falcon_app:app"
MEMORY = Metric("memory", "memory MiB", "MiB", 1, "lower")
CPU = Metric("cpu", "CPU us each", "us of processor time per request", 1, "lower")
METRICS = (RATE, P50, P99, CPU, MEMORY)


def stein_by_dropin(launch: Launch) -> list[str]:
    """The command itself, started so that the program's `import flask` leads to stein."""
    python, *command = stein(launch)
    return [python, "-m", "stein.dropin", *command]


def granian_falcon(launch: Launch) -> list[str]:
    """The same two routes as falcon has them."""
    return granian(replace(launch, target=FALCON))


OURS = Peer("stein", "stein", "stein", stein_by_dropin)
APP_RUN = Peer("app.run() + Flask", "flask", "flask", launched("flask"), keeps_alive=False)
GUNICORN = Peer("gunicorn + Flask", "gunicorn", "gunicorn", gunicorn, remark="gthread")
GRANIAN = Peer("granian + Flask", "granian", "granian", granian)
GRANIAN_FALCON = Peer("granian + falcon", "falcon", "falcon", granian_falcon)
PEERS = (OURS, APP_RUN, GUNICORN, GRANIAN, GRANIAN_FALCON)

#: how many times the requests of each that stein has to answer
FLOORS = {APP_RUN.name: 10.0, GUNICORN.name: 8.0, GRANIAN.name: 4.0}
FALCON_FLOOR = 1.0


def weighed(requests: Requests, trial: Trial) -> Sample:
    """Throughput; the processor time of the server's processes, and what they hold in memory."""
    with trial.server(requests.path) as server:
        url, plan, core = server.url(requests.path), trial.plan, trial.load_core
        load.warm_up(url, requests, plan.warmup, core)
        before = server.cpu_seconds()
        found = load.measure(url, requests, plan.seconds, core)
        used = server.cpu_seconds() - before
        return {
            "rate": found.rate,
            "p50": found.p50,
            "p99": found.p99,
            "cpu": 1e6 * used / found.requests,
            "memory": server.resident() / 2**20,
        }


def case(name: str, title: str, path: str, threads: int = 1) -> Case:
    """One path under plain load."""
    measure = partial(weighed, Requests(path))
    return Case(f"wire-{name}", title, METRICS, measure, threads, target=PROGRAM)


CASES = (
    case("hello", "a plain view, 1 thread", "/"),
    case("json", "int route and jsonify, 1 thread", "/user/42"),
    case("json-16", "int route and jsonify, 16 threads", "/user/42", THREADS),
    case("page", "a page of two templates, 1 thread", "/page"),
)
WITH_FLOORS = {"wire-hello", "wire-json"}
WITH_FALCON = {"wire-hello", "wire-json", "wire-json-16"}


def taking_part(asked: Case) -> list[Peer]:
    """Those that have the route: falcon's program has no templates."""
    return [peer for peer in PEERS if peer is not GRANIAN_FALCON or asked.name in WITH_FALCON]


def floor(asked: Case, peer: str) -> float | None:
    """What the issue promises of this case against this peer."""
    if peer == GRANIAN_FALCON.name:
        return FALCON_FLOOR if asked.name == "wire-json" else None
    return FLOORS.get(peer) if asked.name in WITH_FLOORS else None


def findings(asked: Case, outcomes: Mapping[str, Outcome]) -> Sequence[Finding]:
    """A line for each server; the first is ours, and the others say how far it is ahead."""
    ours = outcomes[OURS.name]
    found = []
    for name, outcome in outcomes.items():
        line = Finding(Question(asked.name, asked.title, floor(asked, name)), "rate", name)
        line.why_not = None if outcome.measured else outcome.why_not or "not measured"
        if outcome.measured:
            line.theirs = outcome.middle(RATE)
            line.more = {metric.key: outcome.middle(metric) for metric in METRICS[1:]}
            line.samples = [
                (mine[RATE.key], other[RATE.key])
                for mine, other in zip(ours.samples, outcome.samples, strict=False)
            ]
        if ours.measured:
            line.ours = ours.middle(RATE)
            line.ratio = None if outcome is ours else ratio(ours, outcome, RATE)
        found.append(line)
    return found
