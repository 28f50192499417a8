from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.dates import LAST_MOMENT
from stein.toolkit.datastructures.auth import WWWAuthenticate
from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.datastructures.range import ContentRange
from stein.toolkit.exceptions import NotFound, RequestedRangeNotSatisfiable
from stein.toolkit.http import COEP, COOP, HTTP_STATUS_CODES, generate_etag
from stein.toolkit.request import Request
from stein.toolkit.response import Response, ResponseStream
from stein.toolkit.sansio.response import Response as PureResponse
from stein.toolkit.sansio.response import get_content_type
from stein.toolkit.wsgi import ClosingIterator, FileWrapper
from tests.toolkit.environs import call, make_environ

if TYPE_CHECKING:
    from collections.abc import Iterator

GET = make_environ()
HEAD = make_environ(REQUEST_METHOD="HEAD")


def wire(response: Response, environ: dict[str, Any] = GET) -> tuple[str, dict[str, str], bytes]:
    status, fields, body = call(response, environ)
    return status, dict(fields), body


PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
HEADERS = [
    "Age", "Allow", "Cache-Control", "Content-Length", "Content-Range", "Content-Type", "Date",
    "Content-Security-Policy", "Cross-Origin-Opener-Policy", "ETag", "Retry-After", "Vary",
    "WWW-Authenticate", "Access-Control-Max-Age", "Location",
]  # fmt: skip


class Hooked(Response):
    """Overrides a hook without changing it, so that no short cut is taken."""

    def get_wsgi_headers(self, environ: Any) -> Headers:
        return super().get_wsgi_headers(environ)


BOTH = pytest.mark.parametrize("kind", [Response, Hooked])


class TestSending:
    @BOTH
    @pytest.mark.parametrize(
        ("body", "sent"),
        [
            (None, b""), ("", b""), ("ä", b"\xc3\xa4"), (b"\xff", b"\xff"), (bytearray(b"a"), b"a"),
            (["a", b"b"], b"ab"), (("a",), b"a"), ([], b""), ([b"a", b"b"], b"ab"),
        ],
    )  # fmt: skip
    def test_text_bytes_and_lists_are_sent_with_their_length(
        self, kind: type[Response], body: Any, sent: bytes
    ) -> None:
        response = kind(body)
        for environ, seen in ((GET, sent), (HEAD, b"")):
            status, fields, data = wire(response, environ)
            assert status == "200 OK"
            assert fields == {
                "Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(sent)),
            }  # fmt: skip
            assert data == seen

    @BOTH
    def test_a_generator_is_sent_as_it_comes_and_closed(self, kind: type[Response]) -> None:
        closed = []

        def generate() -> Iterator[str]:
            try:
                yield "a"
                yield "ä"
            finally:
                closed.append(1)

        response = kind(generate())
        response.call_on_close(lambda: closed.append(2))
        _, fields, data = wire(response)
        assert "Content-Length" not in fields
        assert data == "aä".encode()
        assert closed == [1, 2]

    @BOTH
    @pytest.mark.parametrize("code", [100, 101, 199, 204, 304])
    def test_some_statuses_have_no_body_and_no_length(
        self, kind: type[Response], code: int
    ) -> None:
        _, fields, data = wire(kind("body", code))
        assert "Content-Length" not in fields
        assert data == b""

    def test_a_304_keeps_only_what_does_not_tell_about_the_content(self) -> None:
        response = Response("a", 304, {"ETag": '"x"', "Content-Language": "de", "Expires": "0"})
        fields = wire(response)[1]
        assert fields == {"ETag": '"x"', "Expires": "0"}

    @BOTH
    def test_the_length_is_not_set_where_that_is_off(self, kind: type[Response]) -> None:
        class Own(kind):  # type: ignore[misc, valid-type]
            automatically_set_content_length = False

        assert "Content-Length" not in wire(Own("abc"))[1]
        assert "Content-Length" not in wire(Own(["abc"]))[1]

    def test_a_length_of_ones_own_stays(self) -> None:
        assert wire(Response(["abc"], headers={"content-length": "7"}))[1]["content-length"] == "7"

    def test_each_call_gives_lists_of_its_own(self) -> None:
        response = Response(b"a")
        body, _, fields = response.get_wsgi_response(GET)
        body.append(b"b")  # type: ignore[attr-defined]
        fields.clear()
        assert wire(response)[2] == b"a"
        assert len(wire(response)[1]) == 2

    def test_what_is_done_to_the_headers_is_sent(self) -> None:
        response = Response("a")
        response.headers["X-A"] = "b"
        response.content_length = 5
        response.mimetype = "text/html"
        assert wire(response)[1] == {
            "Content-Type": "text/html; charset=utf-8", "Content-Length": "5", "X-A": "b",
        }  # fmt: skip
        response.headers = Headers({"X-C": "d"})
        assert wire(response)[1] == {"X-C": "d", "Content-Length": "1"}

    def test_headers_that_were_given_are_the_same_object(self) -> None:
        headers = Headers()
        assert Response(headers=headers).headers is headers
        assert headers["Content-Type"] == "text/plain; charset=utf-8"

    def test_with_functions_to_call_at_the_end_the_body_can_be_closed(self) -> None:
        response = Response("a")
        done: list[int] = []

        @response.call_on_close
        def first() -> None:
            done.append(1)

        response.call_on_close(lambda: done.append(2))
        assert wire(response)[2] == b"a"
        assert done == [1, 2]

    def test_passing_through_gives_the_server_the_body_itself(self) -> None:
        from io import BytesIO

        body = FileWrapper(BytesIO(b"abc"))
        response = Response(body, direct_passthrough=True)
        assert response.get_app_iter(GET) is body
        assert response.get_app_iter(HEAD) is not body
        with pytest.raises(RuntimeError, match="direct_passthrough"):
            response.get_data()
        assert response.calculate_content_length() is None
        done: list[int] = []
        response.call_on_close(lambda: done.append(1))
        assert wire(response)[2] == b"abc"
        assert done == [1]

    def test_the_hooks_give_what_is_sent(self) -> None:
        response = Response("a")
        assert isinstance(response.get_app_iter(GET), ClosingIterator)
        assert response.get_wsgi_headers({})["Content-Length"] == "1"
        assert Response(["a"]).get_wsgi_headers({})["Content-Length"] == "1"


class TestSubclasses:
    def test_each_hook_is_asked(self) -> None:
        asked: list[str] = []

        def hook(name: str) -> Any:
            def method(self: Any, *args: Any) -> Any:
                asked.append(name)
                return getattr(super(made, self), name)(*args)

            return method

        for name in ("get_wsgi_headers", "get_app_iter", "get_wsgi_response", "iter_encoded",
                     "close", "set_data"):  # fmt: skip
            made = type("Own", (Response,), {name: hook(name)})
            assert wire(made("a"))[2] == b"a"
            assert asked == [name]
            asked.clear()

    def test_a_hook_may_be_put_into_a_class_that_is_there(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def iter_encoded(self: Response) -> Iterator[bytes]:
            return iter([b"other"])

        response = Response("a")
        monkeypatch.setattr(Response, "iter_encoded", iter_encoded)
        assert wire(response)[2] == b"other"

    def test_defaults_of_a_class_are_used(self) -> None:
        class Own(Response):
            default_mimetype = "text/html"
            default_status = "201 Made"

        assert wire(Own("a"))[:2] == (
            "201 Made",
            {"Content-Type": "text/html; charset=utf-8", "Content-Length": "1"},
        )

        class Bare(Response):
            default_mimetype = None

        assert wire(Bare("a"))[1] == {"Content-Length": "1"}
        assert wire(Bare())[1] == {"Content-Length": "0"}
        response = Bare("a")
        response.set_data("abc")
        assert wire(response)[1] == {"Content-Length": "3"}

    def test_a_property_of_a_class_is_used(self) -> None:
        class Own(Response):
            @property
            def status_code(self) -> int:
                return 204

            @status_code.setter
            def status_code(self, code: int) -> None:
                raise AssertionError(code)

            @property
            def is_sequence(self) -> bool:
                return False

        assert not Own._plain_start
        assert wire(Own("a"))[2] == b""

    def test_made_without_the_short_cut_it_is_the_same(self) -> None:
        class Own(Response):
            def set_data(self, value: bytes | str) -> None:
                super().set_data(value)

        for args in ((), ("a",), ("a", 404), (["a"], "201 X", None, "text/html"), ("a", None, None,
                     None, "x/y"), ("a", 200, [("X-A", "b")])):  # fmt: skip
            assert wire(Own(*args)) == wire(Response(*args))

    def test_force_type_changes_the_class(self) -> None:
        class Own(Response):
            pass

        response = Response("a")
        assert Own.force_type(response) is response
        assert type(response) is Own
        with pytest.raises(TypeError, match="environ"):
            Own.force_type(lambda environ, start_response: [])

    def test_what_an_application_answers_becomes_a_response(self) -> None:
        class Own(Response):
            def __init__(self) -> None:
                raise AssertionError

        for response in (Response.from_app(Response("a", 201), GET, buffered=True),
                         Own.force_type(NotFound(), GET)):  # fmt: skip
            assert response.status_code in {201, 404}
            assert b"a" in response.get_data()
        assert type(response) is Own


class TestStatus:
    @pytest.mark.parametrize(
        ("given", "text", "code"),
        [
            (404, "404 NOT FOUND", 404), ("404", "404 NOT FOUND", 404), (299, "299 UNKNOWN", 299),
            ("418 I'm a Teapot", "418 I'm a Teapot", 418), ("oops", "0 oops", 0),
            (" 200 OK ", "200 OK", 200), ("9" * 5000, "0 " + "9" * 5000, 0),
        ],
    )  # fmt: skip
    def test_has_many_forms(self, given: Any, text: str, code: int) -> None:
        response = Response(status=given)
        assert (response.status, response.status_code) == (text, code)
        response = Response()
        response.status = given
        assert (response.status, response.status_code) == (text, code)

    def test_can_be_set_by_number(self) -> None:
        from http import HTTPStatus

        response = Response(status=HTTPStatus.CREATED)
        assert response.status == "201 CREATED"
        response.status_code = 500
        assert response.status == "500 INTERNAL SERVER ERROR"

    @pytest.mark.parametrize("status", ["", "  "])
    def test_may_not_be_empty(self, status: str) -> None:
        with pytest.raises(ValueError, match="Empty status argument"):
            Response(status=status)

    def test_may_hold_no_newline(self) -> None:
        with pytest.raises(ValueError, match=r"'200 OK\\r\\nX: y'"):
            Response(status="200 OK\r\nX: y")

    def test_a_phrase_that_a_program_sets_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert Response(status=200).status == "200 OK"
        monkeypatch.setitem(HTTP_STATUS_CODES, 200, "Fine")
        assert Response(status=200).status == "200 FINE"


class TestLocation:
    @pytest.mark.parametrize(
        ("location", "relative", "absolute"),
        [
            ("/ä b", "/%C3%A4%20b", "http://example.com/%C3%A4%20b"),
            ("c", "c", "http://example.com/a/c"),
            ("../c", "../c", "http://example.com/c"),
            ("http://☃.net/", "http://xn--n3h.net/", "http://xn--n3h.net/"),
            ("//[zz]/", "//[zz]/", "//[zz]/"),
        ],
    )
    def test_is_ascii_and_absolute_if_that_is_wanted(
        self, location: str, relative: str, absolute: str
    ) -> None:
        environ = make_environ("/a/b")
        response = Response(headers={"location": location, "Content-Location": location})
        fields = wire(response, environ)[1]
        sent = {name.lower(): value for name, value in fields.items()}["location"]
        assert sent == fields["Content-Location"] == relative
        response.autocorrect_location_header = True
        assert response.get_wsgi_headers(environ)["Location"] == absolute


class TestBody:
    def test_data_is_the_whole_body(self) -> None:
        pieces: Any = ["a", b"b"]
        response: Any = Response(iter(pieces))
        assert response.is_streamed
        assert not response.is_sequence
        assert response.data == response.get_data() == b"ab"
        assert response.get_data(as_text=True) == "ab"
        assert response.is_sequence
        assert not response.is_streamed
        response.data = "ä"
        assert response.response == ["ä".encode()]
        assert response.content_length == 2

    def test_reading_a_generator_may_be_off(self) -> None:
        response = Response(iter("ab"))
        response.implicit_sequence_conversion = False
        with pytest.raises(RuntimeError, match="make_sequence"):
            response.get_data()
        assert response.calculate_content_length() is None
        response.make_sequence()
        assert response.get_data() == b"ab"

    def test_what_was_read_is_closed_with_the_response(self) -> None:
        closed = []

        class Body:
            def __iter__(self) -> Iterator[bytes]:
                return iter([b"a"])

            def close(self) -> None:
                closed.append(1)

        with Response(Body()) as response:
            assert response.get_data() == b"a"
            response.make_sequence()
            assert closed == []
        assert closed == [1]
        Response(Body()).close()
        assert closed == [1, 1]

    def test_can_be_written(self) -> None:
        response = Response(("a",))
        assert isinstance(response.stream, ResponseStream)
        assert response.stream is response.stream
        assert response.stream.write(b"bc") == 2
        response.stream.writelines([b"d"])
        assert response.stream.tell() == 4
        assert response.stream.isatty() is False
        response.stream.flush()
        assert wire(response)[1]["Content-Length"] == "4"
        response.stream.close()
        for action in (response.stream.flush, response.stream.isatty,
                       lambda: response.stream.write(b"")):  # fmt: skip
            with pytest.raises(ValueError, match="closed"):
                action()

    def test_writing_forgets_the_length(self) -> None:
        response = Response("abc")
        response.stream.write(b"d")
        assert "Content-Length" not in response.headers
        assert response.get_data() == b"abcd"

    def test_frozen_it_can_be_pickled(self) -> None:
        response = Response(iter(["a", "b"]))
        response.freeze()
        copy = pickle.loads(pickle.dumps(response))  # noqa: S301 - made here
        assert copy.response == [b"a", b"b"]
        assert copy.get_etag() == (generate_etag(b"ab"), False)
        assert wire(copy) == wire(response)

    def test_json_is_read_if_it_is_json(self) -> None:
        response = Response('{"a": 1}', mimetype="application/json")
        assert response.is_json
        assert response.json == response.get_json() == {"a": 1}
        assert Response("[]").json is None
        assert Response("[1]").get_json(force=True) == [1]
        with pytest.raises(json.JSONDecodeError):
            Response("[").get_json(force=True)
        assert Response("[").get_json(force=True, silent=True) is None

    @pytest.mark.parametrize(
        ("body", "shown"),
        [
            ("ä", "<Response 2 bytes [200 OK]>"),
            (iter(""), "<Response streamed [200 OK]>"),
            ({"a"}, "<Response likely-streamed [200 OK]>"),
        ],
    )
    def test_shows_what_it_is(self, body: Any, shown: str) -> None:
        assert repr(Response(body)) == shown
        assert repr(PureResponse(404)) == "<Response [404 NOT FOUND]>"


class TestFields:
    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("text/css", "text/css; charset=utf-8"),
            ("image/svg+xml", "image/svg+xml; charset=utf-8"),
            ("application/xml", "application/xml; charset=utf-8"), ("image/png", "image/png"),
        ],
    )  # fmt: skip
    def test_texts_get_a_charset(self, kind: str, value: str) -> None:
        assert Response(mimetype=kind).content_type == value == get_content_type(kind, "utf-8")
        assert Response(content_type=kind).content_type == kind
        assert Response(headers={"Content-Type": kind}).content_type == kind
        assert Response(headers={"X-A": "b"}, mimetype=kind).content_type == value
        assert Response(headers={"content-type": "a/b"}, content_type=kind).content_type == kind

    @pytest.mark.parametrize("name", ["mimetype", "content_type"])
    def test_a_media_type_with_a_newline_is_refused(self, name: str) -> None:
        for _ in range(2):
            with pytest.raises(ValueError, match="Content-Type"):
                Response(**{name: "text/html\r\nX: y"})  # type: ignore[arg-type]

    def test_the_media_type_is_taken_apart_and_can_be_changed(self) -> None:
        response: Any = Response(mimetype="text/html")
        assert response.mimetype == "text/html"
        response.mimetype_params["level"] = "1"
        assert response.content_type == "text/html; charset=utf-8; level=1"
        del response.headers["Content-Type"]
        assert response.mimetype is None
        assert response.is_json is False

    def test_dates_are_moments(self) -> None:
        response = Response()
        moment = datetime(2024, 2, 29, 12, tzinfo=UTC)
        for name in ("date", "expires", "last_modified", "retry_after"):
            assert getattr(response, name) is None
            setattr(response, name, moment)
            assert getattr(response, name) == moment
        response.date = 0
        assert response.headers["Date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
        response.headers["Date"] = "soon"
        assert response.date is None

    def test_retry_after_may_be_seconds(self) -> None:
        response: Any = Response()
        response.retry_after = 60
        assert response.headers["Retry-After"] == "60"
        wait = response.retry_after
        assert wait is not None
        assert abs(wait - datetime.now(UTC) - timedelta(seconds=60)) < timedelta(seconds=5)
        response.headers["Retry-After"] = "9" * 20
        assert response.retry_after == LAST_MOMENT
        response.headers["Retry-After"] = "soon"
        assert response.retry_after is None
        response.retry_after = None
        assert "Retry-After" not in response.headers

    def test_numbers_are_numbers(self) -> None:
        response: Any = Response()
        response.content_length = 5
        assert response.headers["Content-Length"] == "5"
        response.headers["Content-Length"] = "x"
        assert response.content_length is None
        response.age = 5
        assert response.age == timedelta(seconds=5)
        response.age = timedelta(minutes=1)
        assert response.headers["Age"] == "60"
        response.access_control_max_age = 9
        assert response.access_control_max_age == 9

    @pytest.mark.parametrize(
        ("name", "header"),
        [("vary", "Vary"), ("allow", "Allow"), ("content_language", "Content-Language")],
    )
    def test_sets_of_words_can_be_changed_and_set(self, name: str, header: str) -> None:
        response = Response()
        assert not getattr(response, name)
        getattr(response, name).update(["a", "b"])
        assert response.headers[header] == "a, b"
        getattr(response, name).clear()
        assert header not in response.headers
        for value, written in (("a,b", "a,b"), (["a", "b"], "a, b"), ({"a": 1}, "a=1")):
            setattr(response, name, value)
            assert response.headers[header] == written
        setattr(response, name, None)
        assert header not in response.headers

    def test_cache_control_can_be_changed(self) -> None:
        response = Response()
        response.cache_control.max_age = 5
        assert response.headers["Cache-Control"] == "max-age=5"
        response.cache_control.max_age = None
        assert "Cache-Control" not in response.headers

    def test_tags_are_quoted(self) -> None:
        response = Response("a")
        assert response.get_etag() == (None, None)
        response.set_etag("x", weak=True)
        assert response.headers["ETag"] == 'W/"x"'
        assert response.get_etag() == ("x", True)
        response.add_etag()
        assert response.get_etag() == ("x", True)
        response.add_etag(overwrite=True)
        assert response.get_etag() == (generate_etag(b"a"), False)

    def test_content_range_can_be_changed_and_set(self) -> None:
        response = Response()
        assert not response.content_range
        response.content_range.set(0, 5, 10)
        assert response.headers["Content-Range"] == "bytes 0-4/10"
        assert response.content_range.stop == 5
        response.content_range.unset()
        assert "Content-Range" not in response.headers
        response.content_range = "bytes */7"  # type: ignore[assignment]
        assert response.content_range.length == 7
        response.content_range = ContentRange("bytes", 1, 2, 3)
        assert response.headers["Content-Range"] == "bytes 1-1/3"
        response.content_range = None  # type: ignore[assignment]
        assert "Content-Range" not in response.headers

    @pytest.mark.parametrize(
        ("name", "header"),
        [
            ("content_security_policy", "Content-Security-Policy"),
            ("content_security_policy_report_only", "Content-Security-Policy-Report-Only"),
        ],
    )
    def test_policies_can_be_changed_and_set(self, name: str, header: str) -> None:
        response = Response()
        getattr(response, name).default_src = "'self'"
        assert response.headers[header] == "default-src 'self'"
        getattr(response, name).default_src = None
        assert header not in response.headers
        setattr(response, name, "img-src *")
        assert getattr(response, name).img_src == "*"
        setattr(response, name, None)
        assert header not in response.headers

    def test_challenges_can_be_changed_set_and_deleted(self) -> None:
        response = Response()
        response.www_authenticate.realm = "a"
        assert response.headers["WWW-Authenticate"] == "Basic realm=a"
        challenge = WWWAuthenticate("digest", {"realm": "b"})
        response.www_authenticate = challenge
        challenge.nonce = "c"
        assert response.headers["WWW-Authenticate"] == 'Digest realm="b", nonce="c"'
        response.www_authenticate = [challenge, WWWAuthenticate("bearer")]
        assert response.headers.getlist("WWW-Authenticate")[1] == "Bearer"
        del response.www_authenticate
        assert "WWW-Authenticate" not in response.headers
        response.www_authenticate = [challenge]
        response.www_authenticate = None
        assert "WWW-Authenticate" not in response.headers

    def test_cross_origin_fields_can_be_read_and_set(self) -> None:
        response = Response()
        assert response.access_control_allow_credentials is False
        response.access_control_allow_credentials = True
        assert response.headers["Access-Control-Allow-Credentials"] == "true"
        response.access_control_allow_credentials = False
        assert "Access-Control-Allow-Credentials" not in response.headers
        for name in ("allow_headers", "allow_methods", "expose_headers"):
            setattr(response, f"access_control_{name}", ["A", "B"])
            assert set(getattr(response, f"access_control_{name}")) == {"A", "B"}
            setattr(response, f"access_control_{name}", "GET, PUT")
            assert set(getattr(response, f"access_control_{name}")) == {"GET", "PUT"}
        assert response.cross_origin_opener_policy is COOP.UNSAFE_NONE
        response.cross_origin_opener_policy = COOP.SAME_ORIGIN
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        response.headers["Cross-Origin-Opener-Policy"] = "nonsense"
        assert response.cross_origin_opener_policy is COOP.UNSAFE_NONE
        response.cross_origin_embedder_policy = COEP.REQUIRE_CORP
        assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"

    def test_cookies_are_set_and_deleted(self) -> None:
        response = Response()
        response.set_cookie("a", "ä", max_age=5, path="/x", domain="example.com", httponly=True,
                            samesite="lax", partitioned=True)  # fmt: skip
        response.delete_cookie("b", path="/x", secure=True)
        first, second = response.headers.getlist("Set-Cookie")
        assert first.startswith('a="\\303\\244"; Domain=example.com; Expires=')
        assert first.endswith("Max-Age=5; Secure; HttpOnly; Path=/x; SameSite=Lax; Partitioned")
        assert "Max-Age=0" in second
        with pytest.raises(ValueError, match="samesite"):
            response.set_cookie("a", samesite="x")
        with pytest.warns(UserWarning, match="too large"):
            response.set_cookie("a", "x" * 5000)

    @given(st.dictionaries(st.sampled_from(HEADERS), PRINTABLE, max_size=4))
    def test_whatever_is_in_a_header_each_property_is_a_value(self, fields: dict[str, str]) -> None:
        for name in dir(PureResponse):
            if not name.startswith("_"):
                getattr(PureResponse(headers=fields), name)
        wire(Response("a", headers=fields))


class TestConditions:
    def make(self, data: str = "hello world") -> Response:
        response = Response(data)
        response.set_etag("x")
        response.last_modified = datetime(2024, 1, 1, tzinfo=UTC)
        return response

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({}, 200),
            ({"HTTP_IF_NONE_MATCH": '"x"'}, 304),
            ({"HTTP_IF_NONE_MATCH": 'W/"x"'}, 304),
            ({"HTTP_IF_NONE_MATCH": '"y"'}, 200),
            ({"HTTP_IF_MATCH": '"y"'}, 412),
            ({"HTTP_IF_MATCH": '"x"'}, 200),
            ({"HTTP_IF_MODIFIED_SINCE": "Mon, 01 Jan 2024 00:00:00 GMT"}, 304),
            ({"HTTP_IF_MODIFIED_SINCE": "Sun, 31 Dec 2023 00:00:00 GMT"}, 200),
            ({"HTTP_IF_NONE_MATCH": '"x"', "REQUEST_METHOD": "POST"}, 200),
            ({"HTTP_IF_NONE_MATCH": '"x"', "REQUEST_METHOD": "HEAD"}, 304),
        ],
    )
    def test_are_answered(self, fields: dict[str, Any], code: int) -> None:
        response = self.make()
        environ = make_environ(**fields)
        assert response.make_conditional(environ) is response
        assert response.status_code == code
        assert ("Date" in response.headers) is (environ["REQUEST_METHOD"] != "POST")

    def test_can_be_those_of_a_request(self) -> None:
        response = self.make().make_conditional(Request(make_environ(HTTP_IF_NONE_MATCH='"x"')))
        assert response.status_code == 304
        with pytest.raises(TypeError, match="str"):
            response.make_conditional("GET")  # type: ignore[arg-type]

    def test_a_date_and_a_length_that_are_there_stay(self) -> None:
        response = Response("abc")
        response.date = 0
        response.content_length = 9
        response.make_conditional(GET)
        assert response.headers["Date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
        assert response.content_length == 9

    def test_the_length_of_a_generator_becomes_known_unless_it_must_not_be_read(self) -> None:
        response = Response(iter("abc")).make_conditional(GET)
        assert response.content_length == 3
        response = Response(iter("abc"))
        response.implicit_sequence_conversion = False
        assert response.make_conditional(GET).content_length is None

    @pytest.mark.parametrize(
        ("wanted", "sent", "told"),
        [
            ("bytes=0-4", b"hello", "bytes 0-4/11"),
            ("bytes=6-", b"world", "bytes 6-10/11"),
            ("bytes=-3", b"rld", "bytes 8-10/11"),
            ("bytes=6-999", b"world", "bytes 6-10/11"),
        ],
    )
    def test_a_part_is_given(self, wanted: str, sent: bytes, told: str) -> None:
        environ = make_environ(HTTP_RANGE=wanted)
        response = self.make().make_conditional(environ, accept_ranges=True, complete_length=11)
        status, fields, data = wire(response, environ)
        assert status == "206 PARTIAL CONTENT"
        assert data == sent
        assert fields["Content-Range"] == told
        assert fields["Content-Length"] == str(len(sent))
        assert fields["Accept-Ranges"] == "bytes"

    @pytest.mark.parametrize("wanted", ["bytes=-", "bytes=11-", "pages=1-2", "bytes=0-1,3-4", "x"])
    def test_a_part_that_is_not_there_is_refused(self, wanted: str) -> None:
        environ = make_environ(HTTP_RANGE=wanted)
        with pytest.raises(RequestedRangeNotSatisfiable) as caught:
            self.make().make_conditional(environ, accept_ranges=True, complete_length=11)
        assert caught.value.length == 11

    @pytest.mark.parametrize(
        ("tag", "code"),
        [
            ('"x"', 206), ('"y"', 200), ("Mon, 01 Jan 2024 00:00:00 GMT", 206),
            ("Sun, 31 Dec 2023 00:00:00 GMT", 200),
        ],
    )  # fmt: skip
    def test_a_part_is_given_only_of_the_same_state(self, tag: str, code: int) -> None:
        environ = make_environ(HTTP_RANGE="bytes=0-4", HTTP_IF_RANGE=tag)
        response = self.make().make_conditional(environ, accept_ranges=True, complete_length=11)
        assert response.status_code == code

    @pytest.mark.parametrize("length", [None, 0])
    def test_without_a_length_there_are_no_parts(self, length: int | None) -> None:
        environ = make_environ(HTTP_RANGE="bytes=0-4")
        response = self.make()
        response.make_conditional(environ, accept_ranges="bytes", complete_length=length)
        assert response.status_code == 200
        assert response.accept_ranges == "bytes"
        response = self.make().make_conditional(environ, complete_length=11)
        assert response.status_code == 200
        assert response.accept_ranges is None
