"""The program, run again in the child as the interpreter ran it, and what becomes of it told.

``runpy`` would leave its own frames and a passing ``__main__``; multiprocessing, pickling and
debuggers want the module that stays.
"""

# ruff: noqa: PTH100, PTH109, PTH112, PTH120 - paths as texts, as python has them

from __future__ import annotations

import importlib.util
import io
import os
import sys
from importlib.machinery import BuiltinImporter, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from stein.serving.reloader.link import is_orphan, join, leave

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

    from stein.serving.reloader.link import Link

__all__ = ["launch"]

INTERRUPTED: Final = 130  # as shells count: 128 and the number of SIGINT


class CannotStart(Exception):  # noqa: N818 - it says what has happened
    """What was to be run again is not there (any more)."""


def launch(words: list[str]) -> None:
    """Run a program as ``__main__``, and tell the parent if it fails.

    :param words: ``["-m", "module", …]``, ``["-c", "code", …]`` or ``["script", …]``.
    :raises SystemExit: what the program wanted, or code 1 after an error.
    """
    if is_orphan():
        leave()
    link = join()
    try:
        run(words)
    except SystemExit as error:
        tell_exit(link, error)
        raise
    except KeyboardInterrupt:  # Ctrl-C during an import: no fault of the program
        sys.exit(INTERRUPTED)
    except BaseException as error:  # noqa: BLE001 - whatever ended the program
        tell_failure(link, error)


def run(words: list[str]) -> None:
    """Run the program that the words name."""
    first, *rest = words
    if first == "-m":
        run_module(rest[0], rest[1:])
    elif first == "-c":
        put_first("")
        code = compile(rest[0], "<string>", "exec", dont_inherit=True)
        execute(code, ["-c", *rest[1:]], loader=BuiltinImporter)
    elif os.path.isdir(first) or is_archive(first):
        run_archive(first, rest)
    else:
        run_script(first, rest)


def put_first(folder: str) -> None:
    """Put a folder first on the import path, as python does unless it was asked not to."""
    if not sys.flags.safe_path:
        sys.path.insert(0, folder)


def run_module(name: str, rest: list[str]) -> None:
    """Run ``python -m name``."""
    put_first(os.getcwd())
    sys.argv[:] = ["-m", *rest]  # what the packages above the module see
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # one that the program wants, not the program
        spec = None
    get_code = getattr(spec and spec.loader, "get_code", None)
    code = get_code(spec.name) if spec is not None and get_code is not None else None
    if spec is None or code is None:
        raise CannotStart(f"python -m {name}: there is no such module any more")
    execute(code, [spec.origin or name, *rest], spec=spec)


def is_archive(path: str) -> bool:
    """Whether a path is a file from which the import system can import, such as a ``.pyz``."""
    import pkgutil  # noqa: PLC0415 - only here

    return pkgutil.get_importer(path) is not None


def run_archive(path: str, rest: list[str]) -> None:
    """Run the module ``__main__`` of a folder or a zip file."""
    place = os.path.abspath(path)
    sys.path.insert(0, place)  # always, as it is where the program is
    spec = PathFinder.find_spec("__main__", [place])
    get_code = getattr(spec and spec.loader, "get_code", None)
    code = get_code("__main__") if get_code is not None else None
    if spec is None or code is None:
        raise CannotStart(f"{path}: there is no __main__ in it")
    execute(code, [path, *rest], spec=spec)


def run_script(path: str, rest: list[str]) -> None:
    """Run ``python path``."""
    put_first(os.path.dirname(os.path.realpath(path)))
    file = os.path.abspath(path)
    try:
        with io.open_code(file) as opened:
            source = opened.read()
    except OSError as error:
        raise CannotStart(f"{path}: {error.strerror}") from None
    code = compile(source, file, "exec", dont_inherit=True)
    execute(code, [path, *rest], file=file, loader=SourceFileLoader("__main__", file))


def execute(
    code: CodeType,
    argv: list[str],
    *,
    spec: ModuleSpec | None = None,
    file: str | None = None,
    loader: Any = None,
) -> None:
    """Execute code in a new module ``__main__``."""
    module = ModuleType("__main__")
    names: dict[str, Any] = module.__dict__
    names["__builtins__"] = __builtins__
    module.__spec__ = spec
    if spec is not None:
        module.__loader__ = spec.loader
        module.__package__ = spec.parent
        module.__file__ = spec.origin
    else:
        module.__loader__ = loader
        if file is not None:
            module.__file__ = file
    names["__cached__"] = spec.cached if spec is not None else None
    sys.modules["__main__"] = module
    sys.argv[:] = argv
    exec(code, names)  # noqa: S102 - this is what running a program means


# -- what is told of the end --------------------------------------------------------------------


def tell_failure(link: Link | None, error: BaseException) -> NoReturn:
    """Tell the parent of an exception that has ended the program, and leave with code 1.

    A hook that somebody has set in place of the interpreter's is called: it may report elsewhere.
    """
    own_hook = sys.excepthook is not sys.__excepthook__
    if own_hook or link is None:
        sys.excepthook(type(error), error, error.__traceback__)
    if link is not None:
        tell(link, error, printed=own_hook)
    sys.exit(1)


def tell_exit(link: Link | None, error: SystemExit) -> None:
    """Tell the parent why the program wanted to end, as far as can be known.

    Commands tell an error in their own words and then call ``sys.exit(1)``; the exception that
    they handled is still in the context.
    """
    if link is None or error.code in {None, 0}:
        return
    if not isinstance(error.code, int):  # the interpreter will print it
        link.send("failure", headline=str(error.code), text="", printed=True)
        return
    cause: BaseException | None = error.__cause__ or error.__context__
    if cause is not None and not isinstance(cause, SystemExit | KeyboardInterrupt):
        tell(link, cause, printed=True)


def tell(link: Link, error: BaseException, *, printed: bool) -> None:
    """Send an exception, and which files to watch for its being mended."""
    # Only a program that failed needs them.
    from stein.serving.reloader.failure import failure_of  # noqa: PLC0415
    from stein.serving.reloader.inventory import take_inventory  # noqa: PLC0415
    from stein.web.environment import files_read  # noqa: PLC0415

    failure = failure_of(error)
    link.send("watch", **take_inventory({*failure.files(), *files_read}).as_message())
    link.send("failure", **failure.as_message(printed=printed))
