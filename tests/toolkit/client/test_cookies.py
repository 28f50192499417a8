"""Cookies: what Set-Cookie says (RFC 6265 5.2), what is sent where (5.1), the client's jar."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.client import Client, Cookie
from stein.toolkit.request import Request
from stein.toolkit.response import Response


def cookie(header: str, host: str = "example.com", path: str = "/a/b") -> Cookie:
    found = Cookie.from_header(host, path, header)
    assert found is not None
    return found


def test_all_attributes() -> None:
    found = cookie(
        'k="\\303\\274"; DOMAIN=.Sub.Example.com ;path=/p; Expires=Sun, 06 Nov 2044 08:49:37 GMT;'
        "max-age=60; Secure; HttpOnly; SameSite=Lax; Whatever=x"
    )
    assert found == Cookie(
        key="k",
        value='"\\303\\274"',
        decoded_key="k",
        decoded_value="\xfc",
        expires=datetime(2044, 11, 6, 8, 49, 37, tzinfo=UTC),
        max_age=60,
        domain="sub.example.com",
        origin_only=False,
        path="/p",
        secure=True,
        http_only=True,
        same_site="Lax",
    )
    assert "decoded_value='\xfc'" in repr(found)
    assert found != cookie("k=v")
    assert found != "k"


def test_nothing_but_a_name() -> None:
    found = cookie("k=")
    assert (found.domain, found.origin_only, found.path) == ("example.com", True, "/a")
    assert (found.expires, found.max_age, found.same_site) == (None, None, None)
    assert (found.secure, found.http_only) == (False, False)


def test_names_and_values_beyond_ascii_are_utf_8() -> None:
    found = cookie("\xc3\xbc=\xc3\xbc")
    assert (found.key, found.decoded_key, found.decoded_value) == ("\xc3\xbc", "\xfc", "\xfc")
    assert cookie("\N{SNOWMAN}=1").decoded_key == "\N{SNOWMAN}"
    assert cookie("a b=1").decoded_key == "a b"


@pytest.mark.parametrize("header", ["", "=", "=value", "  =x; Path=/", "novalue", "; Path=/"])
def test_what_has_no_name_is_no_cookie(header: str) -> None:
    assert Cookie.from_header("h", "/", header) is None


@pytest.mark.parametrize(
    ("path", "attribute", "expected"),
    [
        ("/", "", "/"), ("/a", "", "/"), ("/a/b", "", "/a"), ("/a/b/", "", "/a/b"), ("", "", "/"),
        ("/a/b", "/c", "/c"), ("/a/b", "c", "/a"), ("/a/b", "=", "/a"),
    ],
)  # fmt: skip
def test_the_path_it_is_for(path: str, attribute: str, expected: str) -> None:
    header = f"k=v; Path={attribute}" if attribute else "k=v"
    assert cookie(header, path=path).path == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60", 60), ("-1", -1), ("", None), ("x", None), ("1_0", None), ("9" * 5000, None)],
)
def test_seconds_that_are_none_are_ignored(text: str, seconds: int | None) -> None:
    assert cookie(f"k=v; Max-Age={text}").max_age == seconds


@pytest.mark.parametrize(
    ("attributes", "over"),
    [
        ("", False),
        ("Max-Age=0", True),
        ("Max-Age=-5", True),
        ("Max-Age=1", False),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", True),
        ("Expires=Sun, 06 Nov 1994 08:49:37 GMT", True),
        ("Expires=Sun, 06 Nov 2094 08:49:37 GMT", False),
        ("Expires=never", False),
        ("Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", False),  # Max-Age goes before
        ("Max-Age=0; Expires=Sun, 06 Nov 2094 08:49:37 GMT", True),
    ],
)
def test_whether_it_is_over(attributes: str, over: bool) -> None:  # noqa: FBT001
    assert cookie(f"k=v; {attributes}").is_over is over


@pytest.mark.parametrize(
    ("domain", "host", "sent"),
    [
        (None, "example.com", True),
        (None, "www.example.com", False),
        ("example.com", "example.com", True),
        ("example.com", "www.example.com", True),
        ("example.com", "a.b.example.com", True),
        ("example.com", "badexample.com", False),
        ("example.com", "com", False),
        ("0.0.1", "127.0.0.1", False),  # an address has no domains above it
        ("127.0.0.1", "127.0.0.1", True),
    ],
)
def test_to_which_host_it_is_sent(domain: str | None, host: str, sent: bool) -> None:  # noqa: FBT001
    found = cookie(f"k=v; Domain={domain}" if domain else "k=v", path="/")
    assert found.matches(host, "/") is sent


@pytest.mark.parametrize(
    ("own", "path", "sent"),
    [
        ("/", "/", True), ("/", "/x", True), ("/a", "/a", True), ("/a", "/a/", True),
        ("/a", "/a/b", True), ("/a", "/ab", False), ("/a", "/", False), ("/a/", "/a/b", True),
        ("/a/", "/a", False),
    ],
)  # fmt: skip
def test_for_which_path_it_is_sent(own: str, path: str, sent: bool) -> None:  # noqa: FBT001
    assert cookie(f"k=v; Path={own}").matches("example.com", path) is sent


@given(st.text(max_size=60), st.text(max_size=10), st.text(max_size=10))
def test_any_text_is_a_cookie_or_none(header: str, host: str, path: str) -> None:
    found = Cookie.from_header(host, path, header)
    if found is not None:
        assert found.is_over in {True, False}
        assert found.matches(host, path) in {True, False}


@given(st.text(st.sampled_from('=;, \tabDomain"\\Max-Age0Expires'), max_size=60))
def test_any_words_are_a_cookie_or_none(header: str) -> None:
    test_any_text_is_a_cookie_or_none.hypothesis.inner_test(header, "h", "/")  # type: ignore[attr-defined]


# -- the jar ------------------------------------------------------------------------------------


@Request.application
def app(request: Request) -> Response:
    """Set what the query says, and show what came."""
    response = Response(request.headers.get("Cookie", "none"))
    for header in request.args.getlist("set"):
        response.headers.add("Set-Cookie", header)
    return response


def test_cookies_are_kept_and_sent_back() -> None:
    client = Client(app)
    assert client.get("/").text == "none"
    client.get("/", query_string={"set": ["a=1", "b=2; Path=/deep/down", "c=3; Path=/deep", "=x"]})
    assert client.get("/").text == "a=1"
    assert client.get("/deep/down/here").text == "b=2; c=3; a=1"  # the longest path first
    client.get("/", query_string={"set": "a=; Max-Age=0"})
    assert client.get("/").text == "none"


def test_a_cookie_can_be_set_looked_at_and_deleted_by_hand() -> None:
    client = Client(app)
    client.set_cookie("k", "\xfc;")
    found = client.get_cookie("k")
    assert found is not None
    assert found.decoded_value == "\xfc;"
    assert found.origin_only
    assert client.get("/", base_url="http://www.localhost/").text == "none"
    assert client.get("/").text == 'k="\\303\\274\\073"'
    client.set_cookie("k", max_age=0)
    assert client.get_cookie("k") is None
    client.set_cookie("k", "1", domain=".Example.com", origin_only=False, path="/p")
    assert client.get_cookie("k", domain="example.com", path="/p") is not None
    assert client.get("/p", base_url="http://www.example.com/").text == "k=1"
    client.delete_cookie("k", domain="example.com", path="/p")
    client.delete_cookie("k")
    assert client.get("/p", base_url="http://www.example.com/").text == "none"


def test_the_own_host_is_that_of_the_base_url() -> None:
    client = Client(app, base_url="http://127.0.0.1:8000/mount")
    client.set_cookie("k", "v")
    assert client.get("/").text == "k=v"
    assert client.get_cookie("k", domain="127.0.0.1") is client.get_cookie("k")


def test_hosts_are_compared_without_port_brackets_and_case() -> None:
    client = Client(app)
    for host in ("[::1]:5000", "EXAMPLE.com:8000", "no,host"):
        client.get("/?set=k=v", base_url=f"http://{host}/")
    assert client.get("/", base_url="http://[::1]/").text == "k=v"
    assert client.get("/", headers={"Host": "example.COM"}).text == "k=v"
    assert client.get_cookie("k") is not None  # what is no host counts as the client's own


def test_paths_beyond_ascii_match() -> None:
    client = Client(app)
    client.set_cookie("k", "v", path="/\xfc")
    assert client.get("/\xfc/x").text == "k=v"
    client.get("/\N{SNOWMAN}/x?set=own=1")
    assert client.get("/\N{SNOWMAN}/y").text == "own=1"


def test_a_cookie_field_of_the_request_gives_way_to_the_jar() -> None:
    client = Client(app)
    assert client.get("/", headers={"Cookie": "a=b"}).text == "none"
    assert Client(app, use_cookies=False).get("/", headers={"Cookie": "a=b"}).text == "a=b"


@pytest.mark.parametrize("call", ["get_cookie", "set_cookie", "delete_cookie"])
def test_without_cookies_there_is_no_jar(call: str) -> None:
    client = Client(app, use_cookies=False)
    client.get("/?set=a=b")
    assert client.get("/").text == "none"
    ask: Any = getattr(client, call)
    with pytest.raises(TypeError, match="use_cookies=True"):
        ask("k")
    client._update_cookies_from_response("localhost", "/", ["a=b"])


def test_a_name_that_none_can_have_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        Client(app).set_cookie("a;b")
