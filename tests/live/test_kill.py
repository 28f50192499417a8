"""Workers are killed under load; ``bench/processes.py`` does it for a minute."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.live.load import Load
from tests.live.supervised import Supervised, json_lines

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


@pytest.mark.timeout(120)
def test_only_what_a_killed_worker_held_is_lost_and_each_is_logged(tmp_path: Path) -> None:
    access = tmp_path / "access.jsonl"
    arguments = ("-w", "3", "--access-log", "json", "--access-log-file", str(access))
    with Supervised("tests.live.slow:application", *arguments, folder=tmp_path) as server:
        with Load(server.port, clients=6) as load:
            for _ in range(4):
                load.wait_for(20, until=lambda: len(server.workers()) == 3)
                os.kill(random.choice(list(server.workers().values())), signal.SIGKILL)
            load.wait_for(20, until=lambda: len(server.workers()) == 3)
        assert server.ask()["restarts"] == {"killed": 4}
    lost = [line for line in json_lines(access) if line["outcome"] == "killed"]
    held = sum(int(count) for count in re.findall(r"it held (\d+): ", server.log))
    # What no process had read is reset by the kernel, and can be on nobody's list.
    unread = [failure for failure in load.result.failures if "ConnectionReset" in failure]
    assert len(lost) == held
    # Between a system call and the note that it was made there is a moment for the kill.
    assert abs(len(load.result.failures) - len(unread) - held) <= 1, load.result.failures
