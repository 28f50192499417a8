"""What the reloader is told."""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from stein.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["AGAIN", "ENGINES", "ReloadOptions", "make_filter"]

#: The exit code with which programs ask Werkzeug's reloader to start them anew.
AGAIN: Final = 3
#: How changes are noticed.  ``watchdog`` is Werkzeug's name for being told by the system.
ENGINES: Final = ("auto", "stat", "watchfiles", "watchdog")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadOptions:
    """What the reloader is told, as one frozen value.

    :param extra_files: further files whose change starts the program anew; a folder stands for
        everything in it.
    :param exclude_patterns: files and folders whose changes do not matter; see
        :func:`make_filter`.
    :param interval: seconds between two looks, where it has to look.
    :param engine: one of :data:`ENGINES`.
    :param grace: seconds that calls under way may take once the new process is ready.
    :param live: let browsers show the new page when code, templates or static files have changed.
    :param show_errors: show in the browser why the program could not start; otherwise only that.
    :param show_watched: tell which folders are watched, and how.
    :param overlap: the old process may still finish its calls while the new one starts.
    :param bequest: what the child finds in :mod:`stein.bequest`.
    :raises ConfigurationError: there is no such engine, or the interval cannot work.
    """

    extra_files: tuple[str, ...] = ()
    exclude_patterns: tuple[str, ...] = ()
    interval: float = 1.0
    engine: str = "auto"
    grace: float = 0.5
    live: bool = False
    show_errors: bool = True
    show_watched: bool = False
    overlap: bool = True
    bequest: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ConfigurationError(
                f"reloader_type={self.engine!r} is none of: {', '.join(ENGINES)}"
            )
        if not self.interval > 0:
            raise ConfigurationError(
                f"reloader_interval={self.interval!r}: must be more than 0 seconds"
            )


def make_filter(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that tells whether a path is left out.

    A pattern as in the shell matches the whole path, or its end from a slash on: ``tests/*`` means
    every folder ``tests``.  ``*`` matches slashes, too.  A folder that matches is left out with all
    that is in it, and so is one whose content would match.

    :param patterns: see above.
    """
    forms = [
        form
        for pattern in patterns
        for form in ((pattern,) if pattern.startswith(("/", "*")) else (pattern, f"*/{pattern}"))
    ]
    if not forms:
        return lambda _path: False
    # PERF: one expression for all; a match for each pattern and file was half of a walk.
    match = re.compile("|".join(fnmatch.translate(os.path.normcase(form)) for form in forms)).match
    return lambda path: match(path) is not None or match(f"{path}/") is not None
