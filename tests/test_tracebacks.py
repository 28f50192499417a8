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


def by_us() -> None:
    raise ValueError("oh")


OURS = (__file__,)


def by_mistake() -> None:
    {}["oh"]  # type: ignore[index]


def called_by_program(function: Callable[[], object]) -> BaseException:
    """What a program raises that calls a function of ours."""
    source = compile("def user():\n    call()\n", "user.py", "exec")
    names: dict[str, Callable[[], object]] = {"call": function}
    exec(source, names)  # noqa: S102 - code with another file's name
    return raised(names["user"])


def test_the_traceback_begins_and_ends_where_the_program_does() -> None:
    error = called_by_program(by_us)
    trace = from_user(error.__traceback__, OURS)
    assert [frame.name for frame in traceback.extract_tb(trace)] == ["user"]
    assert len(traceback.extract_tb(error.__traceback__)) == 3
    assert [frame.filename for frame in user_frames(error, OURS)] == ["user.py"]
    assert whereabouts(error, OURS) == "user.py:2: ValueError: oh"
    text = render(error, OURS)
    assert "user.py" in text
    assert __file__ not in text


def test_a_fault_of_ours_is_shown_to_its_end() -> None:
    trace = from_user(called_by_program(by_mistake).__traceback__, OURS)
    assert [frame.name for frame in traceback.extract_tb(trace)] == ["user", "by_mistake"]


def test_what_we_raise_without_the_program_is_one_line() -> None:
    error = raised(by_us)
    assert from_user(error.__traceback__, OURS) is None
    assert from_user(None) is None
    assert render(error, OURS) == "ValueError: oh\n"
    assert whereabouts(error, OURS) == "ValueError: oh"


def test_a_fault_of_ours_without_the_program_stays_whole() -> None:
    error = raised(by_mistake)
    assert from_user(error.__traceback__, OURS) is error.__traceback__
    assert "by_mistake" in render(error, OURS)


def test_the_exceptions_behind_are_folded_too() -> None:
    def chain() -> None:
        try:
            by_us()
        except ValueError as error:
            raise KeyError("then") from error

    def group() -> None:
        raise ExceptionGroup("several", [raised(chain)])  # type: ignore[type-var]

    text = render(raised(group), ("nowhere",))
    assert text.count("by_us") >= 1
    assert "several" in text


def test_a_syntax_error_is_where_it_is() -> None:
    error = raised(lambda: compile("a b", "typo.py", "exec"))
    assert whereabouts(error, OURS).startswith("typo.py:1: SyntaxError: invalid syntax")
    assert render(error, OURS).startswith('  File "typo.py", line 1')
