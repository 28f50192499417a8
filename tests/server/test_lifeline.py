"""Messages between parent and child, and the end of either."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from stein.server.lifeline import Lifeline, Message

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ends() -> Iterator[tuple[Lifeline, Lifeline]]:
    first, second = socket.socketpair()
    pair = Lifeline(first), Lifeline(second)
    yield pair
    for end in pair:
        end.close()


def test_messages_arrive_in_order_and_whole(ends: tuple[Lifeline, Lifeline]) -> None:
    here, there = ends
    assert here.send("first", number=1)
    assert here.send("second", text="a\nb")
    found: list[Message] = []
    while len(found) < 2:
        found += there.receive()
    assert found == [{"kind": "first", "number": 1}, {"kind": "second", "text": "a\nb"}]


def test_a_part_of_a_message_waits_for_the_rest() -> None:
    first, second = socket.socketpair()
    end = Lifeline(second)
    first.sendall(b'{"kind": "a"}\n{"ki')
    assert end.receive() == [{"kind": "a"}]
    first.sendall(b'nd": "b"}\n')
    assert end.receive() == [{"kind": "b"}]
    first.close()
    assert end.receive() == []
    assert end.ended
    end.close()


def test_who_is_gone_hears_nothing_and_is_seen_to_be_gone(ends: tuple[Lifeline, Lifeline]) -> None:
    here, there = ends
    there.close()
    assert not here.send("anybody?")
    here.receive()
    assert here.ended


def test_descriptors_come_along(ends: tuple[Lifeline, Lifeline]) -> None:
    here, there = ends
    read, write = os.pipe()
    here.send("take", descriptors=[write])
    assert there.receive() == [{"kind": "take"}]
    (number,) = there.descriptors
    os.write(number, b"x")
    assert os.read(read, 1) == b"x"
    for each in (read, write, number):
        os.close(each)


def test_without_news_a_non_blocking_end_says_nothing() -> None:
    first, second = socket.socketpair()
    second.setblocking(False)
    end = Lifeline(second)
    assert end.receive() == []
    assert not end.ended
    first.close()
    end.close()
