"""Pollers: the same face on each of them, and the translation to and from kqueue."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from stein.server import poller as module
from stein.server.poller import (
    HANGUP,
    PEER_SHUT,
    READ,
    WRITE,
    EpollPoller,
    KqueuePoller,
    Poller,
    SelectPoller,
    Waker,
    default_poller,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PRESENT: list[Callable[[], Poller]] = [SelectPoller]
if hasattr(select, "epoll"):
    PRESENT.append(EpollPoller)
if hasattr(select, "kqueue"):
    PRESENT.append(KqueuePoller)


@pytest.fixture(params=PRESENT, ids=lambda kind: kind.name)
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    made: Poller = request.param()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


def seen(poller: Poller, timeout: float = 0) -> dict[int, int]:
    """Poll until nothing but changes of our own has woken it."""
    for _ in range(10):
        if found := poller.poll(timeout):
            return dict(found)
    return {}


def fill(sock: socket.socket) -> None:
    """Send until the kernel takes no more."""
    try:
        while sock.send(bytes(65536)):
            pass
    except BlockingIOError:
        return


def test_a_quiet_descriptor_is_not_told(poller: Poller, pair: Pair) -> None:
    poller.register(pair[0].fileno(), READ)
    assert seen(poller) == {}


def test_reading_is_told_until_it_is_done(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    poller.register(ours.fileno(), READ)
    theirs.send(b"x")
    for _ in range(2):
        assert seen(poller, 5) == {ours.fileno(): READ}
    ours.recv(1)
    assert seen(poller) == {}


def test_writing(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    poller.register(ours.fileno(), WRITE)
    assert seen(poller, 5) == {ours.fileno(): WRITE}
    fill(ours)
    assert seen(poller) == {}
    theirs.recv(1 << 20)
    while not seen(poller):
        theirs.recv(1 << 20)


def test_both_at_once(poller: Poller, pair: Pair) -> None:
    poller.register(pair[0].fileno(), READ | WRITE)
    pair[1].send(b"x")
    assert seen(poller, 5) == {pair[0].fileno(): READ | WRITE}


def test_a_modified_interest(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"x")
    poller.register(ours.fileno(), READ)
    poller.modify(ours.fileno(), WRITE)
    assert seen(poller, 5) == {ours.fileno(): WRITE}
    poller.modify(ours.fileno(), 0)
    assert seen(poller) == {}
    poller.modify(ours.fileno(), READ)
    assert seen(poller, 5) == {ours.fileno(): READ}


def test_what_is_unregistered_is_not_told(poller: Poller, pair: Pair) -> None:
    pair[1].send(b"x")
    poller.register(pair[0].fileno(), READ)
    poller.unregister(pair[0].fileno())
    assert seen(poller) == {}


def test_the_end_of_input_is_something_to_read(poller: Poller, pair: Pair) -> None:
    ours, theirs = pair
    poller.register(ours.fileno(), READ | PEER_SHUT)
    theirs.shutdown(socket.SHUT_WR)
    events = seen(poller, 5)[ours.fileno()]
    assert events & READ
    assert poller.name == "select" or events & HANGUP


def test_a_peer_that_has_gone_is_told_to_those_who_wait_for_anything(
    poller: Poller, pair: Pair
) -> None:
    ours, theirs = pair
    poller.register(ours.fileno(), READ)
    theirs.close()
    assert seen(poller, 5)[ours.fileno()]


def test_many_at_once(poller: Poller) -> None:
    pairs = [socket.socketpair() for _ in range(40)]
    try:
        for ours, theirs in pairs:
            poller.register(ours.fileno(), READ)
            theirs.send(b"x")
        assert seen(poller, 5) == {ours.fileno(): READ for ours, _ in pairs}
    finally:
        for each in pairs:
            for end in each:
                end.close()


def test_another_thread_may_register_while_it_waits(poller: Poller, pair: Pair) -> None:
    found: list[tuple[int, int]] = []

    def wait() -> None:
        while not found:
            found.extend(poller.poll(10))

    thread = threading.Thread(target=wait)
    thread.start()
    pair[1].send(b"x")
    poller.register(pair[0].fileno(), READ)
    thread.join(10)
    assert found == [(pair[0].fileno(), READ)]


def test_the_select_poller_survives_a_descriptor_that_was_closed() -> None:
    poller = SelectPoller()
    ours, theirs = socket.socketpair()
    with theirs:
        number = ours.fileno()
        poller.register(number, READ)
        ours.close()
        assert poller.poll(0) == []
        poller.unregister(number)
        assert seen(poller) == {}
    poller.close()


def test_the_select_poller_does_not_choke_on_wakes(pair: Pair) -> None:
    poller = SelectPoller()
    for _ in range(10_000):
        poller.modify(pair[0].fileno(), READ)
    pair[1].send(b"x")
    assert seen(poller, 5) == {pair[0].fileno(): READ}
    poller.close()


# -- wakers -----------------------------------------------------------------------------------


@pytest.fixture(params=["eventfd", "socketpair"])
def waker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waker]:
    if request.param == "socketpair":
        monkeypatch.delattr(os, "eventfd", raising=False)
    elif not hasattr(os, "eventfd"):
        pytest.skip("there is no eventfd here")
    made = Waker()
    yield made
    made.close()


def test_a_wake_up_ends_the_poll_once(waker: Waker, poller: Poller) -> None:
    poller.register(waker.fd, READ)
    assert seen(poller) == {}
    for _ in range(3):
        waker.wake()
    assert seen(poller, 5) == {waker.fd: READ}
    waker.on_event(READ)
    assert seen(poller) == {}
    waker.on_event(READ)  # nothing there: no harm


def test_a_thread_wakes_another(waker: Waker, poller: Poller) -> None:
    poller.register(waker.fd, READ)
    thread = threading.Thread(target=waker.wake)
    thread.start()
    assert seen(poller, 10) == {waker.fd: READ}
    thread.join()


def test_a_signal_handler_may_wake(waker: Waker, poller: Poller) -> None:
    poller.register(waker.fd, READ)
    before = signal.signal(signal.SIGUSR2, lambda *_: waker.wake())
    try:
        signal.raise_signal(signal.SIGUSR2)
        assert seen(poller, 10) == {waker.fd: READ}
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_more_wake_ups_than_it_can_hold(waker: Waker) -> None:
    for _ in range(5000):
        waker.wake()
    waker.on_event(READ)


def test_a_closed_waker_neither_wakes_nor_closes_what_is_another_s(waker: Waker) -> None:
    waker.close()
    ours, theirs = socket.socketpair()  # takes the numbers that were given back
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        waker.wake()
        waker.close()
        for end in (ours, theirs):
            with pytest.raises(BlockingIOError):
                end.recv(1)


# -- kqueue, with a module that stands for the platform's ---------------------------------------


class FakeQueue:
    """Remembers the filters that were added; a deleted one that is not there is an error."""

    def __init__(self) -> None:
        self.filters: set[tuple[int, str]] = set()
        self.ready: list[SimpleNamespace] = []
        self.asked: list[tuple[int, float | None]] = []
        self.closed = False

    def control(
        self, changes: list[Any] | None, most: int, timeout: float | None = None
    ) -> list[Any]:
        for fd, kind, action in changes or ():
            if action == "add":
                self.filters.add((fd, kind))
            elif (fd, kind) in self.filters:
                self.filters.discard((fd, kind))
            else:
                raise FileNotFoundError
        if changes is None:
            self.asked.append((most, timeout))
        return self.ready if changes is None else []

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def kqueue(monkeypatch: pytest.MonkeyPatch) -> tuple[Poller, FakeQueue]:
    queue = FakeQueue()
    fake = SimpleNamespace(
        kqueue=lambda: queue,
        kevent=lambda fd, kind, action: (fd, kind, action),
        KQ_FILTER_READ="read", KQ_FILTER_WRITE="write",
        KQ_EV_ADD="add", KQ_EV_DELETE="delete", KQ_EV_EOF=0x8000,
    )  # fmt: skip
    monkeypatch.setattr(module, "select", fake)
    made = default_poller()
    assert made.name == "kqueue"
    return made, queue


def test_kqueue_filters_follow_the_interest(kqueue: tuple[Poller, FakeQueue]) -> None:
    poller, queue = kqueue
    poller.register(7, READ)
    assert queue.filters == {(7, "read")}
    poller.modify(7, WRITE)
    assert queue.filters == {(7, "write")}
    poller.modify(7, READ | WRITE)
    assert queue.filters == {(7, "read"), (7, "write")}
    poller.modify(7, 0)
    assert queue.filters == set()
    poller.register(7, PEER_SHUT)
    assert queue.filters == {(7, "read")}
    poller.unregister(7)
    assert queue.filters == set()
    poller.unregister(7)


def test_kqueue_events_are_told_as_one_set_for_each_descriptor(
    kqueue: tuple[Poller, FakeQueue],
) -> None:
    poller, queue = kqueue
    queue.ready = [
        SimpleNamespace(ident=7, filter="read", flags=0),
        SimpleNamespace(ident=8, filter="read", flags=0x8000),
        SimpleNamespace(ident=7, filter="write", flags=0),
    ]
    assert poller.poll(1.5) == [(7, READ | WRITE), (8, READ | PEER_SHUT)]
    assert PEER_SHUT & HANGUP
    assert queue.asked == [(256, 1.5)]
    poller.close()
    assert queue.closed


def test_the_best_poller_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    best = default_poller()
    assert best.name == ("epoll" if hasattr(select, "epoll") else "kqueue")
    best.close()
    monkeypatch.setattr(module, "select", SimpleNamespace(select=select.select))
    last = default_poller()
    assert last.name == "select"
    last.close()
