"""What the watched folders held when somebody looked last, and what is different now.

Facts.  A project is a few hundred folders of code beside some hundred thousand files that are
none: packages of another language, environments, caches, data.

Decision.  Folders are entered one by one and remembered; those that cannot hold the user's code
are not entered at all, which costs nothing however much is in them.  Whoever notices that
something happens in a folder (the system, or a clock) has it looked into; only a look decides
whether a file has changed.  What was asked for and is not there stays wanted: a checkout, a build
or a tool may put it back at any time.

Price.  Code further below than two folders without any is not found before it is imported.
"""

# ruff: noqa: PTH112, PTH116, PTH118, PTH120 - thousands of paths, as texts

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING, Final, TypeAlias

from stein.serving.reloader.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["MOST_FOLDERS", "Tree"]

#: Folders that are not entered; nor are those with a name that begins with a dot.
CLOSED: Final = frozenset(
    ["__pycache__", "bower_components", "dist-packages", "node_modules", "site-packages"]
)
#: Folders with one of these in them are environments and caches.
MARKS: Final = frozenset(["CACHEDIR.TAG", "conda-meta", "pyvenv.cfg"])
#: Below a folder of everything, what editors and Python leave lying about is not looked at.
LITTER: Final = ("~", ".pyc", ".pyo", ".swp", ".swx", ".tmp")
#: Names of folders whose content goes to browsers, in projects that do not tell.
PAGES: Final = frozenset(["static", "templates"])
#: More than a project has; below the number of folders that a user may let the system watch.
MOST_FOLDERS: Final = 8192

#: modification time, size and number: a file that is put in another's place has another number
Stamp: TypeAlias = tuple[int, int, int]
#: the stamp of no file
OTHERWISE: Final = (-1, -1, -1)


class Folder:
    """One folder, as it was when somebody looked last.

    ``everything``: all files matter, not only code.  ``live``: they matter to browsers.
    ``singles``: only files matter that were asked for one by one.  ``stamp`` is its own: with the
    same one it is the same folder, with the same names in it.
    """

    __slots__ = ("path", "everything", "live", "singles", "stamp", "files", "inner", "has_code")

    def __init__(
        self, path: str, *, everything: bool = False, live: bool = False, singles: bool = False
    ) -> None:
        self.path = path
        self.singles = singles
        self.everything = everything
        self.live = live
        self.stamp: Stamp = OTHERWISE
        self.files: dict[str, Stamp] = {}
        self.inner: set[str] = set()
        self.has_code = False


class Tree:
    """The watched folders.  Any thread; one lock guards all of it.

    :param is_excluded: tells which paths are left out.
    :param live: whether what only browsers show is watched, too.
    :param most_folders: where to stop, so that a mistake (a home directory as the import path)
        costs no minutes.
    """

    def __init__(
        self,
        is_excluded: Callable[[str], bool] = lambda _path: False,
        *,
        live: bool = False,
        most_folders: int = MOST_FOLDERS,
    ) -> None:
        self._is_excluded = is_excluded
        self._live = live
        self._most = most_folders
        self._lock = threading.RLock()
        self._wanted = Inventory()
        self._single: frozenset[str] = frozenset()  # files that matter wherever they are
        self._starts: set[str] = set()  # folders that were asked for, and are entered in any case
        self._parents: set[str] = set()  # folders of those files
        #: by path
        self.folders: dict[str, Folder] = {}
        #: counts how often the set of folders has changed, or one took the place of another
        self.version = 0
        #: counts the latter alone
        self.replaced = 0
        #: where there were too many folders
        self.overfull: str | None = None

    # -- what is watched ----------------------------------------------------------------------

    def want(self, wanted: Inventory, since: int | None = None) -> None:
        """Watch this from now on.

        :param wanted: what was not watched before counts as it is now.
        :param since: but what was written later than this, in nanoseconds of the epoch, is told
            by the next look: the program may have read it before.
        """
        with self._lock:
            if wanted == self._wanted:
                return
            self._wanted = wanted
            before, single_before = self.folders, self._single
            self.folders, self.overfull = {}, None
            self._starts = set(wanted.roots | wanted.folders)
            if self._live:
                self._starts |= wanted.live
            self._single = wanted.files | {os.path.realpath(file) for file in wanted.files}
            self._parents = {os.path.dirname(file) for file in self._single}
            self._enter_wanted()
            for path, folder in self.folders.items():
                known = before.get(path)
                if since is not None:
                    self._doubt(folder, known, since)
                if known is not None:
                    self._recall(folder, known, single_before)
            self._keep_lost(before)
            self.version += 1

    def _keep_lost(self, before: dict[str, Folder]) -> None:
        """Put back the folders that went away unseen, so that the next look tells of it."""
        below = tuple(os.path.join(start, "") for start in self._starts)
        for path, known in before.items():
            is_wanted = path in self._parents or os.path.join(path, "").startswith(below)
            if is_wanted and path not in self.folders and not os.path.isdir(path):
                self.folders[path] = known

    def _doubt(self, folder: Folder, before: Folder | None, since: int) -> None:
        """Take what is new here, and was written lately, for changed."""
        for name, known in folder.files.items():
            if known[0] > since and (before is None or name not in before.files):
                folder.files[name] = OTHERWISE

    def _recall(self, folder: Folder, before: Folder, single: frozenset[str]) -> None:
        """Put back what was known of a folder, so that the next look sees what is new since."""
        folder.stamp = OTHERWISE  # list it
        for name in list(folder.files):
            path = os.path.join(folder.path, name)
            if name in before.files:
                folder.files[name] = before.files[name]
            elif self._matters(before, name, path, single):
                del folder.files[name]
        for name, known in before.files.items():
            path = os.path.join(folder.path, name)
            if name not in folder.files and self._matters(folder, name, path, self._single):
                folder.files[name] = known  # gone in the meantime

    def _enter_wanted(self) -> list[str]:
        """Add what was asked for and is not there yet; return the files in it that matter."""
        found: list[str] = []
        for start in sorted(self._starts):
            found += self._enter(start)
        for parent in sorted(self._parents):
            found += self._add_parent(parent)
        return found

    def _add_parent(self, path: str) -> list[str]:
        """Watch a folder for single files in it; return those."""
        if path in self.folders:
            return []
        folder = Folder(path, singles=True)
        try:
            self._read(folder)
        except OSError:  # not there yet: it will be looked for
            return []
        folder.inner.clear()
        self.folders[path] = folder
        return [os.path.join(path, name) for name in folder.files]

    def _is_entered(self, path: str) -> bool:
        """Whether a folder is watched for more than single files."""
        folder = self.folders.get(path)
        return folder is not None and not folder.singles

    def _enter(
        self,
        start: str,
        *,
        everything: bool = False,
        live: bool = False,
        near_code: bool = True,
    ) -> list[str]:
        """Add a folder and those below; return the files in them that are new.

        What was asked for with everything in it, or for browsers, is watched so in any case.

        :param near_code: whether there is code in the folder above.
        """
        found: list[str] = []
        waiting = [(start, near_code, everything, live)]
        while waiting:
            path, near, whole, shown = waiting.pop()
            is_start = path in self._starts
            if self._is_entered(path) or (not is_start and self._is_excluded(path)):
                continue
            if len(self.folders) >= self._most:
                self.overfull = self.overfull or start
                break
            whole = whole or path in self._wanted.folders
            shown = shown or (self._live and path in self._wanted.live)
            folder = Folder(path, everything=whole, live=shown)
            try:
                entries = self._read(folder)
            except OSError:
                continue
            if not is_start and not MARKS.isdisjoint(entries):
                continue
            known = self.folders.get(path)  # for single files
            self.folders[path] = folder
            found += [
                os.path.join(path, name)
                for name, now in folder.files.items()
                if known is None or known.files.get(name) != now
            ]
            if whole or shown or near or is_start or folder.has_code:
                waiting += [
                    (
                        os.path.join(path, name),
                        folder.has_code,
                        whole,
                        shown or (self._live and name in PAGES),
                    )
                    for name in folder.inner
                ]
            else:
                folder.inner.clear()
        return found

    def _read(self, folder: Folder) -> list[str]:
        """List a folder, and note the files that matter in it.

        :returns: the names of all that is in it.
        :raises OSError: it is not there, or may not be read.
        """
        status = os.stat(folder.path)
        names: list[str] = []
        folder.stamp = stamp(status)
        files: dict[str, Stamp] = {}
        inner: set[str] = set()
        has_code = False
        with os.scandir(folder.path) as entries:
            for entry in entries:
                name = entry.name
                names.append(name)
                try:
                    if entry.is_dir(follow_symlinks=False):
                        if not name.startswith(".") and name not in CLOSED:
                            inner.add(name)
                        continue
                    if name.endswith(".py"):
                        has_code = True
                    if self._matters(folder, name, entry.path, self._single):
                        files[name] = stamp(entry.stat())
                except OSError:  # gone already, or a link that leads nowhere
                    continue
        folder.files, folder.inner, folder.has_code = files, inner, has_code
        return names

    def _matters(self, folder: Folder, name: str, path: str, single: frozenset[str]) -> bool:
        if path in single:
            return not self._is_excluded(path)
        if (
            folder.singles or name.startswith(".") or self._is_excluded(path)
        ):  # such as .#app.py, a lock of Emacs
            return False
        if name.endswith(".py"):
            return True
        return (folder.everything or folder.live) and not name.endswith(LITTER)

    def paths(self) -> set[str]:
        """Return the files that matter."""
        with self._lock:
            return {
                os.path.join(folder.path, name)
                for folder in self.folders.values()
                for name in folder.files
            }

    def is_live(self, path: str) -> bool:
        """Whether a change of this file concerns browsers only."""
        if path.endswith(".py"):
            return False
        with self._lock:
            folder = self.folders.get(os.path.dirname(path))
            return folder is not None and folder.live and path not in self._single

    # -- what has changed ---------------------------------------------------------------------

    def look(self, paths: Iterable[str] | None = None) -> list[str]:
        """Look at folders again.

        A folder whose own stamp is unchanged has the same names in it: only its files are asked.

        :param paths: which; all, if not given, and those that were away.
        :returns: the files that are new, gone or different.
        """
        changed: list[str] = []
        with self._lock:
            if paths is None:
                changed += self.seek()
            for path in list(self.folders) if paths is None else list(paths):
                folder = self.folders.get(path)
                if folder is None:
                    continue
                try:
                    same = stamp(os.stat(path)) == folder.stamp
                except OSError:
                    same = False
                changed += self._compare(folder) if same else self.look_into(path)
        return changed

    def seek(self) -> list[str]:
        """Look whether what was asked for is where it was, or is there again.

        Of a folder that came back nobody tells, nor of one in whose place another was put together
        with all that is above it.

        :returns: the files that are new, gone or different.
        """
        changed: list[str] = []
        with self._lock:
            count = len(self.folders)
            for path in sorted(self._starts | self._parents):
                folder = self.folders.get(path)
                try:
                    if folder is None or stamp(os.stat(path))[2] == folder.stamp[2]:
                        continue
                except OSError:
                    changed += self._lose(path)
                    continue
                below = os.path.join(path, "")
                inside = [each for each in self.folders if each == path or each.startswith(below)]
                changed += self.look(inside)
            changed += self._enter_wanted()
            if len(self.folders) != count:
                self.version += 1
        return changed

    def _compare(self, folder: Folder) -> list[str]:
        """Ask the known files of a folder."""
        changed = []
        for name, before in list(folder.files.items()):
            path = os.path.join(folder.path, name)
            try:
                now = stamp(os.stat(path))
            except OSError:
                del folder.files[name]
            else:
                if now == before:
                    continue
                folder.files[name] = now
            changed.append(path)
        return changed

    def look_into(self, path: str) -> list[str]:
        """List a folder again, and enter the folders that are new in it.

        :returns: the files that are new, gone or different, here and in new or lost folders.
        """
        with self._lock:
            folder = self.folders.get(path)
            if folder is None:
                return []
            files, inner, before = folder.files, folder.inner, folder.stamp
            try:
                self._read(folder)
            except OSError:
                return self._lose(path)
            if folder.stamp[2] != before[2] and before != OTHERWISE:
                self.replaced += 1
                self.version += 1
            join = os.path.join
            changed = [
                join(path, name)
                for name in sorted(files.keys() | folder.files.keys())
                if files.get(name) != folder.files.get(name)
            ]
            for name in sorted(inner - folder.inner):
                changed += self._lose(join(path, name))
            if not (inner or self._descends(folder)):
                folder.inner.clear()
            count = len(self.folders)
            for name in sorted(folder.inner):
                if not self._is_entered(join(path, name)):
                    changed += self._enter(
                        join(path, name),
                        everything=folder.everything,
                        live=folder.live or (self._live and name in PAGES),
                        near_code=folder.has_code,
                    )
            if len(self.folders) != count:
                self.version += 1
            return changed

    def _descends(self, folder: Folder) -> bool:
        """Whether the folders in this one are entered."""
        if folder.singles:
            return False
        if folder.path in self._starts or folder.everything or folder.live or folder.has_code:
            return True
        above = self.folders.get(os.path.dirname(folder.path))
        return above is not None and above.has_code

    def _lose(self, path: str) -> list[str]:
        """Forget a folder that is gone; return the files that were in it and below."""
        below = os.path.join(path, "")
        gone = [each for each in self.folders if each == path or each.startswith(below)]
        changed = []
        for each in gone:
            folder = self.folders.pop(each)
            changed += [os.path.join(each, name) for name in sorted(folder.files)]
        if gone:
            self.version += 1
        return changed

    def parent_of(self, path: str) -> str:
        """Return the watched folder in which something happened.

        :param path: of a file, or of a folder that is watched itself.
        """
        with self._lock:
            return path if path in self.folders else os.path.dirname(path)


def stamp(status: os.stat_result) -> Stamp:
    """Return what is different once a file has been written anew."""
    size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return status.st_mtime_ns, size, status.st_ino
