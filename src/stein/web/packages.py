"""Where a module, and the project that it belongs to, live in the file system."""

# ruff: noqa: PTH100, PTH109, PTH118, PTH119, PTH120 - paths are text here; pathlib costs 10 ms

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

__all__ = ["find_instance_path", "find_package", "get_root_path"]


def get_root_path(import_name: str) -> str:
    """The folder that a module's file is in; for a package, the folder that is the package.

    :param import_name: of the module, imported or not.
    :returns: an absolute path.  It is the working directory if the module has no file, as in an
        interactive session, or cannot be found.
    :raises RuntimeError: the module has been found, and has no single folder: a namespace package
        (PEP 420), or one of an import hook that does not say where its files are.
    :raises TypeError: the name is no text.
    """
    if not isinstance(import_name, str):
        raise TypeError(
            f"The import name is {import_name!r}, of type {type(import_name).__name__}. It must"
            " be text, by which the folder of the program is found: pass '__name__'."
        )
    path: str | None = getattr(sys.modules.get(import_name), "__file__", None)
    if path is None:
        spec = _find_spec(import_name)
        loader: Any = None if spec is None else spec.loader
        if loader is None:
            return os.getcwd()
        path = _file_by_loader(import_name, loader)
    if path is None:
        raise RuntimeError(
            f"No root path can be found for the provided module {import_name!r}. It is a namespace"
            " package, or an import hook that does not name files has made it. Say where its"
            " static files and templates are, with 'root_path=' of the constructor."
        )
    return os.path.dirname(os.path.abspath(path))


def _file_by_loader(import_name: str, loader: Any) -> str | None:
    get_filename = getattr(loader, "get_filename", None)
    if get_filename is not None:
        path: str = get_filename(import_name)
        return path
    from importlib import import_module  # noqa: PLC0415 - only for modules that are no files

    found: str | None = getattr(import_module(import_name), "__file__", None)
    return found


def _find_spec(name: str) -> ModuleSpec | None:
    """How a module was or would be imported; ``None`` if that cannot be said."""
    # PERF: mostly it is imported; importlib.util is not needed then (start-up).
    spec: ModuleSpec | None = getattr(sys.modules.get(name), "__spec__", None)
    if spec is not None:
        return spec
    from importlib.util import find_spec  # noqa: PLC0415 - see above

    try:
        return find_spec(name)
    except (ImportError, ValueError):
        # ValueError: an impossible name, or a main program, which has no spec.
        return None


def find_package(import_name: str) -> tuple[str | None, str]:
    """Where the project of a module is installed, and where it is imported from.

    :param import_name: of the module, imported or not.
    :returns: the folder that it was installed into, above ``lib`` (``sys.prefix`` or that of
        another environment), or ``None`` if it was not installed; and the entry of ``sys.path``
        that its top level package or module was found through.
    """
    folder = _import_folder(import_name)
    prefix = os.path.abspath(sys.prefix)
    if _is_within(folder, prefix):
        return prefix, folder
    parent, name = os.path.split(folder)
    if name.lower() != "site-packages":
        return None, folder
    # An environment that is not the running one: PREFIX/lib/site-packages (Windows),
    # PREFIX/lib/pythonX.Y/site-packages, or a plain PREFIX/site-packages.
    above, name = os.path.split(parent)
    if name.lower() == "lib":
        return above, folder
    if os.path.basename(above).lower() == "lib":
        return os.path.dirname(above), folder
    return parent, folder


def find_instance_path(import_name: str, app_name: str) -> str:
    """The folder for what belongs to one installation of an application: settings, databases.

    It is ``instance`` beside the package or module, or ``PREFIX/var/NAME-instance`` if the
    project was installed.

    :param import_name: of the application's module.
    :param app_name: its name, for the name of the folder.
    """
    prefix, folder = find_package(import_name)
    if prefix is None:
        return os.path.join(folder, "instance")
    return os.path.join(prefix, "var", f"{app_name}-instance")


def _import_folder(import_name: str) -> str:
    """The entry of ``sys.path`` that a module comes from; else the working directory."""
    top = import_name.partition(".")[0]
    spec = _find_spec(top)
    if spec is None:
        return os.getcwd()
    portions = spec.submodule_search_locations
    if portions is None:
        # A module; one that is built in or frozen has a word here, and no path.
        return os.path.dirname(spec.origin or "") or os.getcwd()
    if spec.has_location and spec.origin is not None:
        return os.path.dirname(os.path.dirname(spec.origin))
    return os.path.dirname(_portion_of(import_name, list(portions)) or "") or os.getcwd()


def _portion_of(import_name: str, portions: list[str]) -> str | None:
    """The one of a namespace package's folders that a package below it is in."""
    spec = _find_spec(import_name)
    inner = None if spec is None else spec.submodule_search_locations
    if inner:
        for portion in portions:
            if all(_is_within(each, portion) for each in inner):
                return portion
    return portions[0] if portions else None


def _is_within(path: str, folder: str) -> bool:
    """Whether a path is a folder, or lies below it; by name, without a look at the disk."""
    path, folder = [os.path.normcase(os.path.normpath(each)) for each in (path, folder)]
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
