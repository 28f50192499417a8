"""Workers that share the memory of an application imported once (``preload``).

Facts.
    A fork shares what its parent has in memory, as long as neither writes to it.  It copies one
    thread only; locks that others hold stay locked, and an open connection is then used by several
    processes at once.  A process that has imported an application can never import another version
    of it.
Decision.
    The application is imported in a process of its own, the *nursery*, which does nothing else and
    has no thread of ours.  It forks the workers, twice, so that they become the supervisor's
    children (which is a subreaper, prctl(2)): the supervisor sees how they end, and they end with
    it, as all others do.  A reload makes another nursery, so it works as without preload.
Price.
    Linux only; the memory of one process more.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

from stein.errors import ConfigurationError
from stein.parentage import adopt_orphans
from stein.server.lifeline import Lifeline
from stein.server.process import WorkerProcess, spawn

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from pathlib import Path

__all__ = ["Nurseries", "Nursery", "require_forks"]


def require_forks() -> None:
    """Prepare this process for being the parent of workers that others have forked.

    :raises ConfigurationError: this system cannot do that.
    """
    if not sys.platform.startswith("linux") or not adopt_orphans():
        message = (
            "preload: this system cannot give forked workers to their supervisor (Linux can). "
            "Leave --preload out: each worker then imports the application by itself."
        )
        raise ConfigurationError(message)


class Nursery:
    """The process that forks workers, as the supervisor sees it.

    :param script: what it executes.
    :param generation: which version of the program it imports.
    :param handover: what all its workers are to know.
    :param descriptors: what they inherit.
    """

    def __init__(
        self, script: Path, generation: int, handover: dict[str, Any], descriptors: Sequence[int]
    ) -> None:
        self.generation = generation
        self.process = spawn(
            script,
            -1,
            generation,
            {**handover, "role": "nursery", "supervisor": os.getpid()},
            descriptors,
        )
        self.is_ready = False
        #: workers that wait to be forked, with the end of the lifeline that is theirs
        self._waiting: list[tuple[WorkerProcess, socket.socket]] = []
        self._born: dict[int, WorkerProcess] = {}  # place -> asked for, process id not known yet

    def fileno(self) -> int:
        """Return the lifeline's descriptor, for a poller."""
        return self.process.fileno()

    def fork(self, place: int) -> WorkerProcess:
        """Have a worker forked, now or when the application is imported."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        worker = WorkerProcess(place, self.generation, 0, Lifeline(ours))
        worker.stand_in = self.process
        self._waiting.append((worker, theirs))
        if self.is_ready:
            self._ask()
        return worker

    def _ask(self) -> None:
        for worker, theirs in self._waiting:
            self._born[worker.place] = worker
            self.process.line.send("fork", descriptors=[theirs.fileno()], place=worker.place)
            theirs.close()
        self._waiting = []

    def on_ready(self) -> None:
        """The application is imported."""
        self.is_ready = True
        self._ask()

    def on_forked(self, place: int, pid: int) -> WorkerProcess | None:
        """A worker exists."""
        worker = self._born.pop(place, None)
        if worker is not None:
            worker.pid = pid
        return worker

    def take_orphans(self) -> list[WorkerProcess]:
        """Return the workers that will never exist: the nursery has ended."""
        orphans = [worker for worker, _ in self._waiting]
        for _, theirs in self._waiting:
            theirs.close()
        orphans += self._born.values()
        self._waiting, self._born = [], {}
        return orphans


class Nurseries:
    """One for each generation that is in use.  The supervisor's one thread."""

    def __init__(self) -> None:
        self._by_generation: dict[int, Nursery] = {}
        #: process id -> exit code, of children that nobody has announced yet
        self._unclaimed: dict[int, int] = {}

    def __iter__(self) -> Iterator[Nursery]:
        return iter(list(self._by_generation.values()))

    def __bool__(self) -> bool:
        return bool(self._by_generation)

    def get(self, generation: int) -> Nursery | None:
        """Return the one of a generation."""
        return self._by_generation.get(generation)

    def add(self, nursery: Nursery) -> None:
        """Have another."""
        self._by_generation[nursery.generation] = nursery

    def remove(self, nursery: Nursery) -> None:
        """Forget one that has ended."""
        del self._by_generation[nursery.generation]

    def of_process(self, pid: int) -> Nursery | None:
        """Return the one that is this process."""
        return next((each for each in self if each.process.pid == pid), None)

    def end(self, *, keep: Container[int] = ()) -> None:
        """End those that will fork no more workers.

        :param keep: generations that still may.
        """
        for nursery in self:
            if nursery.generation not in keep:
                nursery.process.signal(signal.SIGKILL)

    def note_end(self, pid: int, code: int) -> None:
        """A process has ended that may be a worker not announced yet."""
        if self:
            self._unclaimed[pid] = code

    def code_of(self, worker: WorkerProcess) -> int | None:
        """Return with which code a worker has ended before it was announced, if it has."""
        return self._unclaimed.pop(worker.pid, None)
