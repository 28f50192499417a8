"""``run``: serve the application while it is developed."""

# ruff: noqa: FBT001 - click gives every value by name

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import click

from stein.web.cli.certificates import CertParamType, validate_key
from stein.web.cli.options import Option, SeparatedPathType, debug_option, late_app_option
from stein.web.cli.script import ScriptInfo, pass_script_info
from stein.web.environment import get_debug_flag, is_running_from_reloader

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from stein.typing import Environ, StartResponse, WSGIApplication

__all__ = ["run_command", "show_server_banner"]


def show_server_banner(debug: bool | None, app_import_path: str | None) -> None:
    """Say which application will be served, and whether in debug mode.

    :param debug: ``None`` says nothing about it.
    :param app_import_path: how the application was named; ``None`` says nothing about it.
    """
    if is_running_from_reloader():  # the first process has said it
        return
    if app_import_path is not None:
        click.echo(f" * Serving app {app_import_path!r}")
    if debug is not None:
        click.echo(f" * Debug mode: {'on' if debug else 'off'}")


class RunCommand(click.Command):
    """A command that tells people where the application's name belongs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line; explain an application that stands where an option should."""
        given = [word for word in args if not word.startswith("-")]
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if type(error) is not click.UsageError or not given:
                raise
            path = ctx.command_path
            message = f"{error.message}. The application is named with --app: {path} --app "
            raise click.UsageError(f"{message}{given[-1]}", ctx) from None


def application_for(info: ScriptInfo, *, reloads: bool) -> WSGIApplication:
    """Load the application, in the process that serves it.

    The one that a reloader lives in runs nothing of the user's: an error there would end it, and
    nobody would watch for the change that mends it.

    :param reloads: whether there will be a reloader.
    """
    if reloads and not is_running_from_reloader():
        return not_here
    return info.load_app()


def not_here(_environ: Environ, _start_response: StartResponse) -> Iterable[bytes]:
    """Stand for the application where it is not loaded."""
    raise RuntimeError("the reloader serves no requests itself")


@click.command("run", cls=RunCommand, short_help="Run a development server.")
@click.option(
    "--host", "-h", cls=Option, default="127.0.0.1", help="The address to listen on.",
    show_default=True,
)  # fmt: skip
@click.option(
    "--port", "-p", cls=Option, default=5000, help="The port to listen on; 0 takes a free one.",
    show_default=True,
)  # fmt: skip
@click.option(
    "--cert", cls=Option, type=CertParamType(), is_eager=True,
    help="Speak HTTPS with this certificate: a file, adhoc (made on the spot, no browser trusts "
    "it), or the import path of an ssl.SSLContext.",
)  # fmt: skip
@click.option(
    "--key", cls=Option, type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    callback=validate_key, expose_value=False,
    help="The file with the certificate's private key.",
)  # fmt: skip
@click.option(
    "--reload/--no-reload", cls=Option, default=None,
    help="Start anew when code changes; by default in debug mode.",
)  # fmt: skip
@click.option(
    "--debugger/--no-debugger", cls=Option, default=None,
    help="Show errors in the browser; by default in debug mode.",
)  # fmt: skip
@click.option(
    "--with-threads/--without-threads", cls=Option, default=True,
    help="Answer several requests at once.",
)  # fmt: skip
@click.option(
    "--extra-files", cls=Option, default=None, type=SeparatedPathType(),
    help=f"Further files whose change makes it start anew, separated by {os.path.pathsep!r}.",
)  # fmt: skip
@click.option(
    "--exclude-patterns", cls=Option, default=None, type=SeparatedPathType(),
    help="Files whose change does not: patterns as in the shell, separated by "
    f"{os.path.pathsep!r}.",
)  # fmt: skip
@click.option(
    "--live", cls=Option, is_flag=True,
    help="Let browsers show a page anew when code, templates or static files change.",
)  # fmt: skip
@click.option(
    "--show-watched", cls=Option, is_flag=True,
    help="Tell which folders are watched for changes, and how.",
)  # fmt: skip
@pass_script_info
def run_command(  # noqa: PLR0913, PLR0917 - an argument for every option
    info: ScriptInfo,
    host: str,
    port: int,
    reload: bool | None,
    debugger: bool | None,
    with_threads: bool,
    cert: ssl.SSLContext | tuple[str, str | None] | Literal["adhoc"] | None,
    extra_files: list[str] | None,
    exclude_patterns: list[str] | None,
    live: bool,
    show_watched: bool,
) -> None:
    """Serve the application on this machine while you work on it.

    The server is the one of 'stein serve'; that command has the settings which production needs.
    """
    # Late: `--help` needs no server.
    from stein.web.running import run_simple  # noqa: PLC0415

    debug = get_debug_flag()
    reloads = debug if reload is None else reload
    app = application_for(info, reloads=reloads)
    show_server_banner(debug, info.app_import_path)
    # Ours, and not Werkzeug's: not to be given to one who has put a function of his own in place.
    wishes = {"live_reload": live, "show_watched": show_watched}
    run_simple(
        host, port, app, use_reloader=reloads,
        use_debugger=debug if debugger is None else debugger, threaded=with_threads,
        ssl_context=cert, extra_files=extra_files, exclude_patterns=exclude_patterns,
        **{name: True for name, wanted in wishes.items() if wanted},
    )  # fmt: skip


run_command.params[:0] = [late_app_option, debug_option]
