"""``stein serve``: the server, with a flag for each of its settings."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from stein.errors import ConfigurationError, Mistakes
from stein.server import Server
from stein.server.apploader import load_application
from stein.server.plan import Plan
from stein.server.privileges import drop
from stein.serving.banner import banner
from stein.serving.checking import check_application, faults_of, give_files
from stein.serving.configfile import is_gunicorn
from stein.serving.configuration import Wishes, configure
from stein.serving.files import raise_file_limit
from stein.serving.load import DEFAULT_HOST, DEFAULT_PORT, Given, suspicious_names
from stein.serving.logconfig import apply_log_config
from stein.serving.logs import configure_error_log, make_access_log, may_colour
from stein.serving.notify import Notifier, Watchdog
from stein.serving.observing import make_metrics, sending_metrics
from stein.serving.options import FOREIGN, UNKNOWN, SettingsCommand, given_flags
from stein.serving.printing import printed
from stein.serving.signals import signals_to
from stein.serving.version import version_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stein.observe.accesslog import AccessLog
    from stein.server.settings import Settings
    from stein.serving.configuration import Configuration
    from stein.typing import WSGIApplication

__all__ = ["serve", "serve_command"]

#: Settings that mean a parent process with workers if they are given.
SUPERVISED: Final = (
    "workers", "preload", "boot_timeout", "max_requests", "max_rss", "max_lifetime", "control",
    "pid_file", "on_start", "when_ready", "worker_start", "worker_exit", "user", "group",
)  # fmt: skip
#: Settings that are read at the start only, and not at a reload.
AT_START: Final = (
    "bind", "backlog", "reuse_port", "unix_mode", "user", "group", "control", "pid_file",
    "access_log_file", "error_log_file", "on_start", "when_ready", "worker_exit", "statsd",
    "statsd_prefix", "statsd_tags",
)  # fmt: skip

logger: Final = logging.getLogger("stein.error")


def serve(  # noqa: PLR0913, PLR0917 - one parameter for each flag that is no setting
    target: str | None,
    app_dir: str | None,
    host: str | None,
    port: str | None,
    config: str | None,
    chdir: str | None,
    check_config: bool,  # noqa: FBT001 - click's
    print_config: bool,  # noqa: FBT001 - click's
    **params: str | tuple[str, ...] | None,
) -> None:
    """Serve the WSGI application APP until told to stop.

    APP is module:attribute, module:factory('literal arguments'), path/to/file.py[:attribute], or
    a module alone, in which application, app, create_app() and make_app() are looked for.

    Every setting can be given as a flag, as an environment variable (the names are below), or in
    a configuration file, and goes before the next in this order. Sizes may be written 64k, 2MiB;
    times 30, 500ms, 2m. Flags and configuration files of gunicorn are understood.

    Ctrl-C or SIGTERM stop gracefully, a second Ctrl-C at once; SIGUSR1 opens the access log's
    file anew; with --workers, SIGHUP reloads the program, and stein reload, status, scale, stop
    and upgrade reach the server.
    """
    folder, meta = Path.cwd(), click.get_current_context().meta
    said = {"app": target, "app_dir": app_dir, "chdir": chdir}
    names = {"app": "APP", "app_dir": "--app-dir", "chdir": "--chdir"}
    wishes = Wishes(
        flags=given_flags(params),
        further={name: Given(names[name], (text,)) for name, text in said.items() if text},
        config=config,
        host=host,
        port=port,
        foreign=meta.get(FOREIGN, ()),
        mistakes=meta.get(UNKNOWN, ()),
    )
    environ = dict(os.environ)  # before the configuration adds to it
    configuration = configure(wishes, environ, folder)
    for wrong, meant in suspicious_names(os.environ).items():
        click.echo(f"stein: warning: {wrong} is no setting; did you mean {meant}?", err=True)
    if print_config:
        click.echo(printed(configuration), nl=False)
        return
    for note in configuration.notes:
        click.echo(f"stein: note: {note}", err=True)
    application = enter(configuration)
    faults = faults_of(configuration)
    if faults:
        raise Mistakes(faults)
    if check_config:
        check_application(configuration, application)
        click.echo("stein: nothing is wrong with this configuration")
    elif wants_supervisor(configuration):
        sys.exit(serve_with_workers(application, configuration, wishes, (folder, environ)))
    else:
        serve_alone(application, configuration)


def enter(configuration: Configuration) -> str:
    """Go where the configuration says; return the application's name.

    :raises ConfigurationError: there is no such folder, or no application was named.
    """
    os.environ.update(configuration.variables)
    if configuration.chdir is not None:
        try:
            os.chdir(configuration.chdir)
        except OSError as error:
            given = configuration.further["chdir"]
            message = f"{given.source}: chdir={configuration.chdir!r}: {error.strerror}"
            raise ConfigurationError(message) from error
    if configuration.app is None:
        message = (
            'no application was named: stein serve module:app, or app = "module:app" in stein.toml'
        )
        raise ConfigurationError(message)
    return configuration.app


def wants_supervisor(configuration: Configuration) -> bool:
    """Whether something was given that only a parent process can see to."""
    if configuration.file is not None and is_gunicorn(configuration.file):
        return True  # whoever comes from there expects its signals
    if configuration.settings.worker_kind != "threads":
        return True
    return any(configuration.loaded.sources[name] != "default" for name in SUPERVISED)


def serve_with_workers(
    target: str,
    configuration: Configuration,
    wishes: Wishes,
    start: tuple[Path, Mapping[str, str]],
) -> int:
    """Serve with worker processes; return the exit code.

    :param start: the folder where the server was started, and the variables that were there.
    """
    # One process alone does without.
    from stein.serving.supervise import supervise  # noqa: PLC0415 - see above

    folder, environ = start

    def reread() -> Plan:
        found = configure(wishes, environ, folder)
        old, new = configuration.settings, found.settings
        changed = [name for name in AT_START if getattr(old, name) != getattr(new, name)]
        if changed:
            logger.warning(
                "%s: read at the start only; stein upgrade, or a restart, changes it",
                ", ".join(changed),
            )
        # What the first configuration has put there is in the parent's environment for good.
        variables = {name: environ.get(name) for name in configuration.variables}
        return plan_of(found, found.app or target, {**variables, **found.variables})

    give_files(configuration.settings)
    return supervise(
        plan_of(configuration, target),
        reread=reread,
        notify=Notifier(os.environ),
        note=configuration.sizing,
        folder=str(folder),
    )


def plan_of(
    configuration: Configuration, target: str, variables: Mapping[str, str | None] | None = None
) -> Plan:
    """Return what workers run.

    :param variables: by which their environment differs from the parent's.
    """
    settings, app_dir = configuration.settings, configuration.app_dir
    return Plan(settings, target, app_dir, tuple(sys.argv), variables or {})


def serve_alone(target: str, configuration: Configuration) -> None:
    """Serve with this process."""
    settings = configuration.settings
    drop(settings, None)
    apply_log_config(settings.log_config, configuration.app_dir)
    application = load_application(target, configuration.app_dir)
    configure_error_log(settings.log_level, settings.error_log_file)
    raise_file_limit()
    access_log = make_access_log(settings, os.environ)
    try:
        run(application, settings, access_log, target)
    finally:
        if access_log is not None:
            access_log.close()


def run(
    application: WSGIApplication, settings: Settings, access_log: AccessLog | None, target: str
) -> None:
    """Start the server, say so, and serve until it has stopped."""
    # PERF: the bound method; calling the log object itself costs 40 ns more per request.
    observer = None if access_log is None else access_log.observe
    metrics = make_metrics(settings)
    server = Server(application, settings, observer=observer, metrics=metrics, name=target)
    notifier = Notifier(os.environ)
    with signals_to(Notified(server, notifier), access_log):
        server.start()
        colour = may_colour(sys.stderr, os.environ)
        click.echo(banner(settings, server.addresses, target, colour=colour), err=True, nl=False)
        notifier(f"READY=1\nMAINPID={os.getpid()}")
        with Watchdog(notifier), sending_metrics(settings, server.board.read):
            server.serve()


class Notified:
    """A server whose service manager is told when it begins to stop."""

    def __init__(self, server: Server, notifier: Notifier) -> None:
        self.settings = server.settings
        self._server = server
        self._notifier = notifier

    def request_stop(self, graceful: float) -> None:
        """Begin to stop, and return at once."""
        self._notifier("STOPPING=1")
        self._server.request_stop(graceful)


def further_params() -> list[click.Parameter]:
    """Return what ``serve`` takes besides the settings."""
    return [
        click.Argument(["target"], metavar="APP", required=False),
        click.Option(
            ["--config", "-c"],
            metavar="FILE",
            help="Configuration: stein.toml, a Python file, or gunicorn.conf.py; off: none.  "
            "[default: stein.toml, if it is here; STEIN_CONFIG]",
        ),
        click.Option(
            ["--check-config"],
            is_flag=True,
            help="Look for mistakes, import APP, and leave: with 0 if all is well.",
        ),
        click.Option(
            ["--print-config"],
            is_flag=True,
            help="Show every setting with its value and where that came from, and leave.",
        ),
        click.Option(
            ["--chdir"], metavar="DIR", help="Go there before anything else.  [STEIN_CHDIR]"
        ),
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
