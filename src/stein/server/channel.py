"""The two-way pipe to one client: sending with a backlog, receiving with patience.

Nothing here knows HTTP.  :class:`stein.server.connection.Connection` is a channel with a protocol.

Threads: whoever owns the connection, see there; :meth:`Channel.flush` also the leader, and
:meth:`Channel.is_disconnected` any thread.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
from typing import IO, TYPE_CHECKING, Any, Final

from stein.clock import monotonic
from stein.errors import Disconnected
from stein.server.deadlines import NEVER, Entry
from stein.server.outbox import FileSpan, Outbox
from stein.server.poller import READ, WRITE

try:
    import fcntl
    import termios

    _TIOCOUTQ: int | None = termios.TIOCOUTQ if sys.platform == "linux" else None
except ImportError:  # Windows
    _TIOCOUTQ = None

if TYPE_CHECKING:
    from stein.server.engine import Engine

__all__ = ["Channel"]

_RECEIVE: Final = 65536
_ABORT: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class Channel:
    """The pipe to one client.

    :param engine: the engine that it belongs to.
    :param sock: accepted, non-blocking; a :class:`~stein.server.tlssocket.TLSSocket` for TLS.
    """

    __slots__ = (
        # for its whole life
        "engine",
        "fd",
        "is_tls",
        "sock",
        "_recv",
        "_send",
        # as the deadlines see it
        "deadline",
        "entry",
        "timer",
        # state
        "closed",
        "gone",
        "_outbox",
        "_queued",
    )

    def __init__(self, engine: Engine, sock: Any) -> None:
        self.engine = engine
        self.sock = sock
        self.fd: int = sock.fileno()
        self.is_tls = hasattr(sock, "handshake")  # a TLSSocket, whose module takes 4 MB to import
        self._recv = sock.recv
        self._send = sock.send
        self.deadline = NEVER
        self.timer = NEVER
        self.entry: Entry | None = None
        self.closed = False
        self.gone = False  #: nobody reads the answers any more
        self._outbox: Outbox | None = None
        self._queued = sys.maxsize  # bytes in the kernel when has_progress() looked last

    # -- sending ------------------------------------------------------------------------------

    def write(self, data: bytes, more: bytes = b"") -> None:
        """Send bytes, or keep what the client does not take at once.

        :param more: bytes behind ``data``; two parts leave in one system call.
        :raises Disconnected: the client has gone.
        """
        if self.gone:
            raise Disconnected(400, "the client went away during the response")
        if self._outbox is not None:
            self._write_behind(data + more)
            return
        # PERF: joining is cheaper than sendmsg() for what fits into one packet or a few.
        if len(more) <= 65536:
            data += more
            more = b""
        try:
            if not more:
                sent = self._send(data)
                if sent == len(data):
                    return
                data = data[sent:]
            elif self.is_tls:
                data = data[self._send(data) :]
            else:
                sent = self.sock.sendmsg((data, more))
                if sent >= len(data):
                    data, more = b"", memoryview(more)[sent - len(data) :]  # type: ignore[assignment]
                else:
                    data = data[sent:]
        except BlockingIOError:
            pass
        except OSError as error:
            self.gone = True
            reason = f"the client went away during the response ({error.strerror or error})"
            raise Disconnected(400, reason) from error
        self._write_behind(data, more)

    def _write_behind(self, *pieces: bytes | FileSpan) -> None:
        """Put pieces into the outbox, behind what waits there, and send what can be sent."""
        outbox = self._outbox
        if outbox is None:
            outbox = self._outbox = Outbox()
        with outbox.lock:
            for piece in pieces:
                if isinstance(piece, FileSpan) or piece:
                    outbox.add(piece)
        self.flush(outbox)
        if self.gone:
            raise Disconnected(400, "the client went away during the response")
        if outbox:
            self.engine.post(self._watch_outbox)

    def write_file(self, file: IO[bytes], position: int, count: int) -> None:
        """Send bytes of a regular file; what the client does not take is left to the leader.

        :raises Disconnected: the client has gone.
        """
        self._write_behind(FileSpan(file, position, count, sendfile=not self.is_tls))

    @property
    def unsent(self) -> int:
        """Bytes of memory that wait for the client."""
        outbox = self._outbox
        return outbox.size if outbox is not None else 0

    @property
    def unsent_any(self) -> bool:
        """Whether anything waits for the client, files included."""
        return bool(self._outbox)

    def wait_drained(self) -> None:
        """Wait until the client has taken what exceeds the buffer (``write()`` only).

        :raises Disconnected: it has gone, or takes nothing for longer than ``write_timeout``.
        """
        settings = self.engine.settings
        while self.unsent > settings.response_buffer:
            if not self.wait(WRITE, settings.write_timeout):
                self.gone = True
            elif self._outbox is not None:
                self.flush(self._outbox)
            if self.gone:
                raise Disconnected(408, "the client does not take the response")

    def flush(self, outbox: Outbox) -> None:
        """Send from the outbox; notes progress, or that the client has gone."""
        try:
            with outbox.lock:
                sent = outbox.flush(self.sock)
        except OSError:
            self.gone = True
            outbox.clear()
            return
        if sent:
            self._queued = sys.maxsize
        if sent and self.deadline != NEVER:
            self.deadline = monotonic() + self.engine.settings.write_timeout

    def has_progress(self) -> bool:
        """Whether the client has taken bytes since this was asked last, as far as is known.

        A socket becomes writable only when a third of the kernel's buffer is free, which takes a
        slow client long; so the bytes in that buffer are counted, where the system tells.
        """
        if _TIOCOUTQ is None:
            return False
        try:
            answer = fcntl.ioctl(self.fd, _TIOCOUTQ, bytes(4))
        except OSError:
            return False
        before, self._queued = self._queued, int.from_bytes(answer, sys.byteorder)
        return self._queued < before

    def _watch_outbox(self) -> None:
        """Have the outbox flushed when the client can take more.  The leader."""
        raise NotImplementedError

    # -- receiving ----------------------------------------------------------------------------

    def receive_waiting(self, deadline: float) -> bytes:
        """Receive in the calling thread, waiting up to a deadline."""
        while True:
            try:
                data = self._receive()
            except BlockingIOError:
                wants_write = self.is_tls and self.sock.wants_write
                left = deadline - monotonic()
                if left <= 0 or not self.wait(WRITE if wants_write else READ, left):
                    reason = "the request body arrived too slowly"
                    raise Disconnected(408, reason) from None
                continue
            except OSError as error:
                self.gone = True
                raise Disconnected(400, "the client went away during its request") from error
            if not data:
                raise Disconnected(400, "the request body was cut short")
            return bytes(data)

    def _receive(self) -> bytes:
        outbox = self._outbox
        if outbox is None or not self.is_tls:
            return self._recv(_RECEIVE)  # type: ignore[no-any-return]
        with outbox.lock:  # the leader may be flushing, and OpenSSL wants one thread at a time
            return self._recv(_RECEIVE)  # type: ignore[no-any-return]

    def wait(self, events: int, timeout: float) -> bool:
        """Wait in the calling thread until the socket is ready."""
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self.fd, select.POLLIN if events == READ else select.POLLOUT)
            return bool(poll.poll(timeout * 1000))
        readers = [self.fd] if events == READ else []
        return any(select.select(readers, [] if readers else [self.fd], [], timeout))

    def is_disconnected(self) -> bool:
        """Whether the client has gone, or at least said that it will send nothing more.

        TCP does not tell a client that closed from one that only shut its sending side; the
        latter still gets its response.  Any thread.
        """
        if self.gone or self.closed:
            return True
        glance = self.engine.runtime.glance
        if glance is not None and hasattr(select, "POLLRDHUP"):
            poll = glance()
            poll.register(self.fd, select.POLLRDHUP)
            return bool(poll.poll(0))
        if self.is_tls:
            return False
        try:
            return not self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def reset(self) -> None:
        """Have the connection end with a reset instead of in good order."""
        self.gone = True
        if not self.is_tls:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
