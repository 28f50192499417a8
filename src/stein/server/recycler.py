"""Which workers have become too old or too large, and are to be replaced.

One at a time, and new before old: that is the fleet's doing.  ``max_requests`` is counted by the
worker itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stein.server.process import READY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stein.server.process import WorkerProcess
    from stein.server.settings import Settings

__all__ = ["Recycler", "resident_memory", "written_memory"]

#: seconds between two looks
INTERVAL: Final = 1.0
MIB: Final = 1 << 20


def resident_memory(pid: int) -> int:
    """Return the bytes of memory that a process has in use; 0 where the system does not tell."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def written_memory(count: int) -> str:
    """Return a number of bytes for a log line."""
    return f"{count / MIB:.0f} MiB"


class Recycler:
    """Looks at the workers once in a while.

    :param settings: ``max_rss`` and ``max_lifetime`` are its rules.
    :param memory: tells the resident memory of a process.
    """

    def __init__(self, settings: Settings, memory: Callable[[int], int] = resident_memory) -> None:
        self._settings = settings
        self._memory = memory
        self._next = 0.0

    @property
    def next_look(self) -> float:
        """When :meth:`look` is due."""
        settings = self._settings
        return self._next if settings.max_rss or settings.max_lifetime else float("inf")

    def look(self, workers: Iterable[WorkerProcess], now: float) -> list[WorkerProcess]:
        """Return the workers that are to be replaced from now on; each once.

        :param workers: of them only those count that serve.
        :param now: the moment.
        """
        if now < self.next_look:
            return []
        self._next = now + INTERVAL
        due = []
        for worker in workers:
            if worker.state == READY and worker.replace is None:
                worker.replace = self._reason(worker, now)
                if worker.replace is not None:
                    due.append(worker)
        return due

    def _reason(self, worker: WorkerProcess, now: float) -> str | None:
        settings = self._settings
        if settings.max_lifetime and worker.ready_since is not None:
            age = now - worker.ready_since
            if age >= settings.max_lifetime:
                return f"max_lifetime: it has served for {age:.0f} s of {settings.max_lifetime:g}"
        if settings.max_rss:
            size = self._memory(worker.pid)
            if size > settings.max_rss:
                most = written_memory(settings.max_rss)
                return f"max_rss: it has {written_memory(size)} of memory, more than {most}"
        return None
