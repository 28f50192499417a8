"""multipart/form-data as a client writes it, read back by the form parser."""

from __future__ import annotations

import io
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.client import encode_multipart, stream_encode_multipart
from stein.toolkit.datastructures.file_storage import FileStorage
from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.datastructures.multidict import MultiDict
from stein.toolkit.forms.parser import parse_form_data


def read(stream: IO[bytes], length: int, boundary: str) -> tuple[Any, Any]:
    environ = {
        "wsgi.input": stream,
        "CONTENT_LENGTH": str(length),
        "CONTENT_TYPE": f'multipart/form-data; boundary="{boundary}"',
    }
    return parse_form_data(environ)[1:]


texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20)


@given(fields=st.lists(st.tuples(texts, texts), max_size=5), content=st.binary(max_size=200))
def test_what_is_written_is_read(fields: list[tuple[str, str]], content: bytes) -> None:
    data: MultiDict[str, Any] = MultiDict(fields)
    data.add("the file", FileStorage(io.BytesIO(content), "f", content_type="a/b"))
    form, files = read(*stream_encode_multipart(data))
    assert list(form.items(multi=True)) == list(MultiDict(fields).items(multi=True))
    assert files["the file"].read() == content
    files["the file"].close()


def test_the_body_byte_by_byte() -> None:
    values = {"a": "1", "n": [2, b"\xff"], "f": (io.BytesIO(b"x"), 'q"\xfc.txt')}
    boundary, body = encode_multipart(values, boundary="B")
    assert boundary == "B"
    assert body == (
        b'\r\n--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'
        b'\r\n--B\r\nContent-Disposition: form-data; name="n"\r\n\r\n2'
        b'\r\n--B\r\nContent-Disposition: form-data; name="n"\r\n\r\n\xff'
        b'\r\n--B\r\nContent-Disposition: form-data; name="f"; filename="q%22\xc3\xbc.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\nx"
        b"\r\n--B--\r\n"
    )


def test_boundaries_differ() -> None:
    assert encode_multipart({})[0] != encode_multipart({})[0]


class Reading:
    """The least that is a file."""

    def __init__(self, content: Any, name: Any = None) -> None:
        self._content = content
        self.name = name

    def read(self, size: int) -> Any:
        content, self._content = self._content, self._content[:0]
        return content


@pytest.mark.parametrize(
    ("file", "head"),
    [
        (Reading(b"x"), b"\r\nContent-Type: application/octet-stream\r\n"),
        (Reading(b"x", 7), b"\r\nContent-Type: application/octet-stream\r\n"),
        (Reading(b"x", "a.css"), b'; filename="a.css"\r\nContent-Type: text/css\r\n'),
        (Reading(b"x", "a.?"), b'; filename="a.?"\r\nContent-Type: application/octet-stream\r\n'),
        (FileStorage(io.BytesIO(b"x"), headers=Headers({"X-A": "b"})),
         b"\r\nX-A: b\r\nContent-Type: application/octet-stream\r\n"),
    ],
)  # fmt: skip
def test_name_and_type_of_a_file(file: Any, head: bytes) -> None:
    body = encode_multipart({"f": file}, "B")[1]
    assert body == (
        b'\r\n--B\r\nContent-Disposition: form-data; name="f"' + head + b"\r\nx\r\n--B--\r\n"
    )


def test_the_headers_of_a_file_are_not_changed() -> None:
    file = FileStorage(io.BytesIO(b"x"), "a.css")
    encode_multipart({"f": file})
    assert file.content_type is None


def test_a_file_opened_as_text_is_refused() -> None:
    with pytest.raises(TypeError, match="mode 'rb'"):
        encode_multipart({"f": Reading("text")})


def test_a_path_in_a_tuple_is_opened_and_closed(tmp_path: Any) -> None:
    path = tmp_path / "a.html"
    path.write_bytes(b"content")
    body = encode_multipart({"f": (path, "b.txt", "x/y")}, "B")[1]
    assert b'filename="b.txt"\r\nContent-Type: x/y\r\n\r\ncontent\r\n' in body


@pytest.mark.parametrize(("threshold", "on_disk"), [(100, True), (10_000, False)])
def test_a_large_body_goes_to_disk(threshold: int, on_disk: bool) -> None:  # noqa: FBT001
    data = {"a": "x" * 200, "b": "y" * 200}
    stream, length, boundary = stream_encode_multipart(data, threshold=threshold)
    with stream:
        assert isinstance(stream, io.BytesIO) is not on_disk
        assert len(stream.read()) == length
        stream.seek(0)
        assert read(stream, length, boundary)[0].to_dict() == data
    with stream_encode_multipart(data, use_tempfile=False, threshold=1)[0] as stream:
        assert isinstance(stream, io.BytesIO)
