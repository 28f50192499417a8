"""Maps and adapters: binding to requests, redirects, and rules that are added while serving."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from stein.toolkit.exceptions import BadHost, NotFound
from stein.toolkit.routing import (
    Map,
    MapAdapter,
    NoMatch,
    RequestAliasRedirect,
    RequestPath,
    RequestRedirect,
    Rule,
    StateMachineMatcher,
    Submount,
    UnicodeConverter,
)
from stein.toolkit.routing import map as map_module
from stein.toolkit.routing.matcher import SlashRequired, State
from stein.toolkit.routing.rules import RulePart, Weighting
from tests.toolkit.environs import make_environ


def redirect_of(adapter: MapAdapter, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(RequestRedirect) as caught:
        adapter.match(*args, **kwargs)
    return caught.value.new_url


# -- rules ----------------------------------------------------------------------------------------


def test_the_names_that_programs_import_are_there() -> None:
    assert map_module.MapAdapter is MapAdapter
    assert issubclass(SlashRequired, Exception)
    assert State().rules == ()
    assert RulePart("a", False, True, False, Weighting(0, [], 0, [])).static


def test_a_map_lists_its_rules() -> None:
    rules = [Rule("/<a>", endpoint="x"), Rule("/b", endpoint="y"), Rule("/<a>/<b>", endpoint="x")]
    urls = Map(rules)
    assert [rule.rule for rule in urls.iter_rules()] == ["/<a>/<b>", "/<a>", "/b"]
    assert [rule.rule for rule in urls.iter_rules("y")] == ["/b"]
    assert repr(Map([Rule("/b", endpoint="y")])) == "Map([<Rule '/b' -> y>])"
    with pytest.raises(KeyError):
        urls.iter_rules("z")


def test_a_map_knows_what_an_endpoint_expects() -> None:
    urls = Map([Rule("/<a>/<b>", endpoint="x"), Rule("/", endpoint="x", defaults={"c": 1})])
    assert urls.is_endpoint_expecting("x", "a", "b")
    assert urls.is_endpoint_expecting("x", "c")
    assert not urls.is_endpoint_expecting("x", "a", "c")
    with pytest.raises(KeyError):
        urls.is_endpoint_expecting("y", "a")


def test_a_class_of_maps_may_have_converters_of_its_own() -> None:
    class Mine(Map):
        default_converters = Map.default_converters.copy()
        default_converters["word"] = UnicodeConverter

    urls = Mine(converters={"text": UnicodeConverter})
    assert {"word", "text", "int"} <= set(urls.converters)
    assert "word" not in Map.default_converters
    urls.converters["later"] = UnicodeConverter
    urls.add(Rule("/<later:a>/<word:b>/<text:c>", endpoint=1))
    assert urls.bind("h").test("/a/b/c")


def test_a_rule_that_cannot_be_added_leaves_the_map_as_it_was() -> None:
    urls = Map([Rule("/a", endpoint=1)])
    with pytest.raises(LookupError):
        urls.add(Rule("/<what:b>", endpoint=2))
    assert urls.bind("h").match("/a") == (1, {})
    assert [rule.endpoint for rule in urls.iter_rules()] == [1]


def test_rules_are_found_as_soon_as_they_are_added() -> None:
    urls = Map()
    adapter = urls.bind("h")
    for number in range(30):
        urls.add(Rule(f"/{number}", endpoint=number))
        urls.add(Rule(f"/x{number}-<v>", endpoint=-number))
        assert adapter.match(f"/{number}") == (number, {})
        assert adapter.match(f"/x{number}-a") == (-number, {"v": "a"})
        assert adapter.build(-number, {"v": "b"}) in {f"/x{number}-b", "/0?v=b"}


def test_rules_are_added_while_other_threads_match_and_build() -> None:
    urls = Map([Rule("/first/<int:n>", endpoint="first")])
    stop = threading.Event()
    wrong: list[object] = []

    def serve() -> None:
        adapter = urls.bind("h")
        while not stop.is_set():
            try:
                found = adapter.match("/first/7"), adapter.build("first", {"n": 7})
                listed = list(urls.iter_rules("first"))
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shall see it
                wrong.append(error)
                return
            if found != (("first", {"n": 7}), "/first/7") or not listed:
                wrong.append(found)
                return

    threads = [threading.Thread(target=serve) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(150):
        urls.add(Submount(f"/{number}", [Rule("/a", endpoint=number), Rule("/<b>", endpoint="b")]))
        urls.add(Rule(f"/first/<int:n>/{number}", endpoint="first"))
        urls.add(Rule(f"/first/x{number}<n>", endpoint=number))
        urls.update()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert urls.bind("h").match("/149/x") == ("b", {"b": "x"})


def test_two_threads_that_update_do_it_once() -> None:
    class Gate:
        """A lock that lets another thread finish first."""

        def __enter__(self) -> None:
            urls._remap = False

        def __exit__(self, *_: object) -> None:
            pass

    urls = Map([Rule("/", endpoint=1)])
    urls._remap_lock = Gate()
    urls.update()
    assert urls._buildable == {}


# -- binding --------------------------------------------------------------------------------------


def test_a_map_is_bound_to_what_is_given() -> None:
    adapter = Map(default_subdomain="www").bind("Example.COM:8000", "/app", path_info=None)
    assert adapter.server_name == "example.com:8000"
    assert (adapter.script_name, adapter.subdomain, adapter.path_info) == ("/app/", "www", "/")
    assert adapter.get_host(None) == "www.example.com:8000"
    assert adapter.get_host("") == "example.com:8000"


@pytest.mark.parametrize(
    ("name", "bound"),
    [("☃.example", "xn--n3h.example"), ("☃:80", "xn--n3h:80"), ("", ""), ("[::1]:80", "[::1]:80")],
)
def test_a_host_is_bound_in_ascii(name: str, bound: str) -> None:
    assert Map().bind(name).server_name == bound


@pytest.mark.parametrize("name", [".x", "a..b", "a" * 64, "☃" * 70, "ä..b"])
def test_what_is_no_host_is_a_bad_request(name: str) -> None:
    with pytest.raises(BadHost):
        Map().bind(name)


def test_a_map_of_hosts_has_no_subdomains() -> None:
    urls = Map(host_matching=True)
    with pytest.raises(RuntimeError, match="leave the subdomain 'a' out"):
        urls.bind("h", subdomain="a")
    with pytest.raises(RuntimeError, match="leave the subdomain 'a' out"):
        urls.bind_to_environ(make_environ(), subdomain="a")
    adapter = urls.bind_to_environ(make_environ())
    assert (adapter.server_name, adapter.subdomain) == ("example.com", None)
    assert adapter.get_host(None) == "example.com"
    assert adapter.get_host("x") == "x"


def test_a_map_is_bound_to_a_request() -> None:
    environ = make_environ("/\xc3\xa4", "q=\xc3\xa4", SCRIPT_NAME="/\xc3\xb6")
    adapter = Map().bind_to_environ(environ)
    assert (adapter.path_info, adapter.query_args, adapter.script_name) == ("/ä", "q=ä", "/ö/")
    assert (adapter.server_name, adapter.subdomain) == ("example.com", "")
    assert adapter.default_method == "GET"

    class Request:
        pass

    request: Any = Request()
    request.environ = environ
    assert Map().bind_to_environ(request).path_info == "/ä"
    with pytest.raises(TypeError, match="7 is a int; give a request"):
        Map().bind_to_environ(7)  # type: ignore[arg-type]


def test_bytes_that_are_no_text_are_replaced() -> None:
    urls = Map([Rule("/<a>", endpoint=1)])
    assert urls.bind_to_environ(make_environ("/\xff")).match() == (1, {"a": "\ufffd"})


def test_without_a_host_field_the_server_is_the_host() -> None:
    environ = make_environ(SERVER_NAME="Web0", SERVER_PORT="8000")
    del environ["HTTP_HOST"], environ["QUERY_STRING"], environ["SCRIPT_NAME"], environ["PATH_INFO"]
    adapter = Map().bind_to_environ(environ)
    assert (adapter.server_name, adapter.script_name) == ("web0:8000", "/")
    assert (adapter.path_info, adapter.query_args) == ("/", None)


@pytest.mark.parametrize("host", ["a" * 64, "a..b", "x" * 300, "a b", ".", "\xff", "a" * 63 + ".b"])
def test_any_host_field_is_bound_or_a_bad_request(host: str) -> None:
    try:
        adapter = Map([Rule("/")]).bind_to_environ(make_environ(HTTP_HOST=host))
    except BadHost:
        pass  # a 400
    else:
        assert adapter.server_name in {"", host}


@pytest.mark.parametrize(
    ("host", "scheme", "server_name", "subdomain"),
    [
        ("example.com", "http", "example.com", ""),
        ("a.B.example.com", "http", "Example.com", "a.b"),
        (".a..example.com", "http", None, BadHost),
        ("example.com", "http", "example.com:80", ""),
        ("a.example.com:443", "https", "example.com:443", "a"),
        ("example.com:8000", "http", "example.com:8000", ""),
        ("a.example.com", "http", None, ""),
        ("a.example.com", "ftp", "example.com", "a"),
    ],
)
def test_the_subdomain_is_what_stands_before_the_server_name(
    host: str, scheme: str, server_name: str | None, subdomain: Any
) -> None:
    environ = make_environ(HTTP_HOST=host, wsgi__url_scheme=scheme)
    if subdomain is BadHost:
        with pytest.raises(BadHost):
            Map().bind_to_environ(environ, server_name)
    else:
        assert Map().bind_to_environ(environ, server_name).subdomain == subdomain


def test_a_host_that_is_not_below_the_server_name_is_warned_of() -> None:
    urls = Map([Rule("/")])
    with pytest.warns(UserWarning, match="'example.com' doesn't match .* 'other.example'"):
        adapter = urls.bind_to_environ(make_environ(), "other.example")
    assert adapter.subdomain == "<invalid>"
    with pytest.raises(NotFound):
        adapter.match()
    assert urls.bind_to_environ(make_environ(), "other.example", "x").subdomain == "x"


@pytest.mark.parametrize(
    ("scheme", "upgrade", "connection", "bound"),
    [
        ("http", "WebSocket", "keep-alive, Upgrade", "ws"),
        ("https", "websocket", "upgrade", "wss"),
        ("http", "h2c", "upgrade", "http"),
        ("http", "websocket", "keep-alive", "http"),
    ],
)
def test_an_upgrade_to_a_websocket_changes_the_scheme(
    scheme: str, upgrade: str, connection: str, bound: str
) -> None:
    environ = make_environ(
        wsgi__url_scheme=scheme, HTTP_UPGRADE=upgrade, HTTP_CONNECTION=connection
    )
    adapter = Map().bind_to_environ(environ)
    assert adapter.url_scheme == bound
    assert adapter.websocket == (bound in {"ws", "wss"})


# -- redirects ------------------------------------------------------------------------------------


def test_a_redirect_keeps_root_and_query() -> None:
    adapter = Map([Rule("/ä b/", endpoint=1)]).bind("h", "/app", query_args={"a": "ä", "b": [1, 2]})
    assert redirect_of(adapter, "/ä b") == "http://h/app/%C3%A4%20b/?a=%C3%A4&b=1&b=2"
    assert redirect_of(adapter, "/ä b", query_args="x=y") == "http://h/app/%C3%A4%20b/?x=y"
    assert redirect_of(adapter, "/ä b", query_args="") == "http://h/app/%C3%A4%20b/"
    assert adapter.make_redirect_url("a") == "http://h/app/a?a=%C3%A4&b=1&b=2"


@pytest.mark.parametrize("path", ["//evil.example/x", "///evil.example/x", "/\\evil.example//x"])
def test_a_redirect_stays_on_the_host(path: str) -> None:
    adapter = Map([Rule("/<path:a>/")]).bind("h")
    assert redirect_of(adapter, path).startswith("http://h/")


def test_default_values_in_the_path_redirect_to_the_url_without_them() -> None:
    rules = [
        Rule("/all/", endpoint="all", defaults={"page": 1}),
        Rule("/all/<int:page>", endpoint="all"),
        Rule("/post/", endpoint="post", defaults={"page": 1}, methods=["POST"]),
        Rule("/post/<int:page>", endpoint="post"),
    ]
    urls = Map(rules)
    adapter = urls.bind("h")
    assert adapter.match("/all/") == ("all", {"page": 1})
    assert adapter.match("/all/2") == ("all", {"page": 2})
    assert redirect_of(adapter, "/all/1", query_args="q") == "http://h/all/?q"
    assert redirect_of(urls.bind("h", query_args="q"), "/all/1") == "http://h/all/?q"
    assert adapter.match("/post/1", "GET") == ("post", {"page": 1})
    urls.redirect_defaults = False
    assert adapter.match("/all/1") == ("all", {"page": 1})


def test_an_alias_redirects_to_what_it_stands_for() -> None:
    rules = [
        Rule("/user/<int:id>", endpoint="user"),
        Rule("/u/<int:id>", endpoint="user", alias=True),
        Rule("/lonely", endpoint="lonely", alias=True),
    ]
    urls = Map(rules)
    adapter = urls.bind("h", query_args={"q": 1})
    assert redirect_of(adapter, "/u/7") == "http://h/user/7?q=1"
    assert redirect_of(adapter, "/u/7", query_args="") == "http://h/user/7"
    with pytest.raises(RuntimeError, match=r"'http://h/lonely' is an alias, but .* 'lonely'"):
        adapter.match("/lonely")
    urls.redirect_defaults = False
    assert adapter.match("/u/7") == ("user", {"id": 7})


def test_a_rule_redirects_where_it_says() -> None:
    def elsewhere(adapter: MapAdapter, name: str) -> str:
        return f"{adapter.build('new', {'name': name})}#top"

    rules = [
        Rule("/new/<name>", endpoint="new"),
        Rule("/old/<name>/<int:n>", redirect_to="new/<name>?n=<n>"),
        Rule("/older/<name>", redirect_to=elsewhere),
        Rule("/sub", subdomain="s", redirect_to="/x"),
    ]
    urls = Map(rules)
    adapter = urls.bind("h", "/app")
    assert redirect_of(adapter, "/old/ä/7") == "http://h/app/new/%C3%A4?n=7"
    assert redirect_of(adapter, "/older/a") == "http://h/app/new/a#top"
    assert redirect_of(urls.bind("h", subdomain="s", url_scheme=""), "/sub") == "http://s.h/x"


def test_a_redirect_is_a_response() -> None:
    redirect = RequestRedirect("http://h/x")
    response = redirect.get_response({})
    assert response.status_code == 308
    assert response.headers["Location"] == "http://h/x"
    redirect.code = 307
    assert redirect.get_response().status_code == 307


# -- using an adapter -----------------------------------------------------------------------------


def test_a_match_may_give_the_rule() -> None:
    rule = Rule("/<a>", endpoint="x")
    found, values = Map([rule]).bind("h", path_info="/b").match(return_rule=True)
    assert found is rule
    assert values == {"a": "b"}


def test_dispatch_calls_the_view_and_returns_redirects() -> None:
    adapter = Map([Rule("/<int:a>/", endpoint="x")]).bind("h")
    seen = []

    def view(endpoint: str, values: Any) -> Any:
        seen.append((endpoint, dict(values)))
        if values["a"] == 404:
            raise NotFound
        return "response"

    def dispatch(path: str, **kwargs: Any) -> Any:
        return adapter.dispatch(view, path, **kwargs)

    assert dispatch("/1/") == "response"
    assert isinstance(dispatch("/1"), RequestRedirect)
    with pytest.raises(NotFound):
        dispatch("/404/")
    assert isinstance(dispatch("/404/", catch_http_exceptions=True), NotFound)
    assert isinstance(dispatch("/x", catch_http_exceptions=True), NotFound)
    assert seen == [("x", {"a": 1}), ("x", {"a": 404}), ("x", {"a": 404})]
    assert adapter.test("/1")
    assert adapter.test("/1/")


def test_a_matcher_says_what_it_found_by_exceptions() -> None:
    urls = Map([Rule("/a/", endpoint=1), Rule("/b", endpoint=2, alias=True)])
    urls.update()
    matcher = urls._matcher
    assert isinstance(matcher, StateMachineMatcher)
    with pytest.raises(RequestPath) as path:
        matcher.match("", "/a", "GET", False)
    assert path.value.path_info == "/a/"
    with pytest.raises(RequestAliasRedirect) as alias:
        matcher.match("", "/b", "GET", False)
    assert (alias.value.matched_values, alias.value.endpoint) == ({}, 2)
    with pytest.raises(NoMatch) as none:
        matcher.match("", "/c", "GET", False)
    assert (none.value.have_match_for, none.value.websocket_mismatch) == (set(), False)


def test_routing_brings_no_module_along_that_only_few_programs_need() -> None:
    import subprocess
    import sys

    program = (
        "import sys, stein.toolkit.routing; "
        "print(*{'uuid', 'difflib', 'pprint', 'ast', 'dataclasses', 'inspect', "
        "'stein.toolkit.response', 'stein.toolkit.request'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""


def test_a_script_name_without_its_slash_gets_no_part_of_the_host() -> None:
    environ = make_environ(SCRIPT_NAME=".evil")
    urls = Map([Rule("/a/", endpoint="a"), Rule("/b", endpoint="b", redirect_to="a/")])
    adapter = urls.bind_to_environ(environ)
    assert adapter.build("a", force_external=True) == "http://example.com/.evil/a/"
    for path in ("/a", "/b"):
        with pytest.raises(RequestRedirect) as caught:
            adapter.match(path)
        assert caught.value.new_url == "http://example.com/.evil/a/"


@pytest.mark.parametrize("query", ["a=\x0c", "\r\nSet-Cookie: a=b", "\x00"])
def test_a_redirect_encodes_what_no_header_may_hold(query: str) -> None:
    adapter = Map([Rule("/a/", endpoint="a")]).bind_to_environ(make_environ("/a", query))
    with pytest.raises(RequestRedirect) as caught:
        adapter.match()
    location = caught.value.get_response().headers["Location"]
    assert location.startswith("http://example.com/a/?")
    assert location.isprintable()
