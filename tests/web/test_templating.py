"""Templates: found, rendered, streamed, and given their variables."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.ext import Extension
from markupsafe import Markup

from stein.toolkit.client import Client
from stein.web import templating
from stein.web.app import Stein
from stein.web.blueprint import Blueprint
from stein.web.globals import g, request, session
from stein.web.jinja import DispatchingJinjaLoader, Environment, MissingTemplate
from stein.web.templating import (
    get_template_attribute,
    render_template,
    render_template_string,
    stream_template,
    stream_template_string,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Write = Callable[..., None]


@pytest.fixture
def app(tmp_path: Path) -> Stein:
    app = Stein("templating", root_path=str(tmp_path))
    app.secret_key = "not a secret"  # noqa: S105 - it says so
    app.testing = True
    return app


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str, folder: str = "templates") -> None:
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def context(app: Stein) -> Iterator[None]:
    with app.app_context():
        yield


def test_an_application_without_templates_never_imports_jinja() -> None:
    program = (
        "import sys\n"
        "from stein.toolkit.client import Client\n"
        "from stein.web.app import Stein\n"
        "from stein.web.templating import render_template\n"
        "app = Stein('plain', root_path='.')\n"
        "app.add_url_rule('/', 'index', lambda: 'hello')\n"
        "app.context_processor(dict)\n"
        "assert Client(app).get('/').text == 'hello'\n"
        "print('jinja2' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "False\n"


def test_the_module_has_the_names_that_need_jinja() -> None:
    assert templating.Environment is Environment
    assert templating.DispatchingJinjaLoader is DispatchingJinjaLoader
    with pytest.raises(AttributeError, match="Enviroment"):
        templating.Enviroment  # noqa: B018


class TestRendering:
    @pytest.mark.usefixtures("context")
    def test_a_file_of_the_applications_folder(self, write: Write) -> None:
        write("a/hello.html", "Hello {{ name }}")
        assert render_template("a/hello.html", name="Anna") == "Hello Anna"

    @pytest.mark.usefixtures("context")
    def test_of_a_list_the_first_that_exists(self, app: Stein, write: Write) -> None:
        write("b.html", "b")
        template = app.jinja_env.from_string("given")
        assert render_template(["a.html", "b.html"]) == "b"
        assert render_template(["a.html", template]) == "given"
        assert render_template(template) == "given"

    @pytest.mark.usefixtures("context")
    def test_files_inherit_include_and_import(self, write: Write) -> None:
        write("base.html", "<{% block body %}{% endblock %}>")
        write("macros.html", "{% macro twice(text) %}{{ text }}{{ text }}{% endmacro %}")
        write("part.html", "[{{ name }}]")
        write(
            "page.html",
            '{% extends "base.html" %}{% from "macros.html" import twice %}'
            '{% block body %}{% include "part.html" %}{{ twice("x") }}{% endblock %}',
        )
        assert render_template("page.html", name="a") == "<[a]xx>"

    @pytest.mark.usefixtures("context")
    def test_html_is_escaped_by_the_name_of_the_file(self, write: Write) -> None:
        text = "{{ value }} {{ safe }}"
        values = {"value": "<b>", "safe": Markup("<i>")}
        for name in ("a.html", "a.htm", "a.xml", "a.xhtml", "a.svg"):
            write(name, text)
            assert render_template(name, **values) == "&lt;b&gt; <i>"
        write("mail.txt", text)
        assert render_template("mail.txt", **values) == "<b> <i>"
        assert render_template_string(text, **values) == "&lt;b&gt; <i>"

    @pytest.mark.usefixtures("context")
    def test_json_is_written_as_the_application_writes_it(self, app: Stein) -> None:
        class Odd:
            pass

        app.json.default = lambda _: "<odd>"  # type: ignore[attr-defined]
        assert render_template_string("{{ [odd]|tojson }}", odd=Odd()) == '["\\u003codd\\u003e"]'

    @pytest.mark.usefixtures("context")
    def test_a_macro_can_be_used_in_python(self, write: Write) -> None:
        write("_macros.html", "{% macro hello(name) %}Hello {{ name }}!{% endmacro %}")
        assert get_template_attribute("_macros.html", "hello")("<x>") == "Hello &lt;x&gt;!"
        with pytest.raises(AttributeError, match="goodbye"):
            get_template_attribute("_macros.html", "goodbye")

    @pytest.mark.parametrize(
        "call",
        [
            lambda: render_template("a.html"),
            lambda: render_template_string("a"),
            lambda: stream_template("a.html"),
            lambda: stream_template_string("a"),
            lambda: get_template_attribute("a.html", "b"),
        ],
    )
    def test_outside_of_a_context_the_error_says_what_to_do(
        self, call: Callable[[], object]
    ) -> None:
        with pytest.raises(RuntimeError, match=r"with app\.app_context\(\)"):
            call()

    @pytest.mark.usefixtures("context")
    @given(st.text(max_size=50))
    def test_variables_are_never_taken_for_a_template(self, text: str) -> None:
        shown = render_template_string(
            "{% autoescape false %}{{ text }}{% endautoescape %}", text=text
        )
        assert shown == text

    @pytest.mark.usefixtures("context")
    def test_an_error_in_a_template_is_shown_with_its_line(self, write: Write) -> None:
        write("bad.html", "first\n{{ 1 / 0 }}\n")
        with pytest.raises(ZeroDivisionError) as caught:
            render_template("bad.html")
        lines = [(entry.path, entry.lineno + 1) for entry in caught.traceback]
        assert any(str(path).endswith("bad.html") and line == 2 for path, line in lines)

    @pytest.mark.usefixtures("context")
    def test_a_text_that_is_no_template_is_a_syntax_error(self) -> None:
        for _ in range(2):
            with pytest.raises(jinja2.TemplateSyntaxError, match="endif"):
                render_template_string("{% if a %}")


class TestVariables:
    def test_request_session_g_and_config_are_there(self, app: Stein) -> None:
        app.config["COLOUR"] = "red"

        @app.route("/")
        def index() -> str:
            g.user = "anna"
            session["theme"] = "dark"
            return render_template_string(
                "{{ request.args.q }} {{ g.user }} {{ session.theme }} {{ config.COLOUR }}"
                " {{ url_for('index') }}"
            )

        assert Client(app).get("/?q=1").text == "1 anna dark red /"

    @pytest.mark.usefixtures("context")
    def test_outside_of_a_request_there_is_g_and_no_request(self) -> None:
        g.user = "anna"
        assert render_template_string("{{ g.user }} {{ request is defined }}") == "anna True"
        with pytest.raises(RuntimeError, match="request context"):
            render_template_string("{{ request.path }}")

    def test_in_a_request_they_are_the_objects_themselves(self, app: Stein) -> None:
        types: dict[str, type] = {}
        app.jinja_env.filters["look"] = lambda value, name: types.setdefault(name, type(value))
        with app.test_request_context("/"):
            render_template_string("{{ request|look('request') }}{{ g|look('g') }}")
            assert types["request"] is app.request_class
            assert types["g"] is app.app_ctx_globals_class

    def test_a_template_that_reads_the_session_makes_the_answer_vary(self, app: Stein) -> None:
        app.add_url_rule("/read", "read", lambda: render_template_string("{{ session.a }}"))
        app.add_url_rule("/not", "not", lambda: render_template_string("{{ request.path }}"))
        client = Client(app)
        assert client.get("/read").headers["Vary"] == "Cookie"
        assert "Vary" not in client.get("/not").headers

    @pytest.mark.usefixtures("context")
    def test_what_the_view_gives_wins_over_all(self, app: Stein) -> None:
        app.context_processor(lambda: {"a": "processor", "b": "processor"})
        app.jinja_env.globals["c"] = "global"
        text = "{{ a }} {{ b }} {{ c }} {{ config }}"
        assert render_template_string(text, a="view", config="mine") == "view processor global mine"
        assert render_template_string("{{ c }}", c="view") == "view"

    def test_context_processors_of_blueprints_come_from_outside_in(self, app: Stein) -> None:
        def view() -> str:
            return render_template_string("{{ a }}{{ b }}{{ c }}")

        outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
        app.context_processor(lambda: {"a": 1, "b": 1, "c": 1})
        outer.context_processor(lambda: {"b": 2, "c": 2})
        inner.context_processor(lambda: {"c": 3})
        for number, where in enumerate((app, outer, inner)):
            where.add_url_rule(f"/{number}", "view", view)
        outer.register_blueprint(inner)
        app.register_blueprint(outer)
        client = Client(app)
        assert [client.get(f"/{number}").text for number in range(3)] == ["111", "122", "123"]

    @pytest.mark.parametrize("of", ["app", "blueprint"])
    @pytest.mark.parametrize(
        ("returned", "what"), [(None, "None"), ("text", "a str"), (7, "an int")]
    )
    def test_a_context_processor_must_return_a_dict(
        self, app: Stein, of: str, returned: Any, what: str
    ) -> None:
        def forgetful() -> Any:
            return returned

        blueprint = Blueprint("pages", __name__)
        {"app": app, "blueprint": blueprint}[of].context_processor(forgetful)
        blueprint.add_url_rule("/", "page", lambda: render_template_string("x"))
        app.register_blueprint(blueprint)
        app.testing = True
        with pytest.raises(TypeError) as caught:
            app.test_client().get("/")
        line = forgetful.__code__.co_firstlineno
        assert str(caught.value) == (
            f"The context processor forgetful() ({__file__}:{line}) returned {what}: it must return"
            " a dict of variables, which may be empty."
        )

    def test_a_context_processor_may_be_a_coroutine_function(self, app: Stein) -> None:
        @app.context_processor
        async def more() -> dict[str, Any]:
            return {"a": "awaited"}

        app.add_url_rule("/", "index", lambda: render_template_string("{{ a }}"))
        assert Client(app).get("/").text == "awaited"

    @pytest.mark.usefixtures("context")
    def test_an_application_may_update_the_context_itself(self, tmp_path: Path) -> None:
        class Mine(Stein):
            def update_template_context(self, context: dict[str, Any]) -> None:
                super().update_template_context(context)
                context["a"] = "mine"

        with Mine("mine", root_path=str(tmp_path)).app_context():
            assert render_template_string("{{ a }}", a="view") == "mine"

    @pytest.mark.usefixtures("context")
    def test_an_imported_template_without_context_has_the_globals(
        self, app: Stein, write: Write
    ) -> None:
        write("_m.html", "{% macro where() %}{{ config.NAME }}{{ extra }}{% endmacro %}")
        write("page.html", '{% import "_m.html" as m %}{{ m.where() }}')
        write("with.html", '{% import "_m.html" as m with context %}{{ m.where() }}')
        app.config["NAME"] = "x"
        assert render_template("page.html", extra="y") == "x"
        assert render_template("with.html", extra="y") == "xy"

    @pytest.mark.usefixtures("context")
    def test_globals_given_to_a_template_are_layered_over_those_of_all(self, app: Stein) -> None:
        app.jinja_env.globals.update(a="all", b="all")
        template = app.jinja_env.from_string("{{ a }} {{ b }}", globals={"a": "own"})
        assert template.render() == "own all"
        assert template.render(b="view") == "own view"
        app.jinja_env.globals["b"] = "later"
        assert template.render() == "own later"

    @pytest.mark.usefixtures("context")
    def test_a_template_sees_its_whole_context(self, app: Stein) -> None:
        @jinja2.pass_context
        def names(context: Any) -> str:
            return ",".join(sorted(set(context.keys()) & {"a", "b", "g", "config", "range"}))

        app.add_template_global(names)
        text = "{{ names() }}{% set b = 1 %} {{ names() }}"
        assert render_template_string(text, a=1) == "a,config,g,range a,b,config,g,range"


def test_without_a_context_there_are_no_variables() -> None:
    assert templating._default_template_ctx_processor() == {}


class TestStreaming:
    def test_it_sees_its_request_to_the_end(self, app: Stein, write: Write) -> None:
        write("list.html", "{% for i in items %}{{ i }}{{ request.path }} {% endfor %}")
        app.add_url_rule("/a", "a", lambda: stream_template("list.html", items=range(3)))
        app.add_url_rule("/b", "b", lambda: stream_template_string("{{ request.path }}"))
        client = Client(app)
        assert client.get("/a").text == "0/a 1/a 2/a "
        assert client.get("/b").text == "/b"

    @pytest.mark.usefixtures("context")
    def test_pieces_are_made_when_they_are_asked_for(self) -> None:
        asked = []

        def items() -> Iterator[int]:
            for number in range(3):
                asked.append(number)
                yield number

        pieces = stream_template_string("{% for i in items %}{{ i }},{% endfor %}", items=items())
        assert asked == []
        next(pieces)
        assert asked == [0]
        assert "".join(pieces).endswith("2,")

    @pytest.mark.usefixtures("context")
    def test_what_the_view_gives_wins_there_too(self) -> None:
        assert "".join(stream_template_string("{{ config }}", config=42)) == "42"


class TestEnvironment:
    def test_its_options_are_those_of_the_application(self, app: Stein) -> None:
        app.jinja_options = {"trim_blocks": True, "autoescape": False, "auto_reload": True}
        environment = app.jinja_env
        assert isinstance(environment, Environment)
        assert environment.app is app
        assert environment.trim_blocks
        assert environment.auto_reload
        assert environment.autoescape is False

    @pytest.mark.parametrize(
        ("debug", "option", "expected"),
        [
            (False, None, False),
            (False, True, True),
            (True, None, True),
            (True, False, False),
        ],
    )
    def test_files_are_looked_at_again_as_the_configuration_says(
        self, app: Stein, *, debug: bool, option: bool | None, expected: bool
    ) -> None:
        app.debug = debug
        app.config["TEMPLATES_AUTO_RELOAD"] = option
        assert app.jinja_env.auto_reload is expected

    @pytest.mark.usefixtures("context")
    def test_a_changed_file_is_rendered_anew_if_files_are_looked_at(
        self, app: Stein, write: Write, tmp_path: Path
    ) -> None:
        app.config["TEMPLATES_AUTO_RELOAD"] = True
        write("a.html", "one")
        assert render_template("a.html") == "one"
        write("a.html", "two")
        os.utime(tmp_path / "templates/a.html", (1, 1))
        assert render_template("a.html") == "two"

    def test_an_application_may_have_a_class_of_its_own(self, tmp_path: Path) -> None:
        class Mine(Environment):
            pass

        class App(Stein):
            jinja_environment = Mine

        assert type(App("x", root_path=str(tmp_path)).jinja_env) is Mine

    def test_an_application_may_find_its_templates_elsewhere(self, tmp_path: Path) -> None:
        class App(Stein):
            def create_global_jinja_loader(self) -> Any:
                return jinja2.DictLoader({"a.html": "from a dictionary"})

        app = App("x", root_path=str(tmp_path))
        with app.app_context():
            assert render_template("a.html") == "from a dictionary"

    def test_an_environment_of_jinjas_own_will_do(self, tmp_path: Path) -> None:
        class App(Stein):
            def create_jinja_environment(self) -> Any:
                loader = jinja2.DictLoader({"a": "{{ x }}"})
                return jinja2.Environment(loader=loader, autoescape=True)

        app = App("x", root_path=str(tmp_path))
        with app.app_context():
            assert render_template("a", x=1) == "1"
            assert render_template_string("{{ x }}", x="<") == "&lt;"

    def test_an_application_may_decide_on_escaping(self, tmp_path: Path, write: Write) -> None:
        class App(Stein):
            def select_jinja_autoescape(self, filename: str | None) -> bool:
                return filename is not None and filename.endswith(".escaped")

        write("a.escaped", "{{ x }}")
        write("a.html", "{{ x }}")
        app = App("x", root_path=str(tmp_path))
        with app.app_context():
            assert render_template("a.escaped", x="<") == "&lt;"
            assert render_template("a.html", x="<") == "<"
            assert render_template_string("{{ x }}", x="<") == "<"


@pytest.mark.usefixtures("context")
class TestKeptTexts:
    """What was compiled with something that has changed must not be used again."""

    def test_a_text_is_compiled_once(self, app: Stein, monkeypatch: pytest.MonkeyPatch) -> None:
        compiled = []
        original: Any = app.jinja_env.compile

        def compile_(*args: Any) -> Any:
            compiled.append(args)
            return original(*args)

        monkeypatch.setattr(app.jinja_env, "compile", compile_)
        for number in range(3):
            assert render_template_string("{{ n }}", n=number) == str(number)
        assert len(compiled) == 1

    def test_a_filter_that_is_replaced(self, app: Stein) -> None:
        text = "{{ 'abc'|change }}"
        with pytest.raises(jinja2.TemplateAssertionError, match="change"):
            render_template_string(text)
        app.add_template_filter(str.upper, "change")
        assert render_template_string(text) == "ABC"
        app.jinja_env.filters["change"] = str.title
        assert render_template_string(text) == "Abc"
        app.jinja_env.filters |= {"change": lambda text: text[::-1]}
        assert render_template_string(text) == "cba"
        del app.jinja_env.filters["change"]
        with pytest.raises(jinja2.TemplateAssertionError, match="change"):
            render_template_string(text)

    @pytest.mark.parametrize(
        "change",
        [
            lambda tests: tests.update(odd=lambda _: False),
            lambda tests: tests.__setitem__("odd", lambda _: False),
            lambda tests: (tests.pop("odd"), tests.setdefault("odd", lambda _: False)),
        ],
    )
    def test_a_test_that_is_replaced(self, app: Stein, change: Callable[[Any], None]) -> None:
        text = "{{ 3 is odd }}"
        assert render_template_string(text) == "True"
        change(app.jinja_env.tests)
        assert render_template_string(text) == "False"

    def test_an_option_that_is_changed(self, app: Stein) -> None:
        text = "{% if true %}\nx{% endif %}"
        assert render_template_string(text) == "\nx"
        app.jinja_env.trim_blocks = True
        assert render_template_string(text) == "x"

    def test_a_policy_that_is_changed(self, app: Stein) -> None:
        text = "{{ {'a': 1}|tojson }}"
        assert render_template_string(text) == '{"a": 1}'
        app.jinja_env.policies["json.dumps_function"] = lambda *_, **__: "mine"
        assert render_template_string(text) == "mine"

    def test_an_extension_that_is_added(self, app: Stein) -> None:
        class Shout(Extension):
            def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
                return source.upper()

        assert render_template_string("hello") == "hello"
        app.jinja_env.add_extension(Shout)
        assert render_template_string("hello") == "HELLO"

    def test_escaping_that_is_switched(self, app: Stein) -> None:
        escaped = True
        app.jinja_env.autoescape = lambda _: escaped
        assert render_template_string("{{ '<' }}{{ x }}", x="<") == "&lt;&lt;"
        escaped = False
        assert render_template_string("{{ '<' }}{{ x }}", x="<") == "<<"
        app.jinja_env.autoescape = True
        assert render_template_string("{{ '<' }}{{ x }}", x="<") == "&lt;&lt;"

    def test_globals_are_those_of_the_moment(self, app: Stein) -> None:
        app.jinja_env.globals["a"] = 1
        assert render_template_string("{{ a }}") == "1"
        app.jinja_env.globals["a"] = 2
        assert render_template_string("{{ a }}") == "2"
        app.jinja_env.globals = {"a": 3}
        assert render_template_string("{{ a }}") == "3"

    def test_filters_that_are_replaced_as_a_whole(self, app: Stein) -> None:
        mine = {**app.jinja_env.filters, "change": str.upper}
        app.jinja_env.filters = mine
        assert render_template_string("{{ 'a'|change }}") == "A"
        mine["change"] = str.title
        assert render_template_string("{{ 'ab'|change }}") == "Ab"

    def test_an_overlay_compiles_for_itself(self, app: Stein) -> None:
        text = "<< x >>{{ x }}"
        assert render_template_string(text, x=1) == "<< x >>1"
        overlay: Any = app.jinja_env.overlay(variable_start_string="<<", variable_end_string=">>")
        assert overlay.from_kept_string(text).render(x=1) == "1{{ x }}"
        assert render_template_string(text, x=1) == "<< x >>1"

    def test_a_class_that_compiles_in_its_own_way_is_asked_each_time(self, tmp_path: Path) -> None:
        class Mine(Environment):
            count = 0

            def from_string(self, *args: Any, **kwargs: Any) -> Any:
                self.count += 1
                return super().from_string(f"{args[0]} {self.count}", *args[1:], **kwargs)

        class App(Stein):
            jinja_environment = Mine

        with App("x", root_path=str(tmp_path)).app_context():
            assert [render_template_string("a") for _ in range(2)] == ["a 1", "a 2"]

    def test_only_so_many_are_kept(self, app: Stein) -> None:
        compiled = app.jinja_env._compiled
        render_template_string("often")
        often = compiled.young.copy()
        for number in range(1000):
            render_template_string(f"text {number}")
            render_template_string("often")
            assert len(compiled.young) + len(compiled.old) <= 201
        key = next(iter(often))
        kept = compiled.young.get(key) or compiled.old.get(key)
        assert kept is often[key]

    @pytest.mark.parametrize(
        "text",
        [
            "{{ 1|said }}",
            "{{ (1 + 2)|said }}",
            "{{ 1|string|said }}",
            "{{ 1|said|lower }}",
            "{% if 1 is said %}1{% else %}2{% endif %}",
            "{{ [1]|map('said')|first }}",
            "{% filter said %}a{% endfilter %}",
            "{{ 1|upper }}",
        ],
    )
    def test_what_a_filter_says_of_a_constant_is_not_kept(self, app: Stein, text: str) -> None:
        """Jinja calls it while it compiles; what it says may depend on the user's language."""
        said = []

        def say(_: Any) -> str:
            said.append(1)
            return "" if len(said) % 2 else "y"

        app.jinja_env.filters.update(said=say, upper=say)
        app.jinja_env.tests["said"] = say
        with app.app_context():
            assert render_template_string(text) != render_template_string(text)

    def test_what_a_filter_would_say_of_a_variable_is_left_to_it(self, app: Stein) -> None:
        app.add_template_filter(lambda value: value * 2, "twice")
        environment = app.jinja_env
        for text in ("{{ x|twice }}", "{{ x }} twice", "{{ 1|string }}", "{{ 3 is odd }}"):
            assert environment.from_kept_string(text) is environment.from_kept_string(text)

    def test_what_is_finalized_is_not_kept(self, app: Stein) -> None:
        app.jinja_options = {"finalize": lambda value: f"<{value}>"}
        environment = app.jinja_env
        text = "{{ 1 }}"
        assert environment.from_kept_string(text) is not environment.from_kept_string(text)

    def test_long_texts_are_not_kept(self, app: Stein) -> None:
        assert len(render_template_string("a" * 100_001)) == 100_001
        assert not app.jinja_env._compiled.young

    def test_threads_that_change_filters_and_render_never_see_an_old_one(self, app: Stein) -> None:
        wrong = []

        def work(number: int) -> None:
            name = f"filter{number}"
            with app.app_context():
                for turn in range(50):
                    app.jinja_env.filters[name] = lambda _, turn=turn: str(turn)
                    shown = render_template_string(f"{{{{ 1|{name} }}}}")
                    if shown != str(turn):
                        wrong.append((name, turn, shown))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []

    def test_the_dictionaries_can_be_copied(self, app: Stein) -> None:
        policies = app.jinja_env.policies
        policies.clear()
        policies.update(a=1)
        assert type(policies.copy()) is dict
        assert pickle.loads(pickle.dumps(policies)) == {"a": 1}  # noqa: S301 - our own
        assert policies.popitem() == ("a", 1)


class TestLoader:
    @pytest.fixture
    def blueprint(self, app: Stein, write: Write) -> Blueprint:
        blueprint = Blueprint(
            "admin", "admin_module", template_folder="pages", root_path=app.root_path
        )
        app.register_blueprint(blueprint)
        write("both.html", "of the application")
        write("both.html", "of the blueprint", folder="pages")
        write("admin/users.html", "users", folder="pages")
        return blueprint

    @pytest.mark.usefixtures("blueprint", "context")
    def test_the_applications_folder_comes_first(self, app: Stein) -> None:
        assert render_template("both.html") == "of the application"
        assert render_template("admin/users.html") == "users"
        assert sorted(app.jinja_env.list_templates()) == ["admin/users.html", "both.html"]

    @pytest.mark.usefixtures("blueprint", "context")
    def test_in_production_what_is_missing_is_told_by_its_name(self) -> None:
        with pytest.raises(jinja2.TemplateNotFound) as caught:
            render_template("nowhere.html")
        assert str(caught.value) == "nowhere.html"
        assert type(caught.value) is jinja2.TemplateNotFound

    @pytest.mark.usefixtures("blueprint", "context")
    def test_in_debug_mode_it_is_told_where_it_was_looked_for(self, app: Stein) -> None:
        app.debug = True
        with pytest.raises(jinja2.TemplateNotFound) as caught:
            render_template("admin/user.html")
        error = caught.value
        assert isinstance(error, MissingTemplate)
        assert error.name == "admin/user.html"
        assert error.templates == ["admin/user.html"]
        assert "application 'templating': looked in" in str(error)
        assert "blueprint 'admin' (admin_module): looked in" in str(error)
        assert "Did you mean 'admin/users.html'?" in str(error)

    @pytest.mark.usefixtures("context")
    def test_a_template_that_may_be_missing_costs_no_search(self, app: Stein) -> None:
        app.debug = True
        text = '{% include "none.html" ignore missing %}{% include ["a", "b"] ignore missing %}x'
        assert render_template_string(text) == "x"

    def test_the_search_is_logged_on_demand(
        self, app: Stein, write: Write, caplog: pytest.LogCaptureFixture, blueprint: Blueprint
    ) -> None:
        app.config["EXPLAIN_TEMPLATE_LOADING"] = True
        app.logger.setLevel("INFO")
        assert blueprint.jinja_loader is not None
        other = Blueprint("shop", __name__)
        other.add_url_rule("/", "index", lambda: render_template("nowhere.html"))
        app.register_blueprint(other)
        with app.app_context():
            assert render_template("both.html") == "of the application"
            assert render_template("admin/users.html") == "users"
        with pytest.raises(jinja2.TemplateNotFound):
            Client(app).get("/")
        twice, once, never = [record.getMessage() for record in caplog.records]
        assert "Locating template 'both.html':" in twice
        assert "1: trying loader of application 'templating'" in twice
        assert "2: trying loader of blueprint 'admin' (admin_module)" in twice
        assert "class: jinja2.loaders.FileSystemLoader" in twice
        assert "searchpath:\n" in twice
        assert twice.count("-> found") == 2
        assert "the first one wins" in twice
        assert "no match" in once
        assert "Warning" not in once
        assert "Error: the template could not be found." in never
        assert "belongs to the blueprint 'shop'" in never


def test_an_application_that_has_rendered_is_freed_when_the_collector_comes(tmp_path: Path) -> None:
    app = Stein("freed", root_path=str(tmp_path))
    with app.test_request_context("/"):
        assert render_template_string("{{ request.path }}") == "/"
    assert request._get_current_object  # type: ignore[attr-defined]
    reference = weakref.ref(app)
    del app
    gc.collect()
    assert reference() is None
