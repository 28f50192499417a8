"""Fixtures of the command line's and the development server's tests."""

from __future__ import annotations

import os

import pytest

from tests.server.certificates import Certificates


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The files of a certificate for localhost, and of its key."""
    made = Certificates(tmp_path_factory.mktemp("tls"))
    return str(made.localhost), str(made.key_of(made.localhost))


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings from outside, and no access log."""
    for name in list(os.environ):
        if name.startswith("STEIN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("STEIN_ACCESS_LOG", "off")
