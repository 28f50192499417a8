"""A program under the reloader, and what the system says of its processes."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

SOURCE = Path(__file__).parents[3] / "src"

#: ``{value}`` is what it answers; ``{more}`` stands before the application.
PROGRAM = """\
from stein.serving.run import run_simple
VALUE = {value!r}
{more}
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(VALUE).encode()]

if __name__ == "__main__":
    run_simple("127.0.0.1", {port}, app, use_reloader=True, threaded=True, use_debugger=False,
               exclude_patterns=[{source!r} + "/*"], reloader_interval=0.1{options})
"""
LONGEST = 20.0  # seconds that a fact may need to come true


class Program:
    """``python app.py`` in a folder; ready when it has answered."""

    def __init__(
        self,
        folder: Path,
        *command: str,
        options: str = "",
        more: str = "",
        env: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.options = options
        self.port = free_port()
        self.file = folder / "app.py"
        self.lines: list[str] = []
        self._news = threading.Condition()  # guards lines
        if not command:
            self.save(0, more=more)
        self.process = subprocess.Popen(
            [sys.executable, *(command or ("app.py",))],
            cwd=folder,
            env={**plain_environment(), **(env or {})},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()

    def source(self, value: object, more: str = "") -> str:
        return PROGRAM.format(
            value=value, port=self.port, more=more, options=self.options, source=str(SOURCE)
        )

    def save(self, value: object, more: str = "") -> None:
        """Save the program as an editor does: another file is put in its place."""
        self.save_text(self.source(value, more))

    def save_text(self, text: str) -> None:
        draft = self.folder / "draft~"
        draft.write_text(text)
        draft.replace(self.file)

    def wait_for_line(self, pattern: str, *, after: int = 0) -> re.Match[str]:
        """Wait until a line matches; return the match."""
        end = monotonic() + LONGEST
        with self._news:
            while True:
                for line in self.lines[after:]:
                    match = re.search(pattern, line)
                    if match:
                        return match
                if not self._news.wait(end - monotonic()):
                    message = f"no line matches {pattern!r}: {self.lines}"
                    raise AssertionError(message)

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def get(self, path: str = "/", accept: str = "*/*") -> tuple[int, str]:
        """Ask, on a connection of its own."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST)
        try:
            client.request("GET", path, headers={"Accept": accept})
            answer = client.getresponse()
            return answer.status, answer.read().decode()
        finally:
            client.close()

    def wait_until_up(self) -> Self:
        eventually(lambda: is_open(self.port))
        assert self.get()[0] == 200, self.output
        return self

    def wait_for_answer(self, status: int, text: str) -> None:
        """Ask until the answer holds a text."""

        def is_there() -> bool:
            got = self.get()
            return got[0] == status and text in got[1]

        eventually(is_there)

    def children(self) -> list[int]:
        return children_of(self.process.pid)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(LONGEST)

    def stop(self) -> int:
        """End it as a person would, and see to it that nothing stays behind."""
        pids = [self.process.pid, *self.children()]
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            self.process.wait()
            raise
        self.close()
        return code

    def close(self) -> None:
        self._reader.join(LONGEST)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.stop()
        else:
            self.close()
        if error is not None:
            print(self.output)  # noqa: T201 - shown with the failure


def plain_environment() -> dict[str, str]:
    """The variables of this process, without those that would tell the program something."""
    ours = ("FLASK_", "STEIN_", "WERKZEUG_")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**plain, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1"}


def eventually(fact: Callable[[], bool]) -> None:
    """Ask until something is the case."""
    end = monotonic() + LONGEST
    pause = threading.Event()
    while not fact():
        assert monotonic() < end, "it never came true"
        pause.wait(0.005)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def can_bind(port: int) -> bool:
    """Whether nobody holds the port any more."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
        return True


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that have not ended."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text("ascii").rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == str(pid) and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
