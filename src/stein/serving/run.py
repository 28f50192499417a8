"""``run_simple`` and ``make_server``: an application on this machine, while it is developed.

They have Werkzeug's signatures and our server.  What Werkzeug's server does besides, and ours does
not yet, is told in one line when somebody asks for it; it is never pretended.
"""

# ruff: noqa: FBT001, FBT002 - Werkzeug's signatures

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import sys
import threading
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias

import click

import stein
from stein.errors import BindError, CertificateError, ConfigurationError
from stein.server import Server
from stein.serving.load import Given, load_settings
from stein.serving.logs import configure_error_log, make_access_log, may_colour
from stein.serving.serve import address_from
from stein.serving.signals import signals_to
from stein.web.environment import is_running_from_reloader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from stein.server.settings import Settings
    from stein.typing import WSGIApplication

__all__ = ["DevelopmentServer", "is_running_from_reloader", "make_server", "run_simple"]

TLS: TypeAlias = ssl.SSLContext | tuple[str, str | None] | Literal["adhoc"] | None

#: A stop should not wait for the stream that a browser still has open.
GRACE: Final = "1s"


def run_simple(  # noqa: PLR0913, PLR0917 - Werkzeug's signature
    hostname: str,
    port: int,
    application: WSGIApplication,
    use_reloader: bool = False,
    use_debugger: bool = False,
    use_evalex: bool = True,
    extra_files: Iterable[str] | None = None,
    exclude_patterns: Iterable[str] | None = None,
    reloader_interval: int = 1,
    reloader_type: str = "auto",
    threaded: bool = False,
    processes: int = 1,
    request_handler: type[Any] | None = None,
    static_files: Mapping[str, str | tuple[str, str]] | None = None,
    passthrough_errors: bool = False,
    ssl_context: TLS = None,
) -> None:
    """Serve an application until Ctrl-C or SIGTERM.

    Settings of the server that have no parameter here are read from their variables, such as
    ``STEIN_ACCESS_LOG``.  There is no reloader and no debugger yet: if they are asked for, a line
    says that they are missing, and the parameters that are about them are ignored.

    :param hostname: the address to listen on; ``""`` for all of this machine, ``unix://`` and a
        path for a Unix socket.
    :param port: 0 takes a free one.
    :param application: the WSGI application (PEP 3333).
    :param use_reloader: start anew when code changes; not there yet.
    :param use_debugger: show errors in the browser; not there yet.
    :param use_evalex: run code in the debugger's page.
    :param extra_files: further files to watch.
    :param exclude_patterns: files not to watch.
    :param reloader_interval: seconds between two looks at the files.
    :param reloader_type: how to look at them.
    :param threaded: answer several requests at once, in threads.
    :param processes: how many processes; only 1 works today.
    :param request_handler: ignored: it would be a class of another server.
    :param static_files: URL paths with the folders, or ``(package, path)``, that they show.
    :param passthrough_errors: let exceptions end the server; not there yet.
    :param ssl_context: speak HTTPS: with a context, with the files ``(certificate, key)``, or with
        ``"adhoc"``, a certificate made on the spot.
    :raises ValueError: both threads and processes are asked for.
    :raises SystemExit: with code 1 if it cannot start, after one line on standard error.
    """
    # About the reloader's and the debugger's details there is nothing to say without these two.
    del use_evalex, extra_files, exclude_patterns, reloader_interval, reloader_type
    if not isinstance(port, int):
        raise TypeError(f"port must be a whole number, not {port!r}")  # Werkzeug's answer as well
    if static_files:
        # Few programs have any.
        from stein.toolkit.middleware.shared_data import SharedDataMiddleware  # noqa: PLC0415

        application = SharedDataMiddleware(application, dict(static_files))
    missing = [
        name
        for name, wanted in (
            ("reloader", use_reloader),
            ("debugger", use_debugger),
            (f"{processes} processes", processes > 1),
            (f"request handler {getattr(request_handler, '__name__', '')}", request_handler),
            ("passing errors through", passthrough_errors),
        )
        if wanted
    ]
    try:
        settings, context = settings_for(hostname, port, threaded, processes, ssl_context)
        serve_until_stopped(application, settings, context, missing)
    except ConfigurationError as error:
        click.echo(f"stein: error: {error}{hint(error, port)}", err=True)
        sys.exit(1)


def hint(error: ConfigurationError, port: int) -> str:
    """Return what else may be said about an error."""
    if isinstance(error, BindError) and sys.platform == "darwin" and port == 5000:
        return " On macOS it may be the AirPlay Receiver (System Settings, AirDrop & Handoff)."
    return ""


def settings_for(
    hostname: str, port: int, threaded: bool, processes: int, ssl_context: TLS
) -> tuple[Settings, ssl.SSLContext | None]:
    """Return what the server is told, and its TLS context if it is none of files.

    :raises ConfigurationError: something of it cannot work.
    """
    if threaded and processes > 1:
        message = f"threaded=True and processes={processes}: it can be one of the two only"
        raise ValueError(message)
    flags = {"bind": address_of(hostname, port)}
    if not threaded:
        flags["threads"] = Given("threaded=False", ("1",))
    if not os.environ.get("STEIN_GRACEFUL_TIMEOUT"):
        flags["graceful_timeout"] = Given("run_simple", (GRACE,))
    context = None
    if ssl_context == "adhoc":
        # Slow to import, and seldom used.
        from stein.serving.certificates import generate_adhoc_ssl_context  # noqa: PLC0415

        context = generate_adhoc_ssl_context()
    elif isinstance(ssl_context, tuple):
        certfile, *keyfile = ssl_context
        flags["certfile"] = Given("ssl_context", (os.fspath(certfile),))
        if keyfile and keyfile[0] is not None:
            flags["keyfile"] = Given("ssl_context", (os.fspath(keyfile[0]),))
    elif isinstance(ssl_context, ssl.SSLContext):
        context = ssl_context
    elif ssl_context is not None:
        message = (  # type: ignore[unreachable] # by callers without types
            f"ssl_context={ssl_context!r} is no ssl.SSLContext, no pair (certificate file, key "
            "file) and not 'adhoc'"
        )
        raise CertificateError(message)
    return load_settings(flags, os.environ).settings, context


def address_of(hostname: str, port: int) -> Given:
    """Return the address to listen on, as the settings write it."""
    if hostname.startswith("unix://"):
        return Given("hostname", (f"unix:{hostname.removeprefix('unix://')}",))
    if not 0 <= port <= 0xFFFF:
        raise BindError(f"port {port}: must be a number from 0 to 65535")
    given = address_from(hostname, str(port))
    assert given is not None  # noqa: S101 - for the type: it is None only without both
    return given


def serve_until_stopped(
    application: WSGIApplication,
    settings: Settings,
    context: ssl.SSLContext | None,
    missing: list[str],
) -> None:
    """Start the server, say so, and serve until it has stopped."""
    configure_error_log(settings.log_level)
    access_log = make_access_log(settings, os.environ)
    try:
        # PERF: the bound method; calling the log object itself costs 40 ns more per request.
        observer = None if access_log is None else access_log.observe
        server = Server(application, settings, observer=observer, tls=context)
        # Handlers can be set in the main thread only; elsewhere the program sees to the end.
        main = threading.current_thread() is threading.main_thread()
        with signals_to(server, access_log) if main else nullcontext():
            server.start()
            announce(server, missing)
            server.serve()
    finally:
        if access_log is not None:
            access_log.close()


# -- what is said at the start ------------------------------------------------------------------


def announce(server: Server, missing: list[str]) -> None:
    """Say where the server can be reached, and what it was asked for and has not."""
    strong = may_colour(sys.stderr, os.environ)
    count = server.settings.threads
    for url in reachable(server):
        click.echo(f" * Running on {click.style(url, bold=True) if strong else url}", err=True)
    threads = "1 thread, one request at a time" if count == 1 else f"{count} threads"
    click.echo(f"   stein {stein.__version__}, {threads}; press Ctrl-C to stop", err=True)
    if missing:
        names = " and ".join(missing)
        click.echo(
            f"   Asked for, but not there yet: {names}. Start again after a change; "
            "errors are shown here.",
            err=True,
        )


def reachable(server: Server) -> list[str]:
    """Return the addresses to type into a browser; for "all addresses" these and one in the net."""
    found = list(server.addresses)
    for url in server.addresses:
        scheme, _, rest = url.partition("://")
        host = rest.rpartition(":")[0].strip("[]")
        if host not in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
            continue
        found = [f"{scheme}://127.0.0.1:{server.port}"]
        outside = address_in_the_net()
        if outside and not ipaddress.ip_address(outside).is_loopback:
            found.append(f"{scheme}://{outside}:{server.port}")
    return found


def address_in_the_net() -> str | None:
    """Return the address of this machine by which others reach it, if there is one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing; the system only picks an address.
            # 192.0.2.0/24 belongs to nobody (RFC 5737).
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return None


# -- a server as an object ----------------------------------------------------------------------


class DevelopmentServer:
    """A server that a program starts and stops, with the face of :mod:`socketserver`.

    It listens from the beginning; as a context manager it is closed at the end.

    :param server: a server that has not been started.
    :raises BindError: it cannot listen on its address.
    """

    def __init__(self, server: Server) -> None:
        server.start()
        self.server = server
        self.host = server.host
        self.port = server.port

    @property
    def server_port(self) -> int:
        """The port that it listens on; 0 for a Unix socket."""
        return self.port

    @property
    def server_address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        return self.host, self.port

    def serve_forever(self, poll_interval: float = 0.5) -> None:  # noqa: ARG002 - socketserver's
        """Serve until :meth:`shutdown` is called, or Ctrl-C pressed."""
        self.server.serve()

    def shutdown(self) -> None:
        """Stop serving, and return when it has stopped.  For any thread but the server's own."""
        self.server.stop()

    def server_close(self) -> None:
        """Stop, and close all sockets."""
        self.server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server_close()


def make_server(  # noqa: PLR0913, PLR0917 - Werkzeug's signature
    host: str,
    port: int,
    app: WSGIApplication | None = None,
    threaded: bool = False,
    processes: int = 1,
    request_handler: type[Any] | None = None,
    passthrough_errors: bool = False,
    ssl_context: TLS = None,
    fd: int | None = None,
) -> DevelopmentServer:
    """Make a server for a test or a program of one's own; nothing is said and logged.

    :param host: see :func:`run_simple`, as for all parameters of the same name.
    :param port: as there.
    :param app: the WSGI application.
    :param threaded: as there.
    :param processes: as there.
    :param request_handler: as there: ignored.
    :param passthrough_errors: as there: not there yet.
    :param ssl_context: as there.
    :param fd: a listening socket of this process, to be used instead of host and port.
    :returns: a server that listens; call its ``serve_forever()``.
    :raises ConfigurationError: it cannot start.
    """
    del request_handler, passthrough_errors
    if app is None:
        raise TypeError("make_server() needs the application: make_server(host, port, app)")
    settings, context = settings_for(host, port, threaded, processes, ssl_context)
    if fd is not None:
        settings = replace(settings, bind=(f"fd:{fd}",))
    return DevelopmentServer(Server(app, settings, tls=context))
