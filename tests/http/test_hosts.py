"""Which host a request is for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.hosts import host_is_trusted, is_valid_host, request_host, split_host


@pytest.mark.parametrize(
    ("host", "parts"),
    [
        ("a", ("a", None)),
        ("A.example:80", ("A.example", 80)),
        ("127.0.0.1:65535", ("127.0.0.1", 65535)),
        ("[::1]", ("[::1]", None)),
        ("[::ffff:1.2.3.4]:1", ("[::ffff:1.2.3.4]", 1)),
        ("my_service:5000", ("my_service", 5000)),
    ],
)
def test_right_hosts(host: str, parts: tuple[str, int | None]) -> None:
    assert split_host(host) == parts
    assert is_valid_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "a b",
        "a:",
        ":80",
        "a:0",
        "a:080",
        "a:65536",
        "a:123456",
        "a:1\n",
        "a\n",
        "a/b",
        "a@b",
        "a,b",
        "\xe4",
        "::1",
        "[1.2.3.4]",
        "[z]",
        "[::1",
        "[::1]x",
        "a:\u0661",
        "a\0",
        "<a>",
    ],
)
def test_wrong_hosts(host: str) -> None:
    assert split_host(host) is None
    assert not is_valid_host(host)
    assert not host_is_trusted(host)
    assert request_host("http", host, None) == ""


@pytest.mark.parametrize(
    ("scheme", "port"), [("http", 80), ("ws", 80), ("https", 443), ("wss", 443)]
)
def test_the_port_of_the_scheme_is_left_out(scheme: str, port: int) -> None:
    assert request_host(scheme, f"a:{port}", None) == "a"
    assert request_host(scheme, f"[::1]:{port}", None) == "[::1]"
    assert request_host(scheme, None, ("a", port)) == "a"
    assert request_host(scheme, "a:8000", None) == "a:8000"
    assert request_host("ftp", f"a:{port}", None) == f"a:{port}"


@pytest.mark.parametrize(
    ("server", "host"),
    [
        (None, ""),
        (("/run/socket", None), ""),
        (("::1", 8000), "[::1]:8000"),
        (("[::1]", 8000), "[::1]:8000"),
        (("a b", 8000), ""),
    ],
)
def test_without_the_field_the_server_is_the_host(
    server: tuple[str, int | None] | None, host: str
) -> None:
    assert request_host("http", None, server) == host


def test_a_long_host_is_checked_as_well() -> None:
    assert request_host("http", "a" * 1000 + ":80", None) == "a" * 1000


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("a.test", ["a.test"]),
        ("a.test:8000", ["b.test", "a.test"]),
        ("A.Test", ["a.tesT:80"]),
        ("a.test", [".a.test"]),
        ("b.a.test", [".a.test:80"]),
        ("xn--bcher-kva.test", ["bücher.test"]),
        ("b.xn--bcher-kva.test", [".bücher.test"]),
        ("[::1]:80", ["::1"]),
        ("[::1]", ["[::1]:80"]),
        ("a.test", []),
        ("a.test", None),
        ("a.test", "a.test"),
    ],
)
def test_trusted_hosts(host: str, trusted: list[str] | None) -> None:
    assert host_is_trusted(host, trusted)


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("b.a.test", ["a.test"]),
        ("ba.test", [".a.test"]),
        ("a.test.evil", ["a.test", ".a.test"]),
        ("evil@a.test", ["a.test"]),
        ("evil/.a.test", [".a.test"]),
        ("a.test", ["", "."]),
        ("a.test", ["\u2603" * 64, "ä..b"]),
        (None, ["a.test"]),
        ("", ["a.test"]),
        ("[::2]", ["[::1]"]),
    ],
)
def test_untrusted_hosts(host: str | None, trusted: list[str]) -> None:
    assert not host_is_trusted(host, trusted)


@given(st.text(), st.lists(st.text(), min_size=1))
def test_any_text_is_trusted_or_not(host: str, trusted: list[str]) -> None:
    assert host_is_trusted(host, trusted) in {True, False}
