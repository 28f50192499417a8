"""Reloads and upgrades under unforgiving load; ``bench/processes.py`` does it longer."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.live.load import Load, doubles
from tests.live.supervised import Supervised, is_alive, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

APP = "tests.live.load:numbered"
QUIET = ("--access-log", "off")


@pytest.mark.timeout(120)
def test_reloads_and_an_upgrade_cost_no_request(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    arguments = ("-w", "2", "--threads", "4", *QUIET)
    with Supervised(APP, *arguments, folder=tmp_path, LOAD_NOTES=str(notes)) as server:
        with Load(server.port) as load:
            for _ in range(2):
                assert server.ask("reload")["ok"]
                load.wait_for(20)
            server.ask("scale", workers=3)
            until(lambda: len(server.workers()) == 3)
            first = server.ask()["parent"]["pid"]
            answer = server.command("upgrade")
            assert answer.returncode == 0, answer.stderr
            assert server.wait() == 0
            second = server.ask()["parent"]["pid"]
            assert second != first
            assert len(server.workers()) == 3  # as many as the old one was told to have
            server.ask("reload")
            load.wait_for(20)
        assert server.command("stop").returncode == 0
        until(lambda: not is_alive(second))
    assert load.result.failures == []
    assert doubles(notes) == 0
    assert len(load.result.workers) >= 6


def test_a_broken_version_is_refused_and_the_old_one_serves(tmp_path: Path) -> None:
    good = "def app(e, s):\n    s('200 OK', [('Content-Length', '3')])\n    return [b'old']\n"
    program = tmp_path / "shop.py"
    program.write_text(good)
    with Supervised("shop:app", "-w", "2", *QUIET, folder=tmp_path) as server:
        before = server.workers()
        program.write_text(good.replace("def app(e, s):", "def app(e, s:"))
        for command in ("reload", "upgrade"):
            refused = server.command(command)
            assert refused.returncode == 1
            assert "shop.py" in refused.stderr
            assert "SyntaxError" in refused.stderr
        assert server.workers() == before
        assert server.get() == "old"
        program.write_text(good.replace("old", "new"))
        server.signal(signal.SIGHUP)
        server.says("reloaded: 2 workers of the new version serve")
        assert server.get() == "new"


def test_two_versions_that_a_reload_leaves_are_told_of(tmp_path: Path) -> None:
    good = "def app(e, s):\n    s('200 OK', [('Content-Length', '3')])\n    return [b'old']\n"
    program = tmp_path / "shop.py"
    program.write_text(good)
    with Supervised("shop:app", "-w", "2", *QUIET, folder=tmp_path) as server:
        program.write_text(f"open('started', 'x').close()  # but once\n{good}")
        refused = server.command("reload")
        assert refused.returncode == 1
        told = "1 worker of the new version serves and 1 of the old: reload again"
        assert told in refused.stderr
        assert "FileExistsError" in refused.stderr
        assert f"the reload was given up, {told}" in server.log
        warning = "a reload was given up; generations that serve: 1 (1 worker), 2 (1 worker)"
        assert warning in server.command("status").stdout
        program.write_text(good)
        assert server.command("reload").returncode == 0
        assert "a reload was given up" not in server.command("status").stdout


def test_a_unix_socket_outlives_an_upgrade_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "shop.sock"
    arguments = ("-w", "1", "--bind", f"unix:{path}", "--pid-file", "shop.pid", *QUIET)
    with Supervised(APP, *arguments, folder=tmp_path) as server:
        server.signal(signal.SIGUSR2)
        assert server.wait() == 0
        assert path.exists()
        successor = int((tmp_path / "shop.pid").read_text())
        assert server.ask()["parent"]["pid"] == successor
        assert server.command("stop").returncode == 0
        until(lambda: not is_alive(successor))
        assert not path.exists()
        assert not (tmp_path / "shop.pid").exists()
