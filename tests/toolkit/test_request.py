from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stein.toolkit.datastructures.accept import MIMEAccept
from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.datastructures.multidict import ImmutableList, ImmutableMultiDict
from stein.toolkit.exceptions import (
    BadRequest,
    HTTPException,
    NotFound,
    RequestEntityTooLarge,
    SecurityError,
    UnsupportedMediaType,
)
from stein.toolkit.forms.parser import FormDataParser
from stein.toolkit.properties import cached_property
from stein.toolkit.request import Request
from stein.toolkit.response import Response
from stein.toolkit.sansio.request import Request as PureRequest
from stein.toolkit.useragent import UserAgent
from tests.toolkit.environs import call, make_environ

FORM = "application/x-www-form-urlencoded"


def request(*args: Any, **kwargs: Any) -> Request:
    return Request(make_environ(*args, **kwargs))


def pure(headers: dict[str, str] | None = None, **kwargs: Any) -> PureRequest:
    values: dict[str, Any] = {
        "method": "get", "scheme": "http", "server": None, "root_path": "", "path": "",
        "query_string": b"", "headers": Headers(headers or {}), "remote_addr": None, **kwargs,
    }  # fmt: skip
    return PureRequest(**values)


class TestWhatIsInTheEnviron:
    def test_is_what_the_server_said(self) -> None:
        req = request("/a/b", "x=1", REQUEST_METHOD="put", SCRIPT_NAME="/app/")
        assert req.method == "PUT"
        assert req.scheme == "http"
        assert req.server == ("127.0.0.1", 8000)
        assert req.root_path == req.script_root == "/app"
        assert req.path == "/a/b"
        assert req.query_string == b"x=1"
        assert req.full_path == "/a/b?x=1"
        assert req.remote_addr == "192.0.2.1"
        assert req.headers["host"] == "example.com"
        assert req.is_multithread is True
        assert req.is_multiprocess is False
        assert req.is_run_once is False
        assert req.remote_user is None

    def test_may_be_missing_nearly_entirely(self) -> None:
        req = Request({})
        assert (req.method, req.scheme, req.server, req.root_path) == ("GET", "http", None, "")
        assert (req.path, req.query_string, req.remote_addr, req.host) == ("/", b"", None, "")
        assert req.args == {}
        assert req.access_route == []

    @pytest.mark.parametrize("port", [None, "", "http", "/run/x.sock"])
    def test_a_server_without_a_port_is_a_unix_socket(self, port: str | None) -> None:
        assert request(SERVER_PORT=port).server == ("127.0.0.1", None)

    @pytest.mark.parametrize(
        ("path", "shown"),
        [("", "/"), ("//a", "/a"), ("a", "/a"), ("///", "/"), ("/\xc3\xa4", "/ä"), ("/\xff", "/�")],
    )
    def test_the_path_is_decoded_and_has_one_slash_in_front(self, path: str, shown: str) -> None:
        assert request(path).path == shown

    def test_the_request_is_put_into_the_environ_unless_told_otherwise(self) -> None:
        environ = make_environ()
        assert environ.setdefault("werkzeug.request", None) is None
        req = Request(environ)
        assert environ["werkzeug.request"] is req
        other = make_environ()
        Request(other, populate_request=False)
        Request(other, shallow=True)
        assert "werkzeug.request" not in other

    def test_all_attributes_can_be_set_and_deleted(self) -> None:
        req = request("/a", "x=1")
        req.method, req.path, req.query_string = "PATCH", "/b", b"y=2"
        assert req.full_path == "/b?y=2"
        assert req.args.to_dict() == {"y": "2"}
        del req.args
        req.query_string = b"z=3"
        assert req.args["z"] == "3"
        req.headers = Headers({"Cookie": "a=b", "User-Agent": "x"})
        assert req.cookies.to_dict() == {"a": "b"}
        assert req.user_agent.string == "x"

    def test_shows_the_url_and_the_method(self) -> None:
        assert repr(request("/ä".encode().decode("latin-1"), "q=1")) == (
            "<Request 'http://example.com/ä?q=1' [GET]>"
        )

    def test_shows_why_there_is_no_url(self) -> None:
        req = request()
        req.trusted_hosts = ["example.org"]
        assert "example.com" in repr(req)
        assert "trusts" in repr(req)

    def test_a_request_can_be_made_of_values(self) -> None:
        class Own(Request):
            pass

        req = Own.from_values("/a?b=c", method="POST", data={"d": "e"})
        assert type(req) is Own
        assert (req.args["b"], req.form["d"]) == ("c", "e")


class TestSubclasses:
    def test_a_property_with_a_setter_is_told_its_value_when_the_request_is_made(self) -> None:
        class Loud(Request):
            @property
            def path(self) -> str:
                return self._path.upper()

            @path.setter
            def path(self, value: str) -> None:
                self._path = value

        assert Loud(make_environ("/a")).path == "/A"
        assert Loud._eager == ("path",)

    def test_super_gives_the_kept_value(self) -> None:
        class Twice(Request):
            @property
            def form(self) -> Any:
                return {**super().form, "more": "1"}

        req = Twice(make_environ(body=b"a=b", CONTENT_TYPE=FORM))
        assert req.form == {"a": "b", "more": "1"}
        assert req.form == {"a": "b", "more": "1"}

    def test_a_lazy_attribute_may_be_replaced_by_another(self) -> None:
        class Fixed(Request):
            @cached_property
            def host(self) -> str:
                return "fixed.example"

        assert Fixed(make_environ("/a")).url == "http://fixed.example/a"

    def test_storage_classes_are_used(self) -> None:
        class Plain(Request):
            parameter_storage_class = dict  # type: ignore[assignment]
            dict_storage_class = dict  # type: ignore[assignment]
            list_storage_class = tuple  # type: ignore[assignment]

        req = Plain(make_environ(query="a=1", HTTP_COOKIE="c=2"))
        assert req.args == {"a": "1"}
        assert type(req.cookies) is dict
        kinds: list[Any] = [type(req.access_route)]
        assert kinds == [tuple]
        assert type(req.form) is dict
        assert req.values["a"] == "1"

    def test_the_defaults_cannot_be_changed(self) -> None:
        req = request(query="a=1")
        assert type(req.args) is type(req.cookies) is ImmutableMultiDict
        assert type(req.access_route) is ImmutableList

    def test_the_user_agent_class_reads_the_field(self) -> None:
        class Agent(UserAgent):
            browser = "netscape"

        class Known(Request):
            user_agent_class = Agent

        assert Known(make_environ(HTTP_USER_AGENT="x")).user_agent.browser == "netscape"


class TestQuery:
    @pytest.mark.parametrize(
        ("query", "pairs"),
        [
            ("", []),
            ("a=1&a=2&b", [("a", "1"), ("a", "2"), ("b", "")]),
            ("a=%C3%A4&b=x+y", [("a", "ä"), ("b", "x y")]),
            ("a=\xc3\xa4", [("a", "ä")]),
            ("a=%FF", [("a", "%FF")]),
            ("a=\xff", [("a", "%FF")]),
            ("a=\xff%C3%A4", [("a", "\N{PERCENT SIGN}FFä")]),
        ],
    )
    def test_is_decoded_and_bytes_that_are_no_utf_8_stay_encoded(
        self, query: str, pairs: list[tuple[str, str]]
    ) -> None:
        assert list(request(query=query).args.items(multi=True)) == pairs
        bytes_of = pure(query_string=query.encode("latin-1"))
        assert list(bytes_of.args.items(multi=True)) == pairs

    def test_values_are_those_of_the_query_and_unless_it_is_a_get_of_the_form(self) -> None:
        made = {"query": "a=1", "body": b"a=2&b=3", "CONTENT_TYPE": FORM}
        assert request(**made).values.getlist("a") == ["1", "2"]
        assert request(**made, REQUEST_METHOD="GET").values.to_dict() == {"a": "1"}


class TestUrl:
    def test_has_all_parts(self) -> None:
        req = request("/b", "c=d%20e", SCRIPT_NAME="/a")
        assert req.url == "http://example.com/a/b?c=d%20e"
        assert req.base_url == "http://example.com/a/b"
        assert req.root_url == req.url_root == "http://example.com/a/"
        assert req.host_url == "http://example.com/"
        assert req.is_secure is False
        assert request(wsgi__url_scheme="https").is_secure is True

    @pytest.mark.parametrize(
        ("field", "host"),
        [
            ("example.com:80", "example.com"),
            ("example.com:8080", "example.com:8080"),
            ("[::1]:80", "[::1]"),
            ("a b", ""),
            ("a/b", ""),
            ("", ""),
        ],
    )
    def test_the_host_is_without_the_usual_port_and_empty_if_it_is_none(
        self, field: str, host: str
    ) -> None:
        assert request(HTTP_HOST=field).host == host

    def test_without_the_field_it_is_the_server(self) -> None:
        environ = make_environ()
        del environ["HTTP_HOST"]
        assert Request(environ).host == "127.0.0.1:8000"

    def test_hosts_that_are_not_trusted_are_refused(self) -> None:
        req = request()
        req.trusted_hosts = [".example.com"]
        assert req.host == "example.com"
        for name in ("host", "url", "base_url", "root_url", "url_root", "host_url"):
            req = request()
            req.trusted_hosts = ["example.org"]
            with pytest.raises(SecurityError, match=r"example\.com"):
                getattr(req, name)


class TestFields:
    def test_the_media_type_is_taken_apart(self) -> None:
        req = request(CONTENT_TYPE="Application/JSON; charset=UTF-8")
        assert req.content_type == "Application/JSON; charset=UTF-8"
        assert req.mimetype == "application/json"
        assert req.mimetype_params == {"charset": "UTF-8"}
        assert req.is_json
        assert request().mimetype == ""
        assert request().content_type is None

    @pytest.mark.parametrize(
        ("kind", "is_json"),
        [("application/problem+json", True), ("text/json", False), ("application/x+jsonp", False)],
    )
    def test_all_kinds_of_json_are_json(self, kind: str, is_json: object) -> None:
        assert request(CONTENT_TYPE=kind).is_json is is_json

    @pytest.mark.parametrize(
        ("length", "coding", "expected"),
        [
            ("12", None, 12),
            ("12", "chunked", None),
            ("-1", None, 0),
            ("1_0", None, 0),
            ("", None, 0),
        ],
    )
    def test_the_length_is_a_number_or_not_known(
        self, length: str, coding: str | None, expected: int | None
    ) -> None:
        more = {} if coding is None else {"HTTP_TRANSFER_ENCODING": coding}
        assert request(CONTENT_LENGTH=length, **more).content_length == expected

    def test_preferences_are_read(self) -> None:
        req = request(HTTP_ACCEPT="text/html,*/*;q=0.1", HTTP_ACCEPT_LANGUAGE="de,en;q=0.5",
                      HTTP_ACCEPT_ENCODING="gzip", HTTP_ACCEPT_CHARSET="utf-8")  # fmt: skip
        assert req.accept_mimetypes.best == "text/html"
        assert req.accept_languages.best_match(["en", "de"]) == "de"
        assert req.accept_encodings["gzip"] == 1
        assert req.accept_charsets["UTF8"] == 1
        assert not request().accept_mimetypes.provided
        assert request(HTTP_ACCEPT="").accept_mimetypes == MIMEAccept()
        long = ",".join(f"a/{number}" for number in range(200))
        assert len(request(HTTP_ACCEPT=long).accept_mimetypes) == 200

    def test_conditions_are_read(self) -> None:
        moment = datetime(2008, 1, 22, 11, 18, 44, tzinfo=UTC)
        date = "Tue, 22 Jan 2008 11:18:44 GMT"
        req = request(HTTP_IF_MATCH='"a"', HTTP_IF_NONE_MATCH='W/"b"', HTTP_IF_MODIFIED_SINCE=date,
                      HTTP_IF_UNMODIFIED_SINCE=date, HTTP_IF_RANGE='"c"', HTTP_RANGE="bytes=0-9",
                      HTTP_CACHE_CONTROL="no-cache", HTTP_PRAGMA="no-cache", HTTP_DATE=date,
                      HTTP_MAX_FORWARDS="3")  # fmt: skip
        assert req.if_match.is_strong("a")
        assert req.if_none_match.is_weak("b")
        assert req.if_modified_since == req.if_unmodified_since == req.date == moment
        assert req.if_range.etag == "c"
        assert req.range is not None
        assert req.range.ranges == [(0, 10)]
        assert req.cache_control.no_cache
        assert "no-cache" in req.pragma
        assert req.max_forwards == 3
        none = request()
        assert none.range is None
        assert none.if_modified_since is None
        assert none.date is None
        assert none.max_forwards is None
        assert not none.pragma
        assert request(HTTP_MAX_FORWARDS="9" * 5000).max_forwards is None

    def test_who_asks_is_read(self) -> None:
        req = request(HTTP_REFERER="http://a.example/", HTTP_ORIGIN="http://a.example",
                      HTTP_AUTHORIZATION="Basic YTpi", HTTP_CONTENT_ENCODING="gzip",
                      HTTP_CONTENT_MD5="x", HTTP_ACCESS_CONTROL_REQUEST_HEADERS="x-a, x-b",
                      HTTP_ACCESS_CONTROL_REQUEST_METHOD="PUT")  # fmt: skip
        assert req.referrer == "http://a.example/"
        assert req.origin == "http://a.example"
        assert req.authorization is not None
        assert (req.authorization.username, req.authorization.password) == ("a", "b")
        assert req.content_encoding == "gzip"
        assert req.content_md5 == "x"
        assert req.access_control_request_headers is not None
        assert set(req.access_control_request_headers) == {"x-a", "x-b"}
        assert req.access_control_request_method == "PUT"
        assert request(HTTP_AUTHORIZATION="Basic ÿ").authorization is None
        with pytest.raises(AttributeError):
            req.origin = "http://b.example"

    def test_the_route_is_what_proxies_say(self) -> None:
        assert request(HTTP_X_FORWARDED_FOR="a, b").access_route == ["a", "b"]
        assert request().access_route == ["192.0.2.1"]

    def test_cookies_may_be_in_several_fields_where_the_headers_allow_that(self) -> None:
        req = pure()
        req.headers = Headers([("Cookie", "a=1"), ("Cookie", "b=2")])
        assert req.cookies.to_dict() == {"a": "1", "b": "2"}
        assert request(HTTP_COOKIE="a=1; =x; b=2").cookies.to_dict() == {"a": "1", "b": "2"}


class TestBody:
    def test_can_be_read_as_a_stream_once(self) -> None:
        req = request(body=b"hello")
        assert req.stream.read() == b"hello"
        assert req.stream.read() == b""
        assert req.input_stream is req.environ["wsgi.input"]

    def test_is_kept_when_it_is_read_as_a_whole(self) -> None:
        req = request(body=b"a=\xff", CONTENT_TYPE=FORM)
        assert req.get_data() == b"a=\xff"
        assert req.get_data(as_text=True) == "a=�"

    def test_a_form_can_still_be_read_after_the_data_was_kept(self) -> None:
        req = request(body=b"a=b", CONTENT_TYPE=FORM)
        assert req.get_data() == b"a=b"
        assert req.form["a"] == "b"
        assert req.get_data() == b"a=b"

    def test_nothing_is_left_after_reading_without_keeping(self) -> None:
        req = request(body=b"a=b", CONTENT_TYPE=FORM)
        assert req.get_data(cache=False) == b"a=b"
        assert req.get_data(cache=False) == b""
        assert not req.form

    def test_data_is_empty_for_a_form_and_the_body_otherwise(self) -> None:
        req = request(body=b"a=b", CONTENT_TYPE=FORM)
        assert req.data == b""
        assert req.form["a"] == "b"
        assert request(body=b"x", CONTENT_TYPE="text/plain").data == b"x"
        assert request(body=b"x").data == b"x"

    def test_a_stream_can_be_put_before_the_form(self) -> None:
        req = request(body=b"a=b", CONTENT_TYPE=FORM)
        req.stream = BytesIO(b"c=d")
        assert req.form.to_dict() == {"c": "d"}

    def test_reading_is_refused_in_a_shallow_request(self) -> None:
        req = Request(make_environ(query="a=1", body=b"x"), shallow=True)
        assert req.args["a"] == "1"
        for name in ("stream", "data", "form", "files"):
            with pytest.raises(RuntimeError, match="shallow=True"):
                getattr(req, name)

    def test_files_are_closed_with_the_request(self) -> None:
        body = (
            b'--B\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\n'
            b"hello\r\n--B--\r\n"
        )
        with request(body=body, CONTENT_TYPE="multipart/form-data; boundary=B") as req:
            upload = req.files["f"]
            assert upload.read() == b"hello"
            assert not req.form
            assert not upload.closed
        assert upload.closed
        request().close()

    def test_limits_are_those_of_the_class_or_the_request(self) -> None:
        class Small(Request):
            max_content_length = 3

        for name in ("stream", "data", "form"):
            with pytest.raises(RequestEntityTooLarge):
                getattr(Small(make_environ(body=b"a=bc", CONTENT_TYPE=FORM)), name)
        with pytest.raises(
            RequestEntityTooLarge, match=r"more than 3 bytes \(setting: max_content_length\)"
        ):
            _ = Small(make_environ(body=b"a=bc")).data
        body = b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nabc\r\n--B--'
        req = request(body=body, CONTENT_TYPE="multipart/form-data; boundary=B")
        req.max_form_memory_size = 2
        with pytest.raises(RequestEntityTooLarge, match="max_form_memory_size"):
            _ = req.form

    def test_the_hooks_of_form_parsing_are_asked(self) -> None:
        made: list[Any] = []

        class Parser(FormDataParser):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                made.append(kwargs)
                super().__init__(*args, **kwargs)

        class Own(Request):
            form_data_parser_class = Parser
            max_form_parts = 7

            def _get_file_stream(self, *args: Any, **kwargs: Any) -> Any:
                made.append("file")
                return super()._get_file_stream(*args, **kwargs)

        body = b'--B\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nx\r\n--B--'
        req = Own(make_environ(body=body, CONTENT_TYPE="multipart/form-data; boundary=B"))
        req._load_form_data()
        req._load_form_data()
        assert made[0]["max_form_parts"] == 7
        assert made[1:] == ["file"]
        req.close()
        assert req.want_form_data_parsed

    def test_a_form_is_not_looked_for_where_it_is_not_wanted(self) -> None:
        class Never(Request):
            want_form_data_parsed = False

        req = Never(make_environ(body=b"a=b", CONTENT_TYPE=FORM))
        assert not req.form
        assert not req.files
        assert req.stream.read() == b"a=b"


class TestJson:
    def make(self, body: bytes, kind: str = "application/json") -> Request:
        return request(body=body, CONTENT_TYPE=kind)

    def test_is_read_once_and_kept(self) -> None:
        req = self.make(b'{"a": [1]}')
        assert req.json == {"a": [1]}
        assert req.json is req.get_json() is req.get_json(silent=True)
        assert req.get_data() == b'{"a": [1]}'

    def test_is_read_anew_if_it_is_not_to_be_kept(self) -> None:
        req = self.make(b"[1]")
        assert req.get_json(cache=False) == [1]
        assert req.get_data() == b""

    def test_another_media_type_is_refused_unless_forced(self) -> None:
        req = self.make(b"[1]", "text/plain")
        with pytest.raises(UnsupportedMediaType, match="text/plain"):
            req.get_json()
        assert req.get_json(silent=True) is None
        assert req.get_json(force=True) == [1]

    @pytest.mark.parametrize("environ", [{}, {"CONTENT_TYPE": ""}])
    def test_no_media_type_is_said_so(self, environ: dict[str, Any]) -> None:
        req = Request({"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(), **environ})
        with pytest.raises(UnsupportedMediaType) as caught:
            req.get_json()
        assert caught.value.description == (
            "The request has no Content-Type; send it as 'application/json'."
        )

    @pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b"9" * 5000, b""])
    def test_what_is_no_json_is_a_bad_request(self, body: bytes) -> None:
        req = self.make(body) if body else request(CONTENT_TYPE="application/json")
        assert req.get_json(silent=True) is None
        assert req.get_json(silent=True) is None
        with pytest.raises(BadRequest, match="Failed to decode JSON"):
            req.get_json()

    def test_the_hook_may_give_a_value_which_is_kept(self) -> None:
        class Lenient(Request):
            def on_json_loading_failed(self, e: ValueError | None) -> Any:
                return "no type" if e is None else "no json"

        req = Lenient(make_environ(body=b"{", CONTENT_TYPE="application/json"))
        assert req.json == "no json"
        assert req.get_json() == "no json"
        assert req.get_json(silent=True) is None
        assert Lenient(make_environ(body=b"{")).json == "no type"

    def test_another_module_may_read_it(self) -> None:
        class Other:
            @staticmethod
            def loads(data: bytes) -> Any:
                return data.decode()

        class Own(Request):
            json_module = Other

        assert Own(make_environ(body=b"x", CONTENT_TYPE="application/json")).json == "x"
        assert Request.json_module is json


class TestApplication:
    def test_the_function_gets_a_request_and_its_response_is_sent(self) -> None:
        @Request.application
        def app(req: Request) -> Response:
            """Tell the path."""
            return Response(req.path)

        assert call(app, make_environ("/a"))[2] == b"/a"
        assert app.__doc__ == "Tell the path."

    def test_an_error_is_the_answer(self) -> None:
        @Request.application
        def app(req: Request) -> Response:
            raise NotFound

        assert call(app, make_environ())[0].startswith("404")

    def test_methods_can_be_decorated_too(self) -> None:
        class App:
            word = "hello"

            @Request.application
            def __call__(self, req: Request) -> Response:
                if req.path == "/no":
                    raise NotFound
                return Response(self.word)

        assert call(App(), make_environ())[2] == b"hello"
        assert call(App(), make_environ("/no"))[0].startswith("404")

    def test_the_request_is_closed_whatever_happens(self) -> None:
        closed = []

        class Own(Request):
            def close(self) -> None:
                closed.append(self.path)
                super().close()

        @Own.application
        def app(req: Request) -> Response:
            if req.path == "/bad":
                raise ZeroDivisionError
            return Response()

        call(app, make_environ("/good"))
        with pytest.raises(ZeroDivisionError):
            call(app, make_environ("/bad"))
        assert closed == ["/good", "/bad"]

    def test_a_context_of_ones_own_is_entered(self) -> None:
        entered = []

        class Own(Request):
            def __enter__(self) -> Any:
                entered.append(1)
                return super().__enter__()

        @Own.application
        def app(req: Request) -> Response:
            return Response()

        call(app, make_environ())
        assert entered == [1]


def test_is_disconnected_asks_the_server_if_it_can_tell() -> None:
    assert request().is_disconnected is False
    assert Request({**make_environ(), "stein.disconnected": lambda: True}).is_disconnected is True


def test_importing_brings_no_heavy_modules() -> None:
    import subprocess

    program = (
        "import sys; import stein.toolkit.request, stein.toolkit.response;"
        "heavy = {'email', 'http.client', 'urllib.request', 'inspect', 'tempfile', 'mimetypes',"
        "'json', 'hashlib', 'secrets', 'uuid', 'random', 'logging', 'dataclasses'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {program}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"


# -- whatever a client sends: a value, or an answer ------------------------------------------------

NAMES = sorted(
    name
    for name in dir(Request)
    if not name.startswith("_")
    and not callable(getattr(Request, name))
    and name not in {"json_module", "input_stream"}
)
FIELDS = [
    "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH",
    "SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "HTTP_HOST", "HTTP_COOKIE", "HTTP_ACCEPT",
    "HTTP_ACCEPT_CHARSET", "HTTP_ACCEPT_ENCODING", "HTTP_ACCEPT_LANGUAGE", "HTTP_AUTHORIZATION",
    "HTTP_CACHE_CONTROL", "HTTP_CONTENT_ENCODING", "HTTP_DATE", "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_NONE_MATCH", "HTTP_IF_RANGE", "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_MAX_FORWARDS", "HTTP_ORIGIN", "HTTP_PRAGMA", "HTTP_RANGE", "HTTP_REFERER",
    "HTTP_TRANSFER_ENCODING", "HTTP_USER_AGENT", "HTTP_X_FORWARDED_FOR",
    "HTTP_ACCESS_CONTROL_REQUEST_HEADERS",
]  # fmt: skip
LATIN = st.text(st.characters(max_codepoint=255), max_size=40)
WORDS = st.lists(
    st.sampled_from(
        [
            *"abc/=&;,%+\"'\\ <>[]:@?#.*-0123456789\r\n\t\0\xff", "%C3%A4", "\xc3\xa4", "%", "q=",
            "bytes=", "W/", "Basic ", "Digest ", "Bearer ", "boundary=", "9" * 5000, "chunked",
            "multipart/form-data; boundary=B", FORM, "application/json", "text/html", "utf-8''",
            "Tue, 22 Jan 2008 11:18:44 GMT", "31 Dec 9999 23:59:59 -2359", "xn--", "*", "[::1]",
        ]
    ),
    max_size=8,
).map("".join)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(FIELDS), st.one_of(LATIN, WORDS), max_size=12),
    st.one_of(st.binary(max_size=60), st.just(b"--B\r\n\r\n--B--"), st.just(b"[" * 5000)),
    st.booleans(),
)
@example({"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": "5000"}, b"[" * 5000, False)
@example({"QUERY_STRING": "\xff"}, b"", False)
def test_each_property_is_a_value_or_an_answer(
    fields: dict[str, str], body: bytes, terminated: object
) -> None:
    base = make_environ(body=body)
    if terminated:
        base["wsgi.input_terminated"] = True
    codes = [read(Request({**base, **fields, "wsgi.input": BytesIO(body)}), n) for n in NAMES]
    assert {code for code in codes if code is not None} <= {*range(400, 500)}
    assert repr(Request({**base, **fields}))


def read(req: Request, name: str) -> int | None:
    """The status of the error that an attribute raises; any other error goes on."""
    try:
        getattr(req, name)
    except HTTPException as error:
        return error.code
    return None


def test_the_properties_are_all_there() -> None:
    assert {"args", "form", "files", "url", "range", "json", "data", "values", "stream"} <= {*NAMES}
    assert len(NAMES) > 60
