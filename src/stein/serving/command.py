"""The command ``stein``: ``serve`` and its kin, the framework's commands, the application's.

Exit codes: 0 after a stop that was asked for; 1 if the application cannot be loaded, if a command
of it failed, or if the single thread did not come back from a request in time to stop; 2 for a
mistake on the command line, in the environment or in a file that a setting names.  An error is
one line on standard error; only an exception of the user's own code brings its traceback along.

``stein serve`` imports what it serves with, the other commands what they need: neither pays for
the other.
"""

from __future__ import annotations

import importlib
import signal
import sys
from typing import TYPE_CHECKING, Final, NoReturn

import click

from stein.errors import ApplicationNotFound, SteinError
from stein.serving.version import version_option

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LATE", "cli", "complain", "late_command", "main", "run"]


def main(prog_name: str | None = None, args: Sequence[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit code.

    :param prog_name: the name in messages; the program's own by default.
    :param args: the arguments; those of the process by default.
    :raises SystemExit: always.
    """
    words = list(sys.argv[1:] if args is None else args) or ["--help"]
    run(program_for(words), words, prog_name)


def run(program: click.Command, words: list[str], prog_name: str | None = None) -> NoReturn:
    """Run a command with these arguments and leave with its exit code."""
    try:
        code = program.main(args=words, prog_name=prog_name, standalone_mode=False)
    except ApplicationNotFound as error:
        # Only a program that failed needs it.
        from stein.server.apploader import user_traceback  # noqa: PLC0415

        if error.__cause__ is not None:
            click.echo(user_traceback(error), err=True, nl=False)
        complain(error)
        sys.exit(1)
    except SteinError as error:
        complain(error)
        sys.exit(2)
    except click.ClickException as error:
        sys.exit(explained(error, words))
    except click.Abort:  # Ctrl-C before the server ran
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        if not tell_failure(error):
            raise
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def program_for(words: Sequence[str]) -> click.Group:
    """Return the group that knows the command; ``serve`` must not wait for the framework."""
    if words[0] in LATE:
        return cli
    from stein.serving.program import program  # noqa: PLC0415 - see above

    return program


def explained(error: click.ClickException, words: Sequence[str]) -> int:
    """Write what click, or a command, complains about; return the exit code."""
    trace = getattr(error, "trace", None)  # a NoAppException brings the user's traceback
    if trace is not None:
        click.echo(trace(), err=True, nl=False)
        complain(error.message)
        return 1
    command = getattr(getattr(error, "ctx", None), "command_path", None)
    if command is None:
        command = f"stein {command_in(words)}".rstrip()
    text = error.format_message()
    if isinstance(error, click.UsageError):
        text = f"{text} ({command} --help shows what there is)"
    complain(text)
    return error.exit_code


def command_in(words: Sequence[str]) -> str:
    """Return which command a command line begins, in the words in front of it; empty if none.

    click does not say whose option it was that could not be read.
    """
    group = program_for(words)
    parser = group.make_parser(click.Context(group))
    try:
        _, rest, _ = parser.parse_args(list(words))
    except click.ClickException:  # it was the group's own
        return ""
    return rest[0] if rest else ""


def tell_failure(error: Exception) -> bool:
    """Show an exception of the user's code, and say so on one line; ``False`` if it is ours."""
    # Only a command that failed needs them.
    from stein.tracebacks import render, user_frames, whereabouts  # noqa: PLC0415
    from stein.web.cli.groups import MACHINERY_OF_COMMANDS  # noqa: PLC0415

    if not isinstance(error, SyntaxError) and not user_frames(error, MACHINERY_OF_COMMANDS):
        return False
    click.echo(render(error, MACHINERY_OF_COMMANDS), err=True, nl=False)
    complain(whereabouts(error, MACHINERY_OF_COMMANDS))
    return True


def complain(error: object) -> None:
    """Write an error as one line, or each of several mistakes as one."""
    for each in getattr(error, "mistakes", (error,)):
        click.echo(f"stein: error: {' '.join(str(each).split())}", err=True)


#: The commands about servers: the module and the name there; imported when one is asked for.
LATE: Final[dict[str, tuple[str, str]]] = {
    "serve": ("stein.serving.serve", "serve_command"),
    "reload": ("stein.serving.operate", "reload_command"),
    "scale": ("stein.serving.operate", "scale_command"),
    "stop": ("stein.serving.operate", "stop_command"),
    "status": ("stein.serving.watching", "status_command"),
    "top": ("stein.serving.watching", "top_command"),
    "upgrade": ("stein.serving.operate", "upgrade_command"),
}


def late_command(name: str) -> click.Command | None:
    """Return a command about servers; ``None`` if there is none of this name."""
    if name not in LATE:
        return None
    module, attribute = LATE[name]
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command


class Serving(click.Group):
    """The group with the commands about servers alone: they need no framework."""

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return one of them."""
        return late_command(name) or super().get_command(ctx, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return their names."""
        return [*LATE, *super().list_commands(ctx)]


cli: Final = Serving(
    "stein", params=[version_option()], context_settings={"max_content_width": 100}
)
