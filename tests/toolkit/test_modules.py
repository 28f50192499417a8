"""Objects by their name."""

from __future__ import annotations

import datetime as dt
import os.path
import pickle
import sys
import traceback
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.modules import ImportStringError, find_modules, import_string

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package on sys.path, forgotten afterwards."""
    package = tmp_path / "stein_shop"
    (package / "goods").mkdir(parents=True)
    (package / "__init__.py").write_text("name = 'shop'\nnothing = None\n")
    (package / "till.py").write_text("class Till:\n    drawer = 'open'\n")
    (package / "broken.py").write_text("from stein_shop.worse import x\n")
    (package / "worse.py").write_text("from os import no_such_name\n")
    (package / "missing.py").write_text("import stein_no_such_module\n")
    (package / "failing.py").write_text("raise AttributeError('bad')\n")
    (package / "goods" / "__init__.py").write_text("")
    (package / "goods" / "cheese.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == "stein_shop"]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["datetime.date", "datetime:date"])
def test_an_object_in_a_module(name: str) -> None:
    assert import_string(name) is dt.date


def test_a_module() -> None:
    assert import_string("datetime") is dt
    assert import_string("os.path") is os.path
    assert import_string("os:path") is os.path


@pytest.mark.usefixtures("tree")
def test_a_submodule_that_nobody_has_imported_yet() -> None:
    assert import_string("stein_shop.goods.cheese").__name__ == "stein_shop.goods.cheese"
    assert import_string("stein_shop:till").__name__ == "stein_shop.till"


@pytest.mark.usefixtures("tree")
def test_an_attribute_of_an_object() -> None:
    assert import_string("stein_shop.till:Till.drawer") == "open"
    assert import_string("stein_shop.nothing") is None


@pytest.mark.parametrize(
    "name",
    [
        "no_such_module_at_all",
        "datetime.no_such_name",
        "datetime.date.no_such_name",
        "datetime:",
        "",
        ".x",
        "a..b",
        "stein.toolkit.no_such_module",
    ],
)
def test_what_is_not_there(name: str) -> None:
    assert import_string(name, silent=True) is None
    with pytest.raises(ImportStringError) as caught:
        import_string(name)
    assert caught.value.import_name == name
    assert isinstance(caught.value.exception, ImportError)
    assert repr(name) in str(caught.value)


@pytest.mark.usefixtures("tree")
def test_the_message_tells_which_part_is_missing() -> None:
    with pytest.raises(ImportStringError) as caught:
        import_string("stein_shop.till.Tell.drawer")
    text = str(caught.value)
    assert "- 'stein_shop' found in '" in text
    assert "- 'stein_shop.till' found in '" in text
    assert "- 'stein_shop.till.Tell' could not be imported." in text
    assert "'stein_shop.till.Tell.drawer' could" not in text
    assert "has no attribute 'Tell'" in text
    assert "Check the spelling" in text


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize(
    ("name", "cause", "file"),
    [
        ("stein_shop.broken", "no_such_name", "worse.py"),
        ("stein_shop.broken:x", "no_such_name", "worse.py"),
        ("stein_shop.missing.x", "stein_no_such_module", "missing.py"),
    ],
)
def test_an_import_that_fails_inside_is_shown_with_its_cause(
    name: str, cause: str, file: str
) -> None:
    with pytest.raises(ImportStringError, match=cause) as caught:
        import_string(name)
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert files[-1].endswith(file)


@pytest.mark.usefixtures("tree")
def test_other_errors_come_as_they_are() -> None:
    with pytest.raises(AttributeError, match="bad"):
        import_string("stein_shop.failing", silent=True)


def test_the_error_can_be_shown_and_pickled() -> None:
    error = ImportStringError("datetime:x", ImportError("y"))
    assert repr(error) == "<ImportStringError('datetime:x', ImportError('y'))>"
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert str(again) == str(error)
    assert again.import_name == "datetime:x"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_text_is_an_import_error_or_an_object(text: str) -> None:
    import_string(f"datetime.{text}", silent=True)


@pytest.mark.usefixtures("tree")
def test_the_modules_of_a_package() -> None:
    own = ["broken", "failing", "missing", "till", "worse"]
    assert list(find_modules("stein_shop")) == [f"stein_shop.{name}" for name in own]
    with_packages = set(find_modules("stein_shop", include_packages=True))
    assert with_packages == {f"stein_shop.{name}" for name in [*own, "goods"]}
    below = set(find_modules("stein_shop", recursive=True))
    assert below == {f"stein_shop.{name}" for name in [*own, "goods.cheese"]}
    everything = set(find_modules("stein_shop", include_packages=True, recursive=True))
    assert everything == with_packages | below


def test_a_module_that_is_no_package_holds_none() -> None:
    with pytest.raises(ValueError, match="'datetime' is not a package"):
        list(find_modules("datetime"))
