"""Options that several commands have, and the two names of their environment variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from stein.web.cli.dotenv import load_dotenv
from stein.web.cli.script import ScriptInfo
from stein.web.environment import set_debug

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Option",
    "SeparatedPathType",
    "app_option",
    "debug_option",
    "env_file_option",
    "late_app_option",
]

FLASK: Final = "FLASK_"


class Option(click.Option):
    """An option whose variable ``FLASK_RUN_PORT`` can also be called ``STEIN_RUN_PORT``."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return what the environment says; the name with ``STEIN_`` goes first."""
        prefix = ctx.auto_envvar_prefix or ""
        if f"{prefix}_".startswith(FLASK) and self.allow_from_autoenv and self.name:
            name = f"{prefix}_{self.name.upper()}".removeprefix(FLASK)
            value = os.environ.get(f"STEIN_{name}")
            if value:
                return value
        return super().resolve_envvar_value(ctx)


class SeparatedPathType(click.Path):
    """Several paths in one text, with ``:`` between them (on Windows ``;``)."""

    def convert(  # type: ignore[override]
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[Any]:
        """Return the paths, each checked as :class:`click.Path` does."""
        texts: Sequence[str] = self.split_envvar_value(value)
        return [click.Path.convert(self, text, param, ctx) for text in texts]


# -- what they do -------------------------------------------------------------------------------


def note_app(ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Tell the script info where the application is."""
    if value is not None:
        ctx.ensure_object(ScriptInfo).app_import_path = value
    return value


def note_debug(ctx: click.Context, param: click.Parameter, value: bool | None) -> bool | None:  # noqa: FBT001 - click's signature
    """Write the wish into the environment, where a factory can read it."""
    source = ctx.get_parameter_source(str(param.name))
    if value is None or source in {None, ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP}:
        return None
    set_debug(on=value)
    return value


def read_env_file(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Read the file that was named, and those that have their usual names."""
    if value is not None:
        try:
            import dotenv  # noqa: F401, PLC0415 - an extra, which may not be installed
        except ImportError:
            message = (
                "python-dotenv must be installed to load an env file: pip install 'stein[dotenv]'"
            )
            raise click.BadParameter(message, ctx=ctx, param=param) from None
    defaults = ctx.ensure_object(ScriptInfo).load_dotenv_defaults
    if value is not None or defaults:
        load_dotenv(value, load_defaults=defaults)
    return value


# -- the options --------------------------------------------------------------------------------

APP_HELP: Final = (
    "The application: a module or a file, and after a colon the name of the application or of a "
    "factory, such as 'hello', 'src/hello.py:site' or 'hello:create_app(\"dev\")'. The name can "
    "be left out if it is app, application, create_app or make_app."
)

# Eager, in this order: a file may set FLASK_APP, and --help lists what the application has.
env_file_option = Option(
    ["-e", "--env-file"],
    type=click.Path(exists=True, dir_okay=False),
    help=(
        "Read environment variables from this file. They go before those in .env and .flaskenv, "
        "and what is set already before all. Needs python-dotenv."
    ),
    is_eager=True,
    expose_value=False,
    callback=read_env_file,
)

app_option = Option(
    ["-A", "--app"],
    metavar="IMPORT",
    help=APP_HELP,
    is_eager=True,
    expose_value=False,
    callback=note_app,
)

#: for a command: people write ``run --app hello`` as often as ``--app hello run``
late_app_option = Option(
    ["-A", "--app"],
    metavar="IMPORT",
    help="The application, as before the command.",
    is_eager=True,
    expose_value=False,
    allow_from_autoenv=False,
    callback=note_app,
)

debug_option = Option(
    ["--debug/--no-debug"],
    default=None,
    help="Set debug mode.",
    expose_value=False,
    callback=note_debug,
)
