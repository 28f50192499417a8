"""The machine: which cores, pinned how, described in one line."""

from __future__ import annotations

import os
import platform
import resource
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CPU = Path("/sys/devices/system/cpu")
BUSY = 0.5


@dataclass(frozen=True, slots=True)
class Cores:
    """The core the server runs on and the core the load comes from."""

    server: int
    load: int

    @property
    def shared(self) -> bool:
        """Whether there is one core only, which the report must say."""
        return self.server == self.load


def siblings(core: int) -> set[int]:
    """The hardware threads that share one physical core with `core`, itself included."""
    try:
        text = (CPU / f"cpu{core}/topology/thread_siblings_list").read_text(encoding="ascii")
    except OSError:
        return {core}
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def choose_cores() -> Cores:
    """The last allowed core for the server; for the load one that is no hardware twin of it."""
    allowed = sorted(os.sched_getaffinity(0))
    server = allowed[-1]
    others = allowed[:-1]
    apart = [core for core in others if core not in siblings(server)]
    return Cores(server, (apart or others or [server])[0])


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Pin this thread while a child is started: the child inherits it before its first instruction.

    None: it may run on all of them.

    Pinning the child afterwards would miss the threads it has already made.
    """
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_open_files(wanted: int) -> int:
    """Raise the soft limit of open files, which children inherit, and return what we got."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if limit > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return max(limit, soft)


def available_memory() -> int:
    """Bytes the kernel would give to a new program without swapping."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def processor() -> str:
    """The processor's name as the kernel gives it."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.machine()


def describe(cores: Cores) -> str:
    """One line for the report and the picture: without it no figure means anything."""
    where = (
        f"server and load share core {cores.server}: no figure here is to be trusted"
        if cores.shared
        else f"server on core {cores.server}, load on core {cores.load}"
    )
    load = os.getloadavg()[0]
    busy = " (busy: repeat on a quiet machine)" if load > BUSY else ""
    return (
        f"{processor()}, {os.cpu_count()} cores, Linux {platform.release()}; {where};"
        f" other load at the start {load:.2f}{busy}"
    )
