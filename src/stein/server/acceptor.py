"""Accepting connections, and leaving them to another process that has more time for them.

Facts.
    Processes that share a listening socket are all woken by a client, and whoever is first gets
    it: a busy one as likely as an idle one, and one of them most of those that come at once.
Decision.
    Before it accepts, a process looks on the board at the others.  If it has no free seat and
    another one has, or if it has clearly more connections than another one, it looks away for a
    moment; the other one was woken as well.  It does so once: whoever waits for longer is taken.
    Without a free seat the moment is longer, as nothing is lost by it.
    With no free seat anywhere connections are accepted all the same, so that health checks are
    answered and the queue has its say.
Price.
    A client that a stuck process should have taken waits some milliseconds longer.
"""

from __future__ import annotations

import errno
import logging
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

from stein.server.call import FileWrapper
from stein.server.deadlines import NEVER, Entry
from stein.server.listeners import close_listener
from stein.server.poller import READ

if TYPE_CHECKING:
    from stein.server.engine import Engine
    from stein.server.settings import Settings

__all__ = ["Listener", "base_environ"]

logger: Final = logging.getLogger("stein.error")

# The process or the machine has no descriptor or memory left for a connection.
_EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_PAUSE: Final = 0.1  # seconds until accepting is tried again then
_BATCH: Final = 64  # connections accepted in one turn, so that clients inside go on
# Where the kernel tells how many connections wait: struct tcp_info, tcpi_unacked.
_TCP_INFO: Final = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
_WAITING_AT: Final = slice(24, 28)


class Listener:
    """Accepts connections on one listening socket.

    Accepting pauses while there are too many connections, while another process should go first,
    and for a moment when this one has no descriptor left; clients wait in the kernel's queue then.

    :param engine: whose connections they become.
    :param sock: listening, non-blocking.
    """

    def __init__(self, engine: Engine, sock: socket.socket) -> None:
        self._engine = engine
        self._sock = sock
        self._accepting = False
        self._closed = False
        self._gave_way = False
        self._batch = _BATCH if engine.neighbours is None else 1
        self._template = base_environ(engine.settings, sock, tls=engine.tls is not None)
        self.deadline = NEVER
        self.timer = NEVER
        self.entry: Entry | None = None
        engine.sources[sock.fileno()] = self

    @property
    def backlog(self) -> int:
        """How many connections wait to be accepted, as far as the system tells."""
        if _TCP_INFO is None or self._closed or self._sock.family == socket.AF_UNIX:
            return 0
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _WAITING_AT.stop)
        except OSError:
            return 0
        return int.from_bytes(info[_WAITING_AT], sys.byteorder)

    def on_event(self, _events: int) -> None:
        """Clients are waiting."""
        engine = self._engine
        if engine.neighbours is not None:
            courtesy = 0.0 if self._gave_way else engine.neighbours.courtesy(engine)
            if courtesy:
                self._gave_way = True
                self._pause_for(courtesy)
                return
            self._gave_way = False
        limit = engine.settings.limit_connections
        for _ in range(self._batch):
            if len(engine.connections) >= limit:
                self.pause()
                return
            try:
                sock, address = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    logger.error("cannot accept: %s; trying again shortly", error.strerror)  # noqa: TRY400 - no traceback
                    self._pause_for(_PAUSE)
                    return
                continue  # that client has gone again (ECONNABORTED and its kin)
            engine.admit(sock, address, self._template)

    def on_deadline(self, _now: float) -> None:
        """Descriptors may be free again, or the others have not come."""
        self.deadline = NEVER
        self.resume()

    def _pause_for(self, seconds: float) -> None:
        self.pause()
        self.deadline = self._engine.now + seconds
        self._engine.deadlines.watch(self)

    def pause(self) -> None:
        """Accept no more for now."""
        if self._accepting:
            self._accepting = False
            self._engine.poller.unregister(self._sock.fileno())

    def resume(self) -> None:
        """Accept from now on."""
        if not self._accepting and not self._closed:
            self._accepting = True
            self._engine.poller.register(self._sock.fileno(), READ)

    def close(self) -> None:
        """Accept never again."""
        if self._closed:
            return
        self.pause()
        self._closed = True
        self._engine.deadlines.forget(self)
        del self._engine.sources[self._sock.fileno()]
        close_listener(self._sock)


def base_environ(settings: Settings, sock: socket.socket, *, tls: bool) -> dict[str, Any]:
    """What is the same in every environ of one listener (PEP 3333)."""
    name = sock.getsockname()
    host, port = name[:2] if isinstance(name, tuple) else ("localhost", 0)
    environ: dict[str, Any] = {
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost" if host in {"", "0.0.0.0", "::"} else host,  # noqa: S104
        "SERVER_PORT": str(port or (443 if tls else 80)),
        "SERVER_SOFTWARE": settings.server_header or "stein",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https" if tls else "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": settings.threads > 1,
        "wsgi.multiprocess": settings.workers > 1,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
    }
    if tls:
        environ["HTTPS"] = "on"
    return environ
