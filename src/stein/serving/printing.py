"""``--print-config``: every setting with its value and where that came from, as a stein.toml."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from stein.server.settings import GROUPS, Settings
from stein.serving.options import written

if TYPE_CHECKING:
    from stein.serving.configuration import Configuration

__all__ = ["printed"]

#: The column where sources stand, if the value leaves room.
COLUMN: Final = 44


def printed(configuration: Configuration) -> str:
    """Return the configuration as a file for ``--config``; secrets are left out."""
    lines = []
    for name, given in configuration.further.items():
        lines.append(with_source(f"{name} = {json.dumps(given.texts[-1])}", given.source))
    for name, value in configuration.variables.items():
        lines.append(f"# the environment: {name}={value}")
    settings, sources = configuration.settings, configuration.loaded.sources
    for group in GROUPS:
        lines += ["", f"# {group}"]
        for item in dataclasses.fields(Settings):
            if item.metadata["group"] == group:
                line = assignment(item, getattr(settings, item.name))
                lines.append(with_source(line, sources[item.name]))
    return "\n".join(lines).lstrip("\n") + "\n"


def with_source(line: str, source: str) -> str:
    """Return a line with where its value came from behind it."""
    return f"{line.ljust(COLUMN)}  # {source}"


def assignment(item: dataclasses.Field[Any], value: object) -> str:
    """Return a setting as TOML; what TOML cannot say, and no file should, as a comment."""
    if value is None:
        return f"# {item.name} ="
    if "password" in item.name:
        return f"# {item.name} = (given, and not shown)"
    return f"{item.name} = {as_toml(item, value)}"


def as_toml(item: dataclasses.Field[Any], value: object) -> str:
    """Return a value in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(json.dumps, value))}]"
    if isinstance(value, float):
        return f'"{number(value)}s"'
    if item.metadata["metavar"] == "OCTAL":
        return f"0o{value:o}"
    text = written(item, value)
    return text if isinstance(value, int) and text.isdigit() else json.dumps(text)


def number(value: float) -> str:
    """Return a number without an exponent."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
