from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stein.toolkit import testapp
from tests.toolkit.environs import call, make_environ

if TYPE_CHECKING:
    import pytest


def test_the_page_shows_the_environ_escaped() -> None:
    status, fields, body = call(testapp.test_app, make_environ("/<script>"))
    page = body.decode()
    assert status == "200 OK"
    assert dict(fields)["Content-Type"] == "text/html; charset=utf-8"
    assert "PATH_INFO" in page
    assert "/&lt;script&gt;" in page
    assert "<script>" not in page
    assert sys.version.split()[0] in page


def test_the_search_path_tells_what_is_no_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "none"), str(Path.cwd())])
    entries = list(testapp.iter_sys_path())
    assert entries[0] == (str(Path.cwd()), False, True)
    assert entries[1] == ("~/none", True, False)
    assert "class=virtual" in call(testapp.test_app, make_environ())[2].decode()
