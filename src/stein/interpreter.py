"""A program, run in this process as the interpreter would run it.

Facts.
    A launcher does something first and then wants the program to see what ``python`` would have
    shown it.  ``runpy`` leaves its own frames and a passing ``__main__``; multiprocessing,
    pickling and debuggers want the module that stays.
Decision.
    Here is what the interpreter does with its words: the first place of the import path,
    ``sys.argv``, and the names that it puts into ``__main__``.  Tests hold it against the
    interpreter itself.
Price.
    The import path must be as it was before the launcher's own place was put there, which the
    launcher sees to.
"""

# ruff: noqa: PTH100, PTH109, PTH112, PTH118, PTH120 - paths as texts, as python has them

from __future__ import annotations

import builtins
import importlib.util
import io
import os
import sys
from importlib.machinery import (
    BuiltinImporter,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from stein.errors import SteinError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec

__all__ = ["NotRunnable", "run"]


class NotRunnable(SteinError):  # noqa: N818 - it says what is wrong
    """The words name no program."""


def run(words: Sequence[str]) -> None:
    """Run the program that the words name, as ``__main__``.

    :param words: ``["-m", "module", …]``, ``["-c", "code", …]`` or ``["script", …]``, where a
        folder or an archive with a ``__main__`` in it is a script, too.
    :raises NotRunnable: there is no such program.
    :raises BaseException: what the program raises.
    """
    first, *rest = words
    if first == "-m":
        run_module(rest[0], rest[1:])
    elif first == "-c":
        put_first("")
        code = compile(rest[0], "<string>", "exec", dont_inherit=True)
        execute(code, ["-c", *rest[1:]], __loader__=BuiltinImporter)
    elif os.path.isdir(first) or is_archive(first):
        run_archive(first, rest)
    else:
        run_script(first, rest)


def put_first(folder: str) -> None:
    """Put a folder first on the import path, as python does unless it was asked not to."""
    if not sys.flags.safe_path:
        sys.path.insert(0, folder)


def run_module(name: str, rest: Sequence[str]) -> None:
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
    code = code_of(spec)
    if spec is None or code is None:
        message = f"-m {name}: there is no module {name!r} that can be run; is it spelled so?"
        raise NotRunnable(message)
    execute_found(code, [spec.origin or name, *rest], spec)


def code_of(spec: ModuleSpec | None) -> CodeType | None:
    """Return the code of a module that was found, if it has any."""
    get_code = getattr(spec and spec.loader, "get_code", None)
    code: CodeType | None = None if spec is None or get_code is None else get_code(spec.name)
    return code


def is_archive(path: str) -> bool:
    """Whether a path is a file from which the import system can import, such as a ``.pyz``."""
    for hook in sys.path_hooks:
        try:
            hook(path)
        except ImportError:
            continue
        return True
    return False


def run_archive(path: str, rest: Sequence[str]) -> None:
    """Run the module ``__main__`` of a folder or a zip file."""
    place = os.path.abspath(path)
    sys.path.insert(0, place)  # always, as it is where the program is
    spec = PathFinder.find_spec("__main__", [place])
    code = code_of(spec)
    if spec is None or code is None:
        message = f"{path!r} has no __main__.py in it: name the file that is to be run, or use -m"
        raise NotRunnable(message)
    execute_found(code, [path, *rest], spec)


def run_script(path: str, rest: Sequence[str]) -> None:
    """Run ``python path``."""
    put_first(os.path.dirname(os.path.realpath(path)))
    file = os.path.join(os.getcwd(), path)  # not made shorter, by python neither
    loader: Any = SourceFileLoader("__main__", file)
    try:
        if file.endswith(".pyc"):
            loader = SourcelessFileLoader("__main__", file)
            code = loader.get_code("__main__")
        else:
            with io.open_code(file) as opened:
                code = compile(opened.read(), file, "exec", dont_inherit=True)
    except OSError as error:
        message = f"cannot read {path!r}: {error.strerror}"
        raise NotRunnable(message) from None
    execute(code, [path, *rest], __loader__=loader, __file__=file, __cached__=None)


def execute_found(code: CodeType, argv: list[str], spec: ModuleSpec) -> None:
    """Execute the code of a module that the import system has found."""
    execute(
        code, argv, __spec__=spec, __loader__=spec.loader, __package__=spec.parent,
        __file__=spec.origin, __cached__=spec.cached,
    )  # fmt: skip


def execute(code: CodeType, argv: list[str], **names: Any) -> None:
    """Execute code in a new module ``__main__``, with these names in it."""
    module = ModuleType("__main__")
    # The module, which it is in __main__, and not its dictionary, which it is elsewhere.
    module.__dict__.update(names, __builtins__=builtins)
    if sys.version_info < (3, 14):
        module.__annotations__ = {}
    sys.modules["__main__"] = module
    sys.argv[:] = argv
    exec(code, module.__dict__)  # noqa: S102 - this is what running a program means
