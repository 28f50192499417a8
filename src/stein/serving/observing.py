"""How a process of the server is observed: what the observing layer is given to look at."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import stein
from stein.server.recycler import resident_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stein.server.settings import Settings
    from stein.snapshot import Snapshot

__all__ = ["make_metrics", "processor_time", "sending_metrics"]


def make_metrics(settings: Settings) -> Callable[[Snapshot], str] | None:
    """Return what makes the page at ``metrics_path``; ``None`` if there is to be none."""
    if settings.metrics_path is None:
        return None
    # Most servers show none.
    from stein.observe.metrics import exposition  # noqa: PLC0415 - see above

    return partial(exposition, memory=resident_memory, version=stein.__version__)


@contextlib.contextmanager
def sending_metrics(settings: Settings, look: Callable[[], Snapshot]) -> Iterator[None]:
    """Send metrics to statsd for as long as the context lasts, if the settings want it.

    :param look: reads the board.
    """
    if settings.statsd is None:
        yield
        return
    # Most servers send none.
    from stein.observe.statsd import Statsd  # noqa: PLC0415 - see above

    statsd = Statsd(
        settings.statsd,
        look,
        prefix=settings.statsd_prefix,
        tags=settings.statsd_tags,
        memory=resident_memory,
    )
    try:
        yield
    finally:
        statsd.close()


def processor_time(pid: int) -> float | None:
    """Return how many seconds of processor time a process has used; ``None``: not known."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return None
