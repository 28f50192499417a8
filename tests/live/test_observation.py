"""``stein status``, ``stein top`` and the metrics of real servers, stuck ones included."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.process import ROOT, ServeProcess
from tests.live.supervised import Supervised, until
from tests.observe.promtext import Read, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

PROGRAM = """
import os, time

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path in ("/report", "/export"):
        while not os.path.exists("go on"):
            time.sleep(0.01)
    start_response("404 Not Found", [("Content-Length", "0")])
    return []
"""
SATURATED = "! saturated: all threads of workers 0, 1 are busy, 4 requests wait"
FLAGS = ("--workers", "2", "--threads", "2", "--metrics-path", "/metrics", "--access-log", "off")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "stuck.py").write_text(PROGRAM)
    return tmp_path


def get(port: int, path: str) -> str:
    """The body, whatever the status."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=40) as found:
            return str(found.read().decode())
    except urllib.error.HTTPError as error:
        error.close()
        return ""


def metrics(port: int) -> dict[str, Read]:
    return read(get(port, "/metrics"))


@contextlib.contextmanager
def calls(port: int, folder: Path, *paths: str) -> Iterator[None]:
    """Calls that block until the context ends."""
    threads = [threading.Thread(target=get, args=(port, path)) for path in paths]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        (folder / "go on").touch()
        for each in threads:
            each.join()


def stein(*words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TERM": "dumb", "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-m", "stein", *words],
        capture_output=True, text=True, timeout=60, env=environ, check=False,
    )  # fmt: skip


def test_with_every_thread_blocked_top_names_the_paths_and_metrics_are_answered_at_once(
    program: Path,
) -> None:
    with Supervised("stuck:app", *FLAGS, folder=program) as server:

        def status() -> dict[str, Any]:
            found: dict[str, Any] = json.loads(server.command("status", "--json").stdout)
            return found

        with calls(server.port, program, *["/report?token=hush"] * 6, "/export", "/export"):
            until(lambda: len(status()["under_way"]) == 8 and status()["threads"]["busy"] == 4)
            until(lambda: SATURATED in server.command("status").stdout)
            begun = time.monotonic()
            found = metrics(server.port)
            took = time.monotonic() - begun
            top = server.command("top", "--once", "--interval", "0.1", "--by-path").stdout
            shown = server.command("status").stdout
            states = [each["state"] for each in status()["under_way"]]
        assert sorted(states) == ["running"] * 4 + ["waiting"] * 4
        assert sum(found["stein_worker_busy_threads"].samples.values()) == 4
        assert sum(found["stein_worker_queued_requests"].samples.values()) == 4
        assert took < 1.0  # of a machine that has other things to do; a few ms else
        rows = {line.split()[-1]: line for line in top.splitlines() if " GET " in line}
        assert re.match(r" *\d+\.\d s +6  ", rows["/report"])
        assert re.match(r" *\d+\.\d s +2  ", rows["/export"])
        assert SATURATED in top
        assert shown.startswith("stuck:app: serving for ")
        assert "hush" not in top + shown


def test_what_is_counted_stays_counted_when_workers_come_and_go(program: Path) -> None:
    with Supervised("stuck:app", *FLAGS, folder=program) as server:

        def answered(count: int) -> bool:
            return metrics(server.port)["stein_requests_total"].value(status="4xx") == count

        for _ in range(20):
            get(server.port, "/x")
        until(lambda: answered(20))
        assert server.command("reload").returncode == 0
        for _ in range(20):
            get(server.port, "/x")
        until(lambda: answered(40))
        os.kill(server.workers()[max(server.workers())], signal.SIGKILL)
        until(
            lambda: metrics(server.port)["stein_worker_restarts_total"].value(reason="killed") == 1
        )
        assert metrics(server.port)["stein_worker_restarts_total"].value(reason="reload") == 2
        assert answered(40)


def test_one_process_is_read_from_its_memory_even_when_it_is_stopped(program: Path) -> None:
    with ServeProcess("stuck:app", "--threads", "2", cwd=program) as server:
        with calls(server.port, program, "/report"):
            until(lambda: "GET /report" in stein("status", "--pid", str(server.pid)).stdout)
            os.kill(server.pid, signal.SIGSTOP)
            try:
                found = stein("top", "--once", "--interval", "0.1", "--pid", str(server.pid))
            finally:
                os.kill(server.pid, signal.SIGCONT)
        assert found.returncode == 0
        assert "running" in found.stdout
        assert found.stdout.rstrip().endswith("GET /report")


def test_statsd_hears_of_all_workers_from_the_parent(program: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.settimeout(40)
        address = f"127.0.0.1:{sink.getsockname()[1]}"
        flags = (*FLAGS, "--statsd", address, "--statsd-tags", "env:test")
        with Supervised("stuck:app", *flags, folder=program) as server:
            for _ in range(3):
                get(server.port, "/x")
            until(lambda: metrics(server.port)["stein_requests_total"].value(status="4xx") == 3)
        told = sink.recv(2000).decode()  # the last interval is sent at the end
        assert "stein.requests.4xx:3|c|#env:test" in told.split("\n")
