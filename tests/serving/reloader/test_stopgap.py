"""What answers while the program cannot."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from typing import TYPE_CHECKING

import pytest

from stein.serving import devlog
from stein.serving.devserver import make_server
from stein.serving.reloader.failure import Failure
from stein.serving.reloader.live import ASK_PATH
from stein.serving.reloader.stopgap import Stopgap
from tests.serving.devserving import fetch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stein.typing import Environ, StartResponse


@pytest.fixture(autouse=True)
def _unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devlog.logger, "propagate", False)


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    raise AssertionError("nobody calls it")


def test_requests_that_it_answers_are_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devlog.logger, "handlers", [])  # pytest puts one here before each test
    with redirect_stderr(io.StringIO()) as stream, make_server("127.0.0.1", 0, application) as made:
        stopgap = Stopgap(made.settings, [made.socket], None)
        for _ in range(2):
            stopgap.open(Failure("SyntaxError: oh"), "failed-1", details=True)
            fetch(made.port, "/shop?n=1")
            fetch(made.port, ASK_PATH)  # the page does, again and again
            stopgap.close(wait=True)
        stopgap.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert all(" 500 GET /shop?n=1 " in line for line in lines)
