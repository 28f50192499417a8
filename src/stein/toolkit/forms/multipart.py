"""multipart/form-data as events that carry ``Headers``: :mod:`stein.http.multipart` for programs.

The form parser does not go through here; this is for programs that decode a body themselves, and
for the test client, which encodes one.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, ClassVar, Final

from stein.http import multipart as pure
from stein.http.overrun import Overrun
from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.exceptions import RequestEntityTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "BLANK_LINE_RE",
    "HEADER_CONTINUATION_RE",
    "LINE_BREAK",
    "LINE_BREAK_RE",
    "NEED_DATA",
    "SEARCH_EXTRA_LENGTH",
    "Data",
    "Epilogue",
    "Event",
    "Field",
    "File",
    "MultipartDecoder",
    "MultipartEncoder",
    "NeedData",
    "Preamble",
    "State",
]

# Programs import these; what decodes is in stein.http.multipart and does not need them.
LINE_BREAK: Final = b"(?:\r\n|\n|\r)"
LINE_BREAK_RE: Final = re.compile(LINE_BREAK)
BLANK_LINE_RE: Final = re.compile(b"\r\n\r\n|\n\n|\r\r")
HEADER_CONTINUATION_RE: Final = re.compile(LINE_BREAK + b"[ \t]")
SEARCH_EXTRA_LENGTH: Final = 8


class Event:
    """Something found in, or to be written into, a body; a value that does not change."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__)

    def _fill(self, *values: Any) -> None:
        for name, value in zip(self.__match_args__, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be set: make a new event")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be deleted: make a new event")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self) or not self.__match_args__:
            return self is other
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values())) if self.__match_args__ else id(self)

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__name__}({inside})"


class Preamble(Event):
    """What stands before the first part.

    :param data: to be ignored (RFC 2046 5.1.1).
    """

    __slots__ = __match_args__ = ("data",)
    data: bytes

    def __init__(self, data: bytes) -> None:
        self._fill(data)


class Field(Event):
    """A part begins which is no file.

    :param name: of the form field.
    :param headers: of the part.
    """

    __slots__ = __match_args__ = ("name", "headers")
    name: str
    headers: Headers

    def __init__(self, name: str, headers: Headers) -> None:
        self._fill(name, headers)


class File(Event):
    """A part begins which is a file.

    :param name: of the form field.
    :param filename: as the client sent it; see ``secure_filename``.
    :param headers: of the part.
    """

    __slots__ = __match_args__ = ("name", "filename", "headers")
    name: str
    filename: str
    headers: Headers

    def __init__(self, name: str, filename: str, headers: Headers) -> None:
        self._fill(name, filename, headers)


class Data(Event):
    """Content of the part that was last begun.

    :param data: the next bytes.
    :param more_data: whether the part goes on.
    """

    __slots__ = __match_args__ = ("data", "more_data")
    data: bytes
    more_data: bool

    def __init__(self, data: bytes, more_data: bool) -> None:  # noqa: FBT001 - werkzeug's signature
        self._fill(data, more_data)


class Epilogue(Event):
    """The end.

    :param data: what stands behind the last delimiter, to be ignored.
    """

    __slots__ = __match_args__ = ("data",)
    data: bytes

    def __init__(self, data: bytes) -> None:
        self._fill(data)


class NeedData(Event):
    """Nothing more can be said before more bytes come."""

    __slots__ = ()


NEED_DATA: Final = NeedData()


class State(Enum):
    """Where a decoder or an encoder stands."""

    PREAMBLE = auto()
    PART = auto()
    DATA = auto()
    DATA_START = auto()
    EPILOGUE = auto()
    COMPLETE = auto()


_STATES: Final = {
    pure.Phase.PREAMBLE: State.PREAMBLE,
    pure.Phase.HEAD: State.PART,
    pure.Phase.CONTENT: State.DATA,
    pure.Phase.EPILOGUE: State.EPILOGUE,
    pure.Phase.CLOSED: State.COMPLETE,
    pure.Phase.FAILED: State.COMPLETE,
}


class MultipartDecoder:
    """Takes bytes with :meth:`receive_data` and gives events with :meth:`next_event`.

    :param boundary: from the content type.
    :param max_form_memory_size: how many bytes a part may have that is no file, and what stands
        before the first and behind the last part.
    :param max_parts: how many parts there may be.
    :raises ValueError: no body can have such a boundary.
    """

    def __init__(
        self,
        boundary: bytes,
        max_form_memory_size: int | None = None,
        *,
        max_parts: int | None = None,
    ) -> None:
        self.boundary = boundary
        self.max_form_memory_size = max_form_memory_size
        self.max_parts = max_parts
        self.complete = False
        self._decoder = pure.Decoder(boundary, max_parts=max_parts, max_field=max_form_memory_size)
        self._received: list[bytes] = []
        self._events: Iterator[pure.Event] = iter(())
        self._junk: list[bytes] = []
        self._junk_size = 0

    @property
    def state(self) -> State:
        """Where the decoder stands."""
        return _STATES[self._decoder.phase]

    def receive_data(self, data: bytes | None) -> None:
        """Take the next bytes; ``None`` at the end of the body."""
        if data is None:
            self.complete = True
        else:
            self._received.append(bytes(data))

    def next_event(self) -> Event:
        """Give the next event, or :data:`NEED_DATA`.

        :raises RequestEntityTooLarge: a limit was hit.
        :raises ValueError: the body is no multipart/form-data, or it ends too early.
        """
        try:
            while True:
                for each in self._events:
                    event = self._translate(each)
                    if event is not None:
                        return event
                if self._received:
                    data = b"".join(self._received)
                    self._received.clear()
                    self._events = self._decoder.feed(data)
                elif self.complete:
                    self._events = iter((self._decoder.close(),))
                else:
                    return NEED_DATA
        except Overrun as error:
            raise RequestEntityTooLarge(f"{error}.") from error

    def _translate(self, event: pure.Event) -> Event | None:
        if isinstance(event, pure.Data):
            return Data(event.data, event.more)
        if isinstance(event, pure.Part):
            headers = Headers(event.headers)
            if event.filename is None:
                return Field(event.name, headers)
            return File(event.name, event.filename, headers)
        self._junk_size += len(event.data)
        limit = self.max_form_memory_size
        if limit is not None and self._junk_size > limit:
            raise Overrun(
                f"there are more than {limit} bytes before or behind the parts of the form",
                "max_form_memory_size",
            )
        self._junk.append(event.data)
        if event.more:
            return None
        junk = b"".join(self._junk)
        self._junk.clear()
        if isinstance(event, pure.Preamble):
            return Preamble(junk)
        return Epilogue(_EPILOGUE_BEGINS.sub(b"", junk, count=1))


# The line of the last delimiter goes on up to here.
_EPILOGUE_BEGINS: Final = re.compile(rb"\A[ \t\v\f]*(?:\r\n?|\n)?")


class MultipartEncoder:
    """Gives the bytes of one event after the other.

    :param boundary: that no content holds.
    :raises ValueError: no body can have such a boundary.
    """

    def __init__(self, boundary: bytes) -> None:
        self.boundary = boundary
        self.state = State.PREAMBLE
        self._encoder = pure.Encoder(boundary)

    def send_event(self, event: Event) -> bytes:
        """Give the bytes of an event.

        :raises ValueError: such an event cannot come here.
        """
        encoder = self._encoder
        before = self.state
        try:
            if isinstance(event, Data) and before in {State.DATA_START, State.DATA}:
                self.state = State.DATA
                return encoder.data(event.data)
            if isinstance(event, Field | File) and before is not State.DATA_START:
                filename = event.filename if isinstance(event, File) else None
                data = encoder.part(event.name, filename, event.headers)
                self.state = State.DATA_START
                return data
            if isinstance(event, Preamble):
                data = encoder.preamble(event.data)
                self.state = State.PART
                return data
            if isinstance(event, Epilogue):
                data = encoder.close(event.data)
                self.state = State.COMPLETE
                return data
        except pure.MultipartError:
            pass  # the message below says more
        raise ValueError(f"{event!r} cannot be written in {before}; see the order of the events")
