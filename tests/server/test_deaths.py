"""How a process ended."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from stein.server.deaths import OutOfMemory, cause_of, reason_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("code", "memory", "cause", "reason"),
    [
        (0, False, "it ended with exit code 0", "crashed"),
        (3, False, "it ended with exit code 3", "crashed"),
        (-signal.SIGKILL, False, "it was killed by SIGKILL", "killed"),
        (-signal.SIGTERM, True, "it was killed by SIGTERM", "killed"),
        (-signal.SIGSEGV, False, "it was killed by SIGSEGV", "crashed"),
        (-64, False, "it was killed by ", "crashed"),
        (-99, False, "it was killed by signal 99", "crashed"),
        (-signal.SIGKILL, True, "the kernel killed it (SIGKILL), as the memory limit", "oom"),
    ],
)
def test_an_end_has_a_cause_and_a_reason(
    *, code: int, memory: bool, cause: str, reason: str
) -> None:
    assert cause_of(code, memory=memory).startswith(cause)
    assert reason_of(code, memory=memory) == reason


@pytest.mark.parametrize(
    ("row", "file", "before", "after"),
    [
        ("0::/shop", "shop/memory.events", "low 0\noom 1\noom_kill 1\n", "oom 2\noom_kill 2\n"),
        ("0::/elsewhere", "memory.events", "oom_kill 0\n", "oom_kill 4\n"),
        (
            "5:cpu:/a\n4:memory:/shop", "memory/shop/memory.oom_control",
            "under_oom 0\noom_kill 0\n", "under_oom 0\noom_kill 1\n",
        ),
    ],
)  # fmt: skip
def test_the_kernels_count_is_watched(
    tmp_path: Path, row: str, file: str, before: str, after: str
) -> None:
    own = tmp_path / "cgroup"
    own.write_text(row)
    counter = tmp_path / "groups" / file
    counter.parent.mkdir(parents=True)
    counter.write_text(before)
    memory = OutOfMemory(tmp_path / "groups", own)
    assert not memory.has_risen()
    counter.write_text(after)
    assert memory.has_risen()
    assert not memory.has_risen()
    counter.unlink()
    assert not memory.has_risen()


def test_without_control_groups_nothing_is_known(tmp_path: Path) -> None:
    assert not OutOfMemory(tmp_path, tmp_path / "no").has_risen()
    own = tmp_path / "own"
    own.write_text("0::/nowhere\n3:cpu:/x\n")
    assert not OutOfMemory(tmp_path, own).has_risen()
