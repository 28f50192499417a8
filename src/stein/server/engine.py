"""The engine of one process: what all its connections share, and one turn of polling.

Threads: whatever is not marked otherwise belongs to the leader of the crew.  Other threads reach
it through :meth:`Engine.post` only.
"""

from __future__ import annotations

import errno
import logging
import socket
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from stein.clock import monotonic, wall
from stein.http.h1.writer import Tail
from stein.server.call import FileWrapper
from stein.server.connection import Connection
from stein.server.crew import Crew
from stein.server.deadlines import NEVER, Deadlines, Entry
from stein.server.listeners import close_listener
from stein.server.poller import READ, Waker, default_poller
from stein.server.tls import TLSSocket

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from stein.http.exchange import Exchange
    from stein.server.settings import Settings
    from stein.typing import WSGIApplication

__all__ = ["Engine"]

logger: Final = logging.getLogger("stein.error")

# The process or the machine has no descriptor or memory left for a connection.
_EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_ACCEPT_PAUSE: Final = 0.1  # seconds until accepting is tried again then
_ACCEPT_BATCH: Final = 64  # connections accepted in one turn, so that clients inside go on


class Engine:
    """What the connections of one process share.

    :param application: the WSGI application.
    :param settings: frozen.
    :param listeners: listening sockets; the engine closes them.
    :param context: for TLS, or ``None``.
    :param observer: called with the exchanges that a thread has ended since it last called;
        nothing of the list may be kept.
    """

    def __init__(
        self,
        application: WSGIApplication,
        settings: Settings,
        listeners: list[socket.socket],
        context: ssl.SSLContext | None,
        observer: Callable[[Sequence[Exchange]], None] | None,
    ) -> None:
        # for the life of the engine
        self.application = application
        self.settings = settings
        self.limits = settings.limits
        self.observer = observer
        self.tls = context
        self.tail = Tail(settings.server_header, wall)
        self.keep_alive = settings.keep_alive
        self.body_buffer = settings.body_buffer
        self.last_number = settings.limit_connection_requests
        self.health = self._health_paths()
        self.deadlines = Deadlines()
        self.poller = default_poller()
        self.waker = Waker()
        self.crew = Crew(self, settings.threads)
        # changing
        self.now = monotonic()  #: when the poller last returned; read by any thread
        self.draining = False  #: no new connections, last answers; read by any thread
        self.stopped = False
        self.connections: dict[int, Connection] = {}
        #: connections with bytes that no poller knows of; any thread may append
        self.again: deque[Connection] = deque()
        self.sources: dict[int, Any] = {self.waker.fd: self.waker}
        self._posted: deque[Callable[[], object]] = deque()
        self._accepted = 0
        self._per_address: dict[str, int] = {}
        self._stop_deadline = _StopDeadline(self)
        self.poller.register(self.waker.fd, READ)
        self.listeners = [Listener(self, sock) for sock in listeners]
        for listener in self.listeners:
            listener.resume()

    # -- any thread ---------------------------------------------------------------------------

    def post(self, action: Callable[[], object]) -> None:
        """Let the leader do something, soon.  Any thread, and signal handlers."""
        self._posted.append(action)
        self.waker.wake()

    def wake(self) -> None:
        """Let the leader look at what was left for it.  Any thread."""
        self.waker.wake()

    def request_stop(self, graceful: float) -> None:
        """Begin to stop; returns at once.  Any thread, and signal handlers.

        :param graceful: seconds that running requests may take; 0: none.
        """
        self.post(lambda: self._stop(graceful))

    def observe(self, exchanges: Sequence[Exchange]) -> None:
        """Let exchanges be observed; a fault of the observer's is no client's concern."""
        if self.observer is None:
            return
        try:
            self.observer(exchanges)
        except Exception:
            logger.exception("the observer failed on %r", exchanges)

    # -- the leader ---------------------------------------------------------------------------

    def poll(self) -> list[tuple[int, int]]:
        """One turn: wait for events, look at deadlines, do what was posted."""
        timeout: float | None = None
        if self.again or self._posted:
            timeout = 0.0
        else:
            moment = self.deadlines.next()
            if moment != NEVER:
                timeout = max(0.0, moment - monotonic())
        events = self.poller.poll(timeout)
        self.now = now = monotonic()
        if self.deadlines.next() <= now:
            self._do(lambda: self.deadlines.expire(now))
        posted = self._posted
        while posted:
            self._do(posted.popleft())
        return events

    def _do(self, action: Callable[[], object]) -> None:
        """Do something for one connection; its failure is not to cost the others this turn."""
        try:
            action()
        except Exception:
            logger.exception("internal error in %r", action)

    def admit(self, sock: socket.socket, address: Any, template: dict[str, Any]) -> None:
        """Make a connection of an accepted socket."""
        # The prefix is that of an IPv4 client on a dual-stack socket.
        peer = address[0].removeprefix("::ffff:") if isinstance(address, tuple) else "unix:"
        limit = self.settings.limit_connections_per_address if peer != "unix:" else 0
        if limit and self._per_address.get(peer, 0) >= limit:
            logger.info("connection from %s refused: it has %d already", peer, limit)
            sock.close()
            return
        template = template.copy()
        template["REMOTE_ADDR"] = peer if peer != "unix:" else ""
        deadline = self.now + self.settings.head_timeout
        end: Any = sock
        try:
            sock.setblocking(False)
            if isinstance(address, tuple):
                template["REMOTE_PORT"] = str(address[1])
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                end = TLSSocket(sock, self.tls)
                deadline = self.now + self.settings.handshake_timeout
        except OSError:  # gone again already
            sock.close()
            return
        self._accepted += 1
        connection = Connection(self, end, self._accepted, peer, template)
        connection.deadline = deadline
        self.connections[connection.fd] = self.sources[connection.fd] = connection
        if limit:
            self._per_address[peer] = self._per_address.get(peer, 0) + 1
        self.poller.register(connection.fd, READ)
        self.deadlines.watch(connection)

    def forget(self, connection: Connection) -> None:
        """A connection was closed."""
        full = len(self.connections) >= self.settings.limit_connections
        del self.connections[connection.fd], self.sources[connection.fd]
        count = self._per_address.pop(connection.peer, 0)
        if count > 1:
            self._per_address[connection.peer] = count - 1
        if full and not self.draining:
            for listener in self.listeners:
                listener.resume()
        if self.draining and not self.connections:
            self._end()

    def note_failed_handshake(self, connection: Connection, error: OSError) -> None:
        """TLS could not be agreed on: the client's affair, but worth a line for the curious."""
        logger.debug("TLS handshake with %s failed: %s", connection.peer, error)

    def contain(self, source: Any) -> None:
        """An event handler raised, which none should: lose its connection, not the server."""
        logger.error("internal error with %r", source, exc_info=True)  # noqa: LOG014 - called in one
        if isinstance(source, Connection):
            source.close()

    # -- stopping -----------------------------------------------------------------------------

    def _stop(self, graceful: float) -> None:
        """Stop accepting, let running requests finish, then stop.  A second call cuts short."""
        if self.stopped:
            return
        self.draining = True
        # First the connections: whoever sees the door closed can rely on the answers' saying so.
        for connection in list(self.connections.values()):
            connection.stop()
        for listener in self.listeners:
            listener.close()
        self.deadlines.forget(self._stop_deadline)
        self._stop_deadline.deadline = self.now + graceful
        self.deadlines.watch(self._stop_deadline)
        if not self.connections:
            self._end()

    def abort(self) -> None:
        """The time to stop gracefully is over."""
        busy = [each for each in self.connections.values() if each.in_call]
        if busy:
            logger.warning("stopping with %d requests under way", len(busy))
        for call in self.crew.take_waiting():
            call.connection.refuse_call(call, 503, "stopped", "the server stopped before its turn")
        self.stopped = True
        for connection in list(self.connections.values()):
            connection.abort()
        self._end()

    def _end(self) -> None:
        self.stopped = True
        self.crew.stop()

    def close(self) -> None:
        """Give all descriptors back, once the crew has stopped.  The last thread."""
        for connection in list(self.connections.values()):
            connection.close()
        for listener in self.listeners:
            listener.close()
        self.poller.close()
        self.waker.close()

    # -- health -------------------------------------------------------------------------------

    def _health_paths(self) -> dict[str, Callable[[], str]] | None:
        if self.settings.health_path is None:
            return None
        prefix = self.settings.health_path.rstrip("/")
        return {f"{prefix}/livez": self._alive, f"{prefix}/readyz": self._ready}

    def _alive(self) -> str:
        return "200 OK"

    def _ready(self) -> str:
        saturated = self.crew.saturated
        return "503 Service Unavailable" if self.draining or saturated else "200 OK"


class _StopDeadline:
    """The end of a graceful stop, as a subject of the deadlines."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.deadline = NEVER
        self.timer = NEVER
        self.entry: Entry | None = None

    def on_deadline(self, _now: float) -> None:
        self._engine.abort()


class Listener:
    """Accepts connections on one listening socket.

    Accepting pauses while there are too many connections, and for a moment when the process has
    no descriptor left; clients wait in the kernel's queue then.
    """

    def __init__(self, engine: Engine, sock: socket.socket) -> None:
        self._engine = engine
        self._sock = sock
        self._accepting = False
        self._closed = False
        self._template = base_environ(engine.settings, sock, tls=engine.tls is not None)
        self.deadline = NEVER
        self.timer = NEVER
        self.entry: Entry | None = None
        engine.sources[sock.fileno()] = self

    def on_event(self, _events: int) -> None:
        """Clients are waiting."""
        engine = self._engine
        limit = engine.settings.limit_connections
        for _ in range(_ACCEPT_BATCH):
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
                    self.pause()
                    self.deadline = engine.now + _ACCEPT_PAUSE
                    engine.deadlines.watch(self)
                    return
                continue  # that client has gone again (ECONNABORTED and its kin)
            engine.admit(sock, address, self._template)

    def on_deadline(self, _now: float) -> None:
        """Descriptors may be free again."""
        self.deadline = NEVER
        self.resume()

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
