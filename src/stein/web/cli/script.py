"""What a command knows of its application: :class:`ScriptInfo`, and the context it runs in."""

from __future__ import annotations

import re
import sys
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click

from stein.suggestions import offer
from stein.web.cli.discovery import NoAppException, locate_app, prepare_import
from stein.web.environment import get_debug_flag, get_load_dotenv
from stein.web.globals import context_var

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from stein.web.app import Stein

__all__ = ["ScriptInfo", "pass_script_info", "with_appcontext"]

F = TypeVar("F", bound="Callable[..., Any]")

#: Where an application is looked for when nobody named one.
USUAL_FILES: Final = ("wsgi.py", "app.py")

# The first colon that is not the one of a Windows drive.
split_target = re.compile(r":(?![\\/])").split
#: How a file betrays that it makes an application.
makes_application = re.compile(r"\b(?:Flask|Stein)\(").search
#: How it betrays that a command would find that there, by its name alone.
names_it_usually = re.compile(
    r"^(?:(?:app|application)\b[^=\n]*=|def (?:create_app|make_app)\()", re.MULTILINE
).search
#: How much of a file is looked at, and how many files, to make a suggestion.
LOOKED_AT: Final = 1 << 16
MOST_FILES: Final = 200
#: How many of them are named.
OFFERED: Final = 3


class ScriptInfo:
    """The application that a command works on; it is loaded when a command first needs it.

    :param app_import_path: ``module:name``, a file, or a factory; see
        :mod:`stein.web.cli.discovery`.
    :param create_app: makes the application, and goes before ``app_import_path``.
    :param set_debug_flag: whether ``app.debug`` becomes what the environment says.
    :param load_dotenv_defaults: whether ``.env`` and ``.flaskenv`` are to be read, unless
        ``FLASK_SKIP_DOTENV`` or ``STEIN_SKIP_DOTENV`` says otherwise; this object reads no file.
    """

    #: for whatever commands want to share
    data: dict[Any, Any]

    def __init__(
        self,
        app_import_path: str | None = None,
        create_app: Callable[..., Stein] | None = None,
        set_debug_flag: bool = True,  # noqa: FBT001, FBT002 - Flask's signature
        load_dotenv_defaults: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        self.app_import_path = app_import_path
        self.create_app = create_app
        self.data = {}
        self.set_debug_flag = set_debug_flag
        self.load_dotenv_defaults = get_load_dotenv(load_dotenv_defaults)
        self._loaded_app: Stein | None = None

    def load_app(self) -> Stein:
        """Return the application; the first call loads it.

        :raises NoAppException: there is none, or it cannot be loaded.
        """
        if self._loaded_app is not None:
            return self._loaded_app
        if self.create_app is not None:
            app: Stein | None = self.create_app()
        elif self.app_import_path:
            app = load_named(self.app_import_path)
        else:
            app = load_usual()
        if app is None:
            raise NoAppException(nothing_found())
        if self.set_debug_flag:
            # Through the property, since templates and logging follow it.
            app.debug = get_debug_flag()
        self._loaded_app = app
        return app


def load_named(target: str) -> Stein:
    """Load the application that ``--app`` names."""
    path, *rest = split_target(target, maxsplit=1)
    if not path:
        message = f"--app {target!r} names no module; write module:name, such as hello:app"
        raise NoAppException(message)
    file = Path(path)
    if file.suffix == ".py":
        if not file.is_file():
            beside = [item.name for item in file.absolute().parent.glob("*.py")]
            message = f"--app {target!r}: no such file: {file.absolute()}{offer(file.name, beside)}"
            raise NoAppException(message)
    elif file.suffix and file.is_file():
        message = f"--app {target!r}: the file {path!r} is no Python file; its name must end in .py"
        raise NoAppException(message)
    name = prepare_import(path)
    if file.suffix == ".py" and name in sys.modules:
        check_origin(sys.modules[name], file)
    return locate_app(name, rest[0] if rest else None)


def check_origin(module: ModuleType, file: Path) -> None:
    """Refuse a file whose name is that of another module, such as ``flask.py``."""
    origin = getattr(module, "__file__", None)
    if origin is not None and Path(origin).exists() and Path(origin).samefile(file):
        return
    name = module.__name__
    by = f"the module {origin}" if origin else "another module"
    message = f"{file}: the name {name!r} is taken by {by}, which is in use here. Rename the file."
    raise NoAppException(message)


def load_usual() -> Stein | None:
    """Load the application from where it is when nobody says where."""
    for file in USUAL_FILES:
        app = locate_app(prepare_import(file), None, raise_if_not_found=False)
        if app is not None:
            return app
    return None


def nothing_found() -> str:
    """Say that no application was found, and which files here look as if they had one."""
    files = likely_files()
    name = files[0].stem if files else "hello"
    names = ", ".join(file.name for file in files[:OFFERED])
    if len(files) > OFFERED:
        names += f" (and {len(files) - OFFERED} more)"
    found = f" It may be in {names}." if files else ""
    return (
        "Could not locate an application: none was named, and there is no 'wsgi.py' or 'app.py' "
        f"in {Path.cwd()}.{found} Use the option '--app NAME', as in '--app {name}', or set the "
        f"variable STEIN_APP or FLASK_APP to '{name}'."
    )


def likely_files() -> list[Path]:
    """Return the files here that look as if they made an application, the likeliest first.

    Those come first whose application has one of the usual names, and tests last.
    """
    ranked = []
    for file in sorted(Path().glob("*.py"))[:MOST_FILES]:
        text = beginning_of(file)
        if makes_application(text):
            is_test = file.name.startswith(("test_", "conftest."))
            ranked.append((is_test, names_it_usually(text) is None, file))
    return [file for *_, file in sorted(ranked)]


def beginning_of(file: Path) -> str:
    """Return what is looked at of a file; nothing if it cannot be read."""
    try:
        with file.open(encoding="utf-8", errors="replace") as text:
            return text.read(LOOKED_AT)
    except OSError:
        return ""


#: Gives a command the :class:`ScriptInfo` as its first argument.
pass_script_info = click.make_pass_decorator(ScriptInfo, ensure=True)


def with_appcontext(f: F) -> F:
    """Run a command's function within the context of the application.

    Commands of ``app.cli`` and of blueprints have that anyway; it is for commands that are made
    with plain click.  Where a context is there already, it stays.  The function may be ``async``.
    """

    @click.pass_context
    def within(ctx: click.Context, /, *args: Any, **kwargs: Any) -> Any:
        if context_var.get(None) is None:
            app = ctx.ensure_object(ScriptInfo).load_app()
            ctx.with_resource(app.app_context())
        return ctx.invoke(context_var.get().app.ensure_sync(f), *args, **kwargs)

    return cast("F", update_wrapper(within, f))
