"""Who may run code in the debugger: only somebody who sits at this machine, in this program's page.

Whoever reaches a console owns the machine's user.  So before the PIN is even asked for, all of
this must hold; each check is against a way in that has been used:

- **Host** is a trusted one.  A page of an attacker may give its own name our address (DNS
  rebinding) and then is of our origin in the browser's eyes, but the name gives it away.
- **Origin** and **Sec-Fetch-Site** say that the request is from a page of ours (forged requests).
- **No proxy** has passed the request on: then the address of the client is the proxy's, and a
  development machine behind a tunnel looks as if everybody were sitting at it.
- **The address** of the client and the one that we listen on are of this machine only, unless
  ``allow_remote`` (or ``STEIN_DEBUG_REMOTE=1``) says that others are welcome.
- **One process**: with several, the frame that the page shows lives in another one, most times.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final, NamedTuple

from stein.http.hosts import host_is_trusted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from stein.typing import Environ

__all__ = ["Obstacle", "find_obstacle", "foreign_origin", "is_local", "origin_of", "resolved"]

#: Fields and entries that only a proxy, or something that undoes one, leaves behind.
PROXY_MARKS: Final = {
    "HTTP_FORWARDED": "Forwarded",
    "HTTP_VIA": "Via",
    "HTTP_X_FORWARDED_FOR": "X-Forwarded-For",
    "HTTP_X_FORWARDED_HOST": "X-Forwarded-Host",
    "HTTP_X_FORWARDED_PROTO": "X-Forwarded-Proto",
    "HTTP_X_REAL_IP": "X-Real-IP",
    "werkzeug.proxy_fix.orig": "what ProxyFix was given",
}


class Obstacle(NamedTuple):
    """Why no code may be run."""

    kind: str  #: ``host``, ``origin``, ``proxy``, ``address``, ``bind`` or ``processes``
    text: str  #: value, cause, and what to do

    @property
    def hides_values(self) -> bool:
        """Whether the values of variables, too, are nothing for whoever asks."""
        return self.kind in {"host", "proxy", "address"}


def find_obstacle(
    environ: Environ,
    trusted_hosts: Collection[str],
    bound_to: Collection[str] = (),
    *,
    allow_remote: bool = False,
) -> Obstacle | None:
    """Return what forbids to run code for this request, or ``None``.

    :param environ: of the request (PEP 3333).
    :param trusted_hosts: names for the Host field, as :func:`~stein.http.hosts.host_is_trusted`
        takes them; unlike there, none trusts nobody.
    :param bound_to: the addresses that the server listens on, if they are known.
    :param allow_remote: others than this machine are welcome.
    """
    host = environ.get("HTTP_HOST", "")
    if not trusted_hosts or not host_is_trusted(host, trusted_hosts):
        return Obstacle(
            "host",
            f"The page was asked for as {host!r}, which is none of the trusted hosts "
            f"({', '.join(trusted_hosts) or 'there are none'}). Open it as 127.0.0.1 or localhost, "
            "or add the name to DebuggedApplication.trusted_hosts.",
        )
    for name, shown in PROXY_MARKS.items():
        if name in environ:
            return Obstacle(
                "proxy",
                f"The request came through a proxy ({shown}), which hides who asks. Open the "
                "address of the development server itself.",
            )
    if allow_remote:
        return _processes(environ)
    client = environ.get("REMOTE_ADDR") or ""
    if not is_local(client):
        return Obstacle(
            "address",
            f"The client {client} is not on this machine. In a container or for a second device "
            "of yours, set STEIN_DEBUG_REMOTE=1: then whoever has the PIN can run code here.",
        )
    for address in bound_to:
        if not address or not is_local(address):
            return Obstacle(
                "bind",
                f"The server listens on {address or 'all addresses'}, where others than this "
                "machine can reach it. Let it listen on 127.0.0.1, or set STEIN_DEBUG_REMOTE=1.",
            )
    return _processes(environ)


def _processes(environ: Environ) -> Obstacle | None:
    if not environ.get("wsgi.multiprocess"):
        return None
    return Obstacle(
        "processes",
        "The server runs several processes, and this traceback lives in one of them. Run it with "
        "one process (processes=1) to have consoles.",
    )


def foreign_origin(environ: Environ) -> Obstacle | None:
    """Return what is wrong if the request is not from a page of ours.

    :param environ: of a request that would do something.
    """
    site = environ.get("HTTP_SEC_FETCH_SITE", "same-origin")
    origin = environ.get("HTTP_ORIGIN")
    own = origin_of(environ)
    if site == "same-origin" and origin in {None, own}:
        return None
    shown = origin if origin not in {None, own} else f"Sec-Fetch-Site: {site}"
    return Obstacle("origin", f"The request is from another page ({shown}), not from {own}.")


def origin_of(environ: Environ) -> str:
    """Return the origin that a request was sent to: scheme, host and port."""
    return f"{environ.get('wsgi.url_scheme', 'http')}://{environ.get('HTTP_HOST', '')}"


def resolved(names: Iterable[str]) -> list[str]:
    """Return the addresses that names stand for; what is none stays as it is.

    :param names: names of hosts, addresses, or paths of Unix sockets, to be listened on.
    """
    found: list[str] = []
    for name in names:
        if not name or is_local(name) or name.strip("[]").replace(".", "").isdecimal():
            found.append(name)
            continue
        try:
            found += [str(each[4][0]) for each in socket.getaddrinfo(name, None)]
        except OSError:
            found.append(name)
    return found


def is_local(address: str) -> bool:
    """Whether an address, or ``localhost``, can be reached from this machine only.

    :param address: empty, ``<local>`` (what Werkzeug's request handlers call it) and ``unix:...``
        are a Unix socket, or a call within this process.
    """
    if address in {"", "<local>", "localhost"} or address.startswith(("unix:", "/")):
        return True
    try:
        parsed = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return address.endswith(".localhost")
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback
