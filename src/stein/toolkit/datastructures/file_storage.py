"""Uploaded files."""

from __future__ import annotations

import os
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

from stein.http.numbers import parse_int
from stein.http.options import parse_options
from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.datastructures.multidict import MultiDict

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FileMultiDict", "FileStorage"]


class FileStorage:
    """A file that came with a form.  It is false if the field was left empty: without a filename.

    The attributes of its stream are its own: ``file.read()``, ``file.seek(0)``.

    :param stream: with the content, open for reading; an empty one by default.
    :param filename: what the client calls it, or the name of the stream if that has one.  Never
        open a path with it; :func:`stein.toolkit.security.secure_filename` makes one of it.
    :param name: of the field.
    :param content_type: goes into the headers.
    :param content_length: in bytes; goes into the headers.
    :param headers: of the part.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - werkzeug's signature
        self,
        stream: IO[bytes] | None = None,
        filename: str | None = None,
        name: str | None = None,  # of the field, not of the file
        content_type: str | None = None,
        content_length: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        #: the name of the field
        self.name = name
        #: the content
        self.stream: IO[bytes] = BytesIO() if stream is None else stream
        if filename is None:
            filename = _name_of(stream)
        elif filename.__class__ is not str:
            filename = os.fsdecode(filename)
        #: what the client calls the file
        self.filename = filename
        #: the headers of the part
        self.headers = Headers() if headers is None else headers
        if content_type is not None:
            self.headers["Content-Type"] = content_type
        if content_length is not None:
            self.headers["Content-Length"] = str(content_length)

    @property
    def content_type(self) -> str | None:
        """The media type as it was sent, if it was."""
        return self.headers.get("Content-Type")

    @property
    def content_length(self) -> int:
        """The length in bytes as it was sent; 0 if it was not, as with most clients."""
        return parse_int(self.headers.get("Content-Length", "")) or 0

    @property
    def mimetype(self) -> str:
        """The media type without parameters, in lower case; empty if none was sent."""
        return parse_options(self.content_type)[0].lower()

    @property
    def mimetype_params(self) -> dict[str, str]:
        """The parameters of the media type."""
        return parse_options(self.content_type)[1]

    def save(self, dst: str | os.PathLike[str] | IO[bytes], buffer_size: int = 16384) -> None:
        """Copy what is left of the stream.

        :param dst: a path, or a file open for writing, which stays open.
        :param buffer_size: how many bytes are in memory at a time.
        """
        if isinstance(dst, str | bytes | os.PathLike):
            with open(dst, "wb") as file:  # noqa: PTH123 - a path may also be str or bytes
                self._copy(file, buffer_size)
        else:
            self._copy(dst, buffer_size)

    def _copy(self, file: IO[bytes], buffer_size: int) -> None:
        # As shutil.copyfileobj, whose module brings the compression libraries along.
        read, write = self.stream.read, file.write
        while chunk := read(buffer_size):
            write(chunk)

    def close(self) -> None:
        """Close the stream; what goes wrong with that does not matter any more."""
        try:
            self.stream.close()
        except Exception:  # noqa: BLE001, S110 - see above
            pass

    def __bool__(self) -> bool:
        return bool(self.filename)

    def __getattr__(self, name: str) -> Any:
        # Copying and unpickling ask for such names before there is a stream; and the stream's
        # __setstate__ would be no good for what is around it.
        if name.startswith("__") or name == "stream":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.stream, name)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.stream)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.filename!r} ({self.content_type!r})>"


def _name_of(stream: object) -> str | None:
    """The file name of a stream; special ones are called ``<stdin>``, temporary ones 7."""
    name = getattr(stream, "name", None)
    if not isinstance(name, str | bytes | os.PathLike):
        return None
    name = os.fsdecode(name)
    return None if name[:1] == "<" and name[-1:] == ">" else name


class FileMultiDict(MultiDict[str, FileStorage]):
    """Files by the names of their fields, with a way to add some to a test's request."""

    def add_file(
        self,
        name: str,
        file: str | os.PathLike[str] | IO[bytes] | FileStorage,
        filename: str | None = None,
        content_type: str | None = None,
    ) -> None:
        """Add a file.

        :param name: of the field.
        :param file: a path, which is opened; a file that is open; or a :class:`FileStorage`.
        :param filename: what it is called; by default the path.
        :param content_type: by default, what the filename's ending tells.
        """
        if isinstance(file, FileStorage):
            self.add(name, file)
            return
        if isinstance(file, str | os.PathLike):
            if filename is None:
                filename = os.fspath(file)
            stream: IO[bytes] = open(file, "rb")  # noqa: PTH123, SIM115 - closed with the storage
        else:
            stream = file  # type: ignore[assignment]  # IO, as a file is neither of the others
        if filename and content_type is None:
            # Late: reading the system's tables of types takes longer than the rest of the import.
            from mimetypes import guess_type  # noqa: PLC0415 - see above

            content_type = guess_type(filename)[0] or "application/octet-stream"
        self.add(name, FileStorage(stream, filename, name, content_type))
