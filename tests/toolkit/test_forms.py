"""Forms out of request bodies: fields, files, limits; and the decoder whose events have Headers."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.datastructures.multidict import ImmutableMultiDict, MultiDict
from stein.toolkit.exceptions import HTTPException, RequestEntityTooLarge
from stein.toolkit.forms import multipart, parser
from stein.toolkit.forms.multipart import (
    NEED_DATA,
    Data,
    Epilogue,
    Event,
    Field,
    File,
    MultipartDecoder,
    MultipartEncoder,
    NeedData,
    Preamble,
    State,
)
from stein.toolkit.forms.parser import (
    FormDataParser,
    MultiPartParser,
    default_stream_factory,
    parse_form_data,
)
from stein.toolkit.wsgi import LimitedStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stein.toolkit.datastructures.file_storage import FileStorage

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=foo"


@pytest.fixture(autouse=True)
def _close_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what a test leaves open, as SpooledTemporaryFile warns about it."""
    made: list[Any] = []
    spooled = parser.SpooledTemporaryFile

    def make(**options: Any) -> Any:
        made.append(spooled(**options))
        return made[-1]

    monkeypatch.setattr(parser, "SpooledTemporaryFile", make)
    yield
    for file in made:
        file.close()


def part(content: bytes, disposition: bytes = b"form-data; name=a", *headers: bytes) -> bytes:
    head = b"".join(b"\r\n" + each for each in headers)
    return b"--foo\r\nContent-Disposition: " + disposition + head + b"\r\n\r\n" + content + b"\r\n"


def upload(content: bytes, *headers: bytes) -> bytes:
    return part(content, b'form-data; name="f"; filename="x.txt"', *headers)


END = b"--foo--\r\n"


def environ(body: bytes, content_type: str | None = MULTIPART, **more: Any) -> dict[str, Any]:
    found = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(body)), **more}
    if content_type is not None:
        found["CONTENT_TYPE"] = content_type
    return {**found, "wsgi.input": io.BytesIO(body)}


def form(body: bytes, content_type: str = MULTIPART, **options: Any) -> MultiDict[str, str]:
    return parse_form_data(environ(body, content_type), **options)[1]


def only_file(body: bytes, **options: Any) -> FileStorage:
    _, fields, files = parse_form_data(environ(body), silent=False, **options)
    assert not fields
    assert len(files) == 1
    return files["f"]


# -- which bodies are forms -----------------------------------------------------------------------


def test_a_url_encoded_form() -> None:
    stream, fields, files = parse_form_data(environ(b"a=1&a=2&b=+%26", URLENCODED))
    assert list(fields.items(multi=True)) == [("a", "1"), ("a", "2"), ("b", " &")]
    assert not files
    assert stream.read() == b""


def test_a_multipart_form() -> None:
    body = part(b"1") + upload(b"content") + part(b"2") + END
    stream, fields, files = parse_form_data(environ(body))
    assert fields.getlist("a") == ["1", "2"]
    file = files["f"]
    assert (file.name, file.filename, file.read()) == ("f", "x.txt", b"content")
    assert stream.read() == b""


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/json", "application/x-url-encoded"]
)
def test_another_body_is_left_unread(content_type: str | None) -> None:
    stream, fields, files = parse_form_data(environ(b"a=1", content_type))
    assert (fields, files) == (MultiDict(), MultiDict())
    assert stream.read() == b"a=1"


def test_a_charset_in_the_content_type_changes_nothing() -> None:
    assert form(b"a=%C3%A9", URLENCODED + "; charset=latin-1")["a"] == "é"


def test_forms_are_collected_in_the_class_that_was_chosen() -> None:
    for cls in (dict, ImmutableMultiDict):
        for body, content_type in ((b"a=1", URLENCODED), (part(b"1") + END, MULTIPART), (b"", "")):
            request = environ(body, content_type)
            _, fields, files = parse_form_data(request, cls=cls)  # type: ignore[arg-type]
            assert (type(fields), type(files)) == (cls, cls)
            assert fields.get("a") == ("1" if body else None)


@pytest.mark.parametrize(
    ("body", "content_type", "cause"),
    [
        (b"a=\xff", URLENCODED, "not UTF-8"),
        (part(b"1") + END, "multipart/form-data", "no boundary"),
        (part(b"1") + END, "multipart/form-data; boundary=é", "no boundary"),
        (part(b"1") + END, 'multipart/form-data; boundary="é"', "ascii"),
        (part(b"1") + END, "multipart/form-data; boundary=" + "b" * 300, "boundary"),
        (part(b"1") + END, "multipart/form-data; boundary=bar", "cut off"),
        (b"", MULTIPART, "cut off"),
        (part(b"1"), MULTIPART, "cut off"),
        (b"--foo\r\nX: y\r\n\r\n1\r\n--foo--", MULTIPART, "no Content-Disposition"),
        (part(b"1", b"form-data; name=\xff") + END, MULTIPART, "not UTF-8"),
    ],
)
def test_a_body_that_is_no_form(body: bytes, content_type: str, cause: str) -> None:
    _, fields, files = parse_form_data(environ(body, content_type))
    assert (fields, files) == (MultiDict(), MultiDict())
    with pytest.raises(ValueError, match=cause):
        parse_form_data(environ(body, content_type), silent=False)


@given(st.binary(max_size=60), st.sampled_from([URLENCODED, MULTIPART]))
def test_any_bytes_give_a_form_or_an_http_exception(body: bytes, content_type: str) -> None:
    for start in (b"", b"a=%", b"--foo\r\nContent-Disposition: "):
        request = environ(start + body, content_type)
        with suppress(RequestEntityTooLarge):
            parse_form_data(request, max_form_memory_size=20, max_form_parts=1)


@given(st.text(max_size=30))
def test_any_content_type_gives_a_form_or_none(text: str) -> None:
    parse_form_data(environ(part(b"1") + END, "multipart/form-data; " + text))


# -- fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        (b"", "é\ufffd"),
        (b"; charset=utf-8", "é\ufffd"),
        (b'; charset="ISO-8859-1"', "Ã©ÿ"),
        (b"; charset=us-ascii", "\ufffd\ufffd\ufffd"),
        (b"; charset=utf-7", "é\ufffd"),
        (b"; charset=rot13", "é\ufffd"),
        (b"; charset=no-such", "é\ufffd"),
    ],
)
def test_the_charset_of_a_field(charset: bytes, text: str) -> None:
    body = part(b"\xc3\xa9\xff", b"form-data; name=a", b"Content-Type: text/plain" + charset) + END
    assert form(body)["a"] == text


def test_a_parser_may_choose_the_charset_itself() -> None:
    class Latin(MultiPartParser):
        def get_part_charset(self, headers: Headers) -> str:
            assert "content-disposition" in headers
            return "latin-1"

    fields, _ = Latin().parse(io.BytesIO(part(b"\xe9") + END), b"foo", None)
    assert fields["a"] == "é"


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_how_much_is_read_at_once_changes_nothing(size: int) -> None:
    body = part(b"text" * 10) + upload(b"content" * 10) + part(b"") + END
    fields, files = MultiPartParser(buffer_size=size).parse(io.BytesIO(body), b"foo", len(body))
    assert fields.getlist("a") == ["text" * 10, ""]
    assert files["f"].read() == b"content" * 10


def test_a_part_without_a_name_has_the_empty_one() -> None:
    assert form(part(b"1", b"form-data") + END)[""] == "1"


def test_a_transfer_encoding_is_not_applied() -> None:
    # RFC 7578 4.7: senders do not use it, and nobody expects that receivers decode it.
    body = part(b"YQ==", b"form-data; name=a", b"Content-Transfer-Encoding: base64") + END
    assert form(body)["a"] == "YQ=="


# -- files ----------------------------------------------------------------------------------------


def test_a_file_has_the_headers_of_its_part() -> None:
    body = upload(b"1", b"Content-Type: text/plain; charset=utf-8", b"X-Own: y") + END
    file = only_file(body)
    assert file.mimetype == "text/plain"
    assert file.mimetype_params == {"charset": "utf-8"}
    assert file.headers["x-own"] == "y"


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        (b'form-data; name=f; filename=""', ""),
        (b'form-data; name=f; filename="../../a b.txt"', "../../a b.txt"),
        (b'form-data; name=f; filename="\xc3\xa9.txt"', "é.txt"),
        (b"form-data; name=f; filename*=UTF-8''%C3%A9.txt", "é.txt"),
        (b"form-data; name=f; filename*0*=ascii''a%20; filename*1=b", "a b"),
        (b'form-data; name=f; filename="a\x01b"', "a\x01b"),
    ],
)
def test_the_name_of_a_file_is_what_the_client_sent(disposition: bytes, filename: str) -> None:
    assert only_file(part(b"1", disposition) + END).filename == filename


@pytest.mark.parametrize(
    ("header", "length"),
    [(b"X: y", 0), (b"Content-Length: 7", 7), (b"Content-Length: -7", 0),
     (b"Content-Length: " + b"9" * 5000, 0), (b"Content-Length: 1_0", 0)],
)  # fmt: skip
def test_a_stream_factory_is_told_what_is_known(header: bytes, length: int) -> None:
    calls = []

    def factory(**known: Any) -> IO[bytes]:
        calls.append(known)
        return io.BytesIO()

    body = upload(b"content", b"Content-Type: text/x", header) + END
    file = only_file(body, stream_factory=factory)
    assert isinstance(file.stream, io.BytesIO)
    assert file.read() == b"content"
    assert calls == [
        {
            "total_content_length": len(body),
            "content_type": "text/x",
            "filename": "x.txt",
            "content_length": length,
        }
    ]


def test_a_file_is_written_as_it_arrives() -> None:
    written: list[int] = []

    class Stream(io.BytesIO):
        def write(self, data: Any) -> int:
            written.append(len(data))
            return super().write(data)

    body = upload(b"x" * 1_000_000) + END
    only_file(body, stream_factory=lambda **_: Stream())
    assert sum(written) == 1_000_000
    assert max(written) <= 65536 + 100


def test_a_small_file_stays_in_memory_and_a_large_one_goes_to_disk() -> None:
    small, large = only_file(upload(b"x" * 1000) + END), only_file(upload(b"x" * 600_000) + END)
    assert not small.stream._rolled  # type: ignore[attr-defined]
    assert large.stream._rolled  # type: ignore[attr-defined]
    assert len(large.read()) == 600_000
    large.close()


@pytest.mark.parametrize(
    ("length", "in_memory"), [(None, False), (512_001, False), (512_000, True)]
)
def test_without_spooled_files_the_length_decides(
    length: int | None, *, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parser, "SpooledTemporaryFile", None)
    with default_stream_factory(length, None, None) as file:
        assert isinstance(file, io.BytesIO) == in_memory
        file.write(b"x")


def test_the_class_of_spooled_files_can_be_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "SpooledTemporaryFile", lambda **_: io.BytesIO(b"own"))
    assert default_stream_factory(1, None, None).read() == b"own"


def test_importing_the_parser_does_not_import_tempfile() -> None:
    program = (
        "import sys; sys.modules.pop('tempfile', None); import stein.toolkit.forms.parser as p; "
        "assert 'tempfile' not in sys.modules, 'imported'; "
        "p.default_stream_factory(1, None, None).close(); assert 'SpooledTemporaryFile' in vars(p)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = parser.nothing


class Sink(io.BytesIO):
    made: list[Sink]

    def __init__(self, *, fails: bool) -> None:
        super().__init__()
        self.fails = fails
        self.made.append(self)

    def write(self, data: Any) -> int:
        if self.fails:
            raise OSError(28, "No space left on device")
        return super().write(data)

    def close(self) -> None:
        super().close()
        if self.fails:
            raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("tail", "fails", "error"),
    [
        (part(b"x" * 100), False, RequestEntityTooLarge),
        (b"--foo\r\n\r\n\r\n", False, ValueError),
        (b"", False, ValueError),
        (END, True, OSError),
    ],
)
def test_files_of_a_form_that_fails_are_closed(
    tail: bytes, *, fails: bool, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sink, "made", [], raising=False)
    body = upload(b"1") + upload(b"2") + tail
    with pytest.raises(error):
        only_file(body, stream_factory=lambda **_: Sink(fails=fails), max_form_memory_size=50)
    assert len(Sink.made) == (1 if fails else 2)
    assert all(file.closed for file in Sink.made)


def test_a_stream_that_cannot_be_closed_is_left_alone() -> None:
    class Stream:
        def write(self, data: bytes) -> None:
            pass

        def seek(self, position: int) -> None:
            pass

    with pytest.raises(ValueError, match="cut off"):
        only_file(upload(b"1"), stream_factory=lambda **_: Stream())


# -- limits ---------------------------------------------------------------------------------------


def refusal(body: bytes, content_type: str = MULTIPART, **options: Any) -> str:
    with pytest.raises(RequestEntityTooLarge) as caught:
        parse_form_data(environ(body, content_type), **options)
    return str(caught.value.description)


def test_too_many_parts() -> None:
    body = (part(b"") + upload(b"")) * 2 + END
    assert len(form(body, max_form_parts=4)) == 1
    assert refusal(body, max_form_parts=3) == (
        "The form has more than 3 parts (setting: max_form_parts)."
    )


def test_a_field_that_is_too_long() -> None:
    assert form(part(b"x" * 50) * 3 + END, max_form_memory_size=50).getlist("a") == ["x" * 50] * 3
    assert refusal(part(b"x" * 51) + END, max_form_memory_size=50) == (
        "The form field 'a' has more than 50 bytes (setting: max_form_memory_size)."
    )


def test_the_limit_of_fields_is_none_for_files_and_junk() -> None:
    body = b"j" * 100 + b"\r\n" + upload(b"x" * 100) + END + b"j" * 100
    assert only_file(body, max_form_memory_size=50).read() == b"x" * 100


def test_a_url_encoded_form_may_be_larger_than_a_field() -> None:
    assert form(b"a=" + b"x" * 60, URLENCODED, max_form_memory_size=50)["a"] == "x" * 60


def test_a_url_encoded_form_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FormDataParser, "max_urlencoded_size", 50)
    assert form(b"a=" + b"x" * 48, URLENCODED)["a"] == "x" * 48
    request = environ(b"a=" + b"x" * 49, URLENCODED)
    with pytest.raises(RequestEntityTooLarge, match="The form has more than 50 bytes"):
        parse_form_data(request)
    assert request["wsgi.input"].tell() == 0


def test_a_url_encoded_form_of_unknown_length_is_read_up_to_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FormDataParser, "max_urlencoded_size", 70_000)
    request = environ(b"a=" + b"x" * 1_000_000, URLENCODED, HTTP_TRANSFER_ENCODING="chunked")
    request["wsgi.input_terminated"] = True
    del request["CONTENT_LENGTH"]
    with pytest.raises(RequestEntityTooLarge):
        parse_form_data(request)
    assert request["wsgi.input"].tell() == 2 * 65536


def test_the_number_of_parts_does_not_count_url_encoded_fields() -> None:
    assert len(form(b"a=1&b=2", URLENCODED, max_form_parts=1)) == 2
    body = b"&".join([b"a"] * 100_000)
    assert len(form(body, URLENCODED).getlist("a")) == 100_000
    assert refusal(body + b"&", URLENCODED) == (
        "The form has more than 100000 fields (setting: max_form_fields)."
    )


def test_headers_of_a_part_that_are_too_long() -> None:
    assert refusal(part(b"1", b"form-data; name=a", b"X: " + b"y" * 9000) + END) == (
        "The headers of part 1 have more than 8192 bytes (setting: max_part_headers)."
    )


def test_a_body_that_is_declared_too_long() -> None:
    refusal(part(b"1") + END, max_content_length=10)


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"a=1", URLENCODED), (part(b"1") + END, MULTIPART)]
)
def test_a_body_that_is_exactly_as_long_as_allowed(body: bytes, content_type: str) -> None:
    request = environ(body, content_type)
    request["wsgi.input_terminated"] = True
    del request["CONTENT_LENGTH"]
    _, fields, _ = parse_form_data(request, max_content_length=len(body))
    assert fields["a"] == "1"
    request["wsgi.input"].seek(0)
    with pytest.raises(RequestEntityTooLarge):
        parse_form_data(request, max_content_length=len(body) - 1)


def test_a_client_that_leaves_is_no_broken_form() -> None:
    stream = LimitedStream(io.BytesIO(part(b"1")), 1000)
    with pytest.raises(HTTPException):
        FormDataParser().parse(stream, "multipart/form-data", 1000, {"boundary": "foo"})  # type: ignore[arg-type]


def test_a_parser_can_say_by_itself_that_a_form_is_wrong() -> None:
    with pytest.raises(ValueError, match="so it is"):
        MultiPartParser().fail("so it is")


# -- events with headers --------------------------------------------------------------------------


def events(decoder: MultipartDecoder, *pieces: bytes | None) -> list[Event]:
    found: list[Event] = []
    for piece in pieces:
        decoder.receive_data(piece)
        while not isinstance(event := decoder.next_event(), NeedData):
            found.append(event)
            if isinstance(event, Epilogue):
                break
    return found


def test_the_decoder_gives_events_and_the_encoder_takes_them() -> None:
    body = (
        b'junk\r\n--foo\r\nContent-Disposition: form-data; name="a"\r\nX: y\r\n\r\ntext\r\n'
        b'--foo\r\nContent-Disposition: form-data; name="b"; filename="c"\r\n\r\n'
        b"\r\n--foo--\r\nbehind"
    )
    found = events(MultipartDecoder(b"foo"), body, None)
    disposition = 'form-data; name="a"'
    assert found == [
        Preamble(b"junk"),
        Field("a", Headers([("Content-Disposition", disposition), ("X", "y")])),
        Data(b"text", more_data=False),
        File("b", "c", Headers([("Content-Disposition", 'form-data; name="b"; filename="c"')])),
        Data(b"", more_data=False),
        Epilogue(b"behind"),
    ]
    encoder = MultipartEncoder(b"foo")
    assert b"".join(map(encoder.send_event, found)) == body.replace(
        b"\r\n\r\n\r\n--", b"\r\n\r\n--"
    )
    assert encoder.state is State.COMPLETE


def test_the_state_follows_the_bytes() -> None:
    decoder = MultipartDecoder(b"foo")
    assert (decoder.state, decoder.next_event()) == (State.PREAMBLE, NEED_DATA)
    decoder.receive_data(part(b"text"))
    seen = [(type(decoder.next_event()), decoder.state) for _ in range(4)]
    assert seen == [
        (Preamble, State.PART),
        (Field, State.DATA),
        (Data, State.DATA),
        (NeedData, State.DATA),
    ]
    assert events(decoder, END) == [Data(b"", more_data=False)]
    assert decoder.state.name == "EPILOGUE"
    assert events(decoder, b"  behind", None) == [Epilogue(b"  behind")]
    assert decoder.complete
    assert decoder.state.name == "COMPLETE"
    with pytest.raises(ValueError, match="nothing can follow the end"):
        decoder.next_event()


def test_a_form_that_ends_too_early() -> None:
    decoder = MultipartDecoder(b"foo")
    with pytest.raises(ValueError, match="cut off"):
        events(decoder, part(b"x"), None)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (part(b"x") * 3 + END, "more than 2 parts"),
        (part(b"x" * 11) + END, "more than 10 bytes"),
        (b"j" * 20 + b"\r\n" + END, "before or behind"),
        (END + b"j" * 20, "before or behind"),
    ],
)
def test_the_limits_of_the_decoder(body: bytes, cause: str) -> None:
    with pytest.raises(RequestEntityTooLarge, match=cause):
        events(MultipartDecoder(b"foo", 10, max_parts=2), body, None)


def test_an_event_is_a_value() -> None:
    one, other = Data(b"x", more_data=True), Data(b"x", more_data=True)
    assert one == other
    assert hash(one) == hash(other)
    assert one != Data(b"x", more_data=False)
    assert Preamble(b"x") != Epilogue(b"x")
    assert repr(one) == "Data(data=b'x', more_data=True)"
    assert NeedData() != NeedData()
    assert NEED_DATA == multipart.NEED_DATA
    assert len({NEED_DATA, NeedData()}) == 2
    match one:
        case Data(data, more_data):
            assert (data, more_data) == (b"x", True)
    with pytest.raises(AttributeError, match=r"Data\.data cannot be set"):
        one.data = b"y"
    with pytest.raises(AttributeError, match=r"Data\.data cannot be deleted"):
        del one.data


def test_the_encoder_refuses_events_out_of_order() -> None:
    encoder = MultipartEncoder(b"foo")
    with pytest.raises(ValueError, match=r"Data\(.*cannot be written in State.PREAMBLE"):
        encoder.send_event(Data(b"x", more_data=False))
    encoder.send_event(Preamble(b""))
    encoder.send_event(Field("a", Headers()))
    for event in (Field("a", Headers()), Preamble(b""), NEED_DATA):
        with pytest.raises(ValueError, match=r"cannot be written in State.DATA_START"):
            encoder.send_event(event)
    # Only the first bytes of a part have a line break in front, be they the first event or not.
    assert encoder.send_event(Data(b"", more_data=True)) == b""
    assert encoder.send_event(Data(b"x", more_data=True)) == b"\r\nx"
    assert encoder.send_event(Data(b"y", more_data=False)) == b"y"
    assert encoder.send_event(Epilogue(b"")) == b"\r\n--foo--\r\n"
    with pytest.raises(ValueError, match=r"State.COMPLETE"):
        encoder.send_event(Epilogue(b""))
