"""multipart/form-data: what the decoder finds, what it refuses, and what that costs."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stein.http import multipart
from stein.http.multipart import (
    Data,
    Decoder,
    Encoder,
    Epilogue,
    MultipartError,
    Part,
    Phase,
    Preamble,
)
from stein.http.overrun import Overrun
from tests.fuzz.multipart_oracle import BOUNDARIES, TOKENS, Outcome, check, cut, decode

if TYPE_CHECKING:
    from types import FrameType

NAMED_A = b'Content-Disposition: form-data; name="a"'


def part(content: bytes, head: bytes = NAMED_A) -> bytes:
    return b"--foo\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


def only(body: bytes) -> tuple[Part, bytes]:
    outcome = decode([body])
    assert outcome.error == ""
    assert len(outcome.parts) == 1
    return outcome.parts[0], outcome.contents[1]


def named(head: bytes) -> Part:
    return only(part(b"x", head) + b"--foo--")[0]


# -- the grammar ----------------------------------------------------------------------------------


def test_fields_and_files_in_order() -> None:
    body = (
        b"before\r\n"
        + part(b"text")
        + part(b"\x00\xff", b'Content-Disposition: form-data; name="b"; filename="c.bin"')
        + b"--foo--\r\nbehind"
    )
    decoder = Decoder(b"foo")
    assert [*decoder.feed(body), decoder.close()] == [
        Preamble(b"before", more=False),
        Part("a", None, [("Content-Disposition", 'form-data; name="a"')]),
        Data(b"text", more=False),
        Part("b", "c.bin", [("Content-Disposition", 'form-data; name="b"; filename="c.bin"')]),
        Data(b"\x00\xff", more=False),
        Epilogue(b"\r\nbehind", more=True),
        Epilogue(b"", more=False),
    ]
    assert decoder.phase is Phase.CLOSED


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_any_line_break_that_clients_use(end: bytes) -> None:
    lines = [b"--foo", NAMED_A, b"", b"one", b"--foo", NAMED_A, b"X: y", b"", b"two", b"--foo--"]
    outcome = decode([end.join(lines)])
    assert outcome.error == ""
    assert outcome.contents == [b"", b"one", b"two"]


@pytest.mark.parametrize("content", [b"", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\r", b" --foo"])
def test_line_breaks_in_a_part_are_content(content: bytes) -> None:
    for body in (content, content + b"x", b"x" + content):
        assert only(part(body) + b"--foo--")[1] == body


def test_a_part_may_end_with_its_head() -> None:
    body = b"--foo\r\n" + NAMED_A + b"\r\n\r\n--foo\r\n" + NAMED_A + b"\r\n\r\n--foo--"
    assert decode([body]).contents == [b"", b"", b""]


def test_a_carriage_return_before_a_blank_line_of_its_own() -> None:
    # CR, then CRLF: the line break in front of the content is the second.
    assert only(b"--foo\r" + NAMED_A + b"\r\r\ntext\r\n--foo--")[1] == b"text"
    assert only(b"--foo\r" + NAMED_A + b"\r\r\r\ntext\r\n--foo--")[1] == b"\r\ntext"


def test_blanks_may_follow_the_boundary() -> None:
    for blanks in (b" ", b"\t \v\f", b" " * 64):
        body = part(b"x").replace(b"--foo", b"--foo" + blanks) + b"--foo--"
        assert only(body)[1] == b"x"


@pytest.mark.parametrize(
    "lookalike",
    [b"--foo\r\n", b"x--foo\r\n", b"\r\n--foox\r\n", b"\r\n--foo -\r\n", b"\r\n-foo--\r\n",
     b"\r\n--foo" + b" " * 65 + b"\r\n", b"\r\n--FOO\r\n"],
)  # fmt: skip
def test_what_looks_like_a_delimiter_is_content(lookalike: bytes) -> None:
    content = b"y" + lookalike + b"z"
    assert only(part(content) + b"--foo--")[1] == content


def test_the_body_may_begin_with_its_delimiter_or_with_line_breaks() -> None:
    for junk in (b"", b"\r\n", b"\n", b"\r\n\r\n", b"some text\r\n"):
        assert only(junk + part(b"x") + b"--foo--")[1] == b"x"


def test_the_preamble_ends_with_a_line_only() -> None:
    outcome = decode([b"junk--foo\r\n" + NAMED_A + b"\r\n\r\nx\r\n--foo--"])
    assert outcome.parts == []


def test_an_empty_form() -> None:
    outcome = decode([b"--foo--"])
    assert (outcome.parts, outcome.contents, outcome.error) == ([], [b""], "")


@pytest.mark.parametrize(
    "body",
    [b"", b"\r\n", b"--foo", b"--foo\r\n", b"--foo-", part(b"x"), part(b"x") + b"--foo",
     part(b"x") + b"--foo-", part(b"x") + b"--fo--", b"--foo\r\n" + NAMED_A + b"\r\n", b"junk"],
)  # fmt: skip
def test_a_form_that_was_cut_off(body: bytes) -> None:
    error = decode([body]).error
    assert "'--foo--'" in error
    assert "cut off" in error


def test_after_an_error_there_is_one_more_and_nothing_else() -> None:
    decoder = Decoder(b"foo")
    with pytest.raises(MultipartError, match=r"part 1 has no Content-Disposition"):
        list(decoder.feed(b"--foo\r\nX: y\r\n\r\n"))
    assert decoder.phase is Phase.FAILED
    with pytest.raises(MultipartError, match="nothing can follow an error"):
        decoder.feed(b"--foo--")
    with pytest.raises(MultipartError):
        decoder.close()


def test_after_the_end_there_are_no_more_bytes() -> None:
    decoder = Decoder(b"foo")
    list(decoder.feed(b"--foo--"))
    assert list(decoder.feed(b"")) == []
    decoder.close()
    with pytest.raises(MultipartError):
        decoder.feed(b"x")


@pytest.mark.parametrize("boundary", [b"", b"a" * 257, b"a\rb", b"a\nb"])
@pytest.mark.parametrize("kind", [Decoder, Encoder])
def test_a_boundary_that_cannot_be(boundary: bytes, kind: type) -> None:
    with pytest.raises(MultipartError, match="boundary"):
        kind(boundary)


# -- heads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "name", "filename"),
    [
        (b"form-data; name=a", "a", None),
        (b'form-data; name=""', "", None),
        (b"form-data", "", None),
        (b'form-data; name="a b"; filename=""', "a b", ""),
        (b'form-data; name="a\\"b"', 'a"b', None),
        (b'form-data; name="a%22b"', 'a"b', None),
        (b'form-data; name="a%0D%0Ab"', "a%0D%0Ab", None),
        (b'form-data; filename="C:/x/../y"; name=a', "a", "C:/x/../y"),
        (b'form-data; name="a"; filename="../../etc/passwd"', "a", "../../etc/passwd"),
        ('form-data; name="é"; filename="ü.txt"'.encode(), "é", "ü.txt"),
        (b"form-data; name=a; filename*=UTF-8''%e2%82%ac.txt", "a", "€.txt"),
        (b"form-data; name=a; filename=\"x\"; filename*=utf-8''y", "a", "y"),
        (b"form-data; name=a; filename*0=x; filename*1=y", "a", "xy"),
        (b'Form-Data; NAME="a"', "a", None),
        (b"form-data;\r\n name=a;\r\n\tfilename=b", "a", "b"),
    ],
)
def test_names(value: bytes, name: str, filename: str | None) -> None:
    found = named(b"content-disposition:" + value)
    assert (found.name, found.filename) == (name, filename)


def test_both_ways_to_read_a_head_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    heads = [
        NAMED_A,
        NAMED_A + b'; filename="b"',
        NAMED_A + b'; filename="b"\r\nContent-Type: text/plain; charset=utf-8',
        NAMED_A + b"\r\nContent-Type: a/b",
        'Content-Disposition: form-data; name="é"; filename="ü"'.encode(),
        b'Content-Disposition: form-data; name=""; filename=""',
    ]
    common = [named(head) for head in heads]
    assert all(multipart._common_head_at(head + b"\r\n\r\n", 0) for head in heads)
    monkeypatch.setattr(multipart, "_common_head_at", lambda buffer, at: None)
    assert [named(head) for head in heads] == common


def test_the_headers_of_a_part() -> None:
    found = named(
        NAMED_A + b"\r\n\tmore\r\nX-Empty:\r\nno colon\r\nContent-Length : 5 \r\nX-Empty: 2"
    )
    assert found.headers == [
        ("Content-Disposition", 'form-data; name="a" more'),
        ("X-Empty", ""),
        ("no colon", ""),
        ("Content-Length", "5"),
        ("X-Empty", "2"),
    ]
    assert found.get("content-length") == "5"
    assert found.get("x-empty") == ""
    assert found.get("x-other") is None


def test_the_first_content_disposition_counts() -> None:
    assert named(NAMED_A + b"\r\nContent-Disposition: form-data; name=b").name == "a"


def test_no_header_holds_a_control_character() -> None:
    found = named(
        b'Content-Disposition: form-data; name="a\x01"; filename="\x00b\x1b"\r\nX\x7f: \x0by'
    )
    assert (found.name, found.filename) == ("a\x01", "\x00b\x1b")
    assert found.headers == [
        ("Content-Disposition", 'form-data; name="a%01"; filename="%00b%1B"'),
        ("X%7F", "%0By"),
    ]


def test_a_bare_carriage_return_ends_a_header() -> None:
    found = named(NAMED_A + b"\r\nX: y\rZ: w")
    assert found.headers[1:] == [("X", "y"), ("Z", "w")]


@pytest.mark.parametrize("head", [NAMED_A + b'; filename="\xff"', NAMED_A + b"\r\nX: \xff"])
def test_headers_that_are_no_utf_8(head: bytes) -> None:
    error = decode([part(b"x", head) + b"--foo--"]).error
    assert error.startswith("the headers of part 1 are not UTF-8")


# -- limits ---------------------------------------------------------------------------------------


def test_as_many_parts_as_allowed_and_not_one_more() -> None:
    assert decode([part(b"x") * 3 + b"--foo--"], max_parts=3).error == ""
    error = decode([part(b"x") * 4 + b"--foo--"], max_parts=3).error
    assert error == "the form has more than 3 parts (setting: max_form_parts)"


def test_parts_are_counted_before_they_are_read() -> None:
    # The second has no head at all, and there is no end.
    outcome = decode([part(b"") + b"--foo\r\n"], max_parts=1)
    assert "more than 1 parts" in outcome.error
    assert len(outcome.parts) == 1


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_a_field_may_be_as_long_as_allowed_and_no_longer(step: int) -> None:
    def outcome(size: int, head: bytes = NAMED_A) -> Outcome:
        body = part(b"x" * size, head) + b"--foo--"
        return decode(cut(body, range(0, len(body), step)), max_field=100)

    assert outcome(100).error == ""
    assert outcome(101).error == (
        "the form field 'a' has more than 100 bytes (setting: max_form_memory_size)"
    )
    assert outcome(500, NAMED_A + b'; filename="b"').contents[1] == b"x" * 500


def test_a_field_without_end_is_stopped_too() -> None:
    assert "more than 100 bytes" in decode([part(b"x" * 101)], max_field=100).error


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_a_head_may_be_as_long_as_allowed_and_no_longer(step: int) -> None:
    def error(size: int, end: bytes = b"\r\n\r\nx\r\n--foo--") -> str:
        body = b"--foo\r\n" + NAMED_A + b"\r\nX: " + b"y" * (size - len(NAMED_A) - 5) + end
        return decode(cut(body, range(0, len(body), step)), max_head=100).error

    assert error(100) == ""
    too_long = "the headers of part 1 have more than 100 bytes (setting: max_part_headers)"
    assert error(101) == too_long
    assert error(104, end=b"") == too_long
    assert "cut off" in error(99, end=b"")


def test_the_default_length_of_a_head() -> None:
    assert decode([part(b"x", NAMED_A + b"\r\nX: " + b"y" * 8100) + b"--foo--"]).error == ""
    assert "more than 8192" in decode([part(b"x", b"X: " + b"y" * 8200)]).error


def test_a_long_name_is_shown_in_part() -> None:
    head = b'Content-Disposition: form-data; name="' + b"n" * 500 + b'"'
    assert len(decode([part(b"xx", head)], max_field=1).error) < 150


# -- any bytes ------------------------------------------------------------------------------------

BODIES = st.lists(
    st.sampled_from(TOKENS) | st.binary(max_size=3) | st.just(part(b"x")), max_size=25
).map(b"".join)


@given(BODIES, st.lists(st.integers(0, 300), max_size=5))
@example(part(b"a\r\n--foo--b"), [])
def test_however_a_body_is_cut_the_same_comes_of_it(body: bytes, positions: list[int]) -> None:
    check(body, positions)
    check(b"--foo\r\n" + NAMED_A + b"\r\n\r\n" + body + b"\r\n--foo--", positions)


@given(BODIES, st.sampled_from(BOUNDARIES), st.lists(st.integers(0, 300), max_size=3))
def test_boundaries_of_all_kinds(body: bytes, boundary: bytes, positions: list[int]) -> None:
    body = body.replace(b"foo", boundary)
    check(body, positions, boundary)
    start = b"--" + boundary + b"\r\n" + NAMED_A + b"\r\n\r\n"
    check(start + body + b"\r\n--" + boundary + b"--", positions, boundary)


# -- work -----------------------------------------------------------------------------------------


BLANK: re.Pattern[bytes] = multipart._blank_line.__self__  # type: ignore[attr-defined]


class Work:
    """Counts calls, and the bytes that searches may have looked at."""

    def __init__(self) -> None:
        self.calls = 0
        self.bytes = 0

    def note(self, _frame: FrameType, event: str, called: Any) -> None:
        if event == "call":
            self.calls += 1
        elif event == "c_call":
            self.calls += 1
            owner = getattr(called, "__self__", None)
            if isinstance(owner, bytes) and called.__name__ == "find":
                self.bytes += len(owner)

    def search(self, pattern: re.Pattern[bytes], buffer: bytes, at: int) -> Any:
        self.bytes += len(buffer) - at
        return pattern.search(buffer, at)

    def watch(self, monkeypatch: pytest.MonkeyPatch, decoder: Decoder) -> None:
        """See the searches by pattern, too."""
        needle = re.escape(decoder._needle)
        inside = re.compile(rb"(?:\r\n|\n|\r)" + needle + multipart._TAIL)

        class Watched:
            @staticmethod
            def search(buffer: bytes, at: int) -> Any:
                return self.search(inside, buffer, at)

        decoder._pattern = Watched  # type: ignore[assignment]
        monkeypatch.setattr(multipart, "_blank_line", lambda data, at: self.search(BLANK, data, at))


HOSTILE = {
    "begins with CRLF and never ends": b"\r\n" + b"a" * 65534,
    "begins with LF and never ends": b"\n" + b"a" * 65535,
    "line breaks only": b"\r\n" * 32768,
    "carriage returns only": b"\r" * 65536,
    "dashes only": b"-" * 65536,
    "boundaries in a row": b"--foo" * 13107,
    "lines like boundaries": b"\r\n--foox" * 8192,
    "boundaries with many blanks": (b"\r\n--foo" + b" " * 65) * 910,
    "endless blanks after a boundary": b"\r\n--foo" + b" " * 65529,
    "almost a boundary": b"\r\n--fo" * 10922,
}


def work(monkeypatch: pytest.MonkeyPatch, start: bytes, block: bytes, step: int) -> Work:
    decoder = Decoder(b"foo", max_parts=10)
    counted = Work()
    counted.watch(monkeypatch, decoder)
    list(decoder.feed(start))
    pieces = cut(block, range(0, len(block), step))
    sys.setprofile(counted.note)
    try:
        for piece in pieces:
            for _ in decoder.feed(piece):
                pass
    finally:
        sys.setprofile(None)
    counted.calls //= len(pieces)
    return counted


@pytest.mark.parametrize("where", ["preamble", "file", "epilogue"])
@pytest.mark.parametrize("block", HOSTILE.values(), ids=HOSTILE)
def test_no_content_costs_more_than_its_length(
    block: bytes, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = {
        "preamble": b"junk",
        "file": b"--foo\r\n" + NAMED_A + b'; filename="b"\r\n\r\nx',
        "epilogue": b"--foo--",
    }[where]
    for size, step in ((16, 65536), (4, 4096)):
        counted = work(monkeypatch, start, block * size, step)
        # Two searches over the same bytes: find() and, if it found the boundary, the pattern.
        assert counted.bytes <= 2.5 * len(block) * size
        assert counted.calls < 40  # for each piece


@pytest.mark.parametrize("block", HOSTILE.values(), ids=HOSTILE)
def test_bytes_that_drip_are_looked_at_a_bounded_number_of_times(
    block: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = b"--foo\r\n" + NAMED_A + b'; filename="b"\r\n\r\n'
    counted = work(monkeypatch, start, block[:4096], 1)
    assert counted.bytes <= 200 * 4096
    assert counted.calls < 40


def test_a_head_that_drips_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = work(monkeypatch, b"--foo\r\n", b"X: " + b"y" * 8000, 1)
    assert counted.bytes <= 5 * 8003


def test_a_head_without_end_is_refused_after_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Decoder(b"foo")
    counted = Work()
    counted.watch(monkeypatch, decoder)
    with pytest.raises(Overrun):
        list(decoder.feed(b"--foo\r\nX: " + b"y" * 100_000))
    assert counted.bytes <= 100_003


def test_content_is_not_copied_when_nothing_waits() -> None:
    decoder = Decoder(b"foo")
    list(decoder.feed(b"--foo\r\n" + NAMED_A + b'; filename="b"\r\n\r\nx'))
    assert decoder._rest  # the line break in front might be that of a delimiter
    list(decoder.feed(b"x" * 1000))
    block = b"x" * 65536
    (event,) = decoder.feed(block)
    assert isinstance(event, Data)
    assert event.data is block


# -- the encoder ----------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
NAMES = TEXTS.filter(lambda text: "%22" not in text)
CONTENTS = st.binary(max_size=40).filter(lambda data: b"--b0undary" not in data)


@given(
    st.lists(st.tuples(NAMES, st.none() | NAMES, st.lists(CONTENTS, max_size=3)), max_size=4),
    st.lists(st.integers(0, 200), max_size=3),
)
def test_what_was_encoded_is_decoded(
    parts: list[tuple[str, str | None, list[bytes]]], positions: list[int]
) -> None:
    encoder = Encoder(b"b0undary")
    body = encoder.preamble(b"")
    for name, filename, pieces in parts:
        body += encoder.part(name, filename, [("Content-Type", "text/plain")])
        body += b"".join(map(encoder.data, pieces))
    body += encoder.close()
    outcome = decode(cut(body, positions), b"b0undary")
    assert outcome.error == ""
    found = [(each.name, each.filename) for each in outcome.parts]
    assert found == [(name, filename) for name, filename, _ in parts]
    assert outcome.contents[1:] == [b"".join(pieces) for _, _, pieces in parts]
    assert all(each.get("content-type") == "text/plain" for each in outcome.parts)


def test_what_an_encoded_form_looks_like() -> None:
    encoder = Encoder(b"foo")
    body = encoder.part("a") + encoder.data(b"") + encoder.data(b"x") + encoder.data(b"y")
    body += encoder.part("b", "c", [("X", "y"), ("content-disposition", "left out")])
    body += encoder.close(b"behind")
    assert body == (
        b'\r\n--foo\r\nContent-Disposition: form-data; name="a"\r\n\r\nxy'
        b'\r\n--foo\r\nContent-Disposition: form-data; name="b"; filename="c"\r\nX: y\r\n'
        b"\r\n--foo--\r\nbehind"
    )


def test_no_name_writes_a_header_of_its_own() -> None:
    written = Encoder(b"foo").part('a"; x="\r\nX: y\r\n\r\n', "b\\")
    assert written.count(b"\r\n") == 3
    assert b'name="a%22; x=%22%0D%0AX: y%0D%0A%0D%0A"; filename="b\\\\"' in written


@pytest.mark.parametrize("header", [("X", "y\r\nZ: w"), ("X\n", "y")])
def test_no_header_of_a_part_holds_a_line_break(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="line break"):
        Encoder(b"foo").part("a", headers=[header])


def test_events_come_in_order() -> None:
    with pytest.raises(MultipartError):
        Encoder(b"foo").data(b"x")
    encoder = Encoder(b"foo")
    encoder.part("a")
    with pytest.raises(MultipartError):
        encoder.preamble(b"")
    encoder.close()
    with pytest.raises(MultipartError):
        encoder.part("a")
    with pytest.raises(MultipartError):
        encoder.data(b"")
    with pytest.raises(MultipartError):
        encoder.close()
