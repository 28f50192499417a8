"""Exceptions with all that is behind them, as pages and as data."""

from __future__ import annotations

import json
import re
import sys
import traceback
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.debugger import page
from stein.toolkit.debugger.masking import MASK, Masker
from stein.toolkit.debugger.tracebacks import DebugTraceback

if TYPE_CHECKING:
    from collections.abc import Callable


def caught(raising: Callable[[], Any]) -> Exception:
    try:
        raising()
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    pytest.fail("it raises nothing")


def raising(error: BaseException, cause: BaseException | None = None) -> Callable[[], None]:
    def fail() -> None:
        raise error from cause

    return fail


class Page(HTMLParser):
    """Finds elements of a page, and sees that they are closed."""

    VOID = frozenset(["meta", "link", "input"])

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def of_class(self, name: str) -> list[str]:
        return [tag for tag, attrs in self.seen if name in (attrs.get("class") or "").split()]


def whole(error: Exception, **about: Any) -> str:
    shown = DebugTraceback(error)
    return shown.render_debugger_html(True, "SECRET", False, page.About(**about))


# -- frames --------------------------------------------------------------------------------------


def test_it_says_what_the_interpreter_says() -> None:
    error = caught(raising(ValueError("x"), KeyError("y")))
    expected = "".join(traceback.format_exception(error))
    assert DebugTraceback(error).render_traceback_text() == expected
    assert str(DebugTraceback(error)) == "<DebugTraceback x>"


def test_the_exceptions_behind_come_after_it() -> None:
    def fail() -> None:
        try:
            try:
                raise KeyError("first")  # noqa: TRY301 - that it is so is what is tested
            except KeyError as error:
                raise ValueError("second") from error
        except ValueError:
            raise TypeError("third")  # noqa: B904 - it comes in by itself

    shown = DebugTraceback(caught(fail))
    found = [(message, str(te)) for message, te in shown.all_tracebacks]
    assert [text for _, text in found] == ["third", "second", "'first'"]
    assert "while this one was being handled" in str(found[0][0])
    assert "because of this one" in str(found[1][0])
    assert found[2][0] is None
    assert Page(shown.render_traceback_html()).of_class("exc-divider") == ["div", "div"]


def test_what_is_suppressed_stays_out() -> None:
    def fail() -> None:
        try:
            raise KeyError("first")  # noqa: TRY301 - as above
        except KeyError:
            raise ValueError("second") from None

    assert len(DebugTraceback(caught(fail)).all_tracebacks) == 1


def test_a_circle_ends() -> None:
    error = caught(raising(ValueError("a")))
    other = caught(raising(TypeError("b")))
    error.__context__, other.__context__ = other, error
    error.__suppress_context__ = other.__suppress_context__ = False
    assert len(DebugTraceback(error).all_tracebacks) == 2


def test_exceptions_without_traceback_are_fine() -> None:
    error = ValueError("never raised")
    error.__context__ = TypeError("nor this")
    shown = DebugTraceback(error)
    assert shown.all_frames == []
    Page(shown.render_traceback_html())


@pytest.mark.parametrize(("limit", "frames"), [(None, 3), (2, 2), (0, 0), (-1, 0)])
def test_the_limit_of_the_interpreter_holds(
    monkeypatch: pytest.MonkeyPatch, limit: int | None, frames: int
) -> None:
    def fail() -> None:
        raising(ValueError())()

    error = caught(fail)
    if limit is not None:
        monkeypatch.setattr(sys, "tracebacklimit", limit, raising=False)
    assert len(DebugTraceback(error).all_frames) == frames


def hidden(wish: object) -> list[str]:
    """The names of the functions that are shown, if the one in the middle has a wish."""

    def inner() -> None:
        raise ValueError

    def middle() -> None:
        __traceback_hide__ = wish  # noqa: F841 - read by name
        inner()

    def outer() -> None:
        middle()

    return [frame.name for frame in DebugTraceback(caught(outer)).all_frames]


@pytest.mark.parametrize(
    ("wish", "names"),
    [
        (False, ["caught", "outer", "middle", "inner"]),
        (True, ["caught", "outer", "inner"]),
        ("before", ["middle", "inner"]),
        ("before_and_this", ["inner"]),
        ("after", ["caught", "outer", "middle"]),
        ("after_and_this", ["caught", "outer"]),
        ("reset", ["caught", "outer", "middle", "inner"]),
        ("reset_and_this", ["caught", "outer", "inner"]),
    ],
)
def test_functions_may_hide_frames(wish: object, names: list[str]) -> None:
    assert hidden(wish) == names


def test_hidden_frames_can_be_shown_and_the_first_be_skipped() -> None:
    def fail() -> None:
        __traceback_hide__ = True  # noqa: F841 - read by name
        raise ValueError

    error = caught(fail)
    assert [frame.name for frame in DebugTraceback(error, hide=False).all_frames][-1] == "fail"
    assert [frame.name for frame in DebugTraceback(error, skip=1, hide=False).all_frames] == [
        "fail"
    ]


# -- the page ------------------------------------------------------------------------------------


def test_the_page_is_whole_and_asks_for_nothing() -> None:
    html = whole(caught(raising(ValueError("<b>"))), nonce="NONCE", request="GET /<x>")
    parsed = Page(html)
    assert "<title>ValueError: &lt;b&gt;</title>" in html
    assert "GET /&lt;x&gt;" in html
    for tag, attrs in parsed.seen:
        assert not attrs.get("src")
        assert (attrs.get("href") or "data:").startswith("data:")
        if tag in {"script", "style"}:
            assert attrs["nonce"] == "NONCE"
    assert not re.search(r"url\(|@import|https?://", html)


def test_what_the_page_knows_cannot_end_its_script() -> None:
    error = caught(raising(ValueError("</script>")))
    html = DebugTraceback(error).render_debugger_html(True, "</script><b>", True)
    state = re.search(r'id="state"[^>]*>(.*?)</script>', html)
    assert state
    assert json.loads(state[1]) == {"consoles": True, "trusted": True, "secret": "</script><b>"}
    assert "</script><b>" not in html


def test_without_consoles_the_page_has_no_secret() -> None:
    html = DebugTraceback(caught(raising(ValueError()))).render_debugger_html(False, "SECRET", True)
    assert "SECRET" not in html
    html = whole(caught(raising(ValueError())), refusal="Too <far> away.")
    assert "No consoles here. Too &lt;far&gt; away." in html


def test_library_frames_are_folded_where_some_are_the_users() -> None:
    html = DebugTraceback(caught(lambda: json.loads("{"))).render_traceback_html()
    parsed = Page(html)
    assert len(parsed.of_class("folded")) == 1
    assert re.search(r"<summary>\d frames of json</summary>", html)
    opened = [attrs for _, attrs in parsed.seen if "open" in attrs]
    assert len(opened) == 1
    assert "library" not in str(opened[0]["class"])


def test_only_library_frames_are_not_folded() -> None:
    error = caught(lambda: json.loads("{"))
    assert error.__traceback__
    only = error.__traceback__.tb_next and error.__traceback__.tb_next.tb_next
    parsed = Page(DebugTraceback(error.with_traceback(only)).render_traceback_html())
    assert parsed.of_class("folded") == []
    assert parsed.of_class("frame")


def test_one_folded_frame_is_one() -> None:
    def fail() -> None:
        sorted([1], key=lambda _: json.JSONEncoder.default(json.JSONEncoder(), 1))

    assert (
        "<summary>1 frame of json</summary>" in DebugTraceback(caught(fail)).render_traceback_html()
    )


def test_a_recursion_is_told_and_not_written_out() -> None:
    def down() -> None:
        down()

    html = DebugTraceback(caught(down)).render_traceback_html()
    assert "more frames like this one are left out" in html
    assert len(Page(html).of_class("frame")) < 10


def test_a_recursion_of_two_is_not_written_out_either() -> None:
    def ping() -> None:
        pong()

    def pong() -> None:
        ping()

    html = DebugTraceback(caught(ping)).render_traceback_html()
    assert re.search(r">\d+ frames are left out", html)
    assert len(Page(html).of_class("frame")) <= page.MOST_FRAMES


def test_notes_are_shown() -> None:
    error = ValueError("x")
    error.add_note("look <here>")
    html = whole(caught(raising(TypeError("y"), error)))
    assert "<li>look &lt;here&gt;</li>" in html
    other = TypeError("top")
    other.add_note("at the top")
    assert "<li>at the top</li>" in whole(caught(raising(other)))


def test_groups_show_each_exception() -> None:
    group = ExceptionGroup("several", [
        caught(raising(ValueError("one"))),
        ExceptionGroup("inner", [caught(raising(KeyError("two"), TypeError("behind")))]),
    ])  # fmt: skip
    shown = DebugTraceback(caught(raising(group)))
    html = shown.render_traceback_html()
    parsed = Page(html)
    assert len(parsed.of_class("group")) == 2
    for text in ("1 of 2", "2 of 2", "1 of 1", "one", "behind"):
        assert text in html
    assert len(shown.all_frames) == 3 * 2  # two were never raised
    data = shown.to_data(Masker())
    assert [inner["type"] for inner in data["exceptions"]] == ["ValueError", "ExceptionGroup"]


@pytest.mark.parametrize(
    ("source", "kind", "message", "line"),
    [
        ("x = 1\ny = = 2\n", "SyntaxError", "invalid syntax", "y = = 2"),
        ("def f():\npass\n", "IndentationError", "expected an indented block", "pass"),
        ("if 1:\n\tx\n        y\n", "TabError", "inconsistent use of tabs", "y"),
    ],
)
def test_a_line_that_is_no_python_is_pointed_at(
    source: str, kind: str, message: str, line: str
) -> None:
    error = caught(lambda: compile(source, "<shop.py>", "exec"))
    html = whole(error)
    assert f"<h1>{kind}</h1>" in html
    shown = re.search(r'<pre class="syntaxerror">(.*?)</pre>', html, re.DOTALL)
    assert shown
    assert message in html
    assert "File &quot;" not in shown[1]
    assert 'File "&lt;shop.py&gt;", line' in shown[1]
    assert line in shown[1]
    assert shown[1].rstrip().endswith("^") or kind == "TabError"
    assert kind not in shown[1]


def test_a_syntax_error_without_place_is_fine() -> None:
    Page(whole(caught(raising(SyntaxError("just so")))))


def test_the_traceback_has_a_title_where_it_stands_alone() -> None:
    shown = DebugTraceback(caught(raising(ValueError())))
    assert "<h3>Traceback" in shown.render_traceback_html()
    assert "<h3>Traceback" not in shown.render_traceback_html(include_title=False)


# -- masking, data -------------------------------------------------------------------------------


def fail_with_secret(password: str) -> None:
    value = {"sent": password}
    raise ValueError(f"cannot log in with {value['sent']}")


def test_a_secret_is_masked_wherever_it_turns_up() -> None:
    secret = "correct horse"  # noqa: S105 - of nobody
    error = caught(lambda: fail_with_secret("correct horse"))
    error.add_note(f"it was {secret}")
    shown = DebugTraceback(caught(raising(RuntimeError(), error)))
    masker = shown.masker()
    html = shown.render_debugger_html(True, "", False, page.About(masker=masker))
    assert secret not in html
    assert MASK in html
    assert secret not in json.dumps(shown.to_data(masker))
    assert secret in shown.render_traceback_text()


def test_as_data_it_has_frames_with_variables() -> None:
    def fail() -> None:
        number = 42
        raise ValueError(number) from KeyError("behind")

    error = caught(fail)
    error.add_note("a note")
    data = DebugTraceback(error).to_data(Masker())
    json.dumps(data)
    assert (data["type"], data["message"], data["notes"]) == ("ValueError", "42", ["a note"])
    frame = data["frames"][-1]
    assert frame["function"] == "fail"
    assert frame["own"]
    assert frame["variables"] == {"number": "42"}
    assert frame["code"].startswith("raise ValueError")
    assert data["cause"] == {"type": "KeyError", "message": "'behind'", "frames": []}
    data = DebugTraceback(error).to_data(Masker(shows_variables=False))
    assert "variables" not in data["frames"][-1]


def test_the_page_with_only_a_console_is_whole() -> None:
    html = page.render_console_html("SECRET", evalex_trusted=True)
    Page(html)
    assert 'data-frame="0"' in html
    assert '"secret": "SECRET"' in html
