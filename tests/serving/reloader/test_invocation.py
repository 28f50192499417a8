from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from stein.errors import ConfigurationError
from stein.serving.reloader.invocation import BOOTSTRAP, again, command_for_child, split_command


@pytest.mark.parametrize(
    ("line", "options", "words"),
    [
        ("app.py", "", "app.py"),
        ("app.py -m x", "", "app.py -m x"),
        ("-m stein run --debug", "", "-m stein run --debug"),
        ("-mstein run", "", "-m stein run"),
        ("-c pass -x", "", "-c pass -x"),
        ("-u app.py", "-u", "app.py"),
        ("-um stein", "-u", "-m stein"),
        ("-W error -X dev -B app.py a", "-W error -X dev -B", "app.py a"),
        ("-Werror -Xdev -I app.py", "-Werror -Xdev -I", "app.py"),
        ("-OOW ignore -m stein", "-OOW ignore", "-m stein"),
        ("--check-hash-based-pycs always app.py", "--check-hash-based-pycs always", "app.py"),
        ("- x", "", "- x"),
        ("-i", "-i", ""),
        ("-W", "-W", ""),
        ("", "", ""),
    ],
)
def test_a_command_line_of_python_is_split_where_the_program_begins(
    line: str, options: str, words: str
) -> None:
    assert split_command(line.split()) == (options.split(), words.split())


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    words: list[str] = [sys.executable]
    monkeypatch.setattr(sys, "orig_argv", words)
    return words


def test_the_child_is_the_same_command_by_way_of_the_bootstrap(called: list[str]) -> None:
    called += ["-W", "error", "-m", "stein", "run"]
    expected = [sys.executable, "-W", "error", BOOTSTRAP, "-m", "stein", "run"]
    assert command_for_child() == expected
    assert again() == called


@pytest.mark.parametrize("words", [[], ["-i"], ["-"]])
def test_what_was_typed_in_cannot_be_started_again(called: list[str], words: list[str]) -> None:
    called += words
    with pytest.raises(ConfigurationError, match="typed in or read from standard input"):
        command_for_child()


def test_a_notebook_cannot_be_started_again(
    called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    called += ["-m", "ipykernel_launcher", "-f", "x.json"]
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    with pytest.raises(ConfigurationError, match="use_reloader=False"):
        command_for_child()


def test_without_an_executable_nothing_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(ConfigurationError, match="does not know its own executable"):
        command_for_child()


@pytest.mark.parametrize(
    ("main", "words"),
    [
        (SimpleNamespace(__spec__=None, __file__="app.py"), ["app.py", "--x"]),
        (SimpleNamespace(__spec__=SimpleNamespace(name="shop.__main__")), ["-m", "shop", "--x"]),
        (SimpleNamespace(__spec__=SimpleNamespace(name="shop.run")), ["-m", "shop.run", "--x"]),
    ],
)
def test_under_a_debugger_it_is_the_program_that_is_started_again(
    *, called: list[str], monkeypatch: pytest.MonkeyPatch, main: object, words: list[str]
) -> None:
    called += ["debugpy", "--connect", "127.0.0.1:5678", "app.py", "--x"]
    monkeypatch.setitem(sys.modules, "debugpy", ModuleType("debugpy"))
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.setattr(sys, "argv", ["app.py", "--x"])
    assert command_for_child() == [sys.executable, BOOTSTRAP, *words]


def test_under_a_debugger_without_a_program_there_is_nothing_to_start(
    called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    called.append("debugpy")
    monkeypatch.setitem(sys.modules, "debugpy", ModuleType("debugpy"))
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    with pytest.raises(ConfigurationError, match="Put it into a file"):
        command_for_child()
