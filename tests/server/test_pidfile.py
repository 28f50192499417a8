"""The file that holds the process id."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stein.errors import ConfigurationError
from stein.server.pidfile import PidFile, is_running


def test_it_holds_the_process_id_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "stein.pid"
    file = PidFile(str(path))
    assert path.read_text() == f"{os.getpid()}\n"
    file.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_second_start_is_told_who_runs(tmp_path: Path) -> None:
    path = tmp_path / "stein.pid"
    path.write_text(f"{os.getppid()}\n")
    with pytest.raises(ConfigurationError, match=f"process {os.getppid()} runs with it"):
        PidFile(str(path))
    assert path.read_text() == f"{os.getppid()}\n"


@pytest.mark.parametrize("left", ["", "no number", "999999999", "é"])
def test_what_a_dead_server_left_is_replaced(tmp_path: Path, left: str) -> None:
    path = tmp_path / "stein.pid"
    path.write_text(left, "utf-8")
    PidFile(str(path)).remove()


def test_a_successor_takes_it_over_when_it_is_ready(tmp_path: Path) -> None:
    path = tmp_path / "stein.pid"
    path.write_text(f"{os.getppid()}\n")
    file = PidFile(str(path), takes_over=os.getppid())
    assert path.read_text() == f"{os.getppid()}\n"
    file.publish()
    assert path.read_text() == f"{os.getpid()}\n"
    path.write_text("1\n")  # the next one's
    file.remove()
    assert path.read_text() == "1\n"


def test_a_successor_that_fails_leaves_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "stein.pid"
    path.write_text(f"{os.getppid()}\n")
    PidFile(str(path), takes_over=os.getppid()).remove()
    assert path.read_text() == f"{os.getppid()}\n"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        PidFile(str(tmp_path / "no" / "stein.pid"))


def test_processes_of_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int, _number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert is_running(1)


def test_it_is_found_again_after_the_folder_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = PidFile("stein.pid")
    monkeypatch.chdir("/")
    file.remove()
    assert not (tmp_path / "stein.pid").exists()
    assert Path.cwd() == Path("/")
