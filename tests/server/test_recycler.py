"""Who is to be replaced for its age or size."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stein.server.process import BOOTING, READY, WorkerProcess
from stein.server.recycler import INTERVAL, Recycler, resident_memory
from stein.server.settings import Settings

if TYPE_CHECKING:
    from stein.server.lifeline import Lifeline

MIB = 1 << 20
NO_LINE: Lifeline = None  # type: ignore[assignment]


def worker(pid: int, state: str = READY) -> WorkerProcess:
    made = WorkerProcess(0, 1, pid, NO_LINE)
    made.state = state  # type: ignore[assignment]
    made.ready_since = 100.0
    return made


def test_one_that_is_too_large_is_found_once_with_figures() -> None:
    sizes = {1: 80 * MIB, 2: 120 * MIB, 3: 500 * MIB}
    recycler = Recycler(Settings(max_rss=100 * MIB), sizes.__getitem__)
    workers = [worker(1), worker(2), worker(3, BOOTING)]
    assert recycler.look(workers, 200.0) == [workers[1]]
    assert workers[1].replace == "max_rss: it has 120 MiB of memory, more than 100 MiB"
    assert recycler.look(workers, 300.0) == []


def test_one_that_is_too_old_is_found() -> None:
    recycler = Recycler(Settings(max_lifetime=60.0))
    old = worker(1)
    assert recycler.look([old], 159.0) == []
    assert recycler.look([old], 161.0) == [old]
    assert old.replace == "max_lifetime: it has served for 61 s of 60"


def test_it_looks_once_in_a_while() -> None:
    asked = []

    def memory(pid: int) -> int:
        asked.append(pid)
        return 0

    recycler = Recycler(Settings(max_rss=1), memory)
    recycler.look([worker(1)], 100.0)
    recycler.look([worker(1)], 100.0 + INTERVAL / 2)
    assert asked == [1]
    assert recycler.next_look == 100.0 + INTERVAL


def test_without_a_rule_it_never_looks() -> None:
    recycler = Recycler(Settings())
    assert recycler.next_look == float("inf")
    assert recycler.look([worker(1)], 1e9) == []


def test_memory_is_read_from_the_system() -> None:
    assert resident_memory(os.getpid()) > MIB
    assert resident_memory(999_999_999) == 0
