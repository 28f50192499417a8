"""What ``importlib.metadata`` is told of the distributions whose interface stein offers."""

from __future__ import annotations

from importlib.metadata import Distribution
from typing import TYPE_CHECKING, Any

from stein.dropin.table import COMMANDS

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["AliasDistribution"]


class AliasDistribution(Distribution):
    """The metadata of a distribution that is not installed and whose interface stein offers."""

    def __init__(self, name: str, version: str) -> None:
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        self._texts = {"METADATA": about, "PKG-INFO": about, "top_level.txt": f"{name}\n"}
        if name in COMMANDS:
            command = f"[console_scripts]\n{name} = {COMMANDS[name]}\n"
            self._texts["entry_points.txt"] = command

    def read_text(self, filename: str) -> str | None:
        """The text of a metadata file, or ``None``: there is no list of files."""
        return self._texts.get(filename)

    def locate_file(self, path: str | PathLike[str]) -> Any:
        """Not supported: there are no files."""
        message = f"{path}: a distribution offered by stein.dropin has no files of its own"
        raise FileNotFoundError(message)
