"""EnvironBuilder: from what a test says to an environ of PEP 3333, and back."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.client import EnvironBuilder, create_environ
from stein.toolkit.datastructures.auth import Authorization
from stein.toolkit.datastructures.file_storage import FileMultiDict
from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.datastructures.multidict import MultiDict
from stein.toolkit.request import Request

if TYPE_CHECKING:
    from pathlib import Path


# -- the URL ------------------------------------------------------------------------------------


def test_the_plainest_environ_has_what_pep_3333_demands() -> None:
    environ = create_environ()
    assert environ.pop("wsgi.input").read() == b""
    assert environ == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "REQUEST_URI": "/",
        "RAW_URI": "/",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


@pytest.mark.parametrize(
    ("path", "path_info", "query"),
    [
        ("/", "/", ""),
        ("", "", ""),
        ("relative", "relative", ""),
        ("/a?b=c", "/a", "b=c"),
        ("/a?", "/a", ""),
        ("/a?b#c", "/a", "b"),
        ("/a#b?c", "/a", ""),
        ("/a%2fb%3f", "/a/b?", ""),
        ("/%ff", "/\xff", ""),  # no UTF-8, and still the byte that the client sends
        ("/%zz%", "/%zz%", ""),
        ("/\N{SNOWMAN}", "/\xe2\x98\x83", ""),
        ("/?\N{SNOWMAN}", "/", "\xe2\x98\x83"),
        ("http://elsewhere/x?y", "/x", "y"),
        ("//elsewhere/x", "/x", ""),
        ("/a//b", "/a//b", ""),
    ],
)
def test_a_path(path: str, path_info: str, query: str) -> None:
    environ = create_environ(path)
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == (path_info, query)


@pytest.mark.parametrize(
    ("base_url", "scheme", "host", "name", "port", "root"),
    [
        (None, "http", "localhost", "localhost", 80, ""),
        ("https://example.com", "https", "example.com", "example.com", 443, ""),
        ("http://example.com:8000/a/b/", "http", "example.com:8000", "example.com", 8000, "/a/b"),
        ("http://\N{SNOWMAN}.net/\N{SNOWMAN}", "http", "xn--n3h.net", "xn--n3h.net", 80,
         "/%E2%98%83"),
        ("http://[::1]:5000/", "http", "[::1]:5000", "::1", 5000, ""),
        ("https://[::1]/", "https", "[::1]", "::1", 443, ""),
        ("http://h:x/", "http", "h:x", "h", 80, ""),
        ("/mounted", "http", "localhost", "localhost", 80, "/mounted"),
    ],
)  # fmt: skip
def test_a_base_url(
    base_url: str | None, scheme: str, host: str, name: str, *, port: int, root: str
) -> None:
    builder = EnvironBuilder(base_url=base_url)
    assert (builder.url_scheme, builder.host, builder.script_root) == (scheme, host, root)
    assert (builder.server_name, builder.server_port) == (name, port)
    assert builder.base_url == f"{scheme}://{host}{root}/"


@pytest.mark.parametrize(
    ("base_url", "next_step"),
    [
        ("http://h/?q", "belongs into path or query_string"),
        ("http://h/#f", "belongs into path or query_string"),
        ("localhost:5000", "http://localhost:5000/"),
    ],
)
def test_what_is_no_base_url_is_refused(base_url: str, next_step: str) -> None:
    with pytest.raises(ValueError, match=next_step) as caught:
        EnvironBuilder(base_url=base_url)
    assert base_url in str(caught.value)


def test_the_query_may_stand_in_one_place_only() -> None:
    with pytest.raises(ValueError, match="one of the two"):
        EnvironBuilder("/?a=b", query_string="c=d")


def test_a_query_is_text_or_arguments() -> None:
    builder = EnvironBuilder(query_string={"a": ["1", "2"], "b": "\N{SNOWMAN} &", "c": None})
    assert builder.args.getlist("a") == ["1", "2"]
    assert builder.query_string == "a=1&a=2&b=%E2%98%83+%26"
    builder.args.add("d", "x")
    assert builder.query_string.endswith("&d=x")
    builder.query_string = "plain"
    assert builder.get_environ()["QUERY_STRING"] == "plain"
    with pytest.raises(AttributeError, match="change query_string"):
        builder.args  # noqa: B018
    builder.args = MultiDict({"back": "1"})
    assert builder.query_string == "back=1"
    builder.args = None
    assert builder.query_string == ""
    assert EnvironBuilder().args == MultiDict()
    assert EnvironBuilder(query_string=MultiDict([("a", "1")])).query_string == "a=1"


# -- fields -------------------------------------------------------------------------------------


def test_fields_of_one_name_are_joined_and_the_callers_headers_are_not_changed() -> None:
    headers = Headers([("X-A", "1"), ("x-a", "2"), ("Content-Length", "999")])
    environ = create_environ("/", method="POST", headers=headers, json=[], auth=("u", "p:q"))
    assert environ["HTTP_X_A"] == "1, 2"
    assert environ["HTTP_AUTHORIZATION"] == "Basic dTpwOnE="
    assert environ["CONTENT_TYPE"] == "application/json"
    assert environ["CONTENT_LENGTH"] == "2"
    assert not environ.keys() & {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"}
    assert len(headers) == 3


def test_other_authorization() -> None:
    auth = Authorization("bearer", None, "t")
    assert create_environ(auth=auth)["HTTP_AUTHORIZATION"] == "Bearer t"


def test_what_is_below_and_above_the_request() -> None:
    environ = create_environ(
        environ_base={"HTTP_USER_AGENT": "base", "REQUEST_METHOD": "base", "X": 1},
        environ_overrides={"SERVER_NAME": "above"},
    )
    assert environ["HTTP_USER_AGENT"] == "base"
    assert environ["REQUEST_METHOD"] == "GET"
    assert environ["X"] == 1
    assert environ["SERVER_NAME"] == "above"


def test_a_control_character_in_a_field_is_refused() -> None:
    with pytest.raises(ValueError, match="X-A"):
        EnvironBuilder(headers={"X-A": "a\r\nb"})


def test_the_type_of_the_body() -> None:
    builder = EnvironBuilder(content_type="text/plain; charset=latin-1")
    assert builder.mimetype == "text/plain"
    assert dict(builder.mimetype_params) == {"charset": "latin-1"}
    builder.mimetype_params["charset"] = "utf-8"  # type: ignore[index]
    assert builder.content_type == "text/plain; charset=utf-8"
    builder.mimetype = "text/css"
    assert builder.content_type == "text/css; charset=utf-8"
    assert EnvironBuilder(mimetype="text/html").content_type == "text/html; charset=utf-8"
    builder.content_type = None
    assert builder.mimetype is None


def test_a_length_is_a_number_or_none() -> None:
    builder = EnvironBuilder(content_length=5)
    assert builder.content_length == 5
    assert builder.get_environ()["CONTENT_LENGTH"] == "5"
    builder.headers["Content-Length"] = "9" * 5000
    assert builder.content_length is None


# -- the body -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "body"),
    [
        ("\N{SNOWMAN}", "\N{SNOWMAN}".encode()),
        (b"bytes", b"bytes"),
        (bytearray(b"bytes"), b"bytes"),
        (io.BytesIO(b"file"), b"file"),
        (io.StringIO("text"), b"text"),
        ("", b""),
        (None, b""),
    ],
)
def test_a_plain_body(data: Any, body: bytes) -> None:
    environ = create_environ(method="POST", data=data)
    assert environ["wsgi.input"].read() == body
    assert environ.get("CONTENT_LENGTH") == (str(len(body)) if body else None)


def test_a_form_without_and_with_files(tmp_path: Path) -> None:
    plain = EnvironBuilder(method="POST", data={"a": ["1", 2], "b": b"\xff"})
    assert plain.mimetype == "application/x-www-form-urlencoded"
    assert plain.get_environ()["wsgi.input"].read() == b"a=1&a=2&b=%FF"

    path = tmp_path / "a.css"
    path.write_bytes(b"on disk")
    files: list[Any] = [
        io.BytesIO(b"nameless"), (io.BytesIO(b"named"), "b.txt"), (path,),
        (str(path), "c.html", "x/y"),
    ]  # fmt: skip
    builder = EnvironBuilder(method="POST", data={"a": "1", "f": files})
    request = builder.get_request()
    builder.close()
    builder.close()
    assert builder.closed
    assert request.mimetype == "multipart/form-data"
    found = request.files.getlist("f")
    assert [each.read() for each in found] == [b"named", b"on disk", b"on disk"]
    assert [each.mimetype for each in found] == ["text/plain", "text/css", "x/y"]
    # A part without a filename is no file to a form parser, here as in a browser.
    assert request.form.to_dict() == {"a": "1", "f": "nameless"}
    request.close()


def test_files_are_closed_when_nobody_else_does(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    builder = EnvironBuilder(data={"f": [(path,), (path,)]})
    streams = [each.stream for each in builder.files.getlist("f")]
    del builder
    assert [each.closed for each in streams] == [True, True]


def test_closing_does_not_mind_a_file_that_cannot_be_closed() -> None:
    class Stubborn:
        def close(self) -> None:
            raise OSError("no")

    builder = EnvironBuilder()
    builder.files["f"] = Stubborn()  # type: ignore[assignment]
    builder.close()


def test_form_and_stream_exclude_each_other() -> None:
    builder = EnvironBuilder(data={"a": "1"})
    builder.input_stream = io.BytesIO(b"x")
    for name in ("form", "files"):
        with pytest.raises(AttributeError, match="set input_stream to None"):
            getattr(builder, name)
    for name, value in (("form", MultiDict({"b": "2"})), ("files", FileMultiDict())):
        builder.input_stream = io.BytesIO(b"x")
        setattr(builder, name, value)
        assert builder.input_stream is None


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"json": 1, "data": "x"}, "json and data"),
        ({"input_stream": io.BytesIO(), "data": "x"}, "input_stream and data"),
        ({"data": [("a", "b")]}, "makes no body"),
        ({"data": 5}, "makes no body"),
        ({"data": {"a": {"b": "c"}}}, "field 'a'"),
    ],
)
def test_what_makes_no_body_is_refused(options: dict[str, Any], what: str) -> None:
    with pytest.raises(TypeError, match=what):
        EnvironBuilder(**options)


def test_the_length_of_a_stream_is_what_is_left_of_it() -> None:
    stream = io.BytesIO(b"0123456789")
    stream.seek(4)
    environ = create_environ(input_stream=stream, content_length=999)
    assert environ["CONTENT_LENGTH"] == "6"
    assert environ["wsgi.input"].read() == b"456789"


def test_a_stream_that_cannot_tell_its_length_ends_where_it_ends() -> None:
    class Pipe:
        read = io.BytesIO(b"data").read

    environ = create_environ(method="POST", input_stream=Pipe())
    assert "CONTENT_LENGTH" not in environ
    assert Request(environ).get_data() == b"data"
    assert create_environ(input_stream=Pipe(), content_length=4)["CONTENT_LENGTH"] == "4"


def test_a_stream_whose_seek_gives_nothing_is_measured_all_the_same() -> None:
    class Own(io.BytesIO):
        def seek(self, *args: Any) -> int:
            super().seek(*args)
            return None  # type: ignore[return-value]

    assert create_environ(input_stream=Own(b"data"))["CONTENT_LENGTH"] == "4"


# -- hooks --------------------------------------------------------------------------------------


def test_a_subclass_may_replace_what_it_needs() -> None:
    class OwnRequest(Request):
        pass

    class Builder(EnvironBuilder):
        server_protocol = "HTTP/1.0"
        wsgi_version = (1, 1)
        request_class = OwnRequest

        def json_dumps(self, obj: Any, **kwargs: Any) -> str:  # type: ignore[override]
            return f"own {obj}"

    builder = Builder(json=5)
    assert type(builder.get_request()) is OwnRequest
    assert type(builder.get_request(Request)) is Request
    environ = builder.get_environ()
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert environ["wsgi.version"] == (1, 1)
    assert environ["wsgi.input"].read() == b"own 5"
    assert EnvironBuilder.json_dumps({"a": 1}, indent=None) == '{"a": 1}'


# -- and back -----------------------------------------------------------------------------------

texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)


@given(
    path=texts, query=texts, root=texts, body=st.binary(max_size=20),
    method=st.sampled_from(["GET", "X"]), field=st.from_regex(r"[!-~]{0,9}", fullmatch=True),
)  # fmt: skip
def test_a_builder_made_from_an_environ_makes_the_same(
    *, path: str, query: str, root: str, body: bytes, method: str, field: str
) -> None:
    environ = create_environ("/", data=body, headers={"X-A": field}, method=method)
    environ["PATH_INFO"] = path.encode().decode("latin-1")
    environ["SCRIPT_NAME"] = "/" + root.strip("/").encode().decode("latin-1") if root else ""
    environ["SCRIPT_NAME"] = environ["SCRIPT_NAME"].rstrip("/")
    environ["QUERY_STRING"] = query.encode().decode("latin-1")
    environ.setdefault("CONTENT_LENGTH", "0")
    builder = EnvironBuilder.from_environ(environ)
    assert builder.get_environ() == environ


def test_an_environ_without_a_host_field_has_one_afterwards() -> None:
    environ = create_environ("/x?y", "https://[::1]:5000/")
    del environ["HTTP_HOST"], environ["REQUEST_URI"]
    environ["SERVER_NAME"] = "example.com"
    builder = EnvironBuilder.from_environ(environ, query_string="z")
    assert builder.host == "example.com:5000"
    assert builder.get_environ()["QUERY_STRING"] == "z"
    other = EnvironBuilder.from_environ(environ, path="/a")
    assert (other.path, other.request_uri, other.query_string) == ("/a", "/a", "y")


@given(path=st.text(max_size=30), query=st.one_of(st.none(), st.text(max_size=30)))
def test_any_path_and_query_make_an_environ_of_latin_1(path: str, query: str | None) -> None:
    if query is not None:
        path = path.replace("?", "")
    environ = create_environ(path, query_string=query)
    for name in ("PATH_INFO", "QUERY_STRING", "REQUEST_URI"):
        environ[name].encode("latin-1")
