"""The server as a program, a test or a command sees it."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any, Final, Self

from stein.errors import SteinError
from stein.server.engine import Engine
from stein.server.listeners import address_of, open_listeners
from stein.server.runtime import THREADS, Runtime
from stein.server.settings import Settings
from stein.server.stacks import all_stacks

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from stein.http.exchange import Exchange
    from stein.server.board import Board
    from stein.snapshot import Snapshot
    from stein.typing import WSGIApplication

__all__ = ["Server"]

_OURS: Final = __name__.partition(".")[0]
_DEEPEST: Final = 16  # layers of middleware that are looked through for a name
_JOIN: Final = 0.25  # seconds that threads get to notice the stop


class Server:
    """Serves one WSGI application.

    As a context manager it runs in threads of its own, which is what a test wants::

        with Server(app, port=0) as server:
            urllib.request.urlopen(server.url)

    A program calls :meth:`run`.

    :param application: the WSGI application (PEP 3333).
    :param settings: what it is told; the defaults if not given.
    :param port: listen on 127.0.0.1 at this port instead of on ``settings.bind``; 0: a free one.
    :param observer: called with the exchanges that have ended, one or a few at a time, by the
        thread that ended them.
    :param tls: a TLS context to use as it is, instead of one made from the settings.
    :param listeners: listening sockets to use instead of opening any; the server closes them.
    :param board: where the parent of several workers sees what each does; without it the server
        has one of its own, see :attr:`board`.
    :param place: this worker's place on the board; taken with :meth:`WorkerPlace.begin` here, if
        nobody has done so.
    :param on_recycle: called, once, with the reason why another process should take over.
    :param metrics: makes the page at ``metrics_path`` of what the board shows, as
        :func:`stein.observe.metrics.exposition` does; without it there is none.
    :param name: what the application is called where the server is shown; its own name if not
        given.
    :param runtime: what its threads are; the process has been prepared for it.
    :raises ConfigurationError: for settings that cannot work.
    """

    def __init__(  # noqa: PLR0913 - two for what it serves and how, the others for special cases
        self,
        application: WSGIApplication,
        settings: Settings | None = None,
        *,
        port: int | None = None,
        observer: Callable[[Sequence[Exchange]], None] | None = None,
        tls: ssl.SSLContext | None = None,
        listeners: Sequence[socket.socket] | None = None,
        board: Board | None = None,
        place: int = 0,
        on_recycle: Callable[[str], object] | None = None,
        metrics: Callable[[Snapshot], str] | None = None,
        name: str | None = None,
        runtime: Runtime = THREADS,
    ) -> None:
        self.application = application
        self._name = name
        self.settings = settings or Settings()
        self._bind = self.settings.bind if port is None else (f"127.0.0.1:{port}",)
        self._given = listeners
        self._shared_board = board
        self._place = place
        self._on_recycle = on_recycle
        self._metrics = metrics
        self._runtime = runtime
        self._observer = observer
        self._context = tls or context_for(self.settings)
        self._engine: Engine | None = None
        self._serving = False
        self._closing = threading.Lock()  # guards _closed, as several threads may stop
        self._closed = False
        # Guards the beginning of the engine's life.  Reentrant, as a signal handler that stops the
        # server may interrupt the very thread that starts it.
        self._beginning = threading.RLock()
        self._stop_wanted: tuple[float, float] | None = None  # before there was an engine
        self._alone: threading.Thread | None = None
        #: every address as a text: ``http://127.0.0.1:5000``, ``unix:/run/app.sock``
        self.addresses: list[str] = []
        self.host = ""
        self.port = 0

    @property
    def url(self) -> str:
        """The address of the first TCP listener, without a trailing slash."""
        return next((each for each in self.addresses if "://" in each), "")

    def start(self) -> None:
        """Bind every address and, with two threads or more, begin to serve.

        With ``threads=1`` connections are accepted from the moment :meth:`serve` is called.

        :raises BindError: an address cannot be listened on.
        """
        if self._engine is not None:
            message = "the server was started before; make a new one to serve again"
            raise SteinError(message)
        if self._given is None:
            listeners = open_listeners(self.settings, self._bind)
        else:
            listeners = list(self._given)
        scheme = "https" if self._context is not None else "http"
        self.addresses = [address_of(sock, scheme) for sock in listeners]
        for sock in listeners:
            name = sock.getsockname()
            if isinstance(name, tuple):
                self.host, self.port = name[:2]
                break
        board, place, neighbours = self._shared_board, None, None
        if board is not None:
            place = board.worker(self._place)
            neighbours = board.neighbours_of(place)
            if place.state == "free":
                place.begin(os.getpid(), seats=self.settings.threads)
        engine = Engine(
            self.application,
            self.settings,
            listeners,
            self._context,
            self._observer,
            place=place,
            neighbours=neighbours,
            on_recycle=self._on_recycle,
            metrics=None if self._metrics is None else self._metrics_text,
            runtime=self._runtime,
        )
        if engine.board is not None:
            engine.board.application = self._name or name_of(self.application)
        with self._beginning:
            self._engine = engine
            if self._stop_wanted is not None:
                engine.request_stop(*self._stop_wanted)
        engine.crew.start()

    @property
    def board(self) -> Board:
        """Where it can be read what the server does; once started."""
        board = self._shared_board or self._started().board
        assert board is not None  # noqa: S101 - an engine without a shared one has its own
        return board

    def _metrics_text(self) -> str:
        return "" if self._metrics is None else self._metrics(self.board.read())

    def stacks(self) -> str:
        """What each thread does at this moment, with its stack; once started.  Any thread."""
        return all_stacks(self._started())

    def serve(self) -> None:
        """Serve until the server is stopped.

        With ``threads=1`` the calling thread is the one that does everything.
        """
        engine = self._started()
        try:
            self._serving = True
            if self.settings.threads == 1:
                engine.crew.work_alone()
            else:
                self._wait(engine)
        except KeyboardInterrupt:
            # Ctrl-C where nobody handles the signal: this was the second one, or the single
            # thread was hit anywhere at all.
            engine.crew.abandon()
        self._close(engine)

    def _wait(self, engine: Engine) -> None:
        try:
            engine.crew.ended.wait()
        except KeyboardInterrupt:
            engine.request_stop(self.settings.graceful_timeout)
            engine.crew.ended.wait()

    wait = serve

    def run(self) -> None:
        """:meth:`start` and :meth:`serve`."""
        self._serving = True  # already now, for whoever stops it at once
        self.start()
        self.serve()

    def request_stop(
        self,
        graceful: float | None = None,
        idle: float = 0.0,
        begun: Callable[[], object] | None = None,
    ) -> None:
        """Begin to stop, and return at once.  Any thread, and signal handlers.

        :param graceful: seconds that running requests may take; ``graceful_timeout`` if not given.
        :param idle: seconds for which idle connections may bring one more request; it is answered,
            and the connection closed.  So no request meets a closed door while another process
            goes on serving; without it idle connections are closed at once.
        :param begun: called by a thread of the server once no connection is accepted any more.
        """
        if graceful is None:
            graceful = self.settings.graceful_timeout
        with self._beginning:
            if self._engine is None:
                self._stop_wanted = (graceful, idle)
            else:
                self._engine.request_stop(graceful, idle)
                if begun is not None:
                    self._engine.post(begun)

    def stop(self, graceful: float | None = None) -> None:
        """Stop, and return when the server has stopped.  Any thread but those of the crew.

        :param graceful: as in :meth:`request_stop`.
        """
        self.request_stop(graceful)
        engine = self._engine
        if engine is None:  # it will stop as soon as it has started
            return
        if self.settings.threads == 1 and not self._serving:
            self._close(engine)
            return
        engine.crew.ended.wait()
        if self._alone is not None:
            self._alone.join()
        else:
            self._close(engine)

    def _started(self) -> Engine:
        if self._engine is None:
            message = "the server was not started: call start() first"
            raise SteinError(message)
        return self._engine

    def _close(self, engine: Engine) -> None:
        engine.crew.join(_JOIN)
        with self._closing:
            if not self._closed:
                self._closed = True
                engine.close()

    def __enter__(self) -> Self:
        self.start()
        if self.settings.threads == 1:
            self._serving = True  # already now, for whoever stops it at once
            self._alone = threading.Thread(target=self.serve, name="stein-1", daemon=True)
            self._alone.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def context_for(settings: Settings) -> ssl.SSLContext | None:
    """The TLS context of the settings; ``None`` if they name no certificate.

    :raises CertificateError: it cannot be made.
    """
    if settings.certfile is None:
        return None
    from stein.server.tls import make_context  # noqa: PLC0415 - ssl takes 4 MB

    return make_context(settings)


def name_of(application: object) -> str:
    """Return what an application is called: a framework's own word for it, or ``module:name``.

    Of middleware and of the debugger it is what they are wrapped around.  A function of stein's own
    that hides what it calls has none.
    """
    inner: Any = application
    with contextlib.suppress(Exception):  # an attribute may be code of the user's
        for _ in range(_DEEPEST):
            if isinstance(getattr(inner, "name", None), str):
                return str(inner.name)
            further = getattr(inner, "app", None)
            if not callable(further):
                break
            inner = further
    named = inner if hasattr(inner, "__qualname__") else type(inner)
    if named.__module__.partition(".")[0] == _OURS:
        return ""
    return f"{named.__module__}:{named.__qualname__}"
