"""From an endpoint to a URL, and back."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.datastructures.multidict import MultiDict
from stein.toolkit.routing import BaseConverter, BuildError, Map, MapAdapter, Rule
from stein.toolkit.routing.builder import Candidates

SEGMENT = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1)
PATH = st.text(
    st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1
).filter(lambda text: text[0] != "/" and text[-1] != "/")  # two in a row become one
VALUES = {
    "<{}>": SEGMENT,
    "<int:{}>": st.integers(0),
    "<int(signed=True):{}>": st.integers(),
    "<int(fixed_digits=3):{}>": st.integers(0, 999),
    "<uuid:{}>": st.uuids(),
    "<any(about,'a b',ä):{}>": st.sampled_from(["about", "a b", "ä"]),
    "<string(length=2):{}>": SEGMENT.filter(lambda text: len(text) == 2),
    "<path:{}>": PATH,
}


@st.composite
def rules_and_values(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A rule, and values for its placeholders."""
    words = []
    values = {}
    for number in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from([*VALUES, "a", "b%c", "ä"]))
        words.append("/" + draw(st.sampled_from(["", "x-"])) + kind.format(f"v{number}"))
        if kind in VALUES:
            values[f"v{number}"] = draw(VALUES[kind])
    return "".join(words) + draw(st.sampled_from(["", "/"])) or "/", values


@given(st.lists(rules_and_values(), min_size=1, max_size=6), st.sampled_from(["", "http://h"]))
def test_what_a_url_leads_to_has_that_url(
    rules: list[tuple[str, dict[str, Any]]], host: str
) -> None:
    # Each below a path of its own: what one of them redirects is none of the others' business.
    urls = Map([Rule(f"/{n}{rule}", endpoint=n) for n, (rule, _) in enumerate(rules)])
    adapter = urls.bind("h", "/app")
    for number, (_, values) in enumerate(rules):
        url = adapter.build(number, values, force_external=bool(host))
        assert url.isascii()
        assert url.startswith(f"{host}/app/{number}/")
        endpoint, found = adapter.match(unquote(url.removeprefix(f"{host}/app")))
        assert endpoint == number
        assert found.keys() == values.keys()
        assert adapter.build(endpoint, found, force_external=bool(host)) == url


@pytest.fixture
def adapter() -> MapAdapter:
    class Upper(BaseConverter):
        def to_url(self, value: Any) -> str:
            return str(value.upper())

    rules = [
        Rule("/", endpoint="index"),
        Rule("/<name>", endpoint="first"),
        Rule("/<path:name>/x", endpoint="path"),
        Rule("/n/<int:a>", endpoint="one"),
        Rule("/n/<int:a>/<upper:b>/<c>", endpoint="three"),
        Rule("/m/<a>/<b>/<c>/<d>/<e>", endpoint="five"),
        Rule("/same/<a>/<a>", endpoint="same"),
        Rule("/list/", endpoint="list", defaults={"page": 1}),
        Rule("/list/<int:page>", endpoint="list"),
        Rule("/fixed/<int:page>", endpoint="fixed", defaults={"page": 3}),
        Rule("/ws", endpoint="socket", websocket=True),
        Rule("/get", endpoint="both", methods=["GET"]),
        Rule("/post", endpoint="both", methods=["POST"]),
        Rule("/put", endpoint="put", methods=["PUT"]),
        Rule("/sub/<int:a>", endpoint="sub", subdomain="<name>"),
        Rule("//twice", endpoint="twice", merge_slashes=False),
    ]
    return Map(rules, converters={"upper": Upper}).bind("example.com")


@pytest.mark.parametrize(
    ("endpoint", "values", "url"),
    [
        ("index", {}, "/"),
        ("index", {"q": "a b&c=ä"}, "/?q=a+b%26c%3D%C3%A4"),
        ("index", {"a=b": 1, "n": None}, "/?a%3Db=1"),
        ("index", {"q": [1, None, "x"], "r": ("y",), "e": []}, "/?q=1&q=x&r=y"),
        ("index", {"e": [], "f": [None]}, "/"),
        ("index", {1: 2}, "/?1=2"),
        ("index", {"q": b"\xff", "t": True}, "/?q=%FF&t=True"),
        ("first", {"name": "a"}, "/a"),
        ("first", {"name": "//evil.example"}, "/evil.example"),
        ("path", {"name": "/evil.example"}, "/evil.example/x"),
        ("one", {"a": "007"}, "/n/7"),
        ("one", {"a": True}, "/n/1"),
        ("one", {"a": 1, "q": 2}, "/n/1?q=2"),
        ("three", {"a": 1, "b": "x", "c": "ä"}, "/n/1/X/%C3%A4"),
        ("three", {"a": 1, "b": "x", "c": 5, "q": "?"}, "/n/1/X/5?q=?"),
        ("five", dict(zip("abcde", range(5), strict=True)), "/m/0/1/2/3/4"),
        ("five", dict(zip("abcdef", range(6), strict=True)), "/m/0/1/2/3/4?f=5"),
        ("same", {"a": 1}, "/same/1/1"),
        ("list", {}, "/list/"),
        ("list", {"page": 1}, "/list/"),
        ("list", {"page": 2}, "/list/2"),
        ("fixed", {}, "/fixed/3"),
        ("fixed", {"page": 3, "q": 1}, "/fixed/3?q=1"),
        ("socket", {}, "ws://example.com/ws"),
        ("both", {}, "/get"),
        ("put", {}, "/put"),
        ("sub", {"name": "me", "a": 1}, "http://me.example.com/sub/1"),
        ("twice", {}, "/twice"),
    ],
)
def test_a_url_has_the_values_and_the_rest_in_its_query(
    adapter: MapAdapter, endpoint: str, values: dict[Any, Any], url: str
) -> None:
    before = dict(values)
    assert adapter.build(endpoint, values) == url
    assert values == before


def test_the_rest_may_be_left_out(adapter: MapAdapter) -> None:
    assert adapter.build("one", {"a": 1, "q": 2}, append_unknown=False) == "/n/1"


def test_the_method_chooses_among_rules(adapter: MapAdapter) -> None:
    assert adapter.build("both", method="POST") == "/post"
    with pytest.raises(BuildError):
        adapter.build("put", method="GET")
    assert adapter.map.bind("h", default_method="POST").build("both") == "/post"


@pytest.mark.parametrize(
    ("endpoint", "values"),
    [
        ("nobody", {}),
        ("one", {}),
        ("one", {"a": None}),
        ("one", {"b": 1}),
        ("three", {"a": 1, "b": "x"}),
        ("three", {"a": 1, "b": "x", "d": 1}),
        ("five", {"a": 1, "b": "x", "c": 1, "d": 1, "q": 1}),
        ("five", {"a": 1, "b": "x", "c": 1, "d": 1, "e": None}),
        ("fixed", {"page": 4}),
        ("sub", {"a": 1}),
    ],
)
def test_a_value_that_is_missing_or_wrong_is_an_error(
    adapter: MapAdapter, endpoint: str, values: dict[str, Any]
) -> None:
    with pytest.raises(BuildError) as caught:
        adapter.build(endpoint, values)
    assert caught.value.endpoint == endpoint
    assert isinstance(caught.value, LookupError)


@pytest.mark.parametrize(("values", "error"), [({"a": "x"}, ValueError), ({"a": [1]}, TypeError)])
def test_what_a_converter_raises_is_not_hidden(
    adapter: MapAdapter, values: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        adapter.build("one", values)


def test_of_a_multidict_all_values_count(adapter: MapAdapter) -> None:
    values = MultiDict([("a", "1"), ("q", "x"), ("q", "y")])
    assert adapter.build("one", values) == "/n/1?q=x&q=y"


def test_any_mapping_will_do(adapter: MapAdapter) -> None:
    class Mine(dict[str, Any]):
        pass

    assert adapter.build("one", Mine(a=1, b=None)) == "/n/1"


@pytest.mark.parametrize(
    ("bound", "given", "url"),
    [
        ("http", None, "http://example.com/app/"),
        ("wss", None, "https://example.com/app/"),
        ("http", "https", "https://example.com/app/"),
        ("http", "", "//example.com/app/"),
        ("", None, "//example.com/app/"),
    ],
)
def test_a_whole_url_has_a_scheme_if_there_is_one(bound: str, given: str | None, url: str) -> None:
    adapter = Map([Rule("/", endpoint="x")]).bind("example.com", "/app", url_scheme=bound)
    assert adapter.build("x", force_external=True, url_scheme=given) == url
    assert adapter.build("x") == "/app/"


def test_a_websocket_is_as_secure_as_the_page(adapter: MapAdapter) -> None:
    assert adapter.build("socket", url_scheme="https") == "wss://example.com/ws"


def test_a_url_on_another_subdomain_is_whole() -> None:
    urls = Map([Rule("/", endpoint="x"), Rule("/", endpoint="y", subdomain="y")])
    assert urls.bind("h").build("y") == "http://y.h/"
    assert urls.bind("h", subdomain="y").build("y") == "/"
    assert urls.bind("h", subdomain="y").build("x") == "http://h/"


def test_of_the_hosts_of_an_endpoint_the_own_one_comes_first() -> None:
    rules = [Rule("/", endpoint="x", host="a"), Rule("/", endpoint="x", host="b"),
             Rule("/x", endpoint="x", host="c"), Rule("/", endpoint="d", host="d")]  # fmt: skip
    urls = Map(rules, host_matching=True)
    assert urls.bind("b").build("x") == "/"
    assert urls.bind("e").build("x") == "http://a/"
    assert urls.bind("e").build("x", {"q": 1}, force_external=True) == "http://a/?q=1"
    assert urls.bind("d").build("d") == "/"


def test_the_query_can_be_sorted() -> None:
    rules = [Rule("/", endpoint="x")]
    values = {"b": 1, "a": 2}
    assert Map(rules, sort_parameters=True).bind("h").build("x", values) == "/?a=2&b=1"
    by_value = Map([rules[0].empty()], sort_parameters=True, sort_key=lambda pair: pair[1])
    assert by_value.bind("h").build("x", values) == "/?b=1&a=2"


def test_of_many_rules_of_an_endpoint_the_one_for_the_names_is_built() -> None:
    rules = [Rule(f"/{n}/<a{n}>/<b{n}>", endpoint="x") for n in range(200)]
    rules += [Rule("/default", endpoint="x", defaults={"a0": 1})]
    rules += [Rule(f"/method/{n}", endpoint="x", methods=["PUT"]) for n in range(3)]
    urls = Map(rules)
    adapter = urls.bind("h")
    for n in (0, 7, 199):
        assert adapter.build("x", {f"a{n}": 1, f"b{n}": 2, "q": 3}) == f"/{n}/1/2?q=3"
    assert adapter.build("x", {"a0": 1}) == "/default"
    assert adapter.build("x", {"q": 1}, method="PUT") == "/default?q=1"
    assert adapter.build("x", {"a0": 2}) == "/method/0?a0=2"
    candidates = urls._buildable["x"]
    assert isinstance(candidates, Candidates)
    for n in range(2000):
        candidates.select({f"a{n % 200}": 1, f"b{n // 200}": 1})
    assert len(candidates.remembered) <= 256


def test_a_subclass_may_build_in_its_own_way() -> None:
    class Shouting(Rule):
        def build(self, values: Any, append_unknown: bool = True) -> Any:  # noqa: FBT001, FBT002
            if "nothing" in values:
                return None
            built = super().build(values, append_unknown)
            return built and (built[0], built[1].upper())

        def suitable_for(self, values: Any, method: str | None = None) -> bool:
            return super().suitable_for(values, method) and "no" not in values

    rules = [Shouting("/a/<b>", endpoint="x", defaults={"c": 1}, methods=["GET", "PUT"])]
    adapter = Map([*rules, Shouting("/<b>", endpoint="y")]).bind("h")
    assert adapter.build("x", {"b": "b", "q": 1}) == "/A/B?Q=1"
    for values in ({}, {"b": "b", "no": 1}, {"b": "b", "nothing": 1}, {"b": "b", "c": 2}):
        with pytest.raises(BuildError):
            adapter.build("x", values)
    assert not rules[0].suitable_for({"b": 1}, "POST")
    assert rules[0].suitable_for({"b": 1}, "PUT")


# -- the message ----------------------------------------------------------------------------------


def message(adapter: MapAdapter, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(BuildError) as caught:
        adapter.build(*args, **kwargs)
    assert "suggested" not in vars(caught.value)  # looked for when it is read, not before
    return str(caught.value)


def test_the_message_names_what_was_given_and_what_may_help() -> None:
    urls = Map([
        Rule("/<id>", endpoint="user.show"),
        Rule("/", endpoint="user.list", methods=["GET"]),
        Rule("/x", endpoint="completely.different"),
    ])  # fmt: skip
    adapter = urls.bind("h")
    assert message(adapter, "user.shwo", {"id": 1}) == (
        "Could not build url for endpoint 'user.shwo' with values ['id']. "
        "Did you mean 'user.show' instead?"
    )
    assert message(adapter, "user.show") == (
        "Could not build url for endpoint 'user.show'. Did you forget to specify values ['id']?"
    )
    assert message(adapter, "user.list", method="PUT") == (
        "Could not build url for endpoint 'user.list' ('PUT'). "
        "Did you mean to use methods ['GET', 'HEAD']?"
    )
    assert "['1', 'a']" not in message(adapter, "user.list", {1: 1, "a": 2}, method="PUT")


def test_without_rules_there_is_no_suggestion() -> None:
    assert message(Map().bind("h"), "x") == "Could not build url for endpoint 'x'."
    error = BuildError("x", {}, None)
    assert error.suggested is None
    assert str(error) == "Could not build url for endpoint 'x'."


def test_values_and_method_break_ties_of_the_suggestion() -> None:
    rules = [
        Rule("/<a>", endpoint="y", methods=["PUT"]),
        Rule("/<b>", endpoint="y", methods=["GET"]),
    ]
    adapter = Map(rules).bind("h")
    assert BuildError("x", {"b": 1}, None, adapter).suggested is rules[1]
    assert BuildError("x", {}, "PUT", adapter).suggested is rules[0]
    assert BuildError("x", {}, "GET", adapter).suggested is rules[1]


@pytest.mark.parametrize(
    ("value", "kind"),
    [(float("inf"), ValueError), (float("nan"), ValueError), ("x", ValueError), ([1], TypeError)],
)
@pytest.mark.parametrize("rule", ["/<int:page>", "/<int(fixed_digits=4):page>"])
def test_a_value_that_cannot_be_written_is_named_with_its_placeholder(
    rule: str, value: Any, kind: type[Exception]
) -> None:
    urls = Map([Rule(rule, endpoint="index")]).bind("localhost")
    with pytest.raises(kind) as caught:
        urls.build("index", {"page": value})
    told = "".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    assert f"{value!r} is no value for 'page' in a URL of the rule {rule!r}" in told


def test_a_converter_that_fails_once_fails_with_all_values_told() -> None:
    class Once(BaseConverter):
        def to_url(self, value: Any) -> str:
            if value:
                raise TypeError(value.pop())
            return "b"

    rule = Rule("/<once:v>", endpoint="i", defaults={"x": 1})
    adapter = Map([rule], converters={"once": Once}).bind("localhost")
    with pytest.raises(TypeError, match="once") as caught:
        adapter.build("i", {"v": ["once"]})
    assert caught.value.__notes__ == ["no URL of the rule '/<once:v>' with {'v': []}"]
