"""From ``--app shop.wsgi:create_app("dev")`` to the application it names.

What can be written, with ``:name`` left out where the module has only one application::

    shop                        a module or package
    src/shop.py, src/shop       a file; the folder above its packages goes first on the path
    shop:site                   a variable; dotted names reach into objects
    shop:create_app(7, x="y")   a factory, called with literal arguments

Whatever goes wrong on the way is a :class:`NoAppException` that names cause and next step.  Only
what the user's own code raises goes through as it is, but for an :exc:`ImportError`: that one
becomes a ``NoAppException`` which shows the traceback of the user's part.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal, overload

import click

from stein.suggestions import missing_module, modules_beside, offer
from stein.targets import NotLiteralError, UnreadableError, is_target_itself, parse_expression
from stein.tracebacks import render, user_frames, whereabouts

if TYPE_CHECKING:
    from stein.targets import Expression
    from stein.web.app import Stein

__all__ = [
    "NoAppException",
    "find_app_by_string",
    "find_best_app",
    "locate_app",
    "prepare_import",
]

#: What a module without ``:name`` is asked for, in order.
NAMES: Final = ("app", "application")
FACTORIES: Final = ("create_app", "make_app")


class NoAppException(click.UsageError):
    """There is no application where one was looked for, or it cannot be loaded.

    An exception of the user's code that is its cause is shown below the message, without the
    frames of stein and of the import system.
    """

    def format_message(self) -> str:
        """Return the message, and the traceback of what caused it."""
        trace = self.trace()
        return f"{self.message}\n\n{trace.rstrip()}" if trace else self.message

    def trace(self) -> str:
        """Return the traceback of the user's code that is the cause; empty if there is none."""
        return "" if self.__cause__ is None else render(self.__cause__)


# -- the module ---------------------------------------------------------------------------------


def prepare_import(path: str | os.PathLike[str]) -> str:
    """Put the folder that a module is imported from first on the import path.

    :param path: a file, a folder, or a dotted name, which may have folders before it.
    :returns: the dotted name to import.  A file inside packages is named as a part of them, so
        that its relative imports work.
    """
    place = Path(os.path.realpath(path))
    if place.suffix == ".py":
        place = place.with_suffix("")
    if place.name == "__init__":
        place = place.parent
    names = [place.name]
    folder = place.parent
    while (folder / "__init__.py").exists() and folder != folder.parent:
        names.insert(0, folder.name)
        folder = folder.parent
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))
    return ".".join(names)


@overload
def locate_app(
    module_name: str,
    app_name: str | None,
    raise_if_not_found: Literal[True] = True,  # noqa: FBT002 - Flask's signature
) -> Stein: ...


@overload
def locate_app(
    module_name: str, app_name: str | None, raise_if_not_found: Literal[False]
) -> Stein | None: ...


def locate_app(
    module_name: str,
    app_name: str | None,
    raise_if_not_found: bool = True,  # noqa: FBT001, FBT002 - Flask's signature
) -> Stein | None:
    """Import a module and return the application in it.

    :param module_name: the dotted name.
    :param app_name: what stands behind the colon; ``None`` to look for the application.
    :param raise_if_not_found: what to do if the module itself does not exist: raise, or return
        ``None``.
    :raises NoAppException: the module or the application does not exist or cannot be loaded.
    """
    try:
        __import__(module_name)
    except ImportError as error:
        if not is_target_itself(error, module_name):
            message = f"While importing {module_name!r}, an ImportError was raised"
            hint = missing_module(error)
            raise NoAppException(f"{message}: {whereabouts(error)}{hint}") from error
        if not raise_if_not_found:
            return None
        raise NoAppException(not_importable(module_name, error)) from None
    module = sys.modules[module_name]
    return find_best_app(module) if app_name is None else find_app_by_string(module, app_name)


def not_importable(name: str, error: ImportError) -> str:
    """Say why a module was not found, and which are there."""
    missing = error.name or name
    directory = Path(sys.path[0] or ".").resolve()
    parent, _, last = name.rpartition(".")
    if parent in sys.modules and missing == name:
        module = sys.modules[parent]
        if not hasattr(module, "__path__"):
            hint = f"; did you mean {parent}:{last}?" if hasattr(module, last) else ""
            return f"Could not import {name!r}: {parent!r} is a module, not a package{hint}"
    names = modules_beside(directory, missing)
    return (
        f"Could not import {name!r}: no module named {missing!r} in {directory} or on the "
        f"import path{offer(missing.rpartition('.')[2], names)}"
    )


# -- the application ----------------------------------------------------------------------------


def find_best_app(module: ModuleType) -> Stein:
    """Return the application of a module for which no name was given.

    That is ``app`` or ``application``, or the only application there is, or what ``create_app()``
    or ``make_app()`` returns.

    :raises NoAppException: there is none, there are several, or the factory needs arguments.
    """
    from stein.web.app import Stein  # noqa: PLC0415 - `--help` must not import the framework

    for name in NAMES:
        found = getattr(module, name, None)
        if isinstance(found, Stein):
            return found
    named = {name: value for name, value in vars(module).items() if isinstance(value, Stein)}
    if len({id(value) for value in named.values()}) > 1:
        message = (
            f"Detected multiple applications in module {module.__name__!r} "
            f"({', '.join(named)}). Say which: {module.__name__}:{next(iter(named))}"
        )
        raise NoAppException(message)
    if named:
        return next(iter(named.values()))
    for name in FACTORIES:
        factory = getattr(module, name, None)
        if factory is not None and is_function(factory):
            found = made(factory, (), {}, f"{module.__name__}:{name}")
            if isinstance(found, Stein):
                return found
    raise NoAppException(nothing_in(module))


def nothing_in(module: ModuleType) -> str:
    """Say that a module has no application, and what it has."""
    file = getattr(module, "__file__", None)
    place = f" ({file})" if file else ""
    return (
        f"Failed to find an application or a factory in module {module.__name__!r}{place}: it has "
        f"no {', '.join(NAMES)}, {'() or '.join(FACTORIES)}() that is or makes one. Name it: "
        f"{module.__name__}:NAME{offer('app', functions(module))}"
    )


def find_app_by_string(module: ModuleType, app_name: str) -> Stein:
    """Return the application that a text names within a module.

    :param module: where the names begin.
    :param app_name: a variable, a factory, or a call of a factory with literal arguments.
    :raises NoAppException: the text cannot be read or leads to no application.
    """
    from stein.web.app import Stein  # noqa: PLC0415 - `--help` must not import the framework

    wanted = parse(app_name)
    found: Any = module
    path = module.__name__
    for name in wanted.names:
        try:
            found = getattr(found, name)
        except AttributeError as error:
            if user_frames(error):  # a module's own __getattr__, or a property
                raise
            names = functions(module) if found is module else public(found)
            message = f"Failed to find attribute {name!r} in {path!r}{offer(name, names)}"
            raise NoAppException(message) from None
        path += f".{name}" if path != module.__name__ else f":{name}"
    if wanted.call or is_function(found):
        found = made(found, wanted.args, wanted.kwargs, path)
        path = path if wanted.call else f"{path}()"
    if isinstance(found, Stein):
        return found
    apps = [name for name, value in vars(module).items() if isinstance(value, Stein)]
    message = (
        f"A valid application was not obtained from '{module.__name__}:{app_name}': {path} is "
        f"{described(found)}, and must be a Stein or Flask application"
        f"{f', as {module.__name__}:{apps[0]} is' if apps else ''}"
    )
    raise NoAppException(message)


def parse(text: str) -> Expression:
    """Read ``name``, ``dotted.name`` or ``name(literals)``; nothing is run.

    :raises NoAppException: for anything else.
    """
    try:
        return parse_expression(text)
    except NotLiteralError:
        message = (
            f"Failed to parse arguments as literal values: {text!r}. A text needs its "
            "quotes, such as create_app('dev'); variables cannot be used here."
        )
        raise NoAppException(message) from None
    except UnreadableError:
        raise unreadable(text) from None


def unreadable(text: str) -> NoAppException:
    """Return the error for a text that is neither a name nor a call."""
    return NoAppException(
        f"Failed to parse {text!r} as an attribute name or function call. Behind the colon "
        "stands a name (app) or a factory with literal arguments (create_app('dev'))."
    )


def made(factory: Any, args: tuple[Any, ...], kwargs: dict[str, Any], path: str) -> Any:
    """Call a factory, if its parameters allow it."""
    import inspect  # noqa: PLC0415 - it is slow to import, and many programs have no factory

    if not callable(factory):  # the name was followed by ()
        message = f"{path!r} cannot be called: it is {described(factory)}. Leave out the ()."
        raise NoAppException(message)
    try:
        # A wrapper is called with what is given, whatever the function inside takes.
        signature = inspect.signature(factory, follow_wrapped=False)
    except (TypeError, ValueError):  # a callable in C that does not tell its parameters
        return factory(*args, **kwargs)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        given = "the specified arguments" if args or kwargs else "no arguments"
        name = path.rpartition(":")[2]
        parameters = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
        plain = signature.replace(parameters=parameters, return_annotation=signature.empty)
        message = (
            f"The factory {path!r} could not be called with {given}: it is "
            f"{name}{plain}, {error}. Write them into the parentheses, as in "
            f"--app '{path}(\"text\", 7)'"
        )
        raise NoAppException(message) from None
    return factory(*args, **kwargs)


def is_function(value: object) -> bool:
    """Whether a value is a factory that is called even without ``()``."""
    import inspect  # noqa: PLC0415 - see made()

    return inspect.isfunction(value)


def functions(module: ModuleType) -> list[str]:
    """Return the names in a module that could be meant: applications and functions made there."""
    from stein.web.app import Stein  # noqa: PLC0415 - `--help` must not import the framework

    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (
            isinstance(value, Stein) or (is_function(value) and value.__module__ == module.__name__)
        )
    ]


def public(owner: object) -> list[str]:
    """Return the public names of an object."""
    return [name for name in dir(owner) if not name.startswith("_")]


def described(value: object) -> str:
    """Return what a value is, in a few words."""
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    if isinstance(value, ModuleType):
        return f"the module {value.__name__}"
    if value is None:
        return "None"
    return f"of type {type(value).__name__}"
