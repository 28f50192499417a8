"""``--version`` of the command ``stein``."""

from __future__ import annotations

import platform

import click

import stein

__all__ = ["version_option"]


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
