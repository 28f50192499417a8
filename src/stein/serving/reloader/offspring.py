"""One process of the program, as its parent sees it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Final

from stein.messages import encode, read_messages
from stein.serving.reloader.link import BEQUEST, LISTENERS, VARIABLE
from stein.web.environment import variables_of_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stein.messages import Message
    from stein.serving.reloader.failure import Failure

__all__ = ["Offspring"]

NEVER: Final = float("inf")
#: seconds between asking a process to end and making it
TO_TERMINATE: Final = 0.5
TO_KILL: Final = 0.5
#: seconds for the last messages of a process that has ended
LAST_WORDS: Final = 0.3


def inherited_variables() -> dict[str, str]:
    """Return this process's variables, but for those that the new one reads from files itself."""
    return {
        name: value for name, value in os.environ.items() if variables_of_files.get(name) != value
    }


class Offspring:
    """A process that runs the program.

    The main thread's, except for what the two threads do that wait for its messages and its end.

    :param command: what to execute.
    :param listeners: sockets that it inherits.
    :param bequest: secrets for it; see :mod:`stein.bequest`.
    :param on_message: called with every message, in a thread of its own.
    :param on_end: called with the exit code, in another.
    """

    def __init__(
        self,
        command: Sequence[str],
        listeners: Sequence[socket.socket],
        bequest: Mapping[str, str],
        on_message: Callable[[Offspring, Message], object],
        on_end: Callable[[Offspring, int], object],
    ) -> None:
        self.born = time_ns()  # as file systems count
        self.ready_since: float | None = None
        self.failure: Failure | None = None
        self.printed = False  # the failure is in the terminal already
        self.draining = False
        self._plan: list[tuple[float, int]] = []  # signals to send, and when
        ours, theirs = socket.socketpair()
        self._sock = ours
        numbers = [sock.fileno() for sock in listeners]
        variables = {
            **inherited_variables(),
            "WERKZEUG_RUN_MAIN": "true",
            VARIABLE: f"{theirs.fileno()}:{os.getpid()}",
            LISTENERS: ",".join(map(str, numbers)),
        }
        if numbers:
            variables["WERKZEUG_SERVER_FD"] = str(numbers[0])
        # Before it is started, as it looks for it once.
        self.order(BEQUEST, given=dict(bequest))
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the program that we are
                list(command), env=variables, pass_fds=[*numbers, theirs.fileno()]
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.pid = self._process.pid
        self._reader = threading.Thread(
            target=self._read, args=(on_message,), name="stein-child-talks", daemon=True
        )
        self._waiter = threading.Thread(
            target=self._wait, args=(on_end,), name="stein-child-ends", daemon=True
        )
        self._reader.start()
        self._waiter.start()

    def _read(self, on_message: Callable[[Offspring, Message], object]) -> None:
        for message in read_messages(self._sock):
            on_message(self, message)

    def _wait(self, on_end: Callable[[Offspring, int], object]) -> None:
        code = self._process.wait()
        # What it has told comes first.  A process that it has forked may keep the other end open.
        self._reader.join(LAST_WORDS)
        on_end(self, code)

    @property
    def is_running(self) -> bool:
        """Whether it has not been seen to end."""
        return self._process.returncode is None

    def order(self, kind: str, **fields: Any) -> None:
        """Tell it something."""
        with contextlib.suppress(OSError):  # it is ending; that will be noticed
            self._sock.sendall(encode(kind, **fields))

    def drain(self) -> None:
        """Let it take no more connections, and finish what it has begun."""
        self.draining = True
        self.order("drain")

    def retire(self, grace: float, *, last: bool = False) -> None:
        """Let it end: by itself within the grace, and soon after that in any case.

        :param last: no other will take its place.
        """
        self.draining = True
        self.order("retire", grace=grace, last=last)
        begin = monotonic() + grace + TO_TERMINATE
        self._schedule([(begin, signal.SIGTERM), (begin + TO_KILL, signal.SIGKILL)])

    def discard(self) -> None:
        """End it: it has not served anybody yet."""
        self.drain()  # it may be about to
        self._send(signal.SIGTERM)
        self._schedule([(monotonic() + TO_KILL, signal.SIGKILL)])

    def kill(self) -> None:
        """End it at once."""
        self.draining = True
        self._plan = []
        self._send(signal.SIGKILL)

    def _schedule(self, plan: list[tuple[float, int]]) -> None:
        """Send signals later; of two plans the one that ends earlier holds."""
        if not self._plan or plan[-1][0] < self._plan[-1][0]:
            self._plan = plan

    @property
    def next_step(self) -> float:
        """When :meth:`escalate` is to be called."""
        return self._plan[0][0] if self._plan and self.is_running else NEVER

    def escalate(self, now: float) -> None:
        """Send the signals that are due."""
        while self._plan and self._plan[0][0] <= now:
            self._send(self._plan.pop(0)[1])

    def _send(self, number: int) -> None:
        with contextlib.suppress(OSError):
            self._process.send_signal(number)

    def close(self) -> None:
        """Give back what it held, once it has ended."""
        self._waiter.join()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes the reader
        self._reader.join()
        self._sock.close()
