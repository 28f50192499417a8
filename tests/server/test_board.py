"""The board: what is written on one side is read on the other, or known to be torn."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.clock import monotonic
from stein.errors import ConfigurationError
from stein.http.exchange import Exchange, RequestLine
from stein.observe.accesslog import OUTCOMES as LOGGED_OUTCOMES
from stein.server import Settings, layout, places
from stein.server.board import Board
from stein.snapshot import BOUNDS, OUTCOMES, Counters, Histogram, add_up

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    from stein.server.places import ThreadPlace
    from stein.snapshot import HeldRequest, WorkerSnapshot

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize("name", ["shop:app", "größe:app", "x" * 1000, ""])
def test_the_board_tells_what_is_served(board: Board, name: str) -> None:
    assert board.application == ""
    board.application = name
    other = Board.attach(os.dup(board.fd))
    assert other.application == name[:512]
    assert other.read().restarts == board.read().restarts
    other.close()


@pytest.fixture
def board() -> Iterator[Board]:
    made = Board.create(workers=3, threads=2, extras=2)
    yield made
    made.close()


def line(target: str = "/", method: str = "GET") -> RequestLine:
    path, _, query = target.partition("?")
    return RequestLine(method, target, path, query, "HTTP/1.1")


class Peer:
    """As much of a connection as the board wants to know."""

    def __init__(self, number: int) -> None:
        self.id = number


def asked(
    what: str | RequestLine = "/", method: str = "GET", connection: int = 1, number: int = 1
) -> Exchange:
    made = Exchange(line(what, method) if isinstance(what, str) else what, {})
    made.connection = Peer(connection)
    made.number = number
    return made


def numbers(first: int = 0) -> list[int]:
    """A different number for everything that is counted."""
    return list(range(first, first + 6 + len(OUTCOMES) + 2 + 2 * (len(BOUNDS) + 1)))


def test_a_new_board_has_space_and_no_worker(board: Board) -> None:
    snapshot = board.read()
    assert snapshot.workers == ()
    assert snapshot.capacity == 3
    assert snapshot.parent == os.getpid()
    assert snapshot.born <= snapshot.taken <= monotonic()
    assert snapshot.total == Counters()
    assert set(snapshot.restarts.values()) == {0}


def test_a_worker_that_begins_is_booting_until_it_says_that_it_is_ready(board: Board) -> None:
    place = board.worker(1)
    place.begin(4711, seats=16, generation=3)
    (worker,) = board.read().workers
    assert (worker.index, worker.pid, worker.generation) == (1, 4711, 3)
    assert (worker.state, worker.ready, worker.seats, worker.free) == ("booting", 0.0, 16, 16)
    assert worker.born == worker.beat > 0.0
    place.state = "ready"
    since = board.read_worker(1).ready
    assert since >= worker.born
    place.state = "draining"
    place.state = "ready"
    assert board.read_worker(1).ready == since
    assert place.state == board.read_worker(1).state == "ready"


def test_there_is_no_place_beyond_the_capacity(board: Board) -> None:
    with pytest.raises(IndexError, match="space for 3 workers"):
        board.worker(3)
    with pytest.raises(IndexError):
        board.worker(-1)


def test_what_is_said_in_single_numbers_is_read_as_it_was_said(board: Board) -> None:
    place = board.worker(0)
    place.begin(1, seats=4)
    place.set_busy(1)
    place.set_waiting(2)
    place.set_sending(3)
    place.set_connections(4)
    place.set_backlog(5)
    place.set_lost(6)
    place.beat(7.5)
    place.recycle = "lost_threads"
    worker = board.read_worker(0)
    assert (worker.busy, worker.waiting, worker.sending, worker.connections) == (1, 2, 3, 4)
    assert (worker.backlog, worker.lost, worker.beat) == (5, 6, 7.5)
    assert worker.recycle == place.recycle == "lost_threads"
    assert worker.saturated
    assert worker.free == 3
    place.recycle = "other"
    assert board.read_worker(0).recycle == place.recycle == ""


def test_a_thread_is_busy_with_what_it_entered_until_it_leaves(board: Board) -> None:
    worker = board.worker(0)
    worker.begin(1, seats=2)
    thread = worker.thread("stein-1")
    (seen,) = board.read_worker(0).threads
    assert (seen.name, seen.state, seen.request) == ("stein-1", "idle", None)
    assert seen.native_id == threading.get_native_id()
    worker.note_peer(30, "192.0.2.1")
    thread.enter(asked("/report?year=7", "POST", 30, 4), 12.5)
    (seen,) = board.read_worker(0).threads
    held = seen.request
    assert seen.state == "busy"
    assert held is not None
    assert (held.method, held.target, held.path) == ("POST", "/report?year=7", "/report")
    assert (held.protocol, held.peer, held.since) == ("HTTP/1.1", "192.0.2.1", 12.5)
    assert (held.connection, held.number, held.id) == (30, 4, "30-4")
    assert board.read_worker(0).requests == (held,)
    thread.leave()
    assert board.read_worker(0).threads[0].state == "idle"


def test_a_line_is_written_again_only_if_it_is_another_one(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = board.worker(0)
    worker.begin(1, seats=2)
    thread = worker.thread("stein-1")
    written = []
    describe = places.ThreadPlace.describe

    def count(place: ThreadPlace, line: RequestLine) -> None:
        written.append(line.target)
        describe(place, line)

    monkeypatch.setattr(places.ThreadPlace, "describe", count)
    first, second = line("/1"), line("/2")
    for moment, each in enumerate([first, first, second, second, first], start=1):
        thread.enter(asked(each), float(moment))
        assert busy_with(board).target == each.target
        thread.leave()
    assert written == ["/1", "/2", "/1"]


def busy_with(board: Board) -> HeldRequest:
    request = board.read_worker(0).threads[0].request
    assert request is not None
    return request


@given(st.text(), st.text(min_size=1).filter(lambda text: " " not in text))
def test_any_line_can_stand_on_the_board(target: str, method: str) -> None:
    board = Board.create(workers=1, threads=1, extras=0)
    worker = board.worker(0)
    worker.begin(1, seats=1)
    worker.thread("stein-1").enter(asked(target, method), 1.0)
    held = busy_with(board)
    assert held.method.startswith(method[:20].encode("utf-8", "replace").decode()[:10])
    board.close()


def test_a_line_that_is_too_long_is_cut(board: Board) -> None:
    worker = board.worker(0)
    worker.begin(1, seats=1)
    worker.note_peer(1, "y" * 300)
    worker.thread("stein-1").enter(asked("/" + "x" * 9000), 1.0)
    held = busy_with(board)
    assert held.target.startswith("/xxxx")
    assert 400 < len(held.target) < 500
    assert held.protocol == ""
    assert held.peer == "y" * 48


def test_a_lost_thread_is_shown_as_lost_and_its_request_is_nobodys(board: Board) -> None:
    worker = board.worker(0)
    worker.begin(1, seats=1)
    thread = worker.thread("stein-1")
    thread.enter(asked("/stuck"), 1.0)
    thread.mark_lost(True)
    (seen,) = board.read_worker(0).threads
    assert seen.state == "lost"
    assert seen.request is not None
    assert board.read_worker(0).requests == ()
    thread.mark_lost(False)
    assert board.read_worker(0).threads[0].state == "busy"


def test_requests_that_no_thread_holds_are_named_as_far_as_there_is_space(board: Board) -> None:
    worker = board.worker(0)
    worker.begin(1, seats=1)
    states = ("waiting", "sending", "waiting")
    places = [worker.extra(state) for state in states]  # noqa: S610 - no QuerySet
    for number, place in enumerate(places):
        place.enter(asked(f"/{number}"), 1.0)
    held = board.read_worker(0).held
    assert {(each.path, each.state) for each in held} == {("/0", "waiting"), ("/1", "sending")}
    places[0].free()
    places[0].enter(asked("/nobody"), 1.0)  # hurts nobody
    places[0].free()
    assert [each.path for each in board.read_worker(0).held] == ["/1"]
    places[2].free()
    worker.extra("sending").enter(asked("/3"), 1.0)  # noqa: S610 - no QuerySet
    assert {each.path for each in board.read_worker(0).requests} == {"/1", "/3"}


def test_a_thread_without_a_place_is_unseen_and_unharmed(board: Board) -> None:
    worker = board.worker(0)
    worker.begin(1, seats=1)
    threads = [worker.thread(f"stein-{number}") for number in range(3)]
    for each in threads:
        each.enter(asked(), 1.0)
    assert [each.name for each in board.read_worker(0).threads] == ["stein-0", "stein-1"]
    threads[0].free()
    worker.thread("stein-3")
    assert [each.name for each in board.read_worker(0).threads] == ["stein-3", "stein-1"]


def test_counters_are_read_as_they_were_published(board: Board) -> None:
    place = board.worker(2)
    place.begin(1, seats=1)
    place.publish(numbers(), (1.5, 2.5), 1)
    counters = board.read_worker(2).counters
    assert counters.statuses == tuple(range(6))
    assert counters.outcome("ok") == 6
    assert counters.requests == sum(range(6, 6 + len(OUTCOMES)))
    assert counters.accepted == 6 + len(OUTCOMES)
    assert counters.lost_threads == counters.accepted + 1
    assert counters.duration.counts[0] == counters.lost_threads + 1
    assert counters.duration.sum == 1.5
    assert counters.queue.counts[-1] == numbers()[-1]
    assert counters.queue.sum == 2.5


def test_what_a_worker_counted_outlives_it(board: Board) -> None:
    for count in (1, 2):
        place = board.worker(0)
        place.begin(count, seats=1)
        place.publish(numbers(), (1.0, 1.0), count)
        place.thread("stein-1").enter(asked("/held"), 1.0)
        last = board.retire(0, "max_rss")
        assert last.pid == count
        assert [each.path for each in last.requests] == ["/held"]
    board.retire(0)  # was free
    snapshot = board.read()
    assert snapshot.workers == ()
    assert snapshot.restarts["max_rss"] == 2
    assert snapshot.departed.duration.sum == 2.0
    assert snapshot.total.outcome("ok") == 2 * 6
    board.worker(0).begin(3, seats=1)
    assert board.read_worker(0).threads == ()
    assert board.read().total.outcome("ok") == 2 * 6


def test_a_worker_that_leaves_during_a_look_is_counted_once(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = board.worker(0)
    place.begin(1, seats=1)
    place.publish(numbers(), (1.0, 1.0), 1)
    look_at = Board.read_worker
    waiting = [0]

    def interrupted(self: Board, index: int) -> WorkerSnapshot:
        found = look_at(self, index)
        if index in waiting:
            waiting.remove(index)
            self.retire(index)
        return found

    monkeypatch.setattr(Board, "read_worker", interrupted)
    assert board.read().total.outcome("ok") == 6
    assert board.read().workers == ()


def test_a_parent_that_was_killed_in_the_middle_of_it_leaves_a_board_to_be_read(
    board: Board,
) -> None:
    struct.pack_into("@q", board._memory, layout.RETIRING, 7)
    board.worker(0).begin(4711, seats=1)
    assert board.read().workers[0].pid == 4711
    board.retire(0)
    assert board.read().workers == ()


def test_a_reason_that_has_no_name_is_counted_as_other(board: Board) -> None:
    board.count_restart("boredom")
    board.count_restart("oom")
    assert board.read().restarts["other"] == 1
    assert board.read().restarts["oom"] == 1


def test_another_process_writes_what_this_one_reads(board: Board) -> None:
    program = (
        "import sys\n"
        "from stein.server.board import Board\n"
        "from tests.server.test_board import asked\n"
        "place = Board.attach(int(sys.argv[1])).worker(0)\n"
        "place.begin(77, seats=1)\n"
        "place.thread('stein-1').enter(asked('/there'), 1.0)\n"
    )
    command = [sys.executable, "-c", program, str(board.fd)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(command, pass_fds=[board.fd], check=True, timeout=30, env=environ)
    assert board.read_worker(0).pid == 77
    assert busy_with(board).path == "/there"


@on_linux
def test_the_board_of_a_process_is_found_by_its_number(board: Board) -> None:
    board.worker(0).begin(88, seats=1)
    found = Board.of_process(os.getpid())
    assert found.workers in {3, 1}  # of another server in this process, perhaps
    found.close()
    found.close()
    with pytest.raises(ConfigurationError, match="process 1073741823 cannot be looked at"):
        Board.of_process(2**30 - 1)


@on_linux
def test_a_process_without_a_board_is_named() -> None:
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process,
        pytest.raises(ConfigurationError, match=f"process {process.pid} has no board"),
    ):
        Board.of_process(process.pid)


def test_what_is_no_board_is_refused(board: Board) -> None:
    with (
        open(os.devnull, "rb") as file,  # noqa: PTH123 - a descriptor is wanted
        pytest.raises(ConfigurationError, match="no board"),
    ):
        Board.attach(file.fileno())
    with pytest.raises(ConfigurationError, match="no board"):
        Board.attach(-1)
    struct.pack_into("@q", board._memory, 0, 0)
    with pytest.raises(ConfigurationError, match="no board of this version"):
        Board.attach(board.fd)


def test_without_memfd_a_file_without_a_name_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    board = Board.create(workers=1, threads=1)
    board.worker(0).begin(9, seats=1)
    again = Board.attach(board.fd)
    assert again.read_worker(0).pid == 9
    board.close()


def test_for_settings_there_is_space_for_the_leader_and_for_lost_threads() -> None:
    board = Board.for_settings(Settings(threads=4), workers=2)
    assert (board.workers, board.threads) == (2, 9)
    board.close()
    board = Board.for_settings(Settings(threads=1), workers=1)
    assert board.threads == 1
    board.close()


# -- torn records -----------------------------------------------------------------------------


class Torn:
    """Memory that is written between the first looks at a record."""

    def __init__(self, memory: mmap.mmap, thread: ThreadPlace, moments: list[float]) -> None:
        self._memory = memory
        self._thread = thread
        self._moments = moments

    def __getitem__(self, part: slice) -> bytes:
        record = self._memory[part]
        if part.start == self._thread.offset and self._moments:
            self._thread.enter(asked(f"/at/{self._moments[0]}"), self._moments.pop(0))
            return record[:40] + self._memory[part][40:]  # the front is old, the text is new
        return record

    def __len__(self) -> int:
        return len(self._memory)


@pytest.mark.parametrize("looks", [1, 2, 7])
def test_a_record_in_the_making_is_looked_at_again(board: Board, looks: int) -> None:
    worker = board.worker(0)
    worker.begin(1, seats=1)
    thread = worker.thread("stein-1")
    thread.enter(asked("/at/0.5"), 0.5)
    real = board._memory
    moments = [float(number) for number in range(1, looks + 1)]
    board._memory = Torn(real, thread, moments)  # type: ignore[assignment]
    record = board._read_record(thread.offset)
    board._memory = real
    (since,) = struct.unpack_from("@d", record)
    assert since == float(looks)
    assert f"/at/{since} ".encode() in record


def test_readers_never_see_one_request_with_the_marks_of_another(board: Board) -> None:
    """One thread writes as fast as it can, with text and numbers that belong together."""
    worker = board.worker(0)
    worker.begin(1, seats=1)
    thread = worker.thread("stein-1")
    lines = [line(f"/{number}" * (number + 1)) for number in range(3)]
    enough = threading.Event()

    def write() -> None:
        moment = 1
        while not enough.is_set():
            for number, each in enumerate(lines):
                moment += 1
                thread.enter(asked(each, "GET", number, moment), float(moment))
                thread.leave()

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    try:
        while seen < 300:
            request = board.read_worker(0).threads[0].request
            if request is None:
                continue
            seen += 1
            assert request.target == lines[request.connection].target
            assert request.since == float(request.number)
    finally:
        enough.set()
        writer.join()


def test_the_address_of_an_old_connection_is_forgotten_rather_than_mistaken(board: Board) -> None:
    worker = board.worker(0)
    worker.begin(1, seats=1)
    thread = worker.thread("stein-1")
    for number in range(1, layout.PEERS + 2):
        worker.note_peer(number, f"peer-{number}")
    for connection, peer in [(1, ""), (2, "peer-2"), (1025, "peer-1025")]:
        thread.enter(asked(connection=connection), 1.0)
        assert busy_with(board).peer == peer


def test_a_process_that_has_left_the_board_hurts_nobody(board: Board) -> None:
    worker = board.worker(0)
    worker.begin(1, seats=1)
    thread, extra = worker.thread("stein-1"), worker.extra("waiting")  # noqa: S610 - no QuerySet
    worker.leave()
    worker.begin(2, seats=2)
    worker.set_busy(1)
    worker.note_peer(1, "peer")
    worker.publish(numbers(), (1.0, 1.0), 1)
    for place in (thread, extra, worker.thread("late")):
        place.enter(asked(), 1.0)
        place.leave()
        place.free()
    snapshot = board.read_worker(0)
    assert (snapshot.pid, snapshot.busy, snapshot.requests) == (1, 0, ())


# -- the values -------------------------------------------------------------------------------


def test_the_outcomes_are_those_that_the_access_log_knows() -> None:
    assert set(OUTCOMES) == set(LOGGED_OUTCOMES)


def test_a_quantile_is_found_inside_its_bucket() -> None:
    counts = [0] * (len(BOUNDS) + 1)
    counts[3], counts[5] = 90, 10  # 5 to 10 ms; 25 to 50 ms
    histogram = Histogram(tuple(counts), 1.0)
    assert histogram.count == 100
    assert histogram.quantile(0.5) == pytest.approx(0.005 + 0.005 * 50 / 90)
    assert histogram.quantile(0.99) == pytest.approx(0.025 + 0.025 * 0.9)
    assert Histogram().quantile(0.99) == 0.0
    assert Histogram((0,) * len(BOUNDS) + (1,), 90.0).quantile(0.5) == BOUNDS[-1]


def test_prometheus_wants_the_buckets_added_up() -> None:
    histogram = Histogram((1, 2, 3) + (0,) * (len(BOUNDS) - 2), 1.0)
    assert histogram.cumulative[:4] == (1, 3, 6, 6)
    assert len(histogram.cumulative) == len(BOUNDS) + 1


def test_what_came_since_is_a_difference_and_never_negative() -> None:
    earlier = Histogram((5, 1) + (0,) * (len(BOUNDS) - 1), 2.0)
    later = Histogram((7, 0) + (0,) * (len(BOUNDS) - 1), 3.0)
    assert (later - earlier).counts[:2] == (2, 0)
    assert (later - earlier).sum == 1.0


@given(st.lists(st.integers(0, 1000), min_size=6, max_size=6))
def test_counters_of_nobody_change_nothing(statuses: list[int]) -> None:
    counters = Counters(statuses=tuple(statuses))
    assert add_up([counters, Counters()]) == counters
    assert add_up([]) == Counters()
