"""What an application and a server do wrong, said as warnings: PEP 3333, and the rules of HTTP.

For development and tests.  Nothing is changed on the way through; each warning names the value.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Any, Final, Self
from warnings import warn

from stein.http.grammar import is_field_value, is_token
from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.http import is_entity_header, is_hop_by_hop_header
from stein.toolkit.wsgi import FileWrapper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from stein.typing import Environ, StartResponse, Write, WSGIApplication

__all__ = [
    "ErrorStream",
    "GuardedIterator",
    "GuardedWrite",
    "HTTPWarning",
    "InputStream",
    "LintMiddleware",
    "WSGIWarning",
    "check_type",
]

_REQUIRED: Final = (
    "REQUEST_METHOD",
    "SERVER_NAME",
    "SERVER_PORT",
    "wsgi.version",
    "wsgi.url_scheme",
    "wsgi.input",
    "wsgi.errors",
    "wsgi.multithread",
    "wsgi.multiprocess",
    "wsgi.run_once",
)
_DIGITS: Final = re.compile("[0-9]{1,18}")
_MOST: Final = 60  # characters of a value in a message


class WSGIWarning(Warning):
    """A rule of PEP 3333 is broken."""


class HTTPWarning(Warning):
    """A rule of HTTP is broken."""


def _show(value: object) -> str:
    """The value as a message quotes it; a long one is cut."""
    text = repr(value)
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"


def check_type(context: str, obj: object, need: type = str) -> None:
    """Warn if an object is not of exactly this type (PEP 3333: no subclasses).

    :param context: what the object is, for the message.
    :param obj: the object.
    :param need: the type.
    """
    if type(obj) is not need:
        warn(
            f"{context!r} requires {need.__name__!r}, got {type(obj).__name__!r}: {_show(obj)}.",
            WSGIWarning,
            stacklevel=3,
        )


class InputStream:
    """``wsgi.input`` that warns of calls which not every server can answer.

    :param stream: the server's own.
    :param terminated: whether the server promises that it ends after the body
        (``wsgi.input_terminated``): then reading without a size is safe.
    """

    def __init__(self, stream: IO[bytes], *, terminated: bool = False) -> None:
        self._stream = stream
        self._safe = terminated

    def read(self, *args: Any) -> bytes:
        """Read; a call without a size may wait for ever on servers that give no end of file."""
        if not args and not self._safe:
            _wsgi(
                "'wsgi.input.read()' was called without a size. Not every server ends the input"
                " after the body, so this may wait for ever; give a size."
            )
        elif len(args) > 1:
            _wsgi(f"'wsgi.input.read()' takes one argument, got {len(args)}: {_show(args)}.")
        return self._stream.read(*args)

    def readline(self, *args: Any) -> bytes:
        """Read a line; a call without a size has no bound.

        :raises TypeError: for more than one argument.
        """
        if len(args) > 1:
            raise TypeError(
                f"'wsgi.input.readline()' takes at most one argument, got {len(args)}: {args!r}"
            )
        if not args and not self._safe:
            _wsgi(
                "'wsgi.input.readline()' was called without a size, so a line of any length is"
                " taken into memory; give a size or use 'wsgi.input.read(size)'."
            )
        return self._stream.readline(*args)

    def readlines(self, *args: Any) -> list[bytes]:
        """Read lines; a call without a hint may wait for ever, as :meth:`read` does."""
        if not args and not self._safe:
            _wsgi("'wsgi.input.readlines()' was called without a hint; use 'wsgi.input.read(size)'")
        return self._stream.readlines(*args)

    def __iter__(self) -> Iterator[bytes]:
        try:
            return iter(self._stream)
        except TypeError:
            _wsgi(f"'wsgi.input' is not iterable: {_show(self._stream)}.")
            return iter(())

    def close(self) -> None:
        """Close the server's stream, which is the server's business."""
        _wsgi("The application closed the input stream: 'wsgi.input' belongs to the server.")
        self._stream.close()


class ErrorStream:
    """``wsgi.errors`` that warns of what is no text.

    :param stream: the server's own.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, s: str) -> None:
        """Write a text."""
        check_type("wsgi.errors.write()", s, str)
        self._stream.write(s)

    def flush(self) -> None:
        """Flush."""
        self._stream.flush()

    def writelines(self, seq: Iterable[str]) -> None:
        """Write several texts."""
        for line in seq:
            self.write(line)

    def close(self) -> None:
        """Close the server's stream, which is the server's business."""
        _wsgi("The application closed the error stream: 'wsgi.errors' belongs to the server.")
        self._stream.close()


class GuardedWrite:
    """The ``write`` callable of PEP 3333, which warns of what is not bytes.

    :param write: the server's own.
    :param chunks: gets the length of each piece.
    """

    def __init__(self, write: Callable[[bytes], object], chunks: list[int]) -> None:
        self._chunks = chunks
        self._write = write

    def __call__(self, piece: bytes) -> None:
        """Write a piece of the body."""
        check_type("write()", piece, bytes)
        self._write(piece)
        self._chunks.append(len(piece))


class GuardedIterator:
    """The application's iterable, watched until it is closed.

    :param iterator: what the application gave.
    :param headers_set: status code and headers, empty until ``start_response`` was called.
    :param chunks: the length of each piece that was sent.
    :param method: the request's: the answer to HEAD has the length of a body it does not have.
    """

    def __init__(
        self,
        iterator: Iterable[bytes],
        headers_set: Sequence[Any],
        chunks: list[int],
        method: str = "GET",
    ) -> None:
        self.closed = False
        self.headers_set = headers_set
        self.chunks = chunks
        self._method = method
        self._iterator = iterator
        self._next = iter(iterator).__next__

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self.closed:
            _wsgi("Iterated over closed 'app_iter'.")
        try:
            piece = self._next()
        except StopIteration:
            if not self.headers_set:
                _wsgi("The application ended without a call of 'start_response'.")
            raise
        if not self.headers_set:
            _wsgi(f"The application gave {_show(piece)} before it started the response.")
        check_type("application iterator items", piece, bytes)
        self.chunks.append(len(piece))
        return piece

    def close(self) -> None:
        """Close the application's iterable, and say what was wrong with the whole response."""
        self.closed = True
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()
        if self.headers_set:
            status, headers = self.headers_set
            for category, message in _faults(status, headers, sum(self.chunks), self._method):
                warn(message, category, stacklevel=2)

    def __del__(self) -> None:
        if not getattr(self, "closed", True):
            try:
                _wsgi("Iterator was garbage collected before it was closed.")
            except Exception:  # noqa: BLE001, S110 - warnings may be errors, and here nobody sees one
                pass


def _wsgi(message: str) -> None:
    """Warn, at the line that called the method which calls this."""
    warn(message, WSGIWarning, stacklevel=3)


def _faults(
    status: int, headers: Headers, sent: int, method: str
) -> Iterator[tuple[type[Warning], str]]:
    """What is wrong with the length and the body of a response, as category and message."""
    declared = headers.get("content-length")
    if declared is not None and _DIGITS.fullmatch(declared) is None:
        yield HTTPWarning, f"Content-Length must be digits, got {_show(declared)}."
        declared = None
    interim = 100 <= status < 200 or status == 204
    if status == 304:
        yield from _entity_fields(headers)
    elif interim and declared is not None and int(declared):
        # RFC 9110 8.6 wants no Content-Length here; a zero does no harm.
        message = f"{status} responses must have an empty content length, got {declared!r}."
        yield HTTPWarning, message
    if status == 304 or interim:
        if sent:
            yield HTTPWarning, f"{status} responses must not have a body, got {sent} bytes."
    elif method == "HEAD":
        if sent:
            yield HTTPWarning, f"Responses to HEAD must not have a body, got {sent} bytes."
    elif declared is not None and int(declared) != sent:
        message = "Content-Length and the number of bytes sent to the client do not match"
        yield WSGIWarning, f"{message}: {declared} and {sent}."


def _entity_fields(headers: Headers) -> Iterator[tuple[type[Warning], str]]:
    """What a 304 need not say, as the client has it (RFC 9110 15.4.5)."""
    for name, value in headers:
        key = name.lower()
        if key not in {"expires", "content-location"} and is_entity_header(key):
            yield HTTPWarning, f"Entity header {key!r} found in 304 response: {_show(value)}."


class LintMiddleware:
    """Warns of what the application and the server do wrong, through :mod:`warnings`.

    Among others: invalid status lines; headers that are no list of pairs of ``str``, hold control
    characters or belong to the connection; unquoted entity tags; relative ``Location``; bodies that
    are not bytes, are too short or too long or should not be there; unsafe reading of
    ``wsgi.input``; iterables that nobody closed::

        app = LintMiddleware(app)

    In a test, ``warnings.simplefilter("error", WSGIWarning)`` makes each an error.

    :param app: the application.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def check_environ(self, environ: Environ) -> None:
        """Warn of what the server did wrong (PEP 3333, "environ Variables")."""
        if type(environ) is not dict:
            warn(
                f"WSGI environment is not a standard Python dict, got {type(environ).__name__!r}.",
                WSGIWarning,
                stacklevel=4,
            )
        for key in _REQUIRED:
            if key not in environ:
                warn(f"Required environment key {key!r} not found", WSGIWarning, stacklevel=3)
        version = environ.get("wsgi.version")
        if version != (1, 0):
            warn(
                f"Environ is not a WSGI 1.0 environ: 'wsgi.version' is {_show(version)}.",
                WSGIWarning,
                stacklevel=3,
            )
        for key in ("SCRIPT_NAME", "PATH_INFO"):
            value = environ.get(key, "")
            if value and value[0] != "/" and not (key == "PATH_INFO" and value == "*"):
                warn(
                    f"{key!r} does not start with a slash: {_show(value)}",
                    WSGIWarning,
                    stacklevel=3,
                )

    def check_start_response(self, status: Any, headers: Any, exc_info: Any) -> tuple[int, Headers]:
        """Warn of what is wrong with the arguments of ``start_response``, which may be anything.

        :return: the status code (0 if there is none) and those headers that are well-formed.
        """
        code = self._check_status(status)
        if type(headers) is not list:
            warn(
                f"Header list is not a list. Got {type(headers).__name__!r}: {_show(headers)}",
                WSGIWarning,
                stacklevel=3,
            )
        well_formed = []
        for item in headers:
            fault = _header_fault(item)
            if fault:
                warn(fault, WSGIWarning, stacklevel=3)
            else:
                well_formed.append(item)
        if exc_info is not None and not isinstance(exc_info, tuple):
            warn(
                f"Invalid value for exc_info: {_show(exc_info)}. Pass what sys.exc_info() gives.",
                WSGIWarning,
                stacklevel=3,
            )
        result = Headers(well_formed)
        self.check_headers(result)
        return code, result

    def _check_status(self, status: Any) -> int:
        check_type("status", status, str)
        if not isinstance(status, str):
            return 0
        number = (status.split(None, 1) or [""])[0]
        valid = len(number) <= 3 and number.isascii() and number.isdecimal()
        if len(number) != 3 or not valid:
            warn(
                f"Status code must be three digits, got {_show(number)}.", WSGIWarning, stacklevel=4
            )
        if len(status) < 4 or status[3] != " " or not is_field_value(status):
            warn(
                f"Invalid value for status {_show(status)}: it must be three digits, a space and"
                " the reason, without control characters.",
                WSGIWarning,
                stacklevel=4,
            )
        code = int(number) if valid else 0
        if code < 100 and valid:
            warn(f"Status code < 100 detected: {code}.", WSGIWarning, stacklevel=4)
        return code

    def check_headers(self, headers: Headers) -> None:
        """Warn of header values that break HTTP."""
        etag = headers.get("etag")
        if etag is not None:
            if etag.startswith("w/"):
                warn(
                    f"Weak etag indicator should be upper case: {_show(etag)}.",
                    HTTPWarning,
                    stacklevel=4,
                )
            opaque = etag[2:] if etag[:2] in {"W/", "w/"} else etag
            if len(opaque) < 2 or opaque[0] != '"' or opaque[-1] != '"':
                warn(f"Unquoted etag emitted: {_show(etag)}.", HTTPWarning, stacklevel=4)
        location = headers.get("location")
        if location is not None and not _has_host(location):
            warn(
                f"Absolute URLs required for location header. Got {_show(location)}, which not"
                " every client resolves.",
                HTTPWarning,
                stacklevel=4,
            )

    def check_iterator(self, app_iter: Any) -> None:
        """Warn of a body that is one text or one bytes object."""
        if isinstance(app_iter, str | bytes):
            warn(
                f"The application returned a {'string' if isinstance(app_iter, str) else 'bytes'}"
                f" object, {_show(app_iter)}, which would be sent one character at a time."
                " Return a list of bytes instead.",
                WSGIWarning,
                stacklevel=3,
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Iterable[bytes]:
        """Call the application between two watched sides."""
        if len(args) != 2:
            _wsgi(f"A WSGI app takes two arguments, got {len(args)}.")
        if kwargs:
            _wsgi(f"A WSGI app does not take keyword arguments, got {sorted(kwargs)}.")
        environ: Environ = args[0]
        start_response: StartResponse = args[1]
        self.check_environ(environ)
        if "wsgi.input" in environ:
            terminated = bool(environ.get("wsgi.input_terminated"))
            environ["wsgi.input"] = InputStream(environ["wsgi.input"], terminated=terminated)
        if "wsgi.errors" in environ:
            environ["wsgi.errors"] = ErrorStream(environ["wsgi.errors"])
        # Ours is iterated to its end, so that the length can be checked; a server's own wrapper
        # hands the file to the system.
        environ["wsgi.file_wrapper"] = FileWrapper

        method = environ.get("REQUEST_METHOD", "GET")  # before the application changes it
        headers_set: list[Any] = []
        chunks: list[int] = []

        def checking_start_response(*args: Any, **kwargs: Any) -> Write:
            if len(args) not in {2, 3}:
                _wsgi(f"Invalid number of arguments: {len(args)}, expected 2 or 3.")
            if kwargs:
                _wsgi(f"'start_response' does not take keyword arguments, got {sorted(kwargs)}.")
            status, headers, *rest = args
            exc_info = rest[0] if rest else None
            if headers_set and exc_info is None:
                _wsgi("'start_response' was called a second time without exc_info.")
            headers_set[:] = self.check_start_response(status, headers, exc_info)
            return GuardedWrite(start_response(status, headers, exc_info), chunks)

        app_iter = self.app(environ, checking_start_response)
        self.check_iterator(app_iter)
        # The list is filled when start_response is called, which may be in the first iteration.
        return GuardedIterator(app_iter, headers_set, chunks, method)


def _has_host(location: str) -> bool:
    """Whether a URL names its host (RFC 3986 4.2: after ``//``)."""
    scheme, found, rest = location.partition("//")
    return bool(found and rest[:1] not in {"", "/", "?", "#"}) and not scheme.strip(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.:"
    )


def _header_fault(item: Any) -> str:  # noqa: PLR0911 - one for each fault
    """What is wrong with one item of the header list (PEP 3333), as a message; empty: nothing."""
    if type(item) is not tuple or len(item) != 2:
        return f"Header items must be 2-item tuples. Got {_show(item)}"
    name, value = item
    if type(name) is not str or type(value) is not str:
        return f"Header keys and values must be strings, got {_show(item)}."
    if name.lower() == "status":
        return (
            "The status header is not supported, since CGI gives it another meaning:"
            f" {_show(value)}. Pass the status to 'start_response'."
        )
    if not is_token(name):
        return f"Header name is not a token (RFC 9110 5.6.2): {_show(name)}."
    if not is_field_value(value):
        return f"Header {name!r} has control characters or is not latin-1: {_show(value)}."
    if is_hop_by_hop_header(name):
        return (
            f"Header {name!r} belongs to the connection, which is the server's; an application"
            f" must not set it (PEP 3333): {_show(value)}."
        )
    return ""
