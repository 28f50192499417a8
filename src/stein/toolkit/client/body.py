"""What a request carries: a form, or any body, and the fields that tell of it."""

from __future__ import annotations

from io import BytesIO
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, Final, cast

from stein.http.numbers import parse_int
from stein.http.options import dump_options, parse_options
from stein.http.urls import encode_query
from stein.toolkit.client.encoding import iter_values, stream_encode_multipart
from stein.toolkit.datastructures.file_storage import FileMultiDict
from stein.toolkit.datastructures.multidict import CombinedMultiDict, MultiDict
from stein.toolkit.datastructures.sets import CallbackDict
from stein.toolkit.sansio.response import get_content_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stein.toolkit.datastructures.headers import Headers

__all__ = ["RequestBody"]

_MULTIPART: Final = "multipart/form-data"
_URLENCODED: Final = "application/x-www-form-urlencoded"


class RequestBody:
    """The body of a request: a stream, or a form that becomes one when it is sent."""

    headers: Headers  #: the fields of the request
    closed: bool  #: whether the files of the form were closed

    _input_stream: IO[bytes] | None = None
    _form: MultiDict[str, str] | None = None
    _files: FileMultiDict | None = None

    def _set_data(self, data: Any) -> None:
        """Make a body of data, whichever kind it is."""
        if hasattr(data, "read"):
            data = data.read()
        if isinstance(data, str):
            data = data.encode()
        if isinstance(data, bytes | bytearray | memoryview):
            self.input_stream = BytesIO(data)
            if self.content_length is None:
                self.content_length = len(data)
            return
        if not hasattr(data, "items"):
            raise TypeError(
                f"data is {data!r:.200}, which makes no body; give text, bytes, a file, or a"
                " mapping with the fields of a form; for json there is the parameter json"
            )
        for name, value in iter_values(data):
            if isinstance(value, tuple):
                self.files.add_file(name, *value)
            elif hasattr(value, "read"):
                self.files.add_file(name, value)
            elif isinstance(value, dict):
                raise TypeError(
                    f"the field {name!r} of the form is the dict {value!r:.200}; give text or a"
                    " file, or a tuple (file, filename, content type)"
                )
            else:
                self.form.setlistdefault(name).append(value)

    @property
    def content_type(self) -> str | None:
        """The type of the body: the field that is set, or that of the form."""
        value = self.headers.get("Content-Type")
        if value is None and self._input_stream is None:
            if self._files:
                return _MULTIPART
            if self._form:
                return _URLENCODED
        return value

    @content_type.setter
    def content_type(self, value: str | None) -> None:
        if value is None:
            self.headers.remove("Content-Type")
        else:
            self.headers["Content-Type"] = value

    @property
    def mimetype(self) -> str | None:
        """:attr:`content_type` without parameters; if it is set, text gets a charset."""
        value = self.content_type
        return value.partition(";")[0].strip() if value else None

    @mimetype.setter
    def mimetype(self, value: str) -> None:
        self.content_type = get_content_type(value, "utf-8")

    @property
    def mimetype_params(self) -> Mapping[str, str]:
        """The parameters of :attr:`content_type`; what is done to them shows there."""

        def write(params: CallbackDict[str, str]) -> None:
            self.headers["Content-Type"] = dump_options(self.mimetype, params)

        return CallbackDict(parse_options(self.headers.get("Content-Type"))[1], write)

    @property
    def content_length(self) -> int | None:
        """The length that was given; that of a body which is known is found out by itself."""
        return self.headers.get("Content-Length", type=parse_int)

    @content_length.setter
    def content_length(self, value: int | None) -> None:
        if value is not None:
            self.headers["Content-Length"] = str(value)
        elif self.headers:
            self.headers.remove("Content-Length")

    # -- the body ------------------------------------------------------------------------------

    @property
    def form(self) -> MultiDict[str, str]:
        """The fields of the form, files excepted."""
        if self._form is None:
            self._refuse_form("form")
            self._form = MultiDict()
        return self._form

    @form.setter
    def form(self, value: MultiDict[str, str]) -> None:
        self._input_stream = None
        self._form = value

    @property
    def files(self) -> FileMultiDict:
        """The files of the form; :meth:`FileMultiDict.add_file` adds one."""
        if self._files is None:
            self._refuse_form("files")
            self._files = FileMultiDict()
        return self._files

    @files.setter
    def files(self, value: FileMultiDict) -> None:
        self._input_stream = None
        self._files = value

    def _refuse_form(self, name: str) -> None:
        if self._input_stream is not None:
            raise AttributeError(
                f"there is no {name}, as the body is given as a stream; set input_stream to None"
                " first"
            )

    @property
    def input_stream(self) -> IO[bytes] | None:
        """The body, if it is no form; setting it takes the form away."""
        return self._input_stream

    @input_stream.setter
    def input_stream(self, value: IO[bytes] | None) -> None:
        self._input_stream = value
        self._form = None
        self._files = None

    def close(self) -> None:
        """Close the files of the form."""
        if self.closed:
            return
        self.closed = True
        if self._files:
            for file in chain.from_iterable(self._files.listvalues()):
                try:
                    file.close()
                except Exception:  # noqa: BLE001, S110 - a file that cannot be closed is no use
                    pass

    def __del__(self) -> None:
        # Not close() of a subclass, which may not have come as far as to be made.
        if self._files:
            RequestBody.close(self)

    def _make_body(self) -> tuple[IO[bytes], int | None, str | None]:
        """The stream, how many bytes are in it if that can be told, and the content type."""
        content_type = self.content_type
        stream = self._input_stream
        if stream is not None:
            length = _bytes_left(stream)
            return stream, self.content_length if length is None else length, content_type
        mimetype = self.mimetype
        if mimetype == _MULTIPART:
            fields = cast("MultiDict[str, Any]", CombinedMultiDict([self.form, self.files]))
            stream, length, boundary = stream_encode_multipart(fields)
            return stream, length, f'{_MULTIPART}; boundary="{boundary}"'
        if mimetype == _URLENCODED:
            data = encode_query(self.form.items(multi=True)).encode("ascii")
            return BytesIO(data), len(data), content_type
        return BytesIO(), self.content_length, content_type


def _bytes_left(stream: IO[bytes]) -> int | None:
    """How many bytes a stream has before its end; ``None`` if it cannot tell."""
    try:
        position = stream.tell()
        end: int | None = stream.seek(0, 2)
        if end is None:  # a stream of somebody's own, that keeps it to itself
            end = stream.tell()
        stream.seek(position)
    except (AttributeError, OSError):  # io.UnsupportedOperation is one
        return None
    return end - position
