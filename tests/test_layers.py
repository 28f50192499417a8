"""The table of layers in CONTRIBUTING.md, held against the imports of every module.

Read from the syntax tree, so imports inside functions and under ``if TYPE_CHECKING`` count, too:
the latter may say what is passed *down* a layer as little as the others may.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = ROOT / "src"
STDLIB: Final = sys.stdlib_module_names


@dataclasses.dataclass(frozen=True, slots=True)
class Layer:
    """One row of the table."""

    may_import: frozenset[str] = frozenset()  #: other layers
    third_party: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()  #: modules of the standard library


def row(may_import: str = "", third_party: str = "", forbidden: str = "") -> Layer:
    return Layer(*(frozenset(text.split()) for text in (may_import, third_party, forbidden)))


# What a module would need to reach the world: the bytes alone decide in http/.
THE_WORLD: Final = (
    "_socket _ssl _thread asyncio concurrent fcntl logging mmap multiprocessing os pathlib "
    "posix random select selectors shutil signal socket socketserver ssl subprocess "
    "tempfile threading time"
)

LAYERS: Final = {
    "root": row(),
    "http": row("root", third_party="httptools", forbidden=THE_WORLD),
    "server": row("root http"),
    "toolkit": row("root http", third_party="markupsafe"),
    "web": row(
        "root http toolkit",
        third_party="jinja2 click itsdangerous blinker markupsafe orjson redis cryptography dotenv",
    ),
    "observe": row("root http toolkit"),
    "serving": row(
        "root http server toolkit web observe dropin package",
        "click cryptography watchfiles gevent",
    ),
    "dropin": row("root"),
    # The two modules that belong to no layer.  `stein` gives its public names on first use, and
    # `stein.__main__` is the command; both stand above all layers, and none of them may use what
    # is above it.  (serving asks `stein` for its version.)
    "package": row("server web"),
    "main": row("serving"),
}
ROOT_MODULES: Final = {
    "bequest", "clock", "errors", "interpreter", "marks", "messages", "parentage", "snapshot",
    "suggestions", "targets", "tracebacks", "typing",
}  # fmt: skip

# A third-party name is for the whole layer, unless it is said here where it may stand.
ONLY_IN: Final = {
    "gevent": {"stein.serving.greenlets"},
    "httptools": {"stein.http.h1.reader", "stein.http.h1.chunked"},
    "cryptography": {"stein.serving.certificates", "stein.web.cli.certificates"},
    "dotenv": {"stein.web.cli.dotenv", "stein.web.cli.options"},
    "orjson": {"stein.web.json.large"},
    "redis": {"stein.web.sessions.redis"},
}

# `app.run()` and `app.serve()` are methods of an application, and what serves it stands above.
# One module goes up there, and imports it late.
UPWARD: Final = {"stein.web.running": {"server", "serving"}}

# Noun, please: what would not go in here?
NAMELESS: Final = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "tools"}


@dataclasses.dataclass(frozen=True, slots=True)
class Module:
    name: str
    path: Path
    tree: ast.Module

    @property
    def layer(self) -> str:
        _, _, rest = self.name.partition(".")
        first, _, _ = rest.partition(".")
        if not rest:
            return "package"
        if first == "__main__":
            return "main"
        return "root" if first in ROOT_MODULES else first


@dataclasses.dataclass(frozen=True, slots=True)
class Import:
    name: str  #: the module, or a name in it
    line: int
    at_import_time: bool
    for_types_only: bool


def read(path: Path) -> Module:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, path, ast.parse(path.read_text(encoding="utf-8")))


MODULES: Final = [read(path) for path in sorted((SOURCE / "stein").rglob("*.py"))]
NAMES: Final = {module.name for module in MODULES}


def imports(module: Module) -> Iterator[Import]:
    """Give all imports of a module, wherever they stand."""
    waiting: list[tuple[ast.AST, bool, bool]] = [(module.tree, True, False)]
    while waiting:
        node, now, types = waiting.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, now and not types, types)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}:{node.lineno}: relative import"
            assert node.module is not None
            for alias in node.names:
                yield Import(f"{node.module}.{alias.name}", node.lineno, now and not types, types)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += [(child, now, True) for child in node.body]
            waiting += [(child, now, types) for child in node.orelse]
        else:
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            waiting += [(child, now and not inside, types) for child in ast.iter_child_nodes(node)]


def home(name: str) -> str:
    """The module of stein that an imported name leads to."""
    while name not in NAMES:
        name, _, _ = name.rpartition(".")
        assert name, "a module of stein that is not there"
    return name


def layer_of(name: str) -> str:
    return next(module.layer for module in MODULES if module.name == home(name))


def breaches(module: Module) -> Iterator[str]:
    """Say what a module imports that its row in the table does not allow."""
    layer = LAYERS[module.layer]
    for each in imports(module):
        where = f"{module.name}:{each.line}: {each.name}"
        top = each.name.partition(".")[0]
        if top == "stein":
            to = layer_of(each.name)
            allowed = {module.layer, *layer.may_import}
            if not each.at_import_time:
                allowed |= UPWARD.get(module.name, set())
            if to not in allowed:
                yield f"{where}: {module.layer} may not import {to}"
        elif top == "__future__":
            continue
        elif top in STDLIB:
            if top in layer.forbidden:
                yield f"{where}: {module.layer} may not reach the world"
        elif top not in layer.third_party or module.name not in ONLY_IN.get(top, NAMES):
            yield f"{where}: third-party name that {module.layer} may not use here"


def named(module: Module) -> str:
    return module.name


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_imports_follow_the_table(module: Module) -> None:
    assert module.layer in LAYERS, "a new layer is a new row: here, and in CONTRIBUTING.md"
    assert list(breaches(module)) == []


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_a_module_says_what_it_is_for(module: Module) -> None:
    text = ast.get_docstring(module.tree)
    assert text
    assert text.partition("\n")[0].rstrip().endswith((".", "?", ":", ".)")), text


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_a_module_is_a_noun(module: Module) -> None:
    assert not NAMELESS & {part.strip("_") for part in module.name.split(".")}


def test_no_module_needs_itself_while_it_is_imported() -> None:
    needs = {
        module.name: {
            home(each.name)
            for each in imports(module)
            if each.at_import_time and each.name.partition(".")[0] == "stein"
        }
        - {module.name}
        for module in MODULES
    }
    # What nothing unfinished is needed by can be imported next; what stays is in a circle.
    while ready := {name for name, wanted in needs.items() if not wanted}:
        needs = {name: wanted - ready for name, wanted in needs.items() if name not in ready}
    assert needs == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("http/dates.py", "import time"),
        ("http/dates.py", "def f():\n    from os import path"),
        ("http/dates.py", "from stein.server.crew import Crew"),
        ("http/dates.py", "if TYPE_CHECKING:\n    from stein.server import Server"),
        ("http/dates.py", "class A:\n    import stein.observe"),
        ("http/h1/writer.py", "import httptools"),
        ("http/h1/reader.py", "import click"),
        ("http/status.py", "from stein import Server"),
        ("server/crew.py", "import httptools"),
        ("server/crew.py", "if TYPE_CHECKING:\n    import stein.observe.accesslog"),
        ("server/crew.py", "from stein import serving"),
        ("web/running.py", "from stein.serving import run"),
        ("web/running.py", "def f():\n    from stein.observe import lines"),
        ("web/app.py", "def f():\n    from stein.serving import run"),
        ("observe/lines.py", "try:\n    import click\nexcept ImportError:\n    pass"),
        ("observe/lines.py", "f = lambda: __import__\nfrom stein.server import Settings"),
        ("errors.py", "from stein.http import limits"),
        ("errors.py", "import httptools"),
    ],
)
def test_a_breach_would_be_seen(name: str, text: str) -> None:
    path = SOURCE / "stein" / name
    module = dataclasses.replace(read(path), tree=ast.parse(text))
    assert len(list(breaches(module))) == 1


def test_what_the_table_allows_is_no_breach() -> None:
    text = "import socket, stein.errors\nfrom stein.http.h1 import reader\nimport stein.server.tls"
    module = dataclasses.replace(read(SOURCE / "stein/server/crew.py"), tree=ast.parse(text))
    assert list(breaches(module)) == []


def loaded_by(statement: str) -> set[str]:
    """Names in ``sys.modules`` of a fresh interpreter after a statement, and not before it."""
    program = (
        "import sys, json; before = set(sys.modules)\n"
        f"{statement}\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    # -I and -S: neither the environment nor what .pth files import may be taken for ours.
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}"]
    command[-1] += f"\nsys.path.insert(0, {str(SOURCE)!r})\n{program}"
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return set(json.loads(done.stdout))


def test_importing_the_package_costs_nothing() -> None:
    ours = {name for name in loaded_by("import stein") if name.startswith("stein")}
    assert ours == {"stein"}
    heavy = {"httptools", "click", "socket", "ssl", "threading", "logging", "asyncio", "re"}
    # importlib itself may bring some standard modules, but nothing of the server's.
    assert not (heavy - {"re", "threading"}) & loaded_by("import stein")


def test_the_reader_brings_no_socket_along() -> None:
    # httptools imports asyncio for a protocol class of its own, if at all: that is why the rule
    # is about our own imports.  The rest of http/ must be clean down to the last module.
    names = loaded_by(
        "import stein.http.h1.writer, stein.http.h1.strict, stein.http.h1.framing, "
        "stein.http.status, stein.http.dates, stein.http.grammar, stein.http.limits"
    )
    assert not {"socket", "_socket", "ssl", "select", "threading", "logging", "asyncio"} & names
    assert not {name for name in names if name.startswith("stein.server")}


def test_a_worker_imports_no_more_than_it_uses() -> None:
    """What a worker process has in memory there is once for each of them."""
    names = loaded_by("import stein.serving.workermain")
    seldom = {"ssl", "tempfile", "shutil", "random", "difflib", "tomllib", "subprocess", "click"}
    assert not seldom & names
    assert not {name for name in names if name.startswith(("stein.web", "stein.toolkit"))}


def test_the_public_names_are_where_the_package_says() -> None:
    import stein

    for name in stein.__all__:
        assert getattr(stein, name) is not None
        assert name in dir(stein)
    with pytest.raises(AttributeError, match=r"'Sever'; did you mean Server\?"):
        stein.Sever  # noqa: B018
    with pytest.raises(AttributeError, match=r"'qqqqq'; it offers .*Server"):
        stein.qqqqq  # noqa: B018


# A path of somebody's machine, or the address of a package index.
PLACES: Final = re.compile(
    r"(?<![\w.])/(?:home|Users)/\w+/|(?<![\w.])/(?:work|root|opt)/\w|[A-Z]:\\Users\\|"
    r"https?://[^\s\"'`]*/simple\b|(?:index-url|find-links|trusted-host)\s*[=\s]\s*\S*[/.]"
)


def tracked() -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    files = (ROOT / name for name in done.stdout.split("\0") if name)
    return [path for path in files if path.is_file() and path != Path(__file__)]


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            if PLACES.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


@pytest.mark.parametrize(
    "line",
    ["/home/anna/stein/x", "cd /opt/stein", "https://mirror.example/pypi/simple", "C:\\Users\\a"],
)
def test_a_place_would_be_seen(line: str) -> None:
    assert PLACES.search(line)
