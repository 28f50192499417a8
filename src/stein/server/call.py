"""One call of the application: PEP 3333, from environ to the last piece of the body."""

from __future__ import annotations

import logging
import os
import stat
from contextvars import Context
from io import BytesIO
from threading import current_thread, main_thread
from typing import IO, TYPE_CHECKING, Any, Final

from stein.clock import monotonic
from stein.errors import ApplicationError, Disconnected, RequestError
from stein.http.h1.writer import LAST_CHUNK, UNKNOWN, Head, chunk, make_head
from stein.http.status import status_text
from stein.server.batch import LARGEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stein.http.exchange import Exchange
    from stein.server.connection import Connection
    from stein.typing import ExcInfo, HeaderList, Write

__all__ = ["Call", "FileWrapper"]

_NONE: Final[HeaderList] = []  # never changed; each call has a list of its application's instead

logger: Final = logging.getLogger("stein.error")


class FileWrapper:
    """``wsgi.file_wrapper``: a file as the body of a response.

    If it is a real file, the kernel sends it (``sendfile``) and no thread waits for the client;
    otherwise it is read block by block.
    """

    def __init__(self, filelike: IO[bytes], block_size: int = 65536) -> None:
        self.filelike = filelike
        self.block_size = block_size
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block = self.filelike.read(self.block_size)
        if block:
            return block
        raise StopIteration

    def rest(self) -> tuple[int, int] | None:
        """Position and number of the bytes left, if it is a regular file that has a position."""
        try:
            status = os.fstat(self.filelike.fileno())
            position = self.filelike.tell()
        except (AttributeError, OSError, ValueError):
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return position, max(0, status.st_size - position)


class Call:
    """One call of the application, and the writing of what it answers.

    A call is run by one thread of the crew and, if it is suspended because the client reads
    slowly, resumed by the same thread in the same context; ``close()`` of the application's
    iterable runs there, too.

    :param connection: where the request came from; the call owns its sending side until it ends.
    :param exchange: the request.
    :param body: its ``wsgi.input``.
    """

    __slots__ = (
        "_body",
        "_context",
        "_head",
        "_headers",
        "_iterable",
        "_iterator",
        "_left",
        "_status",
        "connection",
        "exchange",
        "kept",
        "suspended",
        "worker",
    )

    connection: Connection
    exchange: Exchange
    worker: Any  #: the thread of the crew that runs it
    suspended: bool  #: waits for the client to take what it was given
    kept: bytes | None  #: the whole answer, which is not sent yet; see :mod:`stein.server.batch`
    _context: Context
    _head: Head | None  # None until the head was sent
    _headers: HeaderList
    _iterable: Iterable[bytes] | None
    _iterator: Iterator[bytes]
    _left: int  # how many bytes of the declared length are to come
    _status: str | None

    def __init__(self, connection: Connection, exchange: Exchange, body: IO[bytes]) -> None:
        self.connection = connection
        self.exchange = exchange
        self.suspended = False
        self.kept = None
        self._body = body
        self._head = None
        self._status = None
        self._headers = _NONE
        self._iterable = None

    # -- any thread ---------------------------------------------------------------------------

    @property
    def begun(self) -> bool:
        """Whether the response has begun."""
        return self._head is not None

    @property
    def ends_with_connection(self) -> bool:
        """Whether the response has begun, and only the end of the connection will end it."""
        head = self._head
        return head is not None and head[1] == UNKNOWN and not head[2]

    # -- what the crew calls ------------------------------------------------------------------

    def run(self, worker: Any) -> None:
        """Call the application and send what it gives.

        Returns when the response is complete, or with :attr:`suspended` set.  Raises nothing.
        """
        self.worker = worker
        worker.call = self
        exchange = self.exchange
        exchange.thread = worker.name
        # PERF: ThreadPlace.enter, written out; what identifies a call that turns out to be long is
        # written by the monitor (bench: hello).
        place = worker.place
        if exchange.line is not place.line:
            place.describe(exchange.line)
        if not worker.brief:
            place.since[0] = 0.0
            ids = place.ids
            ids[0] = self.connection.id
            ids[1] = exchange.number
        place.since[0] = exchange.entered = monotonic()
        # A context of its own for each call: what an application leaves behind in a context
        # variable is never seen by the next request, and a suspended call finds it again.
        self._context = context = Context()
        context.run(self._run)
        exchange.left = monotonic()

    def discard(self) -> None:
        """Give up a call that was never begun."""
        self._body.close()

    def skip(self, worker: Any) -> None:
        """Do not call the application, since nobody would read the answer any more."""
        self.worker = worker
        self.exchange.thread = worker.name
        self.exchange.entered = self.exchange.left = monotonic()
        self._fail(Disconnected(400, "the client went away before its turn"))
        self._close()

    def resume(self) -> None:
        """Go on with a suspended call, or end it if the client has gone."""
        self.suspended = False
        worker, exchange = self.worker, self.exchange
        worker.call = self
        worker.place.enter(exchange, exchange.entered)
        self._context.run(self._resume)
        exchange.left = monotonic()
        worker.place.leave()

    # -- inside the call's context ------------------------------------------------------------

    def _run(self) -> None:
        connection = self.connection
        try:
            # The environ of PEP 3333: the connection's template and the fields are in it already.
            exchange = self.exchange
            environ = exchange.variables
            (
                environ["REQUEST_METHOD"],
                target,
                environ["PATH_INFO"],
                environ["QUERY_STRING"],
                environ["SERVER_PROTOCOL"],
                _,
            ) = exchange.line
            environ["RAW_URI"] = environ["REQUEST_URI"] = target
            environ["wsgi.input"] = self._body
            result = connection.engine.application(environ, self.start_response)
            kind = result.__class__
            if kind is list or kind is tuple:
                # PERF: nearly all responses are one piece in a list: no iterator, no close().
                self._send_whole(result[0] if len(result) == 1 else b"".join(result))  # type: ignore[index,arg-type]
                if self._body.__class__ is not BytesIO:
                    self._body.close()
                return
            self._iterable = result
            if kind is FileWrapper and self._send_file(result):  # type: ignore[arg-type]
                return
            self._iterator = iter(result)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the server goes on
            self._fail(error)
            self._close()
            return
        self._resume()

    def _resume(self) -> None:
        try:
            if not self._iterate():
                return
            self._end_body()
        except BaseException as error:  # noqa: BLE001
            self._fail(error)
        self._close()

    def start_response(
        self, status: str, headers: HeaderList, exc_info: ExcInfo | None = None
    ) -> Write:
        """``start_response`` of PEP 3333."""
        if exc_info is not None:
            try:
                if self._head is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # breaks the cycle through the traceback's frame
        elif self._status is not None:
            message = "start_response() was called a second time without exc_info"
            raise ApplicationError(message)
        self._status = status
        self._headers = headers
        return self.write

    def write(self, data: bytes) -> None:
        """The ``write()`` callable of PEP 3333; waits while the client is slow to take it."""
        self._send(data)
        self.connection.wait_drained()

    # -- the body -----------------------------------------------------------------------------

    def _iterate(self) -> bool:
        """Send the pieces of the iterable; false if the call was suspended on the way."""
        connection = self.connection
        most = connection.engine.settings.response_buffer
        if connection.gone:
            raise Disconnected(400, "the client went away during the response")
        for piece in self._iterator:
            if piece:
                self._send(piece)
                if connection.unsent > most:
                    self.suspended = True
                    return False
            elif piece.__class__ is not bytes:
                self._refuse_piece(piece)
            if self._head is not None and self._head[3]:
                break  # nobody will see the rest
        return True

    def _send(self, piece: bytes) -> None:
        """Send one piece of the body, behind the head if that has not gone yet."""
        if piece.__class__ is not bytes:
            self._refuse_piece(piece)
        head = self._head
        data = b""
        if head is None:
            head = self._make_head(self._known_length(piece))
            data = head[0]
        _, length, chunked, bodiless = head
        if bodiless:
            piece = b""
        elif chunked:
            self.exchange.sent_bytes += len(piece)
            piece = chunk(piece) if piece else b""
        elif length != UNKNOWN:
            if len(piece) > self._left:
                self._send_excess(data, piece)
            self._left -= len(piece)
        if not chunked:
            self.exchange.sent_bytes += len(piece)
        if data or piece:
            self.connection.write(data + piece if data else piece)

    def _send_excess(self, data: bytes, piece: bytes) -> None:
        """The application gives more than it declared: send what was declared, and say so."""
        piece = piece[: self._left]
        self._left = 0
        self.exchange.sent_bytes += len(piece)
        if data or piece:
            self.connection.write(data + piece)
        length = self._head[1] if self._head else UNKNOWN
        message = f"the application gave more than the declared {length} bytes"
        raise ApplicationError(message)

    def _send_whole(self, body: bytes) -> None:
        """Send a body of one piece, which is all there is."""
        if self._head is not None or body.__class__ is not bytes:
            if body or body.__class__ is not bytes:
                self._send(body)
            self._end_body()
            return
        # PERF: _make_head, written out (bench: hello).
        connection, exchange = self.connection, self.exchange
        if connection.must_close or not exchange.complete:
            exchange.persistent = False
        tail = connection.engine.tail
        head = self._head = make_head(
            self._status, self._headers, exchange, len(body), tail, exchange.entered
        )
        data, length, _, bodiless = head
        if length == len(body) and not bodiless:
            exchange.sent_bytes = length
            worker = self.worker
            if worker.keeps and length <= LARGEST:
                self.kept = data + body
                return
            if worker.told:
                # Before and not after: a thread that comes back from a system call may have to wait
                # for the interpreter, and be killed there with an answer that was sent.
                worker.place.since[0] = 0.0
            connection.write(data, body)
        elif bodiless:
            self.connection.write(data)
        elif length < len(body):
            self._left = length
            self._send_excess(data, body)
        else:
            exchange.sent_bytes = len(body)
            self._left = length - len(body)
            self.connection.write(data, body)
            self._end_body()

    def send_kept(self) -> None:
        """Send the answer that was kept.  Raises nothing."""
        answer, self.kept = self.kept, None
        try:
            self.connection.write(answer)  # type: ignore[arg-type] # there is one
        except Disconnected as error:
            self._fail(error)

    def _make_head(self, length: int) -> Head:
        tail, exchange = self.connection.engine.tail, self.exchange
        if self.connection.must_close or not exchange.complete:
            exchange.persistent = False
        head = make_head(self._status, self._headers, exchange, length, tail, exchange.entered)
        self._head = head
        self._left = head[1]
        return head

    def _known_length(self, piece: bytes) -> int:
        """The length of the body, if its first piece is all there is (PEP 3333)."""
        try:
            return len(piece) if len(self._iterable) == 1 else UNKNOWN  # type: ignore[arg-type]
        except TypeError:
            return UNKNOWN

    def _send_file(self, wrapper: FileWrapper) -> bool:
        """Let the kernel send the file; false if it must be read block by block instead."""
        rest = wrapper.rest()
        if rest is None or self._head is not None:
            return False
        position, count = rest
        data, length, _, bodiless = self._make_head(count)
        self.connection.write(data)
        if not bodiless and length > count:
            message = f"the file has {count} bytes, the declared length is {length}"
            raise ApplicationError(message)
        if not bodiless and length:
            self.exchange.sent_bytes = length
            self._left = 0
            self.connection.write_file(wrapper.filelike, position, length)
        if self.connection.unsent_any:
            # Resumed when the client has it all: then only the closing is left to do.
            self._iterator = iter(())
            self.suspended = True
        else:
            self._close()
        return True

    def _end_body(self) -> None:
        """The application has given everything."""
        if self._head is None:  # it gave nothing, so the length is known
            self.connection.write(self._make_head(0)[0])
        assert self._head is not None  # noqa: S101 - it was made here or before
        _, length, chunked, bodiless = self._head
        if bodiless:
            return
        if chunked:
            self.connection.write(LAST_CHUNK)
        elif length != UNKNOWN and self._left:
            given = length - self._left
            message = f"the application declared {length} bytes and gave {given}"
            raise ApplicationError(message)

    def _refuse_piece(self, piece: object) -> None:
        if not isinstance(piece, bytes):
            message = f"the body must be bytes, the application gave {type(piece).__name__}"
            raise ApplicationError(message)

    # -- ends ---------------------------------------------------------------------------------

    def _close(self) -> None:
        """Close the iterable and the request body; after this the call is over."""
        close = getattr(self._iterable, "close", None)
        self._iterable = None
        self._iterator = iter(())
        try:
            if close is not None:
                close()
        except BaseException:
            logger.exception("%s: close() of the response failed", self.where)
        if self._body.__class__ is not BytesIO:
            self._body.close()

    def _fail(self, error: BaseException) -> None:
        """Something went wrong: tell the log, and the client as far as that is still possible."""
        exchange, connection = self.exchange, self.connection
        exchange.persistent = False
        exchange.error = f"{type(error).__name__}: {error}"
        if isinstance(error, Disconnected) and connection.gone:
            if exchange.outcome == "ok":
                exchange.outcome = "client_gone"
            return
        if isinstance(error, RequestError):  # a faulty or too slow body, read by the application
            exchange.outcome = "limit" if error.limit else "bad_request"
            status = error.status
        else:
            exchange.outcome = "app_error"
            status = 500
            logger.error("%s: %s", self.where, error, exc_info=error)
        if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
            connection.engine.request_stop(0.0)
        if self._head is not None:
            exchange.outcome = "cut_off"
            _, length, chunked, _ = self._head
            connection.cut_off(abrupt=length == UNKNOWN and not chunked)
            return
        self._status, self._headers = status_text(status), [("Content-Type", "text/plain")]
        body = f"{status_text(status)}\n".encode()
        try:
            self._send_whole(body)
        except OSError:
            exchange.outcome = "client_gone"

    @property
    def where(self) -> str:
        """Names the request in the log."""
        exchange = self.exchange
        return (
            f"{exchange.line.method} {exchange.line.target!a} "
            f"(connection {exchange.connection.id}, request {exchange.number})"
        )
