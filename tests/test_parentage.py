"""What the kernel is asked for a process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stein import parentage


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2)")
def test_a_process_has_a_name_for_the_systems_tools() -> None:
    before = Path("/proc/self/comm").read_text("utf-8").strip()
    parentage.name_process("a name that is too long")
    assert Path("/proc/self/comm").read_text("utf-8") == "a name that is \n"
    parentage.name_process(before)


def test_elsewhere_nothing_is_asked_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    parentage.die_with_parent()  # or this test would end with its parent
    assert not parentage.adopt_orphans()
