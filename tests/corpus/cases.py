"""The corpus as values: reads `<group>/<name>.toml` into a frozen `Case`, or says what is wrong.

Pure on purpose. The live runner and the split tests of the pure reader load the same files, so
nothing in here knows of sockets, of pytest or of the server. The format is told in README.md.
"""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from pathlib import Path
from typing import Any, Literal

HOME = Path(__file__).parent

End = Literal["closed", "open", "any"]
"""What the connection is after the last answer; `any` where the RFC leaves both to the server."""

ENDS: tuple[End, ...] = ("closed", "open", "any")

SECONDS = frozenset({"head_timeout", "body_timeout", "keep_alive"})
COUNTS = frozenset(
    {
        "body_min_rate",
        "limit_request_line",
        "limit_header_bytes",
        "limit_header_fields",
        "limit_chunk_overhead",
        "limit_body",
    },
)
LIMIT = "limit_"


class CaseError(ValueError):
    """A case file breaks the format; the text names the file and the key."""


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """Bytes to send."""

    data: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Pause:
    """A silence of the client that the case is about."""

    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Await:
    """Send nothing more until so many answers (interim ones count) have arrived whole."""

    answers: int


@dataclasses.dataclass(frozen=True, slots=True)
class HalfClose:
    """The client closes its sending side and goes on reading."""


Step = Text | Pause | Await | HalfClose


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One call of the application that must happen."""

    method: str
    path: str
    body: bytes
    environ: dict[str, str]
    absent: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """One answer that must arrive; `status` lists what is allowed."""

    status: tuple[int, ...]
    headers: dict[str, str | bool]
    body: bytes | None
    head: bool
    optional: bool

    @property
    def interim(self) -> bool:
        """A 1xx answer: it has no body and does not finish its request."""
        return max(self.status) < 200


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One file: what is sent, under which settings, and what must come of it."""

    id: str
    about: str
    source: tuple[str, ...]
    send: tuple[Step, ...]
    settings: dict[str, Any]
    requests: tuple[Request, ...]
    answers: tuple[Answer, ...]
    end: End

    @property
    def data(self) -> bytes:
        """All bytes of the case in one; for readers that know no time."""
        return b"".join(step.data for step in self.send if isinstance(step, Text))

    @property
    def half_closes(self) -> bool:
        """The client ends its side before the last answer: a pure reader is told of the end."""
        return any(isinstance(step, HalfClose) for step in self.send)

    @property
    def pauses(self) -> bool:
        """The case has a silence in it, so cutting it up differently would change its meaning."""
        return any(isinstance(step, Pause) for step in self.send)

    @property
    def timed(self) -> bool:
        """The outcome depends on a clock (a pause or a timeout); a pure reader skips these."""
        return self.pauses or not SECONDS.isdisjoint(self.settings)

    @property
    def limits(self) -> dict[str, int]:
        """The limits among the settings, by the names of `stein.http.limits.Limits`."""
        return {
            name.removeprefix(LIMIT): int(value)
            for name, value in self.settings.items()
            if name.startswith(LIMIT)
        }


def files() -> list[Path]:
    """Every case file, in a stable order."""
    return sorted(HOME.glob("*/*.toml"))


@functools.cache
def load(path: Path) -> Case:
    """Read one file; raises `CaseError` for anything the format does not know."""
    name = path.relative_to(HOME).with_suffix("").as_posix()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return _case(name, table)
    except (CaseError, tomllib.TOMLDecodeError) as error:
        raise CaseError(f"{name}.toml: {error}") from error


@functools.cache
def cases() -> tuple[Case, ...]:
    """Read the whole corpus."""
    return tuple(load(path) for path in files())


def _case(name: str, table: dict[str, object]) -> Case:
    known = {"about", "source", "send", "settings", "request", "answer", "end"}
    _only(table, known, "the file")
    _needs(table, {"about", "source", "send", "end"}, "the file")
    case = Case(
        id=name,
        about=_string(table["about"], "about"),
        source=_strings(table["source"], "source"),
        send=tuple(_step(piece) for piece in _list(table["send"], "send")),
        settings=_settings(_table(table.get("settings", {}), "settings")),
        requests=tuple(_request(_table(each, "request")) for each in _tables(table, "request")),
        answers=tuple(_answer(_table(each, "answer")) for each in _tables(table, "answer")),
        end=_end(table["end"]),
    )
    _agree(case)
    return case


def _agree(case: Case) -> None:
    """Refuse what each key allows and the whole does not."""
    finals = [answer for answer in case.answers if not answer.interim]
    if not case.about or not case.source:
        raise CaseError("about and source must not be empty")
    if len(case.requests) > len(finals):
        raise CaseError("more requests than final answers: each call is answered")
    if case.end == "open" and case.half_closes:
        raise CaseError("a half-closed connection cannot stay open")
    if case.end == "open" and finals and min(finals[-1].status) >= 400:
        raise CaseError("the server closes after an error of its own")


def _step(piece: object) -> Step:
    if isinstance(piece, str):
        return Text(_latin(piece, "send"))
    table = _table(piece, "send")
    match table:
        case {"text": str(text), "repeat": int(times), **rest} if not rest:
            return Text(_latin(text, "send") * times)
        case {"pause": float(seconds), **rest} if not rest:
            return Pause(seconds)
        case {"await": int(count), **rest} if not rest:
            return Await(count)
        case {"shutdown": True, **rest} if not rest:
            return HalfClose()
    raise CaseError(
        f"send: {table!r} is no string, {{text, repeat}}, {{pause}}, {{await}}, {{shutdown}}"
    )


def _settings(table: dict[str, object]) -> dict[str, float | int]:
    _only(table, SECONDS | COUNTS, "settings")
    settings: dict[str, float | int] = {}
    for name, value in table.items():
        wanted = float if name in SECONDS else int
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise CaseError(f"settings: {name} must be of type {wanted.__name__}, is {value!r}")
        settings[name] = value
    return settings


def _request(table: dict[str, object]) -> Request:
    _only(table, {"method", "path", "body", "environ", "absent"}, "request")
    _needs(table, {"path"}, "request")
    environ = _table(table.get("environ", {}), "request.environ")
    return Request(
        method=_string(table.get("method", "GET"), "request.method"),
        path=_long(table["path"], "request.path").decode("latin-1"),
        body=_long(table.get("body", ""), "request.body"),
        environ={key: _string(value, f"request.environ.{key}") for key, value in environ.items()},
        absent=_strings(table.get("absent", []), "request.absent"),
    )


def _answer(table: dict[str, object]) -> Answer:
    _only(table, {"status", "headers", "body", "head", "optional"}, "answer")
    _needs(table, {"status"}, "answer")
    given = table["status"]
    status = tuple(
        _status(each) for each in (_list(given, "status") if isinstance(given, list) else [given])
    )
    if not status:
        raise CaseError("answer.status: at least one")
    headers: dict[str, str | bool] = {}
    for name, value in _table(table.get("headers", {}), "answer.headers").items():
        if name != name.lower() or not isinstance(value, str | bool):
            raise CaseError(
                f"answer.headers: {name!r} = {value!r}: lower-case name; string or boolean"
            )
        headers[name] = value
    answer = Answer(
        status=status,
        headers=headers,
        body=_long(table["body"], "answer.body") if "body" in table else None,
        head=_boolean(table.get("head", False), "answer.head"),
        optional=_boolean(table.get("optional", False), "answer.optional"),
    )
    if answer.optional and not answer.interim:
        raise CaseError("answer.optional: only an interim answer may be left out")
    return answer


def _end(value: object) -> End:
    for end in ENDS:
        if value == end:
            return end
    raise CaseError(f"end: one of {', '.join(ENDS)}, not {value!r}")


def _status(value: object) -> int:
    if isinstance(value, int) and 100 <= value <= 599:
        return value
    raise CaseError(f"answer.status: {value!r} is no status")


def _long(value: object, where: str) -> bytes:
    """Bytes, written as one string or as a list of strings and `{text, repeat}` tables."""
    if isinstance(value, str):
        return _latin(value, where)
    pieces = [_step(piece) for piece in _list(value, where)]
    texts = [piece.data for piece in pieces if isinstance(piece, Text)]
    if len(texts) != len(pieces):
        raise CaseError(f"{where}: only strings and {{text, repeat}}")
    return b"".join(texts)


def _latin(text: str, where: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise CaseError(
            f"{where}: {text!r}: every character is one byte, \\u0000 to \\u00ff"
        ) from error


def _string(value: object, where: str) -> str:
    if isinstance(value, str):
        return value
    raise CaseError(f"{where}: a string, not {value!r}")


def _strings(value: object, where: str) -> tuple[str, ...]:
    return tuple(_string(each, where) for each in _list(value, where))


def _boolean(value: object, where: str) -> bool:
    if isinstance(value, bool):
        return value
    raise CaseError(f"{where}: true or false, not {value!r}")


def _list(value: object, where: str) -> list[object]:
    if isinstance(value, list):
        return value
    raise CaseError(f"{where}: a list, not {value!r}")


def _tables(table: dict[str, object], key: str) -> list[object]:
    return _list(table.get(key, []), key)


def _table(value: object, where: str) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    raise CaseError(f"{where}: a table, not {value!r}")


def _only(table: dict[str, object], known: frozenset[str] | set[str], where: str) -> None:
    if unknown := sorted(table.keys() - known):
        raise CaseError(
            f"{where}: unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}"
        )


def _needs(table: dict[str, object], needed: set[str], where: str) -> None:
    if missing := sorted(needed - table.keys()):
        raise CaseError(f"{where}: {', '.join(missing)} is missing")
