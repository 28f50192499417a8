"""Addresses as Werkzeug's server names them."""

from __future__ import annotations

import os
import socket
import ssl
from typing import TYPE_CHECKING

from stein.serving import sockets

if TYPE_CHECKING:
    import pytest


def test_the_family_is_told_by_the_host() -> None:
    assert sockets.select_address_family("unix:///x", 0) == socket.AF_UNIX
    assert sockets.select_address_family("::1", 80) == socket.AF_INET6
    assert sockets.select_address_family("localhost", 80) == socket.AF_INET
    assert sockets.af_unix == socket.AF_UNIX
    assert sockets.can_fork is hasattr(os, "fork")


def test_an_address_is_one_that_can_be_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sockets.get_sockaddr("127.0.0.1", 80, socket.AF_INET) == ("127.0.0.1", 80)
    assert sockets.get_sockaddr("unix://./x", 0, socket.AF_UNIX) == os.path.abspath("x")  # noqa: PTH100

    def unknown(*_: object) -> None:
        raise socket.gaierror("unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert sockets.get_sockaddr("no.such", 80, socket.AF_INET) == ("no.such", 80)


def test_the_address_in_the_net_is_one_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert socket.inet_aton(sockets.get_interface_ip(socket.AF_INET))

    def refuse(_self: object, _address: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert sockets.get_interface_ip(socket.AF_INET) == "127.0.0.1"
    assert sockets.get_interface_ip(socket.AF_INET6) == "::1"


def test_an_error_of_tls_is_known() -> None:
    assert sockets.is_ssl_error(ssl.SSLError())
    assert not sockets.is_ssl_error(ValueError())
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers("none")
    except ssl.SSLError:
        assert sockets.is_ssl_error()
    assert not sockets.is_ssl_error()
    assert issubclass(ConnectionResetError, sockets.connection_dropped_errors)
