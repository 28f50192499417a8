"""From an application up to a server: the one place in this layer that knows those above it.

``app.run()`` and ``app.serve()`` are methods of an application, and what serves it stands in the
layers above.  They come here, and from here everything is imported late, so that an application
costs no server until it is run.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, Self

from stein.web.environment import (
    get_debug_flag,
    get_load_dotenv,
    is_run_by_command,
    is_running_from_reloader,
    look_up,
)

if TYPE_CHECKING:
    from types import TracebackType

    from stein.server.server import Server
    from stein.typing import WSGIApplication
    from stein.web.app import Stein
    from stein.web.testing import FlaskClient

__all__ = ["LiveApp", "run", "run_simple", "serve"]

_IGNORED: Final = """\
 * Ignoring a call to 'app.run()' that would block the current 'flask' CLI command.
   Only call 'app.run()' in an 'if __name__ == "__main__"' guard."""


def run_simple(hostname: str, port: int, application: WSGIApplication, **options: Any) -> None:
    """Call :func:`stein.serving.run.run_simple`, whatever stands under that name now.

    Tests and extensions put their own in its place.
    """
    from stein.serving import run as serving  # noqa: PLC0415 - upward, see above

    serving.run_simple(hostname, port, application, **options)


def run(
    app: Stein,
    host: str | None = None,
    port: int | None = None,
    debug: bool | None = None,  # noqa: FBT001 - the interface
    load_dotenv: bool = True,  # noqa: FBT001, FBT002 - the interface
    **options: Any,
) -> None:
    """Serve an application until Ctrl-C; see :meth:`stein.web.app.Stein.run`.

    Does nothing but say so if a command has imported the program: the command serves it, or was
    not asked to.
    """
    if is_run_by_command():
        if not is_running_from_reloader():
            import click  # noqa: PLC0415 - late: only to say this

            click.secho(_IGNORED, fg="red")
        return
    from stein.web import cli  # noqa: PLC0415 - late: its modules are for programs that are run

    if get_load_dotenv(load_dotenv):
        cli.load_dotenv()
        if look_up("DEBUG") is not None:
            app.debug = get_debug_flag()
    if debug is not None:
        app.debug = bool(debug)
    own_host, own_port = _split_server_name(app.config.get("SERVER_NAME") or "")
    host = host or own_host or "127.0.0.1"
    if port is None:
        port = int(own_port) if own_port else 5000
    options.setdefault("use_reloader", app.debug)
    options.setdefault("use_debugger", app.debug)
    options.setdefault("threaded", True)
    cli.show_server_banner(app.debug, app.name)
    if app.debug and not is_running_from_reloader():
        from stein.web.explain.settings import warn_of_keys  # noqa: PLC0415 - late: debug mode

        warn_of_keys(app)
    try:
        run_simple(host, int(port), app, **options)
    finally:
        # In a shell the application can be changed again, and run once more.
        app._got_first_request = False  # noqa: SLF001 - the application's other half


def _split_server_name(server_name: str) -> tuple[str, str]:
    """Host and port; brackets are those of an IPv6 address."""
    if server_name[:1] == "[":
        host, _, rest = server_name[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = server_name.partition(":")
    return host, port


class LiveApp:
    """An application on a server of its own, which is the one of production; for tests.

    ::

        with app.serve() as server:
            assert urlopen(server.url).status == 200
            assert server.client().get("/").status_code == 200

    The server's threads are in this process, so that a test can look at what the application did.
    It may also be started and stopped without ``with``.

    :param app: the application.
    :param port: 0: a free one.
    :param host: the address to listen on.
    :param settings: for :class:`stein.server.settings.Settings`; ``threads=4``, for example.
    :raises TypeError: there is no such setting.
    :raises ConfigurationError: a setting cannot work.
    """

    def __init__(self, app: Stein, port: int, host: str, settings: dict[str, Any]) -> None:
        from stein.server.server import Server  # noqa: PLC0415 - upward, see above
        from stein.server.settings import Settings  # noqa: PLC0415

        known = {field.name for field in dataclasses.fields(Settings)}
        for name in settings:
            if name not in known:
                raise TypeError(
                    f"the server has no setting {name!r}; it has: {', '.join(sorted(known))}"
                )
        if "bind" not in settings:
            address = f"[{host}]" if ":" in host and host[:1] != "[" else host
            settings["bind"] = (f"{address}:{port}",)
        # A test has ended when it stops its server; what still runs then should not hold it up.
        settings.setdefault("graceful_timeout", 1.0)
        self.app = app
        self._server: Server = Server(app, Settings(**settings))

    @property
    def url(self) -> str:
        """The address, without a trailing slash: ``http://127.0.0.1:43210``."""
        return self._server.url

    @property
    def host(self) -> str:
        """The host that it listens on."""
        return self._server.host

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.port

    def start(self) -> None:
        """Begin to serve; returns when the server can be asked.

        :raises BindError: the address cannot be listened on.
        """
        self._server.__enter__()

    def stop(self) -> None:
        """Stop; returns when the server has stopped.  Any thread but the server's own."""
        self._server.stop()

    shutdown = stop

    def client(self, **kwargs: Any) -> FlaskClient:
        """Make a client that asks this server, with cookies of its own.

        Clients may be used at the same time, each in a thread of its own.  A response is given when
        its head has come; iterating over it gives the body's pieces as they come.

        :param kwargs: for :meth:`stein.web.app.Stein.test_client`.
        """
        return self.app.test_client(server=self, **kwargs)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.app.name!r} {self.url or 'not started'}>"


def serve(app: Stein, port: int = 0, host: str = "127.0.0.1", **settings: Any) -> LiveApp:
    """Make a server for an application; see :meth:`stein.web.app.Stein.serve`."""
    return LiveApp(app, port, host, settings)
