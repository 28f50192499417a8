"""The places on the board, for those who write: one number or one short record at a time.

See :mod:`stein.server.board` for why nothing is locked.
"""

from __future__ import annotations

import struct
import threading
from typing import TYPE_CHECKING

from stein.clock import monotonic
from stein.server import layout
from stein.snapshot import RESTART_REASONS, WORKER_STATES

if TYPE_CHECKING:
    import mmap
    from collections.abc import Sequence

    from stein.http.exchange import Exchange, RequestLine

__all__ = ["ThreadPlace", "WorkerPlace"]


class WorkerPlace:
    """One worker's place, for the process that has it; the parent may set the state, too.

    Each property is one number in shared memory.
    """

    def __init__(
        self, memory: mmap.mmap, index: int, begin: int, threads: int, extras: int
    ) -> None:
        self.index = index
        self._memory: mmap.mmap | bytearray = memory
        self._begin = begin
        view = memoryview(memory)[begin : begin + layout.NUMBERS_SIZE]
        self._numbers = view.cast("q")
        self._moments = view.cast("d")
        places = [
            begin + layout.WORKER_SIZE + number * layout.THREAD_SIZE
            for number in range(threads + extras)
        ]
        self._lock = threading.Lock()  # guards the free places and those in use
        self._free_threads = places[:threads][::-1]
        self._free_extras = places[threads:][::-1]
        self._used: set[ThreadPlace] = set()

    def leave(self) -> None:
        """Write nothing on the board from here on; what anybody still writes is seen by nobody."""
        with self._lock:
            used, self._used = self._used, set()
            self._free_threads, self._free_extras = [], []
        views = self._numbers, self._moments
        self._begin, self._memory = 0, bytearray(layout.WORKER_SIZE)
        self._numbers = memoryview(self._memory).cast("q")
        self._moments = memoryview(self._memory).cast("d")
        for place in used:
            place.leave_board()
        for view in views:
            view.release()

    def begin(self, pid: int, *, seats: int, generation: int = 0) -> None:
        """Take the place: the worker exists, and is booting."""
        self._numbers[layout.PID] = pid
        self._numbers[layout.GENERATION] = generation
        self._numbers[layout.SEATS] = seats
        self._moments[layout.BORN] = self._moments[layout.BEAT] = monotonic()
        self._numbers[layout.STATE] = WORKER_STATES.index("booting")

    @property
    def state(self) -> str:
        """One of :data:`WORKER_STATES`."""
        return WORKER_STATES[self._numbers[layout.STATE]]

    @state.setter
    def state(self, state: str) -> None:
        if state == "ready" and not self._moments[layout.READY]:
            self._moments[layout.READY] = monotonic()
        self._numbers[layout.STATE] = WORKER_STATES.index(state)

    @property
    def recycle(self) -> str:
        """Why the worker asks to be replaced, or ""."""
        number = self._numbers[layout.RECYCLE]
        return RESTART_REASONS[number] if number else ""

    @recycle.setter
    def recycle(self, reason: str) -> None:
        self._numbers[layout.RECYCLE] = RESTART_REASONS.index(reason)

    @property
    def serves(self) -> bool:
        """Whether a worker is there and takes connections."""
        return self._numbers[layout.STATE] == layout.SERVING

    @property
    def has_free_seat(self) -> bool:
        """Whether a further call would run at once."""
        numbers = self._numbers
        return numbers[layout.BUSY] < numbers[layout.SEATS] and not numbers[layout.WAITING]

    @property
    def waiting(self) -> int:
        """How many calls wait for a seat."""
        return self._numbers[layout.WAITING]

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._numbers[layout.CONNECTIONS]

    def set_busy(self, seats: int) -> None:
        """How many seats are taken by calls."""
        self._numbers[layout.BUSY] = seats

    def set_waiting(self, count: int) -> None:
        """How many calls wait for a seat."""
        self._numbers[layout.WAITING] = count

    def set_sending(self, count: int) -> None:
        """How many responses wait for a slow client."""
        self._numbers[layout.SENDING] = count

    def note_peer(self, connection: int, peer: str) -> None:
        """Whose connection that is."""
        layout.PEER.pack_into(
            self._memory, layout.peer_at(self._begin, connection), connection, peer.encode()
        )

    def set_connections(self, count: int) -> None:
        """How many connections are open."""
        self._numbers[layout.CONNECTIONS] = count

    def set_backlog(self, count: int) -> None:
        """How many connections wait to be accepted."""
        self._numbers[layout.BACKLOG] = count

    def set_lost(self, count: int) -> None:
        """How many threads are lost at present."""
        self._numbers[layout.LOST] = count

    def beat(self, now: float) -> None:
        """The worker is alive."""
        self._moments[layout.BEAT] = now

    def publish(self, counters: Sequence[int], sums: tuple[float, float], times: int) -> None:
        """Write what was counted: one number for each, in the order of :class:`Counters`.

        :param times: another number each time.
        """
        layout.COUNTED.pack_into(
            self._memory, self._begin + layout.COUNTERS, times, *counters, *sums, times
        )

    def thread(self, name: str) -> ThreadPlace:
        """A place for the calling thread; one that nobody sees, if all are taken.

        Any thread, and so is :meth:`extra`.
        """
        place = self._place(self._free_threads)
        place.take(layout.THREAD, name, threading.get_native_id())
        return place

    def extra(self, state: str) -> ThreadPlace:
        """A place for a request that no thread holds; one that nobody sees, if all are taken.

        :param state: ``waiting`` or ``sending``.
        """
        place = self._place(self._free_extras)
        place.take(layout.WAITS if state == "waiting" else layout.SENDS, "", 0)
        return place

    def _place(self, free: list[int]) -> ThreadPlace:
        with self._lock:
            if not free:
                return ThreadPlace(self, memoryview(bytearray(layout.THREAD_SIZE)), 0, free)
            offset = free.pop()
            memory = memoryview(self._memory)[offset : offset + layout.THREAD_SIZE]
            place = ThreadPlace(self, memory, offset, free)
            self._used.add(place)
            return place

    def take_back(self, place: ThreadPlace) -> None:
        """A place is not used any more."""
        with self._lock:
            if place in self._used:
                self._used.discard(place)
                place.since[0] = 0.0
                place.take(layout.UNUSED, "", 0)
                place.leave_board()
                place.others.append(place.offset)


class ThreadPlace:
    """A place for one request: that of a thread, or of a request that no thread holds.

    To enter is to :meth:`describe` the request line, if it is another object than :attr:`line`,
    and to write the numbers of the connection and of the request into :attr:`ids`, and then the
    moment into :attr:`since`.  To leave is to write 0.0 there.  :class:`~stein.server.call.Call`
    does it in place; :meth:`enter` and :meth:`leave` are for whoever has the time.

    :param owner: the worker's.
    :param memory: what is written into.
    :param offset: where on the board that is.
    :param others: the offsets of free places of the kind.
    """

    __slots__ = ("ids", "line", "memory", "offset", "others", "owner", "since")

    def __init__(
        self, owner: WorkerPlace, memory: memoryview, offset: int, others: list[int]
    ) -> None:
        self.owner = owner
        self.offset = offset
        self.others = others
        self.memory = memory
        self.since = memory[:8].cast("d")
        self.ids = memory[8:24].cast("q")
        self.line: RequestLine | None = None  #: the one whose text stands here

    def take(self, role: int, name: str, native_id: int) -> None:
        """Begin to use the place."""
        struct.pack_into(
            f"@qq{layout.LONGEST_NAME}s", self.memory, layout.ROLE, role, native_id, name.encode()
        )

    def describe(self, line: RequestLine) -> None:
        """Write a request line; the place must be left at the moment."""
        self.since[0] = 0.0
        self.line = line
        self.ids[0] = 0
        text = f"{line[0]} {line[1]} {line[4]}".encode("utf-8", "replace")[: layout.LONGEST_LINE]
        struct.pack_into(f"@q{len(text)}s", self.memory, layout.LINE_SIZE, len(text), text)

    def enter(self, exchange: Exchange, since: float) -> None:
        """From now on the place holds this request."""
        self.since[0] = 0.0
        if exchange.line is not self.line:
            self.describe(exchange.line)
        self.identify(exchange)
        self.since[0] = since

    def identify(self, exchange: Exchange) -> None:
        """Write which request of which connection the place holds, or is about to hold."""
        self.ids[0] = exchange.connection.id
        self.ids[1] = exchange.number

    def leave(self) -> None:
        """The place holds no request any more."""
        self.since[0] = 0.0

    def mark_lost(self, lost: bool) -> None:  # noqa: FBT001 - said of the thread
        """The thread is lost, or has come back.  Any thread."""
        role = layout.LOST_THREAD if lost else layout.THREAD
        struct.pack_into("@q", self.memory, layout.ROLE, role)

    def free(self) -> None:
        """Give the place back; whoever writes into it afterwards is seen by nobody."""
        self.owner.take_back(self)

    def leave_board(self) -> None:
        """From here on nobody sees what is written."""
        views = self.since, self.ids, self.memory
        self.memory = memoryview(bytearray(layout.THREAD_SIZE))
        self.ids = self.memory[8:24].cast("q")
        self.since = self.memory[:8].cast("d")
        for view in views:
            view.release()
