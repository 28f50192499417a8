"""What is set up alike on an application and on a blueprint."""

from __future__ import annotations

import functools
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.client import Client
from stein.toolkit.exceptions import NotFound
from stein.web.app import Stein
from stein.web.blueprint import Blueprint
from stein.web.resources import Resources
from stein.web.setup import Setup, default_endpoint, setupmethod

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.web.response import Response


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.css").write_text("body {}")
    (tmp_path / "words.txt").write_bytes("grüß\n".encode())
    return tmp_path


@pytest.fixture
def app(root: Path) -> Stein:
    return Stein("tests_of_setup", root_path=str(root), instance_path=str(root))


@pytest.fixture(params=["application", "blueprint"])
def either(request: pytest.FixtureRequest, app: Stein, root: Path) -> Stein | Blueprint:
    if request.param == "application":
        return app
    return Blueprint("part", "tests_of_setup", root_path=str(root))


def served(either: Stein | Blueprint, app: Stein) -> Client:
    if isinstance(either, Blueprint):
        app.register_blueprint(either)
    return Client(app)


# -- views ---------------------------------------------------------------------------------------


def test_a_route_leads_to_the_function_which_stays_what_it_was(
    either: Stein | Blueprint, app: Stein
) -> None:
    def view() -> str:
        return "seen"

    assert either.route("/x")(view) is view
    assert served(either, app).get("/x").text == "seen"


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "patch"])
def test_the_shortcut_of_a_method_takes_that_method_only(
    method: str, either: Stein | Blueprint, app: Stein
) -> None:
    getattr(either, method)("/x", endpoint="there")(lambda: method)
    client = served(either, app)
    assert client.open("/x", method=method.upper()).text == method
    other = "GET" if method != "get" else "POST"
    assert client.open("/x", method=other).status_code == 405


def test_a_shortcut_refuses_methods_and_names_the_decorator_that_takes_them(
    either: Stein | Blueprint,
) -> None:
    with pytest.raises(TypeError, match=r"\['PUT'\].*Use the 'route' decorator"):
        either.get("/", methods=["PUT"])


@pytest.mark.parametrize("decorator", ["route", "get", "post"])
def test_a_route_without_a_rule_says_that_the_parentheses_are_missing(
    decorator: str, either: Stein | Blueprint
) -> None:
    def index() -> str:
        return ""

    with pytest.raises(TypeError, match=r"'index' without a rule.*@app\.route\(\"/path\"\)"):
        getattr(either, decorator)(index)


def test_one_decorator_can_stand_above_the_same_view_twice(app: Stein) -> None:
    decorate = app.route("/x", endpoint="there")
    view = decorate(lambda: "x")
    assert decorate(view) is view
    assert app.view_functions["there"] is view


def test_the_view_of_an_endpoint_can_come_later(app: Stein) -> None:
    app.add_url_rule("/x", endpoint="there")

    @app.endpoint("there")
    def view() -> str:
        return "late"

    assert Client(app).get("/x").text == "late"


def test_a_blueprint_gives_the_view_of_an_endpoint_by_its_whole_name(app: Stein) -> None:
    part = Blueprint("part", "tests_of_setup", root_path=app.root_path)
    part.add_url_rule("/x", endpoint="there")
    part.endpoint("part.there")(lambda: "late")
    app.register_blueprint(part)
    assert Client(app).get("/x").text == "late"


def index() -> str:
    return ""


def test_an_endpoint_is_the_name_of_the_function() -> None:
    assert default_endpoint(index) == "index"


def test_neither_view_nor_endpoint_is_an_error_that_says_what_to_pass() -> None:
    with pytest.raises(AssertionError, match="expected view func if endpoint is not provided"):
        default_endpoint(None)


def test_a_view_without_a_name_needs_an_endpoint() -> None:
    view: Any = functools.partial(str, "x")
    with pytest.raises(TypeError, match=r"functools\.partial.*Pass 'endpoint='"):
        default_endpoint(view)


# -- hooks and handlers --------------------------------------------------------------------------

TABLES = {
    "before_request": "before_request_funcs",
    "after_request": "after_request_funcs",
    "teardown_request": "teardown_request_funcs",
    "context_processor": "template_context_processors",
    "url_value_preprocessor": "url_value_preprocessors",
    "url_defaults": "url_default_functions",
}


@pytest.mark.parametrize("decorator", TABLES)
def test_a_hook_is_kept_in_its_table_and_given_back(
    decorator: str, either: Stein | Blueprint
) -> None:
    def hook(*_: Any) -> None: ...

    assert getattr(either, decorator)(hook) is hook
    assert getattr(either, TABLES[decorator])[None][-1] is hook


@pytest.mark.parametrize("decorator", TABLES)
def test_a_hook_that_cannot_be_called_is_refused_at_once(
    decorator: str, either: Stein | Blueprint
) -> None:
    with pytest.raises(TypeError, match=f"'{decorator}' was given None, which cannot be called"):
        getattr(either, decorator)(None)


@pytest.mark.parametrize("decorator", TABLES)
def test_a_plain_dictionary_in_place_of_a_table_will_do(
    decorator: str, either: Stein | Blueprint
) -> None:
    setattr(either, TABLES[decorator], {})
    getattr(either, decorator)(len)
    assert getattr(either, TABLES[decorator]) == {None: [len]}


def test_a_handler_of_errors_is_given_back_and_kept_by_status_and_class(
    either: Stein | Blueprint,
) -> None:
    def handler(error: Exception) -> str:
        return str(error)

    assert either.errorhandler(404)(handler) is handler
    either.register_error_handler(KeyError, handler)
    assert either.error_handler_spec == {
        None: {404: {NotFound: handler}, None: {KeyError: handler}}
    }


def test_what_no_handler_fits_is_refused_in_the_line_of_the_decorator(
    either: Stein | Blueprint,
) -> None:
    with pytest.raises(ValueError, match="999"):
        either.errorhandler(999)
    with pytest.raises(TypeError, match="is a function"):
        either.errorhandler(lambda error: "")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'register_error_handler' was given 'sorry'"):
        either.register_error_handler(404, "sorry")  # type: ignore[arg-type]


# -- the end of setup ----------------------------------------------------------------------------


def test_a_setup_method_asks_first_whether_setup_is_over_and_keeps_its_name() -> None:
    asked = []

    class Own(Setup):
        name = "own"

        def _check_setup_finished(self, f_name: str) -> None:
            asked.append(f_name)

        @setupmethod
        def add(self, value: int, *, twice: bool = False) -> int:
            """Add."""
            return value * (1 + twice)

    own = Own("tests_of_setup", root_path=".")
    assert own.add(3, twice=True) == 6
    assert own.add.__doc__ == "Add."
    own.before_request(lambda: None)
    assert asked == ["add", "before_request"]


def test_a_setup_by_itself_is_never_over_and_knows_no_rules() -> None:
    class Own(Setup):
        name = "own"

    own = Own("tests_of_setup", root_path=".")
    assert repr(own) == "<Own 'own'>"
    with pytest.raises(NotImplementedError):
        own.route("/")(lambda: "")


def after_the_first_request() -> list[Callable[[Any], object]]:
    return [
        lambda app: app.route("/late"),
        lambda app: app.add_url_rule("/late", "late"),
        lambda app: app.endpoint("late"),
        lambda app: app.before_request(len),
        lambda app: app.after_request(len),
        lambda app: app.teardown_request(len),
        lambda app: app.context_processor(len),
        lambda app: app.url_value_preprocessor(len),
        lambda app: app.url_defaults(len),
        lambda app: app.errorhandler(404),
        lambda app: app.register_error_handler(404, len),
        lambda app: app.register_blueprint(None),
    ]


@pytest.mark.parametrize("late", after_the_first_request())
def test_after_the_first_request_setup_is_over(late: Callable[[Any], object], app: Stein) -> None:
    Client(app).get("/")
    with pytest.raises(AssertionError, match=r"The setup method '.*' can no longer be called"):
        late(app)


@pytest.mark.parametrize("late", after_the_first_request())
def test_after_its_registration_the_setup_of_a_blueprint_is_over(
    late: Callable[[Any], object], app: Stein
) -> None:
    part = Blueprint("part", "tests_of_setup", root_path=app.root_path)
    app.register_blueprint(part)
    with pytest.raises(AssertionError, match=r"on the blueprint 'part': it is registered"):
        late(part)


# -- files ---------------------------------------------------------------------------------------


def test_the_static_folder_is_absolute_and_gives_the_path_of_its_urls(root: Path) -> None:
    files = Resources("tests_of_setup", "assets/css/", root_path=str(root))
    assert files.static_folder == str(root / "assets" / "css")
    assert files.static_url_path == "/css"
    files.static_url_path = "/s/"
    assert files.static_url_path == "/s"
    files.static_folder = root / "other"
    assert files.static_folder == str(root / "other")


def test_an_empty_static_folder_is_the_root_path_itself(root: Path) -> None:
    files = Resources("tests_of_setup", "", root_path=str(root))
    assert files.has_static_folder
    assert files.static_url_path == ""


def test_there_may_be_no_static_folder(root: Path) -> None:
    files = Resources("tests_of_setup", root_path=str(root))
    assert not files.has_static_folder
    assert files.static_folder is files.static_url_path is None
    with pytest.raises(RuntimeError, match="'static_folder' must be set"):
        files.send_static_file("a.css")


def test_the_root_path_is_found_by_the_import_name() -> None:
    assert Resources("stein.web").root_path == str(Path(sys.modules["stein.web"].__path__[0]))


@pytest.mark.parametrize(
    ("configured", "seconds"), [(None, None), (60, 60), (timedelta(minutes=2), 120)]
)
def test_a_static_file_may_be_kept_as_long_as_the_configuration_says(
    configured: Any, seconds: int | None, app: Stein
) -> None:
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = configured
    part = Blueprint("part", "tests_of_setup", "static", "/files", root_path=app.root_path)
    app.register_blueprint(part)
    client = Client(app)
    for url in ("/static/a.css", "/files/a.css"):
        with client.get(url) as response:
            assert response.text == "body {}"
            assert response.cache_control.max_age == seconds


def test_a_blueprint_may_decide_by_the_name_of_the_file(app: Stein) -> None:
    class Part(Blueprint):
        def get_send_file_max_age(self, filename: str | None) -> int | None:
            assert filename == "a.css"
            return 7

    app.register_blueprint(Part("part", "m", "static", "/files", root_path=app.root_path))
    with Client(app).get("/files/a.css") as response:
        assert response.cache_control.max_age == 7


def test_a_missing_static_file_is_not_found_and_none_outside_is_sent(app: Stein) -> None:
    client = Client(app)
    assert client.get("/static/none.css").status_code == 404
    assert client.get("/static/../words.txt").status_code == 404


@pytest.mark.parametrize("mode", ["w", "a", "r+", "wb", "x", ""])
def test_a_resource_is_opened_for_reading_only(mode: str, either: Stein | Blueprint) -> None:
    with pytest.raises(ValueError, match="can only be opened for reading") as caught:
        either.open_resource("words.txt", mode)
    assert repr(mode) in str(caught.value)


def test_a_resource_is_opened_below_the_root_path(either: Stein | Blueprint) -> None:
    with either.open_resource("words.txt") as file:
        assert file.read() == "grüß\n".encode()
    with either.open_resource("words.txt", "rt", encoding="latin-1") as file:
        assert file.read() == "grÃ¼Ã\x9f\n"


def test_a_blueprint_takes_text_for_utf_8(root: Path) -> None:
    part = Blueprint("part", "tests_of_setup", root_path=str(root))
    with part.open_resource("words.txt", "r") as file:
        assert file.read() == "grüß\n"


def test_templates_are_loaded_from_the_folder_if_there_is_one(root: Path) -> None:
    (root / "t").mkdir()
    (root / "t" / "x.html").write_text("X")
    files = Resources("tests_of_setup", template_folder=Path("t"), root_path=str(root))
    loader = files.jinja_loader
    assert loader is not None
    assert loader.list_templates() == ["x.html"]
    assert files.jinja_loader is loader
    assert Resources("tests_of_setup", root_path=str(root)).jinja_loader is None


# -- commands ------------------------------------------------------------------------------------


def test_the_commands_are_a_group_with_the_name_and_may_be_replaced(
    either: Stein | Blueprint,
) -> None:
    assert either.cli.name == either.name
    assert either.cli is either.cli
    mine: Any = object()
    either.cli = mine
    assert either.cli is mine


def test_neither_click_nor_jinja_is_imported_by_setting_up() -> None:
    program = (
        "import sys\n"
        "from stein.web.blueprint import Blueprint\n"
        "part = Blueprint('part', 'm', 'static', template_folder='t', root_path='/')\n"
        "part.route('/')(lambda: '')\n"
        "print({'click', 'jinja2', 'pathlib', 'importlib.util', 'logging'} & set(sys.modules))"
    )
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}"]
    command[-1] += f"\nsys.path.insert(0, {str(Path(__file__).parents[2] / 'src')!r})\n{program}"
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "set()\n"


# -- what type checkers must accept --------------------------------------------------------------


def typed(app: Stein) -> None:
    """Not called: mypy checks that each decorator keeps the type of the function."""

    @app.route("/<int:number>")
    def view(number: int) -> str:
        return str(number)

    @app.after_request
    def change(response: Response) -> Response:
        return response

    @app.errorhandler(KeyError)
    def missing(error: KeyError) -> tuple[str, int]:
        return str(error), 400

    @app.before_request
    async def prepare() -> None: ...

    text: str = view(number=3)
    pair: tuple[str, int] = missing(KeyError(text))
    assert pair
