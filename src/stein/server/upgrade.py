"""Another parent that takes over: the upgrade of a running server, Python and stein included.

The old parent starts the same command line again, with its listening sockets and a lifeline; the
new one starts its workers, says that it is ready, and the old one finishes what it has begun and
ends.  If the new one fails, the old one goes on.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from stein.server.fleet import Outcome
from stein.server.lifeline import Lifeline
from stein.server.listeners import take_over

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["VARIABLE", "Inheritance", "Successor", "Upgrade", "start_successor"]

logger: Final = logging.getLogger("stein.error")

#: Holds, for a successor, what it inherits, as JSON.
VARIABLE: Final = "STEIN_UPGRADE"


class Successor:
    """A new parent, as the old one sees it."""

    def __init__(self, popen: subprocess.Popen[bytes], line: Lifeline) -> None:
        self._popen = popen
        self.pid = popen.pid
        self.line = line
        self.failure: dict[str, Any] | None = None

    def fileno(self) -> int:
        """Return the lifeline's descriptor, for a poller."""
        return self.line.fileno()

    def kill(self) -> None:
        """End it."""
        self._popen.send_signal(signal.SIGTERM)

    def close(self, code: int) -> None:
        """It has ended."""
        self._popen.returncode = code
        self.line.close()


class Upgrade:
    """The old parent's part.  The supervisor's one thread.

    :param start: starts a successor with so many workers; ``None``: there is no way.
    """

    def __init__(self, start: Callable[[int], Successor] | None) -> None:
        self._start = start
        self.successor: Successor | None = None
        self.is_done = False  #: the successor has taken over
        self._answers: list[Callable[[Outcome], object]] = []

    def refusal(self) -> str:
        """Return why there can be none now; empty if it can be."""
        if self.successor is not None:
            return f"one is under way, process {self.successor.pid}"
        if os.getpid() == 1:
            return "this is the first process of a container, which ends with it; use reload"
        if self._start is None:
            return "this server was not started by a command that could be run again"
        return ""

    def begin(self, workers: int, answer: Callable[[Outcome], object]) -> Successor | None:
        """Start the successor.

        :param workers: how many it is to have.
        :param answer: called when it has taken over, or could not.
        """
        refusal = self.refusal()
        if not refusal and self._start is not None:
            try:
                self.successor = self._start(workers)
            except OSError as error:
                refusal = f"no process can be started: {error}"
        if self.successor is None or refusal:
            logger.error("no upgrade: %s", refusal)
            answer(Outcome(ok=False, text=refusal, code=1))
            return None
        self._answers = [answer]
        return self.successor

    def hear(self, successor: Successor) -> bool:
        """Read what the successor says; true when it serves."""
        is_ready = False
        for message in successor.line.receive():
            if message["kind"] == "ready":
                is_ready = True
            elif message["kind"] == "failed":
                successor.failure = message
        return is_ready

    def finish(self, successor: Successor) -> None:
        """The successor has taken over."""
        self.is_done = True
        text = f"process {successor.pid} has taken over"
        logger.info("%s; finishing what was begun", text)
        self._answer(Outcome(ok=True, text=text))

    def on_end(self, code: int) -> None:
        """The successor's process has ended."""
        successor, self.successor = self.successor, None
        if successor is None:
            return
        while successor.line.has_news():
            self.hear(successor)
        successor.close(code)
        if self.is_done:  # it was the server, and this one has outlived it
            return
        said = successor.failure or {}
        text = said.get("headline") or f"the new parent ended with exit code {code}"
        logger.error("the upgrade failed, this server goes on: %s", text)
        self._answer(Outcome(ok=False, text=text, traceback=said.get("traceback", ""), code=1))

    def _answer(self, outcome: Outcome) -> None:
        answers, self._answers = self._answers, []
        for answer in answers:
            answer(outcome)

    def cancel(self) -> None:
        """The old parent ends: so does a successor that has not taken over."""
        if self.successor is not None and not self.is_done:
            self.successor.kill()


def start_successor(
    listeners: Mapping[str, Sequence[socket.socket]],
    folder: str,
    environ: Mapping[str, str],
    workers: tuple[int, int],
) -> Successor:
    """Run this program's command line again, and let it inherit.

    :param listeners: the listening sockets, by the text they were bound by.
    :param folder: where the program was started.
    :param environ: the variables it was started with.
    :param workers: how many it was told to have at the start, and how many it was told since.
    """
    ours, theirs = socket.socketpair()
    numbers = {text: [each.fileno() for each in socks] for text, socks in listeners.items()}
    inheritance = {
        "pid": os.getpid(),
        "line": theirs.fileno(),
        "listeners": numbers,
        "workers": workers,
    }
    try:
        popen = subprocess.Popen(  # noqa: S603 - the program that we are
            [sys.executable, *sys.orig_argv[1:]],
            cwd=folder,
            env={**environ, VARIABLE: json.dumps(inheritance)},
            pass_fds=[theirs.fileno(), *(each for some in numbers.values() for each in some)],
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return Successor(popen, Lifeline(ours))


class Inheritance:
    """What a successor has got from the old parent.

    :param text: the value of the variable.
    """

    def __init__(self, text: str) -> None:
        given = json.loads(text)
        self.pid: int = given["pid"]  #: the old parent
        self._numbers: dict[str, list[int]] = given["listeners"]
        self._workers: tuple[int, int] = tuple(given["workers"])
        sock = socket.socket(fileno=given["line"])
        sock.set_inheritable(False)
        self.line = Lifeline(sock)

    @classmethod
    def take(cls, environ: dict[str, str] | os._Environ[str]) -> Inheritance | None:
        """Return what there is, once; programs that this one starts do not inherit it again."""
        text = environ.pop(VARIABLE, "")
        if not text:
            return None
        found = cls(text)
        if found.pid != os.getppid():  # a variable that somebody has kept
            found.line.close()
            return None
        return found

    def workers(self, configured: int) -> int:
        """Return how many workers to have: as many as the old parent, unless told otherwise since.

        :param configured: what the configuration says now.
        """
        before, since = self._workers
        return since if configured == before else configured

    def take_listeners(self, address: str) -> list[socket.socket]:
        """Return the sockets that were bound by this text; none if there are none."""
        return [take_over(address, number) for number in self._numbers.pop(address, [])]

    def close_rest(self) -> None:
        """Close what is not wanted any more."""
        for numbers in self._numbers.values():
            for number in numbers:
                os.close(number)
        self._numbers = {}

    def tell_ready(self) -> None:
        """Tell the old parent that it may end."""
        self.line.send("ready")

    def tell_failure(self, headline: str, traceback: str = "") -> None:
        """Tell the old parent why it has to go on."""
        self.line.send("failed", headline=headline, traceback=traceback)
