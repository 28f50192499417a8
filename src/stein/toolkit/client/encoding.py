"""Forms with files in them, as a client sends them: multipart/form-data (RFC 7578)."""

# ruff: noqa: FBT001, FBT002 - ``use_tempfile`` is positional in the interface

from __future__ import annotations

import os
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, Final

from stein.http.multipart import Encoder
from stein.toolkit.datastructures.file_storage import FileMultiDict
from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.datastructures.multidict import MultiDict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["encode_multipart", "iter_values", "stream_encode_multipart"]

_BLOCK: Final = 65536


def stream_encode_multipart(
    data: Mapping[str, Any],
    use_tempfile: bool = True,
    threshold: int = 1024 * 500,
    boundary: str | None = None,
) -> tuple[IO[bytes], int, str]:
    """Write a form with files, as the body of a request.

    For tests: a boundary of one's own is not searched for in what the form holds.

    :param data: names and values.  A value is a file (a ``FileStorage``, or anything that can be
        read), a tuple as :meth:`FileMultiDict.add_file` takes it after the name (a path or a file,
        its name, its type), bytes, or becomes text; a list stands for several.
    :param use_tempfile: let a large body go to disk.
    :param threshold: bytes that stay in memory, if others need not.
    :param boundary: what stands between the parts; made up if it is not given.
    :return: a file that holds the body, its length in bytes, the boundary.
    """
    if boundary is None:
        boundary = f"---------------SteinFormPart_{os.urandom(16).hex()}"
    encoder = Encoder(boundary.encode())
    body = _Body(threshold if use_tempfile else None)
    for name, value in iter_values(data):
        _write_part(encoder, body, name, value)
    body.write(encoder.close())
    return body.rewind(), body.length, boundary


def encode_multipart(values: Mapping[str, Any], boundary: str | None = None) -> tuple[str, bytes]:
    """Do what :func:`stream_encode_multipart` does, in memory.

    :param values: its ``data``.
    :return: the boundary, the body.
    """
    stream, _, boundary = stream_encode_multipart(values, use_tempfile=False, boundary=boundary)
    return boundary, stream.read()


def iter_values(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give pairs; a list in a plain mapping stands for several values, a tuple for one."""
    if isinstance(data, MultiDict):
        yield from data.items(multi=True)
        return
    for name, value in data.items():
        if isinstance(value, list):
            for each in value:
                yield name, each
        else:
            yield name, value


def _write_part(encoder: Encoder, body: _Body, name: str, value: Any) -> None:
    if isinstance(value, tuple):
        files = FileMultiDict()
        files.add_file(name, *value)
        try:
            _write_file(encoder, body, name, files[name])
        finally:
            files[name].close()
    elif hasattr(value, "read"):
        _write_file(encoder, body, name, value)
    else:
        body.write(encoder.part(name))
        body.write(encoder.data(value if isinstance(value, bytes) else str(value).encode()))


def _write_file(encoder: Encoder, body: _Body, name: str, file: Any) -> None:
    filename = getattr(file, "filename", None)
    if filename is None and not hasattr(file, "filename"):
        filename = getattr(file, "name", None)
    if filename is not None and not isinstance(filename, str):
        filename = None  # the number of a descriptor
    headers = Headers(getattr(file, "headers", None))
    content_type = getattr(file, "content_type", None)
    headers["Content-Type"] = content_type or _guess_type(filename)
    body.write(encoder.part(name, filename, headers))
    while block := file.read(_BLOCK):
        if not isinstance(block, bytes):
            raise TypeError(
                f"the file {filename!r} of the field {name!r} gives {type(block).__name__}, not"
                " bytes; open it with mode 'rb'"
            )
        body.write(encoder.data(block))


def _guess_type(filename: str | None) -> str:
    if not filename:
        return "application/octet-stream"
    # Late: reading the system's tables of types takes longer than the rest of the import.
    from mimetypes import guess_type  # noqa: PLC0415 - see above

    return guess_type(filename)[0] or "application/octet-stream"


class _Body:
    """Collects bytes, in memory up to a length and then on disk.

    :param most: that length; ``None`` to stay in memory.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._file: IO[bytes] = BytesIO()
        self.length = 0

    def write(self, data: bytes) -> None:
        self.length += len(data)
        if self._most is not None and self.length > self._most:
            # Late: few forms are that large, and tempfile brings shutil and random along.
            from tempfile import TemporaryFile  # noqa: PLC0415 - see above

            memory, self._most = self.rewind(), None
            self._file = TemporaryFile("wb+")  # noqa: SIM115 - whoever sends it closes it
            self._file.write(memory.read())
        self._file.write(data)

    def rewind(self) -> IO[bytes]:
        self._file.seek(0)
        return self._file
