"""What stands between a request and the consoles; each check by itself."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from stein.toolkit.debugger.guard import find_obstacle, foreign_origin, is_local, resolved

HOSTS = [".localhost", "127.0.0.1", "[::1]"]


def environ(**more: Any) -> dict[str, Any]:
    return {
        "HTTP_HOST": "127.0.0.1:5000",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.multiprocess": False,
        "wsgi.url_scheme": "http",
        **more,
    }


def obstacle(bound_to: Any = (), *, remote: Any = False, **more: Any) -> str | None:
    found = find_obstacle(environ(**more), HOSTS, bound_to, allow_remote=remote)
    return found and found.kind


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:80", "shop.localhost", "[::1]:5000"])
def test_who_sits_here_may(host: str) -> None:
    assert obstacle(HTTP_HOST=host) is None


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil", "10.0.0.5", "\x00"]
)
def test_a_foreign_host_may_not(host: str) -> None:
    assert obstacle(HTTP_HOST=host) == "host"


def test_no_trusted_host_is_nobody() -> None:
    found = find_obstacle(environ(), [])
    assert found is not None
    assert found.kind == "host"
    assert found.hides_values
    assert "there are none" in found.text


@pytest.mark.parametrize(
    "name",
    [
        "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST",
        "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "werkzeug.proxy_fix.orig",
    ],
)  # fmt: skip
@pytest.mark.parametrize("remote", [True, False])
def test_behind_a_proxy_nobody_may(name: str, remote: bool) -> None:  # noqa: FBT001
    assert obstacle(**{name: ""}, remote=remote) == "proxy"


@pytest.mark.parametrize("address", ["10.0.0.5", "2001:db8::1", "::ffff:10.0.0.5", "garbage"])
def test_another_machine_may_only_if_it_is_said(address: str) -> None:
    assert obstacle(REMOTE_ADDR=address) == "address"
    assert obstacle(REMOTE_ADDR=address, remote=True) is None


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", "", "192.168.1.5"])
def test_a_server_that_others_can_reach_has_no_consoles(bound: str) -> None:
    assert obstacle(("127.0.0.1", bound)) == "bind"
    assert obstacle((bound,), remote=True) is None


@pytest.mark.parametrize("bound", ["127.0.0.1", "localhost", "::1", "unix:///tmp/socket"])
def test_a_server_for_this_machine_has(bound: str) -> None:
    assert obstacle((bound,)) is None


@pytest.mark.parametrize("remote", [True, False])
def test_several_processes_have_none(remote: bool) -> None:  # noqa: FBT001
    assert obstacle(remote=remote, **{"wsgi.multiprocess": True}) == "processes"


def test_values_are_hidden_from_strangers_only() -> None:
    kinds = {"host": True, "proxy": True, "address": True, "bind": False, "processes": False}
    cases: dict[str, dict[str, Any]] = {
        "host": {"HTTP_HOST": "x"},
        "proxy": {"HTTP_VIA": "x"},
        "address": {"REMOTE_ADDR": "10.0.0.5"},
        "bind": {"bound_to": ("0.0.0.0",)},
        "processes": {"wsgi.multiprocess": True},
    }
    for kind, case in cases.items():
        bound = case.pop("bound_to", ())
        found = find_obstacle(environ(**case), HOSTS, bound)
        assert found is not None
        assert (found.kind, found.hides_values) == (kind, kinds[kind])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"HTTP_ORIGIN": "http://127.0.0.1:5000"},
        {"HTTP_SEC_FETCH_SITE": "same-origin"},
    ],
)
def test_a_page_of_ours_is_known(fields: dict[str, str]) -> None:
    assert foreign_origin(environ(**fields)) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"HTTP_ORIGIN": "http://evil.example"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": "https://127.0.0.1:5000"},
        {"HTTP_ORIGIN": "http://127.0.0.1:5001"},
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_SEC_FETCH_SITE": "same-site"},
        {"HTTP_SEC_FETCH_SITE": "none"},
    ],
)
def test_a_page_of_others_is_told(fields: dict[str, str]) -> None:
    found = foreign_origin(environ(**fields))
    assert found is not None
    assert found.kind == "origin"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "::1", "[::1]", "::ffff:127.0.0.1"),
        *("", "<local>", "unix:", "/tmp/s"),  # noqa: S108 - nothing is written there
    ],
)
def test_an_address_of_this_machine_is_local(address: str) -> None:
    assert is_local(address)


def test_names_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(name: str, port: None) -> list[Any]:
        if name == "unknown.test":
            raise socket.gaierror
        return [(2, 1, 6, "", ("127.0.1.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    names = ["", "localhost", "10.0.0.5", "mine.test", "unknown.test", "unix://x"]
    assert resolved(names) == ["", "localhost", "10.0.0.5", "127.0.1.1", "unknown.test", "unix://x"]
    assert obstacle(("127.0.1.1",)) is None
    assert obstacle(("unknown.test",)) == "bind"
