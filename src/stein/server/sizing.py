"""How many workers this machine, or the part of it that a container may use, has room for."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Room", "Sizing", "measure_room", "size_for"]

MIB: Final = 1 << 20
#: What a worker is reckoned with: an interpreter, a framework, and an application of middle size.
WORKER_MEMORY: Final = 128 * MIB
CGROUPS: Final = Path("/sys/fs/cgroup")
PROC: Final = Path("/proc")
#: Where version 1 says that there is no limit: any number as large as this.
_UNLIMITED: Final = 1 << 60


@dataclass(frozen=True, slots=True)
class Room:
    """What there is; ``None`` for what is not limited, or not known.

    :param processors: that this process may run on.
    :param quota: processors' worth of time that its control group may use.
    :param memory: bytes that its control group may have.
    """

    processors: int
    quota: float | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Sizing:
    """A number of workers, and the sum that led to it."""

    workers: int
    text: str


def size_for(room: Room) -> Sizing:
    """Return how many workers to have: one for each processor, as far as there is memory."""
    share = min(room.processors, room.quota) if room.quota is not None else room.processors
    by_time = max(1, math.floor(share + 0.5))
    text = f"{room.processors} processor{'s' * (room.processors != 1)}"
    if room.quota is not None:
        text += f", of which the control group may use {room.quota:g}"
    if room.memory is None:
        return Sizing(by_time, f"{text}: {by_time}")
    by_memory = max(1, room.memory // WORKER_MEMORY)
    count = min(by_time, by_memory)
    text += (
        f"; {room.memory // MIB} MiB of memory for workers of {WORKER_MEMORY // MIB} MiB: "
        f"{by_memory}; the smaller of {by_time} and {by_memory}: {count}"
    )
    return Sizing(count, text)


def measure_room(cgroups: Path = CGROUPS, proc: Path = PROC) -> Room:
    """Look at the machine and at the control group, version 2 or 1."""
    folders = own_folders(cgroups, proc)
    quotas = [found for each in folders if (found := quota_of(each)) is not None]
    limits = [found for each in folders if (found := memory_of(each)) is not None]
    return Room(processors(), min(quotas, default=None), min(limits, default=None))


def processors() -> int:
    """Return how many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def own_folders(cgroups: Path, proc: Path) -> list[Path]:
    """Return the folders of this process's control groups and of those that they are in.

    A limit of any of them binds.  In a container the path is often one of the machine's, while the
    mount is the group itself; so the mount counts in any case.
    """
    try:
        rows = (proc / "self" / "cgroup").read_text("utf-8").splitlines()
    except OSError:
        return []
    folders: list[Path] = []
    for row in rows:
        _, controllers, path = row.split(":", 2)
        names = (controllers, *controllers.split(",")) if controllers else ("",)
        for root in (cgroups / name for name in names):
            folder = root / path.lstrip("/")
            folders += [root, folder, *(each for each in folder.parents if root in each.parents)]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def quota_of(folder: Path) -> float | None:
    """Return how many processors' worth of time a group may use."""
    words = words_of(folder / "cpu.max")  # version 2: "200000 100000", or "max 100000"
    if len(words) == 2 and words[0].isdigit() and int(words[1]):
        return int(words[0]) / int(words[1])
    quota, period = words_of(folder / "cpu.cfs_quota_us"), words_of(folder / "cpu.cfs_period_us")
    if quota and period and quota[0].isdigit() and int(period[0]):  # -1: none
        return int(quota[0]) / int(period[0])
    return None


def memory_of(folder: Path) -> int | None:
    """Return how many bytes a group may have."""
    for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
        words = words_of(folder / name)
        if words and words[0].isdigit() and int(words[0]) < _UNLIMITED:
            return int(words[0])
    return None


def words_of(file: Path) -> list[str]:
    """Return the words in a file; none if there is no such file."""
    try:
        return file.read_text("ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
