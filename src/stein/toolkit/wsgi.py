"""PEP 3333 from the application's side: the environ, its input, and bodies of responses."""

from __future__ import annotations

import io
from functools import update_wrapper
from typing import IO, TYPE_CHECKING, Any, cast

from stein.toolkit.limitedstream import LimitedStream, too_large
from stein.toolkit.sansio import hosts
from stein.toolkit.sansio.hosts import host_is_trusted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from stein.typing import Environ, WSGIApplication

__all__ = [
    "ClosingIterator",
    "FileWrapper",
    "LimitedStream",
    "get_content_length",
    "get_current_url",
    "get_host",
    "get_input_stream",
    "get_path_info",
    "host_is_trusted",
    "responder",
    "wrap_file",
    "wsgi_decode",
    "wsgi_encode",
]


# -- what the environ says -----------------------------------------------------------------------


def wsgi_decode(value: str) -> str:
    """The text that an environ's value stands for.

    The values of PEP 3333 are bytes in the guise of text, each byte one character.  The bytes are
    read as UTF-8; what is none becomes U+FFFD.

    :param value: such as ``PATH_INFO``.
    """
    # PERF: ASCII reads the same either way, and nearly all paths are ASCII.
    if value.isascii():
        return value
    # A character above 255 is the fault of a server or a test; it must not become an error here.
    return value.encode("latin-1", "replace").decode("utf-8", "replace")


def wsgi_encode(text: str) -> str:
    """The value that stands for a text in an environ: the reverse of :func:`wsgi_decode`."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def get_path_info(environ: Environ) -> str:
    """The path of the request below the application's root, as text."""
    return wsgi_decode(environ.get("PATH_INFO", ""))


def get_host(environ: Environ, trusted_hosts: Collection[str] | None = None) -> str:
    """The host of the request, with the port unless it is the scheme's usual one.

    It is the Host field or, if the client sent none, the server's own name.

    :param trusted_hosts: names that are accepted; one that starts with a dot stands for all hosts
        below it, too.  None or empty: every host that is well formed.
    :raises SecurityError: the host is malformed or not among ``trusted_hosts``.
    """
    name = environ.get("SERVER_NAME")
    server = None if name is None else (name, _port(environ))
    return hosts.get_host(
        environ["wsgi.url_scheme"], environ.get("HTTP_HOST"), server, trusted_hosts
    )


def _port(environ: Environ) -> int | None:
    """The server's port; None if it has none because it listens on a Unix socket."""
    try:
        return int(environ["SERVER_PORT"])
    except (KeyError, TypeError, ValueError):
        return None


def get_current_url(
    environ: Environ,
    root_only: bool = False,  # noqa: FBT001, FBT002 - positional in the interface
    strip_querystring: bool = False,  # noqa: FBT001, FBT002
    host_only: bool = False,  # noqa: FBT001, FBT002
    trusted_hosts: Collection[str] | None = None,
) -> str:
    """The URL of the request, as an IRI: it may hold characters beyond ASCII (RFC 3987).

    :param root_only: end it with the application's root.
    :param strip_querystring: end it with the path.
    :param host_only: end it with the host.
    :param trusted_hosts: as in :func:`get_host`.
    :raises SecurityError: as :func:`get_host`.
    """
    scheme, host = environ["wsgi.url_scheme"], get_host(environ, trusted_hosts)
    if host_only:
        return hosts.get_current_url(scheme, host)
    root = wsgi_decode(environ.get("SCRIPT_NAME", ""))
    if root_only:
        return hosts.get_current_url(scheme, host, root)
    path = get_path_info(environ)
    if strip_querystring:
        return hosts.get_current_url(scheme, host, root, path)
    query = environ.get("QUERY_STRING", "").encode("latin-1", "replace")
    return hosts.get_current_url(scheme, host, root, path, query)


# -- the body of the request ---------------------------------------------------------------------


def get_content_length(environ: Environ) -> int | None:
    """The length of the request's body in bytes.

    :return: None if it is not known beforehand; 0 if Content-Length is no number.
    """
    return hosts.get_content_length(
        environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")
    )


def get_input_stream(
    environ: Environ,
    safe_fallback: bool = True,  # noqa: FBT001, FBT002 - positional in the interface
    max_content_length: int | None = None,
) -> IO[bytes]:
    """The body of the request as a stream that ends where the body ends.

    A server need not end ``wsgi.input`` there (PEP 3333): to read on may wait for ever.  One that
    does says so with ``wsgi.input_terminated``.

    :param safe_fallback: give an empty stream if neither a length is known nor the server ends
        the input; otherwise the input as it is, at one's own risk.
    :param max_content_length: how many bytes the body may have at most.  It cannot be held
        against a body whose length nobody tells, unless the server ends the input.
    :raises RequestEntityTooLarge: the body is declared larger than that.  One of undeclared
        length raises it when it is read that far.
    """
    stream: IO[bytes] = environ["wsgi.input"]
    length = get_content_length(environ)
    if length is not None and max_content_length is not None and length > max_content_length:
        raise too_large(max_content_length)
    if environ.get("wsgi.input_terminated"):
        if max_content_length is None:
            return stream
        return cast("IO[bytes]", LimitedStream(stream, max_content_length, is_max=True))
    if length is None:
        return io.BytesIO() if safe_fallback else stream
    return cast("IO[bytes]", LimitedStream(stream, length))


# -- the body of the response --------------------------------------------------------------------


def responder(f: Callable[..., WSGIApplication]) -> WSGIApplication:
    """Decorator: a function that gives a response becomes a WSGI application.

    ::

        @responder
        def application(environ, start_response):
            return Response("hello")

    :param f: takes ``(environ, start_response)``, after ``self`` if it is a method.
    """

    def application(*args: Any) -> Iterable[bytes]:
        environ, start_response = args[-2:]
        return f(*args)(environ, start_response)

    return update_wrapper(application, f)


class ClosingIterator:
    """The body of a response, with something to do when it has been sent.

    :param iterable: what an application has given; its own ``close()`` is called first.
    :param callbacks: what to call then: one function or several.  Each is called whatever the
        others raise; the first error goes on to the server.
    """

    def __init__(
        self,
        iterable: Iterable[bytes],
        callbacks: Callable[[], object] | Iterable[Callable[[], object]] | None = None,
    ) -> None:
        self._next = iter(iterable).__next__
        if callbacks is None:
            rest: Iterable[Callable[[], object]] = ()
        elif callable(callbacks):
            rest = (callbacks,)
        else:
            rest = callbacks
        own = getattr(iterable, "close", None)
        self._callbacks = [*rest] if own is None else [own, *rest]

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._next()

    def close(self) -> None:
        """Call them all."""
        failure = None
        for callback in self._callbacks:
            try:
                callback()
            except BaseException as error:  # noqa: BLE001 - raised below
                failure = error if failure is None else failure
        if failure is not None:
            raise failure


def wrap_file(environ: Environ, file: IO[bytes], buffer_size: int = 8192) -> Iterable[bytes]:
    """A file as the body of a response, in the form that suits the server best.

    :param environ: its ``wsgi.file_wrapper`` is used if there is one (PEP 3333, "Optional
        Platform-Specific File Handling"); then the application must not iterate over it, and a
        response that holds it needs ``direct_passthrough``.
    :param file: anything with ``read(size)``.
    :param buffer_size: how many bytes to read at a time.
    """
    wrapper: Callable[[IO[bytes], int], Iterable[bytes]]
    wrapper = environ.get("wsgi.file_wrapper", FileWrapper)
    return wrapper(file, buffer_size)


class FileWrapper:
    """A file as an iterable of blocks; :func:`wrap_file` uses it where the server has no own.

    :param file: anything with ``read(size)``.
    :param buffer_size: how many bytes to read at a time.
    """

    def __init__(self, file: IO[bytes], buffer_size: int = 8192) -> None:
        self.file = file
        self.buffer_size = buffer_size

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block = self.file.read(self.buffer_size)
        if block:
            return block
        raise StopIteration

    def close(self) -> None:
        """Close the file, if it can be closed."""
        close = getattr(self.file, "close", None)
        if close is not None:
            close()

    def seekable(self) -> bool:
        """Whether the file says that it has positions or, if it says nothing, has ``seek()``."""
        seekable = getattr(self.file, "seekable", None)
        return hasattr(self.file, "seek") if seekable is None else bool(seekable())

    def seek(self, *args: Any) -> None:
        """Go to a position, if the file has any."""
        seek = getattr(self.file, "seek", None)
        if seek is not None:
            seek(*args)

    def tell(self) -> int | None:
        """The position; None if the file has none."""
        tell = getattr(self.file, "tell", None)
        return None if tell is None else tell()


class _RangeWrapper:
    """A part of a body, for an answer of status 206.

    The blocks are those of the body, the first and the last cut to size.

    :param iterable: the whole; if it is ``seekable()`` the reading begins at the part's start,
        otherwise what stands before it is read and dropped.
    :param start_byte: where the part begins.
    :param byte_range: how many bytes it has; None for all to the end.
    """

    def __init__(
        self,
        iterable: Iterable[bytes] | IO[bytes],
        start_byte: int = 0,
        byte_range: int | None = None,
    ) -> None:
        self.iterable = iter(iterable)
        self.start_byte = start_byte
        self.byte_range = byte_range
        self.end_byte = None if byte_range is None else start_byte + byte_range
        seekable = getattr(iterable, "seekable", None)
        self.seekable = seekable is not None and bool(seekable())
        self.end_reached = False
        self._whole: Any = iterable
        self._blocks = self._cut()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._blocks)

    def _cut(self) -> Iterator[bytes]:
        """The blocks of the part, none of them empty."""
        skip, left = self.start_byte, self.byte_range
        if self.seekable:
            self._whole.seek(skip)
            skip = 0
        for block in self.iterable if left is None or left > 0 else ():
            piece = block
            if skip:
                piece = block[skip:]
                skip = max(0, skip - len(block))
            if left is not None:
                piece = piece[:left]
                left -= len(piece)
            if piece:
                yield piece
            if left == 0:
                break
        self.end_reached = True

    def close(self) -> None:
        """Close the whole, if it can be closed."""
        close = getattr(self._whole, "close", None) or getattr(self.iterable, "close", None)
        if close is not None:
            close()
