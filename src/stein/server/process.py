"""One worker process, as its parent sees it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from stein.clock import monotonic
from stein.server.lifeline import Lifeline

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["BOOTING", "ENDED", "READY", "RETIRING", "WorkerProcess", "interpreter", "spawn"]

#: What a worker is doing: it imports the application; serves; finishes what it has; is gone.
State: TypeAlias = Literal["booting", "ready", "retiring", "ended"]
BOOTING: Final = "booting"
READY: Final = "ready"
RETIRING: Final = "retiring"
ENDED: Final = "ended"

NEVER: Final = float("inf")
#: seconds beyond its grace that a worker has to end by itself
PATIENCE: Final = 2.0
#: seconds that a worker which does not answer has to write where it stands
LAST_WORDS: Final = 1.0


class WorkerProcess:
    """A worker.  The supervisor's one thread.

    :param place: its number on the board.
    :param generation: which version of the program it runs.
    :param pid: the process; 0 while it is not known yet.
    :param line: the way to it.
    :param popen: what it was started with, if it is a child by that.
    """

    def __init__(
        self,
        place: int,
        generation: int,
        pid: int,
        line: Lifeline,
        popen: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.place = place
        self.generation = generation
        self.pid = pid
        self.line = line
        self.state: State = BOOTING
        self.born = monotonic()
        self.ready_since: float | None = None
        self.heard = self.born  #: when it last said anything
        self.replace: str | None = None  #: why another is to take its place, with figures
        self.accepts = False  #: whether it may still accept connections
        self.failure: dict[str, Any] | None = None  #: what it said when it could not start
        self.killed: str | None = None  #: why we have killed it
        self.deadline = NEVER  #: when :meth:`escalate` is due
        self._plan: list[int] = []
        #: who gets its signals while it does not exist yet: the process that will fork it
        self.stand_in: WorkerProcess | None = None
        self._popen = popen

    def __repr__(self) -> str:
        return f"<worker {self.place} pid={self.pid} {self.state}>"

    def fileno(self) -> int:
        """Return the lifeline's descriptor, for a poller."""
        return self.line.fileno()

    @property
    def is_alive(self) -> bool:
        """Whether it serves, or will."""
        return self.state in {BOOTING, READY}

    def retire(self, now: float, graceful: float, idle: float = 0.0) -> None:
        """Let it finish what it has begun, and end.

        :param now: the moment.
        :param graceful: seconds that running requests may take.
        :param idle: seconds for which idle connections may bring one more request.
        """
        if self.state == BOOTING:  # it serves nobody yet
            self.signal(signal.SIGKILL)
        self.state = RETIRING
        self.line.send("retire", graceful=graceful, idle=idle)
        self._schedule(now + graceful + PATIENCE, [signal.SIGKILL])

    def kill(self, now: float, why: str) -> None:
        """End it by force: it does not answer.

        The signal is one at which Python writes where each thread stands, even if none can run.

        :param now: the moment.
        :param why: for the log.
        """
        self.killed = why
        self.state = RETIRING
        self.signal(signal.SIGABRT)
        self._schedule(now + LAST_WORDS, [signal.SIGKILL])

    def _schedule(self, moment: float, plan: list[int]) -> None:
        self.deadline = min(self.deadline, moment)
        self._plan = plan

    def escalate(self, now: float) -> bool:
        """Send the signal that is due; true if one was."""
        if now < self.deadline or not self._plan:
            return False
        self.signal(self._plan.pop(0))
        self.deadline = NEVER
        return True

    def signal(self, number: int) -> None:
        """Send a signal, if there is anybody to get it."""
        target = self if self.pid or self.stand_in is None else self.stand_in
        if target.pid and target.state != ENDED:
            with contextlib.suppress(OSError):
                os.kill(target.pid, number)

    def end(self, code: int) -> None:
        """It has ended; its descriptors are given back."""
        self.state = ENDED
        if self._popen is not None:
            self._popen.returncode = code  # we have waited for it ourselves
        self.line.close()


def interpreter() -> list[str]:
    """Return the command of this Python, with the options it was started with.

    The folder of a script is not put on the import path: nothing of the user's may come between
    a worker and stein.
    """
    import subprocess  # noqa: PLC0415 - workers import this module, and need no such thing

    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001 - no public name, and multiprocessing needs it, too
    return [sys.executable, *flags, *([] if "-P" in flags else ["-P"])]


def spawn(
    script: Path, place: int, generation: int, handover: dict[str, Any], descriptors: Sequence[int]
) -> WorkerProcess:
    """Start a process that imports the application by itself.

    :param script: what it executes, with the number of its lifeline's descriptor, and what its
        threads are: that has to be known before anything is imported.
    :param place: its number on the board.
    :param generation: which version of the program it will run.
    :param handover: the first message to it; by its ``variables`` the environment differs.
    :param descriptors: what it inherits, under the same numbers.
    """
    import subprocess  # noqa: PLC0415 - see interpreter()

    kind: str = handover["settings"]["worker_kind"]
    ours, theirs = socket.socketpair()
    environ: dict[str, str | None] = {**os.environ, **handover.get("variables", {})}
    try:
        popen = subprocess.Popen(  # noqa: S603 - the program that we are
            [*interpreter(), str(script), str(theirs.fileno()), kind],
            env={name: value for name, value in environ.items() if value is not None},
            pass_fds=[*descriptors, theirs.fileno()],
            # Ctrl-C in a terminal goes to the parent alone, which tells its workers what it means.
            process_group=0,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    line = Lifeline(ours)
    line.send("handover", **handover)
    ours.setblocking(False)  # a worker that does not read must not stop its parent
    return WorkerProcess(place, generation, popen.pid, line, popen)
