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


#: Turns exchanges into one text of whole lines; used by one thread at a time.
Formatter: TypeAlias = "Callable[[Sequence[Exchange]], str]"

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


#: What a connection knows of which no line was made yet; nothing is equal to it.
UNKNOWN: Final[tuple[Any, ...]] = (None, None, None, None, None, "", "")


class CombinedLines:
    """Apache's combined format, then what the engine knows as ``key=value``."""

    def __init__(self) -> None:
        self._clock = WallClock('%d/%b/%Y:%H:%M:%S %z] "')
        self._peer = Memory(lambda peer: f"{escaped(peer)} - - [").recall
        self._request = Memory(lambda line: f'{request_text(line)}" ').recall
        self._referer = Memory(lambda text: f'{header_text(text)}" "').recall
        self._agent = Memory(lambda text: f'{header_text(text)}" queue_us=').recall
        self._thread = Memory(lambda name: f"{thread_text(name)} conn=").recall

    def __call__(self, exchanges: Sequence[Exchange]) -> str:
        """Return one line for each exchange."""
        # PERF: the plain version is _careful() for each, which takes three times as long.  A
        # connection keeps what its last line began with, for the next one that begins alike.  A
        # mark that was not reached makes a difference far off the tables; floor() is twice as
        # fast as int().
        clock, careful, queues, apps = self._clock, self._careful, queue_texts, app_texts
        since, until, when = clock.current
        lines = []
        last_began: float | None = None
        last_thread: str | None = None
        sent_by = ""
        for each in exchanges:
            began, entered, left = each.began, each.entered, each.left
            if each.outcome != "ok" or (began is not last_began and not since <= began < until):
                lines.append(careful(each))
                since, until, when = clock.current
                continue
            last_began = began
            known = each.connection.log_texts or UNKNOWN
            known_when, line, status, size, fields, head, connection = known
            if (
                known_when is not when
                or line is not each.line
                or status != each.status
                or size != each.sent_bytes
                or fields is not each.fields
            ):
                head, connection = self._begin(each, when)
            thread = each.thread
            if thread is not last_thread:
                last_thread, sent_by = thread, f"{send_texts[0]}{self._thread(thread)}"
            try:
                lines.append(
                    f"{head}{queues[floor((entered - each.read) * 1e6)]}"
                    f"{apps[floor((left - entered) * 1e6)]}"
                    f"{sent_by if each.sent is left else self._sent_by(each)}"
                    f"{connection}{each.number} outcome=ok\n"
                )
            except IndexError:
                lines.append(careful(each))
        return "".join(lines)

    def _begin(self, each: Exchange, when: str) -> tuple[str, str]:
        """Return what a line begins with, and what it says of the connection.

        The connection keeps both, if the next exchange can be known to have the same fields.
        """
        head = f"{self._peer(each.connection.peer)}{when}{self._middle(each)}"
        connection = f"{each.connection.id} req="
        if each.fields is not None:
            each.connection.log_texts = (
                when, each.line, each.status, each.sent_bytes, each.fields, head, connection,
            )  # fmt: skip
        return head, connection

    def _sent_by(self, each: Exchange) -> str:
        return f"{send_texts[floor((each.sent - each.left) * 1e6)]}{self._thread(each.thread)}"

    def _middle(self, each: Exchange) -> str:
        """Return the part of a line that stands behind the time of day."""
        get = each.variables.get
        return (
            f"{self._request(each.line)}{logged_status(each.status, each.outcome) or '-'} "
            f'{each.sent_bytes} "{self._referer(get("HTTP_REFERER"))}'
            f"{self._agent(get('HTTP_USER_AGENT'))}"
        )

    def _careful(self, each: Exchange) -> str:
        """Return the line of any exchange at all."""
        text = (
            f"{self._peer(each.connection.peer)}{self._clock.text(each.began)}"
            f"{self._middle(each)}{micros(span(each.read, each.entered))} "
            f"app_us={micros(span(each.entered, each.left))} "
            f"send_us={micros(span(each.left, each.sent))} thread={self._thread(each.thread)}"
            f"{each.connection.id} req={each.number} outcome={escaped(each.outcome)}"
        )
        return f'{text} error="{escaped(each.error)}"\n' if each.error else f"{text}\n"


def header_text(text: str | None) -> str:
    """Return a header field's value for a log; ``-`` if there was none."""
    return "-" if text is None else escaped(text)


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

    def __call__(self, exchanges: Sequence[Exchange]) -> str:
        """Return one line for each exchange."""
        return "".join([self._line(each) for each in exchanges])

    def _line(self, each: Exchange) -> str:
        # PERF: the plain version, a dict and json.dumps(), takes three to four times as long.
        text, get = self._text, each.variables.get
        status = logged_status(each.status, each.outcome)
        return (
            f'{{"time":"{self._moment(each.began or monotonic())}",'
            f'"client":{text(each.connection.peer)},'
            f'{self._request(each.line)},"status":{status or "null"},'
            f'"bytes":{each.sent_bytes},"received":{each.received},'
            f'"queue_ms":{millis(each.read, each.entered)},'
            f'"app_ms":{millis(each.entered, each.left)},'
            f'"send_ms":{millis(each.left, each.sent)},'
            f'"total_ms":{millis(each.began, each.sent)},'
            f'"request_id":{quoted(get("HTTP_X_REQUEST_ID"))},'
            f'"referer":{text(get("HTTP_REFERER"))},"user_agent":{text(get("HTTP_USER_AGENT"))},'
            f'"pid":{self._pid},"thread":{text(each.thread or None)},'
            f'"connection":{each.connection.id},"request":{each.number},'
            f'"outcome":{text(each.outcome)},"error":{quoted(each.error)}}}\n'
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

    def __call__(self, exchanges: Sequence[Exchange]) -> str:
        """Return one line for each exchange."""
        return "".join([self._line(each) for each in exchanges])

    def _line(self, each: Exchange) -> str:
        wait = span(each.read, each.entered)
        queue = f" queue {readable(wait)}" if wait and wait >= self.notable_wait else ""
        outcome, error = each.outcome, each.error
        end = "" if outcome == "ok" and not error else failure(outcome, error)
        return (
            f"{self._clock.text(each.began)} {self._status(logged_status(each.status, outcome))} "
            f"{self._request(each.line)} {readable(span(each.began, each.sent))}{queue} "
            f"[{self._thread(each.thread)} {each.connection.id}#{each.number}]{end}\n"
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
