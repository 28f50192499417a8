"""Where a module and its project live."""

from __future__ import annotations

import importlib
import os
import sys
import zipfile
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from stein.web.packages import find_instance_path, find_package, get_root_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """Forget what the test has imported."""
    before = sys.modules.copy()
    yield
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, which is not where the modules are."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Make a file below a folder, and put the folder on ``sys.path``."""

    def make(folder: str, *files: str) -> Path:
        path = tmp_path / folder
        for file in files:
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            (path / file).write_text("")
        monkeypatch.syspath_prepend(str(path))
        return path

    return make


def test_a_module_has_the_folder_of_its_file(lay: Callable[..., Path]) -> None:
    folder = lay("project", "web_alone.py")
    assert get_root_path("web_alone") == str(folder)
    assert "web_alone" not in sys.modules  # it was only looked for
    importlib.import_module("web_alone")
    assert get_root_path("web_alone") == str(folder)


def test_a_package_is_the_folder_itself(lay: Callable[..., Path]) -> None:
    folder = lay("project", "web_pack/__init__.py", "web_pack/inner/__init__.py")
    assert get_root_path("web_pack") == str(folder / "web_pack")
    assert get_root_path("web_pack.inner") == str(folder / "web_pack" / "inner")


@pytest.mark.parametrize("name", ["web_nowhere", "web_nowhere.at.all", "__name__", "", "a..b"])
def test_a_module_that_cannot_be_found_has_the_working_directory(
    name: str, elsewhere: Path
) -> None:
    assert get_root_path(name) == str(elsewhere)
    assert find_package(name) == (None, str(elsewhere))


def test_an_interactive_session_has_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    main = ModuleType("__main__")
    main.__spec__ = None
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert get_root_path("__main__") == str(elsewhere)
    assert find_instance_path("__main__", "app") == str(elsewhere / "instance")


@pytest.mark.parametrize("name", [None, 3, b"app"])
def test_a_name_that_is_no_text_is_refused_with_its_value_and_the_remedy(name: Any) -> None:
    with pytest.raises(TypeError, match=r"The import name is .*pass '__name__'") as caught:
        get_root_path(name)
    assert repr(name) in str(caught.value)


def test_a_namespace_package_has_no_root_path_and_the_error_names_the_argument(
    lay: Callable[..., Path],
) -> None:
    lay("project", "web_space/part/__init__.py")
    importlib.import_module("web_space")
    with pytest.raises(RuntimeError, match=r"'web_space'.*'root_path='"):
        get_root_path("web_space")


class Loader:
    """An import hook that keeps its modules in memory."""

    def __init__(self, file: str | None) -> None:
        self.file = file

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name == "web_hooked" else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        if self.file is not None:
            module.__file__ = self.file


def test_a_hook_that_names_no_files_is_asked_by_importing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "meta_path", [Loader(str(tmp_path / "x.py"))])
    assert get_root_path("web_hooked") == str(tmp_path)


def test_a_hook_that_says_nothing_at_all_is_an_error(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    monkeypatch.setattr(sys, "meta_path", [Loader(None), *sys.meta_path])
    with pytest.raises(RuntimeError, match="No root path can be found"):
        get_root_path("web_hooked")
    assert find_package("web_hooked") == (None, str(elsewhere))


def test_what_is_not_installed_has_its_instance_folder_beside_it(lay: Callable[..., Path]) -> None:
    folder = lay("project", "web_alone.py", "web_pack/__init__.py", "web_pack/web.py")
    for name in ("web_alone", "web_pack", "web_pack.web"):
        assert find_package(name) == (None, str(folder))
        assert find_instance_path(name, "app") == str(folder / "instance")


def test_a_part_of_a_namespace_belongs_to_the_project_that_it_is_in(
    lay: Callable[..., Path],
) -> None:
    one = lay("one", "web_space/first/__init__.py")
    two = lay("two", "web_space/second/__init__.py")
    assert find_package("web_space.first") == (None, str(one))
    assert find_package("web_space.second") == (None, str(two))
    # The namespace itself, and a module right in it, have no such place: the first one.
    assert find_package("web_space")[1] in {str(one), str(two)}


def test_a_nested_namespace_belongs_to_one_project_if_all_of_it_does(
    lay: Callable[..., Path],
) -> None:
    lay("one", "web_space/first/__init__.py")
    two = lay("two", "web_space/second/third/__init__.py")
    assert find_package("web_space.second") == (None, str(two))


@pytest.mark.parametrize(
    ("site", "prefix"),
    [
        ("venv/lib/python3.11/site-packages", "venv"),
        ("venv/Lib/site-packages", "venv"),
        ("venv/site-packages", "venv"),
        ("venv/lib/python3.11/Site-Packages", "venv"),
    ],
)
def test_another_environment_is_known_by_its_folders(
    site: str, prefix: str, lay: Callable[..., Path], tmp_path: Path
) -> None:
    folder = lay(site, "web_pack/__init__.py")
    assert find_package("web_pack") == (str(tmp_path / prefix), str(folder))
    expected = tmp_path / prefix / "var" / "shop-instance"
    assert find_instance_path("web_pack", "shop") == str(expected)


def test_all_below_the_prefix_of_the_interpreter_is_installed(
    lay: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = lay("prefix/anywhere", "web_pack/__init__.py")
    outside = lay("prefixed", "web_other.py")
    monkeypatch.setattr(sys, "prefix", f"{tmp_path}{os.sep}.{os.sep}prefix{os.sep}")
    assert find_package("web_pack") == (str(tmp_path / "prefix"), str(inside))
    assert find_package("web_other") == (None, str(outside))


def test_a_zipped_project_has_its_instance_folder_in_the_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "app.pyz"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("web_zipped/__init__.py", "")
        file.writestr("web_single.py", "")
    monkeypatch.syspath_prepend(str(archive))
    assert get_root_path("web_zipped") == str(archive / "web_zipped")
    assert find_package("web_zipped") == (None, str(archive))
    assert find_package("web_single") == (None, str(archive))


def test_modules_without_files_belong_to_the_working_directory(elsewhere: Path) -> None:
    assert find_package("sys") == (None, str(elsewhere))  # built in


def test_an_empty_namespace_belongs_to_the_working_directory(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = ModuleType("web_empty")
    empty.__spec__ = ModuleSpec("web_empty", None, is_package=True)
    monkeypatch.setitem(sys.modules, "web_empty", empty)
    assert find_package("web_empty") == (None, str(elsewhere))


def test_a_namespace_without_the_module_gives_its_first_folder(lay: Callable[..., Path]) -> None:
    folder = lay("one", "web_space/first/__init__.py")
    assert find_package("web_space.missing") == (None, str(folder))
    assert Path(find_instance_path("web_space.missing", "x")).parent == folder
