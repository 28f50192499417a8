"""Changes are noticed, by whichever way, and what cannot be told of is looked at."""

from __future__ import annotations

import builtins
import shutil
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

import stein.serving.reloader.watcher as watching
from stein.serving.reloader.inventory import Inventory
from stein.serving.reloader.mounts import Mount
from stein.serving.reloader.tree import Tree
from stein.serving.reloader.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONGEST = 10.0


class Ear:
    """Hears of changes, and can wait for one."""

    def __init__(self) -> None:
        self.heard: deque[str] = deque()
        self.said: list[str] = []
        self._news = threading.Condition()  # guards heard

    def on_change(self, paths: list[str]) -> None:
        with self._news:
            self.heard.extend(paths)
            self._news.notify_all()

    def wait_for(self, path: Path) -> None:
        with self._news:
            assert self._news.wait_for(lambda: str(path) in self.heard, LONGEST), self.heard
            self.heard.clear()


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def watch(ear: Ear) -> Iterator[Callable[..., Watcher]]:
    made: list[Watcher] = []

    def start(*roots: Path, **options: Any) -> Watcher:
        options.setdefault("interval", 0.02)
        watcher = Watcher(Tree(), ear.on_change, ear.said.append, **options)
        made.append(watcher)
        watcher.want(Inventory(frozenset(map(str, roots))))
        watcher.start()
        return watcher

    yield start
    for watcher in made:
        watcher.stop()


def without_watchfiles(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def fail(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "watchfiles":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", fail)


@pytest.mark.parametrize("engine", ["auto", "stat"])
def test_changes_in_old_and_new_folders_are_noticed(
    tmp_path: Path, watch: Callable[..., Watcher], ear: Ear, engine: str
) -> None:
    app = tmp_path / "app.py"
    app.write_text("")
    watcher = watch(tmp_path, engine=engine)
    assert watcher.name == ("stat" if engine == "stat" else "watchfiles")
    app.write_text("x")
    ear.wait_for(app)
    part = tmp_path / "shop" / "cart"
    part.mkdir(parents=True)
    (part / "items.py").write_text("")
    ear.wait_for(part / "items.py")
    (part / "items.py").write_text("x")
    ear.wait_for(part / "items.py")
    (part / "items.py").unlink()
    ear.wait_for(part / "items.py")


def test_folders_that_are_wanted_later_are_watched_as_well(
    tmp_path: Path, watch: Callable[..., Watcher], ear: Ear
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "a.py").write_text("")
    watcher = watch()
    watcher.want(Inventory(frozenset([str(first)])))
    (first / "a.py").write_text("x")
    ear.wait_for(first / "a.py")
    watcher.want(Inventory(frozenset([str(first), str(second)])))
    (second / "a.py").write_text("x")
    ear.wait_for(second / "a.py")


def test_what_is_on_another_machine_is_looked_at_and_that_is_said(
    tmp_path: Path, watch: Callable[..., Watcher], ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, far = tmp_path / "here", tmp_path / "far"
    for folder in (here, far):
        folder.mkdir()
        (folder / "a.py").write_text("")
    mounts = [Mount("/", "ext4"), Mount(str(far), "nfs4")]
    monkeypatch.setattr(watching, "read_mounts", lambda: mounts)
    watcher = watch(here, far)
    assert ear.said == [
        f"{far} (nfs4) is looked at every 0.02 s: of changes there the system does not tell"
    ]
    assert watcher.describe() == [
        f"watching 1 folder in {far} (stat, every 0.02 s)",
        f"watching 1 folder in {here} (watchfiles)",
    ]
    for folder in (here, far):
        (folder / "a.py").write_text("x")
        ear.wait_for(folder / "a.py")


def test_without_watchfiles_files_are_looked_at_and_who_asked_for_it_is_told(
    tmp_path: Path, watch: Callable[..., Watcher], ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_watchfiles(monkeypatch)
    (tmp_path / "a.py").write_text("")
    assert watch(tmp_path).name == "stat"
    assert ear.said == []
    assert watch(tmp_path, engine="watchdog").name == "stat"
    assert "needs the package watchfiles" in ear.said[0]
    (tmp_path / "a.py").write_text("x")
    ear.wait_for(tmp_path / "a.py")


def test_where_the_system_refuses_to_tell_files_are_looked_at(
    tmp_path: Path, watch: Callable[..., Watcher], ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    import watchfiles

    def refuse(*_paths: str, **_options: object) -> Any:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(watchfiles, "watch", refuse)
    (tmp_path / "a.py").write_text("")
    watcher = watch(tmp_path)
    (tmp_path / "a.py").write_text("x")
    ear.wait_for(tmp_path / "a.py")
    assert watcher.name == "stat"
    (said,) = ear.said
    assert said.startswith("the system does not tell of changes in 1 folders (OS file watch limit")
    assert said.endswith("they are looked at every 0.02 s")


def test_a_folder_that_vanishes_is_no_failure(
    tmp_path: Path, watch: Callable[..., Watcher], ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    import watchfiles

    part = tmp_path / "part"
    part.mkdir()
    (part / "b.py").write_text("")
    (tmp_path / "a.py").write_text("")
    real = watchfiles.watch

    def vanish(*paths: str, **options: Any) -> Any:
        if part.exists():
            (part / "b.py").unlink()
            part.rmdir()
        return real(*paths, **options)

    monkeypatch.setattr(watchfiles, "watch", vanish)
    watcher = watch(tmp_path)
    ear.wait_for(part / "b.py")
    (tmp_path / "a.py").write_text("x")
    ear.wait_for(tmp_path / "a.py")
    assert watcher.name == "watchfiles"
    assert ear.said == []


def test_too_many_folders_are_said_once(
    tmp_path: Path, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        (tmp_path / f"part{number}").mkdir()
    watcher = Watcher(Tree(most_folders=3), ear.on_change, ear.said.append, engine="stat")
    for name in ("a", "b"):
        watcher.want(Inventory(frozenset([str(tmp_path)]), frozenset([str(tmp_path / name)])))
    assert len(ear.said) == 1
    assert "has more than 3 folders" in ear.said[0]
    assert "exclude_patterns" in ear.said[0]


def make_package(place: Path, text: str) -> Path:
    """Make a package with a module in a folder of its own, and return the module."""
    (place / "deep").mkdir(parents=True)
    (place / "__init__.py").write_text("")
    module = place / "deep" / "mod.py"
    module.write_text(text)
    return module


@pytest.mark.parametrize("engine", ["auto", "stat"])
def test_a_package_that_was_removed_and_made_again_is_still_watched(
    tmp_path: Path, watch: Callable[..., Watcher], ear: Ear, engine: str
) -> None:
    module = make_package(tmp_path / "pkg", "")
    watch(tmp_path, engine=engine)
    for number in range(3):
        shutil.rmtree(tmp_path / "pkg")
        make_package(tmp_path / "pkg", f"again = {number}")
        ear.wait_for(module)
        module.write_text(f"more = {number}")
        ear.wait_for(module)


@pytest.mark.parametrize("engine", ["auto", "stat"])
def test_a_package_in_the_place_of_another_is_still_watched(
    tmp_path: Path, watch: Callable[..., Watcher], ear: Ear, engine: str
) -> None:
    project, aside = tmp_path / "project", tmp_path / "aside"
    module = make_package(project / "pkg", "")
    watch(project, engine=engine)
    for number in range(3):
        make_package(aside / f"new{number}", f"other = {number}")
        (project / "pkg").rename(aside / f"old{number}")
        (aside / f"new{number}").rename(project / "pkg")
        ear.wait_for(module)
        module.write_text(f"more = {number}")
        ear.wait_for(module)


@pytest.mark.parametrize("engine", ["auto", "stat"])
def test_what_was_asked_for_is_watched_again_when_it_is_back(
    tmp_path: Path, watch: Callable[..., Watcher], ear: Ear, engine: str
) -> None:
    module = make_package(tmp_path / "root", "")
    config = tmp_path / "later" / "y.toml"
    watch(engine=engine).want(
        Inventory(frozenset([str(tmp_path / "root")]), frozenset([str(config)]))
    )
    shutil.rmtree(tmp_path / "root")
    ear.wait_for(module)
    make_package(tmp_path / "root", "back = 1")
    ear.wait_for(module)
    module.write_text("more = 1")
    ear.wait_for(module)
    config.parent.mkdir()
    config.write_text("a = 1")
    ear.wait_for(config)
    config.write_text("a = 22")
    ear.wait_for(config)
