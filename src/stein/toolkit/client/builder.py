"""Making a WSGI environ out of what a request shall say."""

# ruff: noqa: FBT001, FBT002 - booleans are positional in the interface

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Any, ClassVar, Final, Self, TypeAlias

from stein.toolkit.client.address import RequestAddress, environ_path, uri_path
from stein.toolkit.client.body import RequestBody
from stein.toolkit.datastructures.auth import Authorization
from stein.toolkit.datastructures.headers import EnvironHeaders, Headers
from stein.toolkit.request import Request
from stein.toolkit.wsgi import wsgi_decode, wsgi_encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stein.typing import Environ

__all__ = ["EnvironBuilder", "create_environ"]

HeaderSource: TypeAlias = "Headers | Mapping[str, Any] | Iterable[tuple[str, Any]]"

# parameters that an environ has under another name
_FROM_ENVIRON: Final = {
    "errors_stream": "wsgi.errors",
    "input_stream": "wsgi.input",
    "method": "REQUEST_METHOD",
    "multiprocess": "wsgi.multiprocess",
    "multithread": "wsgi.multithread",
    "run_once": "wsgi.run_once",
}


class EnvironBuilder(RequestAddress, RequestBody):
    """Says what is in a request, and makes the environ of it; ``data`` knows all kinds of bodies.

    A mapping as ``data`` is a form: its values are text (or become that), files, tuples as
    :meth:`FileMultiDict.add_file` takes them after the name (a path or a file, its name, its
    type), or lists of these.  With a file in it the form is sent as multipart.  Text, bytes, or
    what a file holds is the body as it is.

    :param path: of the URL; what is behind a ``?`` is the query.  Of a whole URL only these two
        count.
    :param base_url: scheme, host and the path where the application is mounted; by default
        ``http://localhost/``.
    :param query_string: the query, encoded, or its names and values.
    :param method: as it is sent.
    :param input_stream: the body, up to its end; instead of ``data``.
    :param content_type: of the body, if it is no form; forms tell by themselves.
    :param content_length: bytes of the body, where that cannot be found out.
    :param errors_stream: where the application writes errors to; ``sys.stderr`` by default.
    :param multithread: whether other threads run the application at the same time.
    :param multiprocess: whether other processes do.
    :param run_once: whether the process ends with the request.
    :param headers: the fields; they are copied.
    :param data: the body, see above.
    :param environ_base: what is in the environ unless the request says otherwise.
    :param environ_overrides: what is in the environ whatever the request says.
    :param mimetype: ``content_type`` without a charset, which is added for text.
    :param json: the body, as a value that :meth:`json_dumps` can write.
    :param auth: for the Authorization field; a pair of name and password is Basic.
    :raises ValueError: the query was given twice, or the base URL is none.
    :raises TypeError: the body was given twice, or is of no known kind.
    """

    #: what the request line says
    server_protocol = "HTTP/1.1"

    #: what ``wsgi.version`` says
    wsgi_version: tuple[int, int] = (1, 0)

    #: what :meth:`get_request` makes
    request_class: ClassVar[type[Request]] = Request

    def __init__(  # noqa: PLR0913, PLR0917 - the interface
        self,
        path: str = "/",
        base_url: str | None = None,
        query_string: Mapping[str, Any] | str | None = None,
        method: str = "GET",
        input_stream: IO[bytes] | None = None,
        content_type: str | None = None,
        content_length: int | None = None,
        errors_stream: IO[str] | None = None,
        multithread: bool = False,
        multiprocess: bool = False,
        run_once: bool = False,
        headers: HeaderSource | None = None,
        data: IO[bytes] | IO[str] | str | bytes | Mapping[str, Any] | None = None,
        environ_base: Mapping[str, Any] | None = None,
        environ_overrides: Mapping[str, Any] | None = None,
        mimetype: str | None = None,
        json: Any = None,
        auth: Authorization | tuple[str, str] | None = None,
    ) -> None:
        self._set_url(path, query_string)
        self.base_url = base_url  # None stands for the default
        self.method = method
        self.headers = headers.copy() if isinstance(headers, Headers) else Headers(headers)
        self.errors_stream = sys.stderr if errors_stream is None else errors_stream
        self.environ_base = environ_base
        self.environ_overrides = environ_overrides
        self.multithread, self.multiprocess, self.run_once = multithread, multiprocess, run_once
        self.closed = False
        if content_type is not None:
            self.content_type = content_type
        # A length among the headers would be one that nobody has counted.
        self.content_length = content_length
        if input_stream is not None:
            self.input_stream = input_stream
        if auth is not None:
            self._set_auth(auth)
        if json is not None:
            if data is not None:
                raise TypeError("both json and data were given, and there is only one body")
            data = self.json_dumps(json)
            if self.content_type is None:
                self.content_type = "application/json"
        if data:
            if input_stream is not None:
                raise TypeError("both input_stream and data were given, and there is only one body")
            self._set_data(data)
        if mimetype is not None:
            self.mimetype = mimetype

    def _set_auth(self, auth: Authorization | tuple[str, str]) -> None:
        if isinstance(auth, tuple):
            auth = Authorization("basic", {"username": auth[0], "password": auth[1]})
        self.headers.set("Authorization", auth.to_header())

    @staticmethod
    def json_dumps(obj: Any, /, **kwargs: Any) -> str:
        """Hook: write the value that was given as ``json``."""
        # Late: json takes a while to import, and most requests have none.
        from json import dumps  # noqa: PLC0415 - see above

        return dumps(obj, **kwargs)

    @classmethod
    def from_environ(cls, environ: Environ, **kwargs: Any) -> Self:
        """Make the builder that could have made an environ.

        :param environ: must hold at least what PEP 3333 demands.
        :param kwargs: parameters of the class, instead of what the environ says.
        """
        headers = Headers(EnvironHeaders(environ))
        host = headers.pop("Host", None)
        if host is None:
            host = f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        scheme = environ["wsgi.url_scheme"]
        root = uri_path(environ.get("SCRIPT_NAME", ""))
        values = {
            **{parameter: environ[key] for parameter, key in _FROM_ENVIRON.items()},
            "base_url": cls._make_base_url(scheme, host, root),
            "query_string": wsgi_decode(environ.get("QUERY_STRING", "")),
            "content_type": headers.pop("Content-Type", None),
            "content_length": headers.pop("Content-Length", None),
            "headers": headers,
            **kwargs,
        }
        builder = cls(**values)
        if "path" not in kwargs:
            # Set here, as a path may hold, once decoded, what would be taken for a query or a host.
            builder.path = builder.request_uri = uri_path(environ.get("PATH_INFO", ""))
            if not kwargs.keys() & {"base_url", "query_string"} and "REQUEST_URI" in environ:
                builder.request_uri = wsgi_decode(environ["REQUEST_URI"])
        return builder

    def get_environ(self) -> Environ:
        """Make the environ."""
        stream, length, content_type = self._make_body()
        uri = wsgi_encode(self.request_uri)
        server_name, _ = self._split_host()
        environ: Environ = {
            **(self.environ_base or {}),
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": environ_path(self.script_root),
            "PATH_INFO": environ_path(self.path),
            "QUERY_STRING": wsgi_encode(self.query_string),
            "REQUEST_URI": uri,  # not in the PEP; nearly all servers have one of the two
            "RAW_URI": uri,
            "HTTP_HOST": self.host,
            "SERVER_NAME": server_name,
            "SERVER_PORT": str(self.server_port),
            "SERVER_PROTOCOL": self.server_protocol,
            "wsgi.version": self.wsgi_version,
            "wsgi.url_scheme": self.url_scheme,
            "wsgi.multithread": self.multithread,
            "wsgi.multiprocess": self.multiprocess,
            "wsgi.run_once": self.run_once,
            "wsgi.input": stream,
            "wsgi.errors": self.errors_stream,
        }
        if content_type is not None:
            environ["CONTENT_TYPE"] = content_type
        if length is not None:
            environ["CONTENT_LENGTH"] = str(length)
        elif self._input_stream is not None:
            environ["wsgi.input_terminated"] = True  # its end is the end of the body
        self._add_fields(environ)
        if self.environ_overrides:
            environ.update(self.environ_overrides)
        return environ

    def _add_fields(self, environ: Environ) -> None:
        """Put the header fields into the environ, those of one name joined."""
        fields: dict[str, str] = {}
        for name, value in self.headers.to_wsgi_list():
            key = f"HTTP_{name.upper().replace('-', '_')}"
            fields[key] = f"{fields[key]}, {value}" if key in fields else value
        fields.pop("HTTP_CONTENT_TYPE", None)
        fields.pop("HTTP_CONTENT_LENGTH", None)
        environ.update(fields)

    def get_request(self, cls: type[Request] | None = None) -> Request:
        """Make a request.

        :param cls: its class; :attr:`request_class` by default.
        """
        return (cls or self.request_class)(self.get_environ())


def create_environ(*args: Any, **kwargs: Any) -> Environ:
    """Make an environ; the parameters are those of :class:`EnvironBuilder`."""
    builder = EnvironBuilder(*args, **kwargs)
    try:
        return builder.get_environ()
    finally:
        builder.close()
