"""What the threads of a process are: the system's own, or greenlets that pass for them.

A greenlet is a stack of its own on the one thread of the process.  It runs until it waits, and
then another one runs.  For the crew there is little difference: whatever waits does so in a call
of the standard library, and gevent has put its own in there before anything else was imported.
What is left are the places where the server asks the system past these calls, or where something
costs otherwise.  They stand here, with the answers for threads;
:mod:`stein.serving.greenlets` has the others.
"""

from __future__ import annotations

import select
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from stein.server.poller import Poller, default_poller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

__all__ = ["THREADS", "Runtime"]

_POLL: Final = getattr(select, "poll", None)


def frame_of_thread(ident: int) -> FrameType | None:
    """Return where a thread stands; ``None`` if it has ended."""
    return sys._current_frames().get(ident)  # noqa: SLF001 - documented


def nothing_besides() -> Iterable[tuple[str, int]]:
    """Return what runs and is no thread: nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a process runs its crew on.

    :param make_poller: gives the poller that the leader waits in.
    :param glance: makes an object as ``select.poll()`` does, for looking without waiting; ``None``
        where there is none.
    :param frame_of: where a thread stands, by its ident.  Any thread.
    :param besides: names and idents of what runs and is no thread.  Any thread.
    :param cautious: whether the leader runs only what is known to be short.  To hand a call to
        another greenlet costs a few microseconds; one that waits would hold up all others for
        some milliseconds, until the monitor comes.
    """

    make_poller: Callable[[], Poller] = default_poller
    glance: Callable[[], Any] | None = _POLL
    frame_of: Callable[[int], FrameType | None] = frame_of_thread
    besides: Callable[[], Iterable[tuple[str, int]]] = nothing_besides
    cautious: bool = False


#: Threads of the system.
THREADS: Final = Runtime()
