"""In the process that forks workers: the fork, and what does not outlive it.

The parent's side, and why there is such a process, is in :mod:`stein.server.nursery`.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Final, NoReturn

from stein.server.lifeline import Lifeline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["become_nursery", "open_sockets", "what_forks_lose"]

#: seconds that the kernel has to give an orphan to the supervisor
_ADOPTION: Final = 5.0


def become_nursery(
    line: Lifeline, supervisor: int, warnings: Sequence[str], live: Callable[[Lifeline, int], None]
) -> NoReturn:
    """Fork a worker whenever the supervisor asks for one; end with it.

    :param line: the way to the supervisor.
    :param supervisor: its process id.
    :param warnings: what it is to be told.
    :param live: is a worker, in a forked process, with its own lifeline and place.
    """
    gc.collect()
    gc.freeze()  # or the collector would write to every object, and nothing stayed shared
    line.send("ready", pid=os.getpid(), warnings=list(warnings))
    while not line.ended:
        for order in line.receive():
            if order["kind"] == "fork":
                number, place = line.descriptors.pop(0), order["place"]

                def begin(number: int = number, place: int = place) -> None:
                    line.close()
                    live(Lifeline(socket.socket(fileno=number)), place)

                pid = fork_away(supervisor, begin)
                os.close(number)
                line.send("forked", place=place, pid=pid)
    os._exit(0)


def fork_away(supervisor: int, begin: Callable[[], object]) -> int:
    """Fork a process that is a child of the supervisor and not of this one.

    :param supervisor: its process id.
    :param begin: what the new process does.
    :returns: the new process's id; 0 if the system gives none.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    read, write = os.pipe()
    middle = os.fork()
    if middle == 0:
        try:
            between = os.getpid()
            child = os.fork()
            if child == 0:
                os.close(read)
                os.close(write)
                be_adopted(supervisor, between, begin)
            os.write(write, str(child).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(middle, 0)
    with open(read, "rb") as file:  # noqa: PTH123 - a descriptor
        return int(file.read() or b"0")


def be_adopted(supervisor: int, between: int, begin: Callable[[], object]) -> NoReturn:
    """Begin once the supervisor is the parent; leave as a program does, but for the nursery's part.

    The stack of the nursery is not gone back through.  What the application has registered with
    :mod:`atexit` is called, whether it was at its import or later: the nursery never calls it, and
    without ``preload``, or in a worker of gunicorn's, it is called at each worker's end.
    """
    code = 1
    try:
        end = time.monotonic() + _ADOPTION
        while os.getppid() == between and time.monotonic() < end:
            time.sleep(0.0005)  # the one in between is ending
        if os.getppid() == supervisor:
            begin()
            code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - nothing of the nursery's is to run here
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(BaseException):
            threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - as at any end
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()  # noqa: SLF001 - the same; logging.shutdown is among them
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def what_forks_lose(known: frozenset[int]) -> list[str]:
    """Return what the application has that does not outlive a fork, each as a sentence.

    :param known: descriptors that were open before it was imported.
    """
    found = []
    others = [each.name for each in threading.enumerate() if each is not threading.main_thread()]
    if others:
        found.append(
            f"the application has started {len(others)} thread(s) at import ({', '.join(others)}): "
            "they do not run in the workers. Start them in the hook worker_start."
        )
    sockets = open_sockets() - known
    if sockets:
        texts = ", ".join(sorted(map(described_socket, sockets)))
        found.append(
            f"the application has opened {len(sockets)} connection(s) at import ({texts}): the "
            "workers would all use the same. Open them in the hook worker_start."
        )
    return found


def open_sockets() -> frozenset[int]:
    """Return the descriptors that are sockets."""
    found = set()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - the names alone
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):  # noqa: PTH115 - a text
                found.add(int(name))
    return frozenset(found)


def described_socket(number: int) -> str:
    """Return where a socket leads to."""
    with contextlib.suppress(OSError):
        sock = socket.socket(fileno=os.dup(number))
        try:
            name = sock.getpeername()
        finally:
            sock.close()
        if isinstance(name, tuple):
            return f"{name[0]}:{name[1]}"
        if name:
            return os.fsdecode(name)
    return f"descriptor {number}"
