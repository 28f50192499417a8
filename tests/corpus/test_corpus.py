"""Every case against the real listening server: whole, byte by byte, and cut at random places.

A case that behaves differently when its bytes arrive differently is the bug class this corpus is
for, so the three tests share one expectation. Nothing here waits for time: each wait ends with a
fact (an answer, an end of stream) or fails at a bound; only the pauses a case declares are slept.
"""

from __future__ import annotations

import contextlib
import random
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from stein.server import Server, Settings
from tests.corpus.application import PREFIX, Application, Call
from tests.corpus.cases import Answer, Await, Case, HalfClose, Pause, Request, Text, cases
from tests.corpus.wire import Conversation, Received

if TYPE_CHECKING:
    from collections.abc import Iterator

PROBE = b"GET /probe HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
"""Asks a connection that should be open whether it is, and in step."""

SMUGGLED = "/smuggled"
"""The path that no case allows the application to see."""

BYTEWISE_BOUND = 2048
SEED = 9112
ROUNDS = 3

Cut = Callable[[bytes], list[bytes]]


class Servers:
    """One running server for each distinct settings value, started when it is first needed."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        """Start none yet; `stack` stops them all."""
        self._stack = stack
        self._running: dict[tuple[tuple[str, float], ...], tuple[Server, Application]] = {}

    def running(self, case: Case) -> tuple[Server, Application]:
        """Give the server with the settings of the case, and the application it serves."""
        key = tuple(sorted(case.settings.items()))
        if key not in self._running:
            app = Application()
            server = self._stack.enter_context(Server(app, Settings(**case.settings), port=0))
            self._running[key] = server, app
        return self._running[key]

    @property
    def paths(self) -> set[str]:
        """All paths that any application has ever been called with."""
        return {path for _, app in self._running.values() for path in app.paths}


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Keep the servers of this module; at the end no late call may have been smuggled in."""
    with contextlib.ExitStack() as stack:
        running = Servers(stack)
        yield running
    assert SMUGGLED not in running.paths


def chosen(wanted: Callable[[Case], bool]) -> list[object]:
    """Give the cases as parameters, named by their path."""
    return [pytest.param(case, id=case.id) for case in cases() if wanted(case)]


@pytest.mark.parametrize("case", chosen(lambda _: True))
def test_sent_whole(case: Case, servers: Servers) -> None:
    """The case in as few segments as its pauses allow."""
    replay(case, servers, lambda data: [data])


@pytest.mark.parametrize(
    "case",
    chosen(lambda case: not case.pauses and 1 < len(case.data) <= BYTEWISE_BOUND),
)
def test_sent_byte_by_byte(case: Case, servers: Servers) -> None:
    """The case in as many segments as it has bytes."""
    replay(case, servers, lambda data: [data[at : at + 1] for at in range(len(data))])


@pytest.mark.parametrize("case", chosen(lambda case: not case.pauses and len(case.data) > 1))
def test_sent_in_pieces(case: Case, servers: Servers) -> None:
    """The case cut at a handful of places, other ones in each round, the same in each run."""
    chance = random.Random(SEED ^ zlib.crc32(case.id.encode()))

    def cut(data: bytes) -> list[bytes]:
        places = sorted(chance.sample(range(1, len(data)), min(5, len(data) - 1)))
        return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]

    for _ in range(1 if case.timed else ROUNDS):
        replay(case, servers, cut)


def replay(case: Case, servers: Servers, cut: Cut) -> None:
    """Hold one conversation and fail with all that went wrong in it."""
    server, app = servers.running(case)
    app.forget()
    heads = [answer.head for answer in case.answers if not answer.interim]
    with Conversation(server.host, server.port, heads) as talk:
        problems = converse(case, talk, cut)
    calls = app.calls
    if case.end == "open" and calls and calls[-1].path == "/probe":
        calls = calls[:-1]
    problems += check_answers(case, talk) + check_calls(case, calls)
    problems += check_echoes(talk.reader.answers, calls)
    if problems:
        pytest.fail(report(case, talk, calls, problems), pytrace=False)


def converse(case: Case, talk: Conversation, cut: Cut) -> list[str]:
    """Send the case, wait for its answers and for its end; tell what did not come."""
    if problem := send(case, talk, cut):
        return [problem]
    finals = sum(not answer.interim for answer in case.answers)
    if not talk.wait_finals(finals):
        return [f"{talk.reader.finals} of {finals} final answers came"]
    if case.end == "open":
        talk.reader.expect(head=False)
        if not talk.send(PROBE) or not talk.wait_finals(finals + 1):
            return ["the connection should be open and in step, but a further GET is not answered"]
    if case.end != "any" and not talk.wait_closed() and not talk.fault:
        return ["the connection is not closed"]
    return []


def send(case: Case, talk: Conversation, cut: Cut) -> str | None:
    """Send until the server closes; tell of an awaited answer that did not come."""
    for piece in pieces(case, cut):
        if talk.over:
            break
        match piece:
            case Text(data):
                talk.send(data)
            case Pause(seconds):
                talk.pause(seconds)
            case Await(count):
                if not talk.wait_answers(count):
                    return f"answer {count}, awaited before going on, did not come"
            case HalfClose():
                talk.half_close()
    return None


def pieces(case: Case, cut: Cut) -> Iterator[Text | Pause | Await | HalfClose]:
    """Join neighbouring texts and cut them anew; the other steps stay where they are."""
    joined = b""
    for step in case.send:
        if isinstance(step, Text):
            joined += step.data
            continue
        if joined:
            yield from (Text(data) for data in cut(joined))
            joined = b""
        yield step
    if joined:
        yield from (Text(data) for data in cut(joined))


def check_answers(case: Case, talk: Conversation) -> list[str]:
    """Hold what came against the answers the case expects, in order."""
    problems = [f"not a well-formed answer: {talk.fault}"] if talk.fault else []
    if talk.reset:
        problems.append("the connection was reset: closing must leave the answer readable")
    came = list(talk.reader.answers)
    finals = sum(not answer.interim for answer in case.answers)
    if case.end == "open" and talk.reader.finals == finals + 1:
        probe = came.pop()
        if probe.status != 200:
            problems.append(f"the further GET on the open connection is answered {probe.status}")
    for number, expected in enumerate(case.answers, 1):
        if expected.optional and not (came and came[0].status in expected.status):
            continue
        if not came:
            problems.append(f"answer {number} is missing, expected {expected.status}")
            continue
        problems += [f"answer {number}: {text}" for text in check_answer(expected, came.pop(0))]
    problems += [f"an answer too many: {answer.status} {answer.reason}" for answer in came]
    return problems


def check_answer(expected: Answer, answer: Received) -> list[str]:
    """Hold one answer against its expectation and against the rules for all of them."""
    problems = []
    if answer.status not in expected.status:
        allowed = " or ".join(map(str, expected.status))
        problems.append(f"status {answer.status}, expected {allowed}")
    if not answer.interim and answer.header("date") is None:
        problems.append("no Date (RFC 9110 6.6.1)")
    if answer.status >= 400 and (answer.header("connection") or "").lower() != "close":
        problems.append("an error of the server without Connection: close")
    for name, wanted in expected.headers.items():
        value = answer.header(name)
        match wanted:
            case str() if value is None or value.lower() != wanted.lower():
                problems.append(f"{name}: {value!r}, expected {wanted!r}")
            case True if value is None:
                problems.append(f"{name} is missing")
            case False if value is not None:
                problems.append(f"{name}: {value!r}, expected none")
    if expected.body is not None and answer.body != expected.body:
        problems.append(f"body {short(answer.body)}, expected {short(expected.body)}")
    return problems


def check_calls(case: Case, calls: list[Call]) -> list[str]:
    """Hold what the application saw against the requests the case expects, in order."""
    problems = []
    if len(calls) != len(case.requests):
        seen = ", ".join(f"{call.method} {call.path[:60]}" for call in calls) or "nothing"
        problems.append(f"{len(case.requests)} calls expected, the application saw {seen}")
    for number, (request, call) in enumerate(zip(case.requests, calls, strict=False), 1):
        problems += [f"request {number}: {text}" for text in check_call(request, call)]
    return problems


def check_call(request: Request, call: Call) -> list[str]:
    """Hold one call against its expectation."""
    problems = []
    if (call.method, call.path) != (request.method, request.path):
        came, wanted = f"{call.method} {call.path}", f"{request.method} {request.path}"
        problems.append(f"{short(came.encode())}, expected {short(wanted.encode())}")
    unread = call.path == PREFIX + "unread"
    if not unread and call.body != request.body:
        came_body = "unread" if call.body is None else short(call.body)
        problems.append(f"body {came_body}, expected {short(request.body)}")
    for name, wanted in request.environ.items():
        if call.environ.get(name) != wanted:
            problems.append(f"{name} is {call.environ.get(name)!r}, expected {wanted!r}")
    present = [name for name in request.absent if name in call.environ]
    return problems + [f"{name} is {call.environ[name]!r}, expected none" for name in present]


def check_echoes(answers: list[Received], calls: list[Call]) -> list[str]:
    """Each echo must be the one of its own call: answers in order, and complete."""
    served = [answer for answer in answers if 200 <= answer.status < 400]
    return [
        f"the answer {short(answer.body)} is not the echo of {call.method} {call.path[:60]}"
        for answer, call in zip(served, calls, strict=False)
        if answer.body and answer.body != call.content()
    ]


def report(case: Case, talk: Conversation, calls: list[Call], problems: list[str]) -> str:
    """Say everything a reader needs without opening the file."""
    seen = [f"{call.method} {call.path[:60]}" for call in calls]
    lines = [
        f"{case.id}: {case.about} [{'; '.join(case.source)}]",
        *(f"  - {problem}" for problem in problems),
        f"  sent:     {short(case.data, 600)}",
        f"  received: {short(bytes(talk.received), 1200)}",
        f"  called:   {seen}; settings: {case.settings}; end: {case.end}",
    ]
    return "\n".join(lines)


def short(data: bytes, most: int = 160) -> str:
    """Show bytes, the middle of long ones left out."""
    if len(data) <= most:
        return repr(data)
    half = most // 2
    return f"{data[:half]!r} … {len(data) - 2 * half} bytes … {data[-half:]!r}"
