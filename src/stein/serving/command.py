"""The command ``stein``.

Exit codes: 0 after a stop that was asked for; 1 if the application cannot be loaded, or if the
single thread did not come back from a request in time to stop; 2 for a
mistake on the command line, in the environment or in a file that a setting names.  An error is
one line on standard error; only an exception of the user's own code brings its traceback along.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Final, NoReturn

import click

import stein
from stein.errors import ApplicationNotFound, ConfigurationError, SteinError
from stein.server import Server
from stein.server.apploader import load_application, user_traceback
from stein.serving.banner import banner
from stein.serving.load import Given, load_settings, suspicious_names
from stein.serving.logs import configure_error_log, make_access_log, may_colour
from stein.serving.options import SettingsCommand, given_flags

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from stein.observe.accesslog import AccessLog
    from stein.server.settings import Settings
    from stein.typing import WSGIApplication

__all__ = ["cli", "main", "serve"]

#: seconds that the server has to notice the end of a graceful stop by itself
GRACE_OF_GRACE: Final = 1.0

#: More descriptors than this no server here can use, while some programs that an application
#: starts close every number up to the limit, one by one.
MOST_FILES: Final = 1 << 20

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = "5000"


def main(prog_name: str | None = None, args: Sequence[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit code.

    :param prog_name: the name in messages; the program's own by default.
    :param args: the arguments; those of the process by default.
    :raises SystemExit: always.
    """
    try:
        code = cli.main(
            args=None if args is None else list(args), prog_name=prog_name, standalone_mode=False
        )
    except ApplicationNotFound as error:
        if error.__cause__ is not None:
            click.echo(user_traceback(error), err=True, nl=False)
        complain(error)
        sys.exit(1)
    except SteinError as error:
        complain(error)
        sys.exit(2)
    except click.ClickException as error:
        complain(f"{error.format_message()} (stein serve --help shows what there is)")
        sys.exit(2)
    except click.Abort:  # Ctrl-C before the server ran
        sys.exit(128 + signal.SIGINT)
    sys.exit(code if isinstance(code, int) else 0)


def complain(error: object) -> None:
    """Write an error as one line."""
    click.echo(f"stein: error: {' '.join(str(error).split())}", err=True)


def version_text() -> str:
    """Return what ``--version`` prints."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"stein {stein.__version__} ({python})"


def print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
    """Print the version and leave, if the flag was given."""
    if value and not ctx.resilient_parsing:
        click.echo(version_text())
        ctx.exit()


def version_option() -> click.Option:
    """Return a ``--version`` flag."""
    return click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=print_version,
        help="Show the version and exit.",
    )


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


@contextmanager
def signals_to(server: Server, access_log: AccessLog | None) -> Iterator[None]:
    """Turn signals into requests to the server; the handlers only enqueue."""
    interrupts = 0
    orders: SimpleQueue[float | None] = SimpleQueue()  # its put() is made for signal handlers
    Thread(target=see_to_the_end, args=(orders,), name="stein-stop", daemon=True).start()

    def stop(graceful: float) -> None:
        server.request_stop(graceful)
        orders.put(graceful)

    def terminate(_number: int, _frame: FrameType | None) -> None:
        stop(server.settings.graceful_timeout)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupts
        interrupts += 1
        stop(server.settings.graceful_timeout if interrupts == 1 else 0.0)

    def reopen(_number: int, _frame: FrameType | None) -> None:
        if access_log is not None:
            access_log.reopen()

    wanted = {"SIGTERM": terminate, "SIGINT": interrupt, "SIGUSR1": reopen}
    numbers = {
        getattr(signal, name): handler for name, handler in wanted.items() if hasattr(signal, name)
    }
    old = {number: signal.signal(number, handler) for number, handler in numbers.items()}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        orders.put(None)


def see_to_the_end(orders: SimpleQueue[float | None]) -> None:
    """End the process if it has not stopped in the time that it was given.

    With one thread nothing else can: the thread that would notice is inside the request.

    :param orders: the seconds that each stop allows; ``None`` once the server has stopped.
    """
    graceful = orders.get()
    while graceful is not None:
        try:
            graceful = orders.get(timeout=graceful + GRACE_OF_GRACE)
        except Empty:
            click.echo("stein: a request did not end in time; leaving without it", err=True)
            os._exit(1)


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


@click.group(
    invoke_without_command=True,
    params=[version_option()],
    context_settings={"max_content_width": 100},
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """One Python package that carries a web request from the socket to the view function."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


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


cli.add_command(SettingsCommand("serve", callback=serve, params=further_params()))
