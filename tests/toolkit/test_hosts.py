"""The host and the length of a request, as the toolkit's requests ask for them."""

from __future__ import annotations

import pytest

from stein.toolkit.exceptions import SecurityError
from stein.toolkit.sansio.hosts import (
    get_content_length,
    get_current_url,
    get_host,
    host_is_trusted,
)


def test_the_field_counts_more_than_the_server() -> None:
    assert get_host("http", "a.test:80", ("b.test", 8000)) == "a.test"
    assert get_host("http", None, ("b.test", 8000)) == "b.test:8000"
    assert get_host("http", None) == ""


def test_a_host_that_cannot_be_is_empty() -> None:
    assert get_host("http", "a@b") == ""


def test_a_trusted_host_is_given() -> None:
    assert get_host("http", "a.test:8000", trusted_hosts=["a.test"]) == "a.test:8000"
    assert get_host("http", None, ("a.test", 80), [".test"]) == "a.test"


@pytest.mark.parametrize(
    ("field", "server", "shown"),
    [("evil.test", None, "evil.test"), ("a@b", None, "a@b"), (None, ("evil", 80), "evil")],
)
def test_any_other_host_is_refused_by_name(
    field: str | None, server: tuple[str, int | None] | None, shown: str
) -> None:
    with pytest.raises(SecurityError) as caught:
        get_host("http", field, server, ["a.test"])
    assert caught.value.code == 400
    assert repr(shown) in str(caught.value.description)


def test_a_request_that_names_no_host_is_not_refused() -> None:
    assert get_host("http", None, None, ["a.test"]) == ""
    assert get_host("http", None, ("/run/socket", None), ["a.test"]) == ""


@pytest.mark.parametrize(
    ("length", "coding", "expected"),
    [
        ("10", None, 10),
        (" 10 ", None, 10),
        ("10", "gzip", 10),
        (None, None, None),
        ("10", "Chunked", None),
        ("10", "gzip, chunked", None),
        ("", None, 0),
        ("-1", None, 0),
        ("+1", None, 0),
        ("1_0", None, 0),
        ("9" * 5000, None, 0),
    ],
)
def test_the_length_of_content(
    length: str | None, coding: str | None, expected: int | None
) -> None:
    assert get_content_length(length, coding) == expected


def test_the_other_names_are_there() -> None:
    assert get_current_url("http", "a", "/b", "/c", query_string=b"d") == "http://a/b/c?d"
    assert host_is_trusted("a.test", trusted_list=["a.test"])
