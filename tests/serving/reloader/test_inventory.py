# ruff: noqa: PTH118, PTH120 - paths as texts, as the reloader has them

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from stein.serving.reloader.inventory import (
    Inventory,
    is_installed_command,
    is_library,
    outermost,
    take_inventory,
)


def module(
    monkeypatch: pytest.MonkeyPatch, name: str, file: object, *, package: bool = False
) -> None:
    made = ModuleType(name)
    made.__file__ = file  # type: ignore[assignment] # some are odd
    if package:
        made.__path__ = []
    monkeypatch.setitem(sys.modules, name, made)


@pytest.mark.parametrize(
    ("path", "library"),
    [
        (os.__file__, True),
        (str(Path(os.__file__).parent), True),
        (pytest.__file__, True),
        ("/usr/lib/python3/dist-packages/x.py", True),
        ("/usr/src/app/x.py", False),
        (str(Path(os.__file__).parent) + "-mine/x.py", False),
        (__file__, False),
    ],
)
def test_libraries_are_told_from_what_is_edited(path: str, *, library: bool) -> None:
    assert is_library(path) is library


def test_folders_on_the_import_path_are_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site-packages").mkdir()
    monkeypatch.chdir(tmp_path)
    installed, absent = str(tmp_path / "site-packages"), str(tmp_path / "absent")
    monkeypatch.setattr(sys, "path", ["", installed, absent, os.path.dirname(os.__file__)])
    monkeypatch.setattr(sys, "modules", {})
    assert take_inventory().roots == {str(tmp_path)}


def test_a_command_brings_no_root_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [os.path.dirname(sys.executable)])
    monkeypatch.setattr(sys, "modules", {})
    assert take_inventory().roots == frozenset()
    assert is_installed_command(os.path.join(os.path.dirname(sys.executable), "stein"))
    assert not is_installed_command(__file__)


def test_modules_outside_of_the_roots_are_watched_packages_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pkg" / "part").mkdir(parents=True)
    for name in ("single.py", "pkg/__init__.py", "pkg/part/__init__.py"):
        (tmp_path / name).write_text("")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("inside.py", "")
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "modules", {})
    module(monkeypatch, "single", str(tmp_path / "single.py"))
    module(monkeypatch, "pkg", str(tmp_path / "pkg" / "__init__.py"), package=True)
    module(monkeypatch, "pkg.part", str(tmp_path / "pkg/part/__init__.py"), package=True)
    module(monkeypatch, "inside", str(tmp_path / "packed.zip" / "inside.py"))
    module(monkeypatch, "odd", 17)
    module(monkeypatch, "gone", "/nowhere/at/all.py")
    module(monkeypatch, "installed", "/x/site-packages/y.py")
    found = take_inventory([str(tmp_path / "a.toml")], [str(tmp_path / "pages")])
    assert found.roots == {str(tmp_path / "pkg")}
    assert found.files == {
        str(tmp_path / "single.py"), str(tmp_path / "packed.zip"), str(tmp_path / "a.toml")
    }  # fmt: skip
    assert found.live == {str(tmp_path / "pages")}


def test_an_inventory_goes_through_a_message() -> None:
    found = Inventory(frozenset("ab"), frozenset("c"), frozenset("d"), frozenset("e"))
    assert Inventory.from_message(found.as_message()) == found
    assert (Inventory(files=frozenset("x")) | found).files == {"c", "x"}


def test_of_folders_in_each_other_the_outermost_remain() -> None:
    assert outermost({"/a", "/a/b", "/a-b", "/c/d", "/c/d/e/f"}) == {"/a", "/a-b", "/c/d"}
    assert outermost({"/", "/a"}) == {"/"}
