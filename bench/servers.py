"""Start a server, wait until it answers, look at it from outside, end it for certain."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import machine
import process
from errors import MeasureError, StartError
from peers import APPS, HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from peers import Launch, Peer

START_SECONDS = 15.0
STOP_SECONDS = 5.0
ASK_SECONDS = 2.0
PACE = 0.02
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
OK = 200


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and what can be asked about it without disturbing it."""

    pid: int
    port: int
    output: Path

    def url(self, path: str) -> str:
        """The address of `path` on this server."""
        return f"http://{HOST}:{self.port}{path}"

    def processes(self) -> list[int]:
        """The server and all its children."""
        return process.members(self.pid)

    def children(self) -> list[int]:
        """Those of them that it has started."""
        return [pid for pid in self.processes() if pid != self.pid]

    def resident(self) -> int:
        """Resident memory of all of them now, in bytes."""
        return process.memory(self.processes(), "VmRSS")

    def cpu_seconds(self) -> float:
        """Processor time of all of them so far."""
        return process.cpu_seconds(self.processes())


def free_port() -> int:
    """A port nobody listens on now; the kernel does not hand it out again at once."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def ask(port: int, path: str) -> int:
    """One complete request; the status of the answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def last_line(output: Path) -> str:
    """What the server said last, for the reason in the table."""
    lines = output.read_text(encoding="utf-8", errors="replace").split("\n")
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:160] if said else "(it wrote nothing)"


def wait_until_ready(child: subprocess.Popen[bytes], server: Server, path: str) -> None:
    """Ask until the answer is 200. Waiting for the child's end is what paces the questions."""
    deadline = monotonic() + START_SECONDS
    problem: object = "no connection"
    while monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            status = child.wait(timeout=PACE)
            raise StartError(f"ended with status {status}: {last_line(server.output)}")
        try:
            status = ask(server.port, path)
        except (OSError, http.client.HTTPException) as error:
            problem = error
            continue
        if status != OK:
            raise StartError(f"answered {path} with status {status}: {last_line(server.output)}")
        return
    raise StartError(f"no answer within {START_SECONDS:.0f} s ({problem})")


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and its kin back: a second one must not leave a server behind."""
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stop(child: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the server by its own id, a bounded wait, then SIGKILL to all that is left."""
    with uninterrupted():
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=STOP_SECONDS)
        for pid in process.members(child.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        child.wait()


def environment() -> dict[str, str]:
    """Few variables of ours, the same for all: most servers read options from the environment."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {**kept, "PYTHONPATH": str(APPS), "PYTHONDONTWRITEBYTECODE": "1"}


@contextmanager
def serving(peer: Peer, launch: Launch, core: int | None, path: str) -> Iterator[Server]:
    """Run `peer` on `core` for the length of the block; it has answered `path` with 200 before."""
    with tempfile.NamedTemporaryFile(prefix=f"bench-{peer.name}-", suffix=".log") as output:
        try:
            with machine.pinned(core):
                child = subprocess.Popen(
                    peer.command(launch),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=APPS,
                    env=environment(),
                    start_new_session=True,
                )
        except OSError as error:
            raise StartError(f"could not be started: {error}") from None
        server = Server(child.pid, launch.port, Path(output.name))
        try:
            wait_until_ready(child, server, path)
            yield server
        finally:
            stop(child)


def growth(server: Server, work: Callable[[], None]) -> int:
    """How far the server's resident memory rose at its highest during `work`, in bytes."""
    before = server.resident()
    process.forget_peak(server.processes())
    work()
    pids = server.processes()
    if not pids:
        raise MeasureError(f"the server died during the transfer: {last_line(server.output)}")
    return max(0, process.memory(pids, "VmHWM") - before)
