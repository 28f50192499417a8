"""``run_simple``: an application on this machine, while it is developed.

It has Werkzeug's signature and our server, the one of production; see
:mod:`stein.serving.devserver` for the objects behind it.
"""

# ruff: noqa: FBT001, FBT002 - Werkzeug's signature

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from stein.bequest import given
from stein.errors import BindError, SteinError
from stein.serving.announcement import announce
from stein.serving.devserver import make_server
from stein.serving.reloader import child
from stein.serving.reloader.link import is_orphan
from stein.serving.reloader.live import without_questions
from stein.serving.reloader.options import ReloadOptions
from stein.web.environment import is_running_from_reloader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stein.serving.devserver import BaseWSGIServer
    from stein.serving.devsettings import TLS
    from stein.serving.requesthandler import WSGIRequestHandler
    from stein.toolkit.debugger import DebuggedApplication
    from stein.typing import WSGIApplication

__all__ = ["is_running_from_reloader", "make_server", "run_simple"]

#: How a listening socket reaches the process that a reloader starts.
DESCRIPTOR: Final = "WERKZEUG_SERVER_FD"

#: The name in :mod:`stein.bequest` of a certificate that was made on the spot, with its key.
CERTIFICATE: Final = "certificate"


def run_simple(  # noqa: PLR0913, PLR0917 - Werkzeug's signature
    hostname: str,
    port: int,
    application: WSGIApplication,
    use_reloader: bool = False,
    use_debugger: bool = False,
    use_evalex: bool = True,
    extra_files: Iterable[str] | None = None,
    exclude_patterns: Iterable[str] | None = None,
    reloader_interval: float = 1,
    reloader_type: str = "auto",
    threaded: bool = False,
    processes: int = 1,
    request_handler: type[WSGIRequestHandler] | None = None,
    static_files: Mapping[str, str | tuple[str, str]] | None = None,
    passthrough_errors: bool = False,
    ssl_context: TLS = None,
    *,
    live_reload: bool = False,
    show_watched: bool = False,
) -> None:
    """Serve an application until Ctrl-C or SIGTERM.

    Settings of the server that have no parameter here are read from their variables, such as
    ``STEIN_ACCESS_LOG``.

    :param hostname: the address to listen on; ``""`` for all of this machine, ``unix://`` and a
        path for a Unix socket.
    :param port: 0 takes a free one.
    :param application: the WSGI application (PEP 3333).
    :param use_reloader: start anew when code changes.
    :param use_debugger: show errors in the browser.
    :param use_evalex: with the debugger, let its pages run code in the frames of an error.
    :param extra_files: further files for the reloader to watch.
    :param exclude_patterns: files that it does not watch, as patterns of :mod:`fnmatch`.
    :param reloader_interval: seconds between two looks at files that cannot be watched.
    :param reloader_type: ``auto``, or how to watch.
    :param threaded: answer several requests at once, each in a thread.
    :param processes: answer several requests at once, in so many processes.
    :param request_handler: a subclass of ``WSGIRequestHandler``; what it overrides is called.
    :param static_files: URL paths with the folders, or ``(package, path)``, that they show.
    :param passthrough_errors: let an exception of the application end the server, and raise it
        here; with a debugger it is shown in the browser first.
    :param ssl_context: speak HTTPS: with a context, with the files ``(certificate, key)``, with
        one file that holds both, or with ``"adhoc"``, a certificate made on the spot.
    :param live_reload: with the reloader, let browsers show pages anew when code, templates or
        static files have changed.
    :param show_watched: with the reloader, tell which folders are watched, and how.
    :raises ValueError: both threads and processes are asked for.
    :raises SystemExit: with code 1 if it cannot start, after one line on standard error.
    """
    if not isinstance(port, int):
        raise TypeError(f"port must be an integer, not {port!r}")
    if static_files:
        # Few programs have any.
        from stein.toolkit.middleware.shared_data import SharedDataMiddleware  # noqa: PLC0415

        application = SharedDataMiddleware(application, dict(static_files))
    debugger = debugged(application, hostname, evalex=use_evalex) if use_debugger else None
    try:
        options = None
        bequest: dict[str, str] = {}
        certificate = lasting(ssl_context, bequest)
        if use_reloader:
            if debugger is not None:
                from stein.toolkit.debugger.pin import for_children  # noqa: PLC0415 - as above

                bequest |= for_children()
            options = ReloadOptions(
                extra_files=tuple(extra_files or ()),
                exclude_patterns=tuple(exclude_patterns or ()),
                interval=reloader_interval, engine=reloader_type, live=live_reload,
                show_errors=use_debugger, show_watched=show_watched,
                bequest=bequest,
            )  # fmt: skip
        with inherited() as fd:
            server = make_server(
                hostname, port, debugger or application, threaded, processes, request_handler,
                passthrough_errors, certificate, fd,
            )  # fmt: skip
            os.environ[DESCRIPTOR] = str(server.fileno())
            if not is_running_from_reloader():
                announce(server, debug=use_debugger)
                if debugger is not None:
                    debugger.announce()
            if is_servant(options):
                serve_for_parent(server, live=live_reload)
            elif options is not None:
                reload(server, options)
            else:
                server.serve_until_stopped()
    except SteinError as error:
        click.echo(f"stein: error: {error}{hint(error, port)}", err=True)
        sys.exit(1)


def is_servant(options: ReloadOptions | None) -> bool:
    """Whether a parent waits for this server.

    Programs may switch the reloader off in the child, where it has its work done already.  A
    server in another thread is one beside the one that is waited for.
    """
    is_main = threading.current_thread() is threading.main_thread()
    return (is_main or options is not None) and child.is_child()


def serve_for_parent(server: BaseWSGIServer, *, live: bool) -> None:
    """Be the child of a reloader, and serve until it has another one, or until all is over.

    :param live: see :func:`run_simple`.
    :raises SystemExit: there is another one.
    """
    server.app = child.instrument(server.app, live=live)
    server.when_serving = child.notify_ready
    server.quieten = without_questions
    server.serve_until_stopped()
    child.leave_if_replaced()


def reload(server: BaseWSGIServer, options: ReloadOptions) -> None:
    """Be the parent that holds the socket.

    :raises SystemExit: when all is over.
    """
    with server:
        # Only the parent needs what watches files.
        from stein.serving.reloader.parent import supervise  # noqa: PLC0415

        sys.exit(supervise(server.settings, [server.socket], options, tls=server.ssl_context))


def lasting(ssl_context: TLS, bequest: dict[str, str]) -> TLS:
    """Return a context that outlasts a reload.

    A browser that was told to trust a certificate made on the spot would ask again for each.

    :param bequest: for the next process; the certificate is put in there.
    """
    if ssl_context != "adhoc":
        return ssl_context
    from stein.serving import certificates  # noqa: PLC0415 - slow, and seldom used

    pem = bequest[CERTIFICATE] = given.get(CERTIFICATE) or certificates.make_pem()
    return certificates.context_from(pem)


def debugged(application: WSGIApplication, hostname: str, *, evalex: bool) -> DebuggedApplication:
    """Return the application with errors shown in the browser.

    :param hostname: what the server is told to listen on: a host that may use the debugger.
    """
    # Seldom used, and never in production.
    from stein.toolkit.debugger import DebuggedApplication  # noqa: PLC0415

    wrapped = DebuggedApplication(application, evalex=evalex, bound_to=[hostname])
    wrapped.trusted_hosts.append(hostname)
    return wrapped


@contextmanager
def inherited() -> Iterator[int | None]:
    """Give the listening socket that a reloader has handed to this process, if it has.

    The variables outlive that: whatever the process starts, inherits them without the socket.
    """
    number = os.environ.get(DESCRIPTOR, "")
    is_given = is_running_from_reloader() and number.isdigit() and not is_orphan()
    fd = int(number) if is_given and is_listener(int(number)) else None
    try:
        yield fd
    finally:
        os.environ.pop(DESCRIPTOR, None)
        if fd is not None:
            os.close(fd)


def is_listener(number: int) -> bool:
    """Whether a descriptor is that of a socket which listens."""
    try:
        sock = socket.socket(fileno=number)
    except OSError:  # closed, or no socket
        return False
    try:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False
    finally:
        sock.detach()


def hint(error: SteinError, port: int) -> str:
    """Return what else may be said about an error."""
    if isinstance(error, BindError) and sys.platform == "darwin" and port == 5000:
        return " On macOS it may be the AirPlay Receiver (System Settings, AirDrop & Handoff)."
    return ""
