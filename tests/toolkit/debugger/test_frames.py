"""One frame: its source, what of it is meant, its variables."""

from __future__ import annotations

import json
import linecache
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.debugger.frames import DebugFrameSummary, shown_path
from stein.toolkit.debugger.masking import Masker
from stein.toolkit.debugger.tracebacks import DebugTraceback

if TYPE_CHECKING:
    from pathlib import Path


def frames_of(source: str, path: Path, **names: Any) -> list[DebugFrameSummary]:
    """The frames of what a source raises."""
    path.write_text(source, encoding="utf-8")
    linecache.checkcache(str(path))
    try:
        exec(compile(source, str(path), "exec"), {"__name__": "program", **names})  # noqa: S102
    except Exception as error:  # noqa: BLE001 - whatever it is
        return [frame for frame in DebugTraceback(error).all_frames if frame.filename == str(path)]
    pytest.fail("it raises nothing")


SOURCE = '''\
import json


def first(x):
    return 1


@staticmethod
def failing(värde):
    """Fail."""
    a = {"ä": 1}
    return a["ä"], a[
        värde
    ] + 1


def last():
    pass


failing("ö")
'''


def test_a_function_is_shown_and_not_its_neighbours(tmp_path: Path) -> None:
    frame = frames_of(SOURCE, tmp_path / "program.py")[-1]
    lines = frame.source()
    assert [line.number for line in lines] == list(range(8, 15))
    assert [line.number for line in lines if line.current] == [12, 13, 14]
    marked = [line.text[slice(*line.marked)] for line in lines if line.marked]
    assert marked == ["a[", "värde", "]"]


def test_a_module_is_shown_around_its_line(tmp_path: Path) -> None:
    frame = frames_of(SOURCE, tmp_path / "program.py")[0]
    lines = frame.source()
    assert [line.number for line in lines] == list(range(15, 22))
    assert lines[-1].marked == (0, len('failing("ö")'))


def test_a_frame_without_source_says_so(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        exec(compile("1/0", "nowhere", "exec"))  # noqa: S102
    frame = DebugTraceback(raised.value).all_frames[-1]
    assert frame.source() == []
    html = frame.render_html(mark_library=True)
    assert "cannot be read" in html
    assert 'class="variables"' not in html


def test_a_frame_without_columns_marks_nothing(tmp_path: Path) -> None:
    frame = DebugFrameSummary(
        filename=__file__, lineno=3, name="f", locals={}, globals={}, first_line=1
    )
    assert [line.number for line in frame.source() if line.current] == [3]
    assert not any(line.marked for line in frame.source())


def test_a_file_that_has_changed_meanwhile_does_no_harm(tmp_path: Path) -> None:
    frame = frames_of(SOURCE, tmp_path / "program.py")[-1]
    (tmp_path / "program.py").write_text("\n" * 11 + "x\n", encoding="utf-8")
    linecache.checkcache()
    assert frame.source()[-1].text == "x"
    assert "<mark>" not in frame.render_html(mark_library=False)


def test_variables_are_shown_and_secrets_are_not(tmp_path: Path) -> None:
    source = "def f(token, n):\n    raise ValueError\n\nf('abc.def.ghi', 42)\n"
    frame = frames_of(source, tmp_path / "program.py")[-1]
    masker = Masker()
    masker.learn("token", "abc.def.ghi")
    html = frame.render_html(mark_library=True, masker=masker)
    assert "<th scope=row>n</th><td><code>42</code>" in html
    outer = frames_of(source, tmp_path / "program.py")[0]
    assert "abc.def" not in html + outer.render_html(mark_library=True, masker=masker)
    hidden = frame.render_html(mark_library=True, masker=Masker(shows_variables=False))
    assert "42" not in hidden
    empty = frames_of("def f():\n    1/0\nf()", tmp_path / "program.py")[-1]
    assert "No variables here" in empty.render_html(mark_library=True, masker=masker)


def test_what_a_function_tells_about_itself_is_shown(tmp_path: Path) -> None:
    source = "def f(n):\n    __traceback_info__ = f'<{n}>'\n    raise ValueError\nf(3)\n"
    frame = frames_of(source, tmp_path / "program.py")[-1]
    assert frame.info == "<3>"
    assert '<p class="info">&lt;3&gt;</p>' in frame.render_html(mark_library=False)


def test_what_is_installed_or_ours_is_a_library(tmp_path: Path) -> None:
    own = frames_of(SOURCE, tmp_path / "program.py")[0]
    assert not own.is_library
    assert "library" not in own.render_html(mark_library=True)
    with pytest.raises(ValueError, match="Expecting") as raised:
        json.loads("{")
    installed = DebugTraceback(raised.value).all_frames[-1]
    assert installed.is_library
    assert 'class="frame library"' in installed.render_html(mark_library=True)
    assert 'class="frame"' in installed.render_html(mark_library=False)


def test_a_console_sees_what_the_frame_sees(tmp_path: Path) -> None:
    frame = frames_of("import json\ndef f(n):\n    1/0\nf(3)\n", tmp_path / "program.py")[-1]
    assert ">4<" in frame.eval("n + 1")
    assert "json" in frame.eval("json")


def test_a_path_is_as_short_as_it_stays_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(str(tmp_path / "shop" / "views.py")) == "shop/views.py"
    assert shown_path(json.__file__) == "json/__init__.py"
    assert shown_path(sys.modules[DebugFrameSummary.__module__].__file__ or "").startswith("stein/")
    assert shown_path("/elsewhere/x.py") == "/elsewhere/x.py"
    assert isinstance(
        DebugFrameSummary(filename="x", lineno=1, name="f", locals={}, globals={}),
        traceback.FrameSummary,
    )
