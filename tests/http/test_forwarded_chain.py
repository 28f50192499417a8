"""What proxies known by their addresses are believed, from the last one to the first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.forwarded import Chain, Origin, read_chain

EVERYTHING = frozenset({"For", "Proto", "Host", "Port", "Prefix"})


def own(address: str) -> bool:
    return address.startswith("10.")


def chain(believed: frozenset[str] = EVERYTHING, **fields: str) -> Chain:
    return read_chain(fields.get, believed, own)


@pytest.mark.parametrize(
    ("value", "address", "kept"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("6.6.6.6, 192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("6.6.6.6, 192.0.2.7, 10.0.0.2", "192.0.2.7", "192.0.2.7, 10.0.0.2"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3", "10.0.0.3, 10.0.0.2"),
        ("192.0.2.7:4711", "192.0.2.7", "192.0.2.7:4711"),
        ("[2001:db8::7]:80", "2001:db8::7", "[2001:db8::7]:80"),
        ("192.0.2.7, unknown, 10.0.0.2", "10.0.0.2", "10.0.0.2"),
        ("192.0.2.7, <script>", None, "<script>"),
    ],
)
def test_the_client_is_the_first_from_the_end_that_is_no_proxy(
    value: str, address: str | None, kept: str
) -> None:
    found = chain(For=value)
    assert found.origin.address == address
    assert found.kept == {"For": kept}


def test_the_other_fields_are_read_at_the_same_place() -> None:
    found = chain(
        For="6.6.6.6, 192.0.2.7, 10.0.0.2",
        Proto="gopher, https, http",
        Host="evil.example, shop.example, inner",
        Port="1, 8443, 80",
        Prefix="/evil, /shop, /",
    )
    assert found.origin == Origin("192.0.2.7", "https", "shop.example", 8443, "/shop")
    assert found.kept["Proto"] == "https"


def test_a_field_with_fewer_values_was_set_by_the_outermost() -> None:
    assert chain(For="192.0.2.7, 10.0.0.2", Proto="https").origin.scheme == "https"


def test_what_proxies_do_not_set_is_not_read() -> None:
    found = chain(frozenset({"Proto"}), For="192.0.2.7", Proto="https", Host="evil.example")
    assert found == Chain(Origin(scheme="https"), {"Proto": "https"})


def test_forwarded_goes_before_the_others() -> None:
    found = chain(
        EVERYTHING | {"Forwarded"},
        Forwarded='for=6.6.6.6;proto=gopher, for=192.0.2.7;proto=https;host="shop.example:8443", '
        "for=10.0.0.2;proto=http",
        For="1.1.1.1",
        Prefix="/shop",
    )
    assert found.origin == Origin("192.0.2.7", "https", "shop.example:8443", 8443, "/shop")
    assert set(found.kept) == {"Forwarded", "Prefix"}


def test_a_malformed_forwarded_says_nothing() -> None:
    found = chain(frozenset({"Forwarded", "For"}), Forwarded='for="', For="192.0.2.7")
    assert found.origin.address == "192.0.2.7"


@given(st.text(), st.text(), st.text())
def test_any_text_gives_an_answer(one: str, two: str, three: str) -> None:
    found = chain(EVERYTHING | {"Forwarded"}, For=one, Proto=two, Forwarded=three, Host=one)
    assert found.origin.scheme in {None, "http", "https", "ws", "wss"}
