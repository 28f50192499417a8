"""The templates of an application: its Jinja environment, and what is registered for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from stein.toolkit.properties import cached_property
from stein.web import templating
from stein.web.setup import Setup, named_or_bare, setupmethod, template_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.web.config import Config
    from stein.web.jinja import DispatchingJinjaLoader, Environment
    from stein.web.typing import (
        TemplateFilterCallable,
        TemplateGlobalCallable,
        TemplateTestCallable,
    )

__all__ = ["Templates"]

Filter = TypeVar("Filter", bound="TemplateFilterCallable")
Global = TypeVar("Global", bound="TemplateGlobalCallable")
Test = TypeVar("Test", bound="TemplateTestCallable")


class Templates(Setup):
    """The part of an application that knows its templates.

    Jinja itself is imported when the first template is rendered, or something of it is touched.
    """

    #: options for the environment; must be changed before :attr:`jinja_env` is first touched
    jinja_options: dict[str, Any] = {}  # noqa: RUF012 - a subclass replaces it

    #: the class of the environment
    jinja_environment: Any = templating.LateEnvironment()

    config: Config

    # What is registered before the environment is made.
    _for_templates: tuple[tuple[str, str, Callable[..., Any]], ...] = ()

    @cached_property
    def jinja_env(self) -> Environment:
        """The Jinja environment, made when it is first touched."""
        environment = self.create_jinja_environment()
        for table, name, f in self._for_templates:
            getattr(environment, table)[name] = f
        return environment

    def _add_to_templates(self, table: str, name: str, f: Callable[..., Any]) -> None:
        """Register a filter, a test or a function, without a need for the environment.

        Nearly every program has some, and Jinja takes longer to import than all of the framework.
        """
        if "jinja_env" in self.__dict__:
            getattr(self.jinja_env, table)[name] = f
        else:
            self._for_templates = (*self._for_templates, (table, name, f))

    def create_jinja_environment(self) -> Environment:
        """Hook: make the Jinja environment."""
        return templating.make_environment(self)  # type: ignore[arg-type]

    def create_global_jinja_loader(self) -> DispatchingJinjaLoader:
        """Hook: make what looks for templates in the application's and the blueprints' folders."""
        return templating.DispatchingJinjaLoader(self)  # type: ignore[arg-type]

    def select_jinja_autoescape(self, filename: str | None) -> bool:
        """Hook: whether what a template prints is escaped for HTML.

        :param filename: of the template; None if it is a text.
        """
        return templating.autoescape(filename)

    def update_template_context(self, context: dict[str, Any]) -> None:
        """Hook: add the variables of the context processors to those of a template.

        :param context: changed in place; what is in it already stays.
        """
        templating.update_context(self, context)  # type: ignore[arg-type]

    @overload
    def template_filter(self, name: Filter) -> Filter: ...
    @overload
    def template_filter(self, name: str | None = None) -> Callable[[Filter], Filter]: ...
    @setupmethod
    def template_filter(self, name: Any = None) -> Any:
        """Decorate a function to be a filter: ``{{ value|name }}``.

        :param name: of the filter; by default the function's.
        """
        return named_or_bare(self.add_template_filter, name)

    @setupmethod
    def add_template_filter(self, f: TemplateFilterCallable, name: str | None = None) -> None:
        """Register a filter, as :meth:`template_filter` does."""
        self._add_to_templates("filters", template_name(f, name), f)

    @overload
    def template_test(self, name: Test) -> Test: ...
    @overload
    def template_test(self, name: str | None = None) -> Callable[[Test], Test]: ...
    @setupmethod
    def template_test(self, name: Any = None) -> Any:
        """Decorate a function to be a test: ``{% if value is name %}``.

        :param name: of the test; by default the function's.
        """
        return named_or_bare(self.add_template_test, name)

    @setupmethod
    def add_template_test(self, f: TemplateTestCallable, name: str | None = None) -> None:
        """Register a test, as :meth:`template_test` does."""
        self._add_to_templates("tests", template_name(f, name), f)

    @overload
    def template_global(self, name: Global) -> Global: ...
    @overload
    def template_global(self, name: str | None = None) -> Callable[[Global], Global]: ...
    @setupmethod
    def template_global(self, name: Any = None) -> Any:
        """Decorate a function to be there in all templates: ``{{ name(value) }}``.

        :param name: of the function in templates; by default its own.
        """
        return named_or_bare(self.add_template_global, name)

    @setupmethod
    def add_template_global(self, f: TemplateGlobalCallable, name: str | None = None) -> None:
        """Register a function, as :meth:`template_global` does."""
        self._add_to_templates("globals", template_name(f, name), f)
