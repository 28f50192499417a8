"""``python -m stein.serving APP``: any WSGI application on the development server."""

# ruff: noqa: FBT001 - click gives every value by name

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from stein.serving.command import run
from stein.serving.reloader import child
from stein.serving.run import run_simple
from stein.serving.version import version_option

if TYPE_CHECKING:
    from stein.typing import WSGIApplication

__all__ = ["main"]


@click.command("stein.serving", params=[version_option()])
@click.argument("target", metavar="APP")
@click.option("--host", "-h", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port", "-p", type=click.IntRange(0, 0xFFFF), default=5000, show_default=True,
    help="The port to listen on; 0 takes a free one.",
)  # fmt: skip
@click.option("--debug", is_flag=True, help="Reload, and show errors in the browser.")
@click.option("--reload/--no-reload", default=None, help="Start anew when code changes.")
@click.option("--debugger/--no-debugger", default=None, help="Show errors in the browser.")
@click.option("--live", is_flag=True, help="Let browsers show pages anew after a change.")
@click.option("--show-watched", is_flag=True, help="Tell which folders are watched, and how.")
@click.option("--without-threads", is_flag=True, help="One request at a time.")
@click.option(
    "--processes", type=click.IntRange(min=1), default=1, metavar="N",
    help="N processes, one request at a time in each.",
)  # fmt: skip
@click.option("--cert", metavar="FILE", help="Speak HTTPS with this certificate, or with 'adhoc'.")
@click.option("--key", metavar="FILE", help="The certificate's key, if it has a file of its own.")
@click.option(
    "--static", multiple=True, metavar="URL=FOLDER", help="Show the files of a folder under a URL."
)
@click.option("--app-dir", metavar="DIR", help="Where APP is imported from.  [default: here]")
def command(  # noqa: PLR0913, PLR0917 - an argument for every option
    target: str,
    host: str,
    port: int,
    debug: bool,
    reload: bool | None,
    debugger: bool | None,
    live: bool,
    show_watched: bool,
    without_threads: bool,
    processes: int,
    cert: str | None,
    key: str | None,
    static: tuple[str, ...],
    app_dir: str | None,
) -> None:
    """Serve the WSGI application APP while you work on it.

    APP is written as for 'stein serve': module:attribute, or a file. That command is the same
    server, with the settings which production needs.
    """
    folders = dict(map(static_folder, static))
    use_reloader = (debug or live) if reload is None else reload
    application = unloaded if use_reloader and not child.is_child() else load(target, app_dir)
    run_simple(
        host, port, application, use_reloader=use_reloader,
        use_debugger=debug if debugger is None else debugger,
        threaded=not without_threads and processes == 1, processes=processes,
        ssl_context=cert if key is None or cert is None else (cert, key),
        static_files=folders, live_reload=live,
        show_watched=show_watched,
    )  # fmt: skip


def unloaded(_environ: object, _start_response: object) -> list[bytes]:
    """Stand for the application in a process that holds the socket and never calls it."""
    raise NotImplementedError


def load(target: str, app_dir: str | None) -> WSGIApplication:
    """Import the application."""
    from stein.server.apploader import load_application  # noqa: PLC0415 - not under --help

    return load_application(target, app_dir)


def static_folder(text: str) -> tuple[str, str]:
    """Split ``URL=FOLDER``."""
    url, sign, folder = text.partition("=")
    if not (url and sign and folder):
        message = f"{text!r} must read URL=FOLDER, e.g. /static=static"
        raise click.BadParameter(message, param_hint="--static")
    return url, folder


def main() -> None:
    """Run the command."""
    run(command, sys.argv[1:] or ["--help"], PROGRAM)


PROGRAM: Final = "python -m stein.serving"

if __name__ == "__main__":
    main()
