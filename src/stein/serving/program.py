"""The group of commands behind ``stein``: those of the framework and the application, and serve."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

import click

from stein.serving.command import LATE, late_command
from stein.serving.version import version_option
from stein.web.cli.discovery import NoAppException
from stein.web.cli.groups import FlaskGroup
from stein.web.cli.script import ScriptInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stein.web.app import Stein

__all__ = ["Program", "program"]

#: where a context keeps why there is no application
REASON: Final = "stein.no_application"


class Program(FlaskGroup):
    """All commands that there are.

    What is wrong is told once and at the end, in the error itself: an unknown command and an
    application that was not found are mostly the same mistake.
    """

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a command; ``serve`` brings the server along, so it is imported when asked for."""
        return late_command(name) or super().get_command(ctx, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in order."""
        names = sorted({*LATE, *super().list_commands(ctx)})
        reason = reason_in(ctx)
        if reason is not None:
            self.tell(f"Commands of an application are not listed. {reason.format_message()}\n")
        return names

    def load_for(self, ctx: click.Context) -> Stein | None:
        """Load the application; without one, note why and return ``None``."""
        try:
            return ctx.ensure_object(ScriptInfo).load_app()
        except NoAppException as error:
            ctx.meta[REASON] = error
            return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the words begin with."""
        name = args[0]
        is_option = name.startswith("-")  # click tells what is wrong with it
        if is_option or ctx.resilient_parsing or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        text = f"No such command {name!r}."
        reason = reason_in(ctx)
        if reason is None:
            app = ctx.ensure_object(ScriptInfo).load_app()
            text += meant(name, [*self.names(), *app.cli.list_commands(ctx)])
            raise click.UsageError(text, ctx)
        text += f"{meant(name, self.names())} If the application has it: {reason.message}"
        if reason.__cause__ is not None:
            raise NoAppException(text, ctx) from reason.__cause__
        raise click.UsageError(text, ctx)

    def names(self) -> list[str]:
        """Return the names that are known without an application."""
        return [*LATE, *self.commands, *self.plugins()]


def reason_in(ctx: click.Context) -> NoAppException | None:
    """Return why there is no application, if one was looked for in vain."""
    reason = ctx.meta.get(REASON)
    return reason if isinstance(reason, NoAppException) else None


def meant(name: str, known: Sequence[str]) -> str:
    """Return the question whether something else was meant."""
    if name.endswith(".py") or ":" in name:
        return f" To name an application: stein --app {name} run, or stein serve {name}."
    near = difflib.get_close_matches(name, known, n=2)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


@click.pass_context
def show_help(ctx: click.Context) -> None:
    """Show what commands there are, if none was given."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


program: Final = Program(
    name="stein",
    callback=show_help,
    invoke_without_command=True,
    help="""\
Serve, run, inspect and manage web applications.

'serve' takes any WSGI application as its argument. The other commands are about one that is made
with the framework: it is named with '--app', by the variable 'STEIN_APP' or 'FLASK_APP', or it is
in a file 'wsgi.py' or 'app.py' in the current directory.
""",
    params=[version_option()],
    add_version_option=False,
    context_settings={"max_content_width": 100},
)
