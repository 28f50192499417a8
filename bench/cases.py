"""The cases: what is asked of every server, as a table, and how each figure is taken."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import TYPE_CHECKING, Literal

import load
import machine
import process
from errors import MeasureError
from load import Requests
from peers import MIN_CONNECTIONS
from servers import free_port, growth, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from machine import Cores
    from peers import Launch, Peer
    from plan import Plan
    from servers import Server

    Sample = Mapping[str, float]

PLAIN = "bench_apps:app"
FLASK = "flask_app:app"
DEMO = "demo_app:app"
WORKERS = 2
THREADS = 16
SLEEP_SECONDS = 0.020
IDEAL = THREADS / SLEEP_SECONDS
# The requests in flight at the beginning and the end are too large a part of a shorter count.
BLOCKING_SECONDS = 6
MIX_RATE = 4000
MIX_TOLERATED = 0.01
TRANSFER_SECONDS = 60.0
IDLE_OPEN_SECONDS = 60.0
IDLE_HELD = 0.98
SPARE_FILES = 500
LOG_SECONDS = 3.0
LOG_SHARE = 0.95
MEMORY_FACTOR = 3

BROWSER = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-GB,en;q=0.7,de;q=0.3",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Referer: http://127.0.0.1/list?page=2&sort=name",
    "Cookie: session=eyJ1c2VyIjo0Mn0.aBcDeF.0123456789abcdefghijklmnopqrstuvwxyz; theme=dark",
    "Upgrade-Insecure-Requests: 1",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-origin",
    "Priority: u=0, i",
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One column: the key in a sample, its heading, its unit and which way is better."""

    key: str
    label: str
    unit: str
    digits: int = 0
    better: Literal["higher", "lower"] = "higher"


RATE = Metric("rate", "requests/s", "requests/s")
P50 = Metric("p50", "p50 ms", "ms", 2, "lower")
P99 = Metric("p99", "p99 ms", "ms", 2, "lower")
SPEED = Metric("rate", "MB/s", "MB/s")
GROWTH = Metric("growth", "memory +MiB", "MiB", 1, "lower")


@dataclass(frozen=True, slots=True)
class Trial:
    """One peer in one case in one round: all that a measurement needs to know."""

    peer: Peer
    launch: Launch
    cores: Cores | None  #: None: whatever core is free
    plan: Plan

    @property
    def load_core(self) -> int | None:
        """Where the load comes from."""
        return self.cores.load if self.cores else None

    @contextmanager
    def server(
        self, path: str = "/", *, connections: int = MIN_CONNECTIONS, log: Path | None = None
    ) -> Iterator[Server]:
        """The peer on a port of its own, having answered `path`."""
        launch = replace(self.launch, port=free_port(), connections=connections, log=log)
        core = self.cores.server if self.cores else None
        with serving(self.peer, launch, core, path) as server:
            yield server


@dataclass(frozen=True, slots=True)
class Case:
    """One row of questions. The first metric is the one that is compared and drawn."""

    name: str
    title: str
    metrics: tuple[Metric, ...]
    measure: Callable[[Trial], Sample]
    threads: int = 1
    workers: int = 1
    target: str = PLAIN
    max_rounds: int | None = None
    by_default: bool = True
    needs_log: bool = False
    needs_keep_alive: bool = False

    def hindrance(self, peer: Peer) -> str | None:
        """Why this peer cannot take part, if so."""
        if peer.max_threads is not None and self.threads > peer.max_threads:
            return f"has {peer.max_threads} thread only"
        if self.workers > 1 and not peer.has_workers:
            return "has no worker processes, or is not asked for them here"
        if self.needs_log and not peer.logs_access:
            return "has no access log"
        if self.needs_keep_alive and not peer.keeps_alive:
            return "closes the connection after every response"
        return None


def throughput(requests: Requests, trial: Trial) -> Sample:
    """Plain load from wrk on a warm server."""
    with trial.server(requests.path) as server:
        return drive(server, requests, trial)


def drive(server: Server, requests: Requests, trial: Trial) -> dict[str, float]:
    """Warm up, then measure, on a server that is already running."""
    url, core = server.url(requests.path), trial.load_core
    load.warm_up(url, requests, trial.plan.warmup, core)
    found = load.measure(url, requests, trial.plan.seconds, core)
    return {"rate": found.rate, "p50": found.p50, "p99": found.p99, "requests": found.requests}


def several_workers(trial: Trial) -> Sample:
    """Worker processes on all cores, shared with the load; and what each has in memory."""
    everywhere = replace(trial, cores=None)
    with everywhere.server() as server:
        found = drive(server, Requests(connections=64), everywhere)
        largest = sorted(map(process.resident, server.children()))[-trial.launch.workers :]
    if len(largest) < trial.launch.workers:
        raise MeasureError(f"{len(largest)} of {trial.launch.workers} workers were to be seen")
    return {**found, "memory": sum(largest) / len(largest) / 2**20}


def blocking(trial: Trial) -> Sample:
    """Views that only wait: sixteen threads can finish 800 of them a second and no more."""
    plan = replace(trial.plan, seconds=max(BLOCKING_SECONDS, trial.plan.seconds))
    found = throughput(Requests("/slow", connections=64), replace(trial, plan=plan))
    return {**found, "ideal": 100 * found["rate"] / IDEAL}


def mix(trial: Trial) -> Sample:
    """Nine fast requests to one slow one, paced; what matters is what the fast ones wait."""
    plan = trial.plan
    arguments = (MIX_RATE, plan.seconds, plan.warmup)
    with (
        trial.server() as server,
        load.client(trial.load_core, "paced", server.port, *arguments) as client,
    ):
        found = client.result(plan.warmup + plan.seconds + load.SPARE_SECONDS)
    if found["unanswered"] > MIX_TOLERATED * found["requests"]:
        raise MeasureError(
            f"{found['unanswered']:.0f} of {found['requests']:.0f} paced requests got no answer"
        )
    return found


def written_lines(log: Path, output: Path) -> int:
    """Lines in the access log; a server without a log file of its own writes to its output."""
    paths = [path for path in (log, output) if path.exists()]
    return sum(path.read_bytes().count(b"\n") for path in paths)


def check_log(log: Path, output: Path, requests: float) -> None:
    """A log that is not written is fast. Ask until the lines are there, for a bounded time."""
    deadline = monotonic() + LOG_SECONDS
    while (lines := written_lines(log, output)) < LOG_SHARE * requests:
        if monotonic() > deadline:
            raise MeasureError(f"{lines} lines in the access log after {requests:.0f} requests")
        sleep(0.05)


def access_log(trial: Trial) -> Sample:
    """The same load without and with the log, one right after the other."""
    plain = Requests()
    without = throughput(plain, trial)
    with TemporaryDirectory(prefix="bench-") as folder:
        log = Path(folder) / "access.log"
        with trial.server(log=log) as server:
            found = drive(server, plain, trial)
            check_log(log, server.output, found["requests"])
    return {**found, "without": without["rate"], "kept": 100 * found["rate"] / without["rate"]}


def transfer(direction: Literal["upload", "download"], trial: Trial) -> Sample:
    """One large body through the server, and how much memory the server took for it."""
    size = trial.plan.transfer_bytes
    if machine.available_memory() < MEMORY_FACTOR * size:
        raise MeasureError(f"less than {MEMORY_FACTOR * size >> 20} MiB of memory is available")
    found: dict[str, float] = {}

    with trial.server() as server:

        def work() -> None:
            with load.client(trial.load_core, direction, server.port, size) as client:
                found.update(client.result(TRANSFER_SECONDS))

        grown = growth(server, work)
    return {**found, "growth": grown / 2**20}


def idle(trial: Trial) -> Sample:
    """What connections cost that have had an answer and say nothing more."""
    wanted = trial.plan.idle_connections
    if machine.allow_open_files(wanted + SPARE_FILES) < wanted + SPARE_FILES:
        raise MeasureError(f"{wanted} connections need a higher `ulimit -n`")
    with trial.server(connections=wanted + SPARE_FILES) as server:
        before = server.resident()
        with load.client(trial.load_core, "idle", server.port, wanted) as client:
            opened = client.result(IDLE_OPEN_SECONDS)["opened"]
            used, start = server.cpu_seconds(), monotonic()
            sleep(trial.plan.idle_seconds)  # the measured time itself; nothing is waited for
            used, seconds = server.cpu_seconds() - used, monotonic() - start
            grown = server.resident() - before
            client.go_on()
            held = client.result(IDLE_OPEN_SECONDS)["held"]
    if held < IDLE_HELD * wanted:
        raise MeasureError(f"opened {opened:.0f} and held {held:.0f} of {wanted} connections")
    return {"cpu": 100 * used / seconds, "memory": grown / 1024 / held, "held": held}


PLAIN_METRICS = (RATE, P50, P99)
WORKERS_METRICS = (
    *PLAIN_METRICS,
    Metric("memory", "MiB/worker", "MiB resident in each worker", 1, "lower"),
)


def plain(name: str, title: str, requests: Requests, threads: int = 1) -> Case:
    """Build a case that is wrk alone."""
    return Case(name, title, PLAIN_METRICS, partial(throughput, requests), threads)


CASES: tuple[Case, ...] = (
    plain("hello", "hello world, 1 thread", Requests()),
    plain("hello-16", "hello world, 16 threads", Requests(), THREADS),
    plain("browser", "hello world, 11 browser headers, 1 thread", Requests(headers=BROWSER)),
    plain(
        "browser-varied",
        "the same, every request with another query and request id",
        Requests(headers=BROWSER, varied=True),
    ),
    plain("body-10k", "response of 10 KiB, 1 thread", Requests("/10k")),
    plain("body-1m", "response of 1 MiB, 1 thread", Requests("/1m", connections=8)),
    plain("post-1k", "request body of 1 KiB, 1 thread", Requests("/post", body_bytes=1024)),
    Case(
        "blocking",
        "view that sleeps 20 ms, 16 threads, 64 connections; 100 % is 800 requests/s",
        (Metric("ideal", "% of ideal", "% of 800/s", 1), *PLAIN_METRICS),
        blocking,
        THREADS,
    ),
    Case(
        "mix",
        f"{MIX_RATE} requests/s, every tenth sleeps 20 ms, 16 threads",
        (
            Metric("fast_p99", "fast p99 ms", "ms, p99 of the fast ones", 2, "lower"),
            Metric("fast_p50", "fast p50 ms", "ms", 2, "lower"),
            Metric("slow_p50", "slow p50 ms", "ms", 2, "lower"),
            Metric("slow_p99", "slow p99 ms", "ms", 2, "lower"),
        ),
        mix,
        THREADS,
    ),
    Case(
        "workers",
        f"hello world, {WORKERS} workers of 16 threads on all cores, which the load shares",
        WORKERS_METRICS,
        several_workers,
        THREADS,
        workers=WORKERS,
    ),
    Case(
        "workers-demo",
        "the demo's front page, from SQLite, as above",
        WORKERS_METRICS,
        several_workers,
        THREADS,
        workers=WORKERS,
        target=DEMO,
    ),
    Case(
        "access-log",
        "hello world with the access log on, 1 thread",
        (RATE, Metric("kept", "% of without", "%", 1), P50, P99),
        access_log,
        needs_log=True,
    ),
    Case(
        "upload",
        "one large request body",
        (SPEED, GROWTH),
        partial(transfer, "upload"),
        max_rounds=2,
    ),
    Case(
        "download",
        "one large response body",
        (SPEED, GROWTH),
        partial(transfer, "download"),
        max_rounds=2,
    ),
    Case(
        "idle",
        "idle keep-alive connections, 1 thread",
        (
            Metric("memory", "KiB/connection", "KiB resident per connection", 2, "lower"),
            Metric("cpu", "CPU %", "% of one core", 2, "lower"),
        ),
        idle,
        max_rounds=1,
        needs_keep_alive=True,
    ),
    Case(
        "flask",
        "Flask: int route and JSON, 1 thread",
        PLAIN_METRICS,
        partial(throughput, Requests("/user/42")),
        target=FLASK,
        by_default=False,
    ),
)
