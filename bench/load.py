"""Load on a server: wrk for plain throughput, and `client.py` for what wrk cannot see.

Both run as children pinned to the load core and are ended with the block that started them.
"""

from __future__ import annotations

import json
import select
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import machine
from errors import BenchError, MeasureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HERE = Path(__file__).resolve().parent
SCRIPT = HERE / "load.lua"
VARIED = HERE / "varied.lua"
CLIENT = HERE / "client.py"
MARK = "RESULT "
SPARE_SECONDS = 20.0
TOLERATED_ERRORS = 0.01


@dataclass(frozen=True, slots=True)
class Requests:
    """What wrk sends: the same request on every connection, over and over, unless `varied`."""

    path: str = "/"
    connections: int = 32
    headers: tuple[str, ...] = ()
    body_bytes: int = 0
    varied: bool = False

    def arguments(self) -> list[str]:
        """The options of wrk."""
        flags = [part for header in self.headers for part in ("-H", header)]
        return ["-t1", f"-c{self.connections}", "--timeout", "5s", *flags, "-s", self.script()]

    def script(self) -> str:
        """The Lua script that makes the requests."""
        return str(VARIED if self.varied else SCRIPT)

    def method(self) -> list[str]:
        """The arguments of `load.lua`."""
        return ["POST", str(self.body_bytes)] if self.body_bytes else ["GET", "0"]


@dataclass(frozen=True, slots=True)
class Rate:
    """What wrk found, in requests per second and milliseconds."""

    requests: int
    rate: float
    p50: float
    p99: float


def find_wrk() -> str:
    """Where wrk is, or what to install."""
    found = shutil.which("wrk")
    if found is None:
        raise BenchError("the load generator `wrk` is not on the path; next: apt-get install wrk")
    return found


@contextmanager
def pinned_child(
    command: Sequence[str], core: int | None, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A child on `core` with pipes both ways; killed if the block ends before it does."""
    with machine.pinned(core):
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
    with child:
        try:
            yield child
        finally:
            child.kill()


def wrk(url: str, requests: Requests, seconds: int) -> list[str]:
    """The command line of one wrk run."""
    tool = [find_wrk(), *requests.arguments(), f"-d{seconds}s", url, "--"]
    return [*tool, *requests.method()]


def warm_up(url: str, requests: Requests, seconds: float, core: int | None) -> None:
    """The same load for a while, thrown away: imports, caches, thread pools and sockets settle."""
    with pinned_child(wrk(url, requests, 10), core) as child, suppress(subprocess.TimeoutExpired):
        child.communicate(timeout=seconds)
    # Leaving the block has ended wrk, however far it had come.


def measure(url: str, requests: Requests, seconds: int, core: int | None) -> Rate:
    """Run wrk to its end and read the line of JSON that `load.lua` writes."""
    with pinned_child(wrk(url, requests, seconds), core) as child:
        try:
            output, problem = child.communicate(timeout=seconds + SPARE_SECONDS)
        except subprocess.TimeoutExpired:
            raise MeasureError(f"wrk did not end {SPARE_SECONDS:.0f} s after its time") from None
    lines = [line for line in output.splitlines() if line.startswith(MARK)]
    if not lines:
        raise MeasureError(f"wrk gave no result: {(problem or output).strip()[-160:]}")
    return judge(json.loads(lines[-1].removeprefix(MARK)))


def judge(found: dict[str, float]) -> Rate:
    """Turn wrk's counts into a rate, and refuse a rate made of errors."""
    requests = int(found["requests"])
    kinds = ("refused", "broken", "status", "timeout")
    errors = {kind: int(found[kind]) for kind in kinds if found[kind]}
    if requests == 0 or sum(errors.values()) > TOLERATED_ERRORS * requests:
        raise MeasureError(f"{requests} answers and these errors: {errors or 'none'}")
    seconds = found["microseconds"] / 1e6
    return Rate(requests, requests / seconds, found["p50"] / 1e3, found["p99"] / 1e3)


@dataclass(frozen=True, slots=True)
class Client:
    """The measuring client: one line of JSON whenever it has something to say."""

    child: subprocess.Popen[str]
    answers: IO[str]
    orders: IO[str]
    complaints: IO[str]

    def result(self, seconds: float) -> dict[str, Any]:
        """The next line, or the reason why none came; never waits longer than `seconds`."""
        ready, _, _ = select.select([self.answers], [], [], seconds)
        if not ready:
            raise MeasureError(f"not done within {seconds:.0f} s")
        line = self.answers.readline()
        if not line:
            said = self.complaints.read().strip().splitlines()
            raise MeasureError(said[-1] if said else "the measuring client ended without a word")
        found: dict[str, Any] = json.loads(line)
        return found

    def go_on(self) -> None:
        """Tell a client that holds its connections to look at them once more, or to do it again."""
        self.orders.write("\n")
        self.orders.flush()


@contextmanager
def conversation(
    command: Sequence[str], core: int | None, environment: Mapping[str, str] | None = None
) -> Iterator[Client]:
    """Start a program that answers in lines of JSON as a child of its own."""
    with pinned_child(command, core, environment) as child:
        if not (child.stdout and child.stdin and child.stderr):
            raise BenchError("the measuring client has no pipes; next: report this as a bug")
        yield Client(child, child.stdout, child.stdin, child.stderr)


@contextmanager
def client(core: int | None, *arguments: object) -> Iterator[Client]:
    """Start `client.py` with these arguments as a child of its own, on the load core."""
    with conversation([sys.executable, str(CLIENT), *map(str, arguments)], core) as started:
        yield started
