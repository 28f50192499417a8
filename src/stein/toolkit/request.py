"""A request under WSGI: what is in the environ."""

# ruff: noqa: FBT001, FBT002 - booleans are positional in the interface

from __future__ import annotations

from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Final, Self, cast

from stein.http.urlencoded import parse_pairs
from stein.toolkit.datastructures.headers import EnvironHeaders
from stein.toolkit.datastructures.multidict import iter_multi_items
from stein.toolkit.exceptions import HTTPException
from stein.toolkit.properties import cached_property, environ_property
from stein.toolkit.requestbody import RequestBody
from stein.toolkit.sansio.request import query_text
from stein.toolkit.wsgi import wsgi_decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from stein.toolkit.datastructures.headers import Headers
    from stein.toolkit.datastructures.multidict import MultiDict
    from stein.typing import Environ, WSGIApplication

__all__ = ["Request"]


class Request(RequestBody):
    """A request, made from a WSGI environ (PEP 3333).

    To make one costs next to nothing: each attribute is worked out when it is first touched, and
    kept.  So what is done to the environ shows in all that nobody has looked at before.

    It is a context manager that closes the uploaded files.

    :param environ: of the request.
    :param populate_request: put the request into the environ as ``werkzeug.request``, for
        middlewares and debuggers.
    :param shallow: refuse to read the body, so that the application behind a middleware finds it
        untouched.
    """

    # The attributes of the base class that a subclass has made properties of: these are set when
    # the request is made, as the base class would do.
    _eager: tuple[str, ...] = ()

    def __init__(
        self, environ: Environ, populate_request: bool = True, shallow: bool = False
    ) -> None:
        # PERF: the base class is not asked to set its eight attributes (2 us); they are lazy here.
        self.environ = environ
        self.shallow = shallow
        if populate_request and not shallow:
            environ["werkzeug.request"] = self
        if self._eager:
            for name in self._eager:
                setattr(self, name, Request.__dict__[name].fget(self))

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Find the properties that want to be told their value."""
        super().__init_subclass__(**kwargs)
        cls._eager = tuple(
            [name for name in _FROM_ENVIRON if getattr(getattr(cls, name), "fset", None)]
        )

    # -- what the base class is given, from the environ ----------------------------------------

    @cached_property
    def method(self) -> str:
        """The method, in upper case."""
        method: str = self.environ.get("REQUEST_METHOD", "GET")
        return method.upper()

    @cached_property
    def scheme(self) -> str:
        """``http`` or ``https``; ``ws`` or ``wss`` for a WebSocket."""
        scheme: str = self.environ.get("wsgi.url_scheme", "http")
        return scheme

    @cached_property
    def server(self) -> tuple[str, int | None] | None:
        """Address and port where the server listens; path and ``None`` if it is a Unix socket."""
        name = self.environ.get("SERVER_NAME")
        if name is None:
            return None
        try:
            return name, int(self.environ["SERVER_PORT"])
        except (KeyError, TypeError, ValueError):
            return name, None

    @cached_property
    def root_path(self) -> str:
        """Where the application is mounted: SCRIPT_NAME, decoded, without a slash at the end."""
        return wsgi_decode(self.environ.get("SCRIPT_NAME") or "").rstrip("/")

    @cached_property
    def path(self) -> str:
        """PATH_INFO, decoded, with exactly one slash in front."""
        path: str = self.environ.get("PATH_INFO") or ""
        if not path.isascii():
            path = wsgi_decode(path)
        if path[:1] == "/" and path[1:2] != "/":
            return path
        return f"/{path.lstrip('/')}"

    @cached_property
    def query_string(self) -> bytes:
        """What is behind the ``?``, as it was sent."""
        query: str = self.environ.get("QUERY_STRING", "")
        return query.encode("latin-1", "replace")

    @cached_property
    def headers(self) -> Headers:
        """The fields, which show the environ as it is at the moment."""
        return EnvironHeaders(self.environ)

    def _field(self, name: str, variable: str) -> str | None:
        # PERF: the plain version makes an object for the fields first (bench: request,
        # form-urlencoded).  Once there is one, it may be somebody's own.
        if "headers" in self.__dict__:
            return self.headers.get(name)
        return self.environ.get(variable)

    @cached_property
    def remote_addr(self) -> str | None:
        """Where the client (or its last proxy) connects from."""
        return self.environ.get("REMOTE_ADDR")

    def _query_text(self) -> str:
        # PERF: ASCII is the same as bytes and as text; encoding and decoding it takes 0.3 us.
        if "query_string" not in self.__dict__:
            query: str = self.environ.get("QUERY_STRING", "")
            if query.isascii():
                return query
        return query_text(self.query_string)

    @cached_property
    def args(self) -> MultiDict[str, str]:
        """The arguments in the query string, decoded.

        Bytes that are no UTF-8 stay percent-encoded.
        """
        text = self._query_text()
        kind = self.parameter_storage_class
        return kind(parse_pairs(text)) if text else kind()

    # -- as a whole ----------------------------------------------------------------------------

    @classmethod
    def from_values(cls, *args: Any, **kwargs: Any) -> Self:
        """Make a request out of a path, a method, headers, data, ... for scripts and experiments.

        The parameters are those of :class:`~stein.toolkit.client.EnvironBuilder`.
        """
        # Late: the client is above us, as it makes requests.
        from stein.toolkit.client import EnvironBuilder  # noqa: PLC0415

        builder = EnvironBuilder(*args, **kwargs)
        try:
            return cast("Self", builder.get_request(cls))
        finally:
            builder.close()

    @classmethod
    def application(cls, f: Callable[..., WSGIApplication]) -> WSGIApplication:
        """Decorator: a function that takes a request and gives a response becomes an application.

        ::

            @Request.application
            def application(request):
                return Response("hello")

        An :exc:`HTTPException` that it raises is the answer.  The request is closed in the end.

        :param f: takes the request, after ``self`` if it is a method.
        """
        # PERF: entering and leaving a context takes 0.2 us, which is wasted unless overridden.
        plain = cls.__enter__ is Request.__enter__ and cls.__exit__ is Request.__exit__

        def call(environ: Environ, start_response: Any, before: tuple[Any, ...]) -> Iterable[bytes]:
            with cls(environ) as request:
                try:
                    response = f(*before, request)
                except HTTPException as error:
                    response = error.get_response(environ)
                return response(environ, start_response)

        def application(*args: Any) -> Iterable[bytes]:
            if not plain or len(args) != 2:
                return call(args[-2], args[-1], args[:-2])
            environ, start_response = args
            request = cls(environ)
            try:
                try:
                    response = f(request)
                except HTTPException as error:
                    response = error.get_response(environ)
                return response(environ, start_response)
            finally:
                request.close()

        return update_wrapper(application, f)

    def close(self) -> None:
        """Close the uploaded files, if any were read."""
        # PERF: to look whether "files" is in the __dict__ would give the object one, which takes
        # 0.2 us before Python 3.13.
        if self._form_read:
            for _, file in iter_multi_items(self.files):
                file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def is_disconnected(self) -> bool:
        """Whether the client has gone away, so that nobody will see the answer.

        A long piece of work may ask now and then.  Always false on servers that cannot tell.
        """
        ask = self.environ.get("stein.disconnected")
        return ask is not None and bool(ask())

    # -- what else is in the environ -----------------------------------------------------------

    @property
    def script_root(self) -> str:
        """Another name for :attr:`root_path`."""
        return self.root_path

    @cached_property
    def url_root(self) -> str:
        """Another name for :attr:`root_url`."""
        return self.root_url

    remote_user: environ_property[str] = environ_property(
        "REMOTE_USER", doc="Who the client is, if the server has found that out."
    )
    is_multithread: environ_property[bool] = environ_property(
        "wsgi.multithread", doc="Whether other threads may run the application at the same time."
    )
    is_multiprocess: environ_property[bool] = environ_property(
        "wsgi.multiprocess", doc="Whether other processes may run the application."
    )
    is_run_once: environ_property[bool] = environ_property(
        "wsgi.run_once", doc="Whether the process ends with this request, as under CGI."
    )


_FROM_ENVIRON: Final = (
    "method", "scheme", "server", "root_path", "path", "query_string", "headers", "remote_addr",
)  # fmt: skip
