"""Requests that have gone down with their worker, as an observer wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stein.clock import monotonic
from stein.http.exchange import Exchange, RequestLine

if TYPE_CHECKING:
    from stein.snapshot import HeldRequest

__all__ = ["exchange_of"]


class LostConnection:
    """What an observer asks of a connection."""

    def __init__(self, number: int, peer: str) -> None:
        self.id = number
        self.peer = peer
        self.log_texts = None


def exchange_of(held: HeldRequest, pid: int) -> Exchange:
    """Return a lost request as an exchange that has ended.

    :param held: what the board had of it.
    :param pid: the process it was in.
    """
    path, _, query = held.target.partition("?")
    exchange = Exchange(RequestLine(held.method, held.target, path, query, held.protocol), {})
    exchange.never_entered()
    exchange.connection = LostConnection(held.connection, held.peer)
    exchange.number = held.number
    exchange.began = exchange.read = held.since
    exchange.outcome = "killed"
    age = monotonic() - held.since
    exchange.error = f"the worker (pid {pid}) ended while it had the request, for {age:.3f} s"
    return exchange
