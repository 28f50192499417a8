"""The reloader: from the saved file to the first answer of new code, beside Flask's.

    python3 bench/reload.py                            all three questions
    python3 bench/reload.py --only idle --files 20000
    python3 bench/reload.py --flask-python PATH        an interpreter that has Flask, and watchdog

Three questions.  *save*: how long until the new code has answered, median of many saves.  *load*:
requests that are refused, reset or lost while wrk asks throughout many reloads.  *idle*: the share
of a processor that watching costs, with so many files below ``node_modules``.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import TYPE_CHECKING

from errors import BenchError
from process import cpu_seconds, members

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REPOSITORY = Path(__file__).resolve().parents[1]
QUESTIONS = ("save", "load", "idle")
PATIENCE = 30.0
BETWEEN = 0.4  # seconds between a reload and the next save
SETTLE = 3.0  # seconds after the start that do not count as idle
PER_FOLDER = 100

APP = """\
from {module} import {name}

app = {name}(__name__)


@app.get("/")
def index():
    return "value {value}"
"""


class Program:
    """One framework's development server, on the same program."""

    def __init__(self, name: str, python: str, folder: Path) -> None:
        self.name = name
        self.python = python
        self.file = folder / "app.py"
        self.folder = folder
        self.port = free_port()

    def save(self, value: int) -> None:
        """Save the program, as editors do: in one piece."""
        kind = ("stein", "Stein") if self.name == "stein" else ("flask", "Flask")
        draft = self.file.with_suffix(".draft")
        draft.write_text(APP.format(module=kind[0], name=kind[1], value=value), encoding="utf-8")
        draft.replace(self.file)

    @contextmanager
    def running(self) -> Iterator[int]:
        """Start it, wait for its first answer, and stop it at the end; give its session."""
        self.save(0)
        # This working copy may be edited while it is measured.
        source = ["--exclude-patterns", str(REPOSITORY / "src" / "*")]
        process = subprocess.Popen(
            [
                self.python, "-m", self.name, "--app", "app", "run", "--debug", *source,
                "--port", str(self.port),
            ],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "STEIN_ACCESS_LOG": "off"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            self.wait_for(0)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pid in members(process.pid):
                os.kill(pid, signal.SIGKILL)

    def wait_for(self, value: int) -> float:
        """Ask until the new code answers; return when it did."""
        end = perf_counter() + PATIENCE
        while perf_counter() < end:
            client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            try:
                client.request("GET", "/")
                if client.getresponse().read() == f"value {value}".encode():
                    return perf_counter()
            except (OSError, http.client.HTTPException):
                pass
            finally:
                client.close()
            sleep(0.002)
        raise BenchError(f"{self.name}: no answer of the new code within {PATIENCE:g} s")


def free_port() -> int:
    """A port that nobody holds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def time_saves(program: Program, count: int) -> str:
    """From the save to the first new answer."""
    spans = []
    with program.running():
        for value in range(1, count + 1):
            sleep(BETWEEN)
            began = perf_counter()
            program.save(value)
            spans.append(1000 * (program.wait_for(value) - began))
    return (
        f"median {median(spans):4.0f} ms, from {min(spans):.0f} to {max(spans):.0f} ms, "
        f"{count} saves"
    )


def count_losses(program: Program, count: int) -> str:
    """What wrk misses while the program is reloaded again and again."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return "wrk is not installed"
    with program.running():
        address = f"http://127.0.0.1:{program.port}/"
        load = subprocess.Popen(
            [wrk, "-t1", "-c16", "-d600s", "--timeout", f"{PATIENCE:g}s", address],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            for value in range(1, count + 1):
                program.save(value)
                program.wait_for(value)
                sleep(BETWEEN / 2)
        finally:
            load.send_signal(signal.SIGINT)
        text, _ = load.communicate(timeout=PATIENCE)
    asked = re.search(r"(\d+) requests in", text)
    faults = re.search(r"Socket errors: (.*)", text)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return (
        f"{count} reloads, {asked[1] if asked else '?'} requests; "
        f"{faults[1] if faults else 'none refused, reset or lost'}"
        f"{f'; {bad[1]} other than 2xx' if bad else ''}"
    )


def measure_idle(program: Program, files: int, seconds: float) -> str:
    """The share of a processor that all processes use while nobody asks."""
    modules = program.folder / "node_modules"
    for number in range(files // PER_FOLDER):
        folder = modules / f"package{number % 500}" / f"part{number // 500}"
        folder.mkdir(parents=True)
        for name in range(PER_FOLDER):
            (folder / f"{name}.js").touch()
    with program.running() as session:
        sleep(SETTLE)
        before = cpu_seconds(members(session))
        sleep(seconds)
        share = 100 * (cpu_seconds(members(session)) - before) / seconds
    return f"{share:.2f} % of a processor over {seconds:g} s, {files} files in node_modules"


def main(words: Sequence[str]) -> int:
    """Ask each question of each program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", choices=QUESTIONS, action="append")
    parser.add_argument("--python", default=sys.executable, help="with what stein needs")
    parser.add_argument("--flask-python", help="with Flask; without it stein alone is measured")
    parser.add_argument("--saves", type=int, default=20)
    parser.add_argument("--reloads", type=int, default=50)
    parser.add_argument("--files", type=int, default=300_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of idleness")
    parser.add_argument("--folder", default="/dev/shm", help="where the program stands")  # noqa: S108 - files without a disk
    given = parser.parse_args(words)
    pythons = {"stein": given.python}
    if given.flask_python:
        pythons["flask"] = given.flask_python
    for question in given.only or QUESTIONS:
        for name, python in pythons.items():
            with tempfile.TemporaryDirectory(dir=given.folder, prefix="reload-") as folder:
                program = Program(name, python, Path(folder))
                if question == "save":
                    found = time_saves(program, given.saves)
                elif question == "load":
                    found = count_losses(program, given.reloads)
                else:
                    found = measure_idle(program, given.files, given.seconds)
            print(f"{question:5} {name:6} {found}", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BenchError as error:
        sys.exit(f"reload.py: {error}")
