"""Which host a request is for, and whether that may be believed (RFC 9110 7.2)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["host_is_trusted", "is_valid_host", "request_host", "split_host"]

_LONGEST_REMEMBERED: Final = 255

# A name or IPv4 address, or an IPv6 address in brackets; then the port.  The underscore belongs in
# no host name of DNS, but in those that Docker and Kubernetes give.
_HOST: Final = re.compile(
    r"([A-Za-z0-9._\-]+|\[[A-Fa-f0-9]*:[A-Fa-f0-9.:]+\])(?::([1-9][0-9]{0,4}))?"
)
_DEFAULT_PORTS: Final = {"http": ":80", "ws": ":80", "https": ":443", "wss": ":443"}


def split_host(host: str) -> tuple[str, int | None] | None:
    """Take ``host:port`` apart.

    :return: the name or address as it was written, IPv6 in brackets, and the port; ``None`` if a
        character or the port cannot be.
    """
    match = _HOST.fullmatch(host)
    if match is None:
        return None
    name, port = match.groups()
    if port is None:
        return name, None
    number = int(port)
    return (name, number) if number <= 65535 else None


def is_valid_host(host: str) -> bool:
    """Whether a text has the characters of ``host`` or ``host:port``."""
    return split_host(host) is not None


def host_is_trusted(hostname: str | None, trusted_list: Collection[str] | None = None) -> bool:
    """Whether a host is well-formed and one of those that one answers for.

    :param hostname: ``host`` or ``host:port``.
    :param trusted_list: names, with all their subdomains where a dot stands in front.  A port is
        ignored, and upper and lower case are the same; names beyond ASCII are encoded.  If there
        are none, every well-formed host is trusted.
    """
    parts = split_host(hostname) if hostname else None
    if parts is None:
        return False
    if not trusted_list:
        return True
    name = parts[0].lower()
    patterns = (trusted_list,) if isinstance(trusted_list, str) else trusted_list
    for each in patterns:
        pattern = _pattern(each)
        if name == pattern or (
            pattern[:1] == "." and (name.endswith(pattern) or name == pattern[1:])
        ):
            return True
    return False


@lru_cache(maxsize=256)
def _pattern(trusted: str) -> str:
    """A trusted name without its port, in lower case and ASCII; empty if it fits nothing."""
    dot = "." if trusted[:1] == "." else ""
    name = trusted.removeprefix(".")
    if name[:1] == "[":
        name = name.partition("]")[0] + "]"
    elif name.count(":") < 2:
        name = name.partition(":")[0]
    else:
        name = f"[{name}]"
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return f"{dot}{name.lower()}" if name else ""


def request_host(scheme: str, field: str | None, server: tuple[str, int | None] | None) -> str:
    """The host of a request, without the port that the scheme has anyway.

    :param field: the Host field; ``None`` if there was none.
    :param server: where the server listens, for requests without the field: address and port, or
        a path and ``None`` for a Unix socket, which makes no host.
    :return: empty if nothing is known, or what is known cannot be a host.
    """
    if field is None:
        if server is None or server[1] is None:
            return ""
        address, port = server
        if ":" in address and address[:1] != "[":
            address = f"[{address}]"
        field = f"{address}:{port}"
    # PERF: checking the same host for each request takes 1 us, remembering it 0.1.
    if len(field) <= _LONGEST_REMEMBERED:
        return _remembered(scheme, field)
    return _checked(scheme, field)


def _checked(scheme: str, host: str) -> str:
    """The host without its scheme's port, or nothing."""
    default = _DEFAULT_PORTS.get(scheme)
    if default is not None:
        host = host.removesuffix(default)
    return host if is_valid_host(host) else ""


_remembered = lru_cache(maxsize=256)(_checked)
