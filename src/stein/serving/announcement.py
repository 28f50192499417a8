"""What a development server says of itself at its start: where, how, and what not to do."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from typing import TYPE_CHECKING, Final

import click

import stein
from stein.server.listeners import address_of
from stein.serving.logs import may_colour
from stein.serving.sockets import get_interface_ip

if TYPE_CHECKING:
    from stein.serving.devserver import BaseWSGIServer

__all__ = ["announce", "reachable"]

EVERYWHERE: Final = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}  # noqa: S104 - compared only


def announce(server: BaseWSGIServer, *, debug: bool = False) -> None:
    """Say where the server can be reached, and what holds for it.

    :param debug: whether errors are shown in the browser, with a console.
    """
    strong = may_colour(sys.stderr, os.environ)
    for url in reachable(server):
        click.echo(f" * Running on {click.style(url, bold=True) if strong else url}", err=True)
    click.echo(f"   stein {stein.__version__}, {model(server)}; press Ctrl-C to stop", err=True)
    if debug:
        click.echo(
            "   Debug mode runs whatever is typed into its pages: for this machine alone. "
            "In production: stein serve",
            err=True,
        )


def model(server: BaseWSGIServer) -> str:
    """Return how requests are run, in words."""
    if server.multiprocess:
        return f"{server.processes} processes, one request at a time in each"
    count = server.settings.threads
    return "1 thread, one request at a time" if count == 1 else f"up to {count} requests at once"


def reachable(server: BaseWSGIServer) -> list[str]:
    """Return the addresses to type into a browser; for "all addresses" these and one in the net."""
    scheme = "http" if server.ssl_context is None else "https"
    url = address_of(server.socket, scheme)
    host = str(server.server_address[0])
    family = EVERYWHERE.get(host)
    if family is None:
        return [url]
    found = [f"{scheme}://127.0.0.1:{server.port}"]
    outside = get_interface_ip(socket.AF_INET)
    if family == socket.AF_INET6 and ipaddress.ip_address(outside).is_loopback:
        outside = get_interface_ip(family)
    address = ipaddress.ip_address(outside.partition("%")[0])
    if not address.is_loopback:
        shown = f"[{outside}]" if address.version == 6 else outside
        found.append(f"{scheme}://{shown}:{server.port}")
    return found
