"""Maps of URLs, bound to requests of every road."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.request import Request
from stein.toolkit.response import Response
from stein.toolkit.routing import Map, Rule, Subdomain
from tests.toolkit.everywhere.views import answers
from tests.toolkit.roads import outcome

if TYPE_CHECKING:
    from stein.typing import WSGIApplication
    from tests.toolkit.roads import Road, Send

BASE = "http://example.com/"

RULES = Map([
    Rule("/", endpoint="index"),
    Rule("/users/<int:number>", endpoint="user", methods=["GET", "PUT"]),
    Rule("/users/<name>", endpoint="named", methods=["GET"]),
    Rule("/branch/", endpoint="branch"),
    Rule("/branch/<path:rest>/edit", endpoint="edit"),
    Rule("/leaf", endpoint="leaf"),
    Rule("/any/<any(a, 'b c'):which>", endpoint="any"),
    Rule("/float/<float(signed=True):value>", endpoint="float"),
    Rule("/id/<uuid:id>", endpoint="uuid"),
    Rule("/short/<string(length=2):code>", endpoint="short"),
    Rule("/page/", defaults={"number": 1}, endpoint="page"),
    Rule("/page/<int:number>", endpoint="page"),
    Rule("/old/<name>", redirect_to="users/<name>"),
    Rule("/alias/<name>", endpoint="named", alias=True, methods=["GET"]),
    Rule("/\N{SNOWMAN}/<name>", endpoint="snow"),
    Rule("/socket", endpoint="socket", websocket=True),
    Rule("/build", endpoint="build"),
])  # fmt: skip


def routed(rules: Map, **binding: Any) -> WSGIApplication:
    """An application that tells the endpoint and the values that a map finds."""

    @Request.application
    def app(request: Request) -> Any:
        adapter = rules.bind_to_environ(request.environ, **binding)
        return adapter.dispatch(
            lambda endpoint, values: Response(f"{endpoint} {sorted(values.items())!r}")
        )

    return app


FOUND: list[tuple[str, str, str]] = [
    ("GET", "/", "index []"),
    ("GET", "/?x=y", "index []"),
    ("GET", "/users/12", "user [('number', 12)]"),
    ("PUT", "/users/12", "user [('number', 12)]"),
    ("HEAD", "/users/12", ""),
    ("GET", "/users/ada", "named [('name', 'ada')]"),
    ("GET", "/users/%e2%98%83%20x", "named [('name', '\N{SNOWMAN} x')]"),
    ("GET", "/users/%ff", "named [('name', '\N{REPLACEMENT CHARACTER}')]"),
    ("GET", "/users/-1", "named [('name', '-1')]"),
    ("GET", "/branch/", "branch []"),
    ("POST", "/branch/a/b/c/edit", "edit [('rest', 'a/b/c')]"),
    ("GET", "/branch/a%2fb/edit", "edit [('rest', 'a/b')]"),
    ("GET", "/any/b%20c", "any [('which', 'b c')]"),
    ("GET", "/float/-1.5", "float [('value', -1.5)]"),
    ("GET", "/id/6ba7b810-9dad-11d1-80b4-00c04fd430c8",
     "uuid [('id', UUID('6ba7b810-9dad-11d1-80b4-00c04fd430c8'))]"),
    ("GET", "/short/ab", "short [('code', 'ab')]"),
    ("GET", "/page/", "page [('number', 1)]"),
    ("GET", "/page/2", "page [('number', 2)]"),
    ("GET", "/%e2%98%83/\xfc", "snow [('name', '\xfc')]"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "target", "text"), FOUND)
def test_what_a_path_leads_to(send: Send, method: str, target: str, text: str) -> None:
    answer = outcome(send(routed(RULES), method, target, base_url=BASE))
    assert (answer[0], answer[2].decode()) == ("200 OK", text)


@pytest.mark.parametrize(
    "target",
    [
        "/missing", "/leaf/", "/users/", "/users/a/b", "/any/c", "/float/x", "/id/1", "/short/abc",
        "/users", "/%00", "/" + "x/" * 2000, "/users/1/", "/id/" + "0" * 4000, "/%ff",
    ],
)  # fmt: skip
def test_paths_that_lead_nowhere(send: Send, target: str) -> None:
    answer = outcome(send(routed(RULES), "GET", target, base_url=BASE))
    assert answer[0] == "404 NOT FOUND"
    assert b"not found on the server" in answer[2]


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("POST", "/users/12", "GET, HEAD, PUT"),
        ("DELETE", "/users/ada", "GET, HEAD"),
        ("FROB", "/users/ada", "GET, HEAD"),
        ("OPTIONS", "/users/12", "GET, HEAD, PUT"),
    ],
)
def test_methods_that_are_not_allowed(send: Send, method: str, target: str, allowed: str) -> None:
    status, fields, _ = outcome(send(routed(RULES), method, target, base_url=BASE))
    assert status == "405 METHOD NOT ALLOWED"
    assert sorted(dict(fields)["Allow"].split(", ")) == sorted(allowed.split(", "))


def test_a_path_for_websockets_only(send: Send) -> None:
    assert outcome(send(routed(RULES), "GET", "/socket", base_url=BASE))[0] == "400 BAD REQUEST"


REDIRECTS: list[tuple[str, str]] = [
    ("/branch", "http://example.com/branch/"),
    ("/branch?a=%20b&c", "http://example.com/branch/?a=%20b&c"),
    ("/users//12", "http://example.com/users/12"),
    ("/page/1", "http://example.com/page/"),
    ("/page/1?x=y", "http://example.com/page/?x=y"),
    ("/old/ada", "http://example.com/users/ada"),
    ("/old/gr%c3%bc%20x", "http://example.com/users/gr%C3%BC%20x"),
    ("/alias/ada?x=y", "http://example.com/users/ada?x=y"),
]


@pytest.mark.parametrize(("target", "location"), REDIRECTS)
def test_redirects(send: Send, target: str, location: str) -> None:
    response = send(routed(RULES), "GET", target, base_url=BASE)
    assert response.status_code == 308
    assert response.location == location


def test_redirects_are_followed_with_the_body(road: Road) -> None:
    @Request.application
    def app(request: Request) -> Any:
        def view(endpoint: Any, values: Any) -> Response:
            return Response(f"{request.method} {endpoint} {request.get_data()!r}")

        return RULES.bind_to_environ(request).dispatch(view)

    client = road.client(app)
    with client.post("/branch?x=y", data=b"body", follow_redirects=True) as response:
        assert response.text == "POST branch b'body'"
        assert response.request.full_path == "/branch/?x=y"
        assert len(response.history) == 1


def test_slashes_that_count_for_nothing(send: Send) -> None:
    rules = Map(
        [Rule("/branch/", endpoint="branch"), Rule("/leaf", endpoint="leaf")], strict_slashes=False
    )
    for target in ("/branch", "/branch/"):
        assert send(routed(rules), "GET", target).text == "branch []"
    assert send(routed(rules), "GET", "/leaf").text == "leaf []"


def test_slashes_that_are_not_merged(send: Send) -> None:
    rules = Map([Rule("/a/<path:rest>", endpoint="a")], merge_slashes=False)
    assert send(routed(rules), "GET", "/a/b//c").text == "a [('rest', 'b//c')]"


def test_hosts(send: Send) -> None:
    rules = Map(
        [
            Rule("/", host="<name>.example.com", endpoint="below"),
            Rule("/", host="example.com:8000", endpoint="port"),
            Rule("/branch/", host="other.example", endpoint="other"),
        ],
        host_matching=True,
    )
    app = routed(rules)
    assert send(app, "GET", base_url="http://a.example.com/").text == "below [('name', 'a')]"
    assert send(app, "GET", base_url="http://example.com:8000/").text == "port []"
    assert send(app, "GET", base_url="http://example.com/").status_code == 404
    moved = send(app, "GET", "/branch", base_url="http://other.example/")
    assert moved.location == "http://other.example/branch/"


def test_subdomains(send: Send) -> None:
    rules = Map(
        [
            Rule("/", endpoint="index"),
            Subdomain("api", [Rule("/", endpoint="api"), Rule("/b/", endpoint="branch")]),
            Rule("/", subdomain="<user>", endpoint="user"),
        ]
    )
    app = routed(rules, server_name="example.com")
    assert send(app, "GET", base_url="http://example.com/").text == "index []"
    assert send(app, "GET", base_url="http://api.example.com/").text == "api []"
    assert send(app, "GET", base_url="http://ada.example.com/").text == "user [('user', 'ada')]"
    moved = send(app, "GET", "/b", base_url="http://api.example.com/")
    assert moved.location == "http://api.example.com/b/"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the server thread's warnings are not this test's
        elsewhere = routed(rules, server_name="example.com", subdomain="")
        assert send(elsewhere, "GET", base_url="http://10.0.0.1/").text == "index []"


def test_urls_are_built(send: Send) -> None:
    def view(request: Request) -> Response:
        adapter = RULES.bind_to_environ(request)
        return Response("\n".join([
            adapter.build("user", {"number": 3}),
            adapter.build("named", {"name": "a b\N{SNOWMAN}?", "q": ["1", "x y"]}),
            adapter.build("index", force_external=True),
            adapter.build("socket"),
            adapter.build("edit", {"rest": "a/b"}),
        ]))  # fmt: skip

    assert send(answers(view), "GET", "/build", base_url=BASE).text.split("\n") == [
        "/users/3", "/users/a%20b%E2%98%83%3F?q=1&q=x+y", "http://example.com/",
        "ws://example.com/socket", "/branch/a/b/edit",
    ]  # fmt: skip


def test_where_the_application_is_mounted(send: Send) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/app", environ["PATH_INFO"][4:]
        return routed(RULES)(environ, start_response)

    assert send(app, "GET", "/app/users/1", base_url=BASE).text == "user [('number', 1)]"
    moved = send(app, "GET", "/app/branch", base_url=BASE)
    assert moved.location == "http://example.com/app/branch/"
