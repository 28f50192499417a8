"""``--version``: what runs here."""

from __future__ import annotations

import platform
import sys
from typing import Any, Final

import click

__all__ = ["get_version", "version_option"]

NAMES: Final = ("Flask", "Werkzeug")
#: Of the package above all layers, which is there while anything of it is.
VERSION: Final = sys.modules["stein"].__version__


def get_version(ctx: click.Context, _param: click.Parameter | None, value: Any) -> None:
    """Print the versions and leave, if the flag was given.

    Where stein stands in for Flask and Werkzeug, their versions are those that programs see.
    """
    if not value or ctx.resilient_parsing:
        return
    lines = [f"Python {platform.python_version()}", f"stein {VERSION}"]
    dropin = sys.modules.get("stein.dropin")
    if dropin is not None and dropin.installed():
        from importlib.metadata import version  # noqa: PLC0415 - for this flag only

        lines += [f"{name} {version(name.lower())} (its interface)" for name in NAMES]
    click.echo("\n".join(lines), color=ctx.color)
    ctx.exit()


version_option = click.Option(
    ["--version"],
    help="Show the version and exit.",
    expose_value=False,
    callback=get_version,
    is_flag=True,
    is_eager=True,
)
