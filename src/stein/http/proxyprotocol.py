"""The PROXY protocol, versions 1 and 2: what a proxy says of its client before the first byte.

The header is short and comes in one piece, nearly always; behind it follows what the client sent,
which may be TLS.  So :func:`header_part` tells how many of the bytes at hand belong to the header,
and the reader takes no more than these from the socket.

The protocol is described in HAProxy's ``doc/proxy-protocol.txt``.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from typing import Final, NamedTuple

from stein.errors import RequestError

__all__ = ["MOST", "ProxyHeader", "header_part", "read_header"]

#: The longest header that is read: with all extensions that proxies send it has a few hundred.
MOST: Final = 4096
#: The longest of version 1.
MOST_TEXT: Final = 107

_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_TEXT: Final = b"PROXY "
_FIXED: Final = 16  # bytes of version 2 in front of the addresses
_LINE: Final = re.compile(
    rb"PROXY TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})"
)
_LOCAL: Final = 0x20
_PROXY: Final = 0x21
#: By address family: its name, and how many bytes two addresses with their ports take.
_UNSPECIFIED: Final = 0x00
_TCP4: Final = 0x11
_TCP6: Final = 0x21
_UNIX: Final = 0x31
_SIZES: Final = {_UNSPECIFIED: 0, _TCP4: 12, _TCP6: 36, _UNIX: 216}
_TLV_TLS: Final = 0x20
_CLIENT_USED_TLS: Final = 0x01


class ProxyHeader(NamedTuple):
    """What a proxy said.

    ``client`` is ``None`` if the proxy speaks for itself (a health check) or does not know; then
    the connection's own address stands.
    """

    client: tuple[str, int] | None = None
    server: tuple[str, int] | None = None
    tls: bool = False  #: the client spoke TLS to the proxy


def header_part(data: bytes) -> int:
    """How many of these bytes belong to the header, as far as can be known.

    :param data: the first bytes of a connection, from the beginning.
    :raises RequestError: they are no header, or one that is too long.
    """
    if data[: len(_SIGNATURE)] == _SIGNATURE[: len(data)]:
        if len(data) < _FIXED:
            return len(data)
        size = _FIXED + int.from_bytes(data[14:16], "big")
        if size > MOST:
            raise RequestError(400, f"a PROXY header of {size} bytes; at most {MOST} are read")
        return min(len(data), size)
    if data[: len(_TEXT)] != _TEXT[: len(data)]:
        raise RequestError(400, f"no PROXY header, but {data[:24]!a}")
    end = data.find(b"\r\n", 0, MOST_TEXT) + 2
    if end > 1:
        return end
    if len(data) >= MOST_TEXT or b"\n" in data:
        raise RequestError(400, "a PROXY header that does not end where it should")
    return len(data)


def read_header(data: bytes) -> ProxyHeader | None:
    """Read a header.

    :param data: what :func:`header_part` said belongs to it.
    :return: ``None`` if more of it is to come.
    :raises RequestError: it says what cannot be.
    """
    if data[:1] == _SIGNATURE[:1]:
        if len(data) < _FIXED or len(data) < _FIXED + int.from_bytes(data[14:16], "big"):
            return None
        return _read_binary(data)
    if not data.endswith(b"\r\n"):
        return None
    return _read_text(data[:-2])


def _read_text(line: bytes) -> ProxyHeader:
    if line == b"PROXY UNKNOWN" or line.startswith(b"PROXY UNKNOWN "):
        return ProxyHeader()
    match = _LINE.fullmatch(line)
    if match is None:
        raise RequestError(400, f"a malformed PROXY header: {line[:80]!a}")
    family, *rest = (each.decode("ascii") for each in match.groups())
    client, server = (_address(text, int(family)) for text in rest[:2])
    ports = [int(text) for text in rest[2:]]
    if max(ports) > 65535:
        raise RequestError(400, f"a PROXY header with port {max(ports)}")
    return ProxyHeader((client, ports[0]), (server, ports[1]))


def _address(text: str, family: int) -> str:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        found = None
    if found is None or found.version != family:
        raise RequestError(
            400, f"a PROXY header with {text[:40]!a}, which is no IPv{family} address"
        )
    return str(found)


def _read_binary(data: bytes) -> ProxyHeader:
    command, family = data[12], data[13]
    if command not in {_LOCAL, _PROXY}:
        raise RequestError(400, f"a PROXY header of version and command {command:#04x}")
    if command == _LOCAL:
        return ProxyHeader()
    size = _SIZES.get(family)
    if size is None:
        raise RequestError(400, f"a PROXY header of address family {family:#04x}")
    body = data[_FIXED:]
    if len(body) < size:
        raise RequestError(400, "a PROXY header that is too short for its addresses")
    tls = _says_tls(body[size:])
    if family == _TCP4:
        client, server, *ports = struct.unpack_from("!4s4sHH", body)
    elif family == _TCP6:
        client, server, *ports = struct.unpack_from("!16s16sHH", body)
    else:  # a Unix socket has no address that means anything here
        return ProxyHeader(tls=tls)
    kind = ipaddress.IPv4Address if family == _TCP4 else ipaddress.IPv6Address
    return ProxyHeader((str(kind(client)), ports[0]), (str(kind(server)), ports[1]), tls)


def _says_tls(extensions: bytes) -> bool:
    """Whether one of the extensions says that the client spoke TLS."""
    found = False
    while extensions:
        if len(extensions) < 3:
            raise RequestError(400, "a PROXY header with a cut extension")
        kind, length = struct.unpack_from("!BH", extensions)
        value, extensions = extensions[3 : 3 + length], extensions[3 + length :]
        if len(value) < length:
            raise RequestError(400, "a PROXY header with a cut extension")
        if kind == _TLV_TLS and value:
            found = bool(value[0] & _CLIENT_USED_TLS)
    return found
