from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from stein.tracebacks import from_user, render, user_frames, whereabouts

if TYPE_CHECKING:
    from collections.abc import Callable


def raised(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except BaseException as error:  # noqa: BLE001 - it is looked at
        return error
    raise AssertionError("nothing was raised")


def by_user() -> None:
    raise ValueError("oh")


OURS = (__file__,)


def test_the_traceback_begins_where_the_program_does() -> None:
    source = compile("def user():\n    fail()\n", "user.py", "exec")
    names: dict[str, Callable[[], object]] = {"fail": by_user}
    exec(source, names)  # noqa: S102 - code with another file's name
    error = raised(names["user"])
    trace = from_user(error.__traceback__, OURS)
    assert [frame.name for frame in traceback.extract_tb(trace)] == ["user", "by_user"]
    assert [frame.filename for frame in user_frames(error, OURS)] == ["user.py"]
    assert whereabouts(error, OURS) == "user.py:2: ValueError: oh"
    text = render(error, OURS)
    assert "user.py" in text
    assert __file__ not in text


def test_without_code_of_the_programs_it_stays_whole() -> None:
    error = raised(by_user)
    assert from_user(error.__traceback__, OURS) is error.__traceback__
    assert from_user(None) is None
    assert "by_user" in render(error, OURS)
    assert whereabouts(error, OURS) == "ValueError: oh"


def test_the_exceptions_behind_are_folded_too() -> None:
    def chain() -> None:
        try:
            by_user()
        except ValueError as error:
            raise KeyError("then") from error

    def group() -> None:
        raise ExceptionGroup("several", [raised(chain)])  # type: ignore[type-var]

    text = render(raised(group), ("nowhere",))
    assert text.count("by_user") >= 1
    assert "several" in text


def test_a_syntax_error_is_where_it_is() -> None:
    error = raised(lambda: compile("a b", "typo.py", "exec"))
    assert whereabouts(error, OURS).startswith("typo.py:1: SyntaxError: invalid syntax")
    assert render(error, OURS).startswith('  File "typo.py", line 1')
