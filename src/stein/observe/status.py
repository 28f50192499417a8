"""``stein status``: a report as text for a person, and as plain values for a program."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from stein.observe.figures import Column, cut, percent, rate, shown, size, span, table
from stein.observe.lines import readable
from stein.observe.metrics import STATUS_CLASSES
from stein.observe.report import held_requests
from stein.snapshot import BOUNDS, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stein.observe.report import Change, Held, Report
    from stein.snapshot import Histogram, WorkerSnapshot

__all__ = ["as_fields", "as_text", "request_table", "warnings", "worker_table"]

QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
#: A worker that has not been heard of for so many seconds is worth a word.
SILENT: Final = 5.0
#: So many requests are named in the text.
MOST: Final = 40


# -- text -----------------------------------------------------------------------------------


def as_text(report: Report, width: int = 100) -> str:
    """Return the report for a person.

    :param width: how long a line may be.
    """
    lines = [headline(report), *(f"  {title:<12} {text}" for title, text in summary(report))]
    lines = [cut(line, width) for line in lines]
    lines += [cut(f"  ! {text}", width) for text in warnings(report)]
    if report.snapshot.workers:
        lines += ["", *worker_table(report, report.snapshot.workers, width)]
    held = held_requests(report.snapshot)
    if held:
        lines += ["", *request_table(held[:MOST], width)]
    if len(held) > MOST:
        lines.append(f"… and {len(held) - MOST} more; --json has them all")
    return "".join([f"{line}\n" for line in lines])


def headline(report: Report) -> str:
    """Return what is served, and how that goes."""
    snapshot = report.snapshot
    name = shown(report.application) or f"process {snapshot.parent}"
    ready = sum(worker.state == "ready" for worker in snapshot.workers)
    text = f"{name}: {shown(report.state)} for {span(snapshot.taken - snapshot.born)}"
    if not report.is_supervised:
        return f"{text}, one process"
    return f"{text}, {ready} of {max(report.wanted, ready)} workers ready"


def summary(report: Report) -> Iterable[tuple[str, str]]:
    """Give what has happened since the server began, under short titles."""
    snapshot, total = report.snapshot, report.snapshot.total
    process = f"pid {snapshot.parent}"
    if report.generation:
        process += f", generation {report.generation}"
    yield "process", f"{process}, memory {size(sum(report.memory.values()))} in all"
    seconds = snapshot.taken - snapshot.born
    per_second = rate(total.requests / seconds if seconds > 0 else 0.0)
    yield "requests", f"{total.requests}, {per_second} per second since the start"
    if total.requests:
        yield "answers", some(zip(STATUS_CLASSES, total.statuses, strict=True))
        yield "outcomes", some(zip(OUTCOMES, total.outcomes, strict=True))
    if total.duration.count:
        yield "duration", quantiles(total.duration)
        yield "queue", quantiles(total.queue)
    yield "threads", threads(report)
    opened = sum(worker.connections for worker in snapshot.workers)
    backlog = max((worker.backlog for worker in snapshot.workers), default=0)
    yield "connections", f"{opened} open, {total.accepted} accepted so far, backlog {backlog}"
    if any(snapshot.restarts.values()):
        yield "restarts", some(snapshot.restarts.items())


def threads(report: Report) -> str:
    """Return what the threads of all workers do, in one line."""
    workers = report.snapshot.workers
    busy, seats = sum(each.busy for each in workers), sum(each.seats for each in workers)
    waiting, sending = sum(each.waiting for each in workers), sum(each.sending for each in workers)
    lost = sum(each.lost for each in workers)
    text = f"{busy} of {seats} busy, {waiting} queued, {sending} sending"
    return f"{text}, {lost} lost" if lost else text


def some(pairs: Iterable[tuple[str, int]]) -> str:
    """Return those that are not 0."""
    return ", ".join([f"{name} {count}" for name, count in pairs if count])


def quantiles(took: Histogram) -> str:
    """Return what most of them did not exceed."""
    return ", ".join([f"{name} {quantile(took, share)}" for name, share in QUANTILES.items()])


def quantile(took: Histogram, share: float) -> str:
    """Return one quantile; in the first bucket and above all others nothing finer is known."""
    value = took.quantile(share)
    if value <= BOUNDS[0]:
        return f"< {BOUNDS[0] * 1000:g} ms"
    beyond = took.counts[-1] and share * took.count > took.count - took.counts[-1]
    return f"{'> ' if beyond else ''}{readable(value)}"


def warnings(report: Report) -> Iterable[str]:
    """Give what an operator should look at."""
    snapshot = report.snapshot
    yield from versions(report)
    full = [each for each in snapshot.workers if each.waiting and not each.free]
    if full:
        places = ", ".join([str(worker.index) for worker in full])
        waiting = sum(worker.waiting for worker in full)
        word = "worker" if len(full) == 1 else "workers"
        yield f"saturated: all threads of {word} {places} are busy, {waiting} requests wait"
    for worker in snapshot.workers:
        silence = snapshot.taken - worker.beat
        if worker.state in {"ready", "draining"} and silence > SILENT and should_speak(worker):
            yield f"worker {worker.index} (pid {worker.pid}) is silent for {span(silence)}"
        if worker.lost:
            lost = f"{worker.lost} lost in calls past their time-out"
            yield f"worker {worker.index}: of its threads {lost}"
        reason = report.replacing.get(worker.index) or worker.recycle
        if reason:
            yield f"worker {worker.index} is to be replaced: {shown(reason)}"


def versions(report: Report) -> Iterable[str]:
    """Tell of workers whose version a reload could not give to all of them."""
    found = Counter(each.generation for each in report.snapshot.workers if each.state == "ready")
    if len(found) > 1 and report.generation and report.state != "reloading":
        counts = ", ".join(
            f"{number} ({count} worker{'' if count == 1 else 's'})"
            for number, count in sorted(found.items())
        )
        yield f"a reload was given up; generations that serve: {counts}; reload again"


def should_speak(worker: WorkerSnapshot) -> bool:
    """Whether a worker writes now and then that it is alive.

    One without requests waits for events, and writes nothing; nor does one of a single thread while
    that calls the application.
    """
    has_work = worker.busy or worker.waiting or any(each.request for each in worker.threads)
    return bool(has_work) and worker.seats != 1


# -- tables ---------------------------------------------------------------------------------


def worker_table(
    report: Report,
    workers: Sequence[WorkerSnapshot],
    width: int,
    change: Change | None = None,
) -> list[str]:
    """Return a row for each worker, below the headings.

    :param workers: which ones, in which order.
    :param change: since an earlier report; without it there are sums instead of rates.
    """
    now = report.snapshot.taken

    def column(title: str, texts: Iterable[str], rank: int = 0) -> Column:
        return Column(title, list(texts), right=True, rank=rank)

    columns = [
        column("WORKER", (str(each.index) for each in workers)),
        column("PID", (str(each.pid) for each in workers), 3),
        Column("STATE", [each.state for each in workers]),
        column("SINCE", (span(now - (each.ready or each.born)) for each in workers), 6),
    ]
    if change is None:
        columns.append(column("REQUESTS", (str(each.counters.requests) for each in workers), 2))
    else:
        columns.append(column("REQ/S", (rate(change.rate_of(each)) for each in workers), 1))
    columns += [
        column("BUSY", (f"{each.busy}/{each.seats}" for each in workers)),
        column("QUEUED", (str(each.waiting) for each in workers), 4),
        column("SENDING", (str(each.sending) for each in workers), 8),
        column("CONNS", (str(each.connections) for each in workers), 7),
    ]
    if change is not None:
        columns.append(
            column("CPU", (percent(change.processor_of(each.pid)) for each in workers), 5)
        )
    columns.append(column("MEMORY", (size(report.memory.get(each.pid, 0)) for each in workers), 4))
    return table(columns, width)


def request_table(held: Sequence[Held], width: int) -> list[str]:
    """Return a row for each request, below the headings."""
    return table(
        [
            Column("AGE", [span(each.age) for each in held], right=True),
            Column("STATE", [each.state for each in held], rank=1),
            Column("WORKER", [str(each.worker) for each in held], right=True, rank=2),
            Column("THREAD", [shown(each.thread) or "-" for each in held], rank=3),
            Column("CLIENT", [shown(each.request.peer) or "-" for each in held], rank=4),
            Column("REQUEST", [name_of(each) for each in held]),
        ],
        width,
    )


def name_of(held: Held) -> str:
    """Return method and path; never the query, which may hold what nobody is to see."""
    return f"{shown(held.request.method)} {shown(held.request.path)}"


# -- plain values ---------------------------------------------------------------------------


def as_fields(report: Report) -> dict[str, Any]:
    """Return the report as what JSON can hold.  Times are seconds, sizes bytes."""
    snapshot, total = report.snapshot, report.snapshot.total
    workers = snapshot.workers
    return {
        "server": {
            "pid": snapshot.parent,
            "state": report.state,
            "application": report.application,
            "generation": report.generation,
            "supervised": report.is_supervised,
            "workers_wanted": report.wanted,
            "workers_ready": sum(worker.state == "ready" for worker in workers),
            "uptime": seconds(snapshot.taken - snapshot.born),
            "taken_at": seconds(snapshot.wall),
            "resident_bytes": report.memory.get(snapshot.parent),
        },
        "requests": {
            "total": total.requests,
            "by_status": dict(zip(STATUS_CLASSES, total.statuses, strict=True)),
            "by_outcome": dict(zip(OUTCOMES, total.outcomes, strict=True)),
            "duration": histogram_fields(total.duration),
            "queue": histogram_fields(total.queue),
        },
        "connections": {
            "open": sum(worker.connections for worker in workers),
            "accepted": total.accepted,
            "backlog": max((worker.backlog for worker in workers), default=0),
        },
        "threads": {
            "all": sum(worker.seats for worker in workers),
            "busy": sum(worker.busy for worker in workers),
            "lost": sum(worker.lost for worker in workers),
            "lost_so_far": total.lost_threads,
        },
        "restarts": dict(snapshot.restarts),
        "warnings": list(warnings(report)),
        "workers": [worker_fields(report, worker) for worker in workers],
        "under_way": [held_fields(each) for each in held_requests(snapshot)],
    }


def histogram_fields(took: Histogram) -> dict[str, Any]:
    """Return a histogram; its buckets add up, as Prometheus has them."""
    bounds = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
    return {
        "count": took.count,
        "sum": took.sum,
        **{name: took.quantile(share) for name, share in QUANTILES.items()},
        "buckets": dict(zip(bounds, took.cumulative, strict=True)),
    }


def worker_fields(report: Report, worker: WorkerSnapshot) -> dict[str, Any]:
    """Return one worker."""
    now = report.snapshot.taken
    return {
        "worker": worker.index,
        "pid": worker.pid,
        "state": worker.state,
        "generation": worker.generation,
        "uptime": seconds(now - worker.born),
        "ready_since": seconds(now - worker.ready) if worker.ready else None,
        "silent_for": seconds(now - worker.beat),
        "threads": worker.seats,
        "busy": worker.busy,
        "lost": worker.lost,
        "queued": worker.waiting,
        "sending": worker.sending,
        "connections": worker.connections,
        "requests": worker.counters.requests,
        "replacing": report.replacing.get(worker.index) or worker.recycle or None,
        "resident_bytes": report.memory.get(worker.pid),
        "processor_seconds": report.processor.get(worker.pid),
    }


def held_fields(held: Held) -> dict[str, Any]:
    """Return one request under way."""
    return {
        "worker": held.worker,
        "id": held.request.id,
        "method": held.request.method,
        "path": held.request.path,
        "client": held.request.peer,
        "state": held.state,
        "thread": held.thread or None,
        "age": seconds(held.age),
    }


def seconds(value: float) -> float:
    """Return a duration that is no longer than it is exact."""
    return round(value, 3)
