"""``Map.find`` is a short cut: what it gives is what an adapter gives, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.client import create_environ
from stein.toolkit.exceptions import BadHost, HTTPException
from stein.toolkit.routing import Map, Rule

if TYPE_CHECKING:
    from stein.toolkit.routing import MapAdapter

RULES = (
    "/",
    "/users/<int:number>",
    "/users/<name>/files/<path:file>",
    "/folder/",
    "/ä",
)


def make() -> Map:
    rules = [Rule(text, endpoint=text) for text in RULES]
    rules += [
        Rule("/posted", endpoint="posted", methods=["POST"]),
        Rule("/page", endpoint="page", defaults={"number": 1}),
        Rule("/page/<int:number>", endpoint="page"),
        Rule("/old", endpoint="old", redirect_to="/folder/"),
        Rule("/alias", endpoint="/", alias=True),
        Rule("/socket", endpoint="socket", websocket=True),
        Rule("/sub", endpoint="sub", subdomain="sub"),
    ]
    return Map(rules)


def by_adapter(url_map: Map, environ: dict[str, Any]) -> Any:
    adapter: MapAdapter = url_map.bind_to_environ(environ, subdomain="")
    return adapter.match(return_rule=True)


PATHS = st.sampled_from([
    "/", "/users/3", "/users/x", "/users/x/files/a/b", "/folder", "/folder/", "//folder/",
    "/%C3%A4", "/posted", "/page", "/page/1", "/page/2", "/old", "/alias", "/socket", "/sub",
    "/none", "",
])  # fmt: skip
HOSTS = st.sampled_from(["localhost", "Example.ORG:80", "sub.localhost", "[::1]:5000"])


@given(PATHS | st.text("/abc12.-", max_size=8), HOSTS, st.sampled_from(["GET", "post", "HEAD"]))
def test_it_agrees_with_the_adapter(path: str, host: str, method: str) -> None:
    url_map = make()
    environ = create_environ(path, f"http://{host}", method=method)
    environ["REQUEST_METHOD"] = method
    found = url_map.find(environ)
    try:
        expected = by_adapter(url_map, environ)
    except HTTPException:
        assert found is None
    else:
        assert found is None or found == expected


def test_it_gives_the_ordinary_ones() -> None:
    url_map = make()
    for path in ("/", "/users/3", "/users/x/files/a/b", "/folder/"):
        environ = create_environ(path)
        assert url_map.find(environ) == by_adapter(url_map, environ)


@pytest.mark.parametrize("host", ["a b", "-/-", "x" * 300, "a..b"])
def test_a_host_that_is_none_is_as_for_the_adapter(host: str) -> None:
    url_map = make()
    environ = create_environ("/")
    environ["HTTP_HOST"] = host
    try:
        expected = by_adapter(url_map, environ)
    except BadHost:
        try:
            assert url_map.find(environ) is None
        except BadHost:
            pass
    else:
        assert url_map.find(environ) in (None, expected)


def test_a_subclass_that_binds_in_its_own_way_is_asked() -> None:
    class Own(Map):
        def bind_to_environ(self, *args: Any, **kwargs: Any) -> MapAdapter:
            return super().bind_to_environ(*args, **kwargs)

    assert Own([Rule("/", endpoint="index")]).find(create_environ("/")) is None
