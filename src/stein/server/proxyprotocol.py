"""The beginning of a connection whose proxy says first who the client is.

It comes before TLS and before HTTP, so it is read before there is a connection in the engine's
sense: a :class:`Greeting` owns the socket until the header is complete, and then hands it over with
the client's address.  No byte behind the header is taken from the socket.

Threads: the leader alone.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any, Final

from stein.errors import RequestError
from stein.http.proxyprotocol import MOST, ProxyHeader, header_part, read_header
from stein.server.deadlines import NEVER
from stein.server.poller import READ

if TYPE_CHECKING:
    from stein.server.deadlines import Entry
    from stein.server.engine import Engine

__all__ = ["Greeting", "Greetings"]

logger: Final = logging.getLogger("stein.error")

#: Proxies that are remembered for having been complained about.
MOST_REMEMBERED: Final = 1024


class Greetings:
    """Those of one engine.

    :param engine: gets the connections.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._waiting: set[Greeting] = set()
        self._blamed: set[str] = set()

    def are_due_from(self, peer: str) -> bool:
        """Whether who connects from here has to say first whom it is asking for."""
        proxies = self.engine.proxies
        return proxies is not None and proxies.trusts(peer)

    def begin(self, sock: socket.socket, address: Any, template: dict[str, Any]) -> None:
        """Wait for the header of a connection."""
        sock.setblocking(False)
        self._waiting.add(Greeting(self, sock, address, template))

    def end(self, greeting: Greeting) -> None:
        """Forget one."""
        self._waiting.discard(greeting)

    def blame(self, peer: str, reason: str) -> None:
        """Say once of each proxy what is wrong with it: it is the operator's own."""
        level = logging.DEBUG if peer in self._blamed else logging.WARNING
        if len(self._blamed) < MOST_REMEMBERED:
            self._blamed.add(peer)
        logger.log(
            level,
            "connection from the proxy %s refused: %s (setting: proxy_protocol)",
            peer,
            reason,
        )

    def close(self) -> None:
        """Close all that wait."""
        for greeting in list(self._waiting):
            greeting.close()


class Greeting:
    """One socket of which nothing is known but that a trusted proxy has connected.

    :param greetings: those that it is one of.
    :param sock: accepted, non-blocking.
    :param address: whom from.
    :param template: what is the same in the environ of all requests to the listener.
    """

    __slots__ = (
        "_address",
        "_data",
        "_greetings",
        "_sock",
        "_template",
        "deadline",
        "entry",
        "timer",
    )

    def __init__(
        self, greetings: Greetings, sock: socket.socket, address: Any, template: dict[str, Any]
    ) -> None:
        self._greetings = greetings
        self._sock = sock
        self._address = address
        self._template = template
        self._data = b""
        engine = greetings.engine
        self.deadline = engine.now + engine.settings.head_timeout
        self.timer = NEVER
        self.entry: Entry | None = None
        engine.sources[sock.fileno()] = self
        engine.poller.register(sock.fileno(), READ)
        engine.deadlines.watch(self)

    @property
    def _peer(self) -> str:
        if not isinstance(self._address, tuple):
            return "unix:"
        return str(self._address[0]).removeprefix("::ffff:")

    def on_event(self, _events: int) -> None:
        """Bytes have come."""
        try:
            header = self._receive()
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        except RequestError as error:
            self._greetings.blame(self._peer, error.reason)
            self.close()
            return
        if header is not None:
            self._hand_over(header)

    def _receive(self) -> ProxyHeader | None:
        """Take what belongs to the header, and nothing else."""
        seen = self._sock.recv(MOST - len(self._data), socket.MSG_PEEK)
        if not seen:
            if self._data:
                raise RequestError(400, "the PROXY header was cut short")
            raise ConnectionResetError
        count = header_part(self._data + seen) - len(self._data)
        self._data += self._sock.recv(count)
        return read_header(self._data)

    def _hand_over(self, header: ProxyHeader) -> None:
        engine, template = self._greetings.engine, self._template
        self._leave()
        if header.tls:
            template = {**template, "wsgi.url_scheme": "https", "HTTPS": "on"}
        engine.admit(self._sock, header.client or self._address, template, greeted=True)

    def on_deadline(self, _now: float) -> None:
        """The header was not complete in time."""
        if self._data:
            self._greetings.blame(self._peer, "the PROXY header was not complete in time")
        self.close()

    def _leave(self) -> None:
        engine = self._greetings.engine
        engine.deadlines.forget(self)
        engine.poller.unregister(self._sock.fileno())
        del engine.sources[self._sock.fileno()]
        self._greetings.end(self)
        self.deadline = NEVER

    def close(self) -> None:
        """Turn the proxy away."""
        self._leave()
        self._sock.close()
