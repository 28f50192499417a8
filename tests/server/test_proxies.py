"""Proxies are believed by their address, nobody else; application and observers see the same."""

from __future__ import annotations

import logging
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from stein.server import Settings
from stein.server.proxies import Proxies
from tests.server.client import Client, request, serving, until

if TYPE_CHECKING:
    from pathlib import Path

    from stein.http.exchange import Exchange
    from tests.server.certificates import Certificates

SPOOFED = (
    "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example",
    "X-Forwarded-Port: 666", "X-Forwarded-Prefix: /evil", "Forwarded: for=6.6.6.6;proto=https",
)  # fmt: skip
NAMES = ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SCRIPT_NAME", "HTTPS")
HEADER = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with what is to be seen of the client."""
    rows = [f"{name}={environ.get(name, '-')}" for name in NAMES]
    rows += [
        f"{key}={value}" for key, value in sorted(environ.items()) if "FORWARDED" in key
    ]  # fmt: skip
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["\n".join(rows).encode()]


def rows(body: bytes) -> dict[str, str]:
    return dict(row.partition("=")[::2] for row in body.decode().splitlines())


class Seen:
    """Notes the clients of exchanges, as an observer is told."""

    def __init__(self) -> None:
        self.peers: list[str] = []

    def __call__(self, exchanges: Any) -> None:
        each: Exchange
        for each in exchanges:
            assert each.connection.id
            self.peers.append(each.connection.peer)


def test_without_trusted_proxies_nothing_is_believed_and_nothing_dropped() -> None:
    with serving(application) as server, Client.to(server) as client:
        found = rows(client.ask("/", *SPOOFED).body)
    assert found["REMOTE_ADDR"] == "127.0.0.1"
    assert found["wsgi.url_scheme"] == "http"
    assert found["HTTP_X_FORWARDED_FOR"] == "6.6.6.6"


def test_fields_from_an_untrusted_peer_change_nothing_and_are_dropped() -> None:
    seen = Seen()
    with serving(application, seen, trusted_proxies=("10.0.0.0/8",)) as server:
        with Client.to(server) as client:
            plain = rows(client.ask("/").body)
            found = rows(client.ask("/", *SPOOFED).body)
        until(lambda: len(seen.peers) == 2)
    assert found == plain
    assert seen.peers == ["127.0.0.1"] * 2


@pytest.mark.parametrize("trusted", ["127.0.0.1", "127.0.0.0/8", "::ffff:127.0.0.1/128", "*"])
def test_a_trusted_proxy_says_who_the_client_is(trusted: str) -> None:
    seen = Seen()
    proxies = ("10.0.0.0/8", trusted) if trusted[0] != ":" else ("127.0.0.1",)
    fields = ("X-Forwarded-For: 6.6.6.6, 192.0.2.7", "X-Forwarded-Proto: https")
    with serving(application, seen, trusted_proxies=proxies) as server:
        with Client.to(server) as client:
            found = rows(client.ask("/", *fields).body)
            again = rows(client.ask("/", *fields).body)
            third = rows(client.ask("/", *fields).body)
            other = rows(client.ask("/", "X-Forwarded-For: 192.0.2.8").body)
            none = rows(client.ask("/").body)
        until(lambda: len(seen.peers) == 5)
    assert found == again == third
    assert found["REMOTE_ADDR"] == "192.0.2.7"
    assert found["wsgi.url_scheme"] == "https"
    assert found["HTTPS"] == "on"
    assert found["HTTP_HOST"] == "test"
    assert found["HTTP_X_FORWARDED_FOR"] == "192.0.2.7"
    assert (other["REMOTE_ADDR"], other["wsgi.url_scheme"]) == ("192.0.2.8", "http")
    assert none["REMOTE_ADDR"] == "127.0.0.1"
    assert sorted(seen.peers) == ["127.0.0.1", *["192.0.2.7"] * 3, "192.0.2.8"]


def test_only_the_fields_that_proxies_set_are_believed() -> None:
    settings = {"trusted_proxies": ("127.0.0.1",), "proxy_headers": ("x-forwarded-proto",)}
    with serving(application, **settings) as server, Client.to(server) as client:
        found = rows(client.ask("/", *SPOOFED[:3]).body)
    assert (found["REMOTE_ADDR"], found["wsgi.url_scheme"]) == ("127.0.0.1", "https")
    assert found["HTTP_HOST"] == "test"
    assert found["HTTP_X_FORWARDED_HOST"] == "evil.example"  # for the application to judge


@pytest.mark.parametrize("trusted", ["127.0.0.1", "10.0.0.0/8"])
def test_fields_may_be_left_to_the_application_as_they_came(trusted: str) -> None:
    fields = ("X-Forwarded-For: 6.6.6.6, 192.0.2.7", "X-Forwarded-Proto: http, https", SPOOFED[-1])
    settings = {
        "trusted_proxies": (trusted,), "drop_forwarded": False,
        "proxy_headers": ("x-forwarded-for", "x-forwarded-proto"),
    }  # fmt: skip
    with serving(application, **settings) as server, Client.to(server) as client:
        found = rows(client.ask("/", *fields).body)
    assert found["HTTP_X_FORWARDED_FOR"] == "6.6.6.6, 192.0.2.7"
    assert found["HTTP_X_FORWARDED_PROTO"] == "http, https"
    assert found["HTTP_FORWARDED"] == "for=6.6.6.6;proto=https"
    believed = trusted == "127.0.0.1"
    assert found["REMOTE_ADDR"] == ("192.0.2.7" if believed else "127.0.0.1")
    assert found["wsgi.url_scheme"] == ("https" if believed else "http")


def test_all_that_a_proxy_can_say() -> None:
    fields = (
        "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example",
        "X-Forwarded-Port: 8443", "X-Forwarded-Prefix: /shop",
    )  # fmt: skip
    names = tuple(field.partition(":")[0] for field in fields)
    settings = {"trusted_proxies": ("127.0.0.1",), "proxy_headers": names}
    with serving(application, **settings) as server, Client.to(server) as client:
        found = rows(client.ask("/", *fields).body)
    assert found["HTTP_HOST"] == "shop.example:8443"
    assert found["SCRIPT_NAME"] == "/shop"


def test_forwarded_in_full() -> None:
    settings = {"trusted_proxies": ("127.0.0.1",), "proxy_headers": ("forwarded",)}
    field = 'Forwarded: for="[2001:db8::7]:4711";proto=https;host=shop.example'
    with serving(application, **settings) as server, Client.to(server) as client:
        found = rows(client.ask("/", field).body)
        downgraded = rows(client.ask("/", "Forwarded: for=192.0.2.7;proto=http").body)
    assert (found["REMOTE_ADDR"], found["HTTP_HOST"]) == ("2001:db8::7", "shop.example")
    assert (found["wsgi.url_scheme"], found["HTTPS"]) == ("https", "on")
    assert (downgraded["wsgi.url_scheme"], downgraded["HTTPS"]) == ("http", "-")


def test_a_field_longer_than_what_is_remembered() -> None:
    value = ", ".join(["6.6.6.6"] * 100 + ["192.0.2.7"])
    settings = {"trusted_proxies": ("127.0.0.1",)}
    with serving(application, **settings) as server, Client.to(server) as client:
        found = rows(client.ask("/", f"X-Forwarded-For: {value}").body)
    assert found["REMOTE_ADDR"] == found["HTTP_X_FORWARDED_FOR"] == "192.0.2.7"


@pytest.mark.parametrize(("trusted", "address"), [("unix", "192.0.2.7"), ("127.0.0.1", "")])
def test_who_comes_by_a_unix_socket(tmp_path: Path, trusted: str, address: str) -> None:
    path = tmp_path / "s"
    with serving(application, bind=(f"unix:{path}",), trusted_proxies=(trusted,)):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        with Client(sock) as client:
            found = rows(client.ask("/", "X-Forwarded-For: 192.0.2.7").body)
    assert found["REMOTE_ADDR"] == address


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("fd00::1%eth0", True),
        ("unix:", True),
        ("x", False),
    ],
)
def test_networks(peer: str, trusted: bool) -> None:  # noqa: FBT001
    proxies = Proxies.of(Settings(trusted_proxies=("10.0.0.1/8", "fd00::/8", "unix")))
    assert proxies is not None
    assert proxies.trusts(peer) is trusted


# -- the PROXY protocol ---------------------------------------------------------------------------

PROXIED = {"trusted_proxies": ("127.0.0.1",), "proxy_protocol": True}


@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize("threads", [1, 4])
def test_a_proxy_header_says_who_the_client_is(threads: int) -> None:
    seen = Seen()
    with serving(application, seen, threads=threads, **PROXIED) as server:
        with Client.to(server) as client:
            client.send(HEADER + request("/", *SPOOFED))
            found = rows(client.answer().body)
            again = rows(client.ask("/").body)
        until(lambda: len(seen.peers) == 2)
    assert found == again  # what the client says of itself is dropped
    assert found["REMOTE_ADDR"] == "192.0.2.7"
    assert seen.peers == ["192.0.2.7"] * 2


@pytest.mark.usefixtures("no_leaks")
def test_a_header_that_comes_byte_by_byte() -> None:
    with serving(application, **PROXIED) as server, Client.to(server) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in HEADER + request():
            client.send(bytes([number]))
        assert rows(client.answer().body)["REMOTE_ADDR"] == "192.0.2.7"


def test_a_proxy_that_speaks_for_itself_keeps_its_address() -> None:
    local = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
    with serving(application, **PROXIED) as server, Client.to(server) as client:
        client.send(local + request("/", "X-Forwarded-For: 192.0.2.9"))
        assert rows(client.answer().body)["REMOTE_ADDR"] == "192.0.2.9"


def test_the_header_says_that_the_client_spoke_tls() -> None:
    body = bytes([192, 0, 2, 7, 198, 51, 100, 1, 1, 1, 1, 187]) + b"\x20\0\5\1\0\0\0\0"
    header = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + len(body).to_bytes(2, "big") + body
    with serving(application, **PROXIED) as server, Client.to(server) as client:
        client.send(header + request())
        found = rows(client.answer().body)
    assert (found["wsgi.url_scheme"], found["HTTPS"]) == ("https", "on")


def test_tls_begins_behind_the_header(certificates: Certificates) -> None:
    files = {
        "certfile": str(certificates.localhost),
        "keyfile": str(certificates.key_of(certificates.localhost)),
    }
    with serving(application, **PROXIED, **files) as server:
        sock = socket.create_connection((server.host, server.port), 10)
        sock.sendall(HEADER)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(certificates.localhost)
        wrapped = context.wrap_socket(sock, server_hostname="localhost")
        with Client(wrapped) as client:
            assert rows(client.ask("/").body)["REMOTE_ADDR"] == "192.0.2.7"


@pytest.mark.usefixtures("no_leaks")
def test_a_trusted_proxy_without_a_header_is_turned_away_and_blamed_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "stein.error"), serving(application, **PROXIED) as server:
        for _ in range(3):
            with Client.to(server) as client:
                client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                with pytest.raises((EOFError, ConnectionError)):
                    client.answer()
        with Client.to(server) as client:
            client.send(b"PROXY TCP4 1.1.1.1 1.1.1.1 1 99999\r\n")
            with pytest.raises((EOFError, ConnectionError)):
                client.answer()
    messages = [each.getMessage() for each in caplog.records if "PROXY" in each.getMessage()]
    assert messages == [
        (
            "connection from the proxy 127.0.0.1 refused: no PROXY header, but "
            "b'GET / HTTP/1.1\\r\\nHost: x\\r' (setting: proxy_protocol)"
        )
    ]


def test_a_proxy_header_from_an_untrusted_peer_is_no_request() -> None:
    settings = {"trusted_proxies": ("10.0.0.1",), "proxy_protocol": True}
    with serving(application, **settings) as server:
        with Client.to(server) as client:
            client.send(HEADER + request())
            assert client.answer().status == 400
        with Client.to(server) as client:
            assert rows(client.ask("/", *SPOOFED).body)["REMOTE_ADDR"] == "127.0.0.1"


def test_everybody_means_those_who_connect_not_their_clients() -> None:
    settings = {"trusted_proxies": ("*",), "proxy_protocol": True}
    with serving(application, **settings) as server, Client.to(server) as client:
        client.send(HEADER + request("/", "X-Forwarded-For: 6.6.6.6"))
        assert rows(client.answer().body)["REMOTE_ADDR"] == "192.0.2.7"


@pytest.mark.usefixtures("no_leaks")
def test_a_proxy_that_says_nothing_has_the_time_of_a_head_and_no_more() -> None:
    with serving(application, head_timeout=0.05, **PROXIED) as server:
        with Client.to(server) as silent, Client.to(server) as slow:
            slow.send(b"PROXY TCP4 ")
            for client in (silent, slow):
                with pytest.raises((EOFError, ConnectionError)):
                    client.answer()
        gone = Client.to(server)
        gone.reset()


@pytest.mark.usefixtures("no_leaks")
def test_a_stop_does_not_wait_for_proxies_that_say_nothing() -> None:
    with serving(application, **PROXIED) as server, Client.to(server) as client:
        client.send(b"PROXY ")
        until(lambda: server._engine.greetings._waiting)  # type: ignore[union-attr]
        server.stop()
        with pytest.raises((EOFError, ConnectionError)):
            client.answer()
