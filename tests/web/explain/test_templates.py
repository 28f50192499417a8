"""What is said of a template that is not there; the log of a search is in test_templating.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jinja2 import DictLoader, FileSystemLoader, FunctionLoader

from stein.web.app import Stein
from stein.web.blueprint import Blueprint
from stein.web.explain import missing_template

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import BaseLoader


def explain(name: str, *loaders: BaseLoader) -> str:
    app = Stein("shop", root_path=".")
    return missing_template(name, [(app, loader) for loader in loaders])


def test_the_folders_are_named_and_the_nearest_template(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    text = explain("indx.html", FileSystemLoader([tmp_path, tmp_path / "none"]))
    assert text.startswith("indx.html: there is no such template.")
    assert f"application 'shop': looked in {tmp_path} and {tmp_path}/none" in text
    assert text.count("(there is no such folder)") == 1
    assert "Did you mean 'index.html'?" in text


def test_a_blueprint_is_named() -> None:
    loader = DictLoader({})
    text = missing_template("a.html", [(Blueprint("admin", "shop.admin"), loader)])
    assert "blueprint 'admin' (shop.admin): looked in a DictLoader" in text


def test_a_file_in_another_folder_is_found_however_unlike_the_names_are() -> None:
    text = explain("x.html", DictLoader({"admin/very/deep/x.html": "", "y.html": ""}))
    assert "There is 'admin/very/deep/x.html'." in text


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("templates/a.html", "begin below the folder"),
        ("/a.html", "begin below the folder"),
        ("admin\\a.html", "have slashes"),
    ],
)
def test_usual_mistakes_are_known(name: str, hint: str) -> None:
    text = explain(name, DictLoader({"a.html": ""}))
    assert hint in text
    assert "There is 'a.html'." in text


def test_without_any_folder_it_is_told_how_to_make_one() -> None:
    assert "make a folder 'templates'" in explain("a.html")


def test_a_loader_that_cannot_list_its_templates_is_named_all_the_same() -> None:
    text = explain("a.html", FunctionLoader(lambda _: None))
    assert "looked in a FunctionLoader" in text
    assert "Did you mean" not in text
