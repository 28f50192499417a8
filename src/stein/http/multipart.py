r"""multipart/form-data (RFC 7578, RFC 2046 5.1): bytes in, events out, and back again.

Facts: the body is content between delimiters.  A delimiter is a line break, ``--``, the boundary,
then ``--`` if it is the last, or up to 64 blanks and a line break.  The line break in front belongs
to the delimiter, and may be the same as the one that ends the part's head.  Clients also send bare
LF or bare CR, so each of the three is a line break everywhere.

Danger: a client chooses boundary and content together and where the bytes are cut.  Whatever is
looked at again each time bytes arrive, or for each byte, makes megabytes cost minutes
(CVE-2023-46136, CVE-2024-53981); whatever is kept costs memory.

Decision: the boundary is found with ``bytes.find``.  What is before and after it is looked at only
there.  Between two calls of ``feed`` only two things wait: what may be the beginning of a
delimiter (its length at most, plus the blanks), or an unfinished head (8 KiB at most).  A pattern
with the boundary inside is compiled only for content that holds the boundary where it is none.
The junk before the first delimiter is content like any other: it begins with an invented line
break, so that a body may begin with its delimiter.

Price: content is given out as it comes, in as many pieces as it comes in, and the reader puts the
pieces of a field together.  A boundary of more than 256 bytes is refused (RFC 2046 allows 70).
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from stein.http.options import parse_options
from stein.http.overrun import Overrun

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "MAX_HEAD",
    "Data",
    "Decoder",
    "Encoder",
    "Epilogue",
    "Event",
    "MultipartError",
    "Part",
    "Phase",
    "Preamble",
]

#: bytes of all headers of one part together
MAX_HEAD: Final = 8192

_LONGEST_BOUNDARY: Final = 256
_LONGEST_PADDING: Final = 64
_LONGEST_SHOWN: Final = 60
_CRLF: Final = b"\r\n"

# What follows the boundary in a delimiter; group 1 if it is the last one.  A CR at the end of what
# has arrived is one: an LF that comes later is passed over.
_TAIL: Final = rb"(?:(--)|[ \t\v\f]{0,64}(?:\r\n?|\n))"
_tail_at: Final = re.compile(_TAIL).match
# What has arrived ends before that could be said.
_open_tail_at: Final = re.compile(rb"(?:-|[ \t\v\f]{0,64})\Z").match
# The line break that ends a head: another one follows.  After "\r\r" it takes one more byte to
# tell CR CR from CR CRLF.
_blank_line: Final = re.compile(rb"\r\n(?=\r\n)|\n(?=\n)|\r(?=\r[^\n]|\r\n)").search
_continued: Final = re.compile(rb"(?:\r\n|\n|\r)[ \t]").sub
_control: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f]").sub
# PERF: the plain version takes each head apart with parse_options(), 4 us; nearly all heads are
# what browsers and test clients write, and one match of this takes 0.5 us.  It is no more than the
# careful way understands: names without escapes, printable types, CRLF.
_common_head_at: Final = re.compile(
    rb'Content-Disposition: (form-data; name="([^"\\%\x00-\x1f\x7f]*)"'
    rb'(?:; filename="([^"\\%\x00-\x1f\x7f]*)")?)'
    rb"(?:\r\nContent-Type: ([!-~]+(?: [!-~]+)*))?\r\n(?=\r\n)"
).match


class MultipartError(ValueError):
    """The bytes are no multipart/form-data, or events come in an order that makes none."""


class Preamble(NamedTuple):
    """Bytes before the first part, which mean nothing (RFC 2046 5.1.1)."""

    data: bytes
    more: bool  #: whether the delimiter is still to come


class Part(NamedTuple):
    """The head of a part."""

    name: str  #: empty if the client gave none
    filename: str | None  #: as the client sent it; None for a field that is no file
    headers: list[tuple[str, str]]  #: without control characters: they are percent-encoded

    def get(self, name: str) -> str | None:
        """The first header of a name, which is given in lower case."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None


class Data(NamedTuple):
    """Bytes of the part that was last begun."""

    data: bytes
    more: bool  #: whether the part goes on


class Epilogue(NamedTuple):
    """Bytes behind the last delimiter, which mean nothing; ``more`` is true until the end."""

    data: bytes
    more: bool


Event: TypeAlias = Preamble | Part | Data | Epilogue


class Phase(Enum):
    """What the next byte belongs to."""

    PREAMBLE = "the junk before the first part"
    HEAD = "the headers of a part"
    CONTENT = "the content of a part"
    EPILOGUE = "the junk behind the last part"
    CLOSED = "the end of the form"
    FAILED = "an error in the form"


class Decoder:
    """Takes a body as it arrives and gives events.

    At least one :class:`Preamble`; for each part a :class:`Part` and at least one :class:`Data`;
    at least one :class:`Epilogue`.  ``more`` is false in the last of each.

    :param boundary: from the content type.
    :param max_parts: how many parts there may be, fields and files together.
    :param max_field: how many bytes the content of a part may have that is no file.
    :param max_head: how many bytes the headers of one part may have.
    :raises MultipartError: no body can have such a boundary.
    """

    __slots__ = (
        "_max_parts", "_max_field", "_max_head", "_needle", "_pattern",
        "phase", "_rest", "_seen", "_after_cr", "_parts",
        "_part", "_lead", "_size",
    )  # fmt: skip

    def __init__(
        self,
        boundary: bytes,
        *,
        max_parts: int | None = None,
        max_field: int | None = None,
        max_head: int = MAX_HEAD,
    ) -> None:
        check_boundary(boundary)
        self._max_parts = max_parts
        self._max_field = max_field
        self._max_head = max_head
        self._needle = b"--" + boundary
        self._pattern: re.Pattern[bytes] | None = None

        self.phase = Phase.PREAMBLE
        self._rest = _CRLF  # the invented line break
        self._seen = 0  # bytes of an unfinished head that hold no blank line
        self._after_cr = False  # the last delimiter ended with CR, and so did what had arrived
        self._parts = 0

        self._part: Part | None = None
        self._lead = 2  # bytes of the line break in front of the content, while it is still there
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Event]:
        """Give the events that lie in the next bytes.

        Go through all of them before the next call.

        :param data: any number of bytes.
        :raises MultipartError: the body is no multipart/form-data.
        :raises Overrun: a limit was hit.
        """
        if self.phase is Phase.EPILOGUE:
            return iter((Epilogue(data, more=True),) if data else ())
        self._expect_more()
        if self._rest:
            data = self._rest + data
        start = 0
        if self._after_cr and data:
            self._after_cr = False
            start = int(data[0] == 10)
        return self._events(data, start)

    def _events(self, buffer: bytes, at: int) -> Iterator[Event]:
        """Give the events from ``at`` on, and keep what is left."""
        try:
            while self.phase is not Phase.EPILOGUE:
                if self.phase is Phase.HEAD:
                    at = self._head(buffer, at)
                    if self._part is None:
                        break
                    self.phase = Phase.CONTENT
                    yield self._part
                kind = Preamble if self.phase is Phase.PREAMBLE else Data
                cut, after, last = self._delimiter(buffer, at)
                content = self._content(buffer, at, cut)
                if after < 0:
                    at = cut
                    if content:
                        yield kind(content, more=True)
                    break
                at = after
                self.phase = Phase.EPILOGUE if last else Phase.HEAD
                yield kind(content, more=False)
                if not last:
                    self._begin_part(buffer, at)
                elif at < len(buffer):
                    yield Epilogue(buffer[at:], more=True)
        except ValueError:
            self.phase = Phase.FAILED
            raise
        self._rest = b"" if self.phase is Phase.EPILOGUE else buffer[at:]

    def close(self) -> Epilogue:
        """Give the last event, as there are no more bytes.

        :raises MultipartError: the last delimiter has not come.
        """
        self._expect_more()
        if self.phase is not Phase.EPILOGUE:
            phase, self.phase = self.phase, Phase.FAILED
            last = (self._needle + b"--").decode("utf-8", "backslashreplace")
            raise MultipartError(
                f"the body ends in {phase.value} (part {self._parts}), and the line {last!r} that "
                "ends a form has not come: was it cut off on the way, or has it another boundary?"
            )
        self.phase = Phase.CLOSED
        return Epilogue(b"", more=False)

    def _expect_more(self) -> None:
        if self.phase is Phase.CLOSED or self.phase is Phase.FAILED:
            raise MultipartError(f"nothing can follow {self.phase.value}")

    def _begin_part(self, buffer: bytes, at: int) -> None:
        """A delimiter was passed that is not the last."""
        self._after_cr = at == len(buffer) and buffer[at - 1] == 13
        self._part = None
        self._size = 0
        self._parts += 1
        if self._max_parts is not None and self._parts > self._max_parts:
            raise Overrun(f"the form has more than {self._max_parts} parts", "max_form_parts")

    # --- content

    def _content(self, buffer: bytes, at: int, cut: int) -> bytes:
        """The bytes up to ``cut``, without the line break in front of the content."""
        if cut == at:
            return b""
        at += self._lead
        self._lead = 0
        if self._max_field is not None and self.phase is Phase.CONTENT:
            part = self._part
            if part is not None and part.filename is None:
                self._size += cut - at
                if self._size > self._max_field:
                    raise Overrun(
                        f"the form field {part.name[:_LONGEST_SHOWN]!r} has more than "
                        f"{self._max_field} bytes",
                        "max_form_memory_size",
                    )
        return buffer[at:cut]

    def _delimiter(self, buffer: bytes, at: int) -> tuple[int, int, bool]:
        """Find the next delimiter.

        :return: the end of the content before it, the position behind it, and whether it is the
            last.  If it has not come: the end of what is content for certain, -1, and nothing.
        """
        needle = self._needle
        found = buffer.find(needle, at)
        if found < 0:
            return _certain(buffer, at, len(needle)), -1, False
        tail = _tail_at(buffer, found + len(needle))
        if tail is None or found == at or buffer[found - 1] not in _CRLF:
            return self._doubtful(buffer, at)
        return _line_break(buffer, at, found - 1), tail.end(), tail[1] is not None

    def _doubtful(self, buffer: bytes, at: int) -> tuple[int, int, bool]:
        """Do what ``_delimiter`` does in content that holds the boundary elsewhere, too."""
        # PERF: the plain version goes on from one find() to the next: a hundred times as long
        # for content that is nothing but boundaries.
        if self._pattern is None:
            needle = re.escape(self._needle)
            self._pattern = re.compile(rb"(?:\r\n|\n|\r)" + needle + _TAIL)
        match = self._pattern.search(buffer, at)
        if match is not None:
            return match.start(), match.end(), match[1] is not None
        size = len(self._needle)
        found = buffer.rfind(self._needle, max(at + 1, len(buffer) - size - _LONGEST_PADDING))
        if found > 0 and buffer[found - 1] in _CRLF and _open_tail_at(buffer, found + size):
            return _line_break(buffer, at, found - 1), -1, False
        return _certain(buffer, at, size), -1, False

    # --- heads

    def _head(self, buffer: bytes, at: int) -> int:
        """Read the head that begins at ``at``; ``_part`` is None if it has not come wholly.

        :return: where its content begins: at the line break in front of it.
        """
        if not self._seen:
            match = _common_head_at(buffer, at)
            if match is not None and match.end() - at <= self._max_head:
                value, name, filename, content_type = match.groups()
                headers = [("Content-Disposition", self._text(value))]
                if content_type is not None:
                    headers.append(("Content-Type", content_type.decode("ascii")))
                file = None if filename is None else filename.decode()
                self._part = Part(name.decode(), file, headers)
                self._lead = 2
                return match.end()
        end = _blank_line(buffer, at + self._seen)
        size = (len(buffer) - 3 if end is None else end.start()) - at
        if size > self._max_head:
            raise Overrun(
                f"the headers of part {self._parts} have more than {self._max_head} bytes",
                "max_part_headers",
            )
        if end is None:
            self._seen = max(0, size)
            return at
        self._seen = 0
        self._part = self._careful_head(buffer[at : end.start()])
        at = end.end()
        self._lead = 2 if buffer.startswith(_CRLF, at) else 1
        return at

    def _careful_head(self, block: bytes) -> Part:
        """Read a head that is not written in the common way."""
        disposition = None
        headers = []
        for each in _continued(b" ", block).splitlines():
            line = each.strip(b" \t")
            if not line:
                continue
            name, _, value = self._text(line).partition(":")
            name, value = name.strip(" \t"), value.strip(" \t")
            if disposition is None and name.lower() == "content-disposition":
                disposition = value
            headers.append((_without_controls(name), _without_controls(value)))
        if disposition is None:
            raise MultipartError(
                f"part {self._parts} has no Content-Disposition header (RFC 7578 4.2), so that "
                "nothing says which field it is"
            )
        _, options = parse_options(disposition)
        return Part(options.get("name", ""), options.get("filename"), headers)

    def _text(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            # Where in ``data`` depends on how the bytes were cut; which byte does not.
            raise MultipartError(
                f"the headers of part {self._parts} are not UTF-8 (RFC 7578 5.1): "
                f"{error.object[error.start : error.end]!r}, {error.reason}"
            ) from None


def check_boundary(boundary: bytes) -> None:
    """See whether a body can have this boundary.

    :raises MultipartError: it is empty, far too long, or holds a line break.
    """
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise MultipartError(
            f"a multipart boundary has 1 to 70 bytes (RFC 2046 5.1.1), and this one "
            f"{len(boundary)}; more than {_LONGEST_BOUNDARY} are not taken"
        )
    if b"\r" in boundary or b"\n" in boundary:
        raise MultipartError(f"the multipart boundary {boundary!r} holds a line break")


def _line_break(buffer: bytes, at: int, last: int) -> int:
    """Where the line break begins whose last byte is at ``last``, but not before ``at``."""
    if last > at and buffer[last] == 10 and buffer[last - 1] == 13:
        return last - 1
    return last


def _certain(buffer: bytes, at: int, needle: int) -> int:
    """The end of what cannot be the beginning of a delimiter.

    A line break may begin one unless more follows than a line break, two dashes and the boundary
    have together.  (That these bytes are others is not looked at.)
    """
    near = max(at, len(buffer) - needle - 2)
    last = max(buffer.rfind(b"\n", near), buffer.rfind(b"\r", near))
    return len(buffer) if last < 0 else _line_break(buffer, at, last)


def _without_controls(text: str) -> str:
    """Percent-encode control characters, which may stand in no header (RFC 9110 5.5)."""
    if text.isprintable():
        return text
    return _control(lambda match: f"%{ord(match[0]):02X}", text)


class Encoder:
    """Makes a body: call :meth:`part` and :meth:`data` for each part, then :meth:`close`.

    The caller chooses a boundary that no content holds.

    :param boundary: what stands in the content type.
    """

    __slots__ = ("_delimiter", "_lead", "phase")

    def __init__(self, boundary: bytes) -> None:
        check_boundary(boundary)
        self._delimiter = b"\r\n--" + boundary
        self.phase = Phase.PREAMBLE
        self._lead = False  # the line break between head and content is still to be written

    def preamble(self, data: bytes) -> bytes:
        """Begin with bytes that mean nothing."""
        self._expect(Phase.PREAMBLE)
        self.phase = Phase.HEAD
        return data

    def part(
        self, name: str, filename: str | None = None, headers: Iterable[tuple[str, str]] = ()
    ) -> bytes:
        """Begin a part.

        :param name: of the field.
        :param filename: makes the part a file.
        :param headers: but Content-Disposition, which is made here and left out of these.
        :raises ValueError: a header holds a line break, or a text cannot be UTF-8.
        """
        self._expect(Phase.PREAMBLE, Phase.HEAD, Phase.CONTENT)
        lines = [f'Content-Disposition: form-data; name="{_quoted(name)}"']
        if filename is not None:
            lines[0] += f'; filename="{_quoted(filename)}"'
        for key, value in headers:
            if key.lower() != "content-disposition":
                line = f"{key}: {value}"
                if "\r" in line or "\n" in line:
                    raise ValueError(f"the header {line!r} of the part {name!r} holds a line break")
                lines.append(line)
        self.phase = Phase.CONTENT
        self._lead = True
        return b"%b\r\n%b\r\n" % (self._delimiter, "\r\n".join(lines).encode())

    def data(self, data: bytes) -> bytes:
        """Go on with the content of the part."""
        self._expect(Phase.CONTENT)
        # A part without content needs no line break: the delimiter's own ends its head.
        if self._lead and data:
            self._lead = False
            return _CRLF + data
        return data

    def close(self, epilogue: bytes = b"") -> bytes:
        """End the body, with bytes behind it that mean nothing."""
        self._expect(Phase.PREAMBLE, Phase.HEAD, Phase.CONTENT)
        self.phase = Phase.CLOSED
        return b"%b--\r\n%b" % (self._delimiter, epilogue)

    def _expect(self, *phases: Phase) -> None:
        if self.phase not in phases:
            raise MultipartError(f"this cannot come now, in or after {self.phase.value}")


def _quoted(text: str) -> str:
    """A name inside of quotes, as browsers write it (HTML, multipart/form-data encoding)."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
