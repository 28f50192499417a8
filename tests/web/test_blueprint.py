"""A part of an application that is registered later."""

# ruff: noqa: FBT001, FBT002 - a subclass has the signature of its base

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.client import Client
from stein.toolkit.exceptions import NotFound
from stein.web.app import Stein
from stein.web.blueprint import (
    Blueprint,
    BlueprintSetupState,
    DeferredSetupFunction,
    refuse_what_is_no_blueprint,
)
from stein.web.globals import request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def app(tmp_path: Path) -> Stein:
    return Stein("tests_of_blueprint", root_path=str(tmp_path), instance_path=str(tmp_path))


def part(name: str, **options: Any) -> Blueprint:
    return Blueprint(name, "tests_of_blueprint", root_path=".", **options)


def rules(app: Stein) -> dict[str, str]:
    return {rule.endpoint: rule.rule for rule in app.url_map.iter_rules()}


def where(**values: Any) -> str:
    return f"{request.endpoint} {sorted(values.items())}"


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", None])
def test_a_blueprint_needs_a_name(name: Any) -> None:
    with pytest.raises(ValueError, match="'name' may not be empty"):
        part(name)


def test_a_name_has_no_dot_and_the_message_suspects_the_order_of_arguments() -> None:
    with pytest.raises(ValueError, match=r"'name' may not contain a dot.*'shop\.admin'") as caught:
        part("shop.admin")
    assert "'__name__' is the argument behind it" in str(caught.value)


def test_an_endpoint_has_no_dot_and_neither_has_the_name_of_a_view() -> None:
    def view() -> str:
        return ""

    view.__name__ = "a.b"
    blueprint = part("part")
    with pytest.raises(ValueError, match=r"'endpoint' may not contain a dot.*'part\.…'"):
        blueprint.add_url_rule("/", "a.b")
    with pytest.raises(ValueError, match="'view_func' name, '__name__' may not contain a dot"):
        blueprint.route("/")(view)


def test_a_blueprint_is_shown_with_its_name() -> None:
    assert repr(part("shop")) == "<Blueprint 'shop'>"


# -- rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "rule", "path"),
    [
        (None, "/x", "/x"),
        ("/p", "/x", "/p/x"),
        ("/p/", "/x", "/p/x"),
        ("/p", "x", "/p/x"),
        ("/p", "", "/p"),
        ("/p/", "", "/p/"),
        ("/p", "/", "/p/"),
        ("", "/x", "/x"),
        ("/", "/x", "/x"),
        ("/", "", "/"),
        ("/<lang>", "/<int:x>", "/<lang>/<int:x>"),
    ],
)
def test_the_prefix_and_a_rule_are_joined_by_one_slash(
    prefix: str | None, rule: str, path: str, app: Stein
) -> None:
    blueprint = part("part", url_prefix=prefix)
    blueprint.add_url_rule(rule, "there", where)
    app.register_blueprint(blueprint)
    assert rules(app)["part.there"] == path


def test_a_prefix_without_a_slash_in_front_is_an_error_that_shows_the_right_one(
    app: Stein,
) -> None:
    blueprint = part("part", url_prefix="admin")
    blueprint.add_url_rule("/", "there", where)
    with pytest.raises(ValueError, match=r"'part' has the 'url_prefix' 'admin'.*Write '/admin'"):
        app.register_blueprint(blueprint)


def test_what_is_given_at_registration_goes_before_the_blueprints_own(app: Stein) -> None:
    app.subdomain_matching = True
    blueprint = part(
        "part", url_prefix="/own", subdomain="own", url_defaults={"a": 1, "b": 1}, cli_group="own"
    )
    blueprint.add_url_rule("/x", "there", where, defaults={"c": 3})
    app.register_blueprint(
        blueprint, name="other", url_prefix="/given", subdomain="given", url_defaults={"b": 2}
    )
    (rule,) = app.url_map.iter_rules("other.there")
    assert (rule.rule, rule.subdomain) == ("/given/x", "given")
    assert rule.defaults == {"a": 1, "b": 2, "c": 3}


def test_a_rule_may_have_a_subdomain_of_its_own(app: Stein) -> None:
    blueprint = part("part", subdomain="own")
    blueprint.add_url_rule("/x", "there", where, subdomain="mine", defaults=None)
    app.register_blueprint(blueprint)
    (rule,) = app.url_map.iter_rules("part.there")
    assert rule.subdomain == "mine"


def test_values_reach_the_view_with_those_of_the_url(app: Stein) -> None:
    blueprint = part("part", url_prefix="/<lang>", url_defaults={"year": 2000})
    blueprint.add_url_rule("/x", "there", where)
    app.register_blueprint(blueprint)
    assert Client(app).get("/de/x").text == "part.there [('lang', 'de'), ('year', 2000)]"


def test_options_is_answered_or_left_to_the_view(app: Stein) -> None:
    blueprint = part("part")
    blueprint.add_url_rule(
        "/x", "there", where, methods=["GET", "OPTIONS"], provide_automatic_options=False
    )
    blueprint.add_url_rule("/y", "here", where)
    app.register_blueprint(blueprint)
    assert Client(app).options("/x").text == "part.there []"
    assert Client(app).options("/y").allow.as_set() == {"get", "head", "options"}


# -- several registrations, and blueprints inside others ------------------------------------------


def test_one_blueprint_can_be_registered_under_several_names(app: Stein) -> None:
    blueprint = part("part")
    blueprint.add_url_rule("/x", "there", where)
    app.register_blueprint(blueprint, url_prefix="/one")
    app.register_blueprint(blueprint, url_prefix="/two", name="again")
    client = Client(app)
    assert client.get("/one/x").text == "part.there []"
    assert client.get("/two/x").text == "again.there []"
    assert list(app.iter_blueprints()) == [blueprint, blueprint]


def test_a_name_can_be_taken_once_and_the_message_tells_by_whom(app: Stein) -> None:
    blueprint = part("part")
    app.register_blueprint(blueprint)
    with pytest.raises(ValueError, match=r"for this blueprint\..*'name='"):
        app.register_blueprint(blueprint)
    with pytest.raises(ValueError, match="'part' is already registered for a different blueprint"):
        app.register_blueprint(part("part"))


def test_a_name_that_is_taken_inside_another_blueprint_is_named_in_full(app: Stein) -> None:
    outer = part("outer")
    outer.register_blueprint(part("inner"))
    outer.register_blueprint(part("inner"))
    with pytest.raises(ValueError, match=r"a different blueprint, as 'outer\.inner'"):
        app.register_blueprint(outer)


def test_the_same_name_can_stand_in_different_blueprints(app: Stein) -> None:
    for name in ("one", "two"):
        outer, inner = part(name, url_prefix=f"/{name}"), part("inner", url_prefix="/inner")
        inner.add_url_rule("/x", "there", where)
        outer.register_blueprint(inner)
        app.register_blueprint(outer)
    assert set(app.blueprints) == {"one", "one.inner", "two", "two.inner"}
    assert Client(app).get("/two/inner/x").text == "two.inner.there []"


def test_a_blueprint_without_a_name_at_registration_has_plain_endpoints(app: Stein) -> None:
    blueprint = part("part")
    blueprint.add_url_rule("/x", "there", where)
    app.register_blueprint(blueprint, name="")
    assert rules(app)["there"] == "/x"


@pytest.mark.parametrize(
    ("outer", "at_registration", "inner", "prefix"),
    [
        ("/outer", None, "/inner", "/outer/inner"),
        ("/outer/", None, "/inner", "/outer/inner"),
        ("/outer", None, "inner", "/outer/inner"),
        ("/outer", "/given", "/inner", "/outer/given"),
        ("/outer", None, None, "/outer"),
        (None, None, "/inner", "/inner"),
        (None, "/given", None, "/given"),
        (None, None, None, ""),
    ],
)
def test_the_prefixes_of_outer_and_inner_blueprint_are_joined(
    outer: str | None, at_registration: str | None, inner: str | None, prefix: str, app: Stein
) -> None:
    parent, child = part("outer", url_prefix=outer), part("inner", url_prefix=inner)
    child.add_url_rule("/x", "there", where)
    parent.register_blueprint(child, url_prefix=at_registration)
    app.register_blueprint(parent)
    assert rules(app)["outer.inner.there"] == f"{prefix}/x"


@pytest.mark.parametrize(
    ("outer", "at_registration", "inner", "subdomain"),
    [
        ("api", None, "v1", "v1.api"),
        ("api", "v2", "v1", "v2.api"),
        ("api", None, None, "api"),
        (None, None, "v1", "v1"),
        (None, None, None, None),
    ],
)
def test_the_subdomain_of_the_inner_blueprint_stands_in_front(
    outer: str | None, at_registration: str | None, inner: str | None, subdomain: str | None,
    app: Stein,
) -> None:  # fmt: skip
    parent, child = part("outer", subdomain=outer), part("inner", subdomain=inner)
    seen = []
    child.record(lambda state: seen.append(state.subdomain))
    parent.register_blueprint(child, subdomain=at_registration)
    app.register_blueprint(parent)
    assert seen == [subdomain]


def test_no_blueprint_can_be_inside_itself() -> None:
    one, two, three = part("one"), part("two"), part("three")
    with pytest.raises(ValueError, match="Cannot register a blueprint on itself, which is 'one'"):
        one.register_blueprint(one)
    one.register_blueprint(two)
    two.register_blueprint(three)
    with pytest.raises(ValueError, match="'one' on 'three', which is inside 'one' already"):
        three.register_blueprint(one)


def test_a_module_in_place_of_its_blueprint_is_refused_with_the_right_name() -> None:
    module = types.ModuleType("shop.admin")
    with pytest.raises(TypeError, match=r"is a module. Make one with 'Blueprint\(\)'"):
        refuse_what_is_no_blueprint(module)
    module.__dict__["views"] = part("admin")
    with pytest.raises(TypeError, match=r"It has one in it: register 'shop\.admin\.views'"):
        part("part").register_blueprint(module)  # type: ignore[arg-type]


def test_whatever_registers_itself_will_do_as_a_blueprint() -> None:
    class Own:
        def register(self, app: Stein, options: dict[str, Any]) -> None: ...

    refuse_what_is_no_blueprint(Own())


# -- hooks and handlers --------------------------------------------------------------------------


def test_hooks_run_from_the_outside_in_and_back(app: Stein) -> None:
    order: list[str] = []

    def mark(where: str) -> Callable[..., Any]:
        def hook(*args: Any) -> Any:
            order.append(where)
            return args[0] if args else None

        return hook

    def hooks(owner: Stein | Blueprint, name: str) -> None:
        owner.before_request(mark(f"before {name}"))
        owner.after_request(mark(f"after {name}"))

        def gone(error: BaseException | None) -> None:
            order.append(f"gone {name}")

        owner.teardown_request(gone)

    outer, inner, other = part("outer"), part("inner"), part("other")
    for owner, name in ((app, "app"), (outer, "outer"), (inner, "inner"), (other, "other")):
        hooks(owner, name)
    inner.add_url_rule("/x", "there", where)
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    app.register_blueprint(other)
    assert Client(app).get("/x").status_code == 200
    assert order == [
        "before app", "before outer", "before inner",
        "after inner", "after outer", "after app",
        "gone inner", "gone outer", "gone app",
    ]  # fmt: skip


def test_an_error_is_answered_by_the_innermost_blueprint_that_can(app: Stein) -> None:
    outer, inner = part("outer"), part("inner")

    @inner.route("/<kind>")
    def fail(kind: str) -> str:
        raise {"key": KeyError, "value": ValueError, "none": NotFound, "os": OSError}[kind]

    inner.register_error_handler(KeyError, lambda e: "inner key")
    outer.register_error_handler(KeyError, lambda e: "outer key")
    outer.register_error_handler(ValueError, lambda e: "outer value")
    app.register_error_handler(404, lambda e: "app 404")
    inner.register_error_handler(Exception, lambda e: "inner any")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    client = Client(app)
    said = {kind: client.get(f"/{kind}").text for kind in ("key", "value", "none", "os")}
    assert said == {"key": "inner key", "value": "inner any", "none": "app 404", "os": "inner any"}


def test_the_handlers_of_a_blueprint_are_copied_for_each_name(app: Stein) -> None:
    blueprint = part("part")
    blueprint.register_error_handler(404, lambda e: "part")
    blueprint.before_request_funcs["inside"] = [dict]
    app.register_blueprint(blueprint)
    app.register_blueprint(blueprint, name="again")
    assert app.error_handler_spec["part"] == app.error_handler_spec["again"]
    assert app.error_handler_spec["part"][404] is not blueprint.error_handler_spec[None][404]
    assert app.before_request_funcs["part.inside"] == [dict]
    assert app.error_handler_spec["part"][500] == {}


def test_url_hooks_of_a_blueprint_are_for_its_views(app: Stein) -> None:
    blueprint = part("part", url_prefix="/<lang>")
    langs = []

    @blueprint.url_value_preprocessor
    def pull(endpoint: str | None, values: dict[str, Any] | None) -> None:
        assert values is not None
        langs.append(values.pop("lang"))

    @blueprint.url_defaults
    def push(endpoint: str, values: dict[str, Any]) -> None:
        values.setdefault("lang", langs[-1])

    @blueprint.route("/x")
    def there() -> str:
        return app.url_for("part.there")

    app.register_blueprint(blueprint)
    assert Client(app).get("/de/x").text == "/de/x"
    assert langs == ["de"]


# -- what waits for the registration ---------------------------------------------------------------


def test_a_function_is_called_with_each_registration_or_with_the_first(app: Stein) -> None:
    seen: list[tuple[str, BlueprintSetupState]] = []

    def always(state: BlueprintSetupState) -> None:
        seen.append(("always", state))

    def once(state: BlueprintSetupState) -> None:
        seen.append(("once", state))

    waiting: DeferredSetupFunction = always
    blueprint = part("part")
    blueprint.record(waiting)
    blueprint.record_once(once)
    assert blueprint.deferred_functions[1].__name__ == "once"
    app.register_blueprint(blueprint, colour="red")
    app.register_blueprint(blueprint, name="again")
    assert [what for what, _ in seen] == ["always", "once", "always"]
    state = seen[0][1]
    assert (state.app, state.blueprint, state.name) == (app, blueprint, "part")
    assert state.options == {"colour": "red"}
    assert [state.first_registration for _, state in seen] == [True, True, False]


def test_a_subclass_may_make_the_state_of_the_registration_itself(app: Stein) -> None:
    class State(BlueprintSetupState):
        def add_url_rule(self, rule: str, *args: Any, **options: Any) -> None:
            super().add_url_rule(rule.lower(), *args, **options)

    class Own(Blueprint):
        def make_setup_state(
            self, app: Stein, options: dict[str, Any], first_registration: bool = False
        ) -> State:
            return State(self, app, options, first_registration)

    blueprint = Own("part", "tests_of_blueprint", root_path=".")
    blueprint.add_url_rule("/X", "there", where)
    app.register_blueprint(blueprint)
    assert rules(app)["part.there"] == "/x"


TABLES = {
    "before_app_request": "before_request_funcs",
    "after_app_request": "after_request_funcs",
    "teardown_app_request": "teardown_request_funcs",
    "app_context_processor": "template_context_processors",
    "app_url_value_preprocessor": "url_value_preprocessors",
    "app_url_defaults": "url_default_functions",
}


@pytest.mark.parametrize("decorator", TABLES)
def test_a_hook_for_the_whole_application_is_added_to_it_once(decorator: str, app: Stein) -> None:
    def hook() -> None: ...

    blueprint = part("part")
    assert getattr(blueprint, decorator)(hook) is hook
    app.register_blueprint(blueprint)
    app.register_blueprint(blueprint, name="again")
    assert getattr(app, TABLES[decorator])[None].count(hook) == 1


@pytest.mark.parametrize("decorator", TABLES)
def test_such_a_hook_must_be_callable(decorator: str) -> None:
    with pytest.raises(TypeError, match=f"None cannot be called.*'{TABLES[decorator]}'"):
        getattr(part("part"), decorator)(None)


def test_a_handler_for_the_whole_application_answers_everywhere(app: Stein) -> None:
    blueprint = part("part")

    @blueprint.app_errorhandler(404)
    def lost(error: NotFound) -> tuple[str, int]:
        return "lost", 404

    with pytest.raises(ValueError, match="999"):
        blueprint.app_errorhandler(999)
    app.register_blueprint(blueprint)
    assert Client(app).get("/nowhere").text == "lost"


# -- templates and commands ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "table"), [("filter", "filters"), ("test", "tests"), ("global", "globals")]
)
def test_a_word_for_templates_is_known_in_the_whole_application(
    what: str, table: str, app: Stein
) -> None:
    def shout(text: str = "") -> str:
        return text.upper()

    blueprint = part("part")
    decorate = getattr(blueprint, f"app_template_{what}")
    assert decorate()(shout) is shout
    assert decorate("named")(shout) is shout
    assert decorate(name="keyword")(shout) is shout
    getattr(blueprint, f"add_app_template_{what}")(shout, "added")
    getattr(blueprint, f"add_app_template_{what}")(functools.partial(shout), name="partial")
    app.register_blueprint(blueprint)
    known = getattr(app.jinja_env, table)
    assert [known[name] for name in ("shout", "named", "keyword", "added")] == [shout] * 4
    assert known["partial"].func is shout


@pytest.mark.parametrize("what", ["filter", "test", "global"])
def test_such_a_decorator_may_stand_without_parentheses(what: str, app: Stein) -> None:
    def shout(text: str = "") -> str:
        return text.upper()

    blueprint = part("part")
    assert getattr(blueprint, f"app_template_{what}")(shout) is shout
    app.register_blueprint(blueprint)
    assert getattr(app.jinja_env, f"{what}s")["shout"] is shout


@pytest.mark.parametrize("what", ["filter", "test", "global"])
def test_a_word_for_templates_needs_a_name(what: str) -> None:
    with pytest.raises(TypeError, match=r"functools\.partial.*Pass 'name='"):
        getattr(part("part"), f"add_app_template_{what}")(functools.partial(len))


@pytest.mark.parametrize(
    ("own", "given", "command"),
    [
        ({}, {}, ["part", "go"]),
        ({}, {"name": "other"}, ["other", "go"]),
        ({"cli_group": "group"}, {}, ["group", "go"]),
        ({"cli_group": "group"}, {"cli_group": "given"}, ["given", "go"]),
        ({"cli_group": None}, {}, ["go"]),
        ({"cli_group": "group"}, {"cli_group": None}, ["go"]),
    ],
)
def test_commands_stand_in_a_group_or_among_those_of_the_application(
    own: dict[str, Any], given: dict[str, Any], command: list[str], app: Stein
) -> None:
    blueprint = part("part", **own)

    @blueprint.cli.command()
    def go() -> None: ...

    app.register_blueprint(blueprint, **given)
    found: Any = app.cli
    for name in command:
        found = found.commands[name]
    assert found is go


def test_a_blueprint_without_commands_makes_no_group(app: Stein) -> None:
    app.register_blueprint(part("part"))
    assert "cli" not in vars(app)
    silent = part("silent")
    assert not silent.cli.commands
    app.register_blueprint(silent)
    assert "silent" not in app.cli.commands


def test_its_static_files_are_served_behind_its_prefix(tmp_path: Path, app: Stein) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("A")
    blueprint = Blueprint("part", "m", "files", url_prefix="/part", root_path=str(tmp_path))
    app.register_blueprint(blueprint)
    assert rules(app)["part.static"] == "/part/files/<path:filename>"
    with Client(app).get("/part/files/a.txt") as response:
        assert response.text == "A"
