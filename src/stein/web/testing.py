"""Clients for tests, which know the application: its address, its sessions, its commands."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from copy import copy
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from click.testing import CliRunner

from stein.http.urls import split_url
from stein.toolkit.client.builder import EnvironBuilder as BaseEnvironBuilder
from stein.toolkit.client.client import Client, _host_and_path
from stein.toolkit.client.live import LiveServer
from stein.toolkit.request import Request as BaseRequest
from stein.web.cli.script import ScriptInfo

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from click import Command
    from click.testing import Result

    from stein.toolkit.client.response import TestResponse
    from stein.toolkit.datastructures.headers import Headers
    from stein.typing import Environ
    from stein.web.app import Stein
    from stein.web.running import LiveApp
    from stein.web.sessions import SessionMixin

__all__ = ["EnvironBuilder", "FlaskCliRunner", "FlaskClient"]


class EnvironBuilder(BaseEnvironBuilder):
    """Makes environs of requests to an application, at the address that its configuration says.

    Without ``base_url`` that is made of the keys ``PREFERRED_URL_SCHEME``, ``SERVER_NAME`` (or
    ``localhost``) and ``APPLICATION_ROOT``.

    :param app: the application.
    :param path: of the URL, relative to that address; or a whole URL, whose scheme and host count.
    :param base_url: scheme, host and the path where the application is mounted.
    :param subdomain: is put in front of the host.
    :param url_scheme: instead of the configured one.
    :param args: what :class:`stein.toolkit.client.EnvironBuilder` takes behind its ``base_url``.
    :param kwargs: the same by name; ``json`` is written by the application's ``json``.
    :raises TypeError: ``base_url`` was given besides one of the parts that it is made of.
    """

    def __init__(
        self,
        app: Stein,
        path: str = "/",
        base_url: str | None = None,
        subdomain: str | None = None,
        url_scheme: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if base_url is None:
            config = app.config
            host = config.get("SERVER_NAME") or "localhost"
            if subdomain:
                host = f"{subdomain}.{host}"
            scheme = url_scheme or config["PREFERRED_URL_SCHEME"]
            # PERF: most paths are only a path.
            if path[:1] != "/" or path[1:2] == "/":
                parts = split_url(path)
                scheme, host = parts.scheme or scheme, parts.authority or host
                path = parts.path if parts.query is None else f"{parts.path}?{parts.query}"
            base_url = f"{scheme}://{host}/{config['APPLICATION_ROOT'].lstrip('/')}"
        elif subdomain or url_scheme:
            given = f"{subdomain=}" if subdomain else f"{url_scheme=}"
            raise TypeError(
                f"{given} was given together with {base_url=}, which has a host and a scheme"
                " already; give one or the other"
            )
        self.app = app
        super().__init__(path, base_url, *args, **kwargs)

    def json_dumps(self, obj: Any, /, **kwargs: Any) -> str:  # type: ignore[override]  # a static method there
        """Write the value that was given as ``json`` as the application would."""
        return self.app.json.dumps(obj, **kwargs)


class FlaskClient(Client):
    """Sends requests to an application, as a browser with cookies would; see :class:`Client`.

    Made by :meth:`~stein.web.app.Stein.test_client`.  Used with ``with``, it leaves the context of
    the last request in place, so that ``request``, ``session`` and ``g`` can be looked at::

        with app.test_client() as client:
            client.post("/login", data={"name": "anna"})
            assert session["user"] == "anna"

    With a server it sends the same requests over a socket::

        with app.serve() as server:
            server.client().get("/")

    :param args: the application, and what else :class:`Client` takes.
    :param server: what :meth:`~stein.web.app.Stein.serve` gave, or a URL: requests go there
        instead of calling the application, and contexts stay in the server.
    :param timeout: seconds that the server may be silent.
    :param ssl_context: for a server with ``https``.
    :param kwargs: what else :class:`Client` takes.
    """

    application: Stein

    #: what is in each environ unless the request says otherwise
    environ_base: dict[str, Any]

    def __init__(
        self,
        *args: Any,
        server: LiveApp | str | None = None,
        timeout: float = 30.0,
        ssl_context: ssl.SSLContext | None = None,
        **kwargs: Any,
    ) -> None:
        if server is not None:
            url = server if isinstance(server, str) else server.url
            kwargs.setdefault("base_url", url)
            self._server = LiveServer(url, timeout, ssl_context)
        super().__init__(*args, **kwargs)
        self.preserve_context = False
        # of the request that is under way; of the last request
        self._new_contexts: list[AbstractContextManager[Any]] = []
        self._context_stack = ExitStack()
        self.environ_base = {"REMOTE_ADDR": "127.0.0.1", "HTTP_USER_AGENT": _user_agent()}

    @contextmanager
    def session_transaction(self, *args: Any, **kwargs: Any) -> Iterator[SessionMixin]:
        """Open the session that the client's next request will have, to look at it or change it.

        ::

            with client.session_transaction() as session:
                session["user_id"] = 3

        It is saved at the end of the block, and not if that ends with an error.

        :param args: what :meth:`~stein.web.app.Stein.test_request_context` takes, where the session
            depends on the request: ``base_url`` or ``subdomain`` for cookies of another host.
        :raises TypeError: the client keeps no cookies.
        :raises RuntimeError: the application has no sessions, mostly for lack of a secret key.
        """
        if self._cookies is None:
            raise TypeError(
                "Cookies are disabled. Create a client with 'use_cookies=True'; a session is a"
                " cookie, or is found by one."
            )
        app = self.application
        if self.base_url is not None and len(args) < 2 and not kwargs.keys() & _ADDRESS:
            kwargs["base_url"] = self.base_url
        context = app.test_request_context(*args, **kwargs)
        request = context.request
        self._add_cookies_to_wsgi(request.environ)
        interface = app.session_interface
        with context:
            session = interface.open_session(app, request)
        if session is None:
            raise RuntimeError(
                f"Session backend did not open a session ({type(interface).__name__}); is the"
                " configuration's SECRET_KEY set?"
            )
        # Not inside of the context, so that the block sees what is current around it.
        yield session
        if interface.is_null_session(session):
            return
        response = app.response_class()
        with context:
            interface.save_session(app, session, response)
        host, path = _host_and_path(request.environ)
        self._update_cookies_from_response(host, path, response.headers.getlist("Set-Cookie"))

    def _copy_environ(self, other: Environ) -> Environ:
        return {**self.environ_base, **other}

    def _make_request(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> BaseRequest:
        given = args[0] if args else None
        if isinstance(given, BaseEnvironBuilder):
            builder = copy(given)
            builder.environ_base = self._copy_environ(dict(builder.environ_base or {}))
            return builder.get_request()
        if isinstance(given, BaseRequest):
            request = copy(given)
            request.environ = self._copy_environ(request.environ)
            return request
        if not isinstance(given, dict):
            return self._request_from_builder_args(args, kwargs)
        environ_base = self._copy_environ(kwargs.pop("environ_base", None) or {})
        builder = EnvironBuilder.from_environ(
            given, app=self.application, environ_base=environ_base
        )
        try:
            return builder.get_request()
        finally:
            builder.close()

    # Flask-SocketIO's own client calls it by this name.
    def _request_from_builder_args(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> BaseRequest:
        environ_base = self._copy_environ(kwargs.pop("environ_base", None) or {})
        if self.base_url is not None and len(args) < 2 and not kwargs.keys() & _ADDRESS:
            kwargs["base_url"] = self.base_url
        builder = EnvironBuilder(self.application, *args, environ_base=environ_base, **kwargs)
        try:
            return builder.get_request()
        finally:
            builder.close()

    def run_wsgi_app(
        self,
        environ: Environ,
        buffered: bool = False,  # noqa: FBT001, FBT002 - the interface
    ) -> tuple[Iterable[bytes], str, Headers]:
        """Call the application, or ask the server; keep the contexts of the call, if wanted."""
        # Those of the request before; if there were redirects, they were each that once.
        self._context_stack.close()
        new = self._new_contexts
        if self.preserve_context:
            environ["werkzeug.debug.preserve_context"] = new.append
        try:
            answer = super().run_wsgi_app(environ, buffered)
            for context in new:
                self._context_stack.enter_context(context)
        finally:
            new.clear()
        return answer

    def open(
        self,
        *args: Any,
        buffered: bool = False,
        follow_redirects: bool = False,
        **kwargs: Any,
    ) -> TestResponse:
        """Send a request; see :meth:`Client.open`.

        :param args: what :class:`EnvironBuilder` takes behind the application; or one builder,
            environ or request.
        """
        response = super().open(
            *args, buffered=buffered, follow_redirects=follow_redirects, **kwargs
        )
        response.json_module = self.application.json
        return response

    def __enter__(self) -> Self:
        if self.preserve_context:
            raise RuntimeError(
                "Cannot nest client invocations: this client is used with `with` already; make"
                " another one with app.test_client()"
            )
        self.preserve_context = True
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.preserve_context = False
        self._context_stack.close()


class FlaskCliRunner(CliRunner):
    """Runs an application's commands; made by :meth:`~stein.web.app.Stein.test_cli_runner`.

    :param app: the application.
    :param kwargs: what :class:`click.testing.CliRunner` takes.
    """

    def __init__(self, app: Stein, **kwargs: Any) -> None:
        self.app = app
        super().__init__(**kwargs)

    def invoke(  # type: ignore[override]  # more may be left out
        self,
        cli: Command | None = None,
        args: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Result:
        """Run a command, and give what it wrote and how it ended.

        ::

            result = app.test_cli_runner().invoke(args=["init-db"])
            assert "done" in result.output

        :param cli: the command; by default ``app.cli``, to which ``args`` say which.
        :param args: the command line, as words or as one text.
        :param kwargs: what :meth:`click.testing.CliRunner.invoke` takes; ``obj`` is by default what
            tells commands that this is the application.
        """
        if "obj" not in kwargs:
            kwargs["obj"] = ScriptInfo(create_app=lambda: self.app)
        return super().invoke(self.app.cli if cli is None else cli, args, **kwargs)


#: parameters that say where a request goes
_ADDRESS = frozenset({"base_url", "subdomain", "url_scheme"})


@cache
def _user_agent() -> str:
    """What the clients call themselves; the name that tests know, where stein stands in for it."""
    dropin = sys.modules.get("stein.dropin")
    if dropin is not None and dropin.installed():
        # Late: it takes long to import, and is used by few.
        from importlib.metadata import version  # noqa: PLC0415 - see above

        return f"Werkzeug/{version('werkzeug')}"
    return f"stein/{sys.modules['stein'].__version__}"
