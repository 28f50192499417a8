"""What a request says, on every road from a client to an application."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stein.toolkit.exceptions import HTTPException
from stein.toolkit.middleware.proxy_fix import ProxyFix
from stein.toolkit.request import Request
from stein.toolkit.response import Response
from tests.toolkit.everywhere.views import answers, limited, says, unknown
from tests.toolkit.roads import Road, outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.toolkit.roads import Send

# -- the address ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a%2fb", "/a/b"),
        ("/%25", "/%"),
        ("/a%20b+c", "/a b+c"),
        ("/%e2%98%83", "/\N{SNOWMAN}"),
        ("/\N{SNOWMAN}/\xfc", "/\N{SNOWMAN}/\xfc"),
        ("/%ff", "/\N{REPLACEMENT CHARACTER}"),
        ("/a//b", "/a//b"),
        ("/%2Fa", "/a"),
        ("/.", "/."),
        ("/a/../b", "/a/../b"),
        ("/a;b=c/d", "/a;b=c/d"),
        ("/%3Fx%23y", "/?x#y"),
        ("/%00%0a", "/\x00\n"),
    ],
)
def test_the_path(send: Send, target: str, path: str) -> None:
    assert send(says(lambda request: request.path), "GET", target).text == repr(path)


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ("", []),
        ("a=1", [("a", "1")]),
        ("a=1&a=2&b", [("a", "1"), ("a", "2"), ("b", "")]),
        ("a=%20+%2B", [("a", "  +")]),
        ("a=%e2%98%83", [("a", "\N{SNOWMAN}")]),
        ("\xfc=\N{SNOWMAN}", [("\xfc", "\N{SNOWMAN}")]),
        ("a=%ff", [("a", "%FF")]),
        ("a=b=c", [("a", "b=c")]),
        ("=x&&&", [("", "x")]),
        ("a=%zz%", [("a", "%zz%")]),
        ("a=1;b=2", [("a", "1;b=2")]),
    ],
)
def test_the_arguments(send: Send, query: str, pairs: list[tuple[str, str]]) -> None:
    app = says(lambda request: list(request.args.items(multi=True)))
    assert send(app, "GET", f"/?{query}").text == repr(pairs)


def test_the_query_string_comes_as_it_was_sent(send: Send) -> None:
    app = says(lambda request: (request.query_string, request.full_path))
    response = send(app, "GET", "/p?a=%2f+%20&b=~'()")
    assert response.text == repr((b"a=%2f+%20&b=~'()", "/p?a=%2f+%20&b=~'()"))


@pytest.mark.parametrize(
    ("base", "target", "urls"),
    [
        (
            "http://example.com/", "/p?x=1",
            ("http://example.com/p?x=1", "http://example.com/p", "http://example.com/"),
        ),
        (
            "http://example.com:8080/", "/\N{SNOWMAN}?q=%e2%98%83",
            ("http://example.com:8080/\N{SNOWMAN}?q=\N{SNOWMAN}",
             "http://example.com:8080/\N{SNOWMAN}", "http://example.com:8080/"),
        ),
        (
            "http://[::1]:5000/", "/a%2525b",
            ("http://[::1]:5000/a%25b", "http://[::1]:5000/a%25b", "http://[::1]:5000/"),
        ),
        (
            "http://example.com:80/", "/%3f",
            ("http://example.com/%3F", "http://example.com/%3F", "http://example.com/"),
        ),
    ],
)  # fmt: skip
def test_the_urls(send: Send, base: str, target: str, urls: tuple[str, str, str]) -> None:
    app = says(lambda request: (request.url, request.base_url, request.root_url))
    assert send(app, "GET", target, base_url=base).text == repr(urls)


def test_where_the_application_is_mounted(send: Send) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/app", "/x"
        return says(
            lambda request: (
                request.root_path,
                request.script_root,
                request.path,
                request.url,
                request.root_url,
                request.url_root,
                request.host_url,
            )
        )(environ, start_response)

    there = "http://example.com/app/"
    assert send(app, "GET", "/app/x", base_url="http://example.com/").text == repr(
        ("/app", "/app", "/x", f"{there}x", there, there, "http://example.com/")
    )


def test_a_host_that_is_trusted(send: Send) -> None:
    kind = limited(trusted_hosts=["example.com", ".sub.example.com"])
    app = says(lambda request: request.host, kind)
    for host in ("example.com", "example.com:8000", "a.sub.example.com", "sub.example.com"):
        assert send(app, "GET", base_url=f"http://{host}/").text == repr(host)


def test_a_host_that_is_not_trusted(send: Send) -> None:
    kind = limited(trusted_hosts=["example.com"])
    for app in (says(lambda request: request.host, kind), says(lambda request: request.url, kind)):
        for host in ("evil.example", "sub.example.com", "example.com.evil.example"):
            response = send(app, "GET", base_url=f"http://{host}/")
            assert response.status_code == 400
            assert f"&#39;{host}&#39; is none of the hosts" in response.text


def test_the_route_behind_a_proxy(send: Send) -> None:
    app = says(lambda request: (list(request.access_route), request.remote_addr, request.scheme))
    fields = {"X-Forwarded-For": "1.1.1.1, 2.2.2.2", "X-Forwarded-Proto": "https"}
    base = {"REMOTE_ADDR": "127.0.0.1"}
    trusting = send(ProxyFix(app), "GET", headers=fields, environ_base=base)
    assert trusting.text == repr((["1.1.1.1", "2.2.2.2"], "2.2.2.2", "https"))
    plain = send(app, "GET", environ_base=base)
    assert plain.text == repr((["127.0.0.1"], "127.0.0.1", "http"))


def test_a_proxy_tells_the_host_and_the_prefix(send: Send) -> None:
    app = says(lambda request: (request.url, request.root_path, request.is_secure))
    fields = {
        "X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "public.example", "X-Forwarded-Prefix": "/below",
    }  # fmt: skip
    response = send(ProxyFix(app, x_host=1, x_prefix=1), "GET", "/x?y=z", headers=fields)
    assert response.text == repr(("https://public.example/below/x?y=z", "/below", True))


# -- the fields -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE", "PROPFIND", "get"])
def test_the_method(send: Send, method: str) -> None:
    app = says(lambda request: (request.method, request.environ["REQUEST_METHOD"]))
    assert send(app, method).text == repr((method.upper(), method))


def test_fields(send: Send) -> None:
    fields = [
        ("X-One", "1"), ("X-Two", "a"), ("X-Two", "b"), ("X-Latin", "gr\xfc\xdfe"), ("X-Empty", ""),
    ]  # fmt: skip
    app = says(
        lambda request: [
            request.headers.get(name)
            for name in ("x-one", "X-TWO", "X-Latin", "X-Empty", "X-Missing")
        ]
    )
    response = send(app, "GET", headers=fields)
    assert response.text == repr(["1", "a, b", "gr\xfc\xdfe", "", None])


def test_cookies(send: Send) -> None:
    app = says(lambda request: list(request.cookies.items(multi=True)))
    field = r'a=1; b="x\"y\073\303\274"; a=2; =z; c=; e=f=g; \xfc=\xfd'
    response = send(app, "GET", headers={"Cookie": field}, use_cookies=False)
    assert response.text == repr([
        ("a", "1"), ("a", "2"), ("b", 'x"y;\xfc'), ("c", ""), ("e", "f=g"), (r"\xfc", r"\xfd"),
    ])  # fmt: skip


ACCEPTED: list[tuple[dict[str, str], Callable[[Request], object], object]] = [
    ({}, lambda r: list(r.accept_mimetypes), []),
    (
        {"Accept": "text/html;q=0.5, application/json, */*;q=0.1"},
        lambda r: (
            r.accept_mimetypes.best_match(["text/html", "application/json"]),
            r.accept_mimetypes.best_match(["image/png"]),
            r.accept_mimetypes.accept_html, r.accept_mimetypes.accept_json,
            r.accept_mimetypes["text/html"],
        ),
        ("application/json", "image/png", True, True, 0.5),
    ),
    (
        {"Accept-Language": "de-AT, en;q=0.7"},
        lambda r: (
            r.accept_languages.best_match(["fr", "en", "de"]),
            r.accept_languages.best_match(["fr", "de"]),
        ),
        ("en", "de"),
    ),
    (
        {"Accept-Encoding": "gzip;q=0, br"},
        lambda r: (r.accept_encodings["gzip"], r.accept_encodings.best_match(["gzip", "br"])),
        (0.0, "br"),
    ),
    ({"Accept-Charset": "iso-8859-1"}, lambda r: r.accept_charsets.best, "iso-8859-1"),
    ({"Accept": "garbage;;q=x,,"}, lambda r: r.accept_mimetypes.best_match(["a/b"]), None),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "look", "seen"), ACCEPTED)
def test_what_the_client_accepts(
    send: Send, fields: dict[str, str], look: Callable[[Request], object], seen: object
) -> None:
    assert send(says(look), "GET", headers=fields).text == repr(seen)


READ: list[tuple[str, str, Callable[[Request], object], object]] = [
    ("Authorization", "Basic YWRhOmI6Yw==",
     lambda r: r.authorization and (r.authorization.username, r.authorization.password),
     ("ada", "b:c")),
    ("Authorization", "Bearer abc", lambda r: r.authorization and r.authorization.token, "abc"),
    ("Authorization", "Basic =", lambda r: r.authorization, None),
    ("Range", "bytes=1-2,5-", lambda r: r.range and r.range.ranges, [(1, 3), (5, None)]),
    ("Range", "lines=x", lambda r: r.range, None),
    ("If-None-Match", 'W/"a", "b"',
     lambda r: ("b" in r.if_none_match, r.if_none_match.contains_weak("a"),
                "a" in r.if_none_match), (True, True, False)),
    ("If-Match", "*", lambda r: "anything" in r.if_match, True),
    ("If-Modified-Since", "Sat, 21 Nov 2026 14:00:00 GMT",
     lambda r: r.if_modified_since and r.if_modified_since.isoformat(),
     "2026-11-21T14:00:00+00:00"),
    ("If-Unmodified-Since", "yesterday", lambda r: r.if_unmodified_since, None),
    ("If-Range", '"tag"', lambda r: (r.if_range.etag, r.if_range.date), ("tag", None)),
    ("Cache-Control", "max-age=3, no-store",
     lambda r: (r.cache_control.max_age, r.cache_control.no_store), (3, True)),
    ("Pragma", "no-cache", lambda r: "no-cache" in r.pragma, True),
    ("User-Agent", "test/1 (x)", lambda r: r.user_agent.string, "test/1 (x)"),
    ("Referer", "http://a/b?c", lambda r: r.referrer, "http://a/b?c"),
    ("Origin", "https://a", lambda r: r.origin, "https://a"),
    ("Max-Forwards", "3", lambda r: r.max_forwards, 3),
    ("Date", "Sat, 21 Nov 2026 14:00:00 GMT", lambda r: r.date and r.date.year, 2026),
    ("Content-Encoding", "gzip", lambda r: r.content_encoding, "gzip"),
    ("Content-MD5", "x", lambda r: r.content_md5, "x"),
    ("Content-Type", 'Text/Plain; Charset="UTF-8"',
     lambda r: (r.mimetype, r.mimetype_params, r.is_json), ("text/plain", {"charset": "UTF-8"},
                                                            False)),
    ("Content-Type", "application/problem+json", lambda r: r.is_json, True),
    ("Access-Control-Request-Method", "PUT", lambda r: r.access_control_request_method, "PUT"),
    ("Access-Control-Request-Headers", "X-A, x-b",
     lambda r: sorted(r.access_control_request_headers or ()), ["X-A", "x-b"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "look", "seen"), READ)
def test_fields_that_are_read(
    send: Send, name: str, value: str, look: Callable[[Request], object], seen: object
) -> None:
    assert send(says(look), "GET", headers={name: value}).text == repr(seen)


def test_the_client_is_there(send: Send) -> None:
    assert send(says(lambda request: request.is_disconnected), "POST", data=b"x").text == "False"


def test_a_request_in_the_environ_and_a_shallow_one(send: Send) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        shallow = Request(environ, shallow=True)
        with pytest.raises(RuntimeError, match="shallow"):
            shallow.get_data()
        assert environ.get("werkzeug.request") is not shallow
        request = Request(environ)
        assert environ["werkzeug.request"] is request
        return Response(request.get_data())(environ, start_response)

    assert send(app, "POST", data=b"still there").data == b"still there"


# -- the body -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [{"a": [1, None, "\N{SNOWMAN}"]}, [], "text", 0, None, False])
def test_json_in_and_out(send: Send, value: object) -> None:
    app = answers(lambda request: Response(json.dumps(request.json), mimetype="application/json"))
    body = json.dumps(value)
    response = send(app, "POST", data=body, content_type="application/json; charset=utf-8")
    assert response.is_json
    assert response.json == value


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe\xfd", b"nul", b"[" * 100_000, b"9" * 5000, b'"\\ud800', b"{'a': 1}"],
)
def test_json_that_is_none(send: Send, body: bytes) -> None:
    app = says(lambda request: request.json)
    response = send(app, "POST", data=body, content_type="application/json")
    assert response.status_code == 400
    assert "Failed to decode JSON object" in response.text
    silent = says(lambda request: request.get_json(silent=True))
    assert send(silent, "POST", data=body, content_type="application/json").text == "None"


@pytest.mark.parametrize("kind", ["text/plain", "application/jsonx", None])
def test_json_of_another_type(send: Send, kind: str | None) -> None:
    response = send(says(lambda request: request.json), "POST", data=b"{}", content_type=kind)
    assert response.status_code == 415
    assert "application/json" in response.text
    forced = says(lambda request: request.get_json(force=True))
    assert send(forced, "POST", data=b"{}", content_type=kind).text == "{}"


SIZES = [0, 1, 65535, 65536, 65537, 300_000, 3_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_bodies_of_all_sizes(send: Send, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    app = answers(lambda request: Response(request.get_data()))
    response = send(app, "PUT", data=body[:size], content_type="application/octet-stream")
    assert response.data == body[:size]
    assert response.content_length == size


@pytest.mark.parametrize("size", SIZES)
def test_bodies_of_unknown_length(send: Send, size: int) -> None:
    body = b"0123456789abcdef" * (size // 16 + 1)
    app = answers(
        lambda request: Response(f"{request.content_length}|".encode() + request.get_data())
    )
    pieces = [body[start : min(start + 50_000, size)] for start in range(0, size, 50_000)]
    response = send(app, "PUT", input_stream=unknown(*pieces))
    assert response.data == b"None|" + body[:size]


def test_a_body_read_in_pieces(send: Send) -> None:
    def look(request: Request) -> object:
        stream = request.stream
        return [
            stream.read(3), stream.readline(), stream.readline(4), stream.read(0),
            *stream, stream.read(), stream.read(1), stream.readline(),
        ]  # fmt: skip

    body = b"abcdef\nlong line\nlast\nend"
    seen = [b"abc", b"def\n", b"long", b"", b" line\n", b"last\n", b"end", b"", b"", b""]
    assert send(says(look), "POST", data=body).text == repr(seen)


@pytest.mark.parametrize("known", [True, False])
def test_a_large_body_read_in_pieces(send: Send, *, known: bool) -> None:
    def look(request: Request) -> object:
        sizes = 0
        while piece := request.stream.read(10_007):
            assert len(piece) <= 10_007
            sizes += len(piece)
        return sizes, request.stream.read()

    body = b"x" * 1_000_000
    options: dict[str, Any] = {"data": body} if known else {"input_stream": unknown(body)}
    assert send(says(look), "POST", **options).text == repr((1_000_000, b""))


def test_data_is_kept_and_can_be_had_as_text(send: Send) -> None:
    app = says(
        lambda request: (
            request.get_data(),
            request.get_data(as_text=True),
            request.data,
            request.get_data(cache=False),
        )
    )
    body = "gr\xfc\xdfe".encode() + b"\xff"
    text = "gr\xfc\xdfe\N{REPLACEMENT CHARACTER}"
    assert send(app, "POST", data=body).text == repr((body, text, body, body))


@pytest.mark.parametrize("size", [5, 200_000, 3_000_000])
def test_a_body_that_nobody_reads(road: Road, size: int) -> None:
    client = road.client(answers(lambda request: Response("no thanks")))
    for _ in range(3):
        with client.post("/", data=b"x" * size) as response:
            assert outcome(response)[2] == b"no thanks"


def test_a_body_of_which_a_part_is_read(road: Road) -> None:
    client = road.client(says(lambda request: request.stream.read(3)))
    for _ in range(3):
        assert client.post("/", data=b"x" * 500_000).text == repr(b"xxx")


# -- its limit ------------------------------------------------------------------------------------


def test_a_body_as_large_as_it_may_be(send: Send) -> None:
    app = says(lambda request: len(request.get_data()), limited(max_content_length=1000))
    assert send(app, "POST", data=b"x" * 1000).text == "1000"
    assert send(app, "POST", input_stream=unknown(b"x" * 600, b"x" * 400)).text == "1000"


READS: list[Callable[[Request], object]] = [
    lambda request: request.get_data(),
    lambda request: request.stream.read(),
    lambda request: [request.stream.read(100) for _ in range(11)],
    lambda request: request.form,
    lambda request: request.files,
    lambda request: request.get_json(force=True),
]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("known", [True, False])
def test_a_body_that_is_too_large(
    send: Send, read: Callable[[Request], object], *, known: bool
) -> None:
    kind = "application/x-www-form-urlencoded"
    options: dict[str, Any] = {"content_type": kind}
    body = b"x" * 1001
    options |= {"data": body} if known else {"input_stream": unknown(body)}
    response = send(says(read, limited(max_content_length=1000)), "POST", **options)
    assert response.status_code == 413
    assert "max_content_length" in response.text
    assert "1000" in response.text


def test_a_body_that_is_too_large_and_not_wanted(send: Send) -> None:
    app = says(lambda request: request.path, limited(max_content_length=10))
    assert send(app, "POST", data=b"x" * 2000).text == "'/'"


# -- anything at all ------------------------------------------------------------------------------

#: what differs between a plain environ and a server's, as it should
OF_THE_ROAD = {
    "input_stream", "is_multiprocess", "is_multithread", "is_run_once", "server", "stream",
}  # fmt: skip

PROPERTIES = sorted(
    name
    for name in dir(Request)
    if name[0] != "_"
    and not callable(getattr(Request, name))
    and hasattr(getattr(Request, name), "__get__")
    and name not in OF_THE_ROAD
)


def touch(request: Request) -> list[str]:
    """Look at every property, the body's included."""
    # The form is to be read before the stream is empty.
    seen = []
    for name in ["form", "files", *PROPERTIES]:
        try:
            value = getattr(request, name)
            seen.append(f"{name} {sorted(value) if name == 'headers' else value!r}")
        except HTTPException as error:
            seen.append(f"{name} {error!r} {error.get_response().get_data()!r}")
        else:
            if name == "files":
                seen += [f"{each!r} {each.read()!r} {each.headers!r}" for each in value.values()]
    return seen


@Request.application
def everything(request: Request) -> Response:
    data = request.get_data()
    seen = touch(request)
    # The same again, as a stream that is read only as far as it is wanted.
    again = Request({**request.environ, "wsgi.input": io.BytesIO(data)})
    return Response("\n".join(seen + touch(again)).encode("utf-8", "backslashreplace"))


WORDS = st.sampled_from([
    "a", "b=", "q=0.5", ";q=", "*", "*/*", "text/html", "multipart/form-data", "boundary=B", "--B",
    "application/json", "application/x-www-form-urlencoded", ";", ",", "=", '"', "\\", " ", "\t",
    "bytes=", "0-1", "-", "9" * 30, "9" * 5000, "W/", '"tag"', "Basic ", "YTpi", "Digest ",
    "Sat, 21 Nov 2026 14:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "max-age=", "charset=utf-7",
    "filename*=", "UTF-8''", "%e2%98%83", "%ff", "%", "\xff", "\xa0", "\x85", "\xb2",
    "Bearer", "_", "+", "127.0.0.1", "[::1]:80", "(", "<", "1e9", "-1", "nan", "inf",
])  # fmt: skip
TEXT = st.text(st.characters(max_codepoint=0xFF, blacklist_categories=["Cc"]), max_size=30)
VALUES = (st.lists(WORDS, max_size=8).map("".join) | TEXT).map(lambda text: text.strip(" \t"))
NAMES = st.sampled_from([
    "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Authorization",
    "Access-Control-Request-Headers", "Access-Control-Request-Method", "Cache-Control",
    "Content-Encoding", "Content-MD5", "Cookie", "Date", "If-Match", "If-Modified-Since",
    "If-None-Match", "If-Range", "If-Unmodified-Since", "Max-Forwards", "Origin", "Pragma", "Range",
    "Referer", "User-Agent", "X-Forwarded-For", "X-Own",
])  # fmt: skip
TYPES = st.sampled_from([
    "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=B",
    "multipart/form-data", "text/plain; charset=utf-16", "",
]) | VALUES  # fmt: skip
# As a client must write it, since the client of the tests would encode the rest itself; ...
SENT = [
    "/", "a", "%2f", "%ff", "%00", "%e2%98%83", "..", ";", "=", "&", ":", "@", "%", "%zz", "+",
    "%0d%0a", "a=1", "%25", "%3f", "%C3", "%ed%a0%80",
]  # fmt: skip
QUERIES = st.lists(st.sampled_from(SENT), max_size=10).map("".join)
# ... in a path that shows nowhere.
PATHS = st.lists(
    st.sampled_from([*SENT, "\u2603", "\xff", " ", "\x7f", "\t", "[", "]", '"', "<", "|"]),
    max_size=10,
).map("".join)
PIECES = st.sampled_from([
    b"--B\r\n", b"--B--\r\n", b"\r\n", b"\r\n\r\n", b'Content-Disposition: form-data; name="a"',
    b"Content-Disposition: form-data; name=f; filename=x", b"Content-Type: text/plain", b"a=1",
    b"%", b"%ff", b"\xff", b"=", b"{", b"[", b'"', b"1", b"null", b"\\ud800", b":", b"}", b"]",
    b"&", b"[" * 5000, b"9" * 5000, b"x" * 70_000, b"\0",
])  # fmt: skip
BODIES = st.lists(PIECES, max_size=12).map(b"".join) | st.binary(max_size=100)


@settings(max_examples=300, deadline=None)
@example("GET", "", "", [], "", b"")
@example("POST", "%ff", "%ff=%00", [("Cookie", '="; =')], "application/json", b"9" * 5000)
@example("POST", "", "", [("Range", "bytes=" + "9" * 5000)], "application/json", b"[" * 9000)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "OPTIONS"]),
    path=PATHS,
    query=QUERIES,
    fields=st.lists(st.tuples(NAMES, VALUES), max_size=6, unique_by=lambda field: field[0]),
    kind=TYPES,
    body=BODIES,
)
def test_whatever_comes_is_read_alike_and_never_fails(  # noqa: PLR0917 - what a request is made of
    method: str, path: str, query: str, fields: list[tuple[str, str]], kind: str, body: bytes
) -> None:
    environ, server = [
        outcome(
            Road(name).send(
                everything, method, f"/p{path}", query_string=query, headers=fields,
                content_type=kind or None, input_stream=io.BytesIO(body), use_cookies=False,
                environ_base={"REMOTE_ADDR": "127.0.0.1"}, base_url="http://example.com/",
            )
        )
        for name in ("environ", "server")
    ]  # fmt: skip
    assert environ[0] == "200 OK"
    assert server == environ
