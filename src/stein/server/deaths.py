"""How a process ended, in words, and whether the kernel took it for want of memory."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Final

__all__ = ["OutOfMemory", "cause_of", "reason_of"]

CGROUPS: Final = Path("/sys/fs/cgroup")
OWN_CGROUP: Final = Path("/proc/self/cgroup")
#: Signals that somebody has sent; the others are a process's own doing.
KILLS: Final = frozenset(
    getattr(signal, name)
    for name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)


def cause_of(code: int, *, memory: bool = False) -> str:
    """Return how a process ended.

    :param code: its exit code; negative for a signal, as :mod:`subprocess` has it.
    :param memory: whether the kernel has ended a process of this group for want of memory.
    """
    if code >= 0:
        return f"it ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if memory and -code == signal.SIGKILL:
        return (
            f"the kernel killed it ({name}), as the memory limit of the control group was reached"
        )
    return f"it was killed by {name}"


def reason_of(code: int, *, memory: bool = False) -> str:
    """Return the same as one of :data:`stein.snapshot.RESTART_REASONS`, to count by."""
    if code < 0 and -code == signal.SIGKILL and memory:
        return "oom"
    return "killed" if -code in KILLS else "crashed"


class OutOfMemory:
    """The kernel's count of processes that it killed in this control group (Linux).

    :param root: where control groups are mounted.
    :param own: the file that says which one this process is in.
    """

    def __init__(self, root: Path = CGROUPS, own: Path = OWN_CGROUP) -> None:
        self._file = counter_file(root, own)
        self._known = self._read()

    def has_risen(self) -> bool:
        """Whether the kernel has killed since this was asked last."""
        known, self._known = self._known, self._read()
        return self._known > known

    def _read(self) -> int:
        if self._file is None:
            return 0
        try:
            rows = self._file.read_text("ascii").split("\n")
        except OSError:
            return 0
        return sum(
            int(count) for word, _, count in (row.partition(" ") for row in rows)
            if word == "oom_kill" and count.isdigit()
        )  # fmt: skip


def counter_file(root: Path, own: Path) -> Path | None:
    """Return the file with the count, of control groups version 2 or 1."""
    try:
        rows = own.read_text("utf-8").splitlines()
    except OSError:
        return None
    for row in rows:
        _, controllers, path = row.split(":", 2)
        if controllers == "":
            folder, name = root, "memory.events"
        elif "memory" in controllers.split(","):
            folder, name = root / "memory", "memory.oom_control"
        else:
            continue
        # In a container the path is often one of the machine's, and the mount is the group itself.
        for place in (folder / path.lstrip("/") / name, folder / name):
            if place.is_file():
                return place
    return None
