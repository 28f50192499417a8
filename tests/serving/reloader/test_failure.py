from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import pytest

from stein.errors import ApplicationNotFound
from stein.serving.reloader.failure import Failure, failure_of, page_for
from stein.serving.reloader.live import ASK_PATH, SCRIPT_PATH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def raised(function: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any
        function()
    return caught.value


def boom() -> None:
    raise ValueError("two\nlines")


def test_an_exception_is_described_where_the_users_code_raised_it() -> None:
    failure = failure_of(raised(boom))
    assert failure.headline == "ValueError: two"
    assert failure.place is not None
    assert failure.place[0] == __file__
    assert failure.frames[-1][2] == "boom"
    assert failure.text.startswith("Traceback")
    assert not failure.is_mistake


def test_the_place_is_the_users_even_if_a_library_raised() -> None:
    failure = failure_of(raised(lambda: json.loads("{")))
    assert failure.place is not None
    assert failure.place[0] == __file__
    assert len(failure.frames) > 2


def test_an_exception_that_explains_another_is_left_out() -> None:
    def explain() -> None:
        try:
            boom()
        except ValueError as error:
            raise ApplicationNotFound("app.py cannot be loaded") from error

    assert failure_of(raised(explain)).headline == "ValueError: two"
    assert failure_of(click.UsageError("No such command")) == Failure("No such command")


def test_an_exception_of_ours_leads_to_the_one_behind_it() -> None:
    error = RuntimeError("ours, without a frame")
    error.__cause__ = raised(boom)
    failure = failure_of(error)
    assert failure.frames[-1][2] == "boom"
    lost = RuntimeError("nobody's")
    lost.__context__ = lost
    assert failure_of(lost).place is None


def test_code_that_is_in_no_file_has_no_place() -> None:
    error = raised(lambda: compile("x = = 1", "<string>", "exec"))
    assert failure_of(error).headline == "SyntaxError: invalid syntax"
    assert failure_of(raised(lambda: exec("1/0", {}))).place is not None  # noqa: S102
    assert failure_of(SyntaxError("bare")).headline == "SyntaxError: bare"


def test_a_failure_goes_through_a_message() -> None:
    failure = failure_of(raised(boom))
    message = json.loads(json.dumps(failure.as_message(printed=False)))
    assert Failure.from_message(message) == failure
    assert failure.files()[-1] == __file__
    assert Failure("x").files() == []


# -- the page -----------------------------------------------------------------------------------


def ask(application: Any, path: str = "/", accept: str = "", method: str = "GET") -> Any:
    head: list[Any] = []
    environ = {"PATH_INFO": path, "HTTP_ACCEPT": accept, "REQUEST_METHOD": method}
    body = b"".join(application(environ, lambda *args: head.extend(args)))
    return head[0], dict(head[1]), body


@pytest.fixture
def failure(tmp_path: Path) -> Failure:
    file = tmp_path / "shop<1>.py"
    file.write_text("".join(f"line {number} <&>\n" for number in range(1, 20)))
    return Failure("SyntaxError: <bad>", "Traceback <here>\n", (str(file), 10))


def test_a_browser_is_shown_a_page_with_the_lines_around(failure: Failure) -> None:
    application = page_for(failure, "failed-1", details=True)
    status, fields, body = ask(application, accept="text/html,*/*")
    text = body.decode()
    assert status == "500 Internal Server Error"
    assert fields["Cache-Control"] == "no-store"
    assert "<h1>SyntaxError: &lt;bad&gt;</h1>" in text
    assert 'data-line="6"' in text
    assert 'data-line="14"' in text
    assert 'data-line="15"' not in text
    assert '<li data-line="10" class=here><code>line 10 &lt;&amp;&gt;</code>' in text
    assert "Traceback &lt;here&gt;" in text
    assert 'data-run="failed-1"' in text
    assert "$" not in text.replace("$/,", "")


def test_other_clients_get_text_or_json(failure: Failure) -> None:
    application = page_for(failure, "failed-1", details=True)
    assert ask(application, accept="*/*")[2] == b"Traceback <here>\n"
    found = json.loads(ask(application, accept="application/json")[2])
    assert found == {"error": "SyntaxError: <bad>", "traceback": "Traceback <here>\n"}
    assert ask(application, method="HEAD")[2] == b""


def test_without_details_nothing_of_the_program_is_shown(failure: Failure) -> None:
    application = page_for(failure, "failed-1", details=False)
    for accept in ("text/html", "application/json", "*/*"):
        body = ask(application, accept=accept)[2]
        assert b"bad" not in body
        assert b"line 10" not in body
        assert b"in the terminal" in body


def test_the_scripts_question_is_answered(failure: Failure) -> None:
    application = page_for(failure, "failed-7", details=True)
    status, _, body = ask(application, ASK_PATH)
    assert status == "200 OK"
    assert json.loads(body) == {"run": "failed-7", "page": 0, "css": 0}
    assert b"location.reload" in ask(application, SCRIPT_PATH)[2]


def test_a_file_that_is_gone_shows_no_lines(tmp_path: Path) -> None:
    failure = Failure("X", "", (str(tmp_path / "gone.py"), 3))
    text = ask(page_for(failure, "f", details=True), accept="text/html")[2].decode()
    assert "gone.py, line 3" in text
    assert "<ol>" not in text
