"""A client for tests: it calls a WSGI application, or asks a server that is running."""

# ruff: noqa: FBT001, FBT002 - booleans are positional in the interface
# ruff: noqa: SLF001 - of the responses, which are made here

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from stein.http.urls import iri_to_uri, percent_encode, split_url
from stein.toolkit.client.builder import EnvironBuilder
from stein.toolkit.client.cookies import Cookie
from stein.toolkit.client.live import LiveServer
from stein.toolkit.client.response import TestResponse, wrapper_for
from stein.toolkit.client.run import run_wsgi_app
from stein.toolkit.http import dump_cookie
from stein.toolkit.request import Request
from stein.toolkit.wsgi import get_host

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from stein.toolkit.datastructures.headers import Headers
    from stein.toolkit.response import Response
    from stein.typing import Environ, WSGIApplication

__all__ = ["Client", "ClientRedirectError"]

_REDIRECTS: Final = frozenset({301, 302, 303, 305, 307, 308})
_SAME_REQUEST: Final = frozenset({307, 308})  # RFC 9110 15.4.8, 15.4.9
#: browsers give up after about as many
_MOST_REDIRECTS: Final = 30


class ClientRedirectError(Exception):
    """Redirects lead nowhere: in a circle, too far, or to what is no URL."""


class Client:
    """Sends requests and keeps cookies, as a browser does.

    ::

        client = Client(app)                                # calls the application
        client = Client(base_url="http://127.0.0.1:5000")   # asks a server that is running

    Without a server there is nothing in between: errors of the application come out of the call.

    :param application: what to call.
    :param response_wrapper: the class of the responses; what is no :class:`TestResponse` becomes
        one as well.
    :param use_cookies: keep the cookies that responses set, and send them.
    :param allow_subdomain_redirects: follow redirects to hosts below the one that was asked.
    :param base_url: what requests start from if they do not say: scheme, host, port, the path where
        the application is mounted.  Without an application it is the address of the server.
    :param timeout: seconds that a server may be silent.
    :param ssl_context: for a server with ``https``; by default one that trusts what the system
        trusts.
    :raises TypeError: neither an application nor a URL was given.
    """

    #: a server that runs the application, and is asked in its place; set by subclasses
    _server: WSGIApplication | None = None

    def __init__(  # noqa: PLR0913 - the interface
        self,
        application: WSGIApplication | None = None,
        response_wrapper: type[Response] | None = None,
        use_cookies: bool = True,
        allow_subdomain_redirects: bool = False,
        *,
        base_url: str | None = None,
        timeout: float = 30.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if application is None:
            if base_url is None:
                raise TypeError(
                    "a client needs an application to call, Client(app), or the address of a server"
                    " that is running, Client(base_url='http://127.0.0.1:5000')"
                )
            application = LiveServer(base_url, timeout, ssl_context)
        self.application: WSGIApplication = application
        self.base_url = base_url
        self.response_wrapper = (
            TestResponse if response_wrapper is None else wrapper_for(response_wrapper)  # type: ignore[arg-type]  # a class can be hashed
        )
        self._cookies: dict[tuple[str, str, str], Cookie] | None = {} if use_cookies else None
        self.allow_subdomain_redirects = allow_subdomain_redirects

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.application!r}>"

    # -- cookies -------------------------------------------------------------------------------

    def _jar(self) -> dict[tuple[str, str, str], Cookie]:
        if self._cookies is None:
            raise TypeError("this client keeps no cookies; make it with Client(use_cookies=True)")
        return self._cookies

    def _own_domain(self, domain: str | None) -> str:
        if domain is not None:
            return domain
        if self.base_url is None:
            return "localhost"
        return EnvironBuilder(base_url=self.base_url).server_name

    def get_cookie(self, key: str, domain: str | None = None, path: str = "/") -> Cookie | None:
        """Give a cookie, if there is one of this name, domain and path.

        :param key: the name, decoded.
        :param domain: by default the client's own host, which is ``localhost`` unless it has a
            ``base_url``.
        :param path: that it was set for.
        :raises TypeError: the client keeps no cookies.
        """
        return self._jar().get((self._own_domain(domain), path, key))

    def set_cookie(
        self,
        key: str,
        value: str = "",
        *,
        domain: str | None = None,
        origin_only: bool = True,
        path: str = "/",
        **kwargs: Any,
    ) -> None:
        """Keep a cookie, as if a response had set it.

        :param key: the name.
        :param value: any text.
        :param domain: the host that it is sent to; as in :meth:`get_cookie`.
        :param origin_only: send it to no host below that one.
        :param path: send it for this path and what is below.
        :param kwargs: what :func:`dump_cookie` takes; the client heeds only what says that the
            cookie is over.
        :raises TypeError: the client keeps no cookies.
        :raises ValueError: it cannot be a cookie.
        """
        jar, domain = self._jar(), self._own_domain(domain)
        cookie = Cookie.from_header(domain, "/", dump_cookie(key, value, path=path, **kwargs))
        assert cookie is not None  # noqa: S101 - dump_cookie() has refused what is none
        cookie.domain = domain.removeprefix(".").lower()
        cookie.origin_only = origin_only
        _keep(jar, cookie)

    def delete_cookie(self, key: str, *, domain: str | None = None, path: str = "/") -> None:
        """Forget a cookie, if there is one; the parameters are those of :meth:`get_cookie`."""
        self._jar().pop((self._own_domain(domain), path, key), None)

    def _add_cookies_to_wsgi(self, environ: Environ) -> None:
        """Put the cookies into an environ that are sent with it.  Frameworks call this."""
        jar = self._cookies
        if jar is None:
            return
        # A field that is there comes from the request before a redirect.
        environ.pop("HTTP_COOKIE", None)
        if not jar:
            return
        host, path = _host_and_path(environ)
        cookies = [cookie for cookie in jar.values() if cookie.matches(host, path)]
        if cookies:
            # RFC 6265 5.4: the longest path first, otherwise in the order they were made.
            cookies.sort(key=lambda cookie: -len(cookie.path))
            environ["HTTP_COOKIE"] = "; ".join([f"{each.key}={each.value}" for each in cookies])

    def _update_cookies_from_response(
        self, server_name: str, path: str, headers: list[str]
    ) -> None:
        """Keep the cookies that a response sets.  Frameworks call this.

        :param headers: its Set-Cookie fields.
        """
        if self._cookies is not None:
            for header in headers:
                cookie = Cookie.from_header(server_name, path, header)
                if cookie is not None:
                    _keep(self._cookies, cookie)

    # -- requests ------------------------------------------------------------------------------

    def run_wsgi_app(
        self, environ: Environ, buffered: bool = False
    ) -> tuple[Iterable[bytes], str, Headers]:
        """Hook: call the application, with the cookies, and keep those that it sets."""
        self._add_cookies_to_wsgi(environ)
        called = self.application if self._server is None else self._server
        body, status, headers = run_wsgi_app(called, environ, buffered=buffered)
        if self._cookies is not None and "Set-Cookie" in headers:
            host, path = _host_and_path(environ)
            self._update_cookies_from_response(host, path, headers.getlist("Set-Cookie"))
        return body, status, headers

    def _make_request(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
        """Make a request of what :meth:`open` was given."""
        if len(args) == 1 and not kwargs:
            given = args[0]
            if isinstance(given, EnvironBuilder):
                return given.get_request()
            if isinstance(given, dict):
                return EnvironBuilder.from_environ(given).get_request()
            if isinstance(given, Request):
                return given
        if self.base_url is not None and len(args) < 2 and kwargs.get("base_url") is None:
            kwargs["base_url"] = self.base_url
        builder = EnvironBuilder(*args, **kwargs)
        try:
            return builder.get_request()
        finally:
            builder.close()

    def open(
        self,
        *args: Any,
        buffered: bool = False,
        follow_redirects: bool = False,
        **kwargs: Any,
    ) -> TestResponse:
        """Send a request.

        :param args: what :class:`EnvironBuilder` takes, the path first; or one builder, environ or
            request.
        :param buffered: read the whole body at once, and close it.
        :param follow_redirects: go on to where redirects lead; the responses on the way are in the
            ``history`` of the last one.
        :param kwargs: what :class:`EnvironBuilder` takes.
        :raises ClientRedirectError: the redirects lead nowhere.
        :raises RuntimeError: they lead to another host.
        :raises NoAnswerError: the server does not answer.
        """
        request = self._make_request(args, kwargs)
        environ = request.environ
        stream = environ["wsgi.input"]
        start = _position(stream)
        body, status, headers = self.run_wsgi_app(environ, buffered=buffered)
        response = self.response_wrapper(body, status, headers, request=request)
        response._body_start = start
        if stream.__class__ is not BytesIO:  # may be a file, if the form was large
            response._body_stream = stream
        if follow_redirects:
            return self._follow(response, buffered)
        return response

    def _follow(self, response: TestResponse, buffered: bool) -> TestResponse:
        """Follow redirects, as long as there are any."""
        history: list[TestResponse] = []
        seen: set[tuple[str, int]] = set()
        while response.status_code in _REDIRECTS and response.location is not None:
            step = (response.location, response.status_code)
            problem = None
            if step in seen:
                problem = f"{step[0]!r} was there before (status {step[1]}): it is a loop"
            elif len(history) == _MOST_REDIRECTS:
                problem = f"gave up after {_MOST_REDIRECTS}; the next one leads to {step[0]!r}"
            if problem is not None:
                response.close()
                way = " -> ".join([each.request.path for each in [*history[-4:], response]])
                raise ClientRedirectError(f"too many redirects: {problem}; the way was {way}")
            seen.add(step)
            # What the application does at the end of its body is to be done before the next call.
            response.make_sequence()
            if response.status_code in _SAME_REQUEST:
                response._body_stream = None  # it goes on to the next one
            response.close()
            response.history = tuple(history)
            history.append(response)
            response = self.resolve_redirect(response, buffered=buffered)
        response.history = tuple(history)
        return response

    def resolve_redirect(self, response: TestResponse, buffered: bool = False) -> TestResponse:
        """Hook: send the request that a redirect asks for.

        :param response: the redirect, read to its end.
        :raises RuntimeError: it leads to another host.
        """
        request = response.request
        builder = EnvironBuilder.from_environ(request.environ)
        self._redirect_url(builder, response)
        if response.status_code in _SAME_REQUEST:
            _rewind(response)
        else:
            if builder.method != "HEAD":
                builder.method = "GET"
            builder.input_stream = None
            builder.content_type = None
            builder.content_length = None
            builder.headers.remove("Transfer-Encoding")
        return self.open(builder, buffered=buffered)

    def _redirect_url(self, builder: EnvironBuilder, response: TestResponse) -> None:
        """Turn a builder to where a redirect leads.

        :raises RuntimeError: that is another host.
        """
        # Late: urllib takes a while to import, and most tests follow no redirect.
        from urllib.parse import urljoin  # noqa: PLC0415 - see above

        location = response.location or ""
        try:
            url = urljoin(f"{builder.base_url}{builder.path.lstrip('/')}", _uri(location))
        except ValueError as error:
            raise ClientRedirectError(
                f"the redirect from {response.request.path!r} leads to {location!r}, which is no"
                f" URL: {error}"
            ) from error
        scheme, authority, path, query, _ = split_url(url)
        before = builder.server_name.lower()
        after = EnvironBuilder(base_url=f"http://{authority or ''}/").server_name.lower()
        if scheme not in {"http", "https"} or not (after == before or after.endswith(f".{before}")):
            raise RuntimeError(
                f"Following external redirects is not supported: {location!r} leads away from"
                f" {before!r}"
            )
        if after != before and not self.allow_subdomain_redirects:
            raise RuntimeError(
                f"Following subdomain redirects is not enabled: {location!r} leads to {after!r};"
                " make the client with allow_subdomain_redirects=True to follow it"
            )
        builder.url_scheme = scheme
        builder.host = authority or ""
        root = builder.script_root
        if root and not (path == root or path.startswith(f"{root}/")):
            # It leads out of the application; servers that have nothing else would call it, too.
            builder.script_root = root = ""
        builder.path = path[len(root) :]
        builder.query_string = query or ""
        builder.request_uri = builder.path if query is None else f"{builder.path}?{query}"

    def get(self, *args: Any, **kw: Any) -> TestResponse:
        """Do what :meth:`open` does, with the method GET."""
        kw["method"] = "GET"
        return self.open(*args, **kw)

    def post(self, *args: Any, **kw: Any) -> TestResponse:
        """Do what :meth:`open` does, with the method POST."""
        kw["method"] = "POST"
        return self.open(*args, **kw)

    def put(self, *args: Any, **kw: Any) -> TestResponse:
        """Do what :meth:`open` does, with the method PUT."""
        kw["method"] = "PUT"
        return self.open(*args, **kw)

    def delete(self, *args: Any, **kw: Any) -> TestResponse:
        """Do what :meth:`open` does, with the method DELETE."""
        kw["method"] = "DELETE"
        return self.open(*args, **kw)

    def patch(self, *args: Any, **kw: Any) -> TestResponse:
        """Do what :meth:`open` does, with the method PATCH."""
        kw["method"] = "PATCH"
        return self.open(*args, **kw)

    def options(self, *args: Any, **kw: Any) -> TestResponse:
        """Do what :meth:`open` does, with the method OPTIONS."""
        kw["method"] = "OPTIONS"
        return self.open(*args, **kw)

    def head(self, *args: Any, **kw: Any) -> TestResponse:
        """Do what :meth:`open` does, with the method HEAD."""
        kw["method"] = "HEAD"
        return self.open(*args, **kw)

    def trace(self, *args: Any, **kw: Any) -> TestResponse:
        """Do what :meth:`open` does, with the method TRACE."""
        kw["method"] = "TRACE"
        return self.open(*args, **kw)


def _keep(jar: dict[tuple[str, str, str], Cookie], cookie: Cookie) -> None:
    if cookie.is_over:
        jar.pop(cookie.storage_key, None)
    else:
        jar[cookie.storage_key] = cookie


def _host_and_path(environ: Environ) -> tuple[str, str]:
    """What cookies go by: the host without its port, the path as it stands in the URL."""
    host = get_host(environ).lower()
    host = host[1:].partition("]")[0] if host[:1] == "[" else host.partition(":")[0]
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return host or "localhost", percent_encode(path.encode("latin-1", "replace"), _COOKIE_PATH)


#: as dump_cookie() leaves a path
_COOKIE_PATH: Final = "!$&'()*+,/:=@"


def _uri(location: str) -> str:
    """A Location as it must be followed: what it holds beyond ASCII are bytes (PEP 3333)."""
    if location.isascii():
        return iri_to_uri(location)
    try:
        return percent_encode(location.encode("latin-1"), "%!$&'()*+,/:;=@?#[]")
    except UnicodeEncodeError:  # an application that has not encoded it
        return iri_to_uri(location)


def _position(stream: Any) -> int:
    """Where a stream stands; 0 if it cannot tell."""
    try:
        return int(stream.tell())
    except (AttributeError, OSError, ValueError):
        return 0


def _rewind(response: TestResponse) -> None:
    """Put the body of a request back to where it began, so that it can be sent again."""
    stream = response.request.environ["wsgi.input"]
    try:
        stream.seek(response._body_start)
    except (AttributeError, OSError, ValueError) as error:
        raise ClientRedirectError(
            f"the redirect to {response.location!r} (status {response.status_code}) wants the body"
            f" once more, and {stream!r} cannot be rewound ({error}); give the body as bytes"
        ) from error
