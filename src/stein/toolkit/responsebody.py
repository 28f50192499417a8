"""The body of a response: pieces of bytes or text, which may be read, written and replaced."""

# ruff: noqa: FBT001, FBT002 - booleans are positional in the interface

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast, overload

from stein.toolkit.http import generate_etag
from stein.toolkit.late import LateModule
from stein.toolkit.properties import cached_property
from stein.toolkit.sansio.response import Response as PureResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["ResponseBody", "ResponseStream"]


def _encoded(pieces: Iterable[Any]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece.encode() if isinstance(piece, str) else piece


class ResponseBody(PureResponse):
    """What a response has below its header fields; the base of ``Response``, which sends it."""

    #: read a generator into a list when somebody asks for the length or the data of the body
    implicit_sequence_conversion = True

    #: set Content-Length when the length is known
    automatically_set_content_length = True

    #: what ``loads`` is taken from; anything with the interface of :mod:`json`
    json_module: Any = LateModule("json")

    response: Iterable[str] | Iterable[bytes]  #: the body: an iterable, never a plain text
    direct_passthrough: bool  #: whether the server gets the body as it is

    _on_close: list[Callable[[], Any]] | tuple[()] = ()  # a list from the first function on

    @overload
    def get_data(self, as_text: Literal[False] = False) -> bytes: ...
    @overload
    def get_data(self, as_text: Literal[True]) -> str: ...
    def get_data(self, as_text: bool = False) -> bytes | str:
        """Give the body as a whole; a generator is read into a list for that.

        :param as_text: decode it, as UTF-8.
        :raises RuntimeError: it is not to be read, by :attr:`implicit_sequence_conversion` or
            :attr:`direct_passthrough`.
        """
        self._ensure_sequence()
        data = b"".join(self.iter_encoded())
        return data.decode() if as_text else data

    def set_data(self, value: bytes | str) -> None:
        """Set the body, and with it Content-Length.

        :param value: text is encoded as UTF-8.
        """
        data = value.encode() if isinstance(value, str) else bytes(value)
        self.response = [data]
        if self.automatically_set_content_length:
            self.headers["Content-Length"] = str(len(data))

    @property
    def data(self) -> bytes:
        """The body as bytes; may also be set to text."""
        return self.get_data()

    @data.setter
    def data(self, value: bytes | str) -> None:
        self.set_data(value)

    def calculate_content_length(self) -> int | None:
        """Hook: give the length of the body in bytes; ``None`` if it is not to be known."""
        try:
            self._ensure_sequence()
        except RuntimeError:
            return None
        return sum(map(len, self.iter_encoded()))

    def _ensure_sequence(self, mutable: bool = False) -> None:
        """Make the body a list or a tuple, or only a list, if that is allowed."""
        if self.is_sequence:
            if mutable and not isinstance(self.response, list):
                self.response = list(self.response)  # type: ignore[assignment]
            return
        if self.direct_passthrough:
            raise RuntimeError(
                "the body is passed to the server as it is, so it cannot be read here; set "
                "direct_passthrough to False first"
            )
        if not self.implicit_sequence_conversion:
            raise RuntimeError(
                "the body must be read for this, and implicit_sequence_conversion is off; call "
                "make_sequence() first"
            )
        self.make_sequence()

    def make_sequence(self) -> None:
        """Read the body into a list of bytes, if it is not a list or a tuple yet."""
        if not self.is_sequence:
            body = self.response
            self.response = list(self.iter_encoded())
            close = getattr(body, "close", None)
            if close is not None:
                self.call_on_close(close)

    def iter_encoded(self) -> Iterator[bytes]:
        """Hook: give the body piece by piece, as bytes; what is sent, unless passed through."""
        return _encoded(self.response)

    @property
    def is_streamed(self) -> bool:
        """Whether nobody knows how many pieces the body has, as with a generator."""
        return not hasattr(self.response, "__len__")

    @property
    def is_sequence(self) -> bool:
        """Whether the body is a list or a tuple."""
        return isinstance(self.response, (list, tuple))

    @cached_property
    def stream(self) -> ResponseStream:
        """A file into which the body can be written."""
        return ResponseStream(self)

    def freeze(self) -> None:
        """Read the body into a list and set Content-Length and ETag; then it can be pickled."""
        pieces = list(self.iter_encoded())
        self.response = pieces
        self.headers["Content-Length"] = str(sum(map(len, pieces)))
        self.add_etag()

    # -- the body as JSON ---------------------------------------------------------------------

    @property
    def json(self) -> Any:
        """The body read as JSON; see :meth:`get_json`."""
        return self.get_json()

    def get_json(self, force: bool = False, silent: bool = False) -> Any:
        """Read the body as JSON, for tests; ``None`` if the media type is none of JSON.

        :param force: also if it is none.
        :param silent: give ``None`` for a body that is not JSON.
        :raises ValueError: the body is not JSON.
        """
        if not (force or self.is_json):
            return None
        try:
            return self.json_module.loads(self.get_data())
        except ValueError:
            if not silent:
                raise
            return None

    def add_etag(self, overwrite: bool = False, weak: bool = False) -> None:
        """Set a tag made of the body's bytes, unless there is a tag.

        :param overwrite: also if there is one.
        :param weak: mark it as weak.
        """
        if overwrite or "ETag" not in self.headers:
            self.set_etag(generate_etag(self.get_data()), weak)

    def call_on_close(self, func: Callable[[], Any]) -> Callable[[], Any]:
        """Have a function called when the response was sent; can be a decorator.

        :param func: without parameters.
        """
        if self._on_close:
            self._on_close.append(func)
        else:
            self._on_close = [func]
        return func

    def close(self) -> None:
        """Close the body, and call what was given to :meth:`call_on_close`."""
        close = getattr(self.response, "close", None)
        if close is not None:
            close()
        for func in self._on_close:
            func()


class ResponseStream:
    """A file that writes into the body of a response.

    :param response: it.
    """

    mode = "wb+"
    encoding = "utf-8"

    def __init__(self, response: ResponseBody) -> None:
        self.response = response
        self.closed = False

    def write(self, value: bytes) -> int:
        """Add a piece to the body; the length that the headers told is forgotten."""
        self._check_open()
        self.response._ensure_sequence(mutable=True)  # noqa: SLF001 - a part of it
        cast("list[bytes]", self.response.response).append(value)
        self.response.headers.remove("Content-Length")
        return len(value)

    def writelines(self, seq: Iterable[bytes]) -> None:
        """Add several pieces."""
        for each in seq:
            self.write(each)

    def close(self) -> None:
        """Refuse to write any more."""
        self.closed = True

    def flush(self) -> None:
        """Do nothing: all is written."""
        self._check_open()

    def isatty(self) -> bool:
        """False."""
        self._check_open()
        return False

    def tell(self) -> int:
        """How long the body is so far."""
        self.response._ensure_sequence()  # noqa: SLF001 - a part of it
        return sum(map(len, self.response.iter_encoded()))

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file: this stream of a response was closed")
