"""Files as answers: whole, in part, or not modified; with media type, name, tag and date."""

from __future__ import annotations

import io
import os
from time import time
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, cast
from zlib import adler32

from stein.http.urls import percent_encode
from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.exceptions import NotFound, RequestedRangeNotSatisfiable
from stein.toolkit.response import Response
from stein.toolkit.security import safe_join
from stein.toolkit.wsgi import wrap_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from stein.typing import Environ

__all__ = ["send_file", "send_from_directory"]

# RFC 8187 3.2.1: attr-char, besides letters, digits and ``-._~``
_ATTR_SAFE: Final = "!#$&+^`|"


def send_file(  # noqa: C901, PLR0913, PLR0917 - werkzeug's signature; eleven plain branches
    path_or_file: os.PathLike[str] | str | IO[bytes],
    environ: Environ,
    mimetype: str | None = None,
    as_attachment: bool = False,  # noqa: FBT001, FBT002
    download_name: str | None = None,
    conditional: bool = True,  # noqa: FBT001, FBT002
    etag: bool | str = True,  # noqa: FBT001, FBT002
    last_modified: datetime | float | None = None,
    max_age: int | Callable[[str | None], int | None] | None = None,
    use_x_sendfile: bool = False,  # noqa: FBT001, FBT002
    response_class: type[Response] | None = None,
    _root_path: os.PathLike[str] | str | None = None,
) -> Response:
    """Make an answer out of a file.

    The server sends it in its own way if it has one (``wsgi.file_wrapper``).

    :param path_or_file: a path, never one that a client has a say in (for that there is
        :func:`send_from_directory`); or a file that is open for reading bytes, at its beginning.
    :param environ: of the request.
    :param mimetype: the media type; otherwise it is guessed from the name.
    :param as_attachment: let the browser offer to save it, instead of showing it.
    :param download_name: under which name it is saved; that of the path by default.
    :param conditional: answer 304, 206 or 416 if the request wants that.
    :param etag: set a tag, made of the path, the size and the date of the file; or this tag.
    :param last_modified: when it changed last, a moment or seconds since 1970; for a path this is
        known.
    :param max_age: for how many seconds a cache may use it unasked; or a function that tells by
        the path.  Without it caches shall always ask.
    :param use_x_sendfile: let the server in front send the file, which reads of it in X-Sendfile.
    :param response_class: of the answer.
    :param _root_path: what a relative path is relative to, instead of the working directory.
    :raises RequestedRangeNotSatisfiable: the part that is asked for does not exist (416).
    :raises OSError: the path leads nowhere.
    :raises TypeError: the media type cannot be guessed, or an attachment has no name.
    :raises ValueError: the file is open for text.
    """
    source = _source(path_or_file, _root_path)
    path, file = source.path, source.file
    if download_name is None and path is not None:
        download_name = os.path.basename(path)  # noqa: PTH119 - paths are texts here
    headers = Headers()
    mimetype = _describe(headers, mimetype, download_name, as_attachment=as_attachment)
    body: Any = None
    if path is not None and use_x_sendfile:
        headers["X-Sendfile"] = path
    else:
        if path is not None:
            file = open(path, "rb")  # noqa: PTH123, SIM115 - the response closes it
        body = wrap_file(environ, cast("IO[bytes]", file))
    make = Response if response_class is None else response_class
    response = make(body, mimetype=mimetype, headers=headers, direct_passthrough=True)
    if source.size is not None:
        response.content_length = source.size
    changed = source.changed if last_modified is None else last_modified
    if changed is not None:
        response.last_modified = changed
    _cache(response, max_age(path) if callable(max_age) else max_age)
    tag = etag if isinstance(etag, str) else (source.tag if etag else None)
    if tag is not None:
        response.set_etag(tag)
    if conditional:
        try:
            response.make_conditional(environ, accept_ranges=True, complete_length=source.size)
        except RequestedRangeNotSatisfiable:
            if file is not None:
                file.close()
            raise
        if response.status_code == 304:
            # Some servers in front send the file all the same.
            response.headers.remove("X-Sendfile")
    if "X-Sendfile" in response.headers:
        # The body is empty on the way to the server in front, which sets the length of its own.
        response.headers.remove("Content-Length")
    return response


class _Source(NamedTuple):
    """What is to be sent, and what is known about it."""

    path: str | None
    file: IO[bytes] | None
    size: int | None
    changed: float | None
    tag: str | None


def _source(file: Any, root: os.PathLike[str] | str | None) -> _Source:
    if isinstance(file, str) or hasattr(file, "__fspath__"):
        path = os.fspath(file)
        # Texts, and not Path, since links stay as they are.
        path = os.path.abspath(path) if root is None else os.path.join(root, path)  # noqa: PTH100, PTH118
        status = os.stat(path)  # noqa: PTH116
        # The path is in it, so that two files of one size and date have different tags.
        tag = f"{status.st_mtime}-{status.st_size}-{adler32(os.fsencode(path))}"
        return _Source(path, None, status.st_size, status.st_mtime, tag)
    if isinstance(file, io.TextIOBase):
        raise ValueError(  # noqa: TRY004 - werkzeug's
            "send_file() takes files in binary mode: open it with 'rb', or wrap the encoded text "
            "in a BytesIO"
        )
    size = file.getbuffer().nbytes if isinstance(file, io.BytesIO) else None
    return _Source(None, file, size, None, None)


def _describe(
    headers: Headers, mimetype: str | None, name: str | None, *, as_attachment: bool
) -> str:
    """Set the fields that follow from the name, and give the media type."""
    if mimetype is None:
        if name is None:
            raise TypeError(
                "cannot detect the MIME type of a file without a name; give send_file() a "
                "mimetype, a download_name, or a path instead of the file"
            )
        # Late: it reads the tables of the system when it is first used.
        import mimetypes  # noqa: PLC0415

        guessed, encoding = mimetypes.guess_type(name)
        mimetype = guessed or "application/octet-stream"
        # Browsers unpack what is encoded; one who saves a.tar.gz does not want a.tar in it.
        if encoding is not None and not as_attachment:
            headers["Content-Encoding"] = encoding
    if name is not None:
        disposition = "attachment" if as_attachment else "inline"
        headers.set("Content-Disposition", disposition, **_names(name))
    elif as_attachment:
        raise TypeError(
            "an attachment needs a name; give send_file() a download_name, or a path instead of "
            "the file"
        )
    return mimetype


def _names(name: str) -> dict[str, str]:
    """The parameters of Content-Disposition that tell a name (RFC 6266 4.3)."""
    if name.isascii():
        return {"filename": name}
    # Late: a table of all characters, for the few names that need it.
    import unicodedata  # noqa: PLC0415

    similar = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return {"filename": similar, "filename*": f"UTF-8''{percent_encode(name, _ATTR_SAFE)}"}


def _cache(response: Response, max_age: int | None) -> None:
    """Tell caches how long they may use it unasked."""
    control = response.cache_control
    if max_age is None or max_age <= 0:
        control.no_cache = True
    else:
        control.public = True
    if max_age is not None:
        control.max_age = max_age
        response.expires = int(time() + max_age)


def send_from_directory(
    directory: os.PathLike[str] | str, path: os.PathLike[str] | str, environ: Environ, **kwargs: Any
) -> Response:
    """Make an answer out of a file below a directory, whose path a client may choose.

    :param directory: what the client must not get out of; nothing that a client has a say in.
    :param path: relative to it, as the client asks for it.
    :param environ: of the request.
    :param kwargs: for :func:`send_file`.
    :raises NotFound: there is no such file, or the path leads out of the directory.
    """
    found = safe_join(os.fspath(directory), os.fspath(path))
    if found is None:
        raise NotFound
    if "_root_path" in kwargs:
        found = os.path.join(kwargs["_root_path"], found)  # noqa: PTH118 - a text, for send_file
    if not os.path.isfile(found):  # noqa: PTH113 - a text; false also for a NUL
        raise NotFound
    return send_file(found, environ, **kwargs)
