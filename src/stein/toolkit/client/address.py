"""Where a request goes: the parts of its URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stein.http.numbers import parse_int
from stein.http.urls import encode_query, iri_to_uri, percent_decode, percent_encode, split_url
from stein.toolkit.datastructures.multidict import MultiDict
from stein.toolkit.wsgi import wsgi_encode

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RequestAddress", "environ_path", "uri_path"]

#: the characters of a path in a URL (RFC 3986 3.3), where nothing is encoded yet; those of the
#: ones which stay where something is
_PATH_DECODED: Final = "!$&'()*+,/:;=@"
_PATH: Final = "%" + _PATH_DECODED


class RequestAddress:
    """The URL of a request, in the parts that an environ has it in."""

    path: str  #: percent-encoded, without the query
    request_uri: str  #: as it was given, for ``REQUEST_URI``
    script_root: str  #: where the application is mounted, percent-encoded
    host: str  #: with the port, if one was given
    url_scheme: str  #: ``http`` or ``https``

    _args: MultiDict[str, str] | None = None
    _query_string: str | None = None

    def _set_url(self, path: str, query_string: Mapping[str, Any] | str | None) -> None:
        """Take the path and the query out of what may be a whole URL."""
        self.request_uri = path
        # PERF: most paths are only a path; taking them apart takes a microsecond.
        if path[:1] == "/" and path[1:2] != "/" and "?" not in path and "#" not in path:
            self.path = percent_encode(path, _PATH)
        else:
            parts = split_url(path)
            self.path = percent_encode(parts.path, _PATH)
            if "?" in path:
                if query_string is not None:
                    raise ValueError(
                        f"the path {path!r} has a query, and query_string is {query_string!r}; give"
                        " the query in one of the two places only"
                    )
                query_string = parts.query or ""
        if query_string is None:
            return
        if isinstance(query_string, str):
            self._query_string = query_string
        elif isinstance(query_string, MultiDict):
            self._args = query_string
        else:
            self._args = MultiDict(query_string)

    @staticmethod
    def _make_base_url(scheme: str, host: str, script_root: str) -> str:
        root = script_root.strip("/")
        return f"{scheme}://{host}/{root}/" if root else f"{scheme}://{host}/"

    @property
    def base_url(self) -> str:
        """Scheme, host, port and the path where the application is mounted, with a slash behind."""
        return self._make_base_url(self.url_scheme, self.host, self.script_root)

    @base_url.setter
    def base_url(self, value: str | None) -> None:
        if value is None:
            self.url_scheme, self.host, self.script_root = "http", "localhost", ""
            return
        scheme, authority, path, query, fragment = split_url(iri_to_uri(value))
        if query or fragment:
            raise ValueError(
                f"the base_url {value!r} has a query or a fragment; it ends with the path where the"
                " application is mounted, and the rest belongs into path or query_string"
            )
        if scheme and authority is None:
            raise ValueError(
                f"the base_url {value!r} names no host; write it as in 'http://localhost:5000/'"
            )
        self.script_root = path.rstrip("/")
        self.host = authority or "localhost"
        self.url_scheme = scheme or "http"

    def _split_host(self) -> tuple[str, str]:
        """The host without brackets, and the port as it is written."""
        host = self.host
        if host[:1] == "[":
            name, _, port = host[1:].partition("]")
            return name, port.removeprefix(":")
        name, _, port = host.partition(":")
        return name, port

    @property
    def server_name(self) -> str:
        """The host without the port; set :attr:`host` to change it."""
        return self._split_host()[0]

    @property
    def server_port(self) -> int:
        """The port, or the usual one of the scheme; set :attr:`host` to change it."""
        port = parse_int(self._split_host()[1])
        if port is not None:
            return port
        return 443 if self.url_scheme == "https" else 80

    @property
    def args(self) -> MultiDict[str, str]:
        """The names and values in the query."""
        args = self._args
        if args is None:
            if self._query_string is not None:
                raise AttributeError(
                    "the query was given as a text, so there are no args; change query_string, or"
                    " set it to None first"
                )
            args = self._args = MultiDict()
        return args

    @args.setter
    def args(self, value: MultiDict[str, str] | None) -> None:
        self._args = value
        self._query_string = None

    @property
    def query_string(self) -> str:
        """The query, encoded.  Once it is set, :attr:`args` is not there any more."""
        if self._query_string is not None:
            return self._query_string
        return encode_query(self._args.items(multi=True)) if self._args else ""

    @query_string.setter
    def query_string(self, value: str | None) -> None:
        self._args = None
        self._query_string = value


def environ_path(path: str) -> str:
    """The path of a URL as an environ has it: its bytes, each a character."""
    return percent_decode(wsgi_encode(path), charset="latin-1")


def uri_path(value: str) -> str:
    """The path of a URL that an environ's value stands for."""
    return percent_encode(value.encode("latin-1", "replace"), _PATH_DECODED)
