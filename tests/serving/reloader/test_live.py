from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from stein.serving.reloader.live import ASK_PATH, SCRIPT_PATH, TAG, Live, without_questions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Answer:
    """An application with one answer; says whether that was closed."""

    def __init__(
        self, body: Iterable[bytes], *fields: tuple[str, str], status: str = "200 OK"
    ) -> None:
        self.body = body
        self.fields = list(fields) or [("Content-Type", "text/html; charset=utf-8")]
        self.status = status
        self.closed = False

    def __call__(self, environ: Any, start_response: Any) -> Any:
        start_response(self.status, self.fields)
        return self

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.body)

    def close(self) -> None:
        self.closed = True


def ask(application: Any, path: str = "/", **variables: str) -> tuple[str, dict[str, str], bytes]:
    head: list[Any] = []
    environ = {
        "PATH_INFO": path, "REQUEST_METHOD": "GET", "HTTP_ACCEPT": "text/html", **variables
    }  # fmt: skip
    pieces = application(environ, lambda *args: head.extend(args))
    body = b"".join(pieces)
    if hasattr(pieces, "close"):
        pieces.close()
    return head[0], dict(head[1]), body


def test_the_script_comes_behind_a_page() -> None:
    answer = Answer([b"<h1>", b"x</h1>"], ("Content-Type", "text/html"), ("Content-Length", "10"))
    _, fields, body = ask(Live(answer, inject=True))
    assert body == b"<h1>x</h1>" + TAG
    assert fields["Content-Length"] == str(10 + len(TAG))
    assert answer.closed


def test_a_page_that_comes_while_it_is_made_gets_the_script_at_its_end() -> None:
    def later(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("content-type", "text/html")])
        yield b"a"
        yield b"b"

    assert ask(Live(later, inject=True))[2] == b"ab" + TAG


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([("Content-Type", "application/json")], "200 OK"),
        ([("Content-Type", "text/html"), ("Content-Encoding", "gzip")], "200 OK"),
        ([("Content-Type", "text/html")], "304 Not Modified"),
        ([("Content-Type", "text/html")], "206 Partial Content"),
        ([("X-Nothing", "")], "200 OK"),
    ],
)
def test_what_is_no_whole_page_stays_as_it_is(fields: list[tuple[str, str]], status: str) -> None:
    answer = Answer([b"x"], *fields, status=status)
    assert ask(Live(answer, inject=True))[2] == b"x"


@pytest.mark.parametrize(
    ("variables", "injected"),
    [
        ({}, True),
        ({"HTTP_SEC_FETCH_DEST": "document"}, True),
        ({"HTTP_SEC_FETCH_DEST": "iframe", "HTTP_ACCEPT": "*/*"}, True),
        ({"HTTP_SEC_FETCH_DEST": "empty"}, False),
        ({"HTTP_ACCEPT": "*/*"}, False),
        ({"HTTP_HX_REQUEST": "true"}, False),
        ({"REQUEST_METHOD": "HEAD"}, False),
        ({"REQUEST_METHOD": "POST"}, True),
    ],
)
def test_parts_of_pages_get_no_script(variables: dict[str, str], *, injected: bool) -> None:
    assert (TAG in ask(Live(Answer([b"x"]), inject=True), **variables)[2]) is injected


def test_without_being_asked_for_nothing_is_put_into_pages() -> None:
    assert ask(Live(Answer([b"x"]), inject=False))[2] == b"x"


def test_an_exception_after_the_head_is_passed_on() -> None:
    seen: list[Any] = []

    def failing(environ: Any, start_response: Any) -> list[bytes]:
        start_response("500 Oh", [("Content-Type", "text/html")], ("kind", "error", None))
        return [b"x"]

    environ = {"PATH_INFO": "/", "REQUEST_METHOD": "GET", "HTTP_ACCEPT": "text/html"}
    application = Live(failing, inject=True)
    start_response: Any = lambda *args: seen.append(args)  # noqa: E731 - of any type
    assert b"".join(application(environ, start_response)) == b"x" + TAG
    assert seen[0][2] == ("kind", "error", None)


def test_questions_are_answered_with_what_has_changed() -> None:
    live = Live(Answer([b"x"]), inject=False)
    before = json.loads(ask(live, ASK_PATH)[2])
    live.note(["/a/x.css", "/a/x.html", "/a/y.js"])
    after = json.loads(ask(live, ASK_PATH)[2])
    assert after["run"] == before["run"]
    assert (before["page"], before["css"]) == (0, 0)
    assert (after["page"], after["css"]) == (2, 1)
    _, fields, body = ask(live, SCRIPT_PATH)
    assert fields["Content-Type"].startswith("text/javascript")
    assert b"fetch" in body


def test_logs_do_not_see_the_questions() -> None:
    seen: list[Any] = []
    observe = without_questions(seen.extend)

    def exchange(path: str) -> Any:
        return SimpleNamespace(line=SimpleNamespace(path=path))

    page = exchange("/")
    observe([exchange(ASK_PATH), page, exchange(SCRIPT_PATH)])
    observe([exchange(ASK_PATH)])
    assert seen == [page]
