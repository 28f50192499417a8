"""What proxies say, and how much of it is believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.forwarded import (
    Origin,
    Trust,
    read_forwarded,
    read_x_forwarded,
    split_forwarded,
    trusted_value,
)

ALL = Trust(1, 1, 1, 1, 1)


@pytest.mark.parametrize(
    ("value", "trusted", "expected"),
    [
        ("a, b, c", 1, "c"),
        ("a, b, c", 2, "b"),
        ("a, b, c", 3, "a"),
        ("a, b, c", 4, None),
        ("a, b, c", 0, None),
        ("a, b, c", -1, None),
        (", , c", 1, "c"),
        (", c", 2, None),
        ("", 1, None),
        (None, 1, None),
    ],
)
def test_the_value_of_the_outermost_trusted_proxy(
    value: str | None, trusted: int, expected: str | None
) -> None:
    assert trusted_value(value, trusted) == expected


@given(st.lists(st.sampled_from("abc"), max_size=4), st.integers(1, 3))
def test_what_a_client_sends_itself_changes_nothing(forged: list[str], proxies: int) -> None:
    own = [f"proxy{number}" for number in range(proxies)]
    assert trusted_value(", ".join(forged + own), proxies) == "proxy0"


def x_forwarded(trust: Trust = ALL, **fields: str) -> Origin:
    return read_x_forwarded(fields.get, trust)


def test_all_fields() -> None:
    origin = x_forwarded(
        For="evil, 192.0.2.1", Proto="HTTPS", Host="a.test:8000", Port="443", Prefix="/app/"
    )
    assert origin == Origin("192.0.2.1", "https", "a.test:8000", 443, "/app")


def test_only_what_is_trusted_is_read() -> None:
    fields = {"For": "a", "Proto": "https", "Host": "b", "Port": "1", "Prefix": "/c"}
    assert x_forwarded(Trust(0, 0, 0, 0, 0), **fields) == Origin()
    assert x_forwarded(Trust(), **fields) == Origin("a", "https")
    assert x_forwarded() == Origin()


@pytest.mark.parametrize(
    ("node", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:80", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ('"[2001:db8::1]:80"', "2001:db8::1"),
        ("client.test", "client.test"),
        ("192.0.2.1:_port", "192.0.2.1"),
        ("_hidden", None),
        ("Unknown", None),
        ("a b", None),
        ("a/b", None),
        ("\x00", None),
        ('""', None),
    ],
)
def test_addresses(node: str, address: str | None) -> None:
    assert x_forwarded(For=node).address == address


@pytest.mark.parametrize(
    "fields",
    [
        {"Proto": "javascript"}, {"Proto": "https\r\n"}, {"Host": "a b"}, {"Host": "a@b"},
        {"Port": "0"}, {"Port": "65536"}, {"Port": "a"}, {"Port": "9" * 9999},
        {"Prefix": "//evil.test"}, {"Prefix": "a"}, {"Prefix": "/a\r\nb"},
        {"Prefix": "/\\evil.test"}, {"Prefix": "/a?b"},
    ],
)  # fmt: skip
def test_what_cannot_be_is_not_believed(fields: dict[str, str]) -> None:
    assert read_x_forwarded(fields.get, ALL) == Origin()


def test_the_examples_of_the_rfc() -> None:
    assert split_forwarded('for="_gazonk"') == [{"for": "_gazonk"}]
    assert split_forwarded('For="[2001:db8:cafe::17]:4711"') == [
        {"for": "[2001:db8:cafe::17]:4711"}
    ]
    assert split_forwarded("for=192.0.2.60;proto=http;by=203.0.113.43") == [
        {"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"}
    ]
    assert split_forwarded("for=192.0.2.43, for=198.51.100.17") == [
        {"for": "192.0.2.43"},
        {"for": "198.51.100.17"},
    ]


@pytest.mark.parametrize(
    "value", ["a", "for", "for=a b", 'for="a', "for=\xe9", "for=a,b;", "=a", '"']
)
def test_a_malformed_field_is_not_counted_in(value: str) -> None:
    assert split_forwarded(value) == []
    assert read_forwarded(value, 1) == Origin()


@pytest.mark.parametrize("value", ["", ",", " ; ,", "\t"])
def test_elements_may_be_empty(value: str) -> None:
    assert split_forwarded(value) == []
    assert split_forwarded(f"{value},for=a") == [{"for": "a"}]


def test_the_first_of_equal_parameters_counts() -> None:
    assert split_forwarded('for=a;FOR="b;c"') == [{"for": "a"}]


def test_the_element_of_the_outermost_trusted_proxy() -> None:
    value = 'for=evil;host=evil, for="[::1]";proto=https;host="a.test:8000", for=10.0.0.1'
    assert read_forwarded(value, 2) == Origin("::1", "https", "a.test:8000", 8000)
    assert read_forwarded(value, 1) == Origin("10.0.0.1")
    assert read_forwarded(value, 4) == Origin()
    assert read_forwarded(value, 0) == Origin()
    assert read_forwarded(None, 1) == Origin()
    assert read_forwarded("host=a", 1) == Origin(host="a")
