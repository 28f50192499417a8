"""The record of one request and its response."""

from __future__ import annotations

import pytest

from stein.http.exchange import Exchange, RequestLine
from stein.marks import MARKS

LINE = RequestLine("GET", "/a?b", "/a", "b", "HTTP/1.1")


def test_a_new_exchange_is_that_of_a_request_without_a_body() -> None:
    variables = {"HTTP_HOST": "a"}
    exchange = Exchange(LINE, variables)
    assert exchange.line is LINE
    assert exchange.variables is variables
    assert (exchange.length, exchange.received, exchange.complete) == (0, 0, True)
    assert exchange.persistent
    assert not exchange.expects_continue
    assert (exchange.status, exchange.sent_bytes, exchange.outcome) == (0, 0, "ok")
    assert exchange.error is None


def test_an_exchange_that_never_reached_the_application() -> None:
    exchange = Exchange(LINE, {})
    exchange.never_entered()
    assert (exchange.thread, exchange.entered, exchange.left, exchange.sent) == ("", 0, 0, 0)


def test_every_mark_has_its_place() -> None:
    assert MARKS.keys() <= set(Exchange.__slots__)


def test_nothing_else_can_be_put_on_it() -> None:
    with pytest.raises(AttributeError):
        Exchange(LINE, {}).other = 1  # type: ignore[attr-defined]


def test_it_tells_what_it_is() -> None:
    assert repr(Exchange(LINE, {})) == "<Exchange GET /a?b status=0>"


def test_a_request_line_has_no_authority_unless_the_target_had() -> None:
    assert LINE.host is None
