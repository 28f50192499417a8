"""What the linter warns of, and what it lets by."""

from __future__ import annotations

import gc
import io
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.middleware.lint import (
    ErrorStream,
    GuardedIterator,
    GuardedWrite,
    HTTPWarning,
    InputStream,
    LintMiddleware,
    WSGIWarning,
    check_type,
)
from tests.toolkit.middleware.plain import Answer, call, call_loosely, close, environ_of, saying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stein.typing import Environ, WSGIApplication

TEXT = ("Content-Type", "text/plain")


def app_of(
    status: Any = "200 OK", headers: Any = (TEXT,), body: Any = (b"x",), exc_info: Any = None
) -> WSGIApplication:
    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        given = list(headers) if headers.__class__ is tuple else headers
        start_response(status, given, exc_info)
        return list(body) if body.__class__ is tuple else body

    return app


def linted(app: WSGIApplication, environ: Environ | None = None, **kwargs: Any) -> list[str]:
    """The warnings, each with the first letter of its category in front."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call_loosely(LintMiddleware(app), environ, **kwargs)
        finally:
            gc.collect()
    return [f"{each.category.__name__[0]} {each.message}" for each in caught]


def only(messages: list[str]) -> str:
    assert len(messages) == 1, messages
    return messages[0]


def test_nothing_is_said_of_what_is_right() -> None:
    answer = call(LintMiddleware(saying("hello")), method="POST", body=b"abc")
    assert answer.body == b"hello"


@pytest.mark.parametrize("key", ["REQUEST_METHOD", "SERVER_NAME", "wsgi.input", "wsgi.errors"])
def test_a_key_that_the_server_forgot_is_named(key: str) -> None:
    environ = environ_of()
    del environ[key]
    assert only(linted(saying("x"), environ)) == f"W Required environment key {key!r} not found"


def test_the_environ_is_a_dict() -> None:
    class Mine(dict[str, Any]):
        pass

    message = only(linted(saying("x"), Mine(environ_of())))
    assert message == "W WSGI environment is not a standard Python dict, got 'Mine'."


def test_the_version_is_one() -> None:
    message = only(linted(saying("x"), environ_of(**{"wsgi.version": (0, 7)})))
    assert message == "W Environ is not a WSGI 1.0 environ: 'wsgi.version' is (0, 7)."


@pytest.mark.parametrize("key", ["SCRIPT_NAME", "PATH_INFO"])
def test_paths_begin_with_a_slash(key: str) -> None:
    message = only(linted(saying("x"), environ_of(**{key: "test"})))
    assert message == f"W {key!r} does not start with a slash: 'test'"


def test_the_target_of_options_may_be_a_star() -> None:
    assert linted(saying("x"), environ_of("*", "OPTIONS")) == []


@pytest.mark.parametrize(
    ("status", "count", "message"),
    [
        ("20 OK", 3, "three digits, got '20'"),
        ("200", 1, "status '200'"),
        ("200OK", 2, "three digits, got '200OK'"),
        ("099 Low", 1, "< 100 detected: 99"),
        ("abc no", 1, "three digits, got 'abc'"),
        ("", 2, "three digits, got ''"),
        ("200 O\nK", 1, r"status '200 O\nK'"),
        ("\u0662\u0660\u0660 OK", 2, "three digits"),
        ("9" * 5000 + " OK", 2, "three digits"),
        (200, 1, "requires 'str', got 'int': 200"),
        (b"200 OK", 1, "got 'bytes'"),
    ],
)
def test_a_status_is_three_digits_and_a_reason(status: Any, count: int, message: str) -> None:
    messages = linted(app_of(status))
    assert len(messages) == count, messages
    assert message in "\n".join(messages)


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (iter([TEXT]), "Header list is not a list"),
        ([TEXT, ["a", "b"]], "2-item tuples. Got ['a', 'b']"),
        ([TEXT, ("a", "b", "c")], "2-item tuples"),
        ([TEXT, ("a", 1)], "must be strings, got ('a', 1)"),
        ([TEXT, ("a", Text("b"))], "must be strings"),
        ([TEXT, ("Status", "200")], "The status header is not supported"),
        ([TEXT, ("a b", "c")], "not a token (RFC 9110 5.6.2): 'a b'"),
        ([TEXT, ("a", "b\r\nc: d")], r"control characters or is not latin-1: 'b\r\nc: d'"),
        ([TEXT, ("a", "\u20ac")], "not latin-1"),
        ([TEXT, ("Connection", "close")], "'Connection' belongs to the connection"),
    ],
)
def test_headers_are_pairs_of_clean_text(headers: Any, message: str) -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("200 OK", headers)
        return [b"x"]

    assert message in only(linted_quietly(app))


def linted_quietly(app: WSGIApplication) -> list[str]:
    """The warnings, with a server that does not look at the headers."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = LintMiddleware(app)(environ_of(), lambda *_: lambda _: None)
        list(result)
        close(result)
    return [str(each.message) for each in caught]


@pytest.mark.parametrize(
    ("etag", "message"),
    [
        ('"x"', None),
        ('W/"x"', None),
        ('""', None),
        ("x", "Unquoted etag emitted: 'x'."),
        ('"', "Unquoted etag emitted: '\"'."),
        ('W/x"', "Unquoted"),
        ('w/"x"', "Weak etag indicator should be upper case"),
    ],
)
def test_entity_tags_are_quoted(etag: str, message: str | None) -> None:
    messages = linted(app_of(headers=(TEXT, ("ETag", etag))))
    assert (message or "") in "".join(messages)
    assert len(messages) == (message is not None)


@pytest.mark.parametrize(
    ("location", "right"),
    [
        ("http://localhost/x", True),
        ("//localhost/x", True),
        ("/x", False),
        ("x", False),
        ("http:///x", False),
        ("/x?to=http://localhost/", False),
    ],
)
def test_a_location_names_its_host(location: str, *, right: bool) -> None:
    messages = linted(app_of("302 Found", (TEXT, ("Location", location))))
    assert (messages == []) is right
    assert right or messages[0].startswith("H Absolute URLs required for location header.")


@pytest.mark.parametrize(
    ("status", "headers", "body", "message"),
    [
        ("304 Not Modified", (("ETag", '"x"'), ("Expires", "0")), (), None),
        ("304 Not Modified", (TEXT,), (), "H Entity header 'content-type' found in 304"),
        ("304 Not Modified", (), (b"abc",), "H 304 responses must not have a body, got 3 bytes"),
        ("204 No Content", (), (), None),
        ("204 No Content", (("Content-Length", "0"),), (), None),
        ("204 No Content", (("Content-Length", "3"),), (), "H 204 responses must have an empty"),
        ("204 No Content", (), (b"abc",), "H 204 responses must not have a body, got 3 bytes"),
        ("101 Switching", (), (b"abc",), "H 101 responses must not have a body"),
        ("200 OK", (TEXT, ("Content-Length", "1")), (b"x",), None),
        ("200 OK", (TEXT, ("Content-Length", "2")), (b"x",), "W Content-Length and the number"),
        ("200 OK", (TEXT, ("Content-Length", "-1")), (b"x",), "H Content-Length must be digits"),
        ("200 OK", (TEXT, ("Content-Length", "9" * 5000)), (b"x",), "H Content-Length must be"),
    ],
)
def test_the_body_is_what_the_head_says(
    status: str, headers: Any, body: Any, message: str | None
) -> None:
    messages = linted(app_of(status, headers, body))
    if message is None:
        assert messages == []
    else:
        assert only(messages).startswith(message)


def test_an_answer_to_head_has_the_length_of_a_body_and_none() -> None:
    headers = (TEXT, ("Content-Length", "5"))
    assert linted(app_of(headers=headers, body=()), method="HEAD") == []
    message = only(linted(app_of(headers=headers), method="HEAD"))
    assert message == "H Responses to HEAD must not have a body, got 1 bytes."


def test_pieces_are_bytes() -> None:
    message = only(linted(app_of(body=(bytearray(b"x"),))))
    assert "requires 'bytes', got 'bytearray'" in message


@pytest.mark.parametrize("body", ["text", b"text"])
def test_a_body_is_no_single_string(body: Any) -> None:
    with pytest.warns(WSGIWarning, match="one character at a time"):
        result = LintMiddleware(app_of(body=body))(environ_of(), lambda *_: None)
    close(result)


def test_the_response_is_started_before_it_is_given() -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        return [b"x"]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = LintMiddleware(app)(environ_of(), lambda *_: None)
        assert list(result) == [b"x"]
        close(result)
    assert [str(each.message) for each in caught] == [
        "The application gave b'x' before it started the response.",
        "The application ended without a call of 'start_response'.",
    ]


def test_exc_info_is_what_sys_gives() -> None:
    assert "Invalid value for exc_info: 'oops'" in only(linted(app_of(exc_info="oops")))


def twice(exc_info: Any) -> Callable[..., list[bytes]]:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("200 OK", [TEXT])
        start_response("500 Oops", [TEXT], exc_info)
        return [b"x"]

    return app


def test_a_second_start_needs_its_cause() -> None:
    assert "a second time without exc_info" in only(linted(twice(None)))
    error = ValueError()
    assert linted(twice((ValueError, error, None))) == []


def test_start_response_takes_two_or_three_arguments() -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("200 OK", [TEXT], None, 4)
        return [b"x"]

    assert only(linted(app)) == "W Invalid number of arguments: 4, expected 2 or 3."

    def named(environ: Environ, start_response: Any) -> list[bytes]:
        start_response("200 OK", [TEXT], more=1)
        return [b"x"]

    assert "does not take keyword arguments, got ['more']" in only(linted(named))


def test_the_application_takes_two_arguments() -> None:
    app = LintMiddleware(lambda environ, start_response: [])
    with pytest.warns(WSGIWarning, match="two arguments, got 3"):
        close(app(environ_of(), print, 3))
    with pytest.warns(WSGIWarning, match=r"keyword arguments, got \['more'\]"):
        close(app(environ_of(), print, more=3))


def test_what_is_written_counts() -> None:
    def app(environ: Environ, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [TEXT, ("Content-Length", "4")])
        write(b"abc")
        return [b"d"]

    answer: Answer = call(LintMiddleware(app))
    assert answer.body == b"abcd"
    chunks: list[int] = []
    with pytest.warns(WSGIWarning, match="requires 'bytes', got 'str'"):
        GuardedWrite(lambda _: None, chunks)("ab")  # type: ignore[arg-type]
    assert chunks == [2]


def test_a_closed_iterator_is_over() -> None:
    iterator = GuardedIterator([b"x"], (200, Headers()), [])
    iterator.close()
    with pytest.warns(WSGIWarning, match="Iterated over closed"):
        next(iterator)


def test_an_iterator_that_nobody_closes_is_seen() -> None:
    iterators = [GuardedIterator([], (200, Headers()), [])]
    with pytest.warns(WSGIWarning, match="garbage collected before it was closed"):
        iterators.clear()


def test_the_iterator_of_the_application_is_closed() -> None:
    closed = []

    class Body(list[bytes]):
        def close(self) -> None:
            closed.append(True)

    call(LintMiddleware(app_of(body=Body([b"x"]))))
    assert closed == [True]


def test_reading_without_a_size_is_unsafe() -> None:
    stream = InputStream(io.BytesIO(b"a\nb\nc\nd"))
    with pytest.warns(WSGIWarning, match=r"read\(\)' was called without a size"):
        assert stream.read() == b"a\nb\nc\nd"
    stream = InputStream(io.BytesIO(b"a\nb\nc\nd"))
    assert stream.read(1) == b"a"
    assert stream.readline(5) == b"\n"
    with pytest.warns(WSGIWarning, match=r"readline\(\)' was called without a size"):
        assert stream.readline() == b"b\n"
    assert stream.readlines(1) == [b"c\n"]
    with pytest.warns(WSGIWarning, match="without a hint"):
        assert stream.readlines() == [b"d"]
    with pytest.raises(TypeError, match="at most one argument, got 2"):
        stream.readline(1, 2)
    with pytest.warns(WSGIWarning, match="one argument, got 2"), pytest.raises(TypeError):
        stream.read(1, 2)


def test_reading_without_a_size_is_safe_where_the_server_says_so() -> None:
    stream = InputStream(io.BytesIO(b"a\nb\nc\nd"), terminated=True)
    assert stream.readline() == b"a\n"
    assert stream.read() == b"b\nc\nd"
    assert stream.readlines() == []


def test_the_input_is_iterable_and_the_server_s_to_close() -> None:
    stream = InputStream(io.BytesIO(b"a\nb"))
    assert list(stream) == [b"a\n", b"b"]
    with pytest.warns(WSGIWarning, match="closed the input stream"):
        stream.close()
    with pytest.warns(WSGIWarning, match="not iterable"):
        assert list(InputStream(object())) == []  # type: ignore[arg-type]


def test_errors_are_text_and_the_server_s_to_close() -> None:
    inner = io.StringIO()
    stream = ErrorStream(inner)
    stream.write("a")
    stream.writelines(["b", "c"])
    stream.flush()
    assert inner.getvalue() == "abc"
    with pytest.warns(WSGIWarning, match="requires 'str', got 'Text'"):
        stream.write(Text("x"))
    with pytest.warns(WSGIWarning, match="closed the error stream"):
        stream.close()


def test_check_type_names_the_value_and_cuts_it() -> None:
    check_type("it", "x")
    with pytest.warns(WSGIWarning, match="'it' requires 'str', got 'bytes': b'xxx.*…"):
        check_type("it", b"x" * 1000)


def test_the_categories_are_warnings() -> None:
    assert issubclass(WSGIWarning, Warning)
    assert issubclass(HTTPWarning, Warning)


def test_files_are_iterated_so_that_their_length_is_known() -> None:
    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [TEXT, ("Content-Length", "3")])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"abc"))  # type: ignore[no-any-return]

    environ = environ_of(**{"wsgi.file_wrapper": None})
    assert linted(app, environ) == []
