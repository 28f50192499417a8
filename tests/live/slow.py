"""An application that takes its time, so that a process which is killed holds something."""

from __future__ import annotations

import time
from typing import Any

from tests.live.load import numbered


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer as ``numbered`` does, a little later."""
    time.sleep(0.02)
    return numbered(environ, start_response)
