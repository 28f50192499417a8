"""The import hook: alias modules that hand every name on to the module it stands for.

An alias is a module object of its own.  It owns its name, spec and path, so the modules of stein
keep theirs, and nothing is imported or defined twice: reading, setting and deleting an attribute
reaches through to the one place where it lives.  A test that patches ``werkzeug.x.y`` patches what
stein itself looks up.

Packages have a search path that only the path hook here understands.  Other finders (pytest's,
which stands first) follow it to the same aliases and cannot load a file a second time.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.abc import Loader, MetaPathFinder, PathEntryFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from stein.dropin.table import ALIASES, DISTRIBUTIONS, VERSION_UNTIL, Target, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from importlib.metadata import Distribution, DistributionFinder
    from types import CodeType

__all__ = ["Alias", "AliasFinder", "install", "installed"]

PLACE: Final = "stein-dropin:"
# What describes the alias itself and is never looked for in a target.
_OWN: Final = frozenset(
    ["__name__", "__spec__", "__loader__", "__package__", "__path__", "__class__", "__dict__"]
)


class Alias(ModuleType):
    """A module whose names live elsewhere."""

    def __init__(self, name: str, target: Target) -> None:
        super().__init__(name)
        own_names = super().__dict__
        set_own = super().__setattr__
        chosen, rest = split(target)
        module = importlib.import_module(rest) if rest else None
        set_own("_names", own_names)
        set_own("_chosen", chosen)
        set_own("_module", module)
        about = f"The names of {name}, which live in several modules of stein."
        set_own("__doc__", about if module is None else module.__doc__)

    def _home(self, name: str) -> tuple[Any, str]:
        """The module that holds a name, and the name there."""
        chosen: dict[str, str] = self._chosen
        if name in chosen:
            home, _, own = chosen[name].partition(":")
            return importlib.import_module(home), own or name
        if self._module is None:
            raise AttributeError(self._missing(name))
        return self._module, name

    def _missing(self, name: str) -> str:
        return f"module {self.__name__!r} (from stein.dropin) has no attribute {name!r}"

    def __getattr__(self, name: str) -> Any:
        if name in _OWN or name == "_module":
            raise AttributeError(self._missing(name))
        if f"{self.__name__}.{name}" in ALIASES:
            # Upstream imports its submodules along with the package, so `import flask` is enough.
            return importlib.import_module(f"{self.__name__}.{name}")
        if name == "__version__" and self.__name__ in VERSION_UNTIL:
            return _version(self.__name__)
        if name == "__all__" and self._module is None:
            return sorted(name for name in self._chosen if not name.startswith("_"))
        home, own = self._home(name)
        try:
            return getattr(home, own)
        except AttributeError:
            raise AttributeError(self._missing(name)) from None

    def __setattr__(self, name: str, value: object) -> None:
        if name in _OWN or isinstance(value, Alias):  # submodules are bound by the import system
            super().__setattr__(name, value)
            return
        try:
            home, own = self._home(name)
        except AttributeError:
            super().__setattr__(name, value)
        else:
            setattr(home, own, value)

    # What sets a name for a while and takes it back (pytest, mock) looks in here for the value
    # that was; without one it would delete the name.
    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override] # a module's can be set, too
        names: dict[str, Any] = self._names if self._module is None else vars(self._module)
        if not self._chosen:
            return names
        names = {**names}
        for name, place in self._chosen.items():
            home, _, own = place.partition(":")
            if home in sys.modules and hasattr(sys.modules[home], own or name):
                names[name] = getattr(sys.modules[home], own or name)
        return names

    def __delattr__(self, name: str) -> None:
        if name in self._names:
            super().__delattr__(name)
        else:
            home, own = self._home(name)
            delattr(home, own)

    def __dir__(self) -> list[str]:
        others = [] if self._module is None else dir(self._module)
        names = {*self._names, *self._chosen, *others}
        return sorted(names - {"_chosen", "_module", "_names"})


def _version(package: str) -> str:
    warnings.warn(
        f"{package}.__version__ will be gone in {package} {VERSION_UNTIL[package]}; ask "
        f"importlib.metadata.version({package!r}), or look for the feature itself",
        DeprecationWarning,
        stacklevel=3,
    )
    return DISTRIBUTIONS[package]


class AliasLoader(Loader):
    """Makes the alias modules; for resources and code it answers as the real module's loader."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Make the alias of a spec."""
        return Alias(spec.name, ALIASES[spec.name])

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: an alias has no code of its own."""

    def get_code(self, name: str) -> CodeType | None:
        """The code of ``python -m package``: it calls the ``main`` that the table names."""
        chosen, _ = split(ALIASES[name])
        if not name.endswith(".__main__") or "main" not in chosen:
            return None
        home, _, own = chosen["main"].partition(":")
        program = f"from {home} import {own or 'main'} as main\nmain()\n"
        return compile(program, f"<{name}, from stein.dropin>", "exec")

    def get_resource_reader(self, name: str) -> Any:
        """The resources of the package that the alias stands for."""
        _, module = split(ALIASES[name])
        if not module:
            return None
        spec = importlib.import_module(module).__spec__
        reader = getattr(spec and spec.loader, "get_resource_reader", None)
        return reader(module) if reader else None


_LOADER: Final = AliasLoader()


def _is_package(name: str) -> bool:
    return any(each.startswith(f"{name}.") for each in ALIASES)


def _spec(name: str) -> ModuleSpec | None:
    if name not in ALIASES:
        return None
    origin = "stein.dropin"
    if name.endswith(".__main__"):
        # becomes sys.argv[0], from which commands work out how they were called
        origin = f"{PLACE}{name.replace('.', '/')}.py"
    spec = ModuleSpec(name, _LOADER, origin=origin, is_package=_is_package(name))
    if spec.submodule_search_locations is not None:
        spec.submodule_search_locations.append(PLACE + name)
    return spec


class AliasFinder(MetaPathFinder):
    """Finds the aliases that have no parent, before any installed package of that name."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - given by the import system
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """The spec of an alias, or ``None``."""
        return _spec(fullname)

    def find_distributions(
        self, context: DistributionFinder.Context | None = None
    ) -> Iterable[Distribution]:
        """Answer ``importlib.metadata``: extensions ask for the version."""
        # Late: whoever calls this has imported importlib.metadata, which takes 35 ms; most do not.
        from stein.dropin.distributions import AliasDistribution  # noqa: PLC0415

        wanted = None if context is None else context.name
        for name, version in DISTRIBUTIONS.items():
            if wanted is None or wanted.lower().replace("_", "-") == name:
                yield AliasDistribution(name, version)


class AliasPathFinder(PathEntryFinder):
    """Finds what is inside one alias package; also when another finder walks its path."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(
        self,
        fullname: str,
        target: ModuleType | None = None,  # noqa: ARG002 - given by the import system
    ) -> ModuleSpec | None:
        """The spec of an alias, or ``None``."""
        return _spec(fullname)

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        """Name what the package has, for :func:`pkgutil.iter_modules`."""
        start = f"{self._package}."
        for name in sorted(ALIASES):
            own = name.removeprefix(start)
            if name.startswith(start) and "." not in own:
                yield prefix + own, _is_package(name)


def _path_hook(entry: str) -> AliasPathFinder:
    if not entry.startswith(PLACE):
        raise ImportError(entry)
    return AliasPathFinder(entry.removeprefix(PLACE))


def installed() -> bool:
    """Whether the alias names lead to stein, in this process."""
    return any(isinstance(finder, AliasFinder) for finder in sys.meta_path)


def install() -> None:
    """Let the alias names lead to stein, in this process; a second call does nothing.

    :raises ImportError: if the real package was imported before, so that a program would see two
        classes of the same name.
    """
    if installed():
        return
    for name in ALIASES:
        if name in sys.modules:
            message = (
                f"{name} was imported before stein.dropin was installed, from "
                f"{getattr(sys.modules[name], '__file__', 'an unknown place')}. Call "
                "stein.dropin.install() first, or run the program with python -m stein.dropin."
            )
            raise ImportError(message, name=name)
    sys.meta_path.insert(0, AliasFinder())
    sys.path_hooks.insert(0, _path_hook)
