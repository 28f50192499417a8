"""What the development server says of itself."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest

import stein
from stein.serving import announcement
from stein.serving.announcement import announce, reachable
from stein.serving.devserver import BaseWSGIServer, make_server
from tests.serving.devserving import app

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("silent")


def urls(host: str) -> list[str]:
    with make_server(host, 0, app) as server:
        return [url.replace(str(server.port), "PORT") for url in reachable(server)]


def test_two_lines_are_enough(capsys: pytest.CaptureFixture[str]) -> None:
    with make_server("127.0.0.1", 0, app) as server:
        announce(server)
        assert capsys.readouterr().err == (
            f" * Running on http://127.0.0.1:{server.port}\n"
            f"   stein {stein.__version__}, 1 thread, one request at a time; "
            "press Ctrl-C to stop\n"
        )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threaded": True}, "up to 64 requests at once"),
        ({"processes": 3}, "3 processes, one request at a time in each"),
    ],
)
def test_how_requests_are_run_is_told(
    options: dict[str, int], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with make_server("127.0.0.1", 0, app, **options) as server:  # type: ignore[arg-type]
        announce(server)
    assert f"{words}; press" in capsys.readouterr().err


def test_debug_mode_is_told_to_be_for_this_machine_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with make_server("127.0.0.1", 0, app) as server:
        announce(server, debug=True)
    assert re.search(r"this machine alone\. In production: stein serve\n", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("outside", "found"),
    [
        ("203.0.113.9", ["http://127.0.0.1:PORT", "http://203.0.113.9:PORT"]),
        ("127.0.0.1", ["http://127.0.0.1:PORT"]),
    ],
)
def test_all_addresses_are_told_as_those_one_can_type(
    outside: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcement, "get_interface_ip", lambda _family: outside)
    assert urls("0.0.0.0") == found


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6 here")
def test_a_machine_may_be_reached_by_ipv6_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "2001:db8::7"}
    monkeypatch.setattr(announcement, "get_interface_ip", own.__getitem__)
    assert urls("::") == ["http://127.0.0.1:PORT", "http://[2001:db8::7]:PORT"]


def test_a_unix_socket_and_tls_are_told(tmp_path: Path, pair: tuple[str, str]) -> None:
    path = tmp_path / "a.sock"
    with BaseWSGIServer(f"unix://{path}", 0, app) as server:
        assert reachable(server) == [f"unix:{path}"]
    with BaseWSGIServer("127.0.0.1", 0, app, ssl_context=pair) as server:
        assert reachable(server) == [f"https://127.0.0.1:{server.port}"]
