"""Objects by their name: import what a text such as ``"package.module:name"`` leads to."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ImportStringError", "find_modules", "import_string"]


def import_string(import_name: str, silent: bool = False) -> Any:  # noqa: FBT001, FBT002 - positional in the interface
    """Import a module, or what a module holds.

    :param import_name: ``package.module.name`` or ``package.module:name``; the name may have
        parts of its own (``module:Class.method``).
    :param silent: give None instead of an ImportError.
    :raises ImportStringError: it could not be imported; the message tells which part is missing.
        Other errors that come up while a module is imported are raised as they are.
    """
    path = import_name.replace(":", ".")
    try:
        return _resolve(path)
    except ImportError as error:
        if silent:
            return None
        # The traceback leads into the module that could not be imported.
        raise ImportStringError(import_name, error).with_traceback(error.__traceback__) from None


def _resolve(path: str) -> Any:
    """Import the longest part of the path that is a module, and follow the rest in it."""
    if not all(path.split(".")):
        raise ImportError(f"{path!r} has an empty part; a name such as 'package.module' is needed")
    try:
        return import_module(path)
    except ModuleNotFoundError as error:
        parent, _, name = path.rpartition(".")
        # It may be that the module is there, and something it imports is not.
        if not parent or not f"{path}.".startswith(f"{error.name}."):
            raise
    found = _resolve(parent)
    try:
        return getattr(found, name)
    except AttributeError as error:
        raise ImportError(str(error)) from None


class ImportStringError(ImportError):
    """:func:`import_string` failed.

    :param import_name: what was to be imported.
    :param exception: the error that came up.
    """

    import_name: str
    exception: BaseException

    def __init__(self, import_name: str, exception: BaseException) -> None:
        self.import_name = import_name
        self.exception = exception
        steps = "\n".join(f"- {step}" for step in _steps(import_name.replace(":", ".")))
        super().__init__(
            f"import_string() failed for {import_name!r}:\n\n{steps}\n\n"
            f"The error was {type(exception).__name__}: {exception}\n\n"
            "Check the spelling of the part that is missing, that its folder is on sys.path, and "
            "that nothing else of the same name comes before it there."
        )

    def __reduce__(self) -> tuple[type[ImportStringError], tuple[str, BaseException]]:
        return type(self), (self.import_name, self.exception)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({self.import_name!r}, {self.exception!r})>"


def _steps(path: str) -> Iterator[str]:
    """How far one gets on the path, step by step, without importing anything anew."""
    found: Any = None
    done = ""
    for name in path.split("."):
        done = f"{done}.{name}" if done else name
        # What could be imported was, by the attempt that failed.
        found = sys.modules.get(done, getattr(found, name, None))
        if found is None:
            yield f"{done!r} could not be imported."
            return
        yield f"{done!r} found in {getattr(found, '__file__', None)!r}."


def find_modules(
    import_path: str,
    include_packages: bool = False,  # noqa: FBT001, FBT002 - positional in the interface
    recursive: bool = False,  # noqa: FBT001, FBT002
) -> Iterator[str]:
    """The names of the modules in a package, for instance to import all of a program's views.

    :param import_path: the package; it is imported.
    :param include_packages: give the packages in it, too.
    :param recursive: give the modules of the packages in it, too, which imports them.
    :raises ValueError: it is no package.
    """
    # Late: for programs that do not use it, it is a module more to import.
    from pkgutil import iter_modules  # noqa: PLC0415

    folders = getattr(import_string(import_path), "__path__", None)
    if folders is None:
        raise ValueError(f"{import_path!r} is not a package, so there are no modules in it")
    for module in iter_modules(folders, f"{import_path.replace(':', '.')}."):
        if include_packages or not module.ispkg:
            yield module.name
        if recursive and module.ispkg:
            yield from find_modules(module.name, include_packages, recursive=True)
