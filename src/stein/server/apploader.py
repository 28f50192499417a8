"""From the text ``module:attribute`` to the application it names.

What can be written::

    module                      its application, app, create_app() or make_app()
    module:attribute            dotted names reach into objects: shop:site.wsgi
    module:create(7, name="x")  a call with literal arguments, for application factories
    path/to/file.py[:...]       a file; its directory is put first on the import path

Everything that can go wrong is one error, :class:`~stein.errors.ApplicationNotFound`, whose
message is one line.  Where the user's own code raised, that exception is its ``__cause__`` and
:func:`user_traceback` shows it without the frames of the import machinery.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, cast

from stein.errors import ApplicationNotFound
from stein.suggestions import missing_module, modules_beside, offer
from stein.targets import UnreadableError, is_target_itself
from stein.targets import parse_expression as parse
from stein.tracebacks import render, whereabouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.targets import Expression
    from stein.typing import WSGIApplication

__all__ = ["load_application", "user_traceback"]

#: What a module without ``:attribute`` is asked for, in order.
NAMES: Final = ("application", "app")
FACTORIES: Final = ("create_app", "make_app")

split_target = re.compile(r"(?P<place>.+?\.py|[^:]*)(?::(?P<expression>.*))?", re.DOTALL).fullmatch


def load_application(target: str, app_dir: str | os.PathLike[str] | None = None) -> WSGIApplication:
    """Import the application that ``target`` names.

    :param target: see the head of this module.
    :param app_dir: a directory to put first on the import path; for a file it is the file's own.
    :returns: the application.
    :raises ApplicationNotFound: whatever went wrong, in one line.
    """
    found = split_target(target.strip())
    if not found or not found["place"]:
        message = f"{target!r} names no module; write module:attribute, e.g. shop.wsgi:app"
        raise ApplicationNotFound(message)
    text = found["expression"]
    # A wrong expression is told before anything is imported.
    expression = parse_expression(text, target) if text else None
    module = find_module(found["place"], Path(app_dir) if app_dir is not None else None)
    if expression is None:
        return guess_application(module)
    return checked(resolve(module, expression), target)


# -- the module ---------------------------------------------------------------------------------


def find_module(place: str, app_dir: Path | None) -> ModuleType:
    """Import the module at a dotted name or a path."""
    if place.endswith(".py"):
        path = (app_dir / place if app_dir is not None else Path(place)).resolve()
        name, directory = module_of_file(path)
        put_first(directory)
        module = import_module(name, directory)
        if module.__file__ is None or not same_file(Path(module.__file__), path):
            message = (
                f"{place}: the name {name!r} is taken by the module {module.__file__ or name}; "
                "rename the file"
            )
            raise ApplicationNotFound(message)
        return module
    directory = (app_dir or Path()).resolve()
    if not directory.is_dir():
        message = f"app_dir={str(app_dir)!r} is not a directory"
        raise ApplicationNotFound(message)
    if not all(part.isidentifier() for part in place.split(".")):
        hint = ""
        if "/" in place or os.sep in place:
            hint = f"; a file is written with its suffix: {place}.py"
        message = f"{place!r} is neither a module's dotted name nor a .py file{hint}"
        raise ApplicationNotFound(message)
    put_first(directory)
    return import_module(place, directory)


def module_of_file(path: Path) -> tuple[str, Path]:
    """Return the dotted name of a file and the directory that the name starts from.

    A file inside packages is imported as part of them, so that its relative imports work.
    """
    if not path.is_file():
        names = [item.name for item in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise ApplicationNotFound(f"no such file: {path}{offer(path.name, names)}")
    parts = [] if path.name == "__init__.py" else [path.stem]
    directory = path.parent
    while (directory / "__init__.py").is_file() and directory != directory.parent:
        parts.insert(0, directory.name)
        directory = directory.parent
    return ".".join(parts), directory


def put_first(directory: Path) -> None:
    """Put a directory first on the import path, as ``python file.py`` does."""
    entry = str(directory)
    if sys.path[:1] != [entry]:
        sys.path.insert(0, entry)


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def import_module(name: str, directory: Path) -> ModuleType:
    """Import a module; turn whatever it raises into one line with a cause."""
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        if is_target_itself(error, name):
            message = f"no module named {error.name!r} in {directory} or on the import path"
            names = modules_beside(directory, error.name or "")
            raise ApplicationNotFound(message + offer(name.rpartition(".")[2], names)) from None
        raise failed(f"{name} cannot be imported", error) from error
    except BaseException as error:  # SystemExit too: a module that ends the program at import
        raise failed(f"{name} cannot be imported", error) from error


# -- the attribute ------------------------------------------------------------------------------


def parse_expression(text: str, target: str) -> Expression:
    """Read what stands behind the colon; no code is run.

    :raises ApplicationNotFound: it is neither a name nor a call with literal arguments.
    """
    try:
        return parse(text)
    except UnreadableError:
        message = (
            f"{target!r}: behind the colon stands an attribute (app, site.wsgi) or a call with "
            "literal arguments (create_app('production')), nothing else"
        )
        raise ApplicationNotFound(message) from None


def resolve(module: ModuleType, expression: Expression) -> object:
    """Follow the names from the module and make the call, if it is one."""
    found: object = module
    path = module.__name__
    for name in expression.names:
        try:
            found = getattr(found, name)
        except AttributeError:
            message = f"{path} has no attribute {name!r}{offer(name, callables(found))}"
            raise ApplicationNotFound(message) from None
        except Exception as error:
            raise failed(f"{path}.{name} cannot be read", error) from error
        path += f".{name}"
    if not expression.call:
        return found
    if not callable(found):
        raise ApplicationNotFound(f"{path} cannot be called; it is {described(found)}")
    return made(found, path, expression.args, expression.kwargs)


def guess_application(module: ModuleType) -> WSGIApplication:
    """Return what a module without ``:attribute`` offers, by the names in use."""
    name = module.__name__
    for attribute in NAMES:
        found = getattr(module, attribute, None)
        # A package may have a submodule app: that is not what was meant.
        if found is not None and not isinstance(found, ModuleType):
            return checked(found, f"{name}:{attribute}")
    for attribute in FACTORIES:
        factory = getattr(module, attribute, None)
        if callable(factory):
            return checked(made(factory, f"{name}.{attribute}"), f"{name}:{attribute}()")
    wanted = ", ".join((*NAMES, *(f"{factory}()" for factory in FACTORIES)))
    message = f"{name} has none of {wanted}{offer('app', callables(module))}"
    raise ApplicationNotFound(message)


def made(
    factory: Callable[..., object],
    path: str,
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
) -> object:
    """Call an application factory."""
    kwargs = kwargs or {}
    try:
        inspect.signature(factory).bind(*args, **kwargs)
    except TypeError as error:
        message = f"{path}() was not called: {error}; write its arguments into the parentheses"
        raise ApplicationNotFound(message) from None
    except ValueError:
        pass  # a callable in C that does not tell its parameters
    try:
        return factory(*args, **kwargs)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise failed(f"{path}() failed", error) from error


def checked(found: object, target: str) -> WSGIApplication:
    """Return ``found`` if it can be called as PEP 3333 says."""
    if not callable(found):
        message = f"{target!r} is no application: it cannot be called; it is {described(found)}"
        raise ApplicationNotFound(message)
    try:
        # A wrapper is called with what the server gives, whatever the function inside takes.
        signature = inspect.signature(found, follow_wrapped=False)
    except (TypeError, ValueError):
        return cast("WSGIApplication", found)  # a callable in C that does not tell
    try:
        signature.bind({}, None)
    except TypeError:
        message = f"{target!r} is no WSGI application: it takes {signature}, "
        message += "not (environ, start_response)"
        if is_call_possible(signature):
            message += f"; if it makes the application, write {target}()"
        elif list(signature.parameters)[-3:] == ["scope", "receive", "send"]:
            message += "; it is an ASGI application"
        raise ApplicationNotFound(message) from None
    return cast("WSGIApplication", found)


def is_call_possible(signature: inspect.Signature) -> bool:
    """Whether it can be called without arguments, as a factory would."""
    try:
        signature.bind()
    except TypeError:
        return False
    return True


# -- words --------------------------------------------------------------------------------------


def callables(owner: object) -> list[str]:
    """Return the names of what could be meant: public callables that are not classes."""
    if not isinstance(owner, ModuleType):
        return [name for name in dir(owner) if not name.startswith("_")]
    return [
        name
        for name, value in vars(owner).items()
        if not name.startswith("_")
        and callable(value)
        and (not isinstance(value, type) or value.__module__ == owner.__name__)
    ]


def described(value: object) -> str:
    """Return what a value is, in one short line."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    text = repr(value) if isinstance(value, str | int | float | bool | None) else ""
    return f"{name} {text}".strip()[:80]


def failed(what: str, error: BaseException) -> ApplicationNotFound:
    """Return the error for an exception of the user's: ``what: file:line: Type: text``."""
    return ApplicationNotFound(f"{what}: {whereabouts(error)}{missing_module(error)}")


# -- the traceback ------------------------------------------------------------------------------


def user_traceback(error: BaseException) -> str:
    """Render a traceback that begins in the user's code, without stein's and importlib's frames.

    :param error: an exception; for an :class:`~stein.errors.ApplicationNotFound` with a cause,
        the cause is shown.
    :returns: the text, ending in a line break.
    """
    if isinstance(error, ApplicationNotFound) and error.__cause__ is not None:
        error = error.__cause__
    return render(error)
