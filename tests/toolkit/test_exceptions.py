"""Errors that are answers."""

from __future__ import annotations

import copy
import http
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup, escape

from stein.toolkit import exceptions
from stein.toolkit.datastructures.auth import WWWAuthenticate
from stein.toolkit.exceptions import (
    Aborter,
    BadRequest,
    BadRequestKeyError,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    RequestedRangeNotSatisfiable,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    abort,
    default_exceptions,
)
from stein.toolkit.http import HTTP_STATUS_CODES
from stein.toolkit.request import Request
from stein.toolkit.response import Response

if TYPE_CHECKING:
    from stein.typing import Environ, HeaderList

CLASSES = list(default_exceptions.values())


def environ() -> Environ:
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }


def header(error: HTTPException, name: str) -> list[str]:
    return [value for key, value in error.get_headers() if key == name]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_status_of_an_error_has_a_page(cls: type[HTTPException]) -> None:
    error = cls()
    page = error.get_body()
    assert page.startswith("<!doctype html>\n<html lang=en>\n<title>")
    assert f"<title>{error.code} {escape(error.name)}</title>" in page
    assert f"<p>{escape(error.description)}</p>" in page
    assert error.get_headers() == [("Content-Type", "text/html; charset=utf-8")]
    assert error.name == HTTP_STATUS_CODES[cls.code or 0]


def test_there_is_a_class_for_every_error_that_a_view_would_raise() -> None:
    unusual = {402, 407, 425, 426, 506, 507, 508, 510, 511}
    known = {status.value for status in http.HTTPStatus if status >= 400} - unusual
    assert known <= set(default_exceptions)
    assert default_exceptions[400] is BadRequest


def test_all_classes_are_public_names() -> None:
    named = {value for value in vars(exceptions).values() if isinstance(value, type)}
    errors = {cls.__name__ for cls in named if issubclass(cls, HTTPException)} - {"_RetryAfter"}
    assert errors <= set(exceptions.__all__)


def test_a_description_of_ones_own_is_escaped() -> None:
    error = NotFound("no <b>such</b>\nthing")
    assert error.get_description() == "<p>no &lt;b&gt;such&lt;/b&gt;<br>thing</p>"
    assert str(error) == "404 Not Found: no <b>such</b>\nthing"


def test_markup_is_taken_as_it_is() -> None:
    assert NotFound(Markup("<b>x</b>")).get_description() == "<p><b>x</b></p>"


def test_an_error_without_a_status_says_so() -> None:
    error = HTTPException("what?")
    assert str(error) == "??? Unknown Error: what?"
    assert repr(error) == "<HTTPException '???: Unknown Error'>"
    assert HTTPException().get_description() == "<p></p>"


def test_repr_names_the_class_and_the_status() -> None:
    class Lost(NotFound):
        pass

    assert repr(Lost()) == "<Lost '404: Not Found'>"


def test_a_status_that_a_program_adds_gets_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Paper(HTTPException):
        code = 499

    monkeypatch.setitem(HTTP_STATUS_CODES, 499, "Out of Paper")
    assert Paper().name == "Out of Paper"


def test_a_response_is_made_of_body_status_and_headers() -> None:
    class Own(NotFound):
        def get_body(self, environ: Any = None, scope: Any = None) -> str:
            return f"body for {environ and environ['PATH_INFO']}"

        def get_headers(self, environ: Any = None, scope: Any = None) -> HeaderList:
            return [("Content-Type", "text/plain"), ("X-Path", str(environ and "known"))]

    response = Own().get_response(environ())
    assert type(response) is Response
    assert response.status_code == 404
    assert response.get_data() == b"body for /"
    assert response.headers["X-Path"] == "known"
    assert Own().get_response(Request(environ())).get_data() == b"body for /"
    assert Own().get_response().get_data() == b"body for None"


def test_what_is_no_environ_is_refused() -> None:
    with pytest.raises(TypeError, match="is a int; give a request or a WSGI environ"):
        NotFound().get_response(3)  # type: ignore[arg-type]


def test_a_ready_response_is_the_answer() -> None:
    ready = Response("ready", status=200)
    with pytest.raises(HTTPException) as caught:
        abort(ready)
    assert caught.value.get_response(environ()) is ready
    assert NotFound(response=ready).get_response() is ready


def test_an_error_is_a_wsgi_application() -> None:
    started: list[Any] = []
    pieces = NotFound()(environ(), lambda status, headers, *_: started.extend((status, headers)))  # type: ignore[arg-type]
    assert b"<h1>Not Found</h1>" in b"".join(pieces)
    assert started[0] == "404 NOT FOUND"
    assert ("Content-Type", "text/html; charset=utf-8") in started[1]


def test_missing_keys_are_key_errors_and_name_the_key_only_when_asked() -> None:
    error = BadRequestKeyError("colour")
    assert isinstance(error, KeyError)
    assert error.args == ("colour",)
    assert "colour" not in error.get_description()
    error.show_exception = True
    assert error.get_description().endswith("<br>KeyError: &#39;colour&#39;</p>")
    assert "colour" in str(error)


def test_missing_keys_take_a_description() -> None:
    error = BadRequestKeyError("x", "nothing there")
    assert error.description == "nothing there"
    error.description = "other"
    assert error.get_description() == "<p>other</p>"
    assert BadRequestKeyError().args == ()


def test_unauthorized_tells_each_way_to_authenticate() -> None:
    basic = WWWAuthenticate("basic", {"realm": "a"})
    digest = WWWAuthenticate("digest", {"realm": "a", "nonce": "b"})
    assert header(Unauthorized(www_authenticate=basic), "WWW-Authenticate") == [str(basic)]
    both = [str(digest), str(basic)]
    error = Unauthorized(www_authenticate=iter([digest, basic]))
    assert header(error, "WWW-Authenticate") == both
    assert header(error, "WWW-Authenticate") == both
    assert header(Unauthorized(www_authenticate="Bearer"), "WWW-Authenticate") == ["Bearer"]
    assert header(Unauthorized(), "WWW-Authenticate") == []


def test_method_not_allowed_tells_the_methods() -> None:
    assert header(MethodNotAllowed(["GET", "HEAD"]), "Allow") == ["GET, HEAD"]
    assert header(MethodNotAllowed(), "Allow") == []


def test_a_range_that_is_not_there_tells_the_length() -> None:
    assert header(RequestedRangeNotSatisfiable(12), "Content-Range") == ["bytes */12"]
    assert header(RequestedRangeNotSatisfiable(0, "rows"), "Content-Range") == ["rows */0"]
    assert header(RequestedRangeNotSatisfiable(), "Content-Range") == []


@pytest.mark.parametrize("cls", [TooManyRequests, ServiceUnavailable])
def test_some_errors_tell_when_to_try_again(cls: type[TooManyRequests]) -> None:
    moment = datetime(2024, 2, 29, 12, 0, 1)  # noqa: DTZ001 - naive is the case
    written = ["Thu, 29 Feb 2024 12:00:01 GMT"]
    assert header(cls(retry_after=20), "Retry-After") == ["20"]
    assert header(cls(retry_after=moment), "Retry-After") == written
    assert header(cls(retry_after=moment.replace(tzinfo=UTC)), "Retry-After") == written
    east = timezone(timedelta(hours=1))
    moved = moment.replace(tzinfo=east) + timedelta(hours=1)
    assert header(cls(retry_after=moved), "Retry-After") == written
    assert header(cls(), "Retry-After") == []


def test_a_server_error_keeps_its_cause() -> None:
    cause = ValueError("x")
    assert InternalServerError(original_exception=cause).original_exception is cause
    assert InternalServerError().original_exception is None


@pytest.mark.parametrize("code", [404, http.HTTPStatus.NOT_FOUND])
def test_abort_raises_by_number(code: int) -> None:
    with pytest.raises(NotFound, match="not here"):
        abort(code, "not here")


@pytest.mark.parametrize("code", [200, 999, "404", None, []])
def test_abort_tells_which_numbers_there_are(code: Any) -> None:
    with pytest.raises(LookupError, match=r"no exception for .*400, 401, .*extra="):
        abort(code)


def test_an_aborter_has_a_mapping_of_its_own() -> None:
    class Teapot(HTTPException):
        code = 418

    assert set(Aborter({1: NotFound}).mapping) == {1}
    own = Aborter(extra={418: Teapot})
    with pytest.raises(Teapot):
        own(418)
    with pytest.raises(NotFound):
        own(404)
    assert default_exceptions[418] is exceptions.ImATeapot


@pytest.mark.parametrize(
    "error",
    [
        NotFound("gone"),
        BadRequestKeyError("colour", "which?"),
        MethodNotAllowed(["GET"]),
        TooManyRequests(retry_after=3),
        Unauthorized(www_authenticate="Basic"),
    ],
    ids=repr,
)
def test_errors_can_be_copied_and_pickled(error: HTTPException) -> None:
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own
        assert type(other) is type(error)
        assert other.get_body() == error.get_body()
        assert other.get_headers() == error.get_headers()


@given(st.text())
def test_no_description_opens_a_tag(text: str) -> None:
    inside = BadRequest(text).get_description()[3:-4].replace("<br>", "")
    assert "<" not in inside
    assert ">" not in inside
