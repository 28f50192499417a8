"""What a blueprint does to the whole application: hooks, handlers and words for templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from stein.web.handlers import handler_key
from stein.web.setup import Setup, named_or_bare, setupmethod, template_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.web.registration import BlueprintSetupState
    from stein.web.typing import (
        BeforeRequestCallable,
        ErrorHandlerCallable,
        ResponseHook,
        TeardownCallable,
        TemplateContextProcessorCallable,
        TemplateFilterCallable,
        TemplateGlobalCallable,
        TemplateTestCallable,
        URLDefaultCallable,
        URLValuePreprocessorCallable,
    )

__all__ = ["AppWide"]

After = TypeVar("After", bound="ResponseHook")
Before = TypeVar("Before", bound="BeforeRequestCallable")
ContextProcessor = TypeVar("ContextProcessor", bound="TemplateContextProcessorCallable")
Defaults = TypeVar("Defaults", bound="URLDefaultCallable")
Filter = TypeVar("Filter", bound="TemplateFilterCallable")
Global = TypeVar("Global", bound="TemplateGlobalCallable")
Handler = TypeVar("Handler", bound="ErrorHandlerCallable")
Preprocessor = TypeVar("Preprocessor", bound="URLValuePreprocessorCallable")
Teardown = TypeVar("Teardown", bound="TeardownCallable")
Test = TypeVar("Test", bound="TemplateTestCallable")


class AppWide(Setup):
    """Decorators whose effect reaches beyond the blueprint that they stand on.

    The effect comes with the first registration on an application, and once only.
    """

    def record_once(self, func: Callable[[BlueprintSetupState], None]) -> None:
        """Call a function at the first registration; the blueprint does it."""
        raise NotImplementedError

    def _add_to_app(self, table: str, f: Any) -> None:
        if not callable(f):
            raise TypeError(
                f"{f!r} cannot be called, so that it is no function for '{table}' of the"
                " application. Pass the function itself, without parentheses."
            )
        self.record_once(lambda state: getattr(state.app, table).setdefault(None, []).append(f))

    @setupmethod
    def before_app_request(self, f: Before) -> Before:
        """Call a function before every view of the application."""
        self._add_to_app("before_request_funcs", f)
        return f

    @setupmethod
    def after_app_request(self, f: After) -> After:
        """Call a function with every response of the application."""
        self._add_to_app("after_request_funcs", f)
        return f

    @setupmethod
    def teardown_app_request(self, f: Teardown) -> Teardown:
        """Call a function when any request to the application is over."""
        self._add_to_app("teardown_request_funcs", f)
        return f

    @setupmethod
    def app_context_processor(self, f: ContextProcessor) -> ContextProcessor:
        """Let a function give variables to every template of the application."""
        self._add_to_app("template_context_processors", f)
        return f

    @setupmethod
    def app_url_value_preprocessor(self, f: Preprocessor) -> Preprocessor:
        """Let a function see the values of every URL of the application first."""
        self._add_to_app("url_value_preprocessors", f)
        return f

    @setupmethod
    def app_url_defaults(self, f: Defaults) -> Defaults:
        """Let a function add values to every URL of the application that is built."""
        self._add_to_app("url_default_functions", f)
        return f

    @setupmethod
    def app_errorhandler(self, code: type[Exception] | int) -> Callable[[Handler], Handler]:
        """Decorate a function to answer an error, wherever in the application it is raised.

        :param code: an HTTP status code, or an exception class.
        """
        handler_key(code)  # while the traceback shows the line of the decorator

        def register(f: Handler) -> Handler:
            self.record_once(lambda state: state.app.register_error_handler(code, f))
            return f

        return register

    # -- templates -----------------------------------------------------------------------------

    def _add_to_templates(self, table: str, f: Callable[..., Any], name: str | None) -> None:
        known_as = template_name(f, name)

        def add(state: BlueprintSetupState) -> None:
            state.app._add_to_templates(table, known_as, f)  # noqa: SLF001 - the application's other half

        self.record_once(add)

    @overload
    def app_template_filter(self, name: Filter) -> Filter: ...
    @overload
    def app_template_filter(self, name: str | None = None) -> Callable[[Filter], Filter]: ...
    @setupmethod
    def app_template_filter(self, name: Any = None) -> Any:
        """Decorate a function to be a filter in every template of the application.

        :param name: in templates; by default that of the function.
        """
        return named_or_bare(self.add_app_template_filter, name)

    @setupmethod
    def add_app_template_filter(self, f: TemplateFilterCallable, name: str | None = None) -> None:
        """Let a function be a filter in every template of the application.

        :param f: takes the value, and what stands in parentheses.
        :param name: in templates; by default that of the function.
        """
        self._add_to_templates("filters", f, name)

    @overload
    def app_template_test(self, name: Test) -> Test: ...
    @overload
    def app_template_test(self, name: str | None = None) -> Callable[[Test], Test]: ...
    @setupmethod
    def app_template_test(self, name: Any = None) -> Any:
        """Decorate a function to be a test (``is …``) in every template of the application.

        :param name: in templates; by default that of the function.
        """
        return named_or_bare(self.add_app_template_test, name)

    @setupmethod
    def add_app_template_test(self, f: TemplateTestCallable, name: str | None = None) -> None:
        """Let a function be a test (``is …``) in every template of the application.

        :param f: takes the value, and returns whether it passes.
        :param name: in templates; by default that of the function.
        """
        self._add_to_templates("tests", f, name)

    @overload
    def app_template_global(self, name: Global) -> Global: ...
    @overload
    def app_template_global(self, name: str | None = None) -> Callable[[Global], Global]: ...
    @setupmethod
    def app_template_global(self, name: Any = None) -> Any:
        """Decorate a function to be known in every template of the application.

        :param name: in templates; by default that of the function.
        """
        return named_or_bare(self.add_app_template_global, name)

    @setupmethod
    def add_app_template_global(self, f: TemplateGlobalCallable, name: str | None = None) -> None:
        """Let a function be known in every template of the application.

        :param f: the function.
        :param name: in templates; by default that of the function.
        """
        self._add_to_templates("globals", f, name)
