"""Rules and what makes them: copies, binding, factories."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from stein.toolkit.routing import (
    EndpointPrefix,
    Map,
    Rule,
    RuleFactory,
    RuleTemplate,
    Subdomain,
    Submount,
)


def test_a_rule_begins_with_a_slash() -> None:
    with pytest.raises(ValueError, match="'a' must begin with a slash: '/a'"):
        Rule("a")


def test_methods_are_several_and_get_brings_head() -> None:
    with pytest.raises(TypeError, match=r"\['GET'\]"):
        Rule("/", methods="GET")
    assert Rule("/", methods=["get"]).methods == {"GET", "HEAD"}
    assert Rule("/", methods=["post"]).methods == {"POST"}
    assert Rule("/", methods=[]).methods == set()


def test_a_websocket_is_opened_with_get() -> None:
    with pytest.raises(ValueError, match=r"'/' has methods \['POST'\]"):
        Rule("/", websocket=True, methods=["POST", "GET"])
    assert Rule("/", websocket=True, methods=["GET", "OPTIONS"]).websocket


def test_a_copy_is_like_the_rule_and_has_what_it_has_to_itself() -> None:
    rule = Rule("/a", {"b": 1}, "s", ["POST"], True, "e", False, False, "x", True, "h", False)
    copy = rule.empty()
    assert vars(copy) == vars(rule)
    assert rule.methods is not None
    rule.methods.add("PUT")
    assert copy.methods == {"POST"}
    assert Rule("/", websocket=True).empty().websocket


def test_a_subclass_may_take_arguments_of_its_own() -> None:
    class Named(Rule):
        def __init__(self, string: str, name: str = "", **kwargs: Any) -> None:
            super().__init__(string, **kwargs)
            self.name = name

        def get_empty_kwargs(self) -> dict[str, Any]:
            return {**super().get_empty_kwargs(), "name": self.name}

    (rule,) = Submount("/x", [Named("/a", "n")]).get_rules(Map())
    assert isinstance(rule, Named)
    assert (rule.rule, rule.name) == ("/x/a", "n")


def test_a_rule_belongs_to_one_map() -> None:
    rule = Rule("/<a>", endpoint="x")
    assert repr(rule) == "<Rule (unbound)>"
    with pytest.raises(RuntimeError, match="bound to no map"):
        rule.compile()
    Map([rule], default_subdomain="www", strict_slashes=False, merge_slashes=False)
    assert (rule.subdomain, rule.strict_slashes, rule.merge_slashes) == ("www", False, False)
    with pytest.raises(RuntimeError, match=r"already bound to map Map\(.*rule.empty\(\)"):
        Map([rule])


def test_a_rule_shows_itself() -> None:
    rule = Rule("/a/<int:b>/", endpoint="x", methods=["GET"], subdomain="<c>")
    Map([rule])
    assert str(rule) == "/a/<int:b>/"
    assert repr(rule) == "<Rule '<c>|/a/<b>/' (GET, HEAD) -> x>"
    assert (rule.is_leaf, rule.is_branch) == (False, True)


def test_rules_are_equal_if_they_read_alike_and_have_no_hash() -> None:
    one, two, other = Rule("/<int:a>"), Rule("/<a>"), Rule("/<b>")
    Map([one, two, other])
    assert one == two
    assert one != other
    assert one != "/<a>"
    with pytest.raises(TypeError):
        hash(one)


def test_a_converter_must_be_known() -> None:
    with pytest.raises(LookupError, match="converter 'hex' does not exist; the map has: any, "):
        Map([Rule("/<hex:a>")])


def test_a_changed_rule_is_built_anew_after_a_refresh() -> None:
    rule = Rule("/a", endpoint="x")
    urls = Map([rule])
    rule.rule = "/b"
    rule.refresh()
    urls._remap = True
    assert urls.bind("h").build("x") == "/b"


def test_a_subclass_may_choose_converters() -> None:
    class Numbers(Rule):
        def get_converter(self, variable_name: str, converter_name: str, *rest: Any) -> Any:
            kind = "int" if variable_name.endswith("id") else converter_name
            return super().get_converter(variable_name, kind, *rest)

    adapter = Map([Numbers("/<user_id>/<name>", endpoint="x")]).bind("h")
    assert adapter.match("/7/8") == ("x", {"user_id": 7, "name": "8"})


def test_factories_change_copies_of_rules() -> None:
    rule = Rule("/a", endpoint="e")
    factories = [Subdomain("s", [Submount("/m/", [EndpointPrefix("p.", [rule])])])]
    (made,) = Map(factories).iter_rules()
    assert (made.subdomain, made.rule, made.endpoint) == ("s", "/m/a", "p.e")
    assert (rule.subdomain, rule.rule, rule.endpoint) == (None, "/a", "e")


def test_a_factory_has_to_say_its_rules() -> None:
    with pytest.raises(NotImplementedError, match="RuleFactory"):
        Map([RuleFactory()])


def test_a_template_is_filled_in_wherever_there_is_text() -> None:
    template = RuleTemplate([
        Rule("/$name/<int:n>", endpoint="$name.show", subdomain="$name",
             defaults={"kind": "$name", "page": 1}, websocket=True, methods=["GET"]),
        Submount("/${name}s", [Rule("/", endpoint=7)]),
    ])  # fmt: skip
    one, two = Map([template(name="user")]).iter_rules()
    assert (one.rule, one.endpoint, one.subdomain) == ("/user/<int:n>", "user.show", "user")
    assert (one.defaults, one.methods) == ({"kind": "user", "page": 1}, {"GET", "HEAD"})
    assert one.websocket
    assert (two.rule, two.endpoint, two.subdomain) == ("/users/", 7, "")


def test_a_rule_says_whose_defaults_it_has() -> None:
    short = Rule("/", endpoint="x", defaults={"page": 1})
    long = Rule("/<int:page>", endpoint="x")
    Map([short, long])
    assert short.provides_defaults_for(long)
    assert not long.provides_defaults_for(short)
    assert not short.provides_defaults_for(short)


def test_maps_and_rules_are_freed() -> None:
    def use() -> None:
        adapter = Map([Rule("/<int:a>/<b>", endpoint=1), Rule("/<c>", endpoint=2)]).bind("h")
        adapter.match("/1/2")
        adapter.build(1, {"a": 1, "b": 2})

    use()
    gc.collect()
    gc.collect()
    # Those of other tests may be held by their tracebacks.
    ours = [o for o in gc.get_objects() if isinstance(o, Rule) and o.rule == "/<int:a>/<b>"]
    assert ours == []
