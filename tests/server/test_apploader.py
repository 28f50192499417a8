"""Finding the application, and saying plainly why it was not found."""

from __future__ import annotations

import importlib
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from stein.errors import ApplicationNotFound, ConfigurationError
from stein.server.apploader import load_application, user_traceback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

APP = "def app(environ, start_response):\n    return [b'app']\n"


@pytest.fixture(autouse=True)
def clean_imports() -> Iterator[None]:
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return write_file


def refusal(target: str, app_dir: Path | None = None) -> ApplicationNotFound:
    with pytest.raises(ApplicationNotFound) as caught:
        load_application(target, app_dir)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ConfigurationError)
    return caught.value


FACTORIES = """
    class Site:
        def __init__(self, name):
            self.name = name
        def wsgi(self, environ, start_response):
            return [self.name.encode()]
    site = Site("site")
    def create(name="default", *, suffix=""):
        return Site(name + suffix).wsgi
"""


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        ("shop:site.wsgi", b"site"),
        ("shop:create()", b"default"),
        ("shop:create('prod')", b"prod"),
        ("shop:create('a:b', suffix='.py')", b"a:b.py"),
        ("shop.py:create('prod')", b"prod"),
    ],
)
def test_forms(write: Callable[[str, str], Path], target: str, answer: bytes) -> None:
    path = write("shop.py", FACTORIES)
    assert list(load_application(target, path.parent)({}, None)) == [answer]


@pytest.mark.parametrize(
    "text",
    [
        APP.replace("def app", "def application"),
        APP,
        APP.replace("def app", "def app_") + "def create_app():\n    return app_\n",
        APP.replace("def app", "def app_") + "def make_app(debug=False):\n    return app_\n",
        "import json as app\n" + APP.replace("def app", "def app_") + "create_app = lambda: app_\n",
    ],
)
def test_a_module_alone_is_asked_for_the_usual_names(
    write: Callable[[str, str], Path], text: str
) -> None:
    path = write("shop.py", text)
    assert list(load_application("shop", path.parent)({}, None)) == [b"app"]


def test_app_dir_comes_first_on_the_path(write: Callable[[str, str], Path]) -> None:
    path = write("shop.py", "import helper_of_shop\n" + APP)
    write("helper_of_shop.py", "")
    load_application("shop:app", path.parent)
    assert sys.path[0] == str(path.parent)


def test_the_working_directory_is_the_default(
    write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("shop.py", APP)
    monkeypatch.chdir(path.parent)
    assert callable(load_application("shop"))


def test_a_file_in_a_package_is_imported_as_part_of_it(write: Callable[[str, str], Path]) -> None:
    write("store/__init__.py", "")
    write("store/name.py", "NAME = b'relative'")
    path = write(
        "store/wsgi.py",
        "from .name import NAME\ndef app(environ, start_response):\n    return [NAME]\n",
    )
    assert list(load_application(str(path))({}, None)) == [b"relative"]
    assert "store.wsgi" in sys.modules


# -- the module is not there --------------------------------------------------------------------


def test_no_such_module_offers_a_near_name(write: Callable[[str, str], Path]) -> None:
    folder = write("shop.py", APP).parent
    error = refusal("shpo:app", folder)
    assert str(error).startswith(f"no module named 'shpo' in {folder}")
    assert str(error).endswith("did you mean shop?")
    assert error.__cause__ is None


def test_no_such_module_in_a_package_offers_its_modules(
    write: Callable[[str, str], Path],
) -> None:
    write("store/__init__.py", "")
    folder = write("store/wsgi.py", APP).parent.parent
    assert str(refusal("store.wsgy:app", folder)).endswith("did you mean wsgi?")


def test_a_missing_import_inside_the_module_is_another_matter(
    write: Callable[[str, str], Path],
) -> None:
    path = write("shop.py", "\nimport surely_missing\n" + APP)
    error = refusal("shop:app", path.parent)
    assert str(error) == (
        f"shop cannot be imported: {path}:2: ModuleNotFoundError: No module named 'surely_missing'"
    )
    assert isinstance(error.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("", "names no module"),
        (":app", "names no module"),
        ("shop/wsgi:app", "a file is written with its suffix: shop/wsgi.py"),
        ("missing.py:app", "no such file: "),
        ("1st:app", "neither a module's dotted name nor a .py file"),
        ("shop:app +", "behind the colon stands an attribute"),
        ("shop:create(open('x'))", "literal arguments"),
        ("shop:create(**{})", "literal arguments"),
        ("shop:create()()", "behind the colon"),
        ("shop:[app]", "behind the colon"),
        ("shop:" + "(" * 500, "behind the colon"),
    ],
)
def test_targets_that_say_nothing(
    write: Callable[[str, str], Path], target: str, text: str
) -> None:
    folder = write("shop.py", APP).parent
    assert text in str(refusal(target, folder))


def test_app_dir_must_be_a_directory(tmp_path: Path) -> None:
    assert "is not a directory" in str(refusal("shop:app", tmp_path / "missing"))


def test_a_file_must_not_take_the_name_of_another_module(
    write: Callable[[str, str], Path],
) -> None:
    path = write("textwrap.py", APP)
    error = refusal(str(path))
    assert "the name 'textwrap' is taken by the module" in str(error)
    assert str(error).endswith("rename the file")


# -- the module raises --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("x = 1\nraise ValueError('bad\\n config')\n", "shop.py:2: ValueError: bad config"),
        ("def app(:\n", "shop.py:1: SyntaxError: "),
        ("import sys\nsys.exit(3)\n", "shop.py:2: SystemExit: 3"),
        ("import json\njson.loads('{')\n", "JSONDecodeError: Expecting property name"),
        ("from json import nothing\n", "shop.py:1: ImportError: cannot import name 'nothing'"),
    ],
)
def test_what_a_module_raises_is_one_line_and_the_cause(
    write: Callable[[str, str], Path], text: str, end: str
) -> None:
    path = write("shop.py", text)
    error = refusal("shop:app", path.parent)
    assert str(error).startswith("shop cannot be imported: ")
    assert end in str(error)
    assert error.__cause__ is not None


def test_ctrl_c_during_the_import_is_left_alone(write: Callable[[str, str], Path]) -> None:
    path = write("shop.py", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_application("shop:app", path.parent)


def test_the_traceback_begins_in_the_users_code(write: Callable[[str, str], Path]) -> None:
    write("inner.py", "def fail():\n    raise LookupError('deep')\nfail()\n")
    path = write("shop.py", "import inner\n")
    shown = user_traceback(refusal("shop:app", path.parent)).splitlines()
    assert shown[0] == "Traceback (most recent call last):"
    assert shown[1] == f'  File "{path}", line 1, in <module>'
    assert shown[-1] == "LookupError: deep"
    assert "importlib" not in "".join(shown)
    assert "apploader" not in "".join(shown)


def test_the_traceback_of_a_syntax_error_has_a_caret_and_no_frames(
    write: Callable[[str, str], Path],
) -> None:
    path = write("shop.py", "x = 1\ny = = 2\n")
    shown = user_traceback(refusal("shop:app", path.parent)).splitlines()
    assert shown[0] == f'  File "{path}", line 2'
    assert shown[1].strip() == "y = = 2"
    assert set(shown[2].strip()) == {"^"}
    assert shown[3] == "SyntaxError: invalid syntax"


def test_exceptions_behind_the_exception_are_folded_too(
    write: Callable[[str, str], Path],
) -> None:
    text = """
        import importlib
        try:
            importlib.import_module("surely_missing")
        except ImportError as error:
            raise RuntimeError("no plugin") from error
    """
    path = write("shop.py", text)
    shown = user_traceback(refusal("shop:app", path.parent))
    assert "The above exception was the direct cause" in shown
    assert "<frozen importlib" not in shown
    assert shown.count(str(path)) == 2


# -- the attribute ------------------------------------------------------------------------------

MODULE = """
    import json
    from collections import OrderedDict
    VERSION = "1.0"
    application_name = "shop"
    def make_wsgi(environ, start_response):
        return []
    def other(): pass
    def create(name):
        return 7
    def build():
        raise ValueError("no database")
    async def asgi(scope, receive, send): pass
    class Site:
        pass
    site = Site()
"""


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("shop:wsgi", ["shop has no attribute 'wsgi'", "did you mean asgi or make_wsgi?", "other"]),
        ("shop:zzz", ["shop has no attribute 'zzz'; it offers make_wsgi, other"]),
        ("shop:site.wsgi", ["shop.site has no attribute 'wsgi'"]),
        ("shop", ["shop has none of application, app, create_app(), make_app()"]),
        ("shop:VERSION", ["cannot be called; it is str '1.0'"]),
        ("shop:site", ["cannot be called; it is shop.Site"]),
        ("shop:VERSION()", ["shop.VERSION cannot be called; it is str '1.0'"]),
        ("shop:create()", ["missing a required argument: 'name'", "into the parentheses"]),
        ("shop:create('x')", ["\"shop:create('x')\" is no application", "it is int 7"]),
        ("shop:other", ["it takes ()", "if it makes the application, write shop:other()"]),
        ("shop:asgi", ["(scope, receive, send)", "it is an ASGI application"]),
    ],
)
def test_attributes_that_are_no_application(
    write: Callable[[str, str], Path], target: str, parts: list[str]
) -> None:
    message = str(refusal(target, write("shop.py", MODULE).parent))
    for part in parts:
        assert part in message
    assert "OrderedDict" not in message


def test_a_factory_that_raises(write: Callable[[str, str], Path]) -> None:
    path = write("shop.py", MODULE)
    error = refusal("shop:build()", path.parent)
    assert str(error) == f"shop.build() failed: {path}:12: ValueError: no database"
    assert user_traceback(error).splitlines()[1].endswith("line 12, in build")


def test_a_callable_that_tells_no_signature_is_taken_at_its_word(
    write: Callable[[str, str], Path],
) -> None:
    path = write(
        "shop.py", "class A:\n    __signature__ = 3\n    def __call__(self): ...\napp = A()"
    )
    assert callable(load_application("shop:app", path.parent))


@pytest.mark.parametrize("target", ["shop:app", "shop:site"])
def test_what_stands_around_a_function_is_what_will_be_called(
    write: Callable[[str, str], Path], target: str
) -> None:
    # as Request.application of stein.toolkit and of Werkzeug does it
    text = """
        import functools
        def application(function):
            @functools.wraps(function)
            def app(*args):
                environ, start_response = args[-2:]
                start_response("200 OK", [])
                return [function(environ["PATH_INFO"]).encode()]
            return app
        @application
        def app(request):
            return request
        class Site:
            @application
            def __call__(self):
                return "nobody calls this"
        site = Site()
    """
    path = write("shop.py", text)
    assert callable(load_application(target, path.parent))
