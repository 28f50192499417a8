r"""One ended exchange as one line of text, in the three formats of the access log.

Facts: up to a hundred thousand lines a second are made here, each by the thread that ended the
exchange, between two requests.  Most of their text was chosen by strangers; most of it was seen
before: a client sends the same fields again, a site has more requests than addresses.

Danger: a line break, a quote or a terminal's control sequence from a request would let its sender
forge lines or repaint an operator's screen.

Decision: what a client or an application chose is escaped to printable ASCII, with quotes and
backslashes marked, so that a line is exactly one line; in ``json`` the real encoder's own
function does it.  Escaped texts are remembered, in memories that no client can make grow.  Each
format has a fast way for the exchange that went well, one f-string, and a careful one for all
others, which is also what the fast one is tested against.

Times are whole microseconds in ``combined`` (``queue_us``: it waited for a thread, ``app_us``:
the application's call, ``send_us``: until the operating system had the rest of the response) and
milliseconds with three places in ``json``.

Price: a log reader sees ``\xc3\xa9`` where a browser shows an accent.  The offset between the
two clocks is taken once a second, so a wall clock that is set shows that late.
"""

from __future__ import annotations

import os
import re
import time
from json.encoder import encode_basestring_ascii
from math import floor
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from stein.clock import monotonic, wall

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.http.exchange import Exchange, RequestLine

__all__ = [
    "FORMATS",
    "CombinedLines",
    "DevLines",
    "Formatter",
    "JsonLines",
    "escaped",
    "make_formatter",
]


#: Turns an exchange into a line, with its line break; any thread, several at once.
Formatter: TypeAlias = "Callable[[Exchange], str]"

FORMATS: Final = ("combined", "json", "dev")

#: What stands in a log for a client that left before it was answered; nginx chose the number.
CLIENT_CLOSED_REQUEST: Final = 499

#: How many texts a memory holds, and how long they are at most.
KNOWN_COUNT: Final = 1024
KNOWN_LENGTH: Final = 512

#: Durations below so many microseconds are texts in a table.
SHORT: Final = 2048

needs_escape = re.compile(r"[^ !#-\[\]-~]").search


def escaped(text: str) -> str:
    r"""Return ``text`` as printable ASCII with quotes and backslashes marked.

    :param text: anything; characters above 255 become ``\uXXXX``.
    :returns: a text that holds no control character, no bare quote and no bare backslash.
    """
    if needs_escape(text) is None:
        return text
    return text.encode("unicode_escape").decode("ascii").replace('"', '\\"')


class Memory(dict[Any, str]):
    """A pure function with a memory; :meth:`recall` is the function.

    Shared by all threads: get, set and clear of a dict are atomic.  It is emptied when full and
    keeps no long text, so that a client that never repeats itself gains no memory.

    PERF: ``memory[key]``, which raises KeyError for what is not remembered, takes an eighth of
    the time of a call; with ``__missing__`` it would take twice as long.
    """

    def __init__(self, function: Callable[[Any], str]) -> None:
        super().__init__()
        self._function = function

    def recall(self, key: Any) -> str:
        """Return the function's value, which is remembered from now on."""
        text = self.get(key)
        if text is None:
            text = self._function(key)
            if len(text) <= KNOWN_LENGTH:
                if len(self) >= KNOWN_COUNT:
                    self.clear()
                self[key] = text
        return text


def request_text(line: RequestLine) -> str:
    """Return the request line for a log; a line that was no request line stands for itself."""
    if not line.method:
        return escaped(line.target)
    return escaped(f"{line.method} {line.target} {line.protocol}")


def thread_text(name: str) -> str:
    """Return the thread for a log; ``-`` if there was none."""
    return escaped(name) or "-"


def logged_status(exchange: Exchange) -> int | None:
    """Return the status to log: 499 for a client that left unanswered, None for no answer."""
    if exchange.status:
        return exchange.status
    return CLIENT_CLOSED_REQUEST if exchange.outcome == "client_gone" else None


def span(start: float, end: float) -> float | None:
    """Return the seconds between two marks, or None if either was never reached."""
    return end - start if start and end else None


def micros(seconds: float | None) -> str:
    """Return a duration in whole microseconds; ``-`` for None."""
    return "-" if seconds is None else str(floor(seconds * 1e6))


class WallClock:
    """Turns marks, which are monotonic, into times of day.

    Shared by all threads.  ``current`` is the latest second that was asked for: the marks where
    it begins and ends, and its text; it is only ever replaced as a whole.
    """

    __slots__ = ("_pattern", "current")

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.current = (0.0, 0.0, "")

    def second(self, mark: float) -> tuple[float, str]:
        """Return the mark at which the second of ``mark`` began, and its local time as text."""
        since, until, text = self.current
        if since <= mark < until:
            return since, text
        offset = wall() - monotonic()
        second = floor(mark + offset)
        text = time.strftime(self._pattern, time.localtime(second))
        since = second - offset
        if mark >= until:
            self.current = (since, since + 1.0, text)
        return since, text

    def text(self, mark: float) -> str:
        """Return the local time of a mark; now, if the mark was never reached."""
        return self.second(mark or monotonic())[1]


# PERF: each text carries what always stands behind it, as every part of an f-string costs 8 ns; a
# table is faster than str(); they are globals, as these are found faster than class attributes.
size_texts: Final = [f'{count} "' for count in range(SHORT)]
queue_texts: Final = [f"{count} app_us=" for count in range(SHORT)]
app_texts: Final = [f"{count} send_us=" for count in range(SHORT)]
send_texts: Final = [f"{count} thread=" for count in range(SHORT)]
status_texts: Final = {status: f"{status} " for status in range(100, 600)}


class CombinedLines:
    """Apache's combined format, then what the engine knows as ``key=value``."""

    def __init__(self) -> None:
        self._clock = WallClock('%d/%b/%Y:%H:%M:%S %z] "')
        self._requests = Memory(lambda line: f'{request_text(line)}" ')
        self._referers = Memory(lambda text: f'{header_text(text)}" "')
        self._agents = Memory(lambda text: f'{header_text(text)}" queue_us=')
        self._threads = Memory(lambda name: f"{thread_text(name)} conn=")

    def line(self, exchange: Exchange) -> str:
        """Return the line of an exchange, with its line break."""
        # PERF: the plain version is _careful(), which takes four times as long.  A mark that was
        # not reached makes a difference far off the tables; floor() is twice as fast as int().
        since, until, when = self._clock.current
        if exchange.outcome != "ok" or exchange.error or not since <= exchange.began < until:
            return self._careful(exchange)
        try:
            request = self._requests[exchange.line]
        except KeyError:
            request = self._requests.recall(exchange.line)
        connection = exchange.connection
        peer, number = connection.log_texts or introduce(connection)
        entered, left, size = exchange.entered, exchange.left, exchange.sent_bytes
        get = exchange.variables.get
        try:
            return (
                f"{peer}{when}{request}{status_texts[exchange.status]}"
                f"""{size_texts[size] if size < SHORT else f'{size} "'}"""
                f'{self._referers[get("HTTP_REFERER")]}{self._agents[get("HTTP_USER_AGENT")]}'
                f"{queue_texts[floor((entered - exchange.read) * 1e6)]}"
                f"{app_texts[floor((left - entered) * 1e6)]}"
                f"{send_texts[floor((exchange.sent - left) * 1e6)]}"
                f"{self._threads[exchange.thread]}{number}{exchange.number} outcome=ok\n"
            )
        except LookupError:  # a long duration, or a text that is not remembered
            return self._careful(exchange)

    def _careful(self, exchange: Exchange) -> str:
        """Return the line of any exchange at all."""
        connection, get = exchange.connection, exchange.variables.get
        peer, number = connection.log_texts or introduce(connection)
        line = (
            f"{peer}{self._clock.text(exchange.began)}{self._requests.recall(exchange.line)}"
            f'{logged_status(exchange) or "-"} {exchange.sent_bytes} "'
            f'{self._referers.recall(get("HTTP_REFERER"))}'
            f'{self._agents.recall(get("HTTP_USER_AGENT"))}'
            f"{micros(span(exchange.read, exchange.entered))} app_us="
            f"{micros(span(exchange.entered, exchange.left))} send_us="
            f"{micros(span(exchange.left, exchange.sent))} thread="
            f"{self._threads.recall(exchange.thread)}{number}{exchange.number} "
            f"outcome={escaped(exchange.outcome)}"
        )
        return f'{line} error="{escaped(exchange.error)}"\n' if exchange.error else f"{line}\n"


def header_text(text: str | None) -> str:
    """Return a header field's value for a log; ``-`` if there was none."""
    return "-" if text is None else escaped(text)


def introduce(connection: Any) -> tuple[str, str]:
    """Return what ``combined`` says of a connection, and have the connection keep it."""
    texts = f"{escaped(connection.peer)} - - [", f"{connection.id} req="
    connection.log_texts = texts
    return texts


def quoted(text: str | None) -> str:
    """Return a text as JSON; null for None."""
    return "null" if text is None else encode_basestring_ascii(text)


def request_members(line: RequestLine) -> str:
    """Return the members of a JSON object that tell the request line."""
    return (
        f'"method":{quoted(line.method or None)},"target":{quoted(line.target)},'
        f'"path":{quoted(line.path)},"protocol":{quoted(line.protocol or None)}'
    )


class JsonLines:
    """One JSON object per line; what is unknown is null."""

    def __init__(self) -> None:
        self._clock = WallClock("%Y-%m-%dT%H:%M:%S%z")
        self._pid = os.getpid()
        self._text = Memory(quoted).recall
        self._request = Memory(request_members).recall

    def line(self, exchange: Exchange) -> str:
        """Return the line of an exchange, with its line break."""
        # PERF: the plain version, a dict and json.dumps(), takes three to four times as long.
        text, get, connection = self._text, exchange.variables.get, exchange.connection
        began, entered, left, sent = exchange.began, exchange.entered, exchange.left, exchange.sent
        return (
            f'{{"time":"{self._moment(began or monotonic())}","client":{text(connection.peer)},'
            f'{self._request(exchange.line)},"status":{logged_status(exchange) or "null"},'
            f'"bytes":{exchange.sent_bytes},"received":{exchange.received},'
            f'"queue_ms":{millis(exchange.read, entered)},"app_ms":{millis(entered, left)},'
            f'"send_ms":{millis(left, sent)},"total_ms":{millis(began, sent)},'
            f'"request_id":{quoted(get("HTTP_X_REQUEST_ID"))},'
            f'"referer":{text(get("HTTP_REFERER"))},"user_agent":{text(get("HTTP_USER_AGENT"))},'
            f'"pid":{self._pid},"thread":{text(exchange.thread or None)},'
            f'"connection":{connection.id},"request":{exchange.number},'
            f'"outcome":{text(exchange.outcome)},"error":{quoted(exchange.error)}}}\n'
        )

    def _moment(self, mark: float) -> str:
        """Return a time of day as ISO 8601 in local time with its zone, to the microsecond."""
        since, when = self._clock.second(mark)
        micro = min(floor((mark - since) * 1e6), 999_999)
        return f"{when[:-5]}.{micro:06d}{when[-5:-2]}:{when[-2:]}"


milli_texts: Final = [f"{count / 1e3:.3f}" for count in range(SHORT)]


def millis(start: float, end: float) -> str:
    """Return the milliseconds between two marks, to the microsecond, as JSON."""
    if not start or not end:
        return "null"
    count = floor((end - start) * 1e6)
    return milli_texts[count] if 0 <= count < SHORT else f"{count / 1e3:.3f}"


class DevLines:
    """Short lines for the eyes of the person who writes the application.

    :param colour: whether the status is coloured by its class, with ANSI sequences.
    """

    colours: Final = {2: "32", 3: "36", 4: "33", 5: "1;31"}
    #: From here on a wait for a thread is worth mention.
    notable_wait: Final = 0.001

    def __init__(self, *, colour: bool) -> None:
        self._clock = WallClock("%H:%M:%S")
        self._colour = colour
        self._request = Memory(short_request).recall
        self._thread = Memory(thread_text).recall

    def line(self, exchange: Exchange) -> str:
        """Return the line of an exchange, with its line break."""
        line = (
            f"{self._clock.text(exchange.began)} {self._status(logged_status(exchange))} "
            f"{self._request(exchange.line)} {readable(span(exchange.began, exchange.sent))}"
        )
        wait = span(exchange.read, exchange.entered)
        if wait is not None and wait >= self.notable_wait:
            line += f" queue {readable(wait)}"
        place = f"{self._thread(exchange.thread)} {exchange.connection.id}#{exchange.number}"
        if exchange.outcome == "ok" and not exchange.error:
            return f"{line} [{place}]\n"
        return f"{line} [{place}]{failure(exchange)}\n"

    def _status(self, status: int | None) -> str:
        if status is None:
            return "---"
        colour = self.colours.get(status // 100) if self._colour else None
        return f"\x1b[{colour}m{status}\x1b[0m" if colour else str(status)


def short_request(line: RequestLine) -> str:
    """Return method and target for a log; a line that was no request line stands for itself."""
    return escaped(f"{line.method} {line.target}".lstrip())


def failure(exchange: Exchange) -> str:
    """Return how an exchange failed and why, each with a blank in front."""
    text = "" if exchange.outcome == "ok" else f" {escaped(exchange.outcome)}"
    return f"{text} ({escaped(exchange.error)})" if exchange.error else text


def readable(seconds: float | None) -> str:
    """Return a duration as a person would say it: ``0.35 ms``, ``12 ms``, ``1.20 s``."""
    if seconds is None:
        return "-"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    if seconds >= 0.01:  # from ten milliseconds on, fractions are noise
        return f"{seconds * 1e3:.0f} ms"
    return f"{seconds * 1e3:.2f} ms"


def make_formatter(name: str, *, colour: bool = False) -> Formatter:
    """Return the function that turns an exchange into a line.

    :param name: one of :data:`FORMATS`.
    :param colour: see :class:`DevLines`; the other formats have no colours.
    :raises ValueError: for any other name.
    """
    if name == "combined":
        return CombinedLines().line
    if name == "json":
        return JsonLines().line
    if name == "dev":
        return DevLines(colour=colour).line
    message = f"access log format {name!r} is not one of: {', '.join(FORMATS)}"
    raise ValueError(message)
