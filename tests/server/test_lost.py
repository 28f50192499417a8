"""A request that went down with its worker, as the access log wants it."""

from __future__ import annotations

from stein.clock import monotonic
from stein.observe.lines import CombinedLines, JsonLines
from stein.server.lost import exchange_of
from stein.snapshot import HeldRequest


def test_what_the_board_had_makes_a_line() -> None:
    held = HeldRequest("GET", "/a?b=1", "HTTP/1.1", "10.0.0.1", 7, 3, monotonic() - 2.0)
    exchange = exchange_of(held, 4711)
    assert (exchange.line.path, exchange.line.query) == ("/a", "b=1")
    line = CombinedLines()([exchange])
    assert line.startswith("10.0.0.1 - - [")
    assert '"GET /a?b=1 HTTP/1.1" - 0' in line
    assert 'conn=7 req=3 outcome=killed error="the worker (pid 4711) ended while' in line
    assert '"status":null' in JsonLines()([exchange])
