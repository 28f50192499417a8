"""Several processes behind one socket, as programs: forking is not for a process with threads."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import stein
from stein.serving.forking import cause
from tests.serving.devserving import fetch, fetch_together

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked"),
]

#: Each call notes that it runs in a file, and how many there are then.
PROGRAM = """
import os, sys, time
from pathlib import Path
from stein.serving.run import run_simple

folder = Path(sys.argv[1])

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/die":
        os._exit(3)
    if path == "/raise":
        raise KeyError("mine")
    mine = folder / f"call-{os.getpid()}"
    mine.touch()
    count = len(list(folder.glob("call-*")))
    if path == "/slow":
        (folder / "slow").touch()
        time.sleep(30)
    end = time.monotonic() + 20
    while path == "/" and time.monotonic() < end and not (folder / "go").exists():
        if count >= 4:
            (folder / "go").touch()
        time.sleep(0.001)
        count = max(count, len(list(folder.glob("call-*"))))
    time.sleep(0.05)
    count = max(count, len(list(folder.glob("call-*"))))
    mine.unlink()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {count} {environ['wsgi.multiprocess']}".encode()]

run_simple("127.0.0.1", 0, app, processes=4, **eval(sys.argv[2]))
"""


class Program:
    """The program while it runs."""

    def __init__(self, folder: Path, options: str) -> None:
        script = folder / "program.py"
        script.write_text(textwrap.dedent(PROGRAM))
        environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("STEIN_", "WERKZEUG_", "FLASK_"))
        } | {"PYTHONPATH": str(Path(stein.__file__).parents[1])}
        self.process = subprocess.Popen(
            [sys.executable, script, folder, options], env=environ, text=True,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stderr is not None
        self.head = self.process.stderr.readline() + self.process.stderr.readline()
        self.port = int(re.findall(r":(\d+)", self.head)[0])

    def end(self) -> str:
        """Wait for its end; return what it said."""
        return self.process.communicate(timeout=20)[1]

    def children(self) -> list[int]:
        """Return its processes' numbers, which answer."""
        return sorted({int(fetch(self.port, "/quick").text.split()[0]) for _ in range(20)})


@pytest.fixture
def program(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Program]:
    program = Program(tmp_path, getattr(request, "param", "{}"))
    with program.process:
        try:
            yield program
        finally:
            program.process.kill()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until_gone(pids: list[int]) -> None:
    end = time.monotonic() + 20
    while any(map(is_alive, pids)):
        assert time.monotonic() < end, "a process was left behind"
        time.sleep(0.01)


def test_four_processes_run_four_calls_at_once(program: Program) -> None:
    assert "4 processes, one request at a time in each" in program.head
    answers = [answer.text.split() for answer in fetch_together(program.port, 10)]
    assert len({pid for pid, _, _ in answers}) == 4
    assert max(int(count) for _, count, _ in answers) == 4
    assert {multiprocess for _, _, multiprocess in answers} == {"True"}
    program.process.send_signal(signal.SIGINT)
    err = program.end()
    assert program.process.returncode == 0
    assert len(re.findall(r"200 GET / .*\[process-\d+ \d+#1\]", err)) == 10


def test_a_process_that_dies_leaves_the_others_alone(program: Program) -> None:
    before = program.children()
    with pytest.raises(OSError, match=r"closed|reset"):
        fetch(program.port, "/die")
    assert len(set(program.children()) & set(before)) >= 1
    program.process.terminate()
    assert re.search(r"process \d+ ended \(exit code 3\); 3 left", program.end())


def test_when_all_have_died_the_server_ends_with_an_error(program: Program) -> None:
    for _ in range(4):
        with pytest.raises(OSError, match=r"closed|reset"):
            fetch(program.port, "/die")
    assert "error: all 4 processes of the server have ended" in program.end()
    assert program.process.returncode == 1


@pytest.mark.parametrize("program", ["{'passthrough_errors': True}"], indirect=True)
def test_an_error_that_is_passed_through_ends_the_process_it_was_raised_in(
    program: Program,
) -> None:
    assert fetch(program.port, "/raise").status == 500
    assert program.process.stderr is not None
    err = ""
    while "(exit code 1); 3 left" not in err:
        line = program.process.stderr.readline()
        assert line, err
        err += line
    assert "KeyError: 'mine'" in err


def test_killing_the_parent_ends_them_all(program: Program) -> None:
    children = program.children()
    program.process.kill()
    until_gone(children)


def test_a_call_that_does_not_end_holds_up_no_stop(program: Program, tmp_path: Path) -> None:
    failed: list[Exception] = []

    def ask() -> None:
        try:
            fetch(program.port, "/slow")
        except OSError as error:
            failed.append(error)

    client = threading.Thread(target=ask)
    client.start()
    while not (tmp_path / "slow").exists():
        time.sleep(0.01)
    program.process.terminate()
    program.end()
    client.join()
    assert program.process.returncode == 0
    assert failed


def test_ends_are_told_in_words() -> None:
    assert cause(3) == "exit code 3"
    assert cause(-9) == "SIGKILL"
    assert cause(-99) == "signal 99"
