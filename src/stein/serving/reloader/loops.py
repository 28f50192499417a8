"""The names of ``werkzeug._reloader``, on top of ours.

Programs call :func:`run_with_reloader` with a function of their own, which opens its own sockets;
the classes are there for those that look at them.
"""

# ruff: noqa: PTH100, PTH112, PTH120 - paths as texts, as Werkzeug has them

from __future__ import annotations

import os
import signal
import sys
import threading
from time import sleep
from typing import TYPE_CHECKING, Any, Final, Self

import click

from stein.serving.reloader import child
from stein.serving.reloader.inventory import Inventory, outermost, take_inventory
from stein.serving.reloader.invocation import again
from stein.serving.reloader.options import AGAIN, ReloadOptions, make_filter
from stein.serving.reloader.terminal import ensure_echo_on
from stein.serving.reloader.tree import Tree
from stein.serving.reloader.watcher import has_watchfiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

__all__ = [
    "ReloaderLoop",
    "StatReloaderLoop",
    "WatchdogReloaderLoop",
    "ensure_echo_on",
    "prefix",
    "reloader_loops",
    "run_with_reloader",
]

prefix = {sys.base_prefix, sys.base_exec_prefix, sys.prefix, sys.exec_prefix}
#: Where no code of the user's is looked for; programs that stand in such a place replace it.
_stat_ignore_scan: tuple[str, ...] = tuple(prefix)


def run_with_reloader(
    main_func: Callable[[], object],
    extra_files: Iterable[str] | None = None,
    exclude_patterns: Iterable[str] | None = None,
    interval: float = 1,
    reloader_type: str = "auto",
) -> None:
    """Run a function in a process that is started anew at each change.

    The old process has ended before the new one begins, as both may want the same port.  When the
    function has returned, the next change is waited for.

    :param main_func: called in the main thread of that process.
    :param extra_files: further files to watch.
    :param exclude_patterns: files that do not matter, as patterns of the shell.
    :param interval: seconds between two looks, where files have to be looked at.
    :param reloader_type: how changes are noticed.
    :raises SystemExit: in the process that watches, when it is told to stop.
    :raises ConfigurationError: this program cannot be started anew, or an argument cannot work.
    """
    if child.is_child():
        run_here(main_func)
        return
    options = ReloadOptions(
        extra_files=tuple(extra_files or ()),
        exclude_patterns=tuple(exclude_patterns or ()),
        interval=interval,
        engine=reloader_type,
        overlap=False,
    )
    # Only the parent needs what starts processes.
    from stein.serving.reloader.parent import supervise  # noqa: PLC0415

    sys.exit(supervise(None, (), options))


def run_here(function: Callable[[], object]) -> None:
    """Run a function until it ends or is interrupted, and then wait for the change."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ensure_echo_on()
    try:
        child.notify_ready(child.interrupt)
        function()
        # It may have taken an interrupt for its own end, or have had a server that took the orders.
        if child.obey(child.interrupt):
            threading.Event().wait()
    except KeyboardInterrupt:
        pass
    child.leave_if_replaced()


def _get_args_for_reloading() -> list[str]:
    """Return the command that this program was called with."""
    return again()


def _inventory(extra_files: Iterable[str]) -> Inventory:
    found = take_inventory()
    extra = {os.path.abspath(path) for path in extra_files}
    folders = {path for path in extra if os.path.isdir(path)}
    roots = {root for root in found.roots if not root.startswith(_stat_ignore_scan)}
    return Inventory(frozenset(roots), found.files | (extra - folders), frozenset(folders))


def _find_stat_paths(extra_files: set[str], exclude_patterns: set[str]) -> set[str]:
    """Return the files that are watched."""
    tree = Tree(make_filter(exclude_patterns))
    tree.want(_inventory(extra_files))
    return tree.paths()


def _find_watchdog_paths(extra_files: set[str], exclude_patterns: set[str]) -> frozenset[str]:
    """Return the outermost of the folders that are watched."""
    is_excluded = make_filter(exclude_patterns)
    found = _inventory(extra_files)
    folders = {os.path.dirname(file) for file in found.files} | found.roots | found.folders
    return outermost(folder for folder in folders if not is_excluded(folder))


class ReloaderLoop:
    """Looks at files again and again.

    :param extra_files: see :func:`run_with_reloader`, as for the others.
    :param exclude_patterns: as there.
    :param interval: as there.
    """

    name = ""

    def __init__(
        self,
        extra_files: Iterable[str] | None = None,
        exclude_patterns: Iterable[str] | None = None,
        interval: float = 1,
    ) -> None:
        self.extra_files = {os.path.abspath(path) for path in extra_files or ()}
        self.exclude_patterns = set(exclude_patterns or ())
        self.interval = interval

    def __enter__(self) -> Self:
        self.run_step()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is open."""

    def run(self) -> None:
        """Take one step after the other."""
        while True:
            self.run_step()
            sleep(self.interval)

    def run_step(self) -> None:
        """Look once; for a subclass."""

    def trigger_reload(self, filename: str) -> None:
        """End this process, so that it is started anew.

        :param filename: the file that has changed.
        :raises SystemExit: always.
        """
        self.log_reload(filename)
        sys.exit(AGAIN)

    def log_reload(self, filename: str | bytes) -> None:
        """Say which file has changed."""
        path = os.path.abspath(os.fsdecode(filename))
        click.echo(f" * Detected change in {path!r}, reloading", err=True)


class StatReloaderLoop(ReloaderLoop):
    """Looks at the files itself."""

    name = "stat"
    _tree: Tree | None = None

    def run_step(self) -> None:
        """Look; the first look only remembers."""
        if self._tree is None:
            self._tree = Tree(make_filter(self.exclude_patterns))
        self._tree.want(_inventory(self.extra_files))
        for path in self._tree.look():
            self.trigger_reload(path)


class WatchdogReloaderLoop(StatReloaderLoop):
    """Stands for being told by the system, which in stein is watchfiles' part and the parent's.

    Whoever observes files with watchdog hands its events to ``event_handler``.
    """

    name = "watchfiles" if has_watchfiles() else "stat"

    def __init__(
        self,
        extra_files: Iterable[str] | None = None,
        exclude_patterns: Iterable[str] | None = None,
        interval: float = 1,
    ) -> None:
        super().__init__(extra_files, exclude_patterns, interval)
        self.event_handler = EventHandler(self)


class EventHandler:
    """Takes events in the form of watchdog's; those of mere reading do not matter."""

    CHANGES: Final = frozenset(["closed", "created", "deleted", "modified", "moved"])

    def __init__(self, loop: ReloaderLoop) -> None:
        self._loop = loop

    def on_any_event(self, event: Any) -> None:
        """Something has happened to a file."""
        if event.event_type in self.CHANGES:
            self._loop.trigger_reload(event.src_path)


reloader_loops: dict[str, type[ReloaderLoop]] = {
    "auto": WatchdogReloaderLoop,
    "stat": StatReloaderLoop,
    "watchdog": WatchdogReloaderLoop,
}
