"""A chunked body as a stream."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.serving.dechunking import DechunkedInput


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.integers(1, 20))
def test_the_content_is_given_in_pieces_of_any_size(chunks: list[bytes], size: int) -> None:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    source = io.BytesIO(body + b"GET /next")
    stream = DechunkedInput(source)
    assert stream.readable()
    pieces = list(iter(lambda: stream.read(size), b""))
    assert b"".join(filter(None, pieces)) == b"".join(chunks)
    assert all(piece is not None and len(piece) <= size for piece in pieces)
    assert source.read() == b"GET /next"


@pytest.mark.parametrize("body", [b"", b"5\r\nab", b"x\r\n", b"-1\r\n\r\n", b"1\r\nabc\r\n"])
def test_what_is_no_chunked_body_is_an_error_of_reading(body: bytes) -> None:
    with pytest.raises(OSError, match=r"chunked body"):
        DechunkedInput(io.BytesIO(body)).read()
