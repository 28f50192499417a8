"""The engine of one process: what all its connections share, and one turn of polling.

Threads: whatever is not marked otherwise belongs to the leader of the crew.  Other threads reach
it through :meth:`Engine.post` only.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from stein.clock import monotonic, wall
from stein.http.h1.writer import Tail
from stein.server.acceptor import Listener, base_environ
from stein.server.board import Board
from stein.server.connection import Connection
from stein.server.crew import Crew
from stein.server.deadlines import NEVER, Deadlines, Entry
from stein.server.housekeeper import Housekeeper
from stein.server.poller import READ, Waker
from stein.server.proxies import Proxies
from stein.server.proxyprotocol import Greetings
from stein.server.runtime import THREADS, Runtime
from stein.server.tally import Tally

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from stein.http.exchange import Exchange
    from stein.server.closing import ClosingChannel
    from stein.server.neighbours import Neighbours
    from stein.server.places import ThreadPlace, WorkerPlace
    from stein.server.settings import Settings
    from stein.typing import WSGIApplication

__all__ = ["Engine", "Listener", "base_environ"]

logger: Final = logging.getLogger("stein.error")

#: Status, media type and text of an answer of the engine's own; no text: the status says it all.
Page: TypeAlias = tuple[str, str, str]
_PLAIN: Final = "text/plain"
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"


class Engine:
    """What the connections of one process share.

    :param application: the WSGI application.
    :param settings: frozen.
    :param listeners: listening sockets; the engine closes them.
    :param context: for TLS, or ``None``.
    :param observer: called with the exchanges that a thread has ended since it last called;
        nothing of the list may be kept.
    :param place: the process's place on the board of its parent; without one the engine has a
        board of its own.
    :param neighbours: the other processes that accept from the same listeners.
    :param on_recycle: called by the leader, once, with the reason why this process should be
        replaced by another.
    :param metrics: gives the text of ``metrics_path``; called by the leader.
    :param runtime: what its threads are.
    """

    def __init__(  # noqa: PLR0913 - what it serves, and those around it
        self,
        application: WSGIApplication,
        settings: Settings,
        listeners: list[socket.socket],
        context: ssl.SSLContext | None,
        observer: Callable[[Sequence[Exchange]], None] | None,
        *,
        place: WorkerPlace | None = None,
        neighbours: Neighbours | None = None,
        on_recycle: Callable[[str], object] | None = None,
        metrics: Callable[[], str] | None = None,
        runtime: Runtime = THREADS,
    ) -> None:
        # for the life of the engine
        self.application = application
        self.settings = settings
        self.runtime = runtime
        self.limits = settings.limits
        self.observer = observer
        self.tls = context
        if context is not None:
            from stein.server.tlssocket import TLSSocket  # noqa: PLC0415 - ssl takes 4 MB

            self._secured = TLSSocket
        self.tail = Tail(settings.server_header, wall)
        self.keep_alive = settings.keep_alive
        self.body_buffer = settings.body_buffer
        self.last_number = settings.limit_connection_requests
        self._metrics = metrics
        self.pages = self._own_pages()
        self.deadlines = Deadlines()
        self.board: Board | None = None
        if place is None:
            self.board = Board.for_settings(settings, 1)
            place = self.board.worker(0)
            place.begin(os.getpid(), seats=settings.threads)
        self.place = place
        self.neighbours = neighbours
        self.tally = Tally()
        self.proxies = Proxies.of(settings)
        self.poller = runtime.make_poller()
        self.waker = Waker()
        self.crew = Crew(self, settings.threads, place)
        self.housekeeper = Housekeeper(self)
        # changing
        self.now = monotonic()  #: when the poller last returned; read by any thread
        self.draining = False  #: no new connections, last answers; read by any thread
        self.stopped = False
        #: seconds for which an idle connection may bring one more request while draining
        self.idle_grace = 0.0
        self.connections: dict[int, Connection] = {}
        #: connections with bytes that no poller knows of; any thread may append
        self.again: deque[ClosingChannel] = deque()
        self.sources: dict[int, Any] = {self.waker.fd: self.waker}
        self._posted: deque[Callable[[], object]] = deque()
        self._sending: dict[ClosingChannel, ThreadPlace] = {}
        self._on_recycle = on_recycle
        self._per_address: dict[str, int] = {}
        self.greetings = Greetings(self) if settings.proxy_protocol else None
        self._stop_deadline = _StopDeadline(self)
        self.poller.register(self.waker.fd, READ)
        self.listeners = [Listener(self, sock) for sock in listeners]
        for listener in self.listeners:
            listener.resume()
        place.state = "ready"

    # -- any thread ---------------------------------------------------------------------------

    def post(self, action: Callable[[], object]) -> None:
        """Let the leader do something, soon.  Any thread, and signal handlers."""
        self._posted.append(action)
        self.waker.wake()

    def wake(self) -> None:
        """Let the leader look at what was left for it.  Any thread."""
        self.waker.wake()

    def request_stop(self, graceful: float, idle: float = 0.0) -> None:
        """Begin to stop; returns at once.  Any thread, and signal handlers.

        :param graceful: seconds that running requests may take; 0: none.
        :param idle: seconds for which idle connections may bring one more request.
        """
        self.post(lambda: self._stop(graceful, idle))

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
        if self.housekeeper.resting:
            self.housekeeper.rouse(now)
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

    def admit(
        self,
        sock: socket.socket,
        address: Any,
        template: dict[str, Any],
        *,
        greeted: bool = False,
    ) -> None:
        """Make a connection of an accepted socket.

        :param greeted: a proxy has said already whom it is from.
        """
        # The prefix is that of an IPv4 client on a dual-stack socket.
        peer = address[0].removeprefix("::ffff:") if isinstance(address, tuple) else "unix:"
        if self.greetings is not None and not greeted and self.greetings.are_due_from(peer):
            self.greetings.begin(sock, address, template)
            return
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
                end = self._secured(sock, self.tls)
                deadline = self.now + self.settings.handshake_timeout
        except OSError:  # gone again already
            sock.close()
            return
        self.tally.accepted = number = self.tally.accepted + 1
        connection = Connection(self, end, number, peer, template)
        connection.deadline = deadline
        self.connections[connection.fd] = self.sources[connection.fd] = connection
        self.place.set_connections(len(self.connections))
        self.place.note_peer(number, peer)
        if limit:
            self._per_address[peer] = self._per_address.get(peer, 0) + 1
        self.poller.register(connection.fd, READ)
        self.deadlines.watch(connection)

    def forget(self, connection: ClosingChannel) -> None:
        """A connection was closed."""
        full = len(self.connections) >= self.settings.limit_connections
        del self.connections[connection.fd], self.sources[connection.fd]
        self.place.set_connections(len(self.connections))
        self.end_sending(connection)
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

    def begin_sending(self, connection: ClosingChannel, exchange: Exchange) -> None:
        """Show that a response waits for its client."""
        if connection not in self._sending:
            shown = self._sending[connection] = self.place.extra("sending")  # noqa: S610 - no SQL
            shown.enter(exchange, self.now)
            self.place.set_sending(len(self._sending))

    def end_sending(self, connection: ClosingChannel) -> None:
        """The client has the response, or will never have it."""
        shown = self._sending.pop(connection, None)
        if shown is not None:
            shown.free()
            self.place.set_sending(len(self._sending))

    def ask_to_be_replaced(self, reason: str, figures: str) -> None:
        """Say that this process should make room for another.

        :param reason: one of :data:`stein.snapshot.RESTART_REASONS`.
        :param figures: what there is to say about it in the log.
        """
        self.place.recycle = reason
        on_recycle, self._on_recycle = self._on_recycle, None
        if on_recycle is not None:
            on_recycle(f"{reason}: {figures}")

    # -- stopping -----------------------------------------------------------------------------

    def _stop(self, graceful: float, idle: float = 0.0) -> None:
        """Stop accepting, let running requests finish, then stop.  A second call cuts short."""
        if self.stopped:
            return
        self.draining = True
        self.place.state = "draining"
        self.idle_grace = min(idle, graceful)
        # First the connections: whoever sees the door closed can rely on the answers' saying so.
        for connection in list(self.connections.values()):
            connection.stop()
        for listener in self.listeners:
            listener.close()
        if self.greetings is not None:
            self.greetings.close()
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
        self.tally.publish(self.place)
        self.crew.stop()

    def close(self) -> None:
        """Give all descriptors back, once the crew has stopped.  The last thread."""
        for connection in list(self.connections.values()):
            connection.close()
        for listener in self.listeners:
            listener.close()
        if self.greetings is not None:
            self.greetings.close()
        self.poller.close()
        self.waker.close()
        self.tally.publish(self.place)
        self.place.state = "gone"
        self.place.leave()
        if self.board is not None:
            self.board.close()

    # -- pages of its own ---------------------------------------------------------------------

    def _own_pages(self) -> dict[str, Callable[[], Page]] | None:
        """What is answered here and never by the application, by its path."""
        pages: dict[str, Callable[[], Page]] = {}
        settings = self.settings
        if settings.health_path is not None:
            prefix = settings.health_path.rstrip("/")
            pages = {
                f"{prefix}/livez": lambda: ("200 OK", _PLAIN, ""),
                f"{prefix}/readyz": lambda: (self._readiness(), _PLAIN, ""),
            }
        metrics = self._metrics
        if settings.metrics_path is not None and metrics is not None:
            pages[settings.metrics_path] = lambda: ("200 OK", _METRICS, metrics())
        return pages or None

    def _readiness(self) -> str:
        """Ready to take requests: this process, or another behind the same address."""
        if self.neighbours is not None and self.neighbours.any_ready():
            return "200 OK"
        waiting = self.crew.waiting
        patience = self.settings.unready_after
        saturated = len(waiting) > 0 and self.now - waiting.since >= patience
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
