"""The outbox: what a slow client has not taken leaves complete and in order."""

from __future__ import annotations

import os
import socket
import tempfile
from typing import IO, TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.server.outbox import FileSpan, Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Sink:
    """A socket that takes so many bytes at a time, and then nothing until the next turn."""

    def __init__(self, *appetites: int) -> None:
        self.taken = bytearray()
        self._appetites = list(appetites)

    def send(self, data: bytes | memoryview) -> int:
        appetite = self._appetites.pop(0) if self._appetites else 0
        if not appetite:
            raise BlockingIOError
        self.taken += data[:appetite]
        return min(appetite, len(data))


def flush(outbox: Outbox, sock: object) -> int:
    with outbox.lock:
        return outbox.flush(sock)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[IO[bytes]]:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 4096)  # 1 MiB
    with path.open("rb") as stream:
        yield stream


@given(st.lists(st.binary(min_size=1, max_size=50)), st.lists(st.integers(0, 60), max_size=200))
def test_everything_leaves_in_order(pieces: list[bytes], appetites: list[int]) -> None:
    outbox, sink = Outbox(), Sink(*appetites)
    whole = b"".join(pieces)
    for piece in pieces:
        outbox.add(piece)
    assert outbox.size == len(whole)
    for _ in range(len(appetites) + 1):
        flush(outbox, sink)
        assert whole.startswith(sink.taken)
        assert outbox.size == len(whole) - len(sink.taken)
        assert bool(outbox) == (outbox.size > 0)
    sink._appetites = [60] * (len(pieces) + 1)
    flush(outbox, sink)
    assert sink.taken == whole
    assert not outbox


@given(st.integers(0, 300), st.integers(1, 300), st.lists(st.integers(1, 80), max_size=20))
def test_a_file_leaves_between_its_neighbours(
    offset: int, count: int, appetites: list[int]
) -> None:
    content = bytes(index % 251 for index in range(600))
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        outbox, sink = Outbox(), Sink(*appetites)
        outbox.add(b"head")
        outbox.add(FileSpan(file, offset, count, sendfile=False))
        outbox.add(b"tail")
        assert outbox.size == 8  # a file's bytes do not count
        while outbox:
            if not flush(outbox, sink):
                sink._appetites = [100]
        assert sink.taken == b"head" + content[offset : offset + count] + b"tail"
        assert file.tell() == len(content)  # the position is the application's


@pytest.mark.parametrize("sendfile", [True, False])
def test_a_large_file_goes_block_by_block_so_that_others_get_their_turn(
    *, file: IO[bytes], sendfile: bool
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        outbox = Outbox()
        outbox.add(FileSpan(file, 1000, 900_000, sendfile=sendfile))
        outbox.add(b"end")
        received = bytearray()
        theirs.settimeout(5)
        while outbox:
            sent = flush(outbox, ours)
            assert sent <= FileSpan._BLOCK + 3
            while len(received) < 900_003 and sent > 0:
                block = theirs.recv(sent)
                received += block
                sent -= len(block)
        file.seek(1000)
        assert received == file.read(900_000) + b"end"


@pytest.mark.parametrize("sendfile", [True, False])
def test_a_file_that_has_become_shorter_is_an_error(*, file: IO[bytes], sendfile: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        os.truncate(file.name, 100)
        outbox = Outbox()
        outbox.add(FileSpan(file, 0, 200, sendfile=sendfile))
        assert flush(outbox, ours) == 100
        with pytest.raises(OSError, match="ended 100 bytes before its promised length"):
            flush(outbox, ours)


def test_an_error_of_the_socket_comes_through() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        outbox = Outbox()
        outbox.add(b"x")
        with pytest.raises(BrokenPipeError):
            flush(outbox, ours)
        assert outbox.size == 1


def test_clear_forgets_everything() -> None:
    outbox = Outbox()
    outbox.add(bytearray(b"abc"))
    outbox.add(memoryview(b"de"))
    assert outbox.size == 5
    outbox.clear()
    assert (bool(outbox), outbox.size) == (False, 0)
    assert flush(outbox, Sink()) == 0
