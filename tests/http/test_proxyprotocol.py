"""PROXY headers: what they say, where they end, and what is none."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.errors import RequestError
from stein.http.proxyprotocol import MOST, ProxyHeader, header_part, read_header

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"


def binary(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


FOUR = struct.pack("!4B4BHH", 192, 0, 2, 7, 198, 51, 100, 1, 56324, 443)
SIX = bytes.fromhex("20010db8000000000000000000000007") + b"\0" * 15 + b"\1" + b"\xdc\x04\x01\xbb"
SERVED = ("198.51.100.1", 443)
CLIENT = ("192.0.2.7", 56324)


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (V1, ProxyHeader(CLIENT, SERVED)),
        (
            b"PROXY TCP6 2001:db8::7 ::1 1 65535\r\n",
            ProxyHeader(("2001:db8::7", 1), ("::1", 65535)),
        ),
        (b"PROXY UNKNOWN\r\n", ProxyHeader()),
        (b"PROXY UNKNOWN ffff::1 whatever 1 2\r\n", ProxyHeader()),
        (binary(0x21, 0x11, FOUR), ProxyHeader(CLIENT, SERVED)),
        (binary(0x21, 0x21, SIX), ProxyHeader(("2001:db8::7", 56324), ("::1", 443))),
        (binary(0x21, 0x31, b"\0" * 216), ProxyHeader()),
        (binary(0x21, 0x00, b"\x04\0\0"), ProxyHeader()),
        (binary(0x20, 0x00, b""), ProxyHeader()),
        (binary(0x20, 0x11, FOUR), ProxyHeader()),
        (binary(0x21, 0x11, FOUR + b"\x20\0\5\1\0\0\0\0"), ProxyHeader(CLIENT, SERVED, tls=True)),
        (binary(0x21, 0x11, FOUR + b"\x20\0\5\6\0\0\0\0"), ProxyHeader(CLIENT, SERVED)),
        (binary(0x21, 0x11, FOUR + b"\2\0\3a.b\x20\0\0"), ProxyHeader(CLIENT, SERVED)),
    ],
)
def test_headers(data: bytes, header: ProxyHeader) -> None:
    behind = b"GET / HTTP/1.1\r\n\r\n"
    assert header_part(data + behind) == len(data)
    assert read_header(data) == header
    for cut in range(1, len(data)):
        assert header_part(data[:cut]) == cut
        assert read_header(data[:cut]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"proxy TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
        b"PROXY\tTCP4",
        b"\x16\x03\x01",
        b"PROXY TCP4 " + b"1" * 100,
        b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n",
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_what_is_no_header_is_seen_at_once(data: bytes) -> None:
    with pytest.raises(RequestError, match="PROXY header") as caught:
        header_part(data)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "data",
    [
        b"PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n",
        b"PROXY TCP4  1.1.1.1 1.1.1.1 1 1\r\n",
        b"PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n",
        b"PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n",
        b"PROXY TCP4 ::1 ::1 1 1\r\n",
        b"PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n",
        b"PROXY TCP4 1.1.1.300 1.1.1.1 1 1\r\n",
        b"PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n",
        b"PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n",
        b"PROXY \r\n",
        binary(0x11, 0x11, FOUR),
        binary(0x22, 0x11, FOUR),
        binary(0x21, 0x12, FOUR),
        binary(0x21, 0x11, FOUR[:-1]),
        binary(0x21, 0x21, FOUR),
        binary(0x21, 0x11, FOUR + b"\x20"),
        binary(0x21, 0x11, FOUR + b"\x20\0\x09x"),
    ],
)
def test_what_says_the_impossible_is_refused(data: bytes) -> None:
    assert header_part(data) == len(data)
    with pytest.raises(RequestError, match="PROXY header") as caught:
        read_header(data)
    assert caught.value.status == 400


@given(
    st.one_of(st.binary(), st.binary().map(SIGNATURE.__add__), st.binary().map(b"PROXY ".__add__))
)
def test_any_bytes_are_a_header_or_no_header(data: bytes) -> None:
    with contextlib.suppress(RequestError):
        count = header_part(data)
        assert count <= min(len(data), MOST)
        read_header(data[:count])
