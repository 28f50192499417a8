"""Errors that are answers, on every road."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from markupsafe import Markup

from stein.toolkit.datastructures.auth import WWWAuthenticate
from stein.toolkit.exceptions import (
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
from stein.toolkit.request import Request
from stein.toolkit.response import Response
from tests.toolkit.everywhere.views import answers
from tests.toolkit.roads import outcome

if TYPE_CHECKING:
    from tests.toolkit.roads import Send

ATTACK = "<script>alert('\"&')</script>"


def raises(error: BaseException) -> Any:
    @Request.application
    def app(request: Request) -> Response:
        raise error

    return app


@pytest.mark.parametrize("code", sorted(default_exceptions))
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_each_status(send: Send, code: int, method: str) -> None:
    error = default_exceptions[code]()
    app = answers(lambda request: abort(code))
    status, fields, body = outcome(send(app, method))
    assert status.startswith(f"{code} ")
    assert dict(fields)["Content-Type"] == "text/html; charset=utf-8"
    page = error.get_body()
    assert body.decode() == (page if method == "GET" else "")
    if code != 304:
        assert dict(fields)["Content-Length"] == str(len(page.encode()))


def test_an_error_is_an_application(send: Send) -> None:
    assert outcome(send(NotFound(), "GET"))[0] == "404 NOT FOUND"
    assert outcome(send(answers(lambda request: NotFound("here")), "GET"))[2].count(b"here") == 1


@pytest.mark.parametrize(
    "error",
    [
        NotFound(ATTACK),
        InternalServerError(f"a\n{ATTACK}\nb"),
        BadRequestKeyError(ATTACK),
        Unauthorized(ATTACK),
        type("Own", (HTTPException,), {"code": 418, "description": ATTACK})(),
    ],
)
def test_pages_escape_their_text(send: Send, error: HTTPException) -> None:
    text = send(raises(error), "GET").text
    assert "<script" not in text
    assert isinstance(error, BadRequestKeyError) or "&lt;script&gt;" in text


def test_the_missing_key_is_escaped_where_it_is_shown(send: Send) -> None:
    error = BadRequestKeyError(ATTACK)
    error.show_exception = True
    text = send(raises(error), "GET").text
    assert "&lt;script&gt;" in text
    assert "<script" not in text


@pytest.mark.parametrize("target", ["/%3Cscript%3E", "/?%3Cscript%3E=<script>"])
def test_what_the_client_sends_does_not_become_html(send: Send, target: str) -> None:
    def view(request: Request) -> Response:
        abort(404, f"nothing at {request.full_path} {request.args.to_dict()}")

    response = send(answers(view), "GET", target, headers={"Referer": ATTACK})
    assert response.status_code == 404
    assert "<script" not in response.text


def test_markup_is_not_escaped(send: Send) -> None:
    assert "<b>bold</b>" in send(raises(NotFound(Markup("<b>bold</b>"))), "GET").text


def test_what_goes_with_an_error(send: Send) -> None:
    def fields(error: HTTPException) -> Any:
        return send(raises(error), "GET").headers

    assert fields(MethodNotAllowed(["GET", "HEAD"]))["Allow"] == "GET, HEAD"
    assert fields(RequestedRangeNotSatisfiable(100))["Content-Range"] == "bytes */100"
    assert fields(TooManyRequests(retry_after=30))["Retry-After"] == "30"
    later = ServiceUnavailable(retry_after=datetime(2026, 11, 21, 14, tzinfo=UTC))
    assert fields(later)["Retry-After"] == "Sat, 21 Nov 2026 14:00:00 GMT"
    ways = [WWWAuthenticate("basic", {"realm": "a realm"}), WWWAuthenticate("bearer", None, "t")]
    shown = fields(Unauthorized(www_authenticate=ways)).getlist("WWW-Authenticate")
    assert [each.lower() for each in shown] == ['basic realm="a realm"', "bearer t"]


def test_abort_with_a_response(send: Send) -> None:
    def view(request: Request) -> Response:
        response = Response("as it is", 403, {"X-A": "b"})
        response.set_cookie("c", "d")
        abort(response)

    status, fields, body = outcome(send(answers(view), "GET"))
    assert (status, body) == ("403 FORBIDDEN", b"as it is")
    assert {("X-A", "b"), ("Set-Cookie", "c=d; Path=/")} <= set(fields)


def test_abort_with_a_stream(send: Send) -> None:
    def view(request: Request) -> Response:
        abort(Response(iter(["a", "b"]), 409))

    assert outcome(send(answers(view), "GET"))[::2] == ("409 CONFLICT", b"ab")


def test_an_error_of_ones_own_sees_the_request(send: Send) -> None:
    class Own(NotFound):
        def get_body(self, environ: Any = None, scope: Any = None) -> str:
            return f"nothing at {environ['PATH_INFO']}"

        def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
            return [("Content-Type", "text/plain"), ("X-Method", environ["REQUEST_METHOD"])]

    status, fields, body = outcome(send(raises(Own()), "PUT", "/here"))
    assert (status, body) == ("404 NOT FOUND", b"nothing at /here")
    assert dict(fields)["X-Method"] == "PUT"


def test_an_error_after_the_body_was_read_in_part(send: Send) -> None:
    def view(request: Request) -> Response:
        request.stream.read(10)
        abort(422, "enough")

    status, _, body = outcome(send(answers(view), "POST", data=b"x" * 1_000_000))
    assert status == "422 UNPROCESSABLE ENTITY"
    assert b"enough" in body


def test_other_errors_are_not_answers_of_the_toolkit(send: Send) -> None:
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        send(raises(ZeroDivisionError("on purpose")), "GET")
