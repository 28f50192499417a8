r"""One ended exchange as one line of text, in the three formats of the access log.

Facts: up to a hundred thousand lines a second are made here, under the interpreter lock that the
requests need as well.  Most of their text was chosen by strangers.

Danger: a line break, a quote or a terminal's control sequence from a request would let its sender
forge lines or repaint an operator's screen.

Decision: what a client or an application chose is escaped to printable ASCII, with quotes and
backslashes marked, so that a line is exactly one line.  The common case, a text that needs no
escape, is recognised by a few tests at C speed; ``json`` leaves the matter to the real encoder.

Price: a log reader sees ``\xc3\xa9`` where a browser shows an accent.
"""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING, Final, Protocol

from stein.clock import monotonic, wall

if TYPE_CHECKING:
    from stein.http.exchange import Exchange, RequestLine

__all__ = [
    "FORMATS",
    "LOGGED_FIELDS",
    "CombinedLines",
    "DevLines",
    "Formatter",
    "JsonLines",
    "escaped",
    "make_formatter",
]


class Formatter(Protocol):
    """Turns exchanges into lines; used by one thread."""

    #: How many exchanges it takes at a time; formatting them holds the interpreter lock for
    #: well under a tenth of a millisecond.
    batch: int

    def __call__(self, batch: list[Exchange], /) -> list[str]:
        """Return one line, with its line break, for each exchange."""


FORMATS: Final = ("combined", "json", "dev")

#: The header fields, under their CGI names, that some format shows.
LOGGED_FIELDS: Final = ("HTTP_USER_AGENT", "HTTP_REFERER", "HTTP_X_REQUEST_ID")

#: What stands in a log for a client that left before it was answered; nginx chose the number.
CLIENT_CLOSED_REQUEST: Final = 499

KNOWN_LENGTH: Final = 512
KNOWN_COUNT: Final = 4096

needs_escape = re.compile(r"[^ !#-\[\]-~]").search


def escaped(text: str) -> str:
    r"""Return ``text`` as printable ASCII with quotes and backslashes marked.

    :param text: anything; characters above 255 become ``\uXXXX``.
    :returns: a text that holds no control character, no bare quote and no bare backslash.
    """
    if needs_escape(text) is None:
        return text
    return text.encode("unicode_escape").decode("ascii").replace('"', '\\"')


class Known(dict[str, str]):
    """Texts that come again and again (user agents, addresses) and their escaped form.

    Used by the writer's thread alone.  It is emptied when full and holds no long text, so that
    a client that never repeats itself gains no memory.
    """

    def __missing__(self, text: str) -> str:
        safe = escaped(text)
        if len(text) <= KNOWN_LENGTH:
            if len(self) >= KNOWN_COUNT:
                self.clear()
            self[text] = safe
        return safe


def request_text(line: RequestLine) -> str:
    """Return the request line for a log; a line that was no request line stands for itself."""
    if not line.method:
        return escaped(line.target)
    return escaped(f"{line.method} {line.target} {line.protocol}")


def logged_status(exchange: Exchange) -> int | None:
    """Return the status to log: 499 for a client that left unanswered, None for no answer."""
    if exchange.status:
        return exchange.status
    return CLIENT_CLOSED_REQUEST if exchange.outcome == "client_gone" else None


def span(start: float, end: float) -> float | None:
    """Return the seconds between two marks, or None if either was never reached."""
    return end - start if start and end else None


def precise(seconds: float | None) -> str:
    """Return a duration in seconds to the microsecond; ``-`` for None."""
    return "-" if seconds is None else f"{seconds:.6f}"


class WallClock:
    """Turns marks into times of day, for one batch of lines.

    A mark is monotonic; its time of day is the present one less the mark's age.  The text of a
    second is made once.
    """

    __slots__ = ("_pattern", "_second", "_text", "offset")

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._second = -1
        self._text = ""
        self.offset = 0.0

    def set(self) -> None:
        """Compare the two clocks; to be called once per batch, as the wall clock may be set."""
        self.offset = wall() - monotonic()

    def text(self, second: int) -> str:
        """Return the local time of a whole second since the epoch."""
        if second != self._second:
            self._text = time.strftime(self._pattern, time.localtime(second))
            self._second = second
        return self._text


class CombinedLines:
    """Apache's combined format, then what the engine knows as ``key=value``."""

    #: Durations of less than 8.192 ms as text, by their microseconds.
    micros: Final = [f"{count / 1e6:.6f}" for count in range(8192)]
    batch = 64

    def __init__(self) -> None:
        self._clock = WallClock("%d/%b/%Y:%H:%M:%S %z")
        self._known = Known()

    def __call__(self, batch: list[Exchange]) -> list[str]:
        """Return one line, with its line break, for each exchange."""
        clock, known, micros, careful = self._clock, self._known, self.micros, self._careful
        clock.set()
        offset, stamp = clock.offset, clock.text
        lines = []
        last, when = 0, ""
        # PERF: the plain version is _careful() for every exchange, 1.7 us a line against 0.95 us
        # (tests/observe/test_accesslog.py has the measurement; one % operation instead of the
        # f-string: 1.2 us).  A table holds the text of short durations; agents and addresses are
        # escaped once.  Whatever is not plain (a missing mark, a long duration, a text that needs
        # escaping) is left to _careful(): an unset mark makes a difference far off the table.
        for exchange in batch:
            method, target, _, _, protocol, _ = exchange.line
            status, outcome = exchange.status, exchange.outcome
            if (
                outcome != "ok"
                or not status
                or not exchange.began
                or not target.isascii()
                or not target.isprintable()
                or '"' in target
                or "\\" in target
                or exchange.error
            ):
                lines.append(careful(exchange))
                continue
            entered, left = exchange.entered, exchange.left
            try:
                queue = micros[int((entered - exchange.read) * 1e6 + 0.5)]
                call = micros[int((left - entered) * 1e6 + 0.5)]
                send = micros[int((exchange.sent - left) * 1e6 + 0.5)]
            except IndexError:
                lines.append(careful(exchange))
                continue
            second = int(exchange.began + offset)
            if second != last:
                last, when = second, stamp(second)
            fields = exchange.variables
            connection = exchange.connection
            lines.append(
                f'{known[connection.peer]} - - [{when}] "{known[method]} {target} {protocol}" '
                f'{status} {exchange.sent_bytes} "{known[fields.get("HTTP_REFERER", "-")]}" '
                f'"{known[fields.get("HTTP_USER_AGENT", "-")]}" queue={queue} app={call} '
                f"send={send} thread={known[exchange.thread]} conn={connection.id} "
                f"req={exchange.number} outcome=ok\n"
            )
        return lines

    def _careful(self, exchange: Exchange) -> str:
        """Return the line of any exchange at all."""
        fields, connection, known = exchange.variables, exchange.connection, self._known
        status = logged_status(exchange)
        began = exchange.began or monotonic()
        line = (
            f"{known[connection.peer]} - - [{self._clock.text(int(began + self._clock.offset))}] "
            f'"{request_text(exchange.line)}" {status or "-"} {exchange.sent_bytes} '
            f'"{known[fields.get("HTTP_REFERER", "-")]}" '
            f'"{known[fields.get("HTTP_USER_AGENT", "-")]}" '
            f"queue={precise(span(exchange.read, exchange.entered))} "
            f"app={precise(span(exchange.entered, exchange.left))} "
            f"send={precise(span(exchange.left, exchange.sent))} "
            f"thread={known[exchange.thread] or '-'} conn={connection.id} "
            f"req={exchange.number} outcome={known[exchange.outcome]}"
        )
        if exchange.error:
            line += f' error="{escaped(exchange.error)}"'
        return line + "\n"


class JsonLines:
    """One JSON object per line; what is unknown is null."""

    batch = 16

    def __init__(self) -> None:
        self._clock = WallClock("%Y-%m-%dT%H:%M:%S %z")
        self._encode = json.JSONEncoder(separators=(",", ":"), default=str).encode
        self._pid = 0

    def __call__(self, batch: list[Exchange]) -> list[str]:
        """Return one line, with its line break, for each exchange."""
        self._clock.set()
        self._pid = os.getpid()
        return [self._encode(self.fields(exchange)) + "\n" for exchange in batch]

    def fields(self, exchange: Exchange) -> dict[str, object]:
        """Return what is logged of one exchange, by name."""
        line, fields, connection = exchange.line, exchange.variables, exchange.connection
        began = (exchange.began or monotonic()) + self._clock.offset
        return {
            "time": self._moment(began),
            "client": connection.peer,
            "method": line.method or None,
            "target": line.target,
            "path": line.path,
            "protocol": line.protocol or None,
            "status": logged_status(exchange),
            "bytes": exchange.sent_bytes,
            "received": exchange.received,
            "queue_ms": milliseconds(span(exchange.read, exchange.entered)),
            "app_ms": milliseconds(span(exchange.entered, exchange.left)),
            "send_ms": milliseconds(span(exchange.left, exchange.sent)),
            "total_ms": milliseconds(span(exchange.began, exchange.sent)),
            "request_id": fields.get("HTTP_X_REQUEST_ID"),
            "referer": fields.get("HTTP_REFERER"),
            "user_agent": fields.get("HTTP_USER_AGENT"),
            "pid": self._pid,
            "thread": exchange.thread or None,
            "connection": connection.id,
            "request": exchange.number,
            "outcome": exchange.outcome,
            "error": exchange.error,
        }

    def _moment(self, began: float) -> str:
        """Return a time of day as ISO 8601 in local time with its zone, to the microsecond."""
        second = int(began)
        day_and_time, _, zone = self._clock.text(second).partition(" ")
        return f"{day_and_time}.{int((began - second) * 1e6):06d}{zone[:3]}:{zone[3:5]}"


def milliseconds(seconds: float | None) -> float | None:
    """Return a duration in milliseconds, to the microsecond."""
    return None if seconds is None else round(seconds * 1e3, 3)


class DevLines:
    """Short lines for the eyes of the person who writes the application.

    :param colour: whether the status is coloured by its class, with ANSI sequences.
    """

    colours: Final = {2: "32", 3: "36", 4: "33", 5: "1;31"}
    #: From here on a wait for a thread is worth mention.
    notable_wait: Final = 0.001
    batch = 64

    def __init__(self, *, colour: bool) -> None:
        self._clock = WallClock("%H:%M:%S")
        self._colour = colour

    def __call__(self, batch: list[Exchange]) -> list[str]:
        """Return one line, with its line break, for each exchange."""
        self._clock.set()
        return [self._line(exchange) for exchange in batch]

    def _line(self, exchange: Exchange) -> str:
        line = exchange.line
        began = exchange.began or monotonic()
        parts = [
            self._clock.text(int(began + self._clock.offset)),
            self._status(logged_status(exchange)),
            escaped(f"{line.method} {line.target}".lstrip()),
            readable(span(exchange.began, exchange.sent)),
        ]
        wait = span(exchange.read, exchange.entered)
        if wait is not None and wait >= self.notable_wait:
            parts.append(f"queue {readable(wait)}")
        thread = escaped(exchange.thread) or "-"
        parts.append(f"[{thread} {exchange.connection.id}#{exchange.number}]")
        if exchange.outcome != "ok":
            parts.append(escaped(exchange.outcome))
        if exchange.error:
            parts.append(f"({escaped(exchange.error)})")
        return " ".join(parts) + "\n"

    def _status(self, status: int | None) -> str:
        if status is None:
            return "---"
        colour = self.colours.get(status // 100) if self._colour else None
        return f"\x1b[{colour}m{status}\x1b[0m" if colour else str(status)


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
    """Return the function that turns a batch of exchanges into lines.

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
