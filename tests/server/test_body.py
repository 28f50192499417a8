"""Request bodies: kept in memory, in a file, or streamed; read like any file."""

from __future__ import annotations

import errno
import io
import tempfile
from typing import IO, TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.errors import Disconnected, RequestError
from stein.server.body import BodyCollector, open_stream

if TYPE_CHECKING:
    from collections.abc import Iterable


class FullDisk(io.RawIOBase):
    """A file on a disk that takes so many bytes and no more."""

    def __init__(self, room: int) -> None:
        self.room = room

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def write(self, data: Any) -> int:
        if len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(data)
        return len(data)


def streamed(pieces: Iterable[bytes]) -> IO[bytes]:
    source = iter(pieces)
    return open_stream(lambda: next(source, b""))


@given(st.lists(st.binary(max_size=40)), st.integers(0, 100))
def test_a_collected_body_is_what_came(pieces: list[bytes], most: int) -> None:
    body = BodyCollector(most)
    for piece in pieces:
        body.add(piece)
    whole = b"".join(pieces)
    with body.rewind() as file:
        assert isinstance(file, io.BytesIO) == (len(whole) <= most)
        assert file.read() == whole


@pytest.mark.parametrize(("size", "in_memory"), [(10, True), (11, False)])
def test_the_limit_counts_to_the_byte(*, size: int, in_memory: bool) -> None:
    body = BodyCollector(10)
    for _ in range(size):
        body.add(b"x")
    with body.rewind() as file:
        assert isinstance(file, io.BytesIO) == in_memory
        assert file.read() == b"x" * size


def test_a_full_disk_shows_while_the_body_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not at the end, where a few last bytes would wait in the file's buffer."""
    disk = FullDisk(100)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: io.BufferedRandom(disk))
    body = BodyCollector(50)
    body.add(b"x" * 90)
    with pytest.raises(OSError, match="No space left"):
        body.add(b"x" * 11)
    assert disk.closed


def test_a_disk_that_takes_no_file_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> IO[bytes]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    body = BodyCollector(5)
    body.add(b"12345")
    with pytest.raises(OSError, match="No space left"):
        body.add(b"6")


def test_a_body_that_is_given_up_takes_its_file_along() -> None:
    body = BodyCollector(1)
    body.add(b"more than one")
    body.close()
    assert body.file.closed
    body.close()


@given(st.lists(st.binary(min_size=1, max_size=30)), st.integers(1, 25))
def test_a_streamed_body_reads_like_a_file(pieces: list[bytes], size: int) -> None:
    whole = b"".join(pieces)
    assert streamed(pieces).read() == whole
    assert list(streamed(pieces)) == list(io.BytesIO(whole))
    assert streamed(pieces).readlines() == io.BytesIO(whole).readlines()
    stream, plain = streamed(pieces), io.BytesIO(whole)
    while expected := plain.read(size):
        assert stream.read(size) == expected
    assert stream.read(size) == b""
    stream, plain = streamed(pieces), io.BytesIO(whole)
    while expected := plain.readline(size):
        assert stream.readline(size) == expected


def test_a_streamed_body_waits_only_for_what_is_asked() -> None:
    asked = []

    def receive() -> bytes:
        asked.append(True)
        return b"12345"

    stream = open_stream(receive)
    assert stream.read(3) == b"123"
    assert stream.read(2) == b"45"
    assert len(asked) == 1
    assert stream.read(0) == b""
    assert len(asked) == 1


def test_a_piece_larger_than_the_buffer() -> None:
    piece = bytes(200_000)
    assert streamed([piece, b"end"]).read() == piece + b"end"


@pytest.mark.parametrize(
    "fault", [RequestError(413, "too large", "limit_body"), Disconnected(400, "cut short")]
)
def test_a_fault_reaches_the_reader(fault: RequestError) -> None:
    def receive() -> bytes:
        raise fault

    with pytest.raises(type(fault)) as caught:
        open_stream(receive).read()
    assert caught.value is fault
    assert isinstance(fault, OSError) == isinstance(fault, Disconnected)
