"""``stein serve -w N`` in processes of its own, and the commands to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stein.server.control import ask

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 40.0  # seconds; a fact that takes longer will not come


def until(fact: Callable[[], Any], what: object = "") -> Any:
    """Wait for a fact, and return it."""
    end = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not (found := fact()):
        if time.monotonic() > end:
            raise AssertionError(f"never: {what() if callable(what) else what}")
        pause.wait(0.01)
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits for its parent to notice its end does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


class Supervised:
    """A parent and its workers, on a free port of 127.0.0.1.

    :param application: as on the command line.
    :param arguments: further words of it.
    :param folder: where it runs, and where its files are kept.
    :param serves: wait until it does; else :meth:`wait` tells how it ended.
    """

    def __init__(
        self, application: str, *arguments: str, folder: Path, serves: bool = True, **environ: str
    ) -> None:
        self.control = folder / "control.sock"
        number, name = tempfile.mkstemp(".txt", "errors-", folder)
        os.close(number)
        self._errors = Path(name)
        self._environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "COVERAGE_FILE": os.environ.get("COVERAGE_FILE", str(ROOT / ".coverage")),
            **environ,
        }
        self._folder = folder
        words = [application, "--control", str(self.control), *arguments]
        if "--bind" not in arguments:
            words += ["--port", "0"]
        with self._errors.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stein", "serve", *words],
                stderr=errors, stdout=subprocess.DEVNULL, cwd=folder, env=self._environ,
            )  # fmt: skip
        self.pid = self._process.pid
        self.port = 0
        if serves:
            until(lambda: "are ready" in self.log or self._process.poll() is not None, self.told)
            assert self._process.poll() is None, self.log
            found = re.search(r"listens on .*:(\d+)", self.log)
            self.port = int(found[1]) if found else 0

    @property
    def log(self) -> str:
        """What was written to standard error so far."""
        return self._errors.read_text("utf-8", "replace")

    def told(self) -> str:
        """The same, for messages."""
        return self.log

    def says(self, text: str, times: int = 1) -> None:
        """Wait until the log says something."""
        until(lambda: self.log.count(text) >= times, lambda: f"{text!r} in\n{self.log}")

    def ask(self, command: str = "status", **fields: Any) -> dict[str, Any]:
        """Ask over the control socket, wherever the process is."""
        return ask(self.control, command, timeout=PATIENCE, **fields)

    def workers(self, state: str = "ready") -> dict[int, int]:
        """Process ids by place."""
        return {
            each["place"]: each["pid"] for each in self.ask()["workers"] if each["state"] == state
        }

    def get(self, path: str = "/") -> str:
        """The body of an answer."""
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE
        ) as found:
            text: str = found.read().decode()
        return text

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``stein WORDS --control …``."""
        return subprocess.run(
            [sys.executable, "-m", "stein", *words, "--control", str(self.control)],
            capture_output=True, text=True, timeout=2 * PATIENCE, env=self._environ, check=False,
            cwd=self._folder,
        )  # fmt: skip

    def signal(self, number: int) -> None:
        """Send the parent a signal."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for the end of the process that was started; its exit code."""
        return self._process.wait(PATIENCE)

    def close(self) -> None:
        """End it, and whatever has taken over from it."""
        with contextlib.suppress(Exception):
            pid = self.ask()["parent"]["pid"]
            if pid != self.pid:
                os.kill(pid, signal.SIGTERM)
                until(lambda: not is_alive(pid))
        if self._process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def json_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of an access log."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
