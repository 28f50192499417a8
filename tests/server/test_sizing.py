"""How many workers there is room for, and the sum that is shown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from stein.server import sizing
from stein.server.sizing import MIB, Room, measure_room, size_for

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("room", "workers", "text"),
    [
        (Room(8), 8, "8 processors: 8"),
        (Room(1), 1, "1 processor: 1"),
        (Room(8, quota=2.0), 2, "8 processors, of which the control group may use 2: 2"),
        (Room(8, quota=0.25), 1, "8 processors, of which the control group may use 0.25: 1"),
        (Room(2, quota=16.0), 2, "2 processors, of which the control group may use 16: 2"),
        (Room(8, quota=1.5), 2, "may use 1.5: 2"),
        (
            Room(8, memory=512 * MIB), 4,
            "8 processors; 512 MiB of memory for workers of 128 MiB: 4; the smaller of 8 and 4: 4",
        ),
        (Room(8, memory=64 * MIB), 1, "the smaller of 8 and 1: 1"),
    ],
)  # fmt: skip
def test_the_smaller_of_time_and_memory_counts(room: Room, workers: int, text: str) -> None:
    found = size_for(room)
    assert found.workers == workers
    assert text in found.text


def tree(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("own", "files", "quota", "memory"),
    [
        ("0::/", {"cpu.max": "200000 100000\n", "memory.max": "536870912\n"}, 2.0, 512 * MIB),
        ("0::/", {"cpu.max": "max 100000\n", "memory.max": "max\n"}, None, None),
        (
            "0::/a/b",
            {"a/cpu.max": "50000 100000", "a/b/cpu.max": "max 100000", "a/b/memory.high": "1024"},
            0.5, 1024,
        ),
        (
            "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x",
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "150000", "cpu,cpuacct/cpu.cfs_period_us": "100000",
                "memory/docker/x/memory.limit_in_bytes": "268435456",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
            1.5, 256 * MIB,
        ),
        ("3:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None, None),
        ("", {}, None, None),
    ],
)  # fmt: skip
def test_limits_are_read_from_control_groups(
    tmp_path: Path, own: str, files: dict[str, str], quota: float | None, memory: int | None
) -> None:
    tree(tmp_path / "proc", {"self/cgroup": own})
    tree(tmp_path / "groups", {"x": "", **files})
    room = measure_room(tmp_path / "groups", tmp_path / "proc")
    assert (room.quota, room.memory) == (quota, memory)
    assert room.processors >= 1


def test_without_control_groups_the_processors_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert measure_room(tmp_path, tmp_path) == Room(1)
    assert sizing.words_of(tmp_path) == []
