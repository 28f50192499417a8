"""The body of a request into a form: text fields, and files that go to disk when they are large.

Memory: a file is written as it arrives.  A text field is kept up to ``max_form_memory_size``, a
url-encoded form likewise as a whole, and there are at most ``max_form_parts`` parts.  What a limit
stops is answered 413 with the limit and its setting; files that were begun are closed then.
"""

from __future__ import annotations

from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, ClassVar, Final, NoReturn, Protocol, TypeAlias

from stein.http import multipart, urlencoded
from stein.http.numbers import parse_int
from stein.http.options import parse_options
from stein.http.overrun import Overrun
from stein.toolkit.datastructures.file_storage import FileStorage
from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.datastructures.multidict import MultiDict
from stein.toolkit.exceptions import RequestEntityTooLarge
from stein.toolkit.forms.multipart import File
from stein.toolkit.wsgi import get_content_length, get_input_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from tempfile import SpooledTemporaryFile

    from stein.typing import Environ

__all__ = [
    "FormDataParser",
    "MultiPartParser",
    "SpooledTemporaryFile",
    "default_stream_factory",
    "parse_form_data",
]

#: files up to this many bytes stay in memory
SPOOL_SIZE: Final = 500 * 1024

#: bytes that are read at once
BLOCK: Final = 64 * 1024

_URLENCODED: Final = "application/x-www-form-urlencoded"

Fields: TypeAlias = "MultiDict[str, str]"
Files: TypeAlias = "MultiDict[str, FileStorage]"
Result: TypeAlias = "tuple[IO[bytes], Fields, Files]"


class StreamFactory(Protocol):
    """Makes the file into which an upload is written; see :func:`default_stream_factory`."""

    def __call__(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        """Make it."""
        ...


def __getattr__(name: str) -> Any:
    # Importing tempfile takes as long as importing this layer does, and few requests bring files.
    # The name stands in the module from its first use on, so that a test can put another there.
    if name == "SpooledTemporaryFile":
        import tempfile  # noqa: PLC0415 - see above

        globals()[name] = tempfile.SpooledTemporaryFile
        return tempfile.SpooledTemporaryFile
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def default_stream_factory(
    total_content_length: int | None,
    content_type: str | None,  # noqa: ARG001 - for other factories
    filename: str | None,  # noqa: ARG001 - for other factories
    content_length: int | None = None,  # noqa: ARG001 - for other factories
) -> IO[bytes]:
    """Make a file that stays in memory up to 500 kB and goes to a temporary file then.

    :param total_content_length: bytes of the request's whole body, if the client said.
    :param content_type: of the part.
    :param filename: as the client sent it.
    :param content_length: of the part; 0 if the client did not say.
    """
    names = globals()
    if "SpooledTemporaryFile" not in names:
        __getattr__("SpooledTemporaryFile")
    spooled = names["SpooledTemporaryFile"]
    if spooled is not None:
        file: IO[bytes] = spooled(max_size=SPOOL_SIZE, mode="rb+")
        return file
    if total_content_length is not None and total_content_length <= SPOOL_SIZE:
        return BytesIO()
    import tempfile  # noqa: PLC0415 - see __getattr__

    return tempfile.TemporaryFile("rb+")


def parse_form_data(  # noqa: PLR0913, PLR0917 - werkzeug's signature
    environ: Environ,
    stream_factory: StreamFactory | None = None,
    max_form_memory_size: int | None = None,
    max_content_length: int | None = None,
    cls: type[MultiDict[str, Any]] | None = None,
    silent: bool = True,  # noqa: FBT001, FBT002 - werkzeug's signature
    *,
    max_form_parts: int | None = None,
) -> Result:
    """Read the form out of a request's body.

    For methods that have a body: POST, PUT, PATCH.  The parameters are those of
    :class:`FormDataParser`.

    :param environ: of the request (PEP 3333).
    :return: the stream, which was read if the body is a form; the fields; the files.
    :raises RequestEntityTooLarge: a limit was hit.
    """
    parser = FormDataParser(
        stream_factory,
        max_form_memory_size,
        max_content_length,
        cls,
        silent,
        max_form_parts=max_form_parts,
    )
    return parser.parse_from_environ(environ)


class FormDataParser:
    """Reads forms, url-encoded and multipart.  Another content type leaves the stream unread.

    :param stream_factory: makes the file for each upload; :func:`default_stream_factory` by
        default.
    :param max_form_memory_size: how many bytes a multipart field that is no file may have.
    :param max_content_length: how many bytes the body may have, if the parser opens the stream.
    :param cls: what the fields and files are collected in; ``MultiDict`` by default.
    :param silent: whether a body that is no valid form gives an empty one and no ``ValueError``.
    :param max_form_parts: how many parts a multipart form may have.
    """

    #: Pairs of a url-encoded form, empty ones included: ``max_form_parts`` does not count them.
    #: None for no limit.
    max_form_fields: ClassVar[int | None] = 100_000

    #: Bytes of a url-encoded form, which is held in memory.  None: as many as the body may have,
    #: since large forms of this kind are sent by machines (webhooks) to programs that expect them.
    max_urlencoded_size: ClassVar[int | None] = None

    def __init__(  # noqa: PLR0913 - werkzeug's signature
        self,
        stream_factory: StreamFactory | None = None,
        max_form_memory_size: int | None = None,
        max_content_length: int | None = None,
        cls: type[MultiDict[str, Any]] | None = None,
        silent: bool = True,  # noqa: FBT001, FBT002 - werkzeug's signature
        *,
        max_form_parts: int | None = None,
    ) -> None:
        self.stream_factory = default_stream_factory if stream_factory is None else stream_factory
        self.max_form_memory_size = max_form_memory_size
        self.max_content_length = max_content_length
        self.max_form_parts = max_form_parts
        self.cls: type[MultiDict[str, Any]] = MultiDict if cls is None else cls
        self.silent = silent

    def parse_from_environ(self, environ: Environ) -> Result:
        """Read the form out of a request.

        :param environ: of the request (PEP 3333).
        :return: the stream, the fields, the files.
        :raises RequestEntityTooLarge: a limit was hit.
        """
        stream = get_input_stream(environ, max_content_length=self.max_content_length)
        mimetype, options = parse_options(environ.get("CONTENT_TYPE"))
        return self.parse(stream, mimetype, get_content_length(environ), options)

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> Result:
        """Read the form out of a stream.

        :param stream: ends where the body ends; from ``get_input_stream``.
        :param mimetype: the content type without its parameters.
        :param content_length: bytes of the body, if the client said.
        :param options: the parameters of the content type.
        :return: the stream, the fields, the files.
        :raises RequestEntityTooLarge: a limit was hit.
        :raises ValueError: the body is no valid form, and the parser is not silent.
        """
        try:
            if mimetype == _URLENCODED:
                return stream, self._parse_urlencoded(stream, content_length), self.cls()
            if mimetype == "multipart/form-data":
                form, files = self._parse_multipart(stream, content_length, options or {})
                return stream, form, files
        except Overrun as error:
            raise _too_large(error) from error
        except ValueError:
            if not self.silent:
                raise
        return stream, self.cls(), self.cls()

    def _parse_multipart(
        self, stream: IO[bytes], content_length: int | None, options: dict[str, str]
    ) -> tuple[Fields, Files]:
        boundary = options.get("boundary")
        if not boundary:
            raise ValueError(
                "the content type multipart/form-data has no boundary parameter (RFC 7578 4.1); "
                "a client that sets the type itself must let its library do it"
            )
        parser = MultiPartParser(
            self.stream_factory,
            self.max_form_memory_size,
            self.cls,
            max_form_parts=self.max_form_parts,
        )
        return parser.parse(stream, boundary.encode("ascii"), content_length)

    def _parse_urlencoded(self, stream: IO[bytes], content_length: int | None) -> Fields:
        most = self.max_urlencoded_size
        if most is not None and content_length is not None and content_length > most:
            raise Overrun(f"the form has more than {most} bytes", "max_urlencoded_size")
        data = stream.read(BLOCK)
        if len(data) == content_length and self.cls.__init__ is MultiDict.__init__:
            # PERF: the plain version is below; most forms come in one piece, as long as declared
            # (bench: form-urlencoded).
            return self.cls.from_lists(urlencoded.group_body(data, self.max_form_fields))
        decoder = urlencoded.Decoder(max_size=most, max_fields=self.max_form_fields)
        pairs: list[tuple[str, str]] = []
        while data:
            pairs += decoder.feed(data)
            data = stream.read(BLOCK)
        pairs += decoder.close()
        return self.cls(pairs)


class MultiPartParser:
    """Reads multipart forms.

    :param stream_factory: makes the file for each upload.
    :param max_form_memory_size: how many bytes a field that is no file may have.
    :param cls: what the fields and files are collected in.
    :param buffer_size: how many bytes to read at once.
    :param max_form_parts: how many parts there may be.
    """

    #: bytes of the headers of one part
    max_part_headers: ClassVar[int] = multipart.MAX_HEAD

    def __init__(
        self,
        stream_factory: StreamFactory | None = None,
        max_form_memory_size: int | None = None,
        cls: type[MultiDict[str, Any]] | None = None,
        buffer_size: int = BLOCK,
        max_form_parts: int | None = None,
    ) -> None:
        self.stream_factory = default_stream_factory if stream_factory is None else stream_factory
        self.max_form_memory_size = max_form_memory_size
        self.cls: type[MultiDict[str, Any]] = MultiDict if cls is None else cls
        self.buffer_size = buffer_size
        self.max_form_parts = max_form_parts

    def fail(self, message: str) -> NoReturn:
        """Say that the body is no valid form.

        :raises ValueError: always.
        """
        raise ValueError(message)

    def get_part_charset(self, headers: Headers) -> str:
        """Give the charset of a field's text.

        :param headers: of the part.
        :return: what the part's content type says, if it is ASCII, UTF-8 or ISO-8859-1; otherwise
            ``utf-8``.
        """
        _, options = parse_options(headers.get("content-type"))
        charset = options.get("charset", "").lower()
        if charset in {"ascii", "us-ascii", "utf-8", "iso-8859-1"}:
            return charset
        return "utf-8"

    def start_file_streaming(self, event: File, total_content_length: int | None) -> IO[bytes]:
        """Open the file into which an upload is written.

        :param event: the head of the part.
        :param total_content_length: bytes of the request's whole body, if the client said.
        """
        headers = event.headers
        return self.stream_factory(
            total_content_length=total_content_length,
            content_type=headers.get("content-type"),
            filename=event.filename,
            content_length=parse_int(headers.get("content-length", "")) or 0,
        )

    def parse(
        self, stream: IO[bytes], boundary: bytes, content_length: int | None
    ) -> tuple[Fields, Files]:
        """Read the form out of a stream.

        :param stream: ends where the body ends.
        :param boundary: from the content type.
        :param content_length: bytes of the body, if the client said.
        :return: the fields, the files.
        :raises RequestEntityTooLarge: a limit was hit.
        :raises ValueError: the body is no valid form.
        """
        decoder = multipart.Decoder(
            boundary,
            max_parts=self.max_form_parts,
            max_field=self.max_form_memory_size,
            max_head=self.max_part_headers,
        )
        collector = _Collector(self, content_length)
        try:
            while data := stream.read(self.buffer_size):
                collector.collect(decoder.feed(data))
            decoder.close()
        except BaseException as error:
            collector.discard()
            if isinstance(error, Overrun):
                raise _too_large(error) from error
            raise
        return self.cls(collector.fields), self.cls(collector.files)


class _Collector:
    """The fields and files of one form while it comes in."""

    __slots__ = ("_content_length", "_file", "_parser", "_part", "_pieces", "_utf8", "fields",
                 "files")  # fmt: skip

    def __init__(self, parser: MultiPartParser, content_length: int | None) -> None:
        self._parser = parser
        self._content_length = content_length
        # Nobody wants to be asked for the charset of a part that has no content type.
        self._utf8 = type(parser).get_part_charset is MultiPartParser.get_part_charset
        self.fields: list[tuple[str, str]] = []
        self.files: list[tuple[str, FileStorage]] = []
        self._part: multipart.Part | None = None
        self._file: FileStorage | None = None
        self._pieces: list[bytes] = []

    def collect(self, events: Iterable[multipart.Event]) -> None:
        """Take what the next bytes of the body gave."""
        for event in events:
            if type(event) is multipart.Data:
                if self._file is not None:
                    self._file.stream.write(event.data)
                    if not event.more:
                        self._file.stream.seek(0)
                        self._file = None
                elif event.more:
                    self._pieces.append(event.data)
                else:
                    self._end_field(event.data)
            elif type(event) is multipart.Part:
                self._part = event
                if event.filename is not None:
                    self._begin_file(event, event.filename)

    def _begin_file(self, part: multipart.Part, filename: str) -> None:
        headers = Headers(part.headers)
        event = File(part.name, filename, headers)
        stream = self._parser.start_file_streaming(event, self._content_length)
        self._file = FileStorage(stream, filename, part.name, headers=headers)
        self.files.append((part.name, self._file))

    def _end_field(self, data: bytes) -> None:
        part = self._part
        if part is None:  # pragma: no cover - a part's head comes before its content
            return
        if self._pieces:
            self._pieces.append(data)
            data = b"".join(self._pieces)
            self._pieces = []
        charset = "utf-8"
        if not self._utf8 or len(part.headers) > 1:
            charset = self._parser.get_part_charset(Headers(part.headers))
        self.fields.append((part.name, data.decode(charset, "replace")))

    def discard(self) -> None:
        """Close the files, since nobody will get them."""
        for _, file in self.files:
            close: Callable[[], object] | None = getattr(file.stream, "close", None)
            if close is not None:
                try:
                    close()
                except OSError:  # what it holds cannot be written, as the disk is full
                    pass


def _too_large(error: Overrun) -> RequestEntityTooLarge:
    text = str(error)
    return RequestEntityTooLarge(f"{text[0].upper()}{text[1:]}.")
