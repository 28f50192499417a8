"""Static files below some paths, from folders and packages: for development and small setups.

GET and HEAD of a file that is there are answered here: with its type, entity tag and date, with
304 when the client has it already (RFC 9110 13), with one range of it (RFC 9110 14).  Everything
else goes on to the application.
"""

from __future__ import annotations

import fnmatch
import functools
import importlib.util
import io
import os
import posixpath
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final, Self, TypeAlias
from zlib import adler32

from stein.http.ranges import parse_range, range_for_length
from stein.toolkit.http import http_date, is_resource_modified, quote_etag
from stein.toolkit.sansio.response import get_content_type
from stein.toolkit.security import safe_join
from stein.toolkit.wsgi import get_path_info, wrap_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stein.typing import Environ, HeaderList, StartResponse, WSGIApplication

__all__ = ["SharedDataMiddleware"]

Opener: TypeAlias = Callable[[], tuple[IO[bytes], datetime, int]]
Loader: TypeAlias = Callable[[str | None], tuple[str | None, Opener | None]]

_BLOCK: Final = 65536
_NOTHING: Final = (None, None)
# What a compressed file is, as long as nobody unpacks it on the way: x.tar.gz is no tar file.
_PACKED: Final = {
    "br": "application/x-brotli",
    "bzip2": "application/x-bzip2",
    "compress": "application/x-compress",
    "gzip": "application/gzip",
    "xz": "application/x-xz",
}


class SharedDataMiddleware:
    """Answers requests for files itself, and gives all others to the application.

    An export leads from a path to a folder, to a single file, or to a folder in a package::

        app = SharedDataMiddleware(app, {
            "/static": "/srv/site/static",
            "/favicon.ico": "/srv/site/icon.ico",
            "/admin/static": ("admin", "static"),
        })

    The first export that has the file wins, so one may be mounted at ``/`` as well.  A path never
    leads out of its folder; symbolic links in the folder are followed.

    :param app: the application.
    :param exports: a mapping, or pairs in the order in which they are tried.
    :param disallow: pattern, or patterns, as for :func:`fnmatch.fnmatch`, of file names (without
        their folder) that are not served.
    :param cache: whether to send an entity tag, ``max-age`` and ``Expires``, and answer 304.
    :param cache_timeout: seconds for which clients may keep a file without asking.
    :param fallback_mimetype: the type of files whose name tells none.
    :raises TypeError: an export is neither a text nor a pair of texts.
    :raises ValueError: an export names a package that has no files.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - werkzeug's signature
        self,
        app: WSGIApplication,
        exports: Mapping[str, str | tuple[str, str]] | Iterable[tuple[str, str | tuple[str, str]]],
        disallow: str | Iterable[str] | None = None,
        cache: bool = True,  # noqa: FBT001, FBT002 - werkzeug's signature
        cache_timeout: int = 60 * 60 * 12,
        fallback_mimetype: str = "application/octet-stream",
    ) -> None:
        self.app = app
        self.exports: list[tuple[str, Loader]] = []
        self.cache = cache
        self.cache_timeout = cache_timeout
        self.fallback_mimetype = fallback_mimetype
        for path, source in exports.items() if isinstance(exports, Mapping) else exports:
            self.exports.append((path, self._loader(path, source)))
        self._disallowed = _compile(disallow)

    def _loader(self, path: str, source: str | tuple[str, str]) -> Loader:
        if isinstance(source, tuple) and len(source) == 2:
            return self.get_package_loader(*source)
        if not isinstance(source, str | os.PathLike):
            raise TypeError(
                f"the export of {path!r} is {source!r}; give a folder or a file as text,"
                " or (package, folder in it)"
            )
        name = os.fspath(source)
        if os.path.isfile(name):  # noqa: PTH113 - a text stays a text
            return self.get_file_loader(name)
        return self.get_directory_loader(name)

    def is_allowed(self, filename: str) -> bool:
        """Whether a file may be served; for subclasses to override.

        :param filename: its name without the folder.
        """
        return self._disallowed is None or not self._disallowed(os.path.normcase(filename))

    # -- where files come from ----------------------------------------------------------------
    # A loader gets the path behind the export's, or None if they are equal, and gives the file's
    # name and a function that opens it; None for both if there is no such file.

    def get_file_loader(self, filename: str) -> Loader:
        """The loader of a single file: whatever path leads to it."""
        name = os.path.basename(filename)  # noqa: PTH119 - as in _loader
        return lambda _: (name, functools.partial(_open_path, filename))

    def get_directory_loader(self, directory: str) -> Loader:
        """The loader of a folder's files."""

        def load(path: str | None) -> tuple[str | None, Opener | None]:
            full = directory if path is None else safe_join(directory, path)
            if full is None or not os.path.isfile(full):  # noqa: PTH113 - as in _loader
                return _NOTHING
            return os.path.basename(full), functools.partial(_open_path, full)  # noqa: PTH119

        return load

    def get_package_loader(self, package: str, package_path: str) -> Loader:
        """The loader of a folder in a package, wherever that was imported from (zip files, too).

        :param package: its name, as in ``import``.
        :param package_path: the folder, with slashes.
        :raises ValueError: there is no such package, or it has no files.
        """
        loaded = datetime.now(UTC).replace(microsecond=0)
        reader = _find_reader(package)

        def load(path: str | None) -> tuple[str | None, Opener | None]:
            full = None if path is None else safe_join(package_path, path)
            if full is None or not _is_resource(reader, full):
                return _NOTHING
            opener = functools.partial(_open_resource, reader, full, loaded)
            return posixpath.basename(full), opener

        return load

    # -- a request ----------------------------------------------------------------------------

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer with the file, if there is one, or call the application."""
        if environ["REQUEST_METHOD"] in {"GET", "HEAD"}:
            name, opener = self._find(get_path_info(environ))
            if name is not None and opener is not None and self.is_allowed(name):
                try:
                    file, modified, size = opener()
                except OSError:  # gone since, or not readable for us: as if it were not there
                    pass
                else:
                    return self._answer(environ, start_response, name, file, modified, size)
        return self.app(environ, start_response)

    def _find(self, path: str) -> tuple[str | None, Opener | None]:
        for mount, loader in self.exports:
            if path == mount:
                found = loader(None)
                if found[1] is not None:
                    return found
            prefix = mount if mount.endswith("/") else f"{mount}/"
            if path.startswith(prefix):
                found = loader(path[len(prefix) :])
                if found[1] is not None:
                    return found
        return _NOTHING

    def generate_etag(self, mtime: datetime, file_size: int, real_filename: str) -> str:
        """An entity tag, without quotes, that changes when the file does.

        :param mtime: when it was modified.
        :param file_size: in bytes.
        :param real_filename: its name.
        """
        name = adler32(real_filename.encode("utf-8", "surrogateescape"))
        return f"{int(mtime.timestamp() * 1_000_000):x}-{file_size:x}-{name:x}"

    def _answer(  # noqa: PLR0913, PLR0917 - the request, and the file in its parts
        self,
        environ: Environ,
        start_response: StartResponse,
        name: str,
        file: IO[bytes],
        modified: datetime,
        size: int,
    ) -> Iterable[bytes]:
        try:
            headers = [("Date", http_date())]
            etag = None
            if self.cache:
                etag = quote_etag(self.generate_etag(modified, size, name))
                timeout = self.cache_timeout
                headers += [("ETag", etag), ("Cache-Control", f"max-age={timeout}, public")]
                if not is_resource_modified(environ, etag, last_modified=modified):
                    file.close()
                    start_response("304 Not Modified", headers)
                    return []
                headers.append(("Expires", http_date(time.time() + timeout)))
            else:
                headers.append(("Cache-Control", "public"))
            headers += [
                ("Content-Type", _content_type(name, self.fallback_mimetype)),
                ("Last-Modified", http_date(modified.timestamp())),
                ("Accept-Ranges", "bytes"),
            ]
            return self._send(environ, start_response, headers, file, size, etag, modified)
        except BaseException:
            file.close()
            raise

    def _send(  # noqa: PLR0913, PLR0917 - as in _answer
        self,
        environ: Environ,
        start_response: StartResponse,
        headers: HeaderList,
        file: IO[bytes],
        size: int,
        etag: str | None,
        modified: datetime,
    ) -> Iterable[bytes]:
        """Send all of the file, or the range that was asked for."""
        wanted = _wanted_range(environ, etag, modified)
        part = None if wanted is None else range_for_length(*wanted, size)
        if part is not None:
            start, stop = part
            status, length = "206 Partial Content", stop - start
            headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{size}"))
        elif wanted is not None:
            status, start, length = "416 Range Not Satisfiable", 0, 0
            headers.append(("Content-Range", f"bytes */{size}"))
        else:
            status, start, length = "200 OK", 0, size
        headers.append(("Content-Length", str(length)))
        start_response(status, headers)
        if not length or environ["REQUEST_METHOD"] == "HEAD":
            file.close()
            return []
        if part is None:
            return wrap_file(environ, file, _BLOCK)
        file.seek(start)
        # Not through the server's wrapper: some send to the end of the file, whatever is declared.
        return _Part(file, length)


class _Part:
    """Some bytes of a file, from where it stands."""

    __slots__ = ("_file", "_left")

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file = file
        self._left = length

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        piece = self._file.read(min(self._left, _BLOCK)) if self._left else b""
        if not piece:
            raise StopIteration
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """Close the file."""
        self._left = 0
        self._file.close()


def _wanted_range(
    environ: Environ, etag: str | None, modified: datetime
) -> tuple[int, int | None] | None:
    """The one range of bytes that is asked for, if it is still the same file (``If-Range``).

    A field with several ranges is ignored, as RFC 9110 14.2 allows: the whole file has them all.
    """
    found = parse_range(environ.get("HTTP_RANGE"))
    if found is None or found[0] != "bytes" or len(found[1]) != 1:
        return None
    condition = environ.get("HTTP_IF_RANGE")
    if condition is not None:
        # RFC 9110 13.1.5: the very same tag, not a weak one, or the very same date.
        condition = condition.strip(" \t")
        if condition not in {etag, http_date(modified)}:
            return None
    return found[1][0]


def _compile(patterns: str | Iterable[str] | None) -> Callable[[str], object] | None:
    """One function that tells whether a name fits a pattern."""
    if patterns is None:
        return None
    texts = [patterns] if isinstance(patterns, str) else patterns
    joined = "|".join(fnmatch.translate(os.path.normcase(text)) for text in texts)
    return re.compile(joined).match if joined else None


@functools.lru_cache(maxsize=512)
def _content_type(name: str, fallback: str) -> str:
    """The value of ``Content-Type`` for a file name."""
    # PERF: guess_type() parses the name as a URL, 10 µs for the same few names again and again.
    import mimetypes  # noqa: PLC0415 - late: it reads the system's tables when first used

    # A name is no URL: with a colon in it, it would be taken for one.
    guessed, packing = mimetypes.guess_type(f"./{name}")
    if packing is not None:
        guessed = _PACKED.get(packing, fallback)
    return get_content_type(guessed or fallback, "utf-8")


def _open_path(path: str) -> tuple[IO[bytes], datetime, int]:
    # Unbuffered, as it is read in large blocks or by the system itself.
    file = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - closed with the response
    status = os.fstat(file.fileno())
    return file, _moment(status.st_mtime), status.st_size


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):  # a file system can say what no calendar can
        return datetime.fromtimestamp(0, UTC)


def _find_reader(package: str) -> Any:
    """What reads a package's files (``importlib.resources.abc.ResourceReader``).

    :raises ValueError: there is no such package, or it has no files.
    """
    try:
        spec = importlib.util.find_spec(package)
    except ImportError as error:
        raise ValueError(
            f"files of the package {package!r} cannot be shared: {error}; install it, or"
            " correct the export"
        ) from error
    get_reader = getattr(getattr(spec, "loader", None), "get_resource_reader", None)
    reader = None if get_reader is None else get_reader(package)
    if reader is None:
        cause = "there is no such module" if spec is None else "it is a module without a folder"
        raise ValueError(
            f"files of the package {package!r} cannot be shared: {cause}; install it, or"
            " correct the export"
        )
    return reader


def _is_resource(reader: Any, path: str) -> bool:
    """Whether there is a file in the package at this path, which may have folders."""
    try:
        if hasattr(reader, "files"):
            return bool(reader.files().joinpath(path).is_file())
        reader.open_resource(path).close()
    except (OSError, ValueError, KeyError):
        return False
    return True


def _open_resource(reader: Any, path: str, loaded: datetime) -> tuple[IO[bytes], datetime, int]:
    """Open a file of a package; one without a date of its own has the one of its loading."""
    file: IO[bytes] = reader.open_resource(path)
    try:
        status = os.fstat(file.fileno())
    except (AttributeError, OSError):  # in a zip file, or in memory
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        return file, loaded, size
    return file, _moment(status.st_mtime), status.st_size
