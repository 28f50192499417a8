"""A parent and its workers as an operator sees them: start, signals, ends, mistakes."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.live.load import Load
from tests.live.supervised import Supervised, is_alive, json_lines, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

APP = "tests.live.load:numbered"
QUIET = ("--access-log", "off")

PROGRAM = """
import os, signal, sys, threading, time

told = open("told.txt", "a", buffering=1)
IMPORTED_BY = os.getpid()

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/wait":
        open("waits", "w").close()
        while not os.path.exists("go on"):
            time.sleep(0.01)
    if path == "/grow":
        app.kept = bytearray(64 << 20)
    text = f"{os.getpid()} {IMPORTED_BY} {os.getppid()}".encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]

def on_start(server):
    told.write(f"on_start {server.pid} {server.addresses[0]}\\n")

def when_ready(server):
    told.write(f"when_ready {server.pid}\\n")

def worker_start(worker):
    told.write(f"worker_start {worker.place} {worker.pid == os.getpid()}\\n")

def worker_exit(worker):
    told.write(f"worker_exit {worker.place} {worker.cause}\\n")

def fails(server):
    raise ConnectionError("no redis")
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(PROGRAM)
    return tmp_path


def test_what_the_server_is_stands_first_in_its_log(tmp_path: Path) -> None:
    with Supervised(APP, "-w", "1", *QUIET, folder=tmp_path) as server:
        assert server.log.startswith("stein ")
        assert server.log.index("Ctrl-C stops") < server.log.index("is ready")


def test_a_killed_worker_is_replaced_and_sigterm_ends_all(tmp_path: Path) -> None:
    with Supervised(APP, "-w", "2", *QUIET, folder=tmp_path) as server:
        before = server.workers()
        assert sorted(before) == [0, 1]
        assert int(server.get("/?1").split()[1]) in before.values()
        os.kill(before[0], signal.SIGKILL)
        until(lambda: len(now := server.workers()) == 2 and before[0] not in now.values())
        assert "it was killed by SIGKILL; it held no request" in server.log
        assert server.ask()["restarts"] == {"killed": 1}
        last = server.workers()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert not any(map(is_alive, last.values()))
        assert not server.control.exists()


def test_ctrl_c_and_sigquit_do_not_wait(program: Path) -> None:
    for number in (signal.SIGINT, signal.SIGQUIT):
        with (
            Supervised("shop:app", "-w", "1", *QUIET, folder=program) as server,
            socket.create_connection(("127.0.0.1", server.port)) as client,
        ):
            client.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            until((program / "waits").exists)
            server.signal(number)
            assert server.wait() == 0
        (program / "waits").unlink()


def test_sigterm_lets_a_request_end(program: Path) -> None:
    with (
        Supervised("shop:app", "-w", "2", *QUIET, folder=program) as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        client.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        until((program / "waits").exists)
        server.signal(signal.SIGTERM)
        server.says("stopping")
        (program / "go on").touch()
        assert client.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
        assert server.wait() == 0


def test_workers_end_with_a_parent_that_was_killed_and_the_port_is_free(tmp_path: Path) -> None:
    server = Supervised(APP, "-w", "2", *QUIET, folder=tmp_path)
    workers = server.workers().values()
    server.signal(signal.SIGKILL)
    server.wait()
    until(lambda: not any(map(is_alive, workers)), workers)
    until(lambda: can_listen(server.port))


def can_listen(port: int) -> bool:
    """Whether nobody else does, any more."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_signals_scale_and_a_worker_may_be_told_to_end_by_itself(tmp_path: Path) -> None:
    with Supervised(APP, "-w", "1", *QUIET, folder=tmp_path) as server:
        server.signal(signal.SIGTTIN)
        until(lambda: sorted(server.workers()) == [0, 1])
        server.signal(signal.SIGTTOU)
        until(lambda: list(server.workers()) == [0])
        server.signal(signal.SIGTTOU)  # the last one stays
        assert server.command("scale", "2").stdout == "scale: 2 workers\n"
        pids = until(lambda: len(found := server.workers()) == 2 and found)
        assert server.command("scale", "99").returncode == 1
        os.kill(pids[0], signal.SIGTERM)
        until(lambda: pids[0] not in server.workers().values() and len(server.workers()) == 2)
        assert "was told by a signal to end" in server.log
        stopped = f"stop: process {server.pid} ({APP}) has ended\n"
        assert server.command("stop").stdout == stopped
        assert server.wait() == 0


def test_hooks_and_the_pid_file(program: Path) -> None:
    hooks = [
        word
        for name in ("on_start", "when_ready", "worker_start", "worker_exit")
        for word in (f"--{name.replace('_', '-')}", f"shop:{name}")
    ]
    pid_file = program / "shop.pid"
    arguments = ("-w", "1", "--pid-file", str(pid_file), *QUIET, *hooks)
    with Supervised("shop:app", *arguments, folder=program) as server:
        assert pid_file.read_text() == f"{server.pid}\n"
        second = Supervised("shop:app", *arguments, folder=program, serves=False)
        assert second.wait() == 2
        assert f"process {server.pid} runs with it" in second.log
    assert not pid_file.exists()
    assert (program / "told.txt").read_text().splitlines() == [
        f"on_start {server.pid} http://127.0.0.1:{server.port}",
        "worker_start 0 True",
        f"when_ready {server.pid}",
        "worker_exit 0 it ended with exit code 0",
    ]


@pytest.mark.parametrize(
    ("application", "arguments", "code", "words"),
    [
        ("shop:apq", (), 1, "stein: error: shop has no attribute 'apq'; did you mean app"),
        ("broken:app", (), 1, "broken.py:3: ZeroDivisionError"),
        ("broken:app", ("--preload",), 1, "broken.py:3: ZeroDivisionError"),
        ("leaves:app", (), 7, "stein: error: it ended with exit code 7 before it served"),
        ("shop:app", ("--on-start", "shop:fails"), 1, "hook on_start failed: "),
        ("shop:app", ("--worker-start", "shop:fails"), 1, "hook worker_start failed: "),
        ("shop:app", ("--access-log-file", "no/log"), 2, "access_log_file='no/log'"),
        ("shop:app", ("--certfile", "no.pem"), 2, "no.pem"),
        ("sleeps:app", ("--boot-timeout", "200ms"), 1, "after 0.2 s (boot_timeout)"),
    ],
)
def test_what_cannot_start_is_told_once(
    program: Path, application: str, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (program / "broken.py").write_text("def app(e, s): ...\n\n1 / 0\n")
    (program / "leaves.py").write_text("import os\nos._exit(7)\n")
    (program / "sleeps.py").write_text("import time\ntime.sleep(1000)\n")
    words_of = ("-w", "2", *arguments)
    server = Supervised(application, *words_of, folder=program, serves=False)
    assert server.wait() == code
    assert server.log.count(words) == 1
    assert server.log.count("Traceback") <= 1
    assert server.log.splitlines()[-1].startswith("stein: error: ")
    assert "INFO" not in server.log


def test_four_that_are_due_together_are_replaced_with_nobody_noticing(tmp_path: Path) -> None:
    arguments = ("-w", "3", "--max-requests", "40", *QUIET)
    fewest = 3
    with (
        Supervised(APP, *arguments, folder=tmp_path) as server,
        Load(server.port) as load,
    ):

        def enough() -> bool:
            nonlocal fewest
            status = server.ask()
            fewest = min(fewest, sum(each["state"] == "ready" for each in status["workers"]))
            return bool(status["restarts"].get("max_requests", 0) >= 4)

        until(enough)
    assert load.result.failures == []
    assert fewest == 3
    assert "will be replaced: max_requests: it has answered 4" in server.log


def test_one_that_has_grown_is_replaced(program: Path) -> None:
    with Supervised("shop:app", "-w", "1", "--max-rss", "80m", *QUIET, folder=program) as server:
        (before,) = server.workers().values()
        server.get("/grow")
        until(lambda: server.workers() and before not in server.workers().values())
        assert "of memory, more than 80 MiB" in server.log


@pytest.mark.timeout(120)
def test_a_leak_is_held_in_bounds_and_no_request_fails(tmp_path: Path) -> None:
    limits = ("--max-rss", "40m")
    with Supervised(
        "tests.live.load:leaking", "-w", "3", *limits, *QUIET, folder=tmp_path
    ) as server:
        fewest, most = 3, 0
        with Load(server.port) as load:

            def enough() -> bool:
                nonlocal fewest, most
                status = server.ask()
                ready = [each for each in status["workers"] if each["state"] == "ready"]
                fewest, most = min(fewest, len(ready)), max(most, len(status["workers"]))
                return bool(status["restarts"].get("max_rss", 0) >= 4)

            until(enough)
        assert load.result.failures == []
        # One at a time, a new one before the old: never fewer than wanted, never two more.
        assert fewest == 3
        assert most <= 5  # the new one, and the old one that finishes what it has


def test_requests_that_go_down_with_a_worker_are_named(program: Path) -> None:
    access = program / "access.jsonl"
    arguments = ("-w", "1", "--access-log", "json", "--access-log-file", str(access))
    with (
        Supervised("shop:app", *arguments, folder=program) as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        client.sendall(b"GET /wait?secret=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        until((program / "waits").exists)
        (pid,) = server.workers().values()
        os.kill(pid, signal.SIGSEGV)
        server.says("it was killed by SIGSEGV; of 1 connection(s) it held 1: GET /wait since ")
        assert client.recv(1) == b""
        (line,) = until(lambda: json_lines(access))
        assert line["outcome"] == "killed"
        assert line["target"] == "/wait?secret=1"
        assert f"pid {pid}" in line["error"]


def test_an_application_imported_once_is_shared_and_reloaded(program: Path) -> None:
    with Supervised("shop:app", "-w", "2", "--preload", *QUIET, folder=program) as server:
        pid, imported_by, parent = map(int, server.get().split())
        assert parent == server.pid
        assert imported_by not in {pid, server.pid}
        assert "preload:" not in server.log
        os.kill(pid, signal.SIGKILL)
        until(lambda: len(now := server.workers()) == 2 and pid not in now.values())
        assert int(server.get().split()[1]) == imported_by
        assert server.command("reload").returncode == 0
        assert int(server.get().split()[1]) != imported_by
        until(lambda: not is_alive(imported_by))
        (program / "shop.py").write_text("1 / 0\n")
        assert "ZeroDivisionError" in server.command("reload").stderr
        workers = server.workers().values()
        server.signal(signal.SIGKILL)
        server.wait()
        until(lambda: not any(map(is_alive, workers)))


@pytest.mark.parametrize("more", [(), ("--preload",)])
def test_what_is_registered_for_the_end_is_called_in_each_worker(
    program: Path, more: tuple[str, ...]
) -> None:
    (program / "shop.py").write_text(
        f"""{PROGRAM}
import atexit, logging.handlers, weakref

records = logging.getLogger("shop")
records.addHandler(logging.handlers.MemoryHandler(99, target=logging.FileHandler("records.txt")))
atexit.register(lambda: told.write(f"imported {{os.getpid()}}\\n"))

def worker_start(worker):
    atexit.register(lambda: told.write(f"started {{worker.pid}}\\n"))
    records.error("from %d", worker.pid)
"""
    )
    arguments = ("-w", "2", *more, *QUIET, "--worker-start", "shop:worker_start")
    with Supervised("shop:app", *arguments, folder=program) as server:
        pids = server.workers().values()
    lines = (program / "told.txt").read_text().splitlines()
    for pid in pids:
        assert [line for line in lines if line.endswith(f" {pid}")] == [
            f"started {pid}", f"imported {pid}",
        ]  # fmt: skip
    assert len(lines) == 4
    records = (program / "records.txt").read_text().splitlines()
    assert sorted(records) == sorted(f"from {pid}" for pid in pids)


def test_what_a_fork_would_lose_is_said(program: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as redis:
        port = redis.getsockname()[1]
        (program / "shop.py").write_text(
            f"{PROGRAM}\nimport socket\nkept = socket.create_connection(('127.0.0.1', {port}))\n"
            "threading.Thread(target=time.sleep, args=(1e6,), daemon=True, name='clock').start()\n"
        )
        with Supervised("shop:app", "-w", "1", "--preload", *QUIET, folder=program) as server:
            assert "started 1 thread(s) at import (clock)" in server.log
            assert f"opened 1 connection(s) at import (127.0.0.1:{port})" in server.log


def test_a_worker_that_runs_no_python_is_ended(program: Path) -> None:
    arguments = ("-w", "1", "--heartbeat-timeout", "600ms", *QUIET)
    with Supervised("shop:app", *arguments, folder=program) as server:
        (pid,) = server.workers().values()
        os.kill(pid, signal.SIGSTOP)
        server.says("no Python code has run in it for 0.6 s")
        until(lambda: server.workers() and pid not in server.workers().values())
        assert server.ask()["restarts"] == {"no_heartbeat": 1}


def test_auto_shows_its_sum(tmp_path: Path) -> None:
    with Supervised(APP, "--workers", "auto", *QUIET, folder=tmp_path) as server:
        assert f"  workers      auto: {len(os.sched_getaffinity(0))} processor" in server.log
