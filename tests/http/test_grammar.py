"""Tokens, field values and hosts, against specifications written out naively."""

from __future__ import annotations

import ipaddress
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stein.http.grammar import is_field_value, is_host, is_token

TCHAR = set("!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters)
UNRESERVED = set(string.ascii_letters + string.digits + "-._~")
SUB_DELIMS = set("!$&'()*+,;=")
HEX = set(string.hexdigits)

# Mostly what is nearly right, as random text hardly ever is.
near_hosts = st.text(alphabet="ab0.-:%[]fF19\n\r /?#@_~!\xe9\u0660", max_size=12)
octets = st.characters(max_codepoint=255)


def naive_host(text: str) -> bool:
    """Decide as RFC 9110 7.2 and RFC 3986 3.2.2 have it, one character after the other."""
    if text.startswith("["):
        address, bracket, port = text[1:].partition("]")
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            return False
        return bool(bracket) and "%" not in address and naive_port(port)
    name, colon, port = text.partition(":")
    while name:
        if name[0] == "%":
            if len(name) < 3 or not {name[1], name[2]} <= HEX:
                return False
            name = name[3:]
        elif name[0] in UNRESERVED | SUB_DELIMS:
            name = name[1:]
        else:
            return False
    return naive_port(colon + port)


def naive_port(text: str) -> bool:
    return text == "" or (
        text[0] == ":" and len(text) <= 6 and all(char in string.digits for char in text[1:])
    )


@given(st.text(max_size=6) | st.text(alphabet=sorted(TCHAR), max_size=6))
@example("")
@example("a\n")
@example("é")
def test_tokens(text: str) -> None:
    assert is_token(text) == (text != "" and set(text) <= TCHAR)


@pytest.mark.parametrize("char", [chr(code) for code in range(300)])
def test_every_character(char: str) -> None:
    assert is_token(char) == (char in TCHAR)
    assert is_field_value(char) == (
        char == "\t" or 32 <= ord(char) <= 126 or 128 <= ord(char) < 256
    )
    assert is_host(char) == naive_host(char)


@given(st.text(max_size=8) | st.text(alphabet=octets, max_size=8))
@example("")
@example("a\n")
@example("a\r\nb: c")
def test_field_values(text: str) -> None:
    assert is_field_value(text) == all(is_field_value(char) for char in text)


@given(near_hosts | st.text(max_size=8) | st.ip_addresses(v=6).map(lambda ip: f"[{ip}]"))
@example("a\n")
@example("a:\n")
@example("[::1]\n")
@example("a:1\u0660")
def test_hosts(text: str) -> None:
    assert is_host(text) == naive_host(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "example.com", "example.com:80", "a:", ":80", "127.0.0.1:65535", "[::1]",
        "[::1]:80", "[::ffff:127.0.0.1]:8000", "xn--bcher-kva.example", "a%20b", "a_b", "[::]:",
        "a,b", "A.B.",
    ],
)  # fmt: skip
def test_right_hosts(text: str) -> None:
    assert is_host(text)
    assert naive_host(text)


@pytest.mark.parametrize(
    "text",
    [
        "a b", "a/b", "a?b", "a#b", "a@b", "a:b", "a:80:80", "a:123456", "a:-1", "a\\b", "a%2",
        "a%", "a%zz", "[::1", "::1", "[::1]a", "[::1]:a", "[v1.a]", "[fe80::1%eth0]", "[]", "[:]",
        "bü", "[1.2.3.4]", "[:::]", "a\tb", "a\0", '"a"', "<a>", "[[::1]]", "a]",
    ],
)  # fmt: skip
def test_wrong_hosts(text: str) -> None:
    assert not is_host(text)
    assert not naive_host(text)


@given(st.binary(max_size=20))
def test_no_text_breaks_the_patterns(data: bytes) -> None:
    text = data.decode("latin-1")
    assert is_token(text) <= is_field_value(text)
