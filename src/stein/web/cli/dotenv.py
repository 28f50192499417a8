"""``.env`` and ``.flaskenv``: variables for the environment, from files (extra: stein[dotenv])."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from stein.errors import ConfigurationError
from stein.web.environment import files_read, variables_of_files

__all__ = ["load_dotenv"]

#: From the weakest to the strongest.
FILES: Final = (".flaskenv", ".env")


def load_dotenv(
    path: str | os.PathLike[str] | None = None,
    load_defaults: bool = True,  # noqa: FBT001, FBT002 - Flask's signature
) -> bool:
    """Set environment variables from files, as far as they are not set already.

    What ``path`` says goes before ``.env``, and that before ``.flaskenv``.  These two are looked
    for in the current folder and in those above it; the current folder stays what it is.

    :param path: another file; UTF-8, as all of them.
    :param load_defaults: whether to look for ``.env`` and ``.flaskenv``.
    :returns: whether a file had any variable.  ``False`` if python-dotenv is not installed, about
        which a line on standard error tells, if there are files; and if ``path`` is no file.
    :raises ConfigurationError: a file is not in UTF-8.
    """
    try:
        import dotenv  # noqa: PLC0415 - an extra, which may not be installed
    except ImportError:
        tell_what_is_missing(path)
        return False
    found: dict[str, str | None] = {}
    files = [dotenv.find_dotenv(name, usecwd=True) for name in FILES] if load_defaults else []
    if path is not None and Path(path).is_file():
        files.append(os.fspath(path))
    for file in filter(None, files):
        files_read.add(os.path.abspath(file))  # noqa: PTH100 - a text, as it was found
        try:
            found |= dotenv.dotenv_values(file, encoding="utf-8")
        except UnicodeDecodeError as error:
            message = f"{file} is not in UTF-8 ({error}); save it in that encoding"
            raise ConfigurationError(message) from None
    for name, value in found.items():
        if value is not None and os.environ.setdefault(name, value) is value:
            variables_of_files[name] = value
    return bool(found)


def tell_what_is_missing(path: str | os.PathLike[str] | None) -> None:
    """Say that files are there which nobody reads."""
    there = [os.fspath(path)] if path is not None else []
    there += [name for name in FILES if Path(name).is_file()]
    if there:
        click.secho(
            f" * {' and '.join(there)} is not read: python-dotenv is not installed. "
            "To use it: pip install 'stein[dotenv]'",
            fg="yellow",
            err=True,
        )
