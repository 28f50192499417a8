"""A part of an application that is written without one, and registered on one later.

What is said to a blueprint is of two kinds.  Views, hooks and handlers *of the blueprint* go into
its own tables and are copied into those of the application, under the blueprint's name.  All else
(rules, and the ``app_*`` methods) is a function that waits until the blueprint is registered, and
is called with a :class:`BlueprintSetupState` then.

The name in the application is that of the blueprint, or the one which is given at registration; a
blueprint inside another has the name of the outer one and a dot in front.
"""

# ruff: noqa: FBT001, FBT002 - booleans are positional in the interface

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from types import ModuleType
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias

from stein.web.appwide import AppWide
from stein.web.handlers import scope_handlers
from stein.web.registration import BlueprintSetupState, dotted, options_inside, scope_inside
from stein.web.setup import setupmethod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stein.web.app import Stein
    from stein.web.resources import FolderPath
    from stein.web.typing import RouteCallable

__all__ = [
    "Blueprint",
    "BlueprintSetupState",
    "DeferredSetupFunction",
    "refuse_what_is_no_blueprint",
]

#: waits for the registration
DeferredSetupFunction: TypeAlias = Callable[[BlueprintSetupState], None]

#: The commands stand in a group that has the blueprint's name in the application.
_OWN_GROUP: Final[Any] = object()

#: the tables of scopes that are copied into the application's at registration
_TABLES: Final = (
    "before_request_funcs",
    "after_request_funcs",
    "teardown_request_funcs",
    "url_default_functions",
    "url_value_preprocessors",
    "template_context_processors",
)


class Blueprint(AppWide):
    """A part of an application: views, hooks, templates, static files and commands.

    It has the decorators of an application, and takes effect when it is registered on one.  It
    can be registered several times, under other names.

    :param name: the first part of its endpoints; without a dot.
    :param import_name: of the module, mostly ``__name__``.
    :param static_folder: where its static files are, relative to the module's folder.
    :param static_url_path: where their URLs begin, behind the prefix; ``None`` for the name of
        the folder.  Without a prefix the application's own static files are found first.
    :param template_folder: where its templates are; those of the application are found first.
    :param url_prefix: in front of all of its rules.
    :param subdomain: of all of its rules that name none.
    :param url_defaults: values that all of its views are given.
    :param root_path: the module's folder, if it cannot be found by the import name.
    :param cli_group: the group in which its commands stand; ``None`` to have them stand among
        those of the application.  By default the group has the blueprint's name.
    """

    _got_registered_once = False

    def __init__(  # noqa: PLR0913, PLR0917 - the interface
        self,
        name: str,
        import_name: str,
        static_folder: FolderPath | None = None,
        static_url_path: str | None = None,
        template_folder: FolderPath | None = None,
        url_prefix: str | None = None,
        subdomain: str | None = None,
        url_defaults: dict[str, Any] | None = None,
        root_path: str | None = None,
        cli_group: str | None = _OWN_GROUP,
    ) -> None:
        _refuse_bad_name(name)
        super().__init__(import_name, static_folder, static_url_path, template_folder, root_path)
        self.name = name
        self.url_prefix = url_prefix
        self.subdomain = subdomain
        self.url_values_defaults = {} if url_defaults is None else url_defaults
        self.cli_group = cli_group
        self.deferred_functions: list[DeferredSetupFunction] = []
        self._blueprints: list[tuple[Blueprint, dict[str, Any]]] = []

    def _check_setup_finished(self, f_name: str) -> None:
        if self._got_registered_once:
            raise AssertionError(
                f"The setup method '{f_name}' can no longer be called on the blueprint"
                f" '{self.name}': it is registered on an application, which would not hear of the"
                " change.\nCall 'register_blueprint' last, after everything that adds views, hooks"
                " or handlers to the blueprint; often an import has to move above it."
            )

    def open_resource(
        self, resource: str, mode: str = "rb", encoding: str | None = "utf-8"
    ) -> IO[Any]:
        """Open a file that comes with the blueprint's module, for reading.

        :param resource: path of the file, relative to :attr:`root_path`.
        :param mode: ``"rb"`` for bytes, ``"r"`` or ``"rt"`` for text.
        :param encoding: of the text; ``None`` for that of the locale.
        :raises ValueError: the mode is one for writing.
        :raises OSError: the file cannot be opened.
        """
        return super().open_resource(resource, mode, encoding)

    # -- registration --------------------------------------------------------------------------

    @setupmethod
    def record(self, func: DeferredSetupFunction) -> None:
        """Call a function with the :class:`BlueprintSetupState` of each registration."""
        self.deferred_functions.append(func)

    @setupmethod
    def record_once(self, func: DeferredSetupFunction) -> None:
        """As :meth:`record`, but for the first registration on an application only."""

        def once(state: BlueprintSetupState) -> None:
            if state.first_registration:
                func(state)

        self.record(update_wrapper(once, func))

    def make_setup_state(
        self,
        app: Stein,
        options: dict[str, Any],
        first_registration: bool = False,
    ) -> BlueprintSetupState:
        """Make what the waiting functions are called with; a subclass may make its own."""
        return BlueprintSetupState(self, app, options, first_registration)

    @setupmethod
    def register_blueprint(self, blueprint: Blueprint, **options: Any) -> None:
        """Put a blueprint inside this one.

        :param blueprint: the inner one.
        :param options: that go before its own, as for the application's ``register_blueprint``.
        :raises ValueError: it would be inside itself.
        :raises TypeError: it is no blueprint.
        """
        refuse_what_is_no_blueprint(blueprint)
        if blueprint is self:
            raise ValueError(
                f"Cannot register a blueprint on itself, which is {self.name!r}. Register it on"
                " the application, or on another blueprint."
            )
        if any(inner is self for inner in blueprint._inside()):
            raise ValueError(
                f"Cannot register the blueprint {blueprint.name!r} on {self.name!r}, which is"
                f" inside {blueprint.name!r} already, so that there would be no end of it. Take"
                " one of the two registrations away."
            )
        self._blueprints.append((blueprint, options))

    def _inside(self) -> Iterator[Blueprint]:
        """All blueprints in this one, however deep."""
        for blueprint, _ in self._blueprints:
            yield blueprint
            yield from blueprint._inside()  # noqa: SLF001 - of this class

    def register(self, app: Stein, options: dict[str, Any]) -> None:
        """Add to an application what the blueprint holds; its ``register_blueprint`` calls this.

        :param app: the application.
        :param options: that were given at registration.
        :raises ValueError: the name is taken.
        """
        own_name = options.get("name", self.name)
        name = dotted(options.get("name_prefix", ""), own_name)
        taken = app.blueprints.get(name)
        if taken is not None:
            which = "this" if taken is self else "a different"
            place = f", as '{name}'" if name != own_name else ""
            raise ValueError(
                f"The name '{own_name}' is already registered for {which} blueprint{place}."
                " Endpoints are built of the name, so that no two can share it. Use"
                f" 'name=' of 'register_blueprint' to provide a unique name."
            )
        first_registration = all(other is not self for other in app.blueprints.values())
        app.blueprints[name] = self
        self._got_registered_once = True
        state = self.make_setup_state(app, options, first_registration)
        if self.has_static_folder:
            state.add_url_rule(
                f"{self.static_url_path}/<path:filename>", "static", self.send_static_file
            )
        self._merge_blueprint_funcs(app, name)
        for deferred in self.deferred_functions:
            deferred(state)
        self._add_commands(app, name, options.get("cli_group", self.cli_group))
        for blueprint, inner_options in self._blueprints:
            blueprint.register(app, options_inside(state, name, blueprint, inner_options))

    def _merge_blueprint_funcs(self, app: Stein, name: str) -> None:
        for table in _TABLES:
            theirs: dict[str | None, list[Any]] = getattr(app, table)
            for scope, functions in getattr(self, table).items():
                theirs.setdefault(scope_inside(name, scope), []).extend(functions)
        for scope, handlers in self.error_handler_spec.items():
            copied = app.error_handler_spec[scope_inside(name, scope)] = scope_handlers()
            for code, by_class in handlers.items():
                copied[code].update(by_class)
        app.view_functions.update(self.view_functions)

    def _add_commands(self, app: Stein, name: str, group: str | None) -> None:
        # Whoever has never touched the group has no commands in it.
        cli = self.__dict__.get("cli")
        if cli is None or not cli.commands:
            return
        if group is None:
            app.cli.commands.update(cli.commands)
        else:
            cli.name = name if group is _OWN_GROUP else group
            app.cli.add_command(cli)

    # -- what is done to the application -------------------------------------------------------

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: RouteCallable | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Let a URL lead to an endpoint, and the endpoint to a view.

        :param rule: the path behind the blueprint's prefix.
        :param endpoint: without the blueprint's name; by default the name of the view function.
        :param view_func: the view.
        :param provide_automatic_options: answer OPTIONS without calling the view.
        :param options: for ``add_url_rule`` of the application.
        :raises ValueError: the endpoint has a dot in it.
        """
        view_name = getattr(view_func, "__name__", None)
        for part, text in (("endpoint", endpoint), ("view_func' name, '__name__", view_name)):
            if text and "." in text:
                raise ValueError(
                    f"'{part}' may not contain a dot '.' character, and it is {text!r}. The dot"
                    f" stands behind the blueprint's name, which is added to it: '{self.name}.…'."
                )
        self.record(
            lambda state: state.add_url_rule(
                rule,
                endpoint,
                view_func,
                provide_automatic_options=provide_automatic_options,
                **options,
            )
        )


def _refuse_bad_name(name: str) -> None:
    if not name:
        raise ValueError(
            "'name' may not be empty. It is the first part of the blueprint's endpoints: choose a"
            " short word, such as 'admin'."
        )
    if "." in name:
        raise ValueError(
            f"'name' may not contain a dot '.' character, and it is {name!r}. The dot divides a"
            " blueprint's name from that of the view: 'url_for(\"admin.index\")'. Choose a short"
            " word for the name; '__name__' is the argument behind it."
        )


def refuse_what_is_no_blueprint(given: Any) -> None:
    """Raise an error if something else than a blueprint is to be registered.

    :raises TypeError: it is something else; the message names the blueprint if it is a module
        that has one.
    """
    if isinstance(given, Blueprint) or hasattr(given, "register"):
        return
    found = [
        f"{given.__name__}.{key}"
        for key, value in getattr(given, "__dict__", {}).items()
        if isinstance(value, Blueprint) and isinstance(given, ModuleType)
    ]
    hint = f"It has one in it: register '{found[0]}'." if found else "Make one with 'Blueprint()'."
    raise TypeError(
        f"Only a blueprint can be registered, and {given!r} is a {type(given).__name__}. {hint}"
    )
