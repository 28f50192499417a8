"""``stein serve``: the server, with a flag for each of its settings."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import click

from stein.errors import ConfigurationError
from stein.server import Server
from stein.server.apploader import load_application
from stein.serving.banner import banner
from stein.serving.load import Given, load_settings, suspicious_names
from stein.serving.logs import configure_error_log, make_access_log, may_colour
from stein.serving.options import SettingsCommand, given_flags
from stein.serving.signals import signals_to
from stein.serving.version import version_option

if TYPE_CHECKING:
    from stein.observe.accesslog import AccessLog
    from stein.server.settings import Settings
    from stein.typing import WSGIApplication

__all__ = ["address_from", "serve", "serve_command"]

#: More descriptors than this no server here can use, while some programs that an application
#: starts close every number up to the limit, one by one.
MOST_FILES: Final = 1 << 20

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = "5000"


def serve(
    target: str,
    app_dir: str | None,
    host: str | None,
    port: str | None,
    **params: str | tuple[str, ...] | None,
) -> None:
    """Serve the WSGI application APP until told to stop.

    APP is module:attribute, module:factory('literal arguments'), path/to/file.py[:attribute], or
    a module alone, in which application, app, create_app() and make_app() are looked for.

    Ctrl-C or SIGTERM stop gracefully, a second Ctrl-C at once; SIGUSR1 opens the access log's
    file anew.  Every setting can also be given as an environment variable; the names are below.
    Sizes may be written 64k, 2MiB; times 30, 500ms, 2m.
    """
    flags = given_flags(params)
    address = address_from(host, port)
    if address is not None:
        if "bind" in flags:
            message = f"{address.source} and --bind both say where to listen; use --bind alone"
            raise ConfigurationError(message)
        flags["bind"] = address
    settings = load_settings(flags, os.environ).settings
    for wrong, meant in suspicious_names(os.environ).items():
        click.echo(f"stein: warning: {wrong} is no setting; did you mean {meant}?", err=True)
    application = load_application(target, app_dir)
    configure_error_log(settings.log_level)
    raise_file_limit()
    access_log = make_access_log(settings, os.environ)
    try:
        run(application, settings, access_log, target)
    finally:
        if access_log is not None:
            access_log.close()


def address_from(host: str | None, port: str | None) -> Given | None:
    """Return the address that ``--host`` and ``--port`` give, or None if neither was given."""
    if host is None and port is None:
        return None
    if port is not None and not (port.isascii() and port.isdigit() and int(port) <= 0xFFFF):
        message = f"--port {port}: must be a number from 0 to 65535"
        raise ConfigurationError(message)
    name = DEFAULT_HOST if host is None else host
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    source = " and ".join(
        flag for flag, value in (("--host", host), ("--port", port)) if value is not None
    )
    return Given(source, (f"{name}:{port or DEFAULT_PORT}",))


def run(
    application: WSGIApplication, settings: Settings, access_log: AccessLog | None, target: str
) -> None:
    """Start the server, say so, and serve until it has stopped."""
    # PERF: the bound method; calling the log object itself costs 40 ns more per request.
    observer = None if access_log is None else access_log.observe
    server = Server(application, settings, observer=observer)
    with signals_to(server, access_log):
        server.start()
        colour = may_colour(sys.stderr, os.environ)
        click.echo(banner(settings, server.addresses, target, colour=colour), err=True, nl=False)
        server.serve()


def raise_file_limit() -> None:
    """Allow as many open files as the system does: each connection is one.

    The soft limit is a courtesy to programs that use select(), which this server does not.
    """
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return  # macOS allows less than it says; the soft limit stays


def further_params() -> list[click.Parameter]:
    """Return what ``serve`` takes besides the settings."""
    return [
        click.Argument(["target"], metavar="APP"),
        click.Option(
            ["--app-dir"],
            metavar="DIR",
            help="Where APP is imported from, put first on the import path.  [default: here]",
        ),
        click.Option(
            ["--host"],
            metavar="HOST",
            help=f"Short for --bind HOST:{DEFAULT_PORT}; goes with --port.",
        ),
        click.Option(
            ["--port", "-p"],
            metavar="PORT",
            help=f"Short for --bind {DEFAULT_HOST}:PORT; 0 takes a free one.",
        ),
        version_option(),
    ]


serve_command: Final = SettingsCommand("serve", callback=serve, params=further_params())
