from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stein.errors import ConfigurationError
from stein.web.cli import load_dotenv

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[..., Path]


def test_a_given_file_goes_before_env_and_that_before_flaskenv(write: Write) -> None:
    write(".flaskenv", "DT_A=flaskenv\nDT_B=flaskenv\nDT_C=flaskenv\n")
    write(".env", "DT_A=env\nDT_B=env\nDT_D=Grüße\nDT_EMPTY\n")
    write("other", "DT_A=other\n")
    assert load_dotenv("other")
    assert [os.environ[f"DT_{x}"] for x in "ABCD"] == ["other", "env", "flaskenv", "Grüße"]
    assert "DT_EMPTY" not in os.environ


def test_what_is_set_already_stays(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DT_A", "mine")
    write(".env", "DT_A=env\n")
    assert load_dotenv()
    assert os.environ["DT_A"] == "mine"


def test_the_folders_above_are_looked_at_and_the_current_one_stays(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(".env", "DT_A=above\n")
    below = write("a/b/file", "").parent
    monkeypatch.chdir(below)
    assert load_dotenv()
    assert os.environ["DT_A"] == "above"
    assert Path.cwd() == below


def test_the_usual_files_can_be_left_out(write: Write) -> None:
    write(".env", "DT_A=env\n")
    assert not load_dotenv(load_defaults=False)
    assert not load_dotenv("no-such-file", load_defaults=False)
    assert "DT_A" not in os.environ


def test_a_file_in_another_encoding_is_told(folder: Path) -> None:
    Path(".env").write_bytes(b"DT_A=Gr\xfc\xdfe\n")
    with pytest.raises(ConfigurationError, match=r"\.env is not in UTF-8"):
        load_dotenv()


def test_without_python_dotenv_nothing_is_read_and_files_are_mentioned(
    write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "dotenv", None)
    assert not load_dotenv()
    assert capsys.readouterr().err == ""
    write(".env", "DT_A=env\n")
    assert not load_dotenv("other")
    assert "DT_A" not in os.environ
    err = capsys.readouterr().err
    assert "other and .env is not read" in err
    assert "pip install 'stein[dotenv]'" in err
