from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stein.web.app import Stein
from stein.web.explain.settings import warn_of_keys

if TYPE_CHECKING:
    import pytest


def test_keys_that_look_like_slips_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = Stein("settings", root_path=".")
    app.config["SECRETKEY"] = "x"
    app.config["MY_OWN"] = 1
    with caplog.at_level(logging.WARNING):
        warn_of_keys(app)
    assert caplog.messages == [
        "nothing reads the key 'SECRETKEY' of the configuration: did you mean 'SECRET_KEY'?"
    ]
