"""Loading the application that a command works on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from stein.web.app import Stein
from stein.web.cli import NoAppException, ScriptInfo, pass_script_info, with_appcontext
from stein.web.globals import current_app

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[..., Path]


def refusal(target: str | None) -> str:
    with pytest.raises(NoAppException) as caught:
        ScriptInfo(target).load_app()
    return caught.value.message


def test_the_application_is_loaded_once() -> None:
    made: list[Stein] = []

    def create() -> Stein:
        made.append(Stein("x"))
        return made[-1]

    info = ScriptInfo("ignored:app", create_app=create)
    assert info.load_app() is info.load_app()
    assert len(made) == 1
    assert info.data == {}


@pytest.mark.parametrize("wish", ["1", "0"])
def test_the_environment_decides_about_debug_mode(
    wish: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEIN_DEBUG", wish)
    app = Stein("x")
    app.debug = wish == "0"
    assert ScriptInfo(create_app=lambda: app).load_app().debug is (wish == "1")


def test_debug_mode_can_be_left_alone() -> None:
    app = Stein("x")
    app.debug = True
    assert ScriptInfo(create_app=lambda: app, set_debug_flag=False).load_app().debug


@pytest.mark.parametrize(
    "target", ["src/hello_s.py", "src/hello_s", "src/hello_s.py:app", "src/hello_s:app"]
)
def test_a_file_can_be_named(target: str, write: Write) -> None:
    write("src/hello_s.py")
    assert ScriptInfo(target).load_app().import_name == "hello_s"


def test_an_absolute_path_can_be_named(write: Write) -> None:
    path = write("hello_abs.py")
    assert ScriptInfo(f"{path}:app").load_app().import_name == "hello_abs"


@pytest.mark.parametrize("name", ["wsgi.py", "app.py"])
def test_the_usual_files_need_no_name(name: str, write: Write) -> None:
    write(name, "from stein import Stein\nsite = Stein('usual')\n")
    assert ScriptInfo().load_app().name == "usual"


def test_a_missing_file_offers_those_that_are_there(write: Write, folder: Path) -> None:
    write("hello.py")
    text = refusal("helo.py:app")
    assert f"no such file: {folder / 'helo.py'}" in text
    assert "did you mean hello.py?" in text


def test_a_file_of_another_kind_is_refused(folder: Path) -> None:
    Path("hello.txt").write_text("")
    assert "'hello.txt' is no Python file" in refusal("hello.txt:app")


def test_a_file_whose_name_is_taken_is_told_to_be_renamed(write: Write) -> None:
    write("click.py")
    assert f"the name 'click' is taken by the module {click.__file__}" in refusal("click.py")


def test_a_target_without_a_module_is_refused(folder: Path) -> None:
    assert "names no module; write module:name" in refusal(":app")


def test_nothing_found_says_what_to_do(folder: Path) -> None:
    text = refusal(None)
    assert f"there is no 'wsgi.py' or 'app.py' in {folder}" in text
    assert "Use the option '--app NAME', as in '--app hello', or set the variable" in text


def test_nothing_found_names_the_files_that_look_right(write: Write) -> None:
    write("unrelated.py", "x = 1\n")
    for name in ("shop.py", "site_b.py", "site_c.py", "site_d.py"):
        write(name)
    text = refusal(None)
    assert "It may be in shop.py, site_b.py, site_c.py (and 1 more). Use the option" in text
    assert "as in '--app shop'" in text


@pytest.mark.parametrize(
    "source",
    [
        "app = Stein(__name__)",
        "application: Stein = Stein(__name__)",
        "def create_app():\n    return Stein(__name__)",
    ],
)
def test_the_likeliest_of_the_files_comes_first(write: Write, source: str) -> None:
    write("admin.py", "site = Stein(__name__)\n")
    write("conftest.py", "app = Stein(__name__)\n")
    write("test_a.py", "app = Stein(__name__)\n")
    write("shop.py", f"from stein import Stein\n\n{source}\n")
    text = refusal(None)
    assert "It may be in shop.py, admin.py, conftest.py (and 1 more)." in text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_file_that_cannot_be_read_is_no_candidate(write: Write) -> None:
    write("secret.py").chmod(0)
    assert "secret" not in refusal(None)


def test_a_command_runs_in_the_context_of_the_application() -> None:
    @click.command()
    @with_appcontext
    @click.argument("word")
    def show(word: str) -> str:
        """Show a word."""
        return f"{word} {current_app.name}"

    assert show.help == "Show a word."
    info = ScriptInfo(create_app=lambda: Stein("x"))
    result = CliRunner().invoke(show, ["a"], obj=info, standalone_mode=False)
    assert result.return_value == "a x"


def test_a_context_that_is_there_stays() -> None:
    @click.command()
    @with_appcontext
    def show() -> str:
        return current_app.name

    with Stein("outer").app_context():
        result = CliRunner().invoke(show, [], standalone_mode=False)
    assert result.return_value == "outer"


def test_a_command_can_ask_for_the_script_info() -> None:
    @click.command()
    @pass_script_info
    def show(info: ScriptInfo) -> object:
        return info

    result = CliRunner().invoke(show, [], standalone_mode=False)
    assert isinstance(result.return_value, ScriptInfo)
