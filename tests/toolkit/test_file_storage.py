# ruff: noqa: S301 - unpickles what it pickled itself

from __future__ import annotations

import copy
import io
import os
import pickle
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.datastructures.file_storage import FileMultiDict, FileStorage
from stein.toolkit.datastructures.headers import Headers

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_what_its_headers_say() -> None:
    file = FileStorage(
        io.BytesIO(b"abc"), "a.html", "field", "Text/HTML; charset=utf-8", content_length=3
    )
    assert file.filename == "a.html"
    assert file.name == "field"
    assert file.content_type == "Text/HTML; charset=utf-8"
    assert file.content_length == 3
    assert file.mimetype == "text/html"
    assert file.mimetype_params == {"charset": "utf-8"}
    assert list(file.headers) == [
        ("Content-Type", "Text/HTML; charset=utf-8"), ("Content-Length", "3"),
    ]  # fmt: skip
    assert repr(file) == "<FileStorage: 'a.html' ('Text/HTML; charset=utf-8')>"


def test_a_field_that_was_left_empty_is_false() -> None:
    assert FileStorage(io.BytesIO(b"abc"), "a")
    assert not FileStorage(io.BytesIO(), "")
    file = FileStorage()
    assert not file
    assert file.read() == b""
    assert file.filename is None
    assert file.content_type is None
    assert file.mimetype == ""
    assert file.mimetype_params == {}


@pytest.mark.parametrize("length", ["", "x", "-5", "+5", "1_0", "9" * 5000, "\u0665"])
def test_a_length_that_is_no_number_counts_as_none(length: str) -> None:
    assert FileStorage(headers=Headers([("Content-Length", length)])).content_length == 0


def test_a_stream_that_looks_empty_stays_the_stream() -> None:
    inner = FileStorage(io.BytesIO(b"abc"))
    assert FileStorage(inner, "a").read() == b"abc"  # type: ignore[arg-type]


def test_the_name_of_a_stream_is_the_filename(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc")
    with path.open("rb") as stream:
        assert FileStorage(stream).filename == str(path)
    with open(os.fsencode(path), "rb") as stream:  # noqa: PTH123 - a path as bytes
        assert FileStorage(stream).filename == str(path)
    with tempfile.TemporaryFile() as stream:  # its name is a number
        assert FileStorage(stream).filename is None
    assert FileStorage(sys.__stdin__).filename is None  # type: ignore[arg-type]
    assert FileStorage(filename=path).filename == str(path)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [str, os.fsencode, lambda path: path])
def test_a_file_is_saved_to_a_path(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "saved"
    FileStorage(io.BytesIO(b"abc" * 10)).save(kind(path), buffer_size=7)
    assert path.read_bytes() == b"abc" * 10


def test_a_file_is_saved_to_a_file_from_where_it_stands() -> None:
    file = FileStorage(io.BytesIO(b"abcdef"))
    file.seek(2)
    target = io.BytesIO()
    file.save(target)
    assert target.getvalue() == b"cdef"
    assert not target.closed


def test_the_attributes_of_the_stream_are_its_own() -> None:
    file = FileStorage(tempfile.SpooledTemporaryFile())  # noqa: SIM115 - closed below
    file.write(b"one\ntwo")
    file.seek(0)
    assert list(file) == [b"one\n", b"two"]
    assert file.readable()
    assert file.seekable()
    with pytest.raises(AttributeError, match="nothing"):
        file.nothing  # noqa: B018
    file.close()
    assert file.closed


def test_what_goes_wrong_with_closing_does_not_matter() -> None:
    class Stuck(io.BytesIO):
        stuck = True

        def close(self) -> None:
            if self.stuck:
                raise OSError("no space left")
            super().close()

    stream = Stuck()
    FileStorage(stream).close()
    stream.stuck = False  # for the interpreter, which closes it too, and from 3.13 on complains


def test_a_file_is_copied_and_pickled() -> None:
    file = FileStorage(io.BytesIO(b"abc"), "a", "field")
    for again in (copy.copy(file), copy.deepcopy(file), pickle.loads(pickle.dumps(file))):
        assert (again.filename, again.name) == ("a", "field")
        again.seek(0)
        assert again.read() == b"abc"


def test_files_are_added_to_a_form(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc")
    files = FileMultiDict()
    files.add_file("path", path)
    files.add_file("path", str(path), filename="b.png")
    files.add_file("stream", io.BytesIO(b"def"), "c.unknown")
    files.add_file("nameless", io.BytesIO(b"ghi"))
    files.add_file("typed", io.BytesIO(b"ghi"), "d.txt", "a/b")
    storage = FileStorage(filename="e")
    files.add_file("storage", storage)
    assert [(file.filename, file.content_type) for file in files.getlist("path")] == [
        (str(path), "text/plain"),
        ("b.png", "image/png"),
    ]
    assert files["path"].read() == b"abc"
    assert files["stream"].content_type == "application/octet-stream"
    assert files["nameless"].content_type is None
    assert files["typed"].content_type == "a/b"
    assert files["storage"] is storage
    for file in files.getlist("path"):
        file.close()
