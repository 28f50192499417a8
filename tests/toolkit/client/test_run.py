"""Calling an application: PEP 3333 from the server's side, without a server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from stein.errors import ApplicationError
from stein.toolkit.client import create_environ, run_wsgi_app
from stein.toolkit.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stein.typing import Environ, StartResponse

FIELDS = [("X-A", "1"), ("X-A", "2")]
both = pytest.mark.parametrize("buffered", [False, True])


class Body:
    """Pieces, and whether they were closed."""

    def __init__(self, *pieces: bytes, error: BaseException | None = None) -> None:
        self.pieces = list(pieces)
        self.error = error
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.closed += 1


def answering(body: Any) -> Any:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", FIELDS)
        return body  # type: ignore[no-any-return]

    return app


@both
@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_status_fields_and_body(kind: Any, buffered: bool) -> None:  # noqa: FBT001
    body, status, headers = run_wsgi_app(answering(kind([b"a", b"b"])), {}, buffered)
    assert (b"".join(body), status, list(headers)) == (b"ab", "200 OK", FIELDS)


@both
def test_the_body_is_closed(buffered: bool) -> None:  # noqa: FBT001
    given = Body(b"a", b"b")
    body: Any = run_wsgi_app(answering(given), {}, buffered)[0]
    if not buffered:
        assert list(body) == [b"a", b"b"]
        assert not given.closed
        body.close()
    assert given.closed == 1


@both
def test_what_is_written_stays_in_order(buffered: bool) -> None:  # noqa: FBT001
    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        write = start_response("200 OK", FIELDS)
        write(b"1")
        yield b"2"
        write(b"3")
        yield b"4"
        write(b"5")

    assert b"".join(run_wsgi_app(app, {}, buffered)[0]) == b"12345"


@both
def test_a_list_behind_what_is_written(buffered: bool) -> None:  # noqa: FBT001
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", FIELDS)(b"1")
        return [b"2"]

    assert b"".join(run_wsgi_app(app, {}, buffered)[0]) == b"12"


@both
def test_start_response_may_come_late(buffered: bool) -> None:  # noqa: FBT001
    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        yield b""
        yield b"1"
        start_response("201 X", FIELDS)
        yield b"2"

    body, status, _ = run_wsgi_app(app, {}, buffered)
    assert (b"".join(body), status) == (b"12", "201 X")


def test_no_more_is_read_than_it_takes() -> None:
    taken = []

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", FIELDS)
        for number in range(3):
            taken.append(number)
            yield b"x"

    body = run_wsgi_app(app, {})[0]
    assert taken == [0]
    assert len(list(body)) == 3


@both
def test_an_application_that_never_starts_is_told(buffered: bool) -> None:  # noqa: FBT001
    given = Body(b"x")
    with pytest.raises(ApplicationError, match="has not called start_response"):
        run_wsgi_app(lambda _environ, _start_response: given, {}, buffered)
    assert given.closed == 1


@both
def test_a_body_that_fails_is_closed(buffered: bool) -> None:  # noqa: FBT001
    given = Body(error=ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        run_wsgi_app(answering(given), {}, buffered)
    assert given.closed == 1


def test_a_field_that_cannot_be_is_refused() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Body:
        start_response("200 OK", [("X-A", "a\r\nb")])
        return given

    given = Body(b"x")
    with pytest.raises(ValueError, match="X-A"):
        run_wsgi_app(app, {})
    assert given.closed == 1


def test_the_error_of_exc_info_comes_out() -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        try:
            _ = 1 // 0
        except ZeroDivisionError:
            start_response("500 Oops", [], sys.exc_info())  # type: ignore[arg-type]
        return [b"an error page"]

    with pytest.raises(ZeroDivisionError, match="by zero"):
        run_wsgi_app(app, {})


def test_the_environ_is_the_applications_own_copy() -> None:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        environ["mark"] = start_response("200 OK", FIELDS)
        return []

    environ = create_environ()
    run_wsgi_app(app, environ)
    run_wsgi_app(app, Request(environ))  # type: ignore[arg-type]
    assert "mark" not in environ
