"""Groups of commands: :class:`AppGroup` for an application, :class:`FlaskGroup` for a program."""

# ruff: noqa: FBT001, FBT002 - Flask's signatures

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stein.tracebacks import MACHINERY, render
from stein.web.cli.discovery import NoAppException
from stein.web.cli.options import app_option, debug_option, env_file_option
from stein.web.cli.script import ScriptInfo, with_appcontext
from stein.web.environment import note_command
from stein.web.globals import context_var

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

    from stein.web.app import Stein

__all__ = ["MACHINERY_OF_COMMANDS", "AppGroup", "FlaskGroup"]

#: Frames that are not shown when a command fails: stein's, the import system's and click's.
MACHINERY_OF_COMMANDS: Final = (*MACHINERY, str(Path(click.__file__).resolve().parent) + os.sep)

#: Where other distributions register commands; of one name, the last group's wins.
ENTRY_POINTS: Final = ("flask.commands", "stein.commands")

#: marks a click context whose commands are listed and will not be called
LISTING: Final = "stein.listing"


class AppGroup(click.Group):
    """A group whose commands run within the context of the application.

    ``app.cli`` and ``blueprint.cli`` are such groups.
    """

    def command(  # type: ignore[override]
        self, *args: Any, **kwargs: Any
    ) -> Callable[[Callable[..., Any]], click.Command]:
        """As :meth:`click.Group.command`; the function gets the context of the application.

        :param with_appcontext: ``False`` leaves it without.
        """
        within = kwargs.pop("with_appcontext", True)
        register = super().command

        def decorate(f: Callable[..., Any]) -> click.Command:
            command: click.Command = register(*args, **kwargs)(with_appcontext(f) if within else f)
            return command

        return decorate

    def group(  # type: ignore[override]
        self, *args: Any, **kwargs: Any
    ) -> Callable[[Callable[..., Any]], click.Group]:
        """As :meth:`click.Group.group`; the new group is an :class:`AppGroup`, too."""
        kwargs.setdefault("cls", AppGroup)
        decorate: Callable[[Callable[..., Any]], click.Group] = super().group(*args, **kwargs)
        return decorate


class FlaskGroup(AppGroup):
    """A program's commands: its own, those of other distributions, and the application's.

    The application is loaded when one of its commands is asked for, or all are listed.

    :param add_default_commands: whether it has ``run``, ``shell`` and ``routes``.
    :param create_app: makes the application; without it ``--app`` and its variables name it.
    :param add_version_option: whether it has ``--version``.
    :param load_dotenv: whether ``.env`` and ``.flaskenv`` are read.
    :param set_debug_flag: whether ``app.debug`` becomes what the environment says.
    :param extra: for :class:`click.Group`.
    """

    def __init__(
        self,
        add_default_commands: bool = True,
        create_app: Callable[..., Stein] | None = None,
        add_version_option: bool = True,
        load_dotenv: bool = True,
        set_debug_flag: bool = True,
        **extra: Any,
    ) -> None:
        # The options act through callbacks of their own: the group's callback is the user's.
        params = [*(extra.pop("params", None) or ()), env_file_option, app_option, debug_option]
        if add_version_option:
            from stein.web.cli.version import version_option  # noqa: PLC0415 - an AppGroup has none

            params.append(version_option)
        settings = extra.setdefault("context_settings", {})
        settings.setdefault("auto_envvar_prefix", "FLASK")
        super().__init__(params=params, **extra)
        self.create_app = create_app
        self.load_dotenv = load_dotenv
        self.set_debug_flag = set_debug_flag
        self._plugins: dict[str, EntryPoint] | None = None
        if add_default_commands:
            for command in default_commands():
                self.add_command(command)

    # -- which commands there are ---------------------------------------------------------------

    def plugins(self) -> dict[str, EntryPoint]:
        """Return the commands of other distributions that were not loaded yet, by name."""
        if self._plugins is None:
            from importlib.metadata import entry_points  # noqa: PLC0415 - slow; see default_commands

            self._plugins = {
                point.name: point for group in ENTRY_POINTS for point in entry_points(group=group)
            }
        return self._plugins

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return the command of a name.

        Commands of other distributions go before the group's own, so that one may have a better
        ``shell``, and these before the application's: they work if it cannot be loaded.
        """
        point = self.plugins().pop(name, None)
        if point is not None:
            self.add_command(load_plugin(point), name)
        command = super().get_command(ctx, name)
        if command is not None:
            return command
        app = self.load_for(ctx)
        if app is None:
            return None
        current = context_var.get(None)
        if (current is None or current.app is not app) and LISTING not in ctx.meta:
            ctx.with_resource(app.app_context())
        return app.cli.get_command(ctx, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in order; an application that fails is told about."""
        names = {*super().list_commands(ctx), *self.plugins()}
        try:
            app = self.load_for(ctx)
            if app is not None:
                names.update(app.cli.list_commands(ctx))
        except Exception as error:  # noqa: BLE001 - the help is shown, whatever happens to the app
            self.tell(render(error, MACHINERY_OF_COMMANDS))
        return sorted(names)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        # Help ends in an exception after which click does not close what was opened for `ctx`.
        ctx.meta[LISTING] = True
        try:
            super().format_commands(ctx, formatter)
        finally:
            del ctx.meta[LISTING]

    def load_for(self, ctx: click.Context) -> Stein | None:
        """Load the application; without one, say why and return ``None``."""
        try:
            return ctx.ensure_object(ScriptInfo).load_app()
        except NoAppException as error:
            self.tell(f"Error: {error.format_message()}\n")
            return None

    def tell(self, text: str) -> None:
        """Write to standard error, in red on a terminal."""
        click.secho(text, err=True, fg="red")

    # -- how they are called --------------------------------------------------------------------

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Make the context of this call, with a :class:`ScriptInfo` as its object."""
        # A module that calls app.run() unguarded would block whichever command imports it.
        note_command()
        if "obj" not in {**self.context_settings, **extra}:
            info = ScriptInfo(None, self.create_app, self.set_debug_flag, self.load_dotenv)
            extra["obj"] = info
        return super().make_context(info_name, args, parent=parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line."""
        only_help = len(args) == 1 and args[0] in self.get_help_option_names(ctx)
        if only_help or (not args and self.no_args_is_help):
            # The help comes before any option is processed, and it lists the application's
            # commands: so what the environment says of it must be known before.
            env_file_option.handle_parse_result(ctx, {}, [])
            app_option.handle_parse_result(ctx, {}, [])
        return super().parse_args(ctx, args)


def default_commands() -> list[click.Command]:
    """Return ``run``, ``shell`` and ``routes``."""
    # Late: an application's own commands need none of them, and most programs no group at all.
    from stein.web.cli.routes import routes_command  # noqa: PLC0415
    from stein.web.cli.run import run_command  # noqa: PLC0415
    from stein.web.cli.shell import shell_command  # noqa: PLC0415

    return [run_command, shell_command, routes_command]


def load_plugin(point: EntryPoint) -> click.Command:
    """Load a command of another distribution; one that fails says so when it is called."""
    try:
        command = point.load()
        if not isinstance(command, click.Command):
            raise TypeError(f"{point.value} is no click command")  # noqa: TRY301 - told as the others
    except Exception as error:  # noqa: BLE001 - one broken distribution must not take all away
        owner = "a distribution" if point.dist is None else f"{point.dist.name}"
        message = (
            f"The command {point.name!r} of {owner} cannot be loaded from {point.value!r}: "
            f"{type(error).__name__}: {error}. Update or uninstall {owner}."
        )
        return stand_in(point.name, message)
    return command


def stand_in(name: str, message: str) -> click.Command:
    """Return a command that only says why the real one is not there."""

    def complain() -> None:
        raise click.ClickException(message)

    return click.Command(
        name,
        callback=complain,
        help=message,
        short_help="(cannot be loaded)",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
