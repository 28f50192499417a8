"""Which function answers an error."""

from __future__ import annotations

from collections import defaultdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.exceptions import (
    BadRequest,
    BadRequestKeyError,
    Forbidden,
    HTTPException,
    InternalServerError,
    NotFound,
    default_exceptions,
)
from stein.web.handlers import find_handler, handler_key, scope_handlers

if TYPE_CHECKING:
    from stein.web.handlers import ErrorHandlers


class NoPage(NotFound):
    pass


class Teapot(HTTPException):
    code = 499


class BaseError(Exception):
    pass


class DerivedError(BaseError):
    pass


def table(*entries: tuple[str | None, Any, Any]) -> ErrorHandlers:
    handlers: ErrorHandlers = defaultdict(scope_handlers)
    for scope, what, function in entries:
        kind, code = handler_key(what)
        handlers[scope][code][kind] = function
    return handlers


def found(handlers: Any, error: Exception, blueprints: list[str]) -> Any:
    return find_handler(handlers, error, blueprints)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        (404, (NotFound, 404)),
        (HTTPStatus.NOT_FOUND, (NotFound, 404)),
        (NotFound, (NotFound, 404)),
        (NoPage, (NoPage, 404)),
        (500, (InternalServerError, 500)),
        (Teapot, (Teapot, 499)),
        (HTTPException, (HTTPException, None)),
        (Exception, (Exception, None)),
        (DerivedError, (DerivedError, None)),
    ],
)
def test_a_handler_is_kept_under_its_class_and_the_status_of_the_class(
    given: Any, key: tuple[type[Exception], int | None]
) -> None:
    assert handler_key(given) == key


@pytest.mark.parametrize("code", [0, 200, 302, 499, 999, -1, True])
def test_a_status_without_an_exception_of_its_own_is_refused(code: int) -> None:
    with pytest.raises(ValueError, match=rf"{int(code)} is no HTTP error code") as caught:
        handler_key(code)
    assert "Use a subclass of HTTPException" in str(caught.value)


def test_an_instance_is_refused_and_the_message_says_to_leave_the_parentheses_out() -> None:
    with pytest.raises(TypeError, match=r"BaseError\(\) is an instance, not a class") as caught:
        handler_key(BaseError())
    assert "write 'BaseError', without parentheses" in str(caught.value)


@pytest.mark.parametrize("given", [list, BaseException, KeyboardInterrupt])
def test_a_class_that_is_no_exception_is_refused(given: type) -> None:
    with pytest.raises(ValueError, match=f"'{given.__name__}' is not a subclass of Exception"):
        handler_key(given)


def test_a_function_is_refused_since_the_parentheses_of_the_decorator_are_missing() -> None:
    def oops() -> None: ...

    with pytest.raises(TypeError, match=r"'oops' is a function.*@app\.errorhandler\(404\)"):
        handler_key(oops)


@pytest.mark.parametrize("given", [None, "404", 4.04, (404, 500)])
def test_anything_else_is_refused_with_its_value(given: Any) -> None:
    with pytest.raises(TypeError, match="neither an exception class nor a status code") as caught:
        handler_key(given)
    assert repr(given) in str(caught.value)


def test_without_handlers_there_is_none_and_the_table_stays_empty() -> None:
    handlers = table()
    assert found(handlers, NotFound(), ["a.b", "a"]) is None
    assert not handlers


def test_looking_adds_nothing_to_a_table_with_handlers() -> None:
    handlers = table((None, 403, len))
    assert found(handlers, NotFound(), ["a"]) is None
    assert {scope: list(codes) for scope, codes in handlers.items()} == {None: [403]}


def test_the_code_comes_before_the_blueprint_and_the_blueprint_before_the_class() -> None:
    in_order: list[tuple[str | None, Any, Any]] = [
        ("a.b", NoPage, 1),
        ("a.b", 404, 2),
        ("a", 404, 3),
        (None, NotFound, 4),
        ("a.b", HTTPException, 5),
        ("a.b", Exception, 6),
        ("a", HTTPException, 7),
        (None, HTTPException, 8),
        (None, Exception, 9),
    ]
    while in_order:
        for shuffled in (in_order, in_order[::-1]):
            assert found(table(*shuffled), NoPage(), ["a.b", "a"]) == in_order[0][2]
        in_order.pop(0)


def test_the_nearest_class_in_the_resolution_order_wins() -> None:
    handlers = table((None, Exception, 1), (None, BaseError, 2))
    assert found(handlers, DerivedError(), []) == 2
    assert found(handlers, KeyError(), []) == 1


def test_an_error_of_two_families_is_answered_by_its_status() -> None:
    handlers = table((None, KeyError, "key"), (None, BadRequest, "bad"))
    assert found(handlers, BadRequestKeyError("name"), []) == "bad"


def test_the_status_of_an_instance_does_not_count() -> None:
    error = Forbidden()
    error.code = 404
    assert found(table((None, 404, len)), error, []) is None
    assert found(table((None, 403, len)), error, []) is len


def test_an_http_error_without_a_status_is_answered_by_its_class() -> None:
    assert found(table((None, HTTPException, len)), HTTPException(), []) is len


def test_plain_dictionaries_that_an_extension_put_in_place_will_do() -> None:
    assert found({None: {404: {NotFound: len}}}, NotFound(), ["a"]) is len
    assert found({None: {404: {}}, "a": {}}, NotFound(), ["a"]) is None


@given(st.sampled_from(sorted(default_exceptions)))
def test_every_error_with_a_status_finds_the_handler_of_its_status(code: int) -> None:
    handlers = table(("a", code, len), (None, HTTPException, max))
    assert found(handlers, default_exceptions[code](), ["a"]) is len
    assert found(handlers, default_exceptions[code](), []) is max
