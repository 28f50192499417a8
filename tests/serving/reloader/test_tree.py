"""The watched folders: what is entered, what matters, and what counts as a change."""

# ruff: noqa: PTH104, PTH105, PTH106, PTH107, PTH116, PTH120, PTH211 - paths as texts, as the reloader has them

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from stein.serving.reloader.inventory import Inventory
from stein.serving.reloader.options import make_filter
from stein.serving.reloader.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, *names: str) -> list[str]:
    """Make files, and return their paths."""
    paths = []
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        paths.append(str(path))
    return paths


def change(path: str) -> None:
    """Give a file a later time of modification, whatever the clock of the disk can tell."""
    status = os.stat(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))


def tree_of(folder: Path, *patterns: str, live: bool = False, most: int = 1000) -> Tree:
    tree = Tree(make_filter(patterns), live=live, most_folders=most)
    tree.want(Inventory(frozenset([str(folder)])))
    return tree


def names_in(tree: Tree, folder: Path) -> set[str]:
    return {os.path.relpath(path, folder) for path in tree.paths()}


def test_code_is_found_in_the_folders_of_a_project(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "shop/__init__.py", "shop/cart/items.py", "src/shop/x.py", "read.me")
    tree = tree_of(tmp_path)
    assert names_in(tree, tmp_path) == {
        "app.py", "shop/__init__.py", "shop/cart/items.py", "src/shop/x.py"
    }  # fmt: skip


@pytest.mark.parametrize(
    "place", ["node_modules", "__pycache__", ".git", ".venv", "lib/site-packages", ".hidden/x"]
)
def test_what_is_not_the_users_is_not_entered(tmp_path: Path, place: str) -> None:
    write(tmp_path, "app.py", f"{place}/a.py", f"{place}/b/c.py")
    tree = tree_of(tmp_path)
    assert names_in(tree, tmp_path) == {"app.py"}
    assert not any(f"/{place}" in path for path in tree.folders)


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "CACHEDIR.TAG", "conda-meta"])
def test_environments_and_caches_are_known_by_what_is_in_them(tmp_path: Path, mark: str) -> None:
    write(tmp_path, "app.py", f"mine/{mark}", "mine/a.py", "mine/bin/b.py")
    assert names_in(tree_of(tmp_path), tmp_path) == {"app.py"}


def test_an_environment_that_was_asked_for_is_entered(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "pyvenv.cfg")
    assert names_in(tree_of(tmp_path), tmp_path) == {"app.py"}


def test_folders_without_code_are_not_followed_for_long(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "data/2024/01/x.csv", "data/2024/01/deep.py")
    tree = tree_of(tmp_path)
    assert str(tmp_path / "data" / "2024") in tree.folders
    assert str(tmp_path / "data" / "2024" / "01") not in tree.folders


def test_folders_can_be_left_out_with_all_that_is_in_them(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "tests/a.py", "tests/b/c.py", "shop/tests.py", "shop/old_x.py")
    tree = tree_of(tmp_path, "tests/*", "*/old_*.py")
    assert names_in(tree, tmp_path) == {"app.py", "shop/tests.py"}
    assert str(tmp_path / "tests") not in tree.folders


def test_there_is_an_end_to_folders(tmp_path: Path) -> None:
    write(tmp_path, *(f"part{number}/x.py" for number in range(30)))
    tree = tree_of(tmp_path, most=10)
    assert len(tree.folders) == 10
    assert tree.overfull == str(tmp_path)


def test_a_change_is_seen_once(tmp_path: Path) -> None:
    (path,) = write(tmp_path, "app.py")
    tree = tree_of(tmp_path)
    assert tree.look() == []
    change(path)
    assert tree.look() == [path]
    assert tree.look() == []


def test_another_file_in_the_place_of_one_is_a_change(tmp_path: Path) -> None:
    path, other = write(tmp_path, "app.py", "draft~")
    tree = tree_of(tmp_path)
    status = os.stat(path)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(other, path)
    assert tree.look() == [path]


def test_new_and_lost_files_and_folders_are_changes(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    tree = tree_of(tmp_path)
    (new, below) = write(tmp_path, "new/x.py", "new/below/y.py")
    assert sorted(tree.look()) == sorted([new, below])
    version = tree.version
    os.remove(below)
    assert tree.look() == [below]
    os.rmdir(os.path.dirname(below))
    assert tree.look() == []
    assert tree.version > version
    os.rename(tmp_path / "new", tmp_path / "newer")
    assert set(tree.look()) == {new, str(tmp_path / "newer" / "x.py")}


def test_folders_get_entered_once_there_is_code_above(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "data/2024/01/x.py")
    tree = tree_of(tmp_path)
    (first,) = write(tmp_path, "data/2024/y.py")
    assert set(tree.look()) == {first, str(tmp_path / "data/2024/01/x.py")}


def test_what_editors_leave_is_no_change(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    tree = tree_of(tmp_path)
    write(tmp_path, ".app.py.swp", "app.py~", "4913", ".#app.py", "#app.py#", "app.pyc")
    os.symlink("someone@host.17", tmp_path / ".#other.py")
    assert tree.look() == []


def test_a_link_that_leads_nowhere_is_no_file(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    os.symlink(tmp_path / "gone", tmp_path / "link.py")
    assert names_in(tree_of(tmp_path), tmp_path) == {"app.py"}


def test_single_files_are_watched_wherever_they_are(tmp_path: Path) -> None:
    (env, other, target) = write(tmp_path, ".config/settings.toml", ".config/x.py", "real/a.cfg")
    link = tmp_path / "link.cfg"
    link.symlink_to(target)
    tree = Tree()
    tree.want(Inventory(files=frozenset([env, str(link), str(tmp_path / "absent.cfg")])))
    change(other)
    assert tree.look() == []  # it is only beside one
    change(env)
    assert tree.look() == [env]
    change(target)
    assert set(tree.look()) == {target, str(link)}
    (absent,) = write(tmp_path, "absent.cfg")
    assert tree.look() == [absent]


def test_a_folder_of_everything_is_watched_with_all_files(tmp_path: Path) -> None:
    (sql,) = write(tmp_path, "sql/deep/er/a.sql")
    tree = Tree()
    tree.want(Inventory(folders=frozenset([str(tmp_path / "sql")])))
    change(sql)
    assert tree.look() == [sql]
    write(tmp_path, "sql/deep/.a.sql.swp", "sql/deep/a.sql~", "sql/x.pyc")
    assert tree.look() == []
    (new,) = write(tmp_path, "sql/more/b.sql")
    assert tree.look() == [new]


def test_pages_matter_to_browsers_only_and_only_if_asked(tmp_path: Path) -> None:
    (page, style) = write(tmp_path, "shop/templates/a/b.html", "shop/static/css/main.css")
    (code,) = write(tmp_path, "shop/app.py")
    assert names_in(tree_of(tmp_path), tmp_path) == {"shop/app.py"}
    tree = tree_of(tmp_path, live=True)
    assert tree.is_live(page)
    assert tree.is_live(style)
    assert not tree.is_live(code)
    assert not tree.is_live(str(tmp_path / "elsewhere" / "x"))
    change(style)
    assert tree.look() == [style]


def test_folders_of_pages_that_the_program_has_told_are_live(tmp_path: Path) -> None:
    (page,) = write(tmp_path, "views/deep/er/a.html")
    tree = Tree(live=True)
    tree.want(Inventory(live=frozenset([str(tmp_path / "views")])))
    assert tree.is_live(page)


def test_to_want_more_loses_no_change_that_nobody_has_seen_yet(tmp_path: Path) -> None:
    (path, gone) = write(tmp_path, "app.py", "gone.py")
    tree = tree_of(tmp_path)
    change(path)
    os.remove(gone)
    (new, config) = write(tmp_path, "new.py", "config.toml")
    tree.want(Inventory(frozenset([str(tmp_path)]), frozenset([config])))
    assert set(tree.look()) == {path, gone, new}
    assert tree.look() == []


def test_to_want_more_forgets_no_folder_that_went_away_meanwhile(tmp_path: Path) -> None:
    (path, gone, dropped) = write(tmp_path, "a/app.py", "a/deep/b.py", "c/d.py")
    tree = Tree()
    tree.want(Inventory(frozenset([str(tmp_path / "a"), str(tmp_path / "c")])))
    shutil.rmtree(tmp_path / "a")
    shutil.rmtree(tmp_path / "c")
    tree.want(Inventory(frozenset([str(tmp_path / "a")]), frozenset([str(tmp_path / "x.toml")])))
    assert set(tree.look()) == {path, gone}
    assert dropped not in tree.paths()
    assert tree.look() == []


def test_what_was_written_while_nobody_looked_is_told(tmp_path: Path) -> None:
    (old, config) = write(tmp_path, "old.py", "settings.json")
    os.utime(old, ns=(1000, 1000))
    os.utime(config, ns=(3000, 3000))
    tree = Tree()
    tree.want(Inventory(frozenset([str(tmp_path)])), since=2000)
    assert tree.look() == []
    tree.want(Inventory(frozenset([str(tmp_path)]), frozenset([config])), since=2000)
    assert tree.look() == [config]
    assert tree.look() == []
    tree.want(Inventory(files=frozenset([config])), since=2000)
    assert tree.look() == []  # it was watched already


def test_to_want_the_same_again_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    tree = tree_of(tmp_path)
    version = tree.version
    tree.want(Inventory(frozenset([str(tmp_path)])))
    assert tree.version == version


def test_folders_that_are_not_there_are_nothing(tmp_path: Path) -> None:
    tree = tree_of(tmp_path / "nowhere")
    assert tree.folders == {}
    assert tree.look([str(tmp_path)]) == []
    assert tree.look_into(str(tmp_path)) == []


def test_a_place_is_a_folder_or_the_folder_of_a_file(tmp_path: Path) -> None:
    write(tmp_path, "shop/app.py")
    tree = tree_of(tmp_path)
    assert tree.parent_of(str(tmp_path / "shop")) == str(tmp_path / "shop")
    assert tree.parent_of(str(tmp_path / "shop" / "app.py")) == str(tmp_path / "shop")


def test_a_folder_in_the_place_of_another_is_listed_whatever_its_time(tmp_path: Path) -> None:
    (path,) = write(tmp_path, "shop/app.py")
    (other, new) = write(tmp_path, "draft/shop/app.py", "draft/shop/new.py")
    for old, its in ((path, other), (os.path.dirname(path), os.path.dirname(other))):
        status = os.stat(old)
        os.utime(its, ns=(status.st_atime_ns, status.st_mtime_ns))
    tree = tree_of(tmp_path / "shop")
    before = tree.replaced
    os.rename(tmp_path / "shop", tmp_path / "old")
    os.rename(tmp_path / "draft" / "shop", tmp_path / "shop")
    assert set(tree.look()) == {path, new.replace("draft/", "")}
    assert tree.replaced > before
    assert tree.look() == []


@pytest.mark.parametrize("kind", ["roots", "folders", "live", "files"])
def test_what_was_asked_for_is_found_again_once_it_is_back(tmp_path: Path, kind: str) -> None:
    name = "x.py" if kind == "roots" else "x.toml"
    conf = tmp_path / "far" / "conf"
    (path,) = write(conf, name)
    tree = Tree(live=True)
    tree.want(Inventory(**{kind: frozenset([path if kind == "files" else str(conf)])}))
    shutil.rmtree(tmp_path / "far")
    assert tree.look() == [path]
    assert tree.seek() == []
    version = tree.version
    write(conf, name)
    assert tree.seek() == [path]
    assert tree.version > version
    change(path)
    assert tree.look() == [path]
    assert tree.look() == []


def test_what_was_asked_for_may_be_made_later(tmp_path: Path) -> None:
    tree = Tree()
    config = str(tmp_path / "later" / "y.toml")
    tree.want(Inventory(frozenset([str(tmp_path / "code")]), frozenset([config])))
    assert tree.look() == []
    (code, _) = write(tmp_path, "code/deep/a.py", "later/y.toml")
    assert sorted(tree.look()) == [code, config]


def test_a_folder_of_everything_is_one_again_if_a_folder_above_finds_it(tmp_path: Path) -> None:
    (path, _) = write(tmp_path, "conf/deep/x.toml", "app.py")
    tree = Tree()
    tree.want(Inventory(frozenset([str(tmp_path)]), folders=frozenset([str(tmp_path / "conf")])))
    shutil.rmtree(tmp_path / "conf")
    assert tree.look() == [path]
    write(tmp_path, "conf/deep/x.toml")
    assert tree.look_into(str(tmp_path)) == [path]
    change(path)
    assert tree.look() == [path]


def test_a_folder_that_came_back_for_one_file_is_entered_for_its_code_too(tmp_path: Path) -> None:
    (config, code, _) = write(tmp_path, "shop/y.toml", "shop/deep/a.py", "app.py")
    tree = Tree()
    tree.want(Inventory(frozenset([str(tmp_path)]), frozenset([config])))
    shutil.rmtree(tmp_path / "shop")
    assert set(tree.look()) == {config, code}
    write(tmp_path, "shop/y.toml", "shop/deep/a.py")
    assert tree.seek() == [config]
    assert tree.look() == [code]


def test_one_put_in_its_place_together_with_all_above_is_noticed(tmp_path: Path) -> None:
    (path,) = write(tmp_path, "project/src/app.py")
    write(tmp_path, "draft/src/app.py")
    tree = tree_of(tmp_path / "project" / "src")
    os.rename(tmp_path / "project", tmp_path / "old")
    os.rename(tmp_path / "draft", tmp_path / "project")
    assert tree.seek() == [path]
    assert tree.replaced == 1
    assert tree.seek() == []
