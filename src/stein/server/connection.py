"""One client's connection, from accept to close.

States, and what leads from one to the next (the poller watches for what is in brackets)::

    HANDSHAKE [read or write]  TLS is being agreed on
        └─ done                                            → HEAD
    HEAD      [read]           idle, or a request head comes in
        ├─ head complete, body follows                     → BODY, or CALL if it is streamed
        │     (a client that waits for 100 Continue gets it on the way to BODY)
        ├─ request complete                                → CALL
        ├─ malformed, too large, too slow                  → DRAIN, answer in hand
        └─ end of input, idle too long                     → CLOSED
    BODY      [read]           the body is collected before the call
        ├─ complete                                        → CALL
        └─ malformed, too large, too slow, cut short       → DRAIN, answer in hand
    CALL      [as it was]      waits for a thread, or is with the application
        ├─ all sent, connection goes on                    → HEAD
        └─ bytes left, call suspended, or to be closed     → DRAIN
    DRAIN     [write]          the client takes what is in the outbox
        ├─ all sent, call suspended                        → CALL, resumed
        ├─ all sent, connection goes on                    → HEAD
        ├─ all sent, to be closed                          → LINGER
        └─ write timeout, client gone                      → CLOSED
    LINGER    [read]           sending side shut; input is dropped
        └─ end of input, time or bytes used up             → CLOSED

Threads.
    The leader owns a connection in every state but CALL; in CALL the thread that runs the call
    owns it, and hands it back through :meth:`Connection.after_call`, which writes the next state
    last.  Two things the leader still does in CALL: it stops watching a connection that has
    news (``masked``), and it flushes the outbox, under the outbox's lock.  Only the leader
    closes: a thread never closes a socket that somebody else may be polling.
"""

from __future__ import annotations

import socket
from io import BytesIO
from typing import IO, TYPE_CHECKING, Final

from stein.clock import monotonic
from stein.errors import Disconnected, RequestError
from stein.http.h1.writer import continue_head
from stein.server.answering import AnsweringChannel
from stein.server.body import BodyCollector, open_stream
from stein.server.call import Call
from stein.server.closing import BODY, CALL, DRAIN, HANDSHAKE, HEAD, LINGER
from stein.server.deadlines import NEVER
from stein.server.poller import HANGUP, READ, WRITE

if TYPE_CHECKING:
    from stein.http.exchange import Exchange

__all__ = ["Connection"]

_RECEIVE: Final = 16384
_RECEIVE_BODY: Final = 262144
_MOMENT: Final = 0.1  # seconds in which a busy client sends its next request
_GONE: Final = 0x008 | 0x010  # EPOLLERR, EPOLLHUP: both directions are dead


class Connection(AnsweringChannel):
    """One client's connection.

    :param engine: the engine that it belongs to.
    :param sock: accepted, non-blocking.
    :param peer: the client's address, as ``REMOTE_ADDR`` gives it.
    :param template: what is the same in the environ of all its requests.
    """

    __slots__ = ()

    # -- leader: events -----------------------------------------------------------------------

    def on_event(self, events: int) -> Call | None:  # noqa: C901, PLR0911 - see PERF
        """Something has happened on the socket.

        :return: a call that is ready for the application, or ``None``.
        """
        # PERF: from the socket to the call in one frame, since every request takes this road;
        # in three functions it cost a tenth of a microsecond more (bench: hello).
        if self.state != HEAD:
            return self._on_other_event(events)
        reader = self._reader
        data = reader.rest
        if data:  # came before what the socket has
            reader.rest = b""
        else:
            try:
                data = self._recv(_RECEIVE)
            except BlockingIOError:
                return None
            except OSError:
                self._vanish()
                return None
            if not data:
                self._end_of_input()
                return None
        engine = self.engine
        now = engine.now
        try:
            exchange = reader.feed(data)
        except RequestError as error:
            self._refuse(error)
            return None
        if exchange is None:
            self._expect_more_head()
            return None
        self.number = number = self.number + 1
        exchange.connection = self
        exchange.number = number
        exchange.began = self._began or now
        exchange.read = now
        if engine.proxies is not None:
            engine.proxies.apply(self, exchange)
        if number == engine.last_number:
            self.must_close = True
        if not exchange.complete:
            return self._begin_body(exchange)
        if engine.pages is not None and exchange.line.path in engine.pages:
            exchange.never_entered()
            status, *content = engine.pages[exchange.line.path]()
            self._answer(exchange, status, content=content)
            return None
        self.state = CALL
        self.deadline = NEVER
        return Call(self, exchange, BytesIO())

    def _expect_more_head(self) -> None:
        """A request head has begun: from now on it has a deadline."""
        engine = self.engine
        if not self._began:
            self._began = engine.now
            # A fresh connection's deadline counts from accept and stands.
            if self.number:
                self._set_deadline(engine.now + engine.settings.head_timeout)
        self._look_inside_tls()

    def _on_other_event(self, events: int) -> Call | None:
        """Something has happened while no request head is expected."""
        state = self.state
        if state == CALL:
            self._on_event_in_call(events)
        elif state == BODY:
            if events & WRITE:
                self._flush_interim()
            return self._receive_body()
        elif state == DRAIN:
            self._drain()
        elif state == LINGER:
            self._discard()
        elif state == HANDSHAKE:
            self._shake_hands()
        return None

    def on_more(self) -> Call | None:
        """Take what came behind the last request (pipelining, or held inside TLS)."""
        if self.state != HEAD:
            return None
        call = self.on_event(READ)
        if self.engine.draining and self.state == HEAD and not self._reader.begun:
            self._end_idle()
        return call

    def _end_idle(self) -> None:
        """The server stops, and no request has come.

        If the client was busy a moment ago its next one may be on its way, and would be lost:
        then it gets another moment, and an answer that says it was the last.
        """
        engine = self.engine
        if engine.idle_grace:  # another process goes on serving: its clients are not to notice
            self._set_deadline(min(self.deadline, engine.now + engine.idle_grace))
            return
        allowed = engine.keep_alive if self.number else engine.settings.head_timeout
        idle = engine.now - (self.deadline - allowed)
        if idle < _MOMENT:
            self._set_deadline(engine.now + _MOMENT)
        else:
            self._begin_close()

    def _look_inside_tls(self) -> Call | None:
        """See to it that bytes which OpenSSL holds are not forgotten."""
        if self.is_tls and self.sock.pending():
            self.engine.again.append(self)
        return None

    def _shake_hands(self) -> None:
        try:
            self.sock.handshake()
        except BlockingIOError:
            self._want(WRITE if self.sock.wants_write else READ)
            return
        except OSError as error:
            self.engine.note_failed_handshake(self, error)
            if getattr(error, "reason", "") == "HTTP_REQUEST":
                self._refuse_plain_http()
            else:
                self.close()
            return
        self.state = HEAD
        self._reader.add_to_template(self.sock.variables())
        self._want(READ)
        self._set_deadline(self.engine.now + self.engine.settings.head_timeout)
        self.engine.again.append(self)

    def _end_of_input(self) -> None:
        """The client has shut its sending side, or has gone."""
        if self._reader.begun:
            self._refuse(RequestError(400, "the request head was cut short"))
        else:
            self.close()

    def _vanish(self) -> None:
        """The connection broke while nobody was in a call on it."""
        self.gone = True
        if self.state == BODY or self._reader.begun:
            exchange = self._exchange_of_failure()
            exchange.outcome = "client_gone"
            self._observe(exchange)
        self.close()

    def _on_event_in_call(self, events: int) -> None:
        """News about a connection that is in a call: flush, or look away until it is back."""
        outbox = self._outbox
        if events & WRITE and outbox is not None:
            self.flush(outbox)
        if events & _GONE:
            # Reported whether asked for or not, so the descriptor must go from the poller.
            self.gone = True
            self._interest = -1
            self.engine.poller.unregister(self.fd)
            return
        wanted = WRITE if outbox else 0
        if events & (READ | HANGUP) or self._interest != wanted:
            self.masked = True
            self._interest = wanted
            self.engine.poller.modify(self.fd, wanted)
            if self.state != CALL:  # it came back in between; whoever sees both last unmasks
                self._unmask()

    # -- leader: request bodies ---------------------------------------------------------------

    def _begin_body(self, exchange: Exchange) -> Call | None:
        engine = self.engine
        if not engine.settings.request_buffering:
            self._body_began = engine.now
            return self._call_with(exchange, open_stream(self.receive_body))
        data, self._reader.rest = self._reader.rest, b""
        if data and 0 < exchange.length <= len(data) and exchange.length <= engine.body_buffer:
            # PERF: a small body that came with its head needs no collecting (bench: post-1k).
            return self._call_with(exchange, BytesIO(self._reader.feed_body(data)))
        self.state = BODY
        self._body = BodyCollector(engine.body_buffer)
        self._body_began = engine.now
        if data:
            return self._collect(data)
        self._set_deadline(engine.now + engine.settings.body_timeout)
        if exchange.expects_continue and not self._ask_for_body():
            return None
        self._look_inside_tls()
        return None

    def _ask_for_body(self) -> bool:
        """Send 100 Continue, which the client waits for (RFC 9110 10.1.1); false if it has gone.

        The length, if one was announced, is within the limits, and no thread waits for the body:
        a client that never sends it costs what any other slow upload does.
        """
        try:
            self.write(continue_head)
        except Disconnected:
            self._vanish()
            return False
        if self._outbox:  # what it has not taken of the answers before fills the kernel's buffer
            self._want(READ | WRITE)
        return True

    def _flush_interim(self) -> None:
        """The client takes bytes again, and 100 Continue waits to be sent."""
        outbox, exchange = self._outbox, self._reader.exchange
        assert outbox is not None and exchange is not None  # noqa: S101, PT018 - WRITE is wanted
        self.flush(outbox)
        if not outbox:
            self._outbox = None
            self._want(READ)
        self._set_deadline(self._body_deadline(exchange, self.engine.now))

    def _call_with(self, exchange: Exchange, body: IO[bytes]) -> Call:
        """The exchange is complete: let the application be called."""
        self.state = CALL
        self.deadline = NEVER
        return Call(self, exchange, body)

    def _receive_body(self) -> Call | None:
        try:
            data = self._recv(_RECEIVE_BODY)
        except BlockingIOError:
            return None
        except OSError:
            self._vanish()
            return None
        if not data:
            self._refuse(RequestError(400, "the request body was cut short"))
            return None
        return self._collect(data)

    def _collect(self, data: bytes) -> Call | None:
        """Add to the body that is being collected; the call, once it is complete."""
        engine, reader, body = self.engine, self._reader, self._body
        exchange = reader.exchange
        assert exchange is not None and body is not None  # noqa: S101, PT018 - state BODY
        try:
            body.add(reader.feed_body(data))
        except RequestError as error:
            self._refuse(error)
            return None
        except OSError as error:
            reason = f"the request body cannot be kept: {error.strerror or error}"
            self._refuse(RequestError(507, reason))
            return None
        if not exchange.complete:
            self._set_deadline(self._body_deadline(exchange, engine.now))
            return self._look_inside_tls()
        self._body = None
        if self._outbox is not None:  # it has not waited for 100 Continue; the answer goes behind
            self._want(READ)
            engine.post(self._watch_outbox)
        exchange.read = engine.now
        return self._call_with(exchange, body.rewind())

    def _body_deadline(self, exchange: Exchange, now: float) -> float:
        """No longer silence than body_timeout, and on the whole no slower than body_min_rate."""
        settings = self.engine.settings
        idle = now + settings.body_timeout
        if not settings.body_min_rate:
            return idle
        allowed = settings.body_timeout + exchange.received / settings.body_min_rate
        return min(idle, self._body_began + allowed)

    # -- calling thread: what the call asks for -----------------------------------------------

    def receive_body(self) -> bytes:
        """The next bytes of a streamed request body; waits for them; ``b""`` at its end.

        :raises RequestError: it is malformed or too large.
        :raises Disconnected: the client has gone or is too slow.
        """
        reader = self._reader
        exchange = reader.exchange
        assert exchange is not None  # noqa: S101 - a call is under way
        if exchange.expects_continue:
            exchange.expects_continue = False
            if not exchange.status and not exchange.received and not reader.rest:
                self.write(continue_head)
        while not exchange.complete:
            data, reader.rest = reader.rest, b""
            if not data:
                deadline = self._body_deadline(exchange, monotonic())
                data = self.receive_waiting(deadline)
            content = reader.feed_body(data)
            if content:
                return content
        return b""

    # -- either: the call is over -------------------------------------------------------------

    def after_call(  # noqa: C901, PLR0912 - see PERF
        self,
        call: Call,
        leading: bool,  # noqa: FBT001
        usual: bool,  # noqa: FBT001
        sent: float | None = None,
    ) -> None:
        """The thread that ran ``call`` gives the connection back.

        :param leading: whether that thread is the leader now.
        :param usual: whether it counts the call among the usual ones, unless it is told in
            ``worker.unusual`` that it is none.
        :param sent: when the answer was sent, if it was kept back for a moment.
        """
        # PERF: in one frame and with positional arguments, as every request takes this road.
        if call.suspended or self._outbox:
            self._call = call
            if usual:
                call.worker.unusual += 1
            if leading:
                self._begin_drain()
            else:
                self.engine.post(self._begin_drain)
            return
        exchange = call.exchange
        engine = self.engine
        if not usual or exchange.status != 200 or self.gone:
            if usual:
                call.worker.unusual += 1
            if self.gone:
                self._name_the_end(exchange)
            engine.tally.count(exchange)
        if engine.observer is not None:
            # The outbox is empty, so it was sent by then.
            exchange.sent = exchange.left if sent is None else sent
            call.worker.ended.append(exchange)
        if not exchange.persistent or self.gone:
            if leading:
                self._begin_close()
            else:
                engine.post(self._begin_close)
            return
        deadline = exchange.left + engine.keep_alive
        if (
            self._outbox is None
            and deadline >= self.timer
            and not self._reader.rest
            and not self.is_tls
        ):
            # PERF: _become_idle, written out for the usual case (bench: hello).
            self._began = 0.0
            self.deadline = deadline
            self.state = HEAD  # from here on the leader may touch the connection
            if self.masked:
                self._unmask()
        else:
            self._become_idle(exchange.left, leading=leading)

    # -- leader: draining ---------------------------------------------------------------------

    def _watch_outbox(self) -> None:
        """The outbox of a running call has something: flush it when the client takes it."""
        if self.state == CALL and self._interest >= 0 and self._outbox:
            self.masked = True
            self._want(WRITE)
            self._set_deadline(self.engine.now + self.engine.settings.write_timeout)

    def _begin_drain(self) -> None:
        """The call has ended or is suspended; the client has yet to take the outbox."""
        call = self._call
        assert call is not None  # noqa: S101 - after_call() has set it
        self.engine.begin_sending(self, call.exchange)
        self.state = DRAIN
        self.masked = False
        if self._interest < 0:
            self.gone = True
        self._set_deadline(self.engine.now + self.engine.settings.write_timeout)
        if not self.gone:
            self._want(WRITE)
        self._drain()

    def _drain(self) -> None:
        """Go on sending in state DRAIN; when all is sent, go on with what comes next."""
        outbox = self._outbox
        if outbox and not self.gone:
            self.flush(outbox)
        if outbox and not self.gone:
            return
        call = self._call
        if call is None:  # an answer of our own
            self._begin_close()
            return
        if call.suspended:
            self._resume(call)
            return
        self._call = None
        self.engine.end_sending(self)
        exchange = call.exchange
        self._finish(exchange)
        if not exchange.persistent or self.gone or self.engine.draining:
            self._begin_close()
        else:
            self._want(READ)
            self._become_idle(self.engine.now, leading=True)

    def _resume(self, call: Call) -> None:
        """Let a suspended call go on: the client has caught up, or has gone."""
        self.state = CALL
        self.deadline = NEVER
        self.engine.end_sending(self)
        if self._interest >= 0:
            self.masked = True
            self._want(0)
        self.engine.crew.resume(call)

    # -- leader: deadlines --------------------------------------------------------------------

    def wait_in_queue(self, moment: float) -> None:
        """The call waits for a thread, but no longer than until ``moment``."""
        if self.state == CALL:
            self._set_deadline(moment)

    def on_deadline(self, _now: float) -> None:
        """A deadline has passed: which one, the state tells."""
        state = self.state
        if state == CALL:
            self._on_deadline_in_call()
        elif state == HEAD and (self._reader.begun or (self._began and not self.number)):
            self._time_out("head_timeout", "the request head was not complete in time")
        elif state == BODY:
            self._time_out("body_timeout", "the request body arrived too slowly")
        elif state == DRAIN:
            self._give_up_draining()
        elif state == HEAD and self.number:  # idle; the client may be sending just now
            self._begin_close()
        else:
            self.close()

    def _on_deadline_in_call(self) -> None:
        """The call waits for a thread too long, or its client takes nothing of the response."""
        if self._outbox:
            if self.has_progress():
                self._set_deadline(self.engine.now + self.engine.settings.write_timeout)
                return
            self.gone = True
            self._outbox.clear()
        else:
            self.engine.crew.give_up(self)

    def _give_up_draining(self) -> None:
        """The client took nothing for too long, unless the kernel knows better."""
        if self.has_progress():
            self._set_deadline(self.engine.now + self.engine.settings.write_timeout)
            return
        self.gone = True
        call = self._call
        if call is None:
            self.close()
            return
        call.exchange.outcome = "write_timeout"
        if call.suspended:
            self._resume(call)
        else:
            self._call = None
            self._finish(call.exchange)
            self.close()

    def stop(self) -> None:
        """The server stops: close if idle; otherwise the answer under way will be the last."""
        self.must_close = True
        if self.state in {HANDSHAKE, LINGER}:
            self.close()
        elif self.state == HEAD:
            # One more look: a request may have come in the meantime.
            self.engine.again.append(self)

    def abort(self) -> None:
        """The server has waited long enough: close, whatever is going on."""
        self.gone = True
        if self.state == CALL:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return
            return
        call = self._call
        if self.state == DRAIN and call is not None and call.suspended:
            call.exchange.outcome = "stopped"
            self._resume(call)  # so that its thread closes what the application gave
        else:
            self._observe_cut()
            self.close()
