"""``shell``: an interactive Python in the context of the application."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from stein.web.cli.options import late_app_option
from stein.web.cli.script import with_appcontext
from stein.web.globals import current_app

__all__ = ["shell_command"]


@click.command("shell", short_help="Run a shell in the app context.")
@with_appcontext
def shell_command() -> None:
    """Start an interactive Python in which the application is there already.

    The names app and g are set, and what functions marked with app.shell_context_processor add.
    """
    import code  # noqa: PLC0415 - for this command only

    names: dict[str, Any] = {}
    run_startup_file(names)
    names.update(current_app.make_shell_context())
    complete_names(names)
    code.interact(banner=banner(), local=names, exitmsg="")


def banner() -> str:
    """Return what is said at the start."""
    return (
        f"Python {sys.version} on {sys.platform}\n"
        f"App: {current_app.import_name}\n"
        f"Instance: {current_app.instance_path}"
    )


def run_startup_file(names: dict[str, Any]) -> None:
    """Run the user's ``PYTHONSTARTUP``, as every interactive Python does."""
    name = os.environ.get("PYTHONSTARTUP")
    if name and Path(name).is_file():
        source = Path(name).read_bytes()  # bytes: the file may declare its encoding
        exec(compile(source, name, "exec"), names)  # noqa: S102 - the user's own file


def complete_names(names: dict[str, Any]) -> None:
    """Let the tab key complete the names of this shell, and keep its history."""
    # site sets it, and a user's sitecustomize may replace it.
    hook = getattr(sys, "__interactivehook__", None)
    if hook is None:
        return
    try:
        import readline  # noqa: PLC0415 - there is none on Windows
        from rlcompleter import Completer  # noqa: PLC0415
    except ImportError:
        pass
    else:
        # Otherwise it would know what __main__ has, which is the command's program.
        readline.set_completer(Completer(names).complete)
    hook()


shell_command.params.insert(0, late_app_option)
