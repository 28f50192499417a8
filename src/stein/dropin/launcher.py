"""Run a program as the interpreter would: ``-m module``, ``-c code`` or a script.

``runpy`` would put its own frames and a passing ``__main__`` between; multiprocessing, pickling
and debuggers want the module that stays.
"""

from __future__ import annotations

import importlib.util
import io
import os
import sys
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Final

from stein.dropin.children import lead
from stein.dropin.finder import install

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

__all__ = ["launch"]

USAGE: Final = """\
usage: python -m stein.dropin SCRIPT [ARGUMENT ...]
       python -m stein.dropin -m MODULE [ARGUMENT ...]
       python -m stein.dropin -c CODE [ARGUMENT ...]

Runs a Python program with `import flask`, `import werkzeug` and their submodules leading to stein.
Options of the interpreter stand before: python -W error -m stein.dropin -m pytest"""


def launch(arguments: list[str]) -> int | str | None:
    """Run what the arguments name, in this process, as ``__main__``.

    :param arguments: without the name of this program.
    :return: an exit status, if no program was run; what the program raises passes through.
    """
    first, *rest = arguments or ["--help"]
    if first in {"-h", "--help"}:
        print(USAGE)  # noqa: T201 - it is a command
        return 0
    if first in {"-m", "-c"} and not rest:
        return f"stein.dropin: {first} needs an argument\n\n{USAGE}"
    if first.startswith("-") and first not in {"-m", "-c"}:
        return f"stein.dropin: no option {first!r}\n\n{USAGE}"
    install()
    lead()
    if first == "-m":
        return _run_module(rest[0], rest[1:])
    if first == "-c":
        sys.path[0] = ""
        _run(compile(rest[0], "<string>", "exec", dont_inherit=True), ["-c", *rest[1:]])
        return None
    return _run_script(first, rest)


def _run_module(name: str, rest: list[str]) -> str | None:
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ModuleNotFoundError as error:
        return f"stein.dropin: no module {name!r}: {error}"
    get_code = getattr(spec and spec.loader, "get_code", None)
    if spec is None or get_code is None:
        return f"stein.dropin: there is no module {name!r} that can be run"
    code = get_code(spec.name)
    if code is None:
        return f"stein.dropin: module {name!r} has no Python code"
    sys.path[0] = os.getcwd()  # noqa: PTH109 - a text, as python puts it there
    _run(code, [spec.origin or name, *rest], spec)
    return None


def _run_script(path: str, rest: list[str]) -> str | None:
    if os.path.isdir(path):  # noqa: PTH112 - only looked at
        return f"stein.dropin: {path!r} is a folder; name the file in it, or use -m"
    try:
        with io.open_code(os.path.abspath(path)) as file:  # noqa: PTH100 - open_code wants a text
            source = file.read()
    except OSError as error:
        return f"stein.dropin: cannot read {path!r}: {error.strerror}"
    sys.path[0] = os.path.dirname(os.path.realpath(path))  # noqa: PTH120 - as python does it
    _run(compile(source, path, "exec", dont_inherit=True), [path, *rest])
    return None


def _run(code: CodeType, argv: list[str], spec: ModuleSpec | None = None) -> None:
    module = ModuleType("__main__")
    module.__dict__["__builtins__"] = __builtins__
    module.__spec__ = spec
    if spec is not None:
        module.__loader__ = spec.loader
        module.__package__ = spec.parent
        module.__file__ = spec.origin
    elif argv[0] != "-c":
        module.__file__ = argv[0]
    sys.modules["__main__"] = module
    sys.argv[:] = argv
    exec(code, module.__dict__)  # noqa: S102 - this is what running a program means
