r"""Ended exchanges as lines of text, in the three formats of the access log.

Facts: up to a hundred thousand lines a second are made here, by the threads that answer.  Most of
their text was chosen by strangers, and most of it was seen before.

Danger: a line break, a quote or a terminal's control sequence from a request would let its sender
forge lines or repaint an operator's screen.

Decision: what a client or an application chose is escaped to printable ASCII, with quotes and
backslashes marked, so that a line is exactly one line; in ``json`` the real encoder's own
function does it.  Escaped texts are remembered, in memories that no client can make grow.
``combined`` has a fast way for the exchange that went well and a careful one for all others.

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
    from collections.abc import Callable, Sequence

    from stein.http.exchange import RequestLine

__all__ = [
    "FORMATS",
    "NOTED_FIELDS",
    "CombinedLines",
    "DevLines",
    "Formatter",
    "JsonLines",
    "Record",
    "escaped",
    "make_formatter",
]


#: What is logged of an exchange, as :meth:`AccessLog.observe` notes it: outcome, error, line,
#: status, sent_bytes, received, the fields of :data:`NOTED_FIELDS`, began, read, entered, left,
#: sent, thread, connection, number.
Record: TypeAlias = "tuple[Any, ...]"

#: Where in a record the header fields are.
NOTED_FIELDS: Final = slice(6, 9)  # Referer, User-Agent, X-Request-ID; None if there was none

#: Turns records into one text of whole lines; used by one thread at a time.
Formatter: TypeAlias = "Callable[[Sequence[Record]], str]"

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


class Memory:
    """A pure function with a memory; :meth:`recall` is the function.

    It is emptied when full and keeps no long text, so that a client that never repeats itself
    gains no memory.
    """

    def __init__(self, function: Callable[[Any], str]) -> None:
        self._known: dict[Any, str] = {}
        self._function = function

    def recall(self, key: Any) -> str:
        """Return the function's value, which is remembered from now on."""
        text = self._known.get(key)
        if text is None:
            text = self._function(key)
            if len(text) <= KNOWN_LENGTH:
                if len(self._known) >= KNOWN_COUNT:
                    self._known.clear()
                self._known[key] = text
        return text


def request_text(line: RequestLine) -> str:
    """Return the request line for a log; a line that was no request line stands for itself."""
    if not line.method:
        return escaped(line.target)
    return escaped(f"{line.method} {line.target} {line.protocol}")


def thread_text(name: str) -> str:
    """Return the thread for a log; ``-`` if there was none."""
    return escaped(name) or "-"


def logged_status(status: int, outcome: str) -> int | None:
    """Return the status to log: 499 for a client that left unanswered, None for no answer."""
    return status or (CLIENT_CLOSED_REQUEST if outcome == "client_gone" else None)


def span(start: float, end: float) -> float | None:
    """Return the seconds between two marks, or None if either was never reached."""
    return end - start if start and end else None


def micros(seconds: float | None) -> str:
    """Return a duration in whole microseconds; ``-`` for None."""
    return "-" if seconds is None else str(floor(seconds * 1e6))


class WallClock:
    """Turns marks, which are monotonic, into times of day.

    ``current`` is the latest second that was asked for: the marks where it begins and ends, and
    its text.
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
queue_texts: Final = [f"{count} app_us=" for count in range(SHORT)]
app_texts: Final = [f"{count} send_us=" for count in range(SHORT)]
send_texts: Final = [f"{count} thread=" for count in range(SHORT)]


class CombinedLines:
    """Apache's combined format, then what the engine knows as ``key=value``."""

    def __init__(self) -> None:
        self._clock = WallClock('%d/%b/%Y:%H:%M:%S %z] "')
        self._request = Memory(lambda line: f'{request_text(line)}" ').recall
        self._referer = Memory(lambda text: f'{header_text(text)}" "').recall
        self._agent = Memory(lambda text: f'{header_text(text)}" queue_us=').recall
        self._thread = Memory(lambda name: f"{thread_text(name)} conn=").recall

    def __call__(self, records: Sequence[Record]) -> str:
        """Return one line for each record."""
        # PERF: the plain version is _careful() for each, which takes three times as long.  What a
        # record shares with the one in front is not looked up again.  A mark that was not
        # reached makes a difference far off the tables; floor() is twice as fast as int().
        clock, careful, queues, apps = self._clock, self._careful, queue_texts, app_texts
        since, until, when = clock.current
        lines = []
        last_line = last_status = last_size = last_referer = last_agent = last_thread = None
        middle = thread_part = ""
        for record in records:
            (outcome, error, line, status, size, _, referer, agent, _,
             began, read, entered, left, sent, thread, connection, number) = record  # fmt: skip
            if outcome != "ok" or error or not since <= began < until:
                lines.append(careful(record))
                since, until, when = clock.current
                continue
            if (
                line is not last_line
                or status != last_status
                or size != last_size
                or referer != last_referer
                or agent != last_agent
            ):
                middle = self._middle(line, logged_status(status, outcome), size, referer, agent)
                last_line, last_status, last_size = line, status, size
                last_referer, last_agent = referer, agent
            if thread is not last_thread:
                last_thread, thread_part = thread, self._thread(thread)
            peer, connection_part = connection.log_texts or introduce(connection)
            try:
                lines.append(
                    f"{peer}{when}{middle}{queues[floor((entered - read) * 1e6)]}"
                    f"{apps[floor((left - entered) * 1e6)]}"
                    f"{send_texts[0 if sent is left else floor((sent - left) * 1e6)]}"
                    f"{thread_part}{connection_part}{number} outcome=ok\n"
                )
            except IndexError:
                lines.append(careful(record))
        return "".join(lines)

    def _middle(
        self,
        line: RequestLine,
        status: int | None,
        size: int,
        referer: str | None,
        agent: str | None,
    ) -> str:
        """Return the part of a line that stands behind the time of day."""
        return (
            f'{self._request(line)}{status or "-"} {size} "{self._referer(referer)}'
            f"{self._agent(agent)}"
        )

    def _careful(self, record: Record) -> str:
        """Return the line of any exchange at all."""
        (outcome, error, line, status, size, _, referer, agent, _,
         began, read, entered, left, sent, thread, connection, number) = record  # fmt: skip
        peer, connection_part = connection.log_texts or introduce(connection)
        text = (
            f"{peer}{self._clock.text(began)}"
            f"{self._middle(line, logged_status(status, outcome), size, referer, agent)}"
            f"{micros(span(read, entered))} app_us={micros(span(entered, left))} "
            f"send_us={micros(span(left, sent))} thread={self._thread(thread)}"
            f"{connection_part}{number} outcome={escaped(outcome)}"
        )
        return f'{text} error="{escaped(error)}"\n' if error else f"{text}\n"


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

    def __call__(self, records: Sequence[Record]) -> str:
        """Return one line for each record."""
        return "".join([self._line(record) for record in records])

    def _line(self, record: Record) -> str:
        # PERF: the plain version, a dict and json.dumps(), takes three to four times as long.
        (outcome, error, line, status, size, received, referer, agent, request_id,
         began, read, entered, left, sent, thread, connection, number) = record  # fmt: skip
        text = self._text
        return (
            f'{{"time":"{self._moment(began or monotonic())}","client":{text(connection.peer)},'
            f'{self._request(line)},"status":{logged_status(status, outcome) or "null"},'
            f'"bytes":{size},"received":{received},"queue_ms":{millis(read, entered)},'
            f'"app_ms":{millis(entered, left)},"send_ms":{millis(left, sent)},'
            f'"total_ms":{millis(began, sent)},"request_id":{quoted(request_id)},'
            f'"referer":{text(referer)},"user_agent":{text(agent)},"pid":{self._pid},'
            f'"thread":{text(thread or None)},"connection":{connection.id},"request":{number},'
            f'"outcome":{text(outcome)},"error":{quoted(error)}}}\n'
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

    def __call__(self, records: Sequence[Record]) -> str:
        """Return one line for each record."""
        return "".join([self._line(record) for record in records])

    def _line(self, record: Record) -> str:
        (outcome, error, line, status, _, _, _, _, _,
         began, read, entered, _, sent, thread, connection, number) = record  # fmt: skip
        wait = span(read, entered)
        queue = f" queue {readable(wait)}" if wait and wait >= self.notable_wait else ""
        end = "" if outcome == "ok" and not error else failure(outcome, error)
        return (
            f"{self._clock.text(began)} {self._status(logged_status(status, outcome))} "
            f"{self._request(line)} {readable(span(began, sent))}{queue} "
            f"[{self._thread(thread)} {connection.id}#{number}]{end}\n"
        )

    def _status(self, status: int | None) -> str:
        if status is None:
            return "---"
        colour = self.colours.get(status // 100) if self._colour else None
        return f"\x1b[{colour}m{status}\x1b[0m" if colour else str(status)


def short_request(line: RequestLine) -> str:
    """Return method and target for a log; a line that was no request line stands for itself."""
    return escaped(f"{line.method} {line.target}".lstrip())


def failure(outcome: str, error: str | None) -> str:
    """Return how an exchange failed and why, each with a blank in front."""
    text = "" if outcome == "ok" else f" {escaped(outcome)}"
    return f"{text} ({escaped(error)})" if error else text


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
    """Return the function that turns records into lines.

    :param name: one of :data:`FORMATS`.
    :param colour: see :class:`DevLines`; the other formats have no colours.
    :raises ValueError: for any other name.
    """
    if name == "combined":
        return CombinedLines()
    if name == "json":
        return JsonLines()
    if name == "dev":
        return DevLines(colour=colour)
    message = f"access log format {name!r} is not one of: {', '.join(FORMATS)}"
    raise ValueError(message)
