"""What proxies say about the request that they forward, under a rule of trust.

Each proxy appends what it saw: ``X-Forwarded-For: client, proxy1`` reads "proxy1 asked me, and
told me that client had asked it".  Anybody can send such a field, so only the last values are to
be believed: as many as there are proxies of one's own, counted from the end.  The furthest of
these is the value that matters, as it was set by the proxy that faces the world.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from stein.http.hosts import split_host
from stein.http.lists import split_list
from stein.http.numbers import parse_int
from stein.http.options import PARAMETER, closing_quote, unquote_value

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Chain",
    "Origin",
    "Trust",
    "read_chain",
    "read_forwarded",
    "read_x_forwarded",
    "split_forwarded",
    "trusted_value",
]

# an address, a name, or what RFC 7239 6 has instead of them: unknown, _hidden
_NODE: Final = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)(?::([0-9]{1,5}|_[A-Za-z0-9._\-]+))?"
)
_BARE_IPV6: Final = re.compile(r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")
_PREFIX: Final = re.compile(r"/[^\0-\x20\x7f?#\\]*")
_SCHEMES: Final = frozenset({"http", "https", "ws", "wss"})


class Trust(NamedTuple):
    """How many proxies of one's own set each of the fields; 0 for a field that none sets."""

    for_: int = 1
    proto: int = 1
    host: int = 0
    port: int = 0
    prefix: int = 0
    forwarded: int = 0  #: RFC 7239's field, in place of the first three


class Origin(NamedTuple):
    """What may be believed about the request that the outermost proxy of one's own was sent.

    ``None`` stands for what is not known: nothing trusted says it, or it cannot be.
    """

    address: str | None = None  #: the client's; IPv6 without brackets
    scheme: str | None = None
    host: str | None = None  #: with its port, if it has one
    port: int | None = None
    prefix: str | None = None  #: where the proxy mounts the application


def trusted_value(value: str | None, trusted: int) -> str | None:
    """The value of a list that the outermost trusted proxy appended.

    :param value: the field; all of its lines joined by commas.
    :param trusted: how many proxies appended one each.
    :return: ``None`` if fewer did, or ``trusted`` is 0: who sent the field went around them.
    """
    if not value or trusted <= 0:
        return None
    values = split_list(value)
    return values[-trusted] if len(values) >= trusted else None


def read_x_forwarded(get: Callable[[str], str | None], trust: Trust) -> Origin:
    """Read the fields ``X-Forwarded-For``, ``-Proto``, ``-Host``, ``-Port`` and ``-Prefix``.

    :param get: gives a field by the last part of its name, for instance ``"For"``.
    """
    address = trusted_value(get("For"), trust.for_) if trust.for_ else None
    scheme = trusted_value(get("Proto"), trust.proto) if trust.proto else None
    host = trusted_value(get("Host"), trust.host) if trust.host else None
    port = trusted_value(get("Port"), trust.port) if trust.port else None
    prefix = trusted_value(get("Prefix"), trust.prefix) if trust.prefix else None
    return Origin(_address(address), _scheme(scheme), _host(host), _port(port), _prefix(prefix))


def read_forwarded(value: str | None, trusted: int) -> Origin:
    """Read the field ``Forwarded`` (RFC 7239).

    :param value: the field; all of its lines joined by commas.
    :param trusted: how many proxies of one's own append an element each.
    """
    elements = split_forwarded(value) if value and trusted > 0 else []
    if len(elements) < trusted or not elements:
        return Origin()
    element = elements[-trusted]
    host = _host(element.get("host"))
    parts = split_host(host) if host else None
    return Origin(
        _address(element.get("for")),
        _scheme(element.get("proto")),
        host,
        parts[1] if parts else None,
    )


def split_forwarded(value: str) -> list[dict[str, str]]:
    """Take ``Forwarded`` apart (RFC 7239 4).

    :return: the parameters of each element under lower-case names; of equal names in one element
        the first.  Nothing at all if any of it is malformed: elements are counted from the end,
        and a proxy could be taken for another.
    """
    elements: list[dict[str, str]] = [{}]
    position, length = 0, len(value)
    while position < length:
        match = PARAMETER.match(value, position)
        if match is not None:
            name, text = match[1].lower(), match[2]
            position = match.end()
            if text is None:
                end = closing_quote(value, position)
                if end == -1:
                    return []
                text = unquote_value(value[position - 1 : end + 1])
                position = end + 1
            elements[-1].setdefault(name, text)
        while position < length and value[position] in " \t":
            position += 1
        if position == length:
            break
        if value[position] == ",":
            elements.append({})
        elif value[position] != ";":
            return []
        position += 1
    return [element for element in elements if element]


class Chain(NamedTuple):
    """What may be believed of a request that came through proxies known by their addresses."""

    origin: Origin
    #: the fields, by the last part of their names (``"For"``), as far as they are believed; those
    #: in front, which anybody could have put there, are cut off
    kept: dict[str, str]


def read_chain(
    get: Callable[[str], str | None],
    believed: frozenset[str],
    trusts: Callable[[str], bool],
) -> Chain:
    """Read what trusted proxies say, from the one that asks to the one that faces the world.

    Where :class:`Trust` counts proxies, here each is known by its address: the last value of
    ``X-Forwarded-For`` is whom the asking proxy was asked by; if that is a trusted proxy, too, the
    one before is whom it was asked by, and so on.  Where the first is reached that is no proxy, the
    other fields are read at the same place; one that has fewer values was set by the outermost.

    :param get: gives a field by the last part of its name: ``"For"``; ``"Forwarded"`` in full.
    :param believed: the fields that trusted proxies set, by the same names.
    :param trusts: whether an address is that of a trusted proxy.
    """
    elements: list[dict[str, str]] = []
    if "Forwarded" in believed:
        elements = split_forwarded(get("Forwarded") or "")
    nodes = [each.get("for", "") for each in elements]
    if not elements and "For" in believed:
        nodes = split_list(get("For") or "")
    address, hops = _walk(nodes, trusts)
    kept: dict[str, str] = {}

    def pick(name: str) -> str | None:
        values = split_list(get(name) or "") if name in believed else []
        if not values:
            return None
        kept[name] = values[-hops] if hops <= len(values) else values[0]
        return kept[name]

    port, prefix = _port(pick("Port")), _prefix(pick("Prefix"))
    if not elements:
        if nodes:
            kept["For"] = ", ".join(nodes[-hops:])
        origin = Origin(address, _scheme(pick("Proto")), _host(pick("Host")), port, prefix)
        return Chain(origin, kept)
    kept["Forwarded"] = get("Forwarded") or ""
    element = elements[-hops] if hops <= len(elements) else elements[0]
    host = _host(element.get("host"))
    parts = split_host(host) if host else None
    port = parts[1] if parts and parts[1] is not None else port
    return Chain(Origin(address, _scheme(element.get("proto")), host, port, prefix), kept)


def _walk(nodes: list[str], trusts: Callable[[str], bool]) -> tuple[str | None, int]:
    """The address of the first that is no trusted proxy, and its place from the end."""
    address, hops = None, 1
    for place, node in enumerate(reversed(nodes), 1):
        found = _address(node)
        if found is None:  # hidden, or nonsense: what is in front of it nobody vouches for
            break
        address, hops = found, place
        if not trusts(found):
            break
    return address, hops


def _address(node: str | None) -> str | None:
    """A client's address without its port; ``None`` if it is hidden, unknown or none."""
    if not node:
        return None
    if _BARE_IPV6.fullmatch(node) is not None:
        return node
    match = _NODE.fullmatch(node)
    if match is None:
        return None
    name: str = match[1]
    if name[0] == "[":
        return name[1:-1]
    return None if name[0] == "_" or name.lower() == "unknown" else name


def _scheme(text: str | None) -> str | None:
    scheme = (text or "").lower()
    return scheme if scheme in _SCHEMES else None


def _host(text: str | None) -> str | None:
    return text if text and split_host(text) is not None else None


def _port(text: str | None) -> int | None:
    number = parse_int(text or "")
    return number if number is not None and 0 < number <= 65535 else None


def _prefix(text: str | None) -> str | None:
    """A path to put in front of others; two slashes would make its first part a host."""
    if text is None or text[:2] == "//" or _PREFIX.fullmatch(text) is None:
        return None
    return text.rstrip("/")
