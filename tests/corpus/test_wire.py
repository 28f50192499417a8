"""The client's reader of answers: it forgives nothing, in whatever pieces the bytes come."""

from __future__ import annotations

import pytest

from tests.corpus.wire import AnswerReader, WireError

PLAIN = b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\n\r\nhello"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_answers_are_found_in_any_pieces(size: int) -> None:
    """Five answers of all framings, one after the other."""
    stream = PLAIN + INTERIM + CHUNKED + NO_CONTENT + HEAD + UNTIL_CLOSE
    reader = AnswerReader([False, False, False, True, False])
    for at in range(0, len(stream), size):
        reader.feed(stream[at : at + size])
    reader.end()
    assert [answer.status for answer in reader.answers] == [200, 100, 200, 204, 200, 200]
    assert [answer.body for answer in reader.answers] == [
        b"hello",
        b"",
        b"hello",
        b"",
        b"",
        b"hello",
    ]


@pytest.mark.parametrize(
    "stream",
    [
        PLAIN + b"x",
        PLAIN[:-1],
        CHUNKED[:-2],
        HEAD[:-2],
        PLAIN.replace(b"\r\n", b"\n"),
        b"\r\n" + PLAIN,
        PLAIN.replace(b"HTTP/1.1", b"HTTP/2"),
        PLAIN.replace(b"200", b"2000"),
        PLAIN.replace(b" OK", b""),
        PLAIN.replace(b"Date:", b"Date :"),
        PLAIN.replace(b"Date: x", b"Date: x\r\n y"),
        PLAIN.replace(b"Date: x", b"Date: x\0"),
        PLAIN.replace(b"Date: x", b"Date: x\r\nDate: y"),
        PLAIN.replace(b"Date: x", b"Content-Length: 5"),
        PLAIN.replace(b": 5", b": +5"),
        PLAIN.replace(b"Date: x", b"Transfer-Encoding: chunked"),
        CHUNKED.replace(b"chunked", b"gzip, chunked"),
        CHUNKED.replace(b"5\r\n", b"5;a\r\n"),
        CHUNKED.replace(b"hello", b"hellox"),
        CHUNKED.replace(b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n"),
        NO_CONTENT.replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n"),
        INTERIM.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"),
        b"SSH-2.0-OpenSSH\r\n",
    ],
)
def test_anything_else_is_refused(stream: bytes) -> None:
    """Each of these is a defect that a lenient client would swallow."""
    reader = AnswerReader()
    with pytest.raises(WireError):
        feed_and_end(reader, stream)


def feed_and_end(reader: AnswerReader, stream: bytes) -> None:
    """Give all bytes and the end of the stream."""
    reader.feed(stream)
    reader.end()
