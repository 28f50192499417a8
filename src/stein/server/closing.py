"""How a connection comes to its end, and what it has to remember until then.

The states and who owns a connection in which are told in :mod:`stein.server.connection`.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any, Final

from stein.clock import monotonic
from stein.http.h1.lenient import LenientReader
from stein.http.h1.reader import RequestReader
from stein.server.channel import Channel
from stein.server.deadlines import NEVER
from stein.server.poller import READ
from stein.server.proxies import UNIX

if TYPE_CHECKING:
    from stein.http.exchange import Exchange
    from stein.server.body import BodyCollector
    from stein.server.call import Call
    from stein.server.engine import Engine

__all__ = ["BODY", "CALL", "CLOSED", "DRAIN", "HANDSHAKE", "HEAD", "LINGER", "ClosingChannel"]

logger: Final = logging.getLogger("stein.error")

HEAD: Final = 0
HANDSHAKE: Final = 1
BODY: Final = 2
CALL: Final = 3
DRAIN: Final = 4
LINGER: Final = 5
CLOSED: Final = 6

_RECEIVE: Final = 16384


class ClosingChannel(Channel):
    """A channel that knows its state and how to end in good order.

    :param engine: the engine that it belongs to.
    :param sock: accepted, non-blocking.
    :param number: of the connection.
    :param peer: the client's address, as ``REMOTE_ADDR`` gives it.
    :param template: what is the same in the environ of all its requests.
    """

    __slots__ = (
        # for its whole life
        "id",
        "log_texts",
        "peer",
        "_reader",
        # as the poller sees it
        "_interest",
        # state
        "masked",
        "must_close",
        "number",
        "state",
        # of the exchange under way
        "_began",
        "_body",
        "_body_began",
        "_call",
        "_lingered",
    )

    def __init__(
        self, engine: Engine, sock: Any, number: int, peer: str, template: dict[str, Any]
    ) -> None:
        super().__init__(engine, sock)
        self.id = number
        self.peer = peer
        #: what the access log makes of id and peer
        self.log_texts: tuple[Any, ...] | None = None  # what its last log line began with
        template["stein.disconnected"] = self.is_disconnected
        if engine.settings.lenient:
            self._reader: RequestReader = LenientReader(
                engine.limits, template, self._note_mended, local=peer == UNIX
            )
        else:
            self._reader = RequestReader(engine.limits, template)
        self._interest = READ
        self.masked = False
        self.must_close = engine.settings.keep_alive <= 0
        self.number = 0  #: of the request under way, from 1
        self.state = HANDSHAKE if self.is_tls else HEAD
        self._began = 0.0
        self._body: BodyCollector | None = None
        self._body_began = 0.0
        self._call: Call | None = None
        self._lingered = 0

    def _note_mended(self, exchange: Exchange, faults: str) -> None:
        """Tell that a request was taken that other servers refuse."""
        logger.warning(
            "connection %d: %s %a has %s: mended, as this server is lenient. Production "
            "refuses it with 400: mend the client",
            self.id, exchange.line.method, exchange.line.target, faults,
        )  # fmt: skip

    @property
    def in_call(self) -> bool:
        """Whether a call waits for a thread or is with the application."""
        return self.state == CALL

    def __repr__(self) -> str:
        return f"<Connection {self.id} {self.peer} state={self.state} request={self.number}>"

    def on_deadline(self, now: float) -> None:
        """A deadline has passed."""
        raise NotImplementedError

    def on_more(self) -> Call | None:
        """Take bytes that no poller knows of."""
        raise NotImplementedError

    def _want(self, events: int) -> None:
        """Let the poller watch for other events."""
        if events != self._interest and self._interest >= 0:
            self._interest = events
            self.engine.poller.modify(self.fd, events)

    def _unmask(self) -> None:
        self.masked = False
        self._interest = READ
        self.engine.poller.modify(self.fd, READ)

    def _set_deadline(self, moment: float) -> None:
        self.deadline = moment
        if moment < self.timer:
            self.engine.deadlines.watch(self)

    def _drop_body(self) -> None:
        """The body that was being collected will not be needed."""
        body, self._body = self._body, None
        if body is not None:
            body.close()

    def _finish(self, exchange: Exchange) -> None:
        """The exchange has ended: let it be observed."""
        exchange.sent = monotonic()
        if self.gone:
            self._name_the_end(exchange)
        self._observe(exchange)

    def _name_the_end(self, exchange: Exchange) -> None:
        """Nobody is there any more; a stop that cuts a call off looks the same as a client."""
        if exchange.outcome in {"ok", "client_gone"}:
            exchange.outcome = "stopped" if self.engine.stopped else "client_gone"

    def _observe(self, exchange: Exchange) -> None:
        self.engine.tally.count(exchange)
        if self.engine.observer is not None:
            self.engine.observe([exchange])

    def cut_off(self, *, abrupt: bool) -> None:
        """End the connection in the middle of a response, so that the client sees it.

        :param abrupt: the end of the connection would pass for the end of the body: reset it.
        """
        self.must_close = True
        if abrupt:
            self.reset()

    def _begin_close(self) -> None:
        """No more exchange on this connection: say so, and let the client finish."""
        if self.gone or self._interest < 0:
            self.close()
            return
        settings = self.engine.settings
        self.state = LINGER
        self._outbox = None
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self._set_deadline(self.engine.now + settings.linger_timeout)
        self.masked = False
        self._want(READ)
        self._discard()

    def _discard(self) -> None:
        """Read and drop in state LINGER, so that the last answer is not lost to a reset."""
        try:
            data = self._recv(_RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._lingered += len(data)
        if not data or self._lingered > self.engine.settings.linger_bytes:
            self.close()

    def close(self) -> None:
        """Close at once."""
        if self.state == CLOSED:
            return
        self._part()
        self._drop_body()
        self._outbox = None
        self._reader.close()
        self.sock.close()
        self.engine.forget(self)

    def _part(self) -> None:
        """Nothing that happens on the socket is of interest any more."""
        self.state = CLOSED
        self.closed = True
        self.deadline = NEVER
        self.engine.deadlines.forget(self)
        if self._interest >= 0:
            self._interest = -1
            self.engine.poller.unregister(self.fd)
