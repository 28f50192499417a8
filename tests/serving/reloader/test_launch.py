"""The program as the child runs it: as the interpreter would, and with its end told."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from stein.serving.reloader import launch as launching
from stein.serving.reloader.invocation import BOOTSTRAP
from stein.serving.reloader.link import LISTENERS, VARIABLE
from tests.programs import OPTIONS, WORDS, name_of, programs, seen
from tests.serving.reloader.program import SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["programs"]


@pytest.mark.parametrize("words", WORDS, ids=name_of)
@pytest.mark.parametrize("options", OPTIONS)
def test_a_program_sees_what_python_itself_would_show_it(
    programs: Path, options: list[str], words: list[str]
) -> None:
    expected = seen(programs, *options, *words)
    if expected is None:
        pytest.skip("a module of the current folder is not found so, by python neither")
    assert seen(programs, *options, BOOTSTRAP, *words) == expected


class Child:
    """The bootstrap in a process of its own, with this test as its parent."""

    def __init__(self, folder: Path, *words: str, meant: int | None = None) -> None:
        self.ours, theirs = socket.socketpair()
        parent = os.getpid() if meant is None else meant
        self.process = subprocess.Popen(
            [sys.executable, BOOTSTRAP, *words],
            cwd=folder,
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": str(SOURCE),
                VARIABLE: f"{theirs.fileno()}:{parent}",
                LISTENERS: "",
            },
        )
        theirs.close()

    def end(self) -> tuple[int, str, list[dict[str, Any]]]:
        """Its exit code, what it wrote on standard error, and what it told."""
        with self.ours.makefile("rb") as lines:
            told = [json.loads(line) for line in lines]
        _, error = self.process.communicate(timeout=20)
        return self.process.returncode, error, told

    def close(self) -> None:
        self.ours.close()
        self.process.communicate(timeout=20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    children: list[Child] = []

    def begin(source: str, **options: Any) -> Child:
        (tmp_path / "app.py").write_text(source)
        children.append(Child(tmp_path, "app.py", **options))
        return children[-1]

    yield begin
    for child in children:
        child.close()


def test_an_exception_is_told_and_not_printed(start: Any, tmp_path: Path) -> None:
    code, error, told = start("def f():\n    raise OSError('no disk')\nf()\n").end()
    assert code == 1
    assert error == ""
    watch, failure = told
    assert str(tmp_path / "app.py") in watch["files"]
    assert {str(tmp_path), str(SOURCE)} <= set(watch["roots"])
    assert failure["headline"] == "OSError: no disk"
    assert failure["place"] == [str(tmp_path / "app.py"), 2]
    assert failure["printed"] is False
    assert failure["is_mistake"] is False
    assert "launch.py" not in failure["text"]


def test_a_syntax_error_is_told_with_its_place(start: Any, tmp_path: Path) -> None:
    _, _, (_, failure) = start("x = 1\ny = = 2\n").end()
    assert failure["place"] == [str(tmp_path / "app.py"), 2]
    assert failure["headline"] == "SyntaxError: invalid syntax"
    assert failure["is_mistake"] is True


def test_a_hook_of_the_programs_own_is_called(start: Any) -> None:
    source = "import sys\nsys.excepthook = lambda *a: print('my', a[0].__name__, file=sys.stderr)\n"
    _, error, told = start(source + "1 / 0\n").end()
    assert error == "my ZeroDivisionError\n"
    assert told[1]["printed"] is True


def test_the_error_behind_an_exit_is_told(start: Any) -> None:
    source = "import sys\ntry:\n    1 / 0\nexcept Exception:\n    sys.exit(4)\n"
    code, _, told = start(source).end()
    assert code == 4
    assert told[1]["headline"] == "ZeroDivisionError: division by zero"
    assert told[1]["printed"] is True


def test_the_text_of_an_exit_is_told(start: Any) -> None:
    code, error, told = start("raise SystemExit('no configuration')\n").end()
    assert (code, error) == (1, "no configuration\n")
    assert told == [
        {"kind": "failure", "headline": "no configuration", "text": "", "printed": True}
    ]


@pytest.mark.parametrize("source", ["", "raise SystemExit(0)\n", "raise SystemExit(5)\n"])
def test_a_plain_end_needs_no_words(start: Any, source: str) -> None:
    assert start(source).end()[2] == []


def test_an_interrupt_is_no_failure(start: Any) -> None:
    assert start("raise KeyboardInterrupt\n").end() == (130, "", [])


def test_a_process_whose_parent_is_gone_does_nothing(start: Any) -> None:
    assert start("print('here')\n", meant=1).end() == (1, "", [])


def test_a_process_ends_when_its_parent_lets_go(start: Any) -> None:
    child = start("import time; print('up', flush=True); time.sleep(60)\n")
    assert child.process.stdout.readline() == "up\n"
    child.ours.close()
    assert child.process.wait(20) == 1


def test_processes_that_the_program_starts_are_not_taken_for_it(start: Any) -> None:
    source = (
        "import subprocess, sys\n"
        "code = 'from stein.serving.reloader import child; print(child.is_child())'\n"
        "command = [sys.executable, '-c', code]\n"
        "out = subprocess.run(command, capture_output=True, text=True).stdout\n"
        "from stein.serving.reloader import child\n"
        "sys.exit(f'{out.strip()} {child.is_child()}')\n"
    )
    assert start(source).end()[1] == "False True\n"


# -- what cannot be run -------------------------------------------------------------------------


def test_a_program_that_is_gone_is_told_in_one_line(tmp_path: Path) -> None:
    child = Child(tmp_path, "absent.py")
    try:
        code, error, (_, failure) = child.end()
    finally:
        child.close()
    assert (code, error) == (1, "")
    assert failure["headline"] == "cannot read 'absent.py': No such file or directory"
    assert failure["text"] == ""


def test_without_a_parent_an_error_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        launching.tell_failure(None, ValueError("alone"))
    assert "ValueError: alone" in capsys.readouterr().err
    launching.tell_exit(None, SystemExit(3))
