"""Cookies, against RFC 6265 and what went wrong elsewhere."""

from __future__ import annotations

import http.cookies

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.cookies import dump_cookie, parse_cookie_pairs


@pytest.mark.parametrize(
    ("field", "pairs"),
    [
        ("", ()),
        ("a=b", (("a", "b"),)),
        ("a=b; c=d;e=f", (("a", "b"), ("c", "d"), ("e", "f"))),
        ("a=b; a=c", (("a", "b"), ("a", "c"))),
        ("a; b=", (("a", ""), ("b", ""))),
        ("a=b=c==", (("a", "b=c=="),)),
        (";;a=b;;", (("a", "b"),)),
        (" a = b \t;c=d  ", (("a", "b"), ("c", "d"))),
        ('a="b"; c="d;e"; f', (("a", "b"), ("c", "d;e"), ("f", ""))),
        (r'a="b\"c\054\\"', (("a", r'b"c,' + "\\"),)),
        (r'a="\303\251"', (("a", "é"),)),
        (r'a="\303"', (("a", "\ufffd"),)),
        (r'a="\9\999\é"', (("a", "9999é"),)),
        ('a="é"', (("a", "é"),)),
        ('a=""', (("a", ""),)),
        ('a= "b" ', (("a", "b"),)),
    ],
)
def test_pairs(field: str, pairs: tuple[tuple[str, str], ...]) -> None:
    assert parse_cookie_pairs(field) == pairs


@pytest.mark.parametrize(
    "field",
    [
        "=b",
        "==b",
        '"a"=b',
        "a b=c",
        "a\tb=c",
        'a="b',
        'a="b" c',
        'a=b"c',
        "a=b c",
        'a="b\\"',
        " = ",
    ],
)
def test_what_is_no_pair_is_left_out_and_the_next_one_read(field: str) -> None:
    assert parse_cookie_pairs(field) == ()
    assert parse_cookie_pairs(f"{field}; z=1")[-1] == ("z", "1")


def test_a_nameless_cookie_cannot_pass_for_another() -> None:
    """CVE-2023-23934: a neighbour of this host can set a cookie without a name."""
    assert parse_cookie_pairs("=__Host-x=y; __Host-x=z") == (("__Host-x", "z"),)


def test_a_long_field_is_read_as_well() -> None:
    assert parse_cookie_pairs(f"a={'b' * 5000}; c=d") == (("a", "b" * 5000), ("c", "d"))


@given(st.text())
def test_any_value_is_read_as_written(value: str) -> None:
    field = dump_cookie("a", value, path=None)
    assert field.isascii()
    assert parse_cookie_pairs(field) == (("a", value),)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126)))
def test_the_standard_library_reads_the_value_as_well(value: str) -> None:
    assert http.cookies.SimpleCookie(dump_cookie("a", value))["a"].value == value


def test_all_attributes() -> None:
    field = dump_cookie(
        "a",
        "b",
        max_age=0,
        expires="Sun, 06 Nov 1994 08:49:37 GMT",
        path="/ä b;c",
        domain=".Bücher.example:80",
        httponly=True,
        samesite="lax",
        partitioned=True,
    )
    assert field == (
        "a=b; Domain=xn--bcher-kva.example; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=0;"
        " Secure; HttpOnly; Path=/%C3%A4%20b%3Bc; SameSite=Lax; Partitioned"
    )


def test_few_attributes() -> None:
    assert dump_cookie("a", "b") == "a=b; Path=/"
    assert dump_cookie("a", "b", path=None, domain="", secure=True) == "a=b; Secure"


def test_a_name_beyond_ascii_is_written_as_wsgi_wants_it() -> None:
    field = dump_cookie("ö", "", path=None)
    assert field.encode("latin-1").decode() == "ö="


@pytest.mark.parametrize("char", [*map(chr, range(33)), "\x7f", ";", "=", '"'])
def test_a_name_that_nobody_could_read_is_refused(char: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a cookie") as caught:
        dump_cookie(f"a{char}b", "")
    assert repr(f"a{char}b") in str(caught.value)


def test_a_cookie_needs_a_name() -> None:
    with pytest.raises(ValueError, match="'' cannot be the name"):
        dump_cookie("", "__Host-x=y")


@pytest.mark.parametrize("char", ["\r", "\n", "\0", "\x7f", ";"])
def test_no_attribute_can_bring_another_one_in(char: str) -> None:
    bad = f"a{char}b"
    with pytest.raises(ValueError, match="cookie 'n': domain is 'a"):
        dump_cookie("n", "", domain=bad)
    with pytest.raises(ValueError, match="cookie 'n': expires is 'a"):
        dump_cookie("n", "", expires=bad)
    with pytest.raises(ValueError, match="cookie 'n': samesite is 'a"):
        dump_cookie("n", "", samesite=bad)
    if char == ";":
        assert dump_cookie("n", "", path=bad) == "n=; Path=a%3Bb"
    else:
        with pytest.raises(ValueError, match="cookie 'n': path is 'a"):
            dump_cookie("n", "", path=bad)


@pytest.mark.parametrize("domain", [".", "a b", "a,b", "a/b", "\u2603" * 64, "ä..b"])
def test_a_domain_must_be_a_name(domain: str) -> None:
    with pytest.raises(ValueError, match="domain is"):
        dump_cookie("n", "", domain=domain)
