"""Notices that files have changed: told by the system where that works, by looking where not.

Facts.  The system tells of changes in folders on its own disks and not of those on a server or on
the host of a virtual machine.  It tells of a limited number of folders.  watchfiles cannot add a
folder to those that it watches.  What it watches is the folder that was there when it began, not
the one that a checkout or a build has put in its place.

Decision.  Each folder is watched by itself, without those below, so that folders which do not
matter cost nothing.  What is told only says where to look; :class:`~.tree.Tree` decides.  When the
folders change, or something has happened to one of them itself, the system is asked anew, and then
everything is looked at once, as something may have changed in between.  Folders that were asked for
and are away are looked for at each round.

Price.  What comes back is noticed after an interval.  The thread that listens to watchfiles wakes
every :data:`STEP` milliseconds, which is about 0.15 % of a processor.
"""

from __future__ import annotations

import threading
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING, Final

from stein.serving.reloader.inventory import outermost
from stein.serving.reloader.mounts import Mount, mount_of, read_mounts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stein.serving.reloader.inventory import Inventory
    from stein.serving.reloader.tree import Tree

__all__ = ["Watcher"]

#: milliseconds; a change is told one or two of them after it has happened
STEP: Final = 25
#: milliseconds for which changes that follow each other closely are collected, at most
DEBOUNCE: Final = 400
#: milliseconds after which the thread has certainly begun to be told of changes
SETTLED: Final = 250
#: looking may take this part of the time, or it is done less often
LARGEST_SHARE: Final = 0.05
#: seconds until a second look, when the first has found something: more may be on its way
SECOND_LOOK: Final = 0.05
SECOND_LOOKS: Final = 8


class Watcher:
    """Calls back when something in a tree has changed.

    :param tree: what to watch.
    :param on_change: called with the paths of the files, in a thread of the watcher's.
    :param say: called with lines for the user.
    :param engine: see :data:`~stein.serving.reloader.options.ENGINES`.
    :param interval: seconds between two looks, where looking is needed.
    """

    def __init__(
        self,
        tree: Tree,
        on_change: Callable[[list[str]], object],
        say: Callable[[str], object],
        *,
        engine: str = "auto",
        interval: float = 1.0,
    ) -> None:
        self._tree = tree
        self._on_change = on_change
        self._say = say
        self._interval = interval
        self._mounts: Sequence[Mount] = read_mounts()
        self._is_native = engine != "stat" and has_watchfiles()
        self._places: dict[str, Mount | None] = {}
        self._said: set[str] = set()
        self._lock = threading.Lock()  # guards the two lists, _version and _replaced
        self._told: list[str] = []
        self._polled: list[str] = []
        self._version = -1
        self._replaced = 0
        self._stop = threading.Event()
        self._renew = threading.Event()  # the folders that the system tells of have changed
        self._threads: list[threading.Thread] = []
        #: what people call the way in which changes are noticed
        self.name = "watchfiles" if self._is_native else "stat"
        if engine in {"watchfiles", "watchdog"} and not self._is_native:
            say(
                f"reloader_type={engine!r} needs the package watchfiles, which is not installed "
                "(pip install 'stein[reload]'); files are looked at instead"
            )

    def start(self) -> None:
        """Begin to watch."""
        self._sort()
        loops = [self._look_again_and_again]
        if self._is_native:
            loops.append(self._listen)
        for loop in loops:
            thread = threading.Thread(target=loop, name="stein-watch", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Watch no longer."""
        self._stop.set()
        self._renew.set()
        for thread in self._threads:
            thread.join()

    def want(self, inventory: Inventory, since: int | None = None) -> None:
        """Watch this from now on; see :meth:`.tree.Tree.want`."""
        self._tree.want(inventory, since)
        if self._tree.overfull:
            self._say_once(
                f"{self._tree.overfull} has more than {len(self._tree.folders)} folders; not all "
                "of them are watched. Leave out what is no code, with exclude_patterns"
            )
        self._sort()

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)

    # -- which folder is watched how ----------------------------------------------------------

    def _sort(self) -> None:
        """Decide for each folder how it is watched, if the folders have changed."""
        with self._lock:
            if self._version == self._tree.version:
                return
            self._version = self._tree.version
            told: list[str] = []
            polled: list[str] = []
            for path in list(self._tree.folders):
                mount = self._mount_of(path) if self._is_native else None
                if not self._is_native or (mount is not None and mount.is_elsewhere):
                    polled.append(path)
                else:
                    told.append(path)
                if mount is not None and mount.is_elsewhere:
                    self._say_once(
                        f"{mount.point} ({mount.kind}) is looked at every {self._interval:g} s: "
                        "of changes there the system does not tell"
                    )
            changed = told != self._told or self._replaced != self._tree.replaced
            self._replaced = self._tree.replaced
            self._told, self._polled = told, polled
        if changed:
            self._renew.set()

    def _mount_of(self, path: str) -> Mount | None:
        if path not in self._places:
            self._places[path] = mount_of(path, self._mounts)
        return self._places[path]

    def describe(self) -> list[str]:
        """Return what is watched, a line for each of the outermost folders."""
        with self._lock:
            told, polled = set(self._told), list(self._polled)
        tops: Counter[tuple[str, bool]] = Counter()
        for top in outermost([*told, *polled]):
            below = f"{top}/"
            for path in [*told, *polled]:
                if path == top or path.startswith(below):
                    tops[top, path in told] += 1
        return [
            f"watching {count} folder{'s' if count > 1 else ''} in {top} "
            f"({'watchfiles' if native else f'stat, every {self._interval:g} s'})"
            for (top, native), count in sorted(tops.items())
        ]

    # -- told by the system -------------------------------------------------------------------

    def _listen(self) -> None:
        """Be told of changes, until the watcher stops.  A thread of its own."""
        while not self._stop.is_set():
            self._renew.clear()
            with self._lock:
                folders = list(self._told)
            if not folders:
                self._renew.wait()
                continue
            try:
                self._listen_to(folders)
            except (OSError, RuntimeError) as error:  # watchfiles' own is a RuntimeError
                self._sort_again()
                if self._renew.is_set():
                    continue  # a folder has gone away in the meantime
                self._say_once(
                    f"the system does not tell of changes in {len(folders)} folders "
                    f"({' '.join(str(error).split())}); they are looked at every "
                    f"{self._interval:g} s"
                )
                self._is_native, self.name = False, "stat"
                with self._lock:
                    self._version = -1
                self._sort()
                return

    def _sort_again(self) -> None:
        self._report(self._tree.look())
        self._sort()

    def _listen_to(self, folders: list[str]) -> None:
        """Be told of changes in these folders, until others are to be watched."""
        from watchfiles import watch  # noqa: PLC0415 - an extra

        settled = False
        for changes in watch(
            *folders,
            watch_filter=None,
            debounce=DEBOUNCE,
            step=STEP,
            stop_event=self._renew,
            rust_timeout=SETTLED,
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=False,
            recursive=False,
            ignore_permission_denied=True,
        ):
            if not settled:
                settled = True
                self._sort_again()
            else:
                changed: list[str] = []
                for place in {self._tree.parent_of(path) for _, path in changes}:
                    changed += self._tree.look_into(place)
                self._sort()
                self._report(changed)
            if any(path in self._tree.folders for _, path in changes):
                # Another folder may be in its place, even one with the same number.
                self._renew.set()

    # -- looking ------------------------------------------------------------------------------

    def _look_again_and_again(self) -> None:
        """Look at the folders of which nobody tells.  A thread of its own."""
        pause = self._interval
        while not self._stop.wait(pause):
            with self._lock:
                folders = list(self._polled)
            begin = monotonic()
            changed = self._tree.look(folders) + self._tree.seek()
            took = monotonic() - begin
            pause = max(self._interval, took / LARGEST_SHARE)
            for _ in range(SECOND_LOOKS if changed else 0):
                if self._stop.wait(SECOND_LOOK):
                    return
                more = self._tree.look(folders)
                changed += more
                if not more:
                    break
            self._sort()
            self._report(changed)

    def _report(self, changed: list[str]) -> None:
        if changed:
            self._on_change(sorted(set(changed)))


def has_watchfiles() -> bool:
    """Whether watchfiles can be used."""
    try:
        import watchfiles  # noqa: F401, PLC0415 - an extra
    except ImportError:
        return False
    return True
