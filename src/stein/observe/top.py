"""``stein top``: a running server, live: its workers, what is under way, how fast it goes.

A frame is made of two reports and nothing else, so it can be tested as text; the screen only draws
it.  :class:`Top` is the loop between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from stein.errors import SteinError
from stein.observe.figures import Column, cut, rate, shown, size, span, table
from stein.observe.report import Change, held_requests
from stein.observe.status import (
    name_of,
    quantile,
    request_table,
    threads,
    warnings,
    worker_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stein.observe.report import Held, Report
    from stein.snapshot import WorkerSnapshot

__all__ = ["ORDERS", "Line", "Screen", "Top", "View", "frame"]

#: By what workers may be sorted.
ORDERS: Final = ("worker", "rate", "busy", "cpu", "memory")
KEYS: Final = "q quits, s sorts workers (by {order}), p {grouping}"
#: The least that is shown of a table before the other one gives way.
_FEWEST: Final = 3
#: Frames that fit nowhere are made for this many lines.
_UNLIMITED: Final = 10_000

Style: TypeAlias = Literal["plain", "title", "alarm"]
Line: TypeAlias = tuple[str, Style]


class Screen(Protocol):
    """Where frames are shown and keys are pressed."""

    @property
    def is_live(self) -> bool:
        """Whether a frame replaces the one before, and keys can be pressed."""

    def size(self) -> tuple[int, int]:
        """How many columns and lines there are; 0 lines: as many as one likes."""

    def draw(self, lines: Sequence[Line]) -> None:
        """Show a frame."""

    def wait(self, seconds: float) -> str:
        """Wait for a key and return it; "" if none was pressed in time."""


@dataclass(slots=True)
class View:
    """What somebody wants to see.

    :param order: by what workers are sorted, one of :data:`ORDERS`.
    :param by_path: requests for the same path in one row.
    """

    order: str = "worker"
    by_path: bool = False

    def press(self, key: str) -> bool:
        """Do what a key says; return whether to go on."""
        if key == "s":
            self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        elif key == "p":
            self.by_path = not self.by_path
        return key not in {"q", "Q", "\x03", "\x04"}


class Top:
    """Looks, draws and waits, until a key says that it is enough.

    :param look: makes a report.
    :param screen: where it is shown.
    :param view: how it is shown at first.
    :param interval: seconds between two looks.
    """

    def __init__(
        self,
        look: Callable[[], Report],
        screen: Screen,
        *,
        view: View | None = None,
        interval: float = 1.0,
    ) -> None:
        self._look = look
        self._screen = screen
        self._view = view or View()
        self._interval = interval

    def once(self) -> None:
        """Show one frame, with the rates of one interval."""
        before = self._look()
        self._screen.wait(self._interval)
        self._draw(self._look(), before)

    def run(self) -> None:
        """Show frame after frame.

        A server that does not answer any more, as during a restart, is waited for on a live screen.

        :raises SteinError: there is no server, or it has gone where no screen can show that.
        """
        report, before, notice = self._look(), None, ""
        while True:
            self._draw(report, before, notice)
            pressed = self._screen.wait(self._interval)
            if not self._view.press(pressed):
                return
            if pressed and before is not None:
                continue  # a key changes how it is shown, not what
            try:
                report, before, notice = self._look(), report, ""
            except SteinError as error:
                if not self._screen.is_live:
                    raise
                notice = str(error)

    def _draw(self, report: Report, before: Report | None, notice: str = "") -> None:
        width, height = self._screen.size()
        keys = self._screen.is_live
        self._screen.draw(
            frame(report, before, self._view, width, height or _UNLIMITED, notice=notice, keys=keys)
        )


# -- frames ---------------------------------------------------------------------------------


def frame(  # noqa: PLR0913 - what to show, how, and in which space
    report: Report,
    before: Report | None,
    view: View,
    width: int,
    height: int,
    *,
    notice: str = "",
    keys: bool = False,
) -> list[Line]:
    """Return the lines of one frame, no more than ``height`` and none longer than ``width``.

    :param before: the report before this one; ``None``: rates are since the server began.
    :param notice: what to say besides.
    :param keys: whether to name the keys.
    """
    change = Change(before, report)
    lines: list[Line] = [(text, "plain") for text in headlines(report, change)]
    lines += [(f"! {text}", "alarm") for text in warnings(report)]
    if notice:
        lines.append((f"! {shown(notice)}", "alarm"))
    foot: list[Line] = []
    if keys:
        grouping = "shows each request" if view.by_path else "puts equal paths together"
        foot = [("", "plain"), (KEYS.format(order=view.order, grouping=grouping), "plain")]
    room = max(0, height - len(lines) - len(foot) - 2)  # one empty line before each table
    workers = worker_table(report, ordered(report, view.order, change), width, change)
    held = held_requests(report.snapshot)
    requests = path_table(held, width) if view.by_path else request_table(held, width)
    if not held:
        requests = ["nothing is under way"]
    for_workers = max(room // 2, room - len(requests), _FEWEST)
    lines += [("", "plain"), *rows(workers, min(for_workers, room), "workers")]
    room -= min(len(workers), for_workers)
    lines += [("", "plain"), *rows(requests, room, "requests")]
    lines = lines[: max(0, height - len(foot))] + foot
    return [(cut(text, width), style) for text, style in lines[:height]]


def headlines(report: Report, change: Change) -> list[str]:
    """Return what there is to say of the server as a whole."""
    snapshot = report.snapshot
    name = shown(report.application) or f"process {snapshot.parent}"
    ready = sum(worker.state == "ready" for worker in snapshot.workers)
    first = f"stein: {name}  {shown(report.state)} for {span(snapshot.taken - snapshot.born)}"
    if report.is_supervised:
        first += f"  {ready} of {max(report.wanted, ready)} workers ready"
    if report.generation > 1:
        first += f"  generation {report.generation}"
    speed = f"requests   {rate(change.rate)}/s"
    if change.duration.count:
        shares = ((f"p{share * 100:.0f}", share) for share in (0.5, 0.95, 0.99))
        speed += "".join([f"  {word} {quantile(change.duration, at)}" for word, at in shares])
        speed += f"  queue p99 {quantile(change.queue, 0.99)}"
    opened = sum(worker.connections for worker in snapshot.workers)
    backlog = max((worker.backlog for worker in snapshot.workers), default=0)
    memory = size(sum(report.memory.values()))
    return [
        first,
        speed,
        f"threads    {threads(report)}",
        f"clients    {opened} connections, backlog {backlog}  memory {memory}",
    ]


def ordered(report: Report, order: str, change: Change) -> list[WorkerSnapshot]:
    """Return the workers by what they are sorted by; the greatest first, but for their places."""
    keys: dict[str, Callable[[WorkerSnapshot], float]] = {
        "worker": lambda worker: -worker.index,
        "rate": change.rate_of,
        "busy": lambda worker: worker.busy + worker.waiting,
        "cpu": lambda worker: change.processor_of(worker.pid) or 0.0,
        "memory": lambda worker: report.memory.get(worker.pid, 0),
    }
    return sorted(report.snapshot.workers, key=keys[order], reverse=True)


def path_table(held: Sequence[Held], width: int) -> list[str]:
    """Return a row for each method and path, those first that hold the oldest request."""
    groups: dict[str, list[Held]] = {}
    for each in held:  # the oldest first, so the groups are in order
        groups.setdefault(name_of(each), []).append(each)
    found = list(groups.values())
    return table(
        [
            Column("AGE", [span(each[0].age) for each in found], right=True),
            Column("COUNT", [str(len(each)) for each in found], right=True),
            Column("STATE", [in_words({one.state for one in each}) for each in found], rank=1),
            Column("WORKERS", [in_words({one.worker for one in each}) for each in found], rank=2),
            Column("REQUEST", list(groups)),
        ],
        width,
    )


def in_words(values: set[str] | set[int]) -> str:
    """Return some values as one text."""
    return ",".join([str(value) for value in sorted(values)])


def rows(lines: Sequence[str], room: int, what: str) -> list[Line]:
    """Return a table as far as there is room; the last row says how many are left out."""
    if room <= 0:
        return []
    kept = list(lines)
    if len(kept) > room:
        left = len(kept) - room + 1
        kept = [*kept[: room - 1], f"… and {left} more {what}"] if room > 1 else kept[:1]
    is_table = len(lines) > 1
    return [
        (text, "title" if not place and is_table else "plain") for place, text in enumerate(kept)
    ]
