"""Which descriptors are ready?  One face on epoll, kqueue and ``select``.

Readiness is level-triggered everywhere: what one leader did not get to is reported again to the
next.  Events are a bit set of :data:`READ`, :data:`WRITE` and :data:`HANGUP`; their values are
epoll's, so that the poller in use almost everywhere translates nothing.

Threads: only the leader polls.  :meth:`register`, :meth:`modify` and :meth:`unregister` may be
called by any thread, also while another one polls; the kernel sees to that for epoll and kqueue,
a lock and a wake-up for ``select``.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from typing import Any, Final, Protocol

__all__ = ["HANGUP", "READ", "WRITE", "Poller", "Waker", "default_poller"]

READ: Final = 0x001
WRITE: Final = 0x004
#: the peer has closed, or shut its sending side; reported only with :data:`READ` or unasked
HANGUP: Final = 0x008 | 0x010 | 0x2000
#: with READ: report also when the peer shuts its sending side (EPOLLRDHUP)
PEER_SHUT: Final = 0x2000


class Poller(Protocol):
    """Watches descriptors."""

    name: str

    def register(self, fd: int, events: int) -> None:
        """Watch a descriptor from now on."""

    def modify(self, fd: int, events: int) -> None:
        """Watch it for other events; 0: for none, though :data:`HANGUP` may still be told."""

    def unregister(self, fd: int) -> None:
        """Watch it no more."""

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """Wait until something is ready.

        :param timeout: seconds at most; ``None`` for ever.
        :return: pairs of descriptor and events; empty after the timeout.
        """

    def close(self) -> None:
        """Give back what the poller itself holds."""


class EpollPoller:
    """epoll, on Linux."""

    name = "epoll"
    # More ready descriptors than this are told by the next poll.
    _BATCH: Final = 256

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.modify = self._epoll.modify
        self.unregister = self._epoll.unregister
        self.register = self._epoll.register
        self.close = self._epoll.close

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        return self._epoll.poll(timeout, self._BATCH)


class KqueuePoller:
    """kqueue, on macOS and the BSDs: two filters per descriptor stand for one bit set."""

    name = "kqueue"
    _BATCH: Final = 256

    def __init__(self) -> None:
        # Looked up by name: type checkers know them on their platforms only.
        self._select: Any = select
        self._queue = self._select.kqueue()
        self.close = self._queue.close

    def register(self, fd: int, events: int) -> None:
        self.modify(fd, events)

    def modify(self, fd: int, events: int) -> None:
        module = self._select
        changes = [
            module.kevent(fd, kind, module.KQ_EV_ADD if wanted else module.KQ_EV_DELETE)
            for kind, wanted in (
                (module.KQ_FILTER_READ, events & (READ | PEER_SHUT)),
                (module.KQ_FILTER_WRITE, events & WRITE),
            )
        ]
        for change in changes:
            try:
                self._queue.control([change], 0)
            except FileNotFoundError:  # a filter that was not there is gone, too
                continue

    def unregister(self, fd: int) -> None:
        self.modify(fd, 0)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        module = self._select
        ready: dict[int, int] = {}
        for event in self._queue.control(None, self._BATCH, timeout):
            bits = READ if event.filter == module.KQ_FILTER_READ else WRITE
            if event.flags & module.KQ_EV_EOF:
                bits |= PEER_SHUT
            ready[event.ident] = ready.get(event.ident, 0) | bits
        return list(ready.items())


class SelectPoller:
    """``select``, where nothing better is to be had (Windows).

    A change by another thread counts from the next turn on, so it wakes the poll.
    """

    name = "select"

    def __init__(self) -> None:
        # guards _events; held for moments only, never while waiting
        self._lock = threading.Lock()
        self._events: dict[int, int] = {}
        self._ours, self._theirs = socket.socketpair()
        for end in (self._ours, self._theirs):
            end.setblocking(False)

    def register(self, fd: int, events: int) -> None:
        self.modify(fd, events)

    def modify(self, fd: int, events: int) -> None:
        with self._lock:
            self._events[fd] = events
        self._wake()

    def unregister(self, fd: int) -> None:
        with self._lock:
            self._events.pop(fd, None)
        self._wake()

    def _wake(self) -> None:
        try:
            self._theirs.send(b"\0")
        except BlockingIOError:  # it is full of wake-ups already
            return

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        with self._lock:
            readers = [fd for fd, events in self._events.items() if events & READ]
            writers = [fd for fd, events in self._events.items() if events & WRITE]
        own = self._ours.fileno()
        try:
            readable, writable, failed = select.select(
                [*readers, own], writers, [*readers, *writers], timeout
            )
        except (OSError, ValueError):  # a descriptor was closed in between: look again
            return []
        ready: dict[int, int] = {}
        for fds, bit in ((readable, READ), (writable, WRITE), (failed, READ)):
            for fd in fds:
                ready[fd] = ready.get(fd, 0) | bit
        if ready.pop(own, 0):
            self._ours.recv(4096)
        return list(ready.items())

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


def default_poller() -> Poller:
    """The best poller of this platform."""
    if hasattr(select, "epoll"):
        return EpollPoller()
    if hasattr(select, "kqueue"):
        return KqueuePoller()
    return SelectPoller()


class Waker:
    """Makes a poll return: an eventfd, or a pair of sockets where there is none.

    :meth:`wake` may be called by any thread and by a signal handler.
    """

    def __init__(self) -> None:
        self._closed = False
        if hasattr(os, "eventfd"):
            self._eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._ends: tuple[socket.socket, ...] = ()
            self.fd = self._eventfd
        else:
            self._ends = socket.socketpair()
            for end in self._ends:
                end.setblocking(False)
            self.fd = self._ends[0].fileno()

    def wake(self) -> None:
        """Let the poll that is under way, or the next one, return at once."""
        if self._closed:  # a call that outlived its server; the number may be another's by now
            return
        try:
            if self._ends:
                self._ends[1].send(b"\0")
            else:
                os.eventfd_write(self._eventfd, 1)
        except OSError:  # full of wake-ups already, or closed in between
            return

    def on_event(self, _events: int) -> None:
        """Take the wake-ups off, once they have worked."""
        try:
            if self._ends:
                self._ends[0].recv(4096)
            else:
                os.eventfd_read(self._eventfd)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Give the descriptors back; once, as the number may be another's afterwards."""
        if self._closed:
            return
        self._closed = True
        if self._ends:
            for end in self._ends:
                end.close()
        else:
            os.close(self._eventfd)
