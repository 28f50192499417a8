"""Lines between processes, in whatever pieces they come."""

from __future__ import annotations

import socket

from stein.messages import Lines, encode, read_messages

DATA = encode("first", number=1) + encode("second", text="a\nb")
MESSAGES = [{"kind": "first", "number": 1}, {"kind": "second", "text": "a\nb"}]


def test_messages_are_whole_wherever_they_were_cut() -> None:
    for place in range(len(DATA)):
        lines = Lines()
        assert lines.feed(DATA[:place]) + lines.feed(DATA[place:]) == MESSAGES


def test_what_comes_is_read_until_the_end() -> None:
    here, there = socket.socketpair()
    with there:
        with here:
            here.sendall(DATA + b"{")
        assert list(read_messages(there)) == MESSAGES
    assert list(read_messages(there)) == []
