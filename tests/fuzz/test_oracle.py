"""The oracle over the corpus, changed a little two thousand times, without a fuzzer.

``make fuzz`` looks for more.  What it finds becomes an entry of FOUND, or a case of the corpus.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from stein.http.exchange import Exchange
from stein.http.h1 import reader as module
from stein.http.h1.chunked import ChunkedBody
from stein.http.h1.reader import RequestReader, clear_memories
from stein.http.limits import Limits
from tests.corpus.cases import cases
from tests.fuzz.oracle import LIMITS, TOKENS, bytewise, check, cut, mutate, replay, same

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 9112
PARTS = 20
EACH = 100
LONGEST = 1500

SHORT = [case.data for case in cases() if len(case.data) <= LONGEST]

# Bytes that once broke a promise, and what it was.
FOUND = {
    "a limit reached with the last chunk: 413 or 431 by the cut": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n-\r\n1\r\n-\r\n0\r\n\r\n"
    ),
    "a body over its limit was called complete": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1e\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n0\r\n\r\n"
    ),
    "a request came out behind a refused one": (
        b"GET / HTTP/1.1\r\nHost: /\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
    ),
    "400 or 414 by the cut": b"GET /" + b"a" * 50 + b"\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "400 or 431 by the cut": b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"b" * 300 + b"\n\r\n\r\n",
    "400 or 505 by the cut": b"GET / HTTP/2.0\r\nHost: a\nA: b\r\n\r\n",
    "a host of any length was remembered": (
        b"GET / HTTP/1.1\r\nHost: " + b"a" * 600 + b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
    ),
}


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    clear_memories()
    yield
    clear_memories()


@pytest.mark.parametrize("data", FOUND.values(), ids=FOUND.keys())
def test_what_was_found_before(data: bytes) -> None:
    check(data, random.Random(SEED))
    for limits in LIMITS:
        assert same(replay([data], limits), replay(bytewise(data), limits))
    for place in range(1, len(data)):
        assert same(replay([data]), replay([data[:place], data[place:]]))


@pytest.mark.parametrize("part", range(PARTS))
def test_the_corpus_changed_a_little(part: int) -> None:
    dice = random.Random(SEED + part)
    for _ in range(EACH):
        data = mutate(dice.choice(SHORT), dice)
        if dice.random() < 0.3:
            data += mutate(dice.choice(SHORT), dice)
        check(data, dice)


# -- the oracle itself ----------------------------------------------------------------------------


def test_pieces_are_all_of_the_bytes() -> None:
    dice = random.Random(SEED)
    for length in (0, 1, 2, 3, 10, 100):
        data = bytes(range(length))
        assert b"".join(bytewise(data)) == data
        for _ in range(50):
            pieces = cut(data, dice)
            assert b"".join(pieces) == data
            assert all(pieces) or not data


def test_changes_are_the_same_for_the_same_seed() -> None:
    data = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    one, other = (
        [mutate(data, dice) for _ in range(100)] for dice in (random.Random(1), random.Random(1))
    )
    assert one == other
    assert len(set(one)) > 90
    assert any(token in each for token in TOKENS[-5:] for each in one)


def reuse_all_fields(self: RequestReader, line: Any, data: bytes) -> Exchange:
    known = self._last_variables
    if known is None:
        exchange = self._read_head(data)
        self._last_variables = exchange.variables
        return exchange
    self.exchange = exchange = Exchange(line, known)
    return exchange


def ignore_fault(*_: object) -> None:
    return None


def crash(*_: object) -> None:
    raise ValueError


FAULTS: dict[str, tuple[object, str, object]] = {
    "variables are shared": (RequestReader, "_repeat_fields", reuse_all_fields),
    "no host is wrong": (module, "is_host", lambda _: True),
    "hosts are not checked": (module, "_check_host", ignore_fault),
    "pieces are not checked": (RequestReader, "_check_piece", ignore_fault),
    "line feeds in pieces are too much": (module, "NEVER", re.compile(rb"\n")),
    "overhead is not counted": (ChunkedBody, "_check_overhead", ignore_fault),
    "no slack for a size line": (ChunkedBody, "_SLACK", 0),
    "a crash": (module, "apply_persistence", crash),
    "no refusal lasts": (RequestReader, "_refused", property(ignore_fault, ignore_fault)),
    "memories grow": (module, "_LONGEST_REMEMBERED", 10**9),
}


@pytest.mark.parametrize(("owner", "name", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_would_be_found(
    owner: object, name: str, fault: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fault put into the reader makes the oracle complain about some input."""
    monkeypatch.setattr(owner, name, fault)
    with pytest.raises((AssertionError, ValueError)):
        check_many()


def check_many() -> None:
    dice = random.Random(SEED)
    for _ in range(2000):
        data = dice.choice(dice.choice([SHORT, list(FOUND.values())]))
        check(mutate(data, dice) if dice.random() < 0.5 else data, dice)


def test_a_refusal_in_a_body_is_told_by_its_limit_or_by_its_fault() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    both = head + b"5\r\nhello\r\nx"  # over the limit of 4 bytes, and malformed
    one, other = (replay(pieces, Limits(body=4)) for pieces in ([both], bytewise(both)))
    assert one.refused is not None
    assert other.refused is not None
    assert {one.refused.status, other.refused.status} <= {400, 413}
    assert same(one, other)
    assert not same(one, replay([head + b"0\r\n\r\n"]))
