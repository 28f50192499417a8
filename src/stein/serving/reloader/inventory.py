"""What a program consists of, as far as it can be seen from inside: folders, modules, files."""

# ruff: noqa: PTH100, PTH111, PTH112, PTH113, PTH118, PTH120 - thousands of paths, as texts

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Inventory", "is_installed_command", "is_library", "outermost", "take_inventory"]

#: Folders that other people's code is installed in, wherever they are.
INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
STANDARD: Final = tuple(
    {os.path.dirname(os.__file__) + os.sep, os.path.dirname(os.path.realpath(os.__file__)) + os.sep}
)
#: Where commands are installed; python puts the folder of one on the import path.
COMMANDS: Final = frozenset(
    os.path.abspath(folder)
    for folder in (
        os.path.dirname(sys.executable),
        os.path.join(sys.prefix, "bin"),
        os.path.expanduser("~/.local/bin"),
        "/usr/bin",
        "/usr/local/bin",
    )
)


@dataclass(frozen=True, slots=True)
class Inventory:
    """Paths whose changes matter; all absolute.

    ``roots`` are folders of code, of which the modules are watched, ``folders`` are watched with
    everything in them, ``files`` are single files, and a change in ``live`` concerns the pages
    that browsers show and not the process.
    """

    roots: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    live: frozenset[str] = frozenset()

    def __or__(self, other: Inventory) -> Inventory:
        return Inventory(
            self.roots | other.roots,
            self.files | other.files,
            self.folders | other.folders,
            self.live | other.live,
        )

    def as_message(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return {
            "roots": sorted(self.roots),
            "files": sorted(self.files),
            "folders": sorted(self.folders),
            "live": sorted(self.live),
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """Return what :meth:`as_message` was made from."""
        return cls(*(frozenset(message[name]) for name in ("roots", "files", "folders", "live")))


def take_inventory(files: Iterable[str] = (), live: Iterable[str] = ()) -> Inventory:
    """Look at the import path and at the modules that there are.

    :param files: further files.
    :param live: folders of templates and of what is served as it is.
    """
    roots = frozenset(import_roots())
    below = tuple(os.path.join(root, "") for root in roots)
    found = {os.path.abspath(file) for file in files}
    folders = set()
    for path, is_package in module_files():
        if path.startswith(below):
            # It is found there, unless it is where nobody looks, in a hidden folder, for example.
            found.add(path)
        elif is_package:
            folders.add(os.path.dirname(path))
        else:
            found.add(path)
    return Inventory(
        roots | outermost(folders),
        frozenset(path for path in found if not is_library(path)),
        live=frozenset(os.path.abspath(folder) for folder in live),
    )


def import_roots() -> Iterator[str]:
    """Give the folders on the import path that are the user's, and archives."""
    for entry in list(sys.path):
        path = os.path.abspath(entry)
        if not is_library(path) and path not in COMMANDS and os.path.isdir(path):
            yield path


def module_files() -> Iterator[tuple[str, bool]]:
    """Give the file of every module that is the user's, and whether the module is a package.

    For a module in an archive that is the archive.
    """
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or is_library(file):
            continue
        path = os.path.abspath(file)
        is_package = hasattr(module, "__path__")
        while not os.path.isfile(path):
            is_package = False
            path, last = os.path.split(path)
            if not last:
                break
        else:
            yield path, is_package


def is_library(path: str) -> bool:
    """Whether a path belongs to Python itself or to what was installed: nobody edits that."""
    return (path + os.sep).startswith(STANDARD) or not INSTALLED.isdisjoint(PurePath(path).parts)


def is_installed_command(path: str) -> bool:
    """Whether a program is a command that was installed: what it serves is elsewhere."""
    folder = os.path.dirname(os.path.abspath(path))
    return folder in COMMANDS or is_library(folder)


def outermost(folders: Iterable[str]) -> frozenset[str]:
    """Return the folders that are in none of the others."""
    kept: list[str] = []
    # With a separator at their ends, those inside come right behind: "/a/" and "/a/b/", "/a-b/".
    for folder in sorted(os.path.join(each, "") for each in folders):
        if not kept or not folder.startswith(kept[-1]):
            kept.append(folder)
    return frozenset(folder.rstrip(os.sep) or os.sep for folder in kept)
