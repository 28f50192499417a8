"""Whom the server believes what it says of its clients.

One list of addresses for everything: the PROXY protocol, ``X-Forwarded-*`` and ``Forwarded``.  What
a trusted proxy says goes into the environ, so that the application, its framework and the logs see
the same client; what anybody else says of the kind is taken out, so that nobody believes it.  With
``drop_forwarded`` off the fields stay as they came, whoever sent them: the application judges them
by a rule of its own, as behind gunicorn.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stein.http.forwarded import read_chain
from stein.http.hosts import split_host

if TYPE_CHECKING:
    from stein.http.exchange import Exchange
    from stein.server.connection import Connection
    from stein.server.settings import Settings

__all__ = ["Proxies", "SeenFrom"]

#: The fields, by their names in :mod:`stein.http.forwarded` and in an environ.
FIELDS: Final = {
    "For": "HTTP_X_FORWARDED_FOR",
    "Proto": "HTTP_X_FORWARDED_PROTO",
    "Host": "HTTP_X_FORWARDED_HOST",
    "Port": "HTTP_X_FORWARDED_PORT",
    "Prefix": "HTTP_X_FORWARDED_PREFIX",
    "Forwarded": "HTTP_FORWARDED",
}
_KEYS: Final = tuple(FIELDS.values())
_NOTHING: Final = (None,) * len(_KEYS)
#: What a connection by a Unix socket is from.
UNIX: Final = "unix:"
_LONGEST_REMEMBERED: Final = 256  # characters of all fields together


class Belief(NamedTuple):
    """What is to be done with an environ.

    ``dropped`` goes out of it first, then ``changes`` go in; ``port`` goes into its Host.
    """

    changes: dict[str, str]
    dropped: tuple[str, ...]
    client: str | None = None
    port: int | None = None


_NO_BELIEF: Final = Belief({}, ())
_DISBELIEF: Final = Belief({}, _KEYS)


class SeenFrom:
    """What observers ask of a connection, for a request whose client is not who connected.

    :param connection: that.
    :param peer: the client.
    """

    __slots__ = ("id", "log_texts", "peer", "sock")

    def __init__(self, connection: Any, peer: str) -> None:
        self.id = connection.id
        self.peer = peer
        self.sock = connection.sock
        self.log_texts: tuple[Any, ...] | None = None


class Proxies:
    """The trusted proxies of one server.

    :param settings: ``trusted_proxies``, ``proxy_headers``, ``drop_forwarded`` and
        ``proxy_protocol``.
    """

    def __init__(self, settings: Settings) -> None:
        listed = settings.trusted_proxies
        self._greeted = settings.proxy_protocol
        self._drops = settings.drop_forwarded
        self._everybody = "*" in listed
        self._unix = "unix" in listed
        self._networks = [
            ipaddress.ip_network(each, strict=False)
            for each in listed
            if each not in {"*", "unix"}
        ]  # fmt: skip
        names = {name.lower().removeprefix("x-forwarded-") for name in settings.proxy_headers}
        self._believed = frozenset(name for name in FIELDS if name.lower() in names)
        # PERF: the same few addresses ask all the time; to look one up, or to read the fields
        # anew, takes several microseconds.
        self._in_networks = lru_cache(maxsize=4096)(self._look_up)
        self._remembered = lru_cache(maxsize=2048)(self._read)

    @classmethod
    def of(cls, settings: Settings) -> Proxies | None:
        """Return those of the settings; ``None`` if nobody is trusted."""
        return cls(settings) if settings.trusted_proxies else None

    def trusts(self, peer: str) -> bool:
        """Whether who connects from here is a trusted proxy.

        :param peer: an address, or ``unix:``.
        """
        if self._everybody:
            return True
        return self._unix if peer == UNIX else self._in_networks(peer)

    def _look_up(self, text: str) -> bool:
        """Whether an address is in one of the networks; ``*`` names nobody who is behind it."""
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)

    def apply(self, connection: Connection, exchange: Exchange) -> None:
        """Set a request's environ to what may be believed.  The leader."""
        variables, peer = exchange.variables, connection.peer
        fields = tuple(map(variables.get, _KEYS))
        # Behind a PROXY header the peer is the client, whom * does not mean.
        trusted = self._in_networks(peer) if self._greeted else self.trusts(peer)
        if fields == _NOTHING:
            belief = _NO_BELIEF
        elif trusted:
            short = sum(map(len, filter(None, fields))) <= _LONGEST_REMEMBERED
            belief = (self._remembered if short else self._read)(*fields)
        else:
            belief = _DISBELIEF if self._drops else _NO_BELIEF
        for key in belief.dropped:
            variables.pop(key, None)
        variables.update(belief.changes)
        if belief.port is not None:
            parts = split_host(variables.get("HTTP_HOST", ""))
            if parts is not None:
                variables["HTTP_HOST"] = f"{parts[0]}:{belief.port}"
        if trusted:
            if belief.client is not None:
                exchange.connection = SeenFrom(connection, belief.client)
            connection.engine.place.note_peer(connection.id, belief.client or peer)

    def _read(self, *fields: str | None) -> Belief:
        """What follows from the fields of a trusted proxy."""
        known = dict(zip(FIELDS, fields, strict=True))
        origin, kept = read_chain(known.get, self._believed, self._in_networks)
        changes, dropped = dict[str, str](), set[str]()
        if self._drops:
            changes = {FIELDS[name]: value for name, value in kept.items()}
            dropped = {FIELDS[name] for name in self._believed if name not in kept}
        if origin.address is not None:
            changes["REMOTE_ADDR"] = origin.address
            dropped.add("REMOTE_PORT")  # the proxy's
        if origin.scheme is not None:
            changes["wsgi.url_scheme"] = origin.scheme
            dropped.add("HTTPS")
            if origin.scheme in {"https", "wss"}:
                changes["HTTPS"] = "on"
        if origin.host is not None:
            name, port = split_host(origin.host) or (origin.host, None)
            changes["HTTP_HOST"] = origin.host
            changes["SERVER_NAME"] = name
            if port is not None:
                changes["SERVER_PORT"] = str(port)
        if origin.port is not None:
            changes["SERVER_PORT"] = str(origin.port)
        if origin.prefix is not None:
            changes["SCRIPT_NAME"] = origin.prefix
        return Belief(changes, tuple(dropped), origin.address, origin.port)
