"""The Jinja environment of an application, and the loader that asks its blueprints, too.

Jinja is made for templates that take milliseconds; at our size of request three things showed,
and are done otherwise here, with the same result:

* The variables of a template are put together from mappings in layers, which are walked through
  in Python.  :class:`_Template` merges the dictionaries themselves.
* A template that is given as a text is compiled each time.  :class:`Environment` keeps what it has
  compiled (:class:`_Compiled`) until something in it changes that a template may have been
  compiled with: an option, a filter, a test, a policy, an extension.
* Nobody knows where a template was looked for.  In debug mode, :class:`MissingTemplate` does.
"""

from __future__ import annotations

from collections import ChainMap
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from jinja2 import BaseLoader, Template, TemplateNotFound, nodes
from jinja2 import Environment as BaseEnvironment
from jinja2.filters import FILTERS
from jinja2.tests import TESTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self, TypeAlias

    from jinja2.ext import Extension
    from jinja2.runtime import Context

    from stein.web.app import Stein
    from stein.web.setup import Setup

    #: the text of a template, the file it is in, and whether that is still as it was
    Source: TypeAlias = tuple[str, str | None, Callable[[], bool] | None]

__all__ = ["DispatchingJinjaLoader", "Environment", "MissingTemplate"]

#: how many compiled texts are young; as many again may be old
_YOUNG: Final = 100
#: longer texts, in characters, are not kept
_LONGEST: Final = 100_000


class _Compiled:
    """Compiled texts, the ones that were used last.

    There are two generations.  What is used goes into the young one; when that is full it becomes
    the old one, and what was old is forgotten.  A lookup reads one dictionary or two, without a
    lock; who compiles puts the result where it saw that it was missing, which is forgotten already
    if things have changed since.
    """

    __slots__ = ("_changing", "foreign", "old", "young")

    def __init__(self) -> None:
        # Guards the change of generations; who only reads does without.
        self._changing = Lock()
        self.young: dict[object, Template] = {}
        self.old: dict[object, Template] = {}
        #: the names of filters and tests that are not Jinja's own; None: to be looked up
        self.foreign: frozenset[str] | None = None

    def forget(self) -> None:
        """Something has changed: compile all anew."""
        with self._changing:
            self.old = {}
            self.young = {}
            self.foreign = None

    def look_up(self, filters: Mapping[str, Any], tests: Mapping[str, Any]) -> frozenset[str]:
        """Find out which filters and tests are not Jinja's own."""
        # Who changes something calls forget() afterwards, which waits here.
        with self._changing:
            self.foreign = foreign = frozenset(
                name
                for ours, theirs in ((filters, FILTERS), (tests, TESTS))
                for name, function in list(ours.items())
                if theirs.get(name) is not function
            )
        return foreign

    def keep(self, key: object, template: Template, young: dict[object, Template]) -> None:
        """Keep a template.

        :param young: the young generation when the template was not yet made.
        """
        if len(young) >= _YOUNG:
            with self._changing:
                if young is self.young:
                    self.old = young
                    self.young = young = {}
        young[key] = template


class _Watched(dict[str, Any]):
    """A dictionary of the environment, such as its filters: a change makes texts be forgotten."""

    def __init__(self, values: Mapping[str, Any], compiled: _Compiled) -> None:
        super().__init__(values)
        self.compiled = compiled

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]
        self.update(other)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def _watched(name: str) -> Callable[..., Any]:
    change = getattr(dict, name)

    def method(self: _Watched, *args: Any, **kwargs: Any) -> Any:
        try:
            return change(self, *args, **kwargs)
        finally:
            self.compiled.forget()

    return method


for _name in ("__delitem__", "__setitem__", "clear", "pop", "popitem", "setdefault", "update"):
    setattr(_Watched, _name, _watched(_name))

_WATCHED: Final = ("filters", "tests", "policies")


class _Template(Template):
    """A template whose variables are put together in less time."""

    def new_context(
        self,
        vars: dict[str, Any] | None = None,  # noqa: A002 - Jinja's names
        shared: bool = False,  # noqa: FBT001, FBT002
        locals: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> Context:
        """Make the variables of one rendering; see Jinja."""
        layers = self.globals
        if shared or locals or layers.__class__ is not ChainMap:
            return super().new_context(vars, shared, locals)
        # PERF: super() asks the layers for the names one by one, twice: 10 us.
        merged: dict[str, Any] = {}
        for layer in reversed(layers.maps):
            merged.update(layer)
        environment = self.environment
        return environment.context_class(
            environment,
            {**merged, **vars} if vars else merged.copy(),
            self.name,
            self.blocks,
            globals=merged,
        )


class Environment(BaseEnvironment):
    """A Jinja environment that finds the templates of an application and of its blueprints.

    :param app: the application.
    :param options: of Jinja's environment.
    """

    template_class = _Template

    #: whether texts are kept: a subclass that compiles in its own way may have reasons not to
    _keeps = True

    def __init__(self, app: Stein, **options: Any) -> None:
        # The attributes that are set from here on make it forget what it has compiled.
        self.__dict__["_compiled"] = _Compiled()
        if "loader" not in options:
            options["loader"] = app.create_global_jinja_loader()
        super().__init__(**options)
        self.app = app
        for name in _WATCHED:
            setattr(self, name, _Watched(getattr(self, name), self._compiled))

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """See whether a subclass compiles in its own way."""
        super().__init_subclass__(**kwargs)
        cls._keeps = all(
            getattr(cls, name) is getattr(BaseEnvironment, name)
            for name in ("from_string", "compile", "preprocess")
        )

    if TYPE_CHECKING:
        _compiled: _Compiled
    else:

        def __setattr__(self, name: str, value: object) -> None:
            self.__dict__["_compiled"].forget()
            object.__setattr__(self, name, value)

    def add_extension(self, extension: str | type[Extension]) -> None:
        """Add an extension; see Jinja."""
        super().add_extension(extension)
        self._compiled.forget()

    def from_kept_string(self, source: str) -> Template:
        """:meth:`from_string`, for a text that is likely to come again.

        The template may be one that others have, too.

        :param source: the text.
        """
        compiled = self._compiled
        if not self._keeps or self.overlayed or not self._is_watched(compiled):
            return self.from_string(source)
        if len(source) > _LONGEST:
            return self.from_string(source)
        # A function decides on escaping by the name, which a text has not; it might change its
        # mind, and that is too dangerous to be missed.
        escaped = self.autoescape
        key = source, escaped(None) if callable(escaped) else escaped
        young = compiled.young
        template = young.get(key)
        if template is None:
            template = compiled.old.get(key)
            if template is None:
                template = self.from_string(source)
                if self._has_results(source, compiled):
                    return template
            compiled.keep(key, template, young)
        return template

    def _has_results(self, source: str, compiled: _Compiled) -> bool:
        """Whether a text holds what a filter or a test has said while it was compiled.

        Jinja calls them then if all that they are given is constant: ``{{ 3.5|numberformat }}``.
        Its own always say the same; those of a program may look at the language of the user.
        """
        if self.finalize is not None:
            return True
        foreign = compiled.foreign
        if foreign is None:
            foreign = compiled.look_up(self.filters, self.tests)
        if not any(name in source for name in foreign):
            return False
        variable: Any = (nodes.Name, nodes.Call)  # what holds one of these is not constant
        return any(
            node.name in foreign and node.find(variable) is None
            for node in self.parse(source).find_all((nodes.Filter, nodes.Test))
        )

    def _is_watched(self, compiled: _Compiled) -> bool:
        """Whether the dictionaries are still those that tell of changes."""
        for each in (self.filters, self.tests, self.policies):
            if each.__class__ is not _Watched or each.compiled is not compiled:
                return False
        return True


class DispatchingJinjaLoader(BaseLoader):
    """Looks for a template in the application's folder, and then in each blueprint's.

    :param app: the application.
    """

    def __init__(self, app: Stein) -> None:
        self.app = app

    def get_source(self, environment: BaseEnvironment, template: str) -> Source:
        """Find a template; see Jinja.

        With ``EXPLAIN_TEMPLATE_LOADING``, all the places are looked at, and the search is logged.

        :raises TemplateNotFound: it is nowhere.
        """
        app = self.app
        if app.config["EXPLAIN_TEMPLATE_LOADING"]:
            found = self._explained(environment, template)
            if found is not None:
                return found
        else:
            for _, loader in self._iter_loaders(template):
                try:
                    return loader.get_source(environment, template)
                except TemplateNotFound:
                    continue
        if app.debug:
            raise MissingTemplate(template, self)
        raise TemplateNotFound(template)

    def _explained(self, environment: BaseEnvironment, template: str) -> Source | None:
        attempts: list[tuple[BaseLoader, Setup, Source | None]] = []
        for owner, loader in self._iter_loaders(template):
            try:
                found: Source | None = loader.get_source(environment, template)
            except TemplateNotFound:
                found = None
            attempts.append((loader, owner, found))
        from stein.web.explain.templates import (  # noqa: PLC0415 - only on demand
            explain_template_loading_attempts,
        )

        explain_template_loading_attempts(self.app, template, attempts)
        return next((found for _, _, found in attempts if found is not None), None)

    def _iter_loaders(self, template: str) -> Iterator[tuple[Setup, BaseLoader]]:  # noqa: ARG002 - for subclasses
        """Hook: the application and its blueprints, those that have a loader, each with its own.

        :param template: the name that is looked for; empty if all are to be listed.
        """
        owners: list[Setup] = [self.app, *self.app.iter_blueprints()]
        for owner in owners:
            loader = owner.jinja_loader
            if loader is not None:
                yield owner, loader

    def list_templates(self) -> list[str]:
        """The names of all templates, each once."""
        loaders = self._iter_loaders("")
        return list({name for _, loader in loaders for name in loader.list_templates()})


class MissingTemplate(TemplateNotFound):
    """No template has this name; the message tells where it was looked for, and what is there.

    To find that out may mean to walk through folders, and many a template is looked for that need
    not exist.  So it is found out when the message is read.

    :param name: of the template.
    :param loader: that has looked for it.
    """

    def __init__(self, name: str, loader: DispatchingJinjaLoader) -> None:
        super().__init__(name)
        self._loader = loader

    def __str__(self) -> str:
        from stein.web.explain.templates import missing_template  # noqa: PLC0415 - as it says

        name = str(self.name)
        return missing_template(name, self._loader._iter_loaders(name))  # noqa: SLF001 - ours
