"""Workers whose threads are greenlets: gevent, and what the server has to know of it.

Facts.
    gevent puts calls of its own in the place of those of the standard library that wait: sleep,
    sockets, locks, queues, threads.  A call that waits there lets the other greenlets of the
    process go on, so a thousand views that wait cost a thousand small stacks and no thread.  What
    was made before stays as it was: a lock that a module keeps, a class that it was built on.
Decision.
    A worker process is patched before it imports anything else (:mod:`stein.serving.workerscript`),
    so that server, framework and application are all built on gevent's calls.  The crew's threads
    are greenlets by that, without knowing it.  The parent is never patched, and imports no gevent.
    The server's own sockets stay the system's: they never wait, and a read costs less.  The leader
    polls an epoll object of its own, whose descriptor the loop of gevent waits for.
Danger.
    A greenlet that computes, or waits in a library written in C that gevent knows nothing of, holds
    up the whole process; no deadline is looked at meanwhile.  The heartbeat is answered by a
    greenlet, too, so the parent ends a worker in which one has run for ``heartbeat_timeout``.
Price.
    Each turn of the leader goes through two polls, gevent's and its own.

This is the one module that imports gevent, and it imports nothing of ours before the patch.
"""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any, Final

import gevent
from gevent import monkey
from gevent.thread import get_ident

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from types import FrameType

    from stein.server.runtime import Runtime

__all__ = ["GreenletPoller", "make_runtime", "patch", "plain_socket"]


def original(module: str, name: str) -> Any:
    """Return something of the standard library as it is without gevent; ``None``: there is none."""
    try:
        return monkey.get_original(module, name)
    except AttributeError:
        return None


_BATCH: Final = 256  # more ready descriptors than this are told by the next poll
_READ: Final = 1  # as gevent's loop names it

_epoll: Final = original("select", "epoll")
_Socket: Any = original("socket", "socket")

#: Every greenlet, by its ident: as long as the system's threads are, they are to be found.
_greenlets: Final[weakref.WeakValueDictionary[int, Any]] = weakref.WeakValueDictionary()


def patch() -> None:
    """Let everything that is imported from now on wait by gevent's calls.

    The main thread, before any other was started.
    """
    monkey.patch_all()
    _note(gevent.getcurrent())
    gevent.Greenlet.add_spawn_callback(_note)


def _note(greenlet: Any) -> None:
    _greenlets[get_ident(greenlet)] = greenlet


def make_runtime() -> Runtime:
    """Return what a server is to run on, in a process that was patched."""
    from stein.server.poller import default_poller  # noqa: PLC0415 - see the module's text
    from stein.server.runtime import Runtime  # noqa: PLC0415

    return Runtime(
        # Where there is no epoll, select() has to do, which gevent has replaced.
        make_poller=default_poller if _epoll is None else GreenletPoller,
        glance=original("select", "poll"),  # gevent's own waits, and knows no POLLRDHUP
        frame_of=frame_of,
        besides=besides,
        cautious=True,
    )


class GreenletPoller:
    """epoll, in which a greenlet waits while others run."""

    name = "gevent"

    def __init__(self) -> None:
        self._epoll = _epoll()
        self._hub = gevent.get_hub()
        self._ready = self._hub.loop.io(self._epoll.fileno(), _READ)
        self.modify = self._epoll.modify
        self.unregister = self._epoll.unregister
        self.register = self._epoll.register

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """Let the others run, and wait until something is ready; as all pollers do."""
        if timeout == 0.0:
            gevent.sleep(0)
        else:
            with gevent.Timeout(timeout, exception=False):
                self._hub.wait(self._ready)
        found: list[tuple[int, int]] = self._epoll.poll(0, _BATCH)
        return found

    def close(self) -> None:
        """Give the descriptor back."""
        self._ready.close()
        self._epoll.close()


class PlainSocket(_Socket):  # type: ignore[misc]
    """A socket of the system's, whose clients are such, too."""

    def accept(self) -> tuple[PlainSocket, Any]:
        """Accept a client, as any socket does."""
        number, address = self._accept()
        return PlainSocket(self.family, self.type, self.proto, fileno=number), address


def plain_socket(number: int) -> socket.socket:
    """Return the listening socket that has a descriptor."""
    sock: socket.socket = PlainSocket(fileno=number)
    return sock


def frame_of(ident: int) -> FrameType | None:
    """Return where a greenlet stands; ``None`` if it has ended, or not begun."""
    greenlet = _greenlets.get(ident)
    if greenlet is None:
        return None
    if greenlet is gevent.getcurrent():
        return sys._getframe(1)  # noqa: SLF001 - documented
    frame: FrameType | None = greenlet.gr_frame
    return frame


def besides() -> Iterator[tuple[str, int]]:
    """Give the greenlets that pass for no thread: those of the application's own."""
    import threading  # noqa: PLC0415 - see the module's text

    threads = {thread.ident for thread in threading.enumerate()}
    for ident, greenlet in list(_greenlets.items()):
        if ident not in threads and not greenlet.dead:
            yield getattr(greenlet, "name", "greenlet"), ident
