"""Answers of the server's own: to what never reaches the application, and for calls given up."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from stein.errors import RequestError
from stein.http.exchange import Exchange, RequestLine
from stein.http.h1.reader import TLS_HELLO
from stein.http.h1.strict import parse_request_line
from stein.http.h1.writer import make_head
from stein.http.status import status_text
from stein.server.closing import BODY, CLOSED, DRAIN, HEAD, ClosingChannel
from stein.server.poller import WRITE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stein.server.call import Call

__all__ = ["AnsweringChannel"]

_NO_LINE: Final = RequestLine("", "", "", "", "")


class AnsweringChannel(ClosingChannel):
    """A channel that can answer by itself."""

    __slots__ = ()

    # -- leader -------------------------------------------------------------------------------

    def _refuse(self, error: RequestError) -> None:
        """Answer a request that will not reach the application, and close."""
        exchange = self._exchange_of_failure()
        exchange.error = error.reason
        if exchange.outcome == "ok":
            exchange.outcome = "limit" if error.limit else "bad_request"
        if error.limit:
            exchange.error += f" (setting: {error.limit})"
        self._drop_body()
        self._answer(exchange, status_text(error.status), "close")

    def refuse_call(self, call: Call, status: int, outcome: str, reason: str) -> None:
        """Answer a call that was taken back from the queue, and close."""
        call.exchange.never_entered()
        call.exchange.outcome = outcome
        call.exchange.error = reason
        call.discard()
        retry = [("Retry-After", str(self.engine.settings.retry_after))] if status == 503 else []
        self._answer(call.exchange, status_text(status), "close", retry)

    def _answer(
        self,
        exchange: Exchange,
        status: str,
        connection: str = "",
        headers: list[tuple[str, str]] | None = None,
        content: Sequence[str] = ("text/plain", ""),
    ) -> None:
        """Send an answer of the engine's own.

        :param content: media type and text of its body; without a text the status stands there.
        """
        engine = self.engine
        if connection == "close" or self.must_close or engine.draining:
            exchange.persistent = False
        kind, text = content
        body = (text or f"{status}\n").encode()
        fields = [("Content-Type", kind), *(headers or ())]
        data, _, _, bodiless = make_head(
            status, fields, exchange, len(body), engine.tail, engine.now
        )
        self._call = None
        try:
            self.write(data, b"" if bodiless else body)
            exchange.sent_bytes = 0 if bodiless else len(body)
        except OSError:
            self.gone = True
        self._finish(exchange)
        if self._outbox and not self.gone:
            self.state = DRAIN
            self._set_deadline(engine.now + engine.settings.write_timeout)
            self._want(WRITE)
            exchange.persistent = False
        elif exchange.persistent and not self.gone:
            self._become_idle(engine.now, leading=True)
        else:
            self._begin_close()

    def _time_out(self, outcome: str, reason: str) -> None:
        exchange = self._exchange_of_failure()
        exchange.outcome = outcome
        exchange.error = reason
        self._drop_body()
        self._answer(exchange, status_text(408), "close")

    def _refuse_plain_http(self) -> None:
        """The client speaks HTTP to a port that speaks TLS: tell it so in its own words."""
        exchange = self._exchange_of_failure()
        exchange.line = _NO_LINE._replace(target="(HTTP)")
        exchange.outcome = "bad_request"
        exchange.error = "the client spoke HTTP to a port of TLS: http:// instead of https://"
        body = b"400 Bad Request: this port speaks HTTPS; use https://\n"
        fields = [("Content-Type", "text/plain")]
        status = status_text(400)
        data = make_head(status, fields, exchange, len(body), self.engine.tail, self.engine.now)[0]
        self.sock.send_in_the_clear(data + body)
        exchange.sent_bytes = len(body)
        self._finish(exchange)
        self._begin_close()

    def _exchange_of_failure(self) -> Exchange:
        """The exchange under way, or one made up for a request that never became one."""
        exchange = self._reader.exchange
        if exchange is None or self.state != BODY:
            text = self._reader.seen.lstrip(b"\r\n").partition(b"\r\n")[0]
            try:
                line = parse_request_line(text)
            except RequestError:
                shown = b"(TLS)" if text[:2] == TLS_HELLO else text[:200]
                line = _NO_LINE._replace(target=shown.decode("latin-1"))
            exchange = Exchange(line, {})
            self.number += 1
            exchange.connection = self
            exchange.number = self.number
            exchange.began = self._began or self.engine.now
            exchange.read = 0.0
        exchange.never_entered()
        exchange.persistent = False
        return exchange

    def _become_idle(self, now: float, *, leading: bool) -> None:
        """Wait for the next request."""
        engine = self.engine
        self._outbox = None
        self._began = 0.0
        self.deadline = deadline = now + engine.keep_alive
        if deadline < self.timer:
            if leading:
                engine.deadlines.watch(self)
            else:
                engine.post(self._watch_deadline)
        has_more = self._has_more()
        self.state = HEAD  # from here on the leader may touch the connection
        if self.masked:
            self._unmask()
        if has_more:
            engine.again.append(self)
            if not leading:
                engine.wake()

    def _has_more(self) -> bool:
        """Whether bytes were received that the poller does not know of."""
        return bool(self._reader.rest) or self.is_tls

    def _watch_deadline(self) -> None:
        if self.state != CLOSED:
            self.engine.deadlines.watch(self)

    def _observe_cut(self) -> None:
        """The server stops in the middle of an exchange that is not in a call."""
        if self.state == BODY or (self.state == HEAD and self._reader.begun):
            exchange = self._exchange_of_failure()
        elif self.state == DRAIN and self._call is not None:
            exchange = self._call.exchange
        else:
            return
        exchange.outcome = "stopped"
        self._finish(exchange)

    # -- leader, or the one who watches a single thread: giving a call up ------------------------

    def abandon(self, call: Call, reason: str, now: float, *, was_gone: bool) -> str:
        """Part from a call that does not end; answer its client, if it has no answer yet.

        The call can send no more (``gone``).  The socket stays open until the thread is back: it
        may be using it at this moment, and the number of a closed one could be another client's by
        then.

        :param was_gone: the client had gone before.
        :return: what became of the client, for the log.
        """
        exchange, engine = call.exchange, self.engine
        exchange.outcome, exchange.error = "request_timeout", reason
        if engine.settings.threads > 1:
            self._part()
        if was_gone:
            done = "its client has gone"
        elif call.begun or self._outbox or (self.is_tls and not exchange.complete):
            done = "its response has begun, cut off"
            self._end_in_the_middle(call)
        else:
            done = "answered 504"
            self._answer_without(exchange, now)
        exchange.left = exchange.sent = now
        self._observe(exchange)
        if engine.settings.threads > 1:
            engine.forget(self)
        return done

    def _answer_without(self, exchange: Exchange, now: float) -> None:
        """Answer for a call that does not."""
        exchange.persistent = False
        status = status_text(504)
        body = f"{status}\n".encode()
        fields = [("Content-Type", "text/plain")]
        data, _, _, bodiless = make_head(status, fields, exchange, len(body), self.engine.tail, now)
        exchange.sent_bytes = 0 if bodiless else len(body)
        try:
            self._send(data if bodiless else data + body)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            exchange.sent_bytes = 0  # the client has gone, or takes nothing

    def _end_in_the_middle(self, call: Call) -> None:
        """Let the client see that its response is not complete."""
        if call.ends_with_connection:
            # An orderly end would pass for that of the body: a reset is all that tells, and it
            # goes out when the socket is closed.
            self.reset()
            return
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # gone already

    def after_abandoned_call(self, call: Call, *, leading: bool) -> None:
        """The call has ended after all; nobody else has the socket now."""
        if call.suspended:  # between its last piece and the moment when it was given up
            call.resume()
        if self.closed:
            self._drop_body()
            self._outbox = None
            self._reader.close()
            self.sock.close()
        elif leading:
            self.close()
        else:
            self.engine.post(self.close)
