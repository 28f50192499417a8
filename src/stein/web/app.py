"""The application: what a program makes one of, and registers its views with."""

# ruff: noqa: PLR0913, PLR0917 - the parameters are those that programs give
# ruff: noqa: PTH117, PTH118, PTH119, PTH122, PTH123 - paths are text here; pathlib costs 10 ms

from __future__ import annotations

import os.path
import sys
import weakref
from datetime import timedelta
from typing import IO, TYPE_CHECKING, Any

from stein.toolkit.datastructures.multidict import ImmutableDict
from stein.toolkit.exceptions import Aborter
from stein.toolkit.properties import cached_property
from stein.toolkit.redirects import redirect
from stein.web.config import Config, ConfigAttribute
from stein.web.context import AppContext, AppGlobals, RequestContext
from stein.web.environment import get_debug_flag
from stein.web.json.provider import DefaultJSONProvider
from stein.web.lifecycle import Lifecycle
from stein.web.packages import find_instance_path
from stein.web.request import Request
from stein.web.response import Response
from stein.web.sessions import SecureCookieSessionInterface
from stein.web.setup import setupmethod
from stein.web.templates import Templates
from stein.web.templating import _default_template_ctx_processor

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, ValuesView

    from stein.toolkit.response import Response as ResponseBase
    from stein.typing import Environ, StartResponse
    from stein.web.blueprint import Blueprint
    from stein.web.json.provider import JSONProvider
    from stein.web.running import LiveApp
    from stein.web.sessions import SessionInterface
    from stein.web.setup import Teardown
    from stein.web.testing import FlaskClient, FlaskCliRunner
    from stein.web.typing import ShellContextProcessorCallable, TeardownCallable

__all__ = ["Flask", "Stein"]


def _lifetime(value: timedelta | int | None) -> timedelta | None:
    if value is None or isinstance(value, timedelta):
        return value
    return timedelta(seconds=value)


class Stein(Lifecycle, Templates):
    """An application: a WSGI callable, made of views, hooks and settings.

    ::

        from stein import Stein

        app = Stein(__name__)

        @app.route("/")
        def index():
            return "Hello"

    What a request passes through is told in :mod:`stein.web.lifecycle`.

    :param import_name: of the module or package that it stands in: ``__name__``.  Templates and
        static files are found by it.
    :param static_url_path: where the static files are served; by default ``/`` and the name of
        their folder.
    :param static_folder: of the static files, relative to the module; None: there are none.
    :param static_host: for the static files, if rules are for hosts.
    :param host_matching: let rules be for hosts.
    :param subdomain_matching: let rules be for subdomains of the key ``SERVER_NAME``.
    :param template_folder: of the templates, relative to the module.
    :param instance_path: the folder for what belongs to one installation, absolute; by default
        ``instance`` beside the module or package.
    :param instance_relative_config: read configuration files from there.
    :param root_path: the folder of the module; is found if it is not given.
    :raises ValueError: ``instance_path`` is relative.
    """

    #: what ``config`` holds at first
    default_config: dict[str, Any] = ImmutableDict(
        DEBUG=None,
        TESTING=False,
        PROPAGATE_EXCEPTIONS=None,
        SECRET_KEY=None,
        SECRET_KEY_FALLBACKS=None,
        PERMANENT_SESSION_LIFETIME=timedelta(days=31),
        USE_X_SENDFILE=False,
        TRUSTED_HOSTS=None,
        SERVER_NAME=None,
        APPLICATION_ROOT="/",
        SESSION_COOKIE_NAME="session",
        SESSION_COOKIE_DOMAIN=None,
        SESSION_COOKIE_PATH=None,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=False,
        SESSION_COOKIE_PARTITIONED=False,
        SESSION_COOKIE_SAMESITE=None,
        SESSION_REFRESH_EACH_REQUEST=True,
        MAX_CONTENT_LENGTH=None,
        MAX_FORM_MEMORY_SIZE=500_000,
        MAX_FORM_PARTS=1_000,
        SEND_FILE_MAX_AGE_DEFAULT=None,
        TRAP_BAD_REQUEST_ERRORS=None,
        TRAP_HTTP_EXCEPTIONS=False,
        EXPLAIN_TEMPLATE_LOADING=False,
        PREFERRED_URL_SCHEME="http",
        TEMPLATES_AUTO_RELOAD=None,
        MAX_COOKIE_SIZE=4093,
        PROVIDE_AUTOMATIC_OPTIONS=True,
    )

    #: the classes that the application makes things of; a subclass may name others
    request_class: type[Request] = Request
    response_class: type[Response] = Response
    config_class: type[Config] = Config
    app_ctx_globals_class: type[AppGlobals] = AppGlobals
    aborter_class: type[Aborter] = Aborter
    json_provider_class: type[JSONProvider] = DefaultJSONProvider
    #: None: :class:`~stein.web.testing.FlaskClient`
    test_client_class: type[FlaskClient] | None = None
    #: None: :class:`~stein.web.testing.FlaskCliRunner`
    test_cli_runner_class: type[FlaskCliRunner] | None = None

    #: opens and saves sessions
    session_interface: SessionInterface = SecureCookieSessionInterface()

    testing = ConfigAttribute[bool]("TESTING")
    secret_key = ConfigAttribute[str | bytes | None]("SECRET_KEY")
    permanent_session_lifetime = ConfigAttribute[timedelta](
        "PERMANENT_SESSION_LIFETIME",
        get_converter=_lifetime,  # type: ignore[arg-type]
    )

    def __init__(
        self,
        import_name: str,
        static_url_path: str | None = None,
        static_folder: str | os.PathLike[str] | None = "static",
        static_host: str | None = None,
        host_matching: bool = False,  # noqa: FBT001, FBT002 - the interface
        subdomain_matching: bool = False,  # noqa: FBT001, FBT002 - the interface
        template_folder: str | os.PathLike[str] | None = "templates",
        instance_path: str | None = None,
        instance_relative_config: bool = False,  # noqa: FBT001, FBT002 - the interface
        root_path: str | None = None,
    ) -> None:
        super().__init__(
            import_name,
            static_folder=static_folder,
            static_url_path=static_url_path,
            template_folder=template_folder,
            root_path=root_path,
        )
        self.template_context_processors[None].append(_default_template_ctx_processor)
        if instance_path is None:
            instance_path = self.auto_find_instance_path()
        elif not os.path.isabs(instance_path):
            raise ValueError(
                f"If an instance path is provided it must be absolute, and {instance_path!r} is "
                "relative: os.path.abspath() makes it absolute."
            )
        #: the folder for what belongs to one installation; it may not be there
        self.instance_path = instance_path
        #: the settings
        self.config = self.make_config(instance_relative_config)
        #: what ``abort`` calls
        self.aborter = self.make_aborter()
        #: what reads and writes JSON
        self.json: JSONProvider = self.json_provider_class(self)
        self.teardown_appcontext_funcs: list[TeardownCallable] = []
        #: each gives variables for ``stein shell``
        self.shell_context_processors: list[ShellContextProcessorCallable] = []
        #: name -> blueprint, in the order of registration
        self.blueprints: dict[str, Blueprint] = {}
        #: where extensions keep what belongs to the application, each under its name
        self.extensions: dict[str, Any] = {}
        self._init_routes(host_matching=host_matching, subdomain_matching=subdomain_matching)
        if self.has_static_folder:
            self._add_static_rule(static_host)
        elif static_host:
            raise _bad_static_host(static_host, "there is no static_folder")

    def _add_static_rule(self, host: str | None) -> None:
        """Serve the static files; their folder may be made later."""
        if bool(host) != self.url_map.host_matching:
            raise _bad_static_host(host, f"host_matching is {self.url_map.host_matching}")
        # A weak reference, as the view would keep its own application alive.
        this = weakref.ref(self)

        def static(filename: str) -> Response:
            return this().send_static_file(filename)  # type: ignore[union-attr]

        self.add_url_rule(
            f"{self.static_url_path}/<path:filename>",
            endpoint="static",
            host=host,
            view_func=static,
        )

    def _check_setup_finished(self, f_name: str) -> None:
        if self._got_first_request:
            raise AssertionError(
                f"The setup method '{f_name}' can no longer be called on the application"
                f" {self.name!r}. It has already handled its first request, so some requests"
                " would see the change and others not. Do it where the application is made: at"
                " the top of its module, or in the factory before it returns."
            )

    # -- what it has ---------------------------------------------------------------------------

    @cached_property
    def name(self) -> str:
        """The name: that of the module; of the file, if that is the program itself."""
        if self.import_name != "__main__":
            return self.import_name
        file: str | None = getattr(sys.modules["__main__"], "__file__", None)
        return "__main__" if file is None else os.path.splitext(os.path.basename(file))[0]

    @cached_property
    def logger(self) -> logging.Logger:
        """A logger with the application's name, made when it is first touched."""
        # Late: logging takes long to import, and most requests log nothing.
        from stein.web.logs import create_logger  # noqa: PLC0415

        return create_logger(self)

    @property
    def debug(self) -> bool:
        """Whether errors are explained to whoever sees them: the key ``DEBUG``.

        Never to be turned on where others can reach the server.
        """
        debug: bool = self.config["DEBUG"]
        return debug

    @debug.setter
    def debug(self, value: bool) -> None:
        self.config["DEBUG"] = value
        # Otherwise it will look when it is made.
        if "jinja_env" in self.__dict__ and self.config["TEMPLATES_AUTO_RELOAD"] is None:
            self.jinja_env.auto_reload = value

    def make_config(self, instance_relative: bool = False) -> Config:  # noqa: FBT001, FBT002 - the interface
        """Hook: make the settings.

        :param instance_relative: read files relative to the instance folder.
        """
        root = self.instance_path if instance_relative else self.root_path
        return self.config_class(root, {**self.default_config, "DEBUG": get_debug_flag()})

    def make_aborter(self) -> Aborter:
        """Hook: make what ``abort`` calls."""
        return self.aborter_class()

    def auto_find_instance_path(self) -> str:
        """Hook: find the folder for what belongs to one installation."""
        return find_instance_path(self.import_name, self.name)

    def open_instance_resource(
        self, resource: str, mode: str = "rb", encoding: str | None = "utf-8"
    ) -> IO[Any]:
        """Open a file in the instance folder.

        :param resource: its path there.
        :param mode: as for :func:`open`; it may be written.
        :param encoding: of a text.
        """
        path = os.path.join(self.instance_path, resource)
        return open(path, mode, encoding=None if "b" in mode else encoding)

    def redirect(self, location: str, code: int = 302) -> ResponseBase:
        """Hook: make a response that sends the client somewhere else."""
        return redirect(location, code=code, Response=self.response_class)

    # -- setup ---------------------------------------------------------------------------------

    @setupmethod
    def register_blueprint(self, blueprint: Blueprint, **options: Any) -> None:
        """Take in what is registered with a blueprint.

        :param options: ``url_prefix``, ``subdomain``, ``url_defaults`` and ``name``, instead of
            the blueprint's own; and others for its ``record`` functions.
        :raises ValueError: there is another of that name.
        """
        if not hasattr(blueprint, "register"):
            from stein.web.blueprint import refuse_what_is_no_blueprint  # noqa: PLC0415 - a mistake

            refuse_what_is_no_blueprint(blueprint)
        blueprint.register(self, options)

    def iter_blueprints(self) -> ValuesView[Blueprint]:
        """The blueprints, in the order of registration."""
        return self.blueprints.values()

    @setupmethod
    def teardown_appcontext(self, f: Teardown) -> Teardown:
        """Call a function when a context ends: after each request, and after each command.

        It takes the error that nobody handled, or None.  It should not raise.
        """
        self.teardown_appcontext_funcs.append(f)
        return f

    @setupmethod
    def shell_context_processor(
        self, f: Callable[[], dict[str, Any]]
    ) -> Callable[[], dict[str, Any]]:
        """Let a function give variables to ``stein shell``, in a dictionary."""
        self.shell_context_processors.append(f)
        return f

    def make_shell_context(self) -> dict[str, Any]:
        """The variables for ``stein shell``: ``app``, ``g``, and those of the processors."""
        from stein.web.globals import g  # noqa: PLC0415 - by its name here

        variables: dict[str, Any] = {"app": self, "g": g}
        for processor in self.shell_context_processors:
            variables.update(processor())
        return variables

    # -- contexts ------------------------------------------------------------------------------

    def app_context(self) -> AppContext:
        """Hook: make a context for code that needs the application, and no request.

        ::

            with app.app_context():
                create_tables()
        """
        return AppContext(self)

    def request_context(self, environ: Environ) -> RequestContext:
        """Hook: make the context of a request.

        :param environ: of the request (PEP 3333).
        """
        return RequestContext(self, environ)

    def test_request_context(self, *args: Any, **kwargs: Any) -> RequestContext:
        """Make the context of a request that is made up, for tests and scripts.

        ::

            with app.test_request_context("/users", method="POST", json={"name": "x"}):
                ...

        :param args: as for :class:`~stein.web.testing.EnvironBuilder`, after the application.
        """
        from stein.web.testing import EnvironBuilder  # noqa: PLC0415 - late: for tests only

        builder = EnvironBuilder(self, *args, **kwargs)
        try:
            return self.request_context(builder.get_environ())
        finally:
            builder.close()

    # -- running -------------------------------------------------------------------------------

    def test_client(self, use_cookies: bool = True, **kwargs: Any) -> FlaskClient:  # noqa: FBT001, FBT002 - the interface
        """Make a client that calls the application, for tests.

        :param use_cookies: keep the cookies from one request to the next.
        :param kwargs: for the class, see ``test_client_class``.
        """
        from stein.web.testing import FlaskClient  # noqa: PLC0415 - late: for tests only

        cls = self.test_client_class or FlaskClient
        return cls(self, self.response_class, use_cookies=use_cookies, **kwargs)

    def test_cli_runner(self, **kwargs: Any) -> FlaskCliRunner:
        """Make what runs the application's commands, for tests.

        :param kwargs: for the class, see ``test_cli_runner_class``.
        """
        from stein.web.testing import FlaskCliRunner  # noqa: PLC0415 - late: for tests only

        cls = self.test_cli_runner_class or FlaskCliRunner
        return cls(self, **kwargs)

    def run(
        self,
        host: str | None = None,
        port: int | None = None,
        debug: bool | None = None,  # noqa: FBT001 - the interface
        load_dotenv: bool = True,  # noqa: FBT001, FBT002 - the interface
        **options: Any,
    ) -> None:
        """Serve the application until Ctrl-C.

        :param host: the address to listen on; ``0.0.0.0`` for every one.  By default that of the
            key ``SERVER_NAME``, or ``127.0.0.1``.
        :param port: by default that of ``SERVER_NAME``, or 5000.
        :param debug: sets :attr:`debug`.
        :param load_dotenv: set environment variables from ``.env`` and ``.flaskenv``.
        :param options: for :func:`stein.serving.run.run_simple`.
        """
        from stein.web.running import run  # noqa: PLC0415 - the way up, taken when it is needed

        run(self, host, port, debug, load_dotenv, **options)

    def serve(self, port: int = 0, host: str = "127.0.0.1", **settings: Any) -> LiveApp:
        """Serve the application in threads of its own, with the server of production.

        ::

            with app.serve(port=0) as server:
                urlopen(server.url)

        :param port: 0: a free one.
        :param host: the address to listen on.
        :param settings: for :class:`~stein.server.settings.Settings`.
        """
        from stein.web.running import serve  # noqa: PLC0415 - as above

        return serve(self, port=port, host=host, **settings)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Handle a request: :meth:`wsgi_app`, with what was put around it."""
        return self.wsgi_app(environ, start_response)


def _bad_static_host(host: str | None, why: str) -> AssertionError:
    return AssertionError(
        f"Invalid static_host/host_matching combination: static_host is {host!r} and {why}. Give "
        "both, or neither."
    )


#: the name under which people know it
Flask = Stein
