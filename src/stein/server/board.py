"""The board: what every worker and every thread is doing, in memory that all processes share.

Facts.
    Whoever asks what a server is doing must not have to ask the worker itself, which may be stuck,
    or dead.  But a short request costs nine microseconds, so telling may cost a tenth of one.
Decision.
    One piece of shared memory (an anonymous file, inherited by its descriptor), with a *place* for
    each worker process and, inside it, one for each thread and each request that no thread holds.
    Every place has one writer at a time, so nothing is ever locked.

    - A thread writes what it calls the application for: three numbers when it enters, one when it
      leaves.  The text of the request line is written only when it is another one than last time;
      the client's address stands in a table of the last connections, written when it came.
    - What is counted is counted in the process and copied here ten times a second, see
      :mod:`stein.server.tally`.
    - Worker states, seats and queues are single numbers, written when they change.
Danger.
    A reader may look while a writer writes.  The moment of entering serves as a sequence number: it
    is 0.0 while anything else of the record is written, and never twice the same, so two looks that
    find the same have found what belongs together, and a writer that is killed in the middle holds
    nothing.  Counters begin and end with how often they were published.
Price.
    Half a kilobyte per thread and 56 per worker.  Counters of the last tenth of a second die with a
    process that is killed; what it held does not.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from stein.clock import monotonic, wall
from stein.errors import ConfigurationError
from stein.server import layout
from stein.server.neighbours import Neighbours
from stein.server.places import WorkerPlace
from stein.snapshot import (
    OUTCOMES,
    RESTART_REASONS,
    WORKER_STATES,
    Counters,
    HeldRequest,
    Histogram,
    Snapshot,
    ThreadSnapshot,
    WorkerSnapshot,
)

if TYPE_CHECKING:
    from stein.server.settings import Settings

__all__ = ["Board"]

_NAME: Final = "stein-board"
_MAGIC: Final = 0x31_64_72_61_6F_42_74_53  # "StBoard1" in memory: the layout's version
_LOOKS: Final = 50  # at a record that is being written, before it is given up as torn


class Board:
    """Shared memory with a place for every worker and thread.

    The parent makes one with :meth:`create` and hands :attr:`fd` to its workers; they, and whoever
    wants to look, :meth:`attach`.  Readers call :meth:`read`.

    Threads: any may read.  A place has the writer that was given it.
    """

    def __init__(self, memory: mmap.mmap, fd: int) -> None:
        #: the descriptor of the shared memory; not inheritable until told to be
        self.fd = fd
        self._memory = memory
        magic, size, workers, threads, extras, self.parent, self.born = layout.HEADER.unpack_from(
            memory
        )
        if magic != _MAGIC or size != len(memory):
            message = "this memory is no board of this version of stein"
            raise ConfigurationError(message)
        self.workers: int = workers  #: for how many processes there is space
        self.threads: int = threads  #: for how many threads of each
        self.extras: int = extras  #: for how many requests of each that no thread holds
        self._step = layout.WORKER_SIZE + (threads + extras) * layout.THREAD_SIZE
        self._departing = threading.Lock()  # guards the counters of those that are no more

    # -- making one ---------------------------------------------------------------------------

    @classmethod
    def create(cls, *, workers: int, threads: int, extras: int = 48) -> Self:
        """Make a board.

        :param workers: how many processes there may be at once, those that are being replaced
            included.
        :param threads: how many threads each may have.
        :param extras: how many requests of each, that wait or are being sent, are named.
        """
        size = layout.HEADER_SIZE + workers * (
            layout.WORKER_SIZE + (threads + extras) * layout.THREAD_SIZE
        )
        fd = _anonymous_file(size)
        memory = mmap.mmap(fd, size)
        layout.HEADER.pack_into(
            memory, 0, _MAGIC, size, workers, threads, extras, os.getpid(), monotonic()
        )
        return cls(memory, fd)

    @classmethod
    def for_settings(cls, settings: Settings, workers: int) -> Self:
        """Make a board for processes with these settings.

        :param workers: how many processes there may be at once.
        """
        # One thread leads beside those with a seat, and as many may be lost as have one.
        threads = 1 if settings.threads == 1 else 2 * settings.threads + 1
        return cls.create(workers=workers, threads=threads)

    @classmethod
    def attach(cls, fd: int) -> Self:
        """Take part in the board behind an inherited descriptor.

        :raises ConfigurationError: there is no board behind it.
        """
        return cls(_map(fd, mmap.PROT_READ | mmap.PROT_WRITE), fd)

    @classmethod
    def of_process(cls, pid: int) -> Self:
        """Look at the board that another process of the same user has.

        Linux only.  What comes is for reading.

        :param pid: a parent, a worker, or a server without workers.
        :raises ConfigurationError: it has none, or may not be looked at.
        """
        try:
            links = list(Path(f"/proc/{pid}/fd").iterdir())
        except OSError as error:
            message = f"process {pid} cannot be looked at: {error.strerror}"
            raise ConfigurationError(message) from None
        for link in links:
            with contextlib.suppress(OSError):  # closed in between, or a board made before
                if str(link.readlink()).startswith(f"/memfd:{_NAME}"):
                    fd = os.open(link, os.O_RDONLY | os.O_CLOEXEC)
                    return cls(_map(fd, mmap.PROT_READ), fd)
        message = f"process {pid} has no board: it is no server of stein, or has just begun"
        raise ConfigurationError(message)

    def close(self) -> None:
        """Give descriptor and memory back; places of this process are to be left before."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)
            with contextlib.suppress(BufferError):  # somebody has not left; it goes with them
                self._memory.close()

    # -- writing ------------------------------------------------------------------------------

    @property
    def application(self) -> str:
        """What is served, as on a command line; empty if nobody has said it."""
        (size,) = struct.unpack_from("@q", self._memory, layout.APPLICATION)
        begin = layout.APPLICATION + 8
        return self._memory[begin : begin + size].decode("utf-8", "ignore")

    @application.setter
    def application(self, name: str) -> None:
        text = name.encode("utf-8", "replace")[: layout.LONGEST_APPLICATION]
        struct.pack_into(f"@q{len(text)}s", self._memory, layout.APPLICATION, len(text), text)

    def worker(self, index: int) -> WorkerPlace:
        """The place of one worker, to write into.

        :param index: from 0.
        :raises IndexError: there is no such place.
        """
        if not 0 <= index < self.workers:
            message = f"no place {index}: this board has space for {self.workers} workers"
            raise IndexError(message)
        return WorkerPlace(
            self._memory, index, layout.HEADER_SIZE + index * self._step, self.threads, self.extras
        )

    def neighbours_of(self, place: WorkerPlace) -> Neighbours | None:
        """What a worker sees of the others; ``None`` if there is no place for others."""
        others = [self.worker(index) for index in range(self.workers) if index != place.index]
        return Neighbours(others) if others else None

    def retire(self, index: int, reason: str = "") -> WorkerSnapshot:
        """Free the place of a worker that has ended, keeping what it counted.  The parent.

        :param reason: counted among the restarts, unless empty; see :data:`RESTART_REASONS`.
        :return: what the place said last: what the worker held when it ended.
        """
        last = self.read_worker(index)
        with self._departing:
            # A reader in between would count the worker twice, or not at all.
            turn = self._retiring() | 1
            struct.pack_into("@q", self._memory, layout.RETIRING, turn)
            total = self._read_counters(layout.DEPARTED) + last.counters
            _write_counters(self._memory, layout.DEPARTED, total)
            begin = layout.HEADER_SIZE + index * self._step
            self._memory[begin : begin + self._step] = bytes(self._step)
            struct.pack_into("@q", self._memory, layout.RETIRING, turn + 1)
        if reason:
            self.count_restart(reason)
        return last

    def count_restart(self, reason: str) -> None:
        """Count a worker that was replaced or ended.  The parent.

        :param reason: one of :data:`RESTART_REASONS`; any other is counted as "other".
        """
        number = RESTART_REASONS.index(reason) if reason in RESTART_REASONS else 0
        with self._departing:
            offset = layout.RESTARTS + 8 * number
            (count,) = struct.unpack_from("@q", self._memory, offset)
            struct.pack_into("@q", self._memory, offset, count + 1)

    # -- reading ------------------------------------------------------------------------------

    def read(self) -> Snapshot:
        """All that is on the board, now."""
        turn, snapshot = self._retiring(), self._look()
        for _ in range(_LOOKS):
            again = self._retiring()
            if turn == again and not turn % 2:
                break
            turn, snapshot = again, self._look()
        return snapshot

    def _retiring(self) -> int:
        (turn,) = struct.unpack_from("@q", self._memory, layout.RETIRING)
        return int(turn)

    def _look(self) -> Snapshot:
        workers = (self.read_worker(index) for index in range(self.workers))
        restarts = struct.unpack_from(f"@{len(RESTART_REASONS)}q", self._memory, layout.RESTARTS)
        return Snapshot(
            taken=monotonic(),
            wall=wall(),
            parent=self.parent,
            born=self.born,
            capacity=self.workers,
            workers=tuple(each for each in workers if each.state != "free"),
            departed=self._read_counters(layout.DEPARTED),
            restarts=dict(zip(RESTART_REASONS, restarts, strict=True)),
        )

    def read_worker(self, index: int) -> WorkerSnapshot:
        """What is on one worker's place, now."""
        begin = layout.HEADER_SIZE + index * self._step
        memory = self._memory
        numbers = layout.SINGLES.unpack_from(memory, begin)
        if not numbers[layout.STATE]:
            return WorkerSnapshot(index)
        places = range(begin + layout.WORKER_SIZE, begin + self._step, layout.THREAD_SIZE)
        threads = (
            self._read_thread(begin, number, offset)
            for number, offset in enumerate(places[: self.threads])
        )
        held = (self._read_queued(begin, offset) for offset in places[self.threads :])
        return WorkerSnapshot(
            index=index,
            pid=numbers[layout.PID],
            generation=numbers[layout.GENERATION],
            state=WORKER_STATES[numbers[layout.STATE]],
            born=numbers[layout.BORN],
            ready=numbers[layout.READY],
            beat=numbers[layout.BEAT],
            seats=numbers[layout.SEATS],
            busy=numbers[layout.BUSY],
            waiting=numbers[layout.WAITING],
            sending=numbers[layout.SENDING],
            connections=numbers[layout.CONNECTIONS],
            backlog=numbers[layout.BACKLOG],
            lost=numbers[layout.LOST],
            recycle=RESTART_REASONS[numbers[layout.RECYCLE]] if numbers[layout.RECYCLE] else "",
            counters=self._read_counters(begin + layout.COUNTERS),
            threads=tuple(each for each in threads if each is not None),
            held=tuple(each for each in held if each is not None),
        )

    def _read_thread(self, begin: int, number: int, offset: int) -> ThreadSnapshot | None:
        # PERF: there may be thousands of places, of which most were never used.
        if not self._is_used(offset):
            return None
        record = self._read_record(offset)
        role, native_id = struct.unpack_from("@qq", record, layout.ROLE)
        if role not in {layout.THREAD, layout.LOST_THREAD}:
            return None
        request = self._held(begin, record, "running")
        state = "lost" if role == layout.LOST_THREAD else "busy" if request is not None else "idle"
        name = (
            record[layout.THREAD_NAME : layout.LINE_SIZE].rstrip(b"\0").decode("utf-8", "replace")
        )
        return ThreadSnapshot(number, name, native_id, state, request)

    def _read_queued(self, begin: int, offset: int) -> HeldRequest | None:
        if not self._is_used(offset):
            return None
        record = self._read_record(offset)
        (role,) = struct.unpack_from("@q", record, layout.ROLE)
        state = layout.HELD_STATES.get(role)
        return self._held(begin, record, state) if state is not None else None

    def _is_used(self, offset: int) -> bool:
        (role,) = struct.unpack_from("@q", self._memory, offset + layout.ROLE)
        return role != layout.UNUSED  # type: ignore[no-any-return]

    def _read_record(self, offset: int) -> bytes:
        """A thread's place, not in the middle of being written."""
        memory, end = self._memory, offset + layout.THREAD_SIZE
        record = memory[offset:end]
        for _ in range(_LOOKS):
            before, record = record, memory[offset:end]
            if record == before:
                break
        return record

    def _held(self, begin: int, record: bytes, state: str) -> HeldRequest | None:
        """The request of a thread's place, if there is one."""
        since, connection, number = layout.HELD.unpack_from(record)
        if not since:
            return None
        (size,) = struct.unpack_from("@q", record, layout.LINE_SIZE)
        text = record[layout.LINE : layout.LINE + size].decode("utf-8", "replace")
        method, _, rest = text.partition(" ")
        if size < layout.LONGEST_LINE:
            target, _, protocol = rest.rpartition(" ")
        else:  # cut off somewhere
            target, protocol = rest, ""
        whose, peer = layout.PEER.unpack_from(self._memory, layout.peer_at(begin, connection))
        name = peer.rstrip(b"\0").decode("utf-8", "replace") if whose == connection else ""
        return HeldRequest(method, target, protocol, name, connection, number, since, state)

    def _read_counters(self, offset: int) -> Counters:
        memory, end = self._memory, offset + layout.COUNTED.size
        numbers = layout.COUNTED.unpack_from(memory, offset)
        for _ in range(_LOOKS):
            again = memory[offset:end]
            if numbers[0] == numbers[-1] and again == layout.COUNTED.pack(*numbers):
                break
            numbers = layout.COUNTED.unpack(again)
        counts = numbers[1 : 1 + layout.NUMBERS]
        outcomes = layout.STATUSES + len(OUTCOMES)
        histograms = outcomes + 2
        return Counters(
            statuses=counts[: layout.STATUSES],
            outcomes=counts[layout.STATUSES : outcomes],
            accepted=counts[outcomes],
            lost_threads=counts[outcomes + 1],
            duration=Histogram(counts[histograms : histograms + layout.BUCKETS], numbers[-3]),
            queue=Histogram(counts[histograms + layout.BUCKETS :], numbers[-2]),
        )


def _anonymous_file(size: int) -> int:
    """A descriptor of memory that has no name and is not inherited unless asked for."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create(_NAME, os.MFD_CLOEXEC)
    else:
        import tempfile  # noqa: PLC0415 - Linux has no need of it

        with tempfile.TemporaryFile(prefix=_NAME) as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd


def _map(fd: int, protection: int) -> mmap.mmap:
    try:
        size = os.fstat(fd).st_size
        if size < layout.HEADER_SIZE:
            message = f"descriptor {fd} leads to no board: it has {size} bytes"
            raise ConfigurationError(message)
        return mmap.mmap(fd, size, prot=protection)
    except OSError as error:
        message = f"descriptor {fd} leads to no board: {error.strerror}"
        raise ConfigurationError(message) from error


def _write_counters(memory: mmap.mmap, offset: int, total: Counters) -> None:
    (times,) = struct.unpack_from("@q", memory, offset)
    layout.COUNTED.pack_into(
        memory,
        offset,
        times + 1,
        *total.statuses,
        *total.outcomes,
        total.accepted,
        total.lost_threads,
        *total.duration.counts,
        *total.queue.counts,
        total.duration.sum,
        total.queue.sum,
        times + 1,
    )
