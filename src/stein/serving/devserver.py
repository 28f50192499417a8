"""Server objects: what ``make_server`` gives, with Werkzeug's interface and our engine.

A server listens from the moment it is made, so that connections wait instead of being refused; it
answers while :meth:`~BaseWSGIServer.serve_forever` or :meth:`~BaseWSGIServer.handle_request`
runs.  There are three: with one thread, with a thread for each running call, with processes.
"""

# ruff: noqa: FBT001, FBT002, PLR0913, PLR0917 - Werkzeug's signatures

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from stein.server.listeners import close_listener, open_listeners
from stein.server.server import Server, name_of
from stein.serving.devlog import DevelopmentLog, say
from stein.serving.devsettings import TLS, context_of, settings_for
from stein.serving.lentsocket import LentSocket
from stein.serving.logs import configure_error_log
from stein.serving.passthrough import passing_through
from stein.serving.requesthandler import (
    LOGGING,
    ROAD,
    SOFTWARE,
    VERSION,
    WSGIRequestHandler,
    call_of,
    overrides,
    run,
    tell_handlers,
)
from stein.serving.signals import signals_to
from stein.serving.sockets import LISTEN_QUEUE, can_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

    from stein.http.exchange import Exchange
    from stein.server.settings import Settings
    from stein.typing import Environ, StartResponse, WSGIApplication

    Observer: TypeAlias = Callable[[Sequence[Exchange]], None]

__all__ = [
    "BaseWSGIServer",
    "ForkingMixIn",
    "ForkingWSGIServer",
    "ThreadedWSGIServer",
    "make_server",
]


class BaseWSGIServer:
    """A server that handles one request at a time, in the thread that serves.

    :param host: an address to listen on; ``unix://`` and a path for a Unix socket.
    :param port: 0 takes a free one.
    :param app: the WSGI application (PEP 3333); it may be replaced at any time.
    :param handler: a subclass of :class:`~stein.serving.requesthandler.WSGIRequestHandler`.
    :param passthrough_errors: let an exception of the application end the server, and raise it
        where the server was started.
    :param ssl_context: as in :func:`stein.serving.run.run_simple`.
    :param fd: a listening socket of this process to use instead of host and port; it stays the
        caller's, the server has a duplicate.
    :raises ConfigurationError: it cannot listen there, or the certificate cannot be used.
    """

    multithread = False
    multiprocess = False
    request_queue_size = LISTEN_QUEUE
    allow_reuse_address = True
    #: seconds that :meth:`handle_request` waits for a request; ``None``: for ever
    timeout: float | None = None
    processes = 1

    def __init__(
        self,
        host: str,
        port: int,
        app: WSGIApplication,
        handler: type[WSGIRequestHandler] | None = None,
        passthrough_errors: bool = False,
        ssl_context: TLS = None,
        fd: int | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.app = app
        self.passthrough_errors = passthrough_errors
        self.RequestHandlerClass = handler or WSGIRequestHandler
        self._server_version = SOFTWARE
        self.settings = self._settings(ssl_context, fd)
        self.ssl_context = context_of(self.settings, ssl_context)
        # A Unix socket's listener removes its file when it is closed.
        self.socket = self._listener() if fd is None else self._duplicate(fd)
        self.address_family = self.socket.family
        name = self.socket.getsockname()
        self.server_address = name[:2] if isinstance(name, tuple) else os.fsdecode(name)
        if isinstance(name, tuple):
            self.port = name[1]
        #: called with what stops it when it serves; a reloader wants to know
        self.when_serving: Callable[[Callable[[float], object]], object] | None = None
        #: given what is told of ended requests, gives what is told instead
        self.quieten: Callable[[Observer], Observer] = lambda observer: observer
        # what serves at the moment
        # Guards what follows; reentrant, as a signal handler may interrupt the thread that has it.
        self._changing = threading.RLock()
        self._stop: Callable[[float], object] | None = None
        self._stop_wanted: float | None = None
        self._serving_thread = 0
        self._idle = threading.Event()  #: nothing serves
        self._idle.set()
        self._passed: BaseException | None = None

    def _settings(self, ssl_context: TLS, fd: int | None) -> Settings:
        settings = settings_for(
            self.host, self.port, threads=self.multithread, processes=self.processes,
            ssl_context=ssl_context, fd=fd,
        )  # fmt: skip
        if overrides(self.RequestHandlerClass, VERSION):
            return replace(settings, server_header="")
        return settings

    def _listener(self) -> socket.socket:
        (listener,) = open_listeners(self.settings, self.settings.bind)
        return listener

    def _duplicate(self, fd: int) -> socket.socket:
        number = os.dup(fd)
        self.settings = replace(self.settings, bind=(f"fd:{number}",))
        try:
            return self._listener()
        except BaseException:  # it is nobody's yet
            os.close(number)
            raise

    # -- what it is ---------------------------------------------------------------------------

    @property
    def server_name(self) -> str:
        """The host that it listens on."""
        return self.host

    @property
    def server_port(self) -> int:
        """The port that it listens on."""
        return self.port

    def fileno(self) -> int:
        """Return the descriptor of the listening socket; -1 once it is closed."""
        return self.socket.fileno()

    @property
    def shutdown_signal(self) -> bool:
        """Whether the server is to stop; setting it does so after the requests under way."""
        return self._stop_wanted is not None

    @shutdown_signal.setter
    def shutdown_signal(self, wanted: bool) -> None:
        if wanted:
            self.request_stop()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.server_address}>"

    # -- serving ------------------------------------------------------------------------------

    def serve_forever(self, poll_interval: float = 0.5) -> None:  # noqa: ARG002 - socketserver's
        """Serve until :meth:`shutdown` is called or Ctrl-C pressed, then close.

        :param poll_interval: ignored: a stop is noticed at once.
        :raises Exception: what the application raised, with ``passthrough_errors``.
        """
        self._serve(signals=False)

    def serve_until_stopped(self) -> None:
        """Serve as a program: SIGTERM and Ctrl-C stop gracefully, a second Ctrl-C at once."""
        self._serve(signals=True)

    def _serve(self, *, signals: bool) -> None:
        # Handlers can be set in the main thread only; elsewhere the program sees to the end.
        signals = signals and threading.current_thread() is threading.main_thread()
        try:
            with DevelopmentLog(self.settings) as log:
                engine = self.make_engine([self.socket], self.observer(log))
                with signals_to(engine, log) if signals else nullcontext():
                    self.run_engine(engine)
        finally:
            self.server_close()
        self.raise_passed()

    def make_engine(
        self, listeners: list[socket.socket], observer: Observer, **settings: Any
    ) -> Server:
        """Make what serves, with some settings of its own.

        :param listeners: it will close them.
        :param observer: is told of requests that have ended.
        """
        configure_error_log(self.settings.log_level)
        return Server(
            self._application(), replace(self.settings, **settings), observer=observer,
            tls=self.ssl_context, listeners=listeners, name=name_of(self.app),
        )  # fmt: skip

    def run_engine(self, engine: Server) -> None:
        """Let it serve until it has stopped."""
        with self.stopping_by(engine.request_stop):
            engine.run()

    @contextmanager
    def stopping_by(self, stop: Callable[[float], object]) -> Iterator[None]:
        """Serve in the block, which ``stop`` ends."""
        with self._changing:
            self._stop = stop
            self._serving_thread = threading.get_ident()
            self._idle.clear()
            if self._stop_wanted is not None:
                stop(self._stop_wanted)
        if self.when_serving is not None:
            self.when_serving(stop)
        try:
            yield
        finally:
            with self._changing:
                self._stop = None
                self._serving_thread = 0
                self._idle.set()

    def handle_request(self) -> None:
        """Serve one request, and return when it has been answered.

        Further connections wait.  After :attr:`timeout` seconds without any it calls
        :meth:`handle_timeout` instead.
        """
        if self.timeout is not None and not select.select([self.socket], [], [], self.timeout)[0]:
            self.handle_timeout()
            return
        # The duplicate is the engine's to close.
        listener = socket.socket(fileno=os.dup(self.socket.fileno()))
        with DevelopmentLog(self.settings) as log:
            tell = self.observer(log)

            def observe(exchanges: Sequence[Exchange]) -> None:
                engine.request_stop()
                tell(exchanges)

            engine = self.make_engine([listener], observe, limit_connections=1, keep_alive=0.0)
            self.run_engine(engine)
        self.raise_passed()

    def handle_timeout(self) -> None:
        """Do something when :meth:`handle_request` has waited in vain; nothing here."""

    def raise_passed(self) -> None:
        """Raise what ``passthrough_errors`` has let pass, if anything."""
        passed, self._passed = self._passed, None
        if passed is not None:
            raise passed

    # -- what stands between the engine and the application ------------------------------------

    @property
    def protocol_version(self) -> str:
        """The version of HTTP that decides whether a connection outlives its answer.

        With one thread it is 1.0 unless the handler's class says otherwise, as with Werkzeug.
        """
        handler = self.RequestHandlerClass
        own = handler is not WSGIRequestHandler and "protocol_version" in vars(handler)
        if (self.multithread or self.multiprocess) and not own:
            return "HTTP/1.1"
        return handler.protocol_version

    def _application(self) -> WSGIApplication:
        """Return the application as the engine calls it."""
        handles = overrides(self.RequestHandlerClass, ROAD)
        old = self.protocol_version == "HTTP/1.0"
        passes = self.passthrough_errors
        multiprocess = self.multiprocess

        def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            call = call_of(start_response)
            if environ["PATH_INFO"][:2] == "//":
                # A path that begins like a host would be one to whoever redirects to it; Python's
                # own server does the same (gh-87389).
                environ["PATH_INFO"] = f"/{environ['PATH_INFO'].lstrip('/')}"
            environ["wsgi.multiprocess"] = multiprocess
            if not call.connection.is_tls:
                environ["werkzeug.socket"] = LentSocket(call.connection.sock)
            exchange = call.exchange
            if old:
                exchange.persistent = False
            if exchange.length < 0:  # taken off, as what the application reads has no chunks
                environ["HTTP_TRANSFER_ENCODING"] = "chunked"
            respond = partial(run, self) if handles else self.app
            if passes:
                return passing_through(self, respond, environ, start_response)
            return respond(environ, start_response)

        return application

    def observer(self, log: DevelopmentLog) -> Observer:
        """Return what is told of requests that have ended."""
        handler = self.RequestHandlerClass
        logs = overrides(handler, LOGGING)
        if not logs and not overrides(handler, ["connection_dropped"]):
            return self.quieten(log.observe)

        def observe(exchanges: Sequence[Exchange]) -> None:
            tell_handlers(self, exchanges, logs=logs)
            if not logs:
                log.observe(exchanges)

        return self.quieten(observe)

    def pass_on(self, error: BaseException) -> None:
        """Stop, and raise an exception where the server was started."""
        self._passed = self._passed or error
        self.request_stop()

    # -- stopping -----------------------------------------------------------------------------

    def request_stop(self, graceful: float | None = None) -> None:
        """Begin to stop, and return at once.  Any thread, and signal handlers.

        :param graceful: seconds that requests under way may take; one second by default.
        """
        if graceful is None:
            graceful = self.settings.graceful_timeout
        with self._changing:
            self._stop_wanted = graceful
            if self._stop is not None:
                self._stop(graceful)

    def shutdown(self) -> None:
        """Stop serving, and return when it has stopped.

        Any thread.  In a request it returns at once, since the server waits for the request; a
        server that is not serving yet will return from :meth:`serve_forever` immediately.
        """
        self.request_stop()
        name = threading.current_thread().name
        if not name.startswith("stein-") and threading.get_ident() != self._serving_thread:
            self._idle.wait()

    def server_close(self) -> None:
        """Close the listening socket.  Any thread, as often as one likes."""
        close_listener(self.socket)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        self.server_close()

    # -- the log ------------------------------------------------------------------------------

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - Werkzeug's signature
        """Log a message with the logger ``werkzeug``.

        :param type: a method of the logger: ``info``, ``error``.
        """
        say(type, message, *args)

    def log_startup(self) -> None:
        """Say where the server can be reached."""
        from stein.serving.announcement import announce  # noqa: PLC0415 - few programs call it

        announce(self)


class ThreadedWSGIServer(BaseWSGIServer):
    """A server that gives each running call a thread; connections that wait have none."""

    multithread = True


class ForkingMixIn:
    """A name that :mod:`socketserver` has; here there is nothing to mix in."""


class ForkingWSGIServer(BaseWSGIServer):
    """A server of several processes, each of which handles one request at a time.

    They are forked when the server begins to serve, share its listening socket, and take a
    connection when they are free.  One that dies leaves the others alone; see
    :mod:`stein.serving.forking`.

    :param processes: how many.
    :raises ValueError: this platform cannot fork.
    """

    multiprocess = True

    def __init__(
        self,
        host: str,
        port: int,
        app: WSGIApplication,
        processes: int = 40,
        handler: type[WSGIRequestHandler] | None = None,
        passthrough_errors: bool = False,
        ssl_context: TLS = None,
        fd: int | None = None,
    ) -> None:
        if not can_fork:
            raise ValueError("this platform cannot fork: use threaded=True instead of processes")
        self.processes = self.max_children = processes
        super().__init__(host, port, app, handler, passthrough_errors, ssl_context, fd)

    def _serve(self, *, signals: bool) -> None:
        from stein.serving.forking import serve_in_processes  # noqa: PLC0415 - seldom used

        try:
            serve_in_processes(self, self.processes, signals=signals)
        finally:
            self.server_close()


def make_server(
    host: str,
    port: int,
    app: WSGIApplication | None = None,
    threaded: bool = False,
    processes: int = 1,
    request_handler: type[WSGIRequestHandler] | None = None,
    passthrough_errors: bool = False,
    ssl_context: TLS = None,
    fd: int | None = None,
) -> BaseWSGIServer:
    """Make a server for a test or a program of one's own; it listens already.

    :param host: see :func:`stein.serving.run.run_simple`, as for all parameters of that name.
    :param fd: a listening socket of this process, to be used instead of host and port.
    :returns: a server; call its ``serve_forever()``.
    :raises ValueError: threads and processes are both asked for.
    :raises ConfigurationError: it cannot start.
    """
    if app is None:
        raise TypeError("make_server() needs the application: make_server(host, port, app)")
    if threaded and processes > 1:
        message = f"threaded=True and processes={processes}: it can be one of the two only"
        raise ValueError(message)
    if processes > 1:
        return ForkingWSGIServer(
            host, port, app, processes, request_handler, passthrough_errors, ssl_context, fd
        )
    kind = ThreadedWSGIServer if threaded else BaseWSGIServer
    return kind(host, port, app, request_handler, passthrough_errors, ssl_context, fd)
