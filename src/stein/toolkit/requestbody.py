"""The body of a request: as a stream, as bytes, as a form, as JSON."""

# ruff: noqa: FBT001, FBT002 - booleans are positional in the interface

from __future__ import annotations

from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, Final, Literal, cast, overload

from stein.toolkit.datastructures.multidict import CombinedMultiDict, MultiDict
from stein.toolkit.exceptions import BadRequest, UnsupportedMediaType
from stein.toolkit.forms.parser import FormDataParser, default_stream_factory
from stein.toolkit.late import LateModule
from stein.toolkit.properties import cached_property, environ_property
from stein.toolkit.sansio.request import Request as PureRequest
from stein.toolkit.wsgi import get_input_stream

if TYPE_CHECKING:
    from stein.toolkit.datastructures.file_storage import FileStorage
    from stein.typing import Environ

__all__ = ["RequestBody"]

#: no JSON says this, unlike None
_UNREAD: Final[Any] = ...


class RequestBody(PureRequest):
    """What a request has below its header fields; the base of ``Request``.

    It can be read once as a stream.  What was read as a whole is kept.
    """

    # Whether there are files to close.
    _form_read = False

    #: How many bytes a body may have; more raises ``RequestEntityTooLarge`` (413).  ``None`` leaves
    #: it to the server.
    max_content_length: int | None = None

    #: how many bytes one field of a multipart form may have, if it is no file
    max_form_memory_size: int | None = 500_000

    #: how many parts a multipart form may have
    max_form_parts: int | None = 1000

    #: makes the parser of forms; called with the limits above
    form_data_parser_class: type[FormDataParser] = FormDataParser

    #: what ``loads`` is taken from; anything with the interface of :mod:`json`
    json_module: Any = LateModule("json")

    environ: Environ  #: what the server has passed
    shallow: bool  #: whether the body must not be read

    _cached_json: tuple[Any, Any] = (_UNREAD, _UNREAD)  # not silent, silent
    _cached_data: bytes | None = None

    input_stream: environ_property[IO[bytes]] = environ_property(
        "wsgi.input",
        doc="The body as the server gives it; to read beyond its end may wait for ever. "
        "Use :attr:`stream`.",
    )

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body, to be read once.  It ends where the body ends, or at a limit (413)."""
        if self.shallow:
            raise RuntimeError(
                "the body of this request must not be read here, since the request was made with "
                "shallow=True; leave that out, or read it in the application behind"
            )
        return get_input_stream(self.environ, max_content_length=self.max_content_length)

    @cached_property
    def data(self) -> bytes:
        """The body as bytes; empty if it is a form, which then is read.

        :meth:`get_data` gives it whatever it is.
        """
        return self.get_data(parse_form_data=True)

    @overload
    def get_data(
        self, cache: bool = True, as_text: Literal[False] = False, parse_form_data: bool = False
    ) -> bytes: ...
    @overload
    def get_data(
        self, cache: bool = True, *, as_text: Literal[True], parse_form_data: bool = False
    ) -> str: ...
    @overload
    def get_data(self, cache: bool, as_text: Literal[True], parse_form_data: bool = ...) -> str: ...
    def get_data(
        self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False
    ) -> bytes | str:
        """Read the whole body.  How long it may be is for :attr:`max_content_length` to say.

        :param cache: keep it, so that it can be had again, also as a form.
        :param as_text: decode it; bytes that are no UTF-8 are replaced.
        :param parse_form_data: if it is a form, read it into :attr:`form` and :attr:`files`; then
            nothing is left to give.
        """
        data = self._cached_data
        if data is None:
            if parse_form_data:
                self._load_form_data()
            data = self.stream.read()
            if cache:
                self._cached_data = data
        return data.decode("utf-8", "replace") if as_text else data

    # -- the body as a form --------------------------------------------------------------------

    @cached_property
    def form(self) -> MultiDict[str, str]:
        """The fields of a form, files excepted; empty if the body is none."""
        self._load_form_data()
        return cast("MultiDict[str, str]", self.__dict__["form"])

    @cached_property
    def files(self) -> MultiDict[str, FileStorage]:
        """The files of a form, by the names of the fields; empty if the body has none."""
        self._load_form_data()
        return cast("MultiDict[str, FileStorage]", self.__dict__["files"])

    @cached_property
    def values(self) -> CombinedMultiDict[str, str]:
        """:attr:`args`, and behind them the :attr:`form` unless the method is GET.

        What a cache keys by the URL must not depend on a body.
        """
        sources: list[Any] = [self.args]
        if self.method != "GET":
            sources.append(self.form)
        return CombinedMultiDict(
            [each if isinstance(each, MultiDict) else MultiDict(each) for each in sources]
        )

    @property
    def want_form_data_parsed(self) -> bool:
        """Hook: whether the body may be a form; here, whether it has a media type."""
        return bool(self.environ.get("CONTENT_TYPE"))

    def make_form_data_parser(self) -> FormDataParser:
        """Hook: make the parser of a form."""
        return self.form_data_parser_class(
            cls=self.parameter_storage_class,
            stream_factory=self._get_file_stream,
            max_content_length=self.max_content_length,
            max_form_memory_size=self.max_form_memory_size,
            max_form_parts=self.max_form_parts,
        )

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        """Hook: make the file into which an upload is written.

        :param total_content_length: bytes of the whole body, if the client said.
        :param content_type: of the upload.
        :param filename: of the upload, as the client sent it.
        :param content_length: of the upload; clients hardly ever say.
        """
        return default_stream_factory(
            total_content_length=total_content_length,
            filename=filename,
            content_type=content_type,
            content_length=content_length,
        )

    def _load_form_data(self) -> None:
        """Hook: read the body as a form, if it is one, into ``form``, ``files`` and ``stream``."""
        kept = self.__dict__
        if "form" in kept:
            return
        if self.want_form_data_parsed:
            stream, form, files = self.make_form_data_parser().parse(
                self._get_stream_for_parsing(),
                self.mimetype,
                self.content_length,
                self.mimetype_params,
            )
        else:
            kind = self.parameter_storage_class
            stream, form, files = self.stream, kind(), kind()
        kept["stream"], kept["form"], kept["files"] = stream, form, files
        self._form_read = True

    def _get_stream_for_parsing(self) -> IO[bytes]:
        """The body, also if :meth:`get_data` has read and kept it."""
        data = self._cached_data
        return self.stream if data is None else BytesIO(data)

    # -- the body as JSON ----------------------------------------------------------------------

    @property
    def json(self) -> Any:
        """The body read as JSON; see :meth:`get_json`.

        :raises UnsupportedMediaType: the media type is none of JSON (415).
        :raises BadRequest: it is not JSON (400).
        """
        return self.get_json()

    @overload
    def get_json(
        self, force: bool = ..., silent: Literal[False] = ..., cache: bool = ...
    ) -> Any: ...
    @overload
    def get_json(self, force: bool = ..., silent: bool = ..., cache: bool = ...) -> Any | None: ...
    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any | None:
        """Read the body as JSON.

        :param force: also if the media type is none of JSON.
        :param silent: give ``None`` for a body that is not JSON, instead of asking
            :meth:`on_json_loading_failed`.
        :param cache: keep what was read, and the body.
        """
        if cache and self._cached_json[silent] is not _UNREAD:
            return self._cached_json[silent]
        if not (force or self.is_json):
            return None if silent else self.on_json_loading_failed(None)
        data = self.get_data(cache=cache)
        try:
            value = self.json_module.loads(data)
        except (ValueError, RecursionError) as error:
            if silent:
                value = None
            elif isinstance(error, ValueError):
                value = self.on_json_loading_failed(error)
            else:
                value = self.on_json_loading_failed(ValueError("it is nested too deeply"))
            if cache:
                loud, quiet = self._cached_json
                self._cached_json = (loud, value) if silent else (value, quiet)
        else:
            if cache:
                self._cached_json = (value, value)
        return value

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        """Hook: the body cannot be read as JSON.  What it returns is what :meth:`get_json` gives.

        :param e: why not; ``None`` if the media type says that it is none.
        """
        if e is not None:
            raise BadRequest(f"Failed to decode JSON object: {e}")
        sent = "The request has no Content-Type"
        if self.content_type:
            sent = f"The request's Content-Type is {self.content_type!r}, which is not JSON"
        raise UnsupportedMediaType(f"{sent}; send it as 'application/json'.")
