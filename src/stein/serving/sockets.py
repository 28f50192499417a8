"""Addresses as Werkzeug's server names them."""

from __future__ import annotations

import os
import socket
import ssl
import sys
from typing import Final

__all__ = [
    "LISTEN_QUEUE",
    "af_unix",
    "can_fork",
    "connection_dropped_errors",
    "get_interface_ip",
    "get_sockaddr",
    "is_ssl_error",
    "select_address_family",
]

LISTEN_QUEUE: Final = 128

#: ``None`` where there are no Unix sockets.
af_unix: Final = getattr(socket, "AF_UNIX", None)

can_fork: Final = hasattr(os, "fork")

#: What says that a client has gone.
connection_dropped_errors: Final = (ConnectionError, TimeoutError, ssl.SSLEOFError)

# Nobody's addresses (RFC 5737, RFC 3849): one that lies outside, to see which way leads there.
OUTSIDE: Final = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
LOOPBACK: Final = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


def select_address_family(host: str, port: int) -> socket.AddressFamily:  # noqa: ARG001 - Werkzeug's
    """Return the family of a host as ``run_simple`` takes it."""
    if host.startswith("unix://"):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def get_sockaddr(host: str, port: int, family: socket.AddressFamily) -> tuple[str, int] | str:
    """Return an address as :meth:`socket.socket.bind` takes it; a host nobody knows stays."""
    if family == af_unix:
        # An absolute path also works after the program has changed its folder.
        return os.path.abspath(host.removeprefix("unix://"))  # noqa: PTH100 - a text is wanted
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except socket.gaierror:
        return host, port
    return found[0][4]  # type: ignore[return-value] # of the family that was asked for


def get_interface_ip(family: socket.AddressFamily) -> str:
    """Return the address of this machine by which others reach it, or the loopback's.

    :param family: ``AF_INET`` or ``AF_INET6``.
    """
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing; the system only picks an address.
            probe.connect((OUTSIDE[family], 9))
            return str(probe.getsockname()[0])
        except OSError:
            return LOOPBACK[family]


def is_ssl_error(error: Exception | None = None) -> bool:
    """Whether an error, by default the one being handled, is one of TLS."""
    return isinstance(sys.exc_info()[1] if error is None else error, ssl.SSLError)
