"""A prompt without a terminal."""

from __future__ import annotations

import io
import linecache
import sys
import threading

import pytest

from stein.toolkit.debugger import console as console_module
from stein.toolkit.debugger.console import Console, HTMLStringO


def test_an_expression_shows_its_value() -> None:
    assert Console().eval("1 + 1") == '&gt;&gt;&gt; 1 + 1\n<span class="number">2</span>\n'.replace(
        "&gt;&gt;&gt;", ">>>"
    )


def test_names_are_found_and_stay_here() -> None:
    given = {"a": 1}
    console = Console({"a": 0, "b": 2}, given)
    assert ">3<" in console.run("a + b")
    console.run("a = 5")
    assert ">5<" in console.run("a")
    assert given == {"a": 1}
    assert ">5<" in console.run("_")


def test_a_lambda_finds_what_was_typed_before() -> None:
    console = Console()
    console.run("y = 5")
    console.run("f = lambda: y")
    assert ">5<" in console.run("f()")


def test_something_begun_goes_on_until_an_empty_line() -> None:
    console = Console()
    assert console.eval("for n in range(2):").startswith(">>> for")
    assert console.more
    assert console.eval("  print(n)").startswith("...   print")
    assert console.run("") == "0\n1\n"
    assert not console.more


def test_several_lines_at_once_show_each_value() -> None:
    assert Console().run("a = 2\na\nif a:\n  print('<b>')\n'end'") == (
        '<span class="number">2</span>\n&lt;b&gt;\n<span class="string">&#39;end&#39;</span>\n'
    )


def test_an_error_is_shown_with_the_line_that_was_typed() -> None:
    console = Console()
    console.run("def f():\n    return 1 / 0\n")
    text = console.run("f()")
    assert "return 1 / 0" in text
    assert "ZeroDivisionError" in text
    assert "console.py" not in text


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("1 +* 2", "SyntaxError"),
        ("def f(:", "SyntaxError"),
        ("'\0'", "null byte"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("exit()", "SystemExit"),
    ],
)
def test_nothing_that_is_typed_ends_the_program(code: str, error: str) -> None:
    console = Console()
    text = console.run(code)
    assert error in text
    assert '<span class="error">' in text
    assert "codeop" not in text
    assert ">2<" in console.run("1 + 1")


def test_imports_from_the_future_last() -> None:
    console = Console()
    console.run("from __future__ import annotations")
    assert "error" not in console.run("def f(a: no.such.name): pass\n")


def test_what_was_typed_is_not_kept_for_ever() -> None:
    console = Console()
    for number in range(300):
        console.run(f"x = {number}")
    assert sum(name.startswith("<console ") for name in linecache.cache) <= 100


def test_other_threads_print_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    inside, done = threading.Event(), threading.Event()

    def other() -> None:
        inside.wait(10)
        print("from outside")  # noqa: T201 - what is tested
        print("and as an error", file=sys.stderr)  # noqa: T201
        sys.displayhook(42)
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    console = Console({"inside": inside, "done": done})
    before = sys.stdout, sys.stderr, sys.displayhook
    text = console.run("print('a'); inside.set(); done.wait(10); print(repr(sys.stdout)[:0] + 'b')")
    assert "NameError" in text
    console.run("import sys")
    text = console.run("inside.set(); print('b', file=sys.stderr)")
    assert text.endswith("b\n")
    thread.join()
    assert (sys.stdout, sys.stderr, sys.displayhook) == before
    captured = capsys.readouterr()
    assert captured.out == "from outside\n42\n"
    assert captured.err == "and as an error\n"


def test_who_replaces_the_streams_from_within_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = io.StringIO()
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "displayhook", sys.__displayhook__)
    Console({"mine": mine}).run("import sys; sys.stdout = mine; sys.displayhook = print")
    assert sys.stdout is mine
    assert sys.displayhook is print


def test_the_stand_ins_pass_everything_on() -> None:
    console = Console()
    console.run("import sys")
    assert "&lt;" in console.run("sys.stdout") or "TextIO" in console.run("sys.stdout")
    console.run("sys.stdout.flush(); sys.stdout.isatty()")
    console.run("sys.stderr.mark = 1")
    assert getattr(sys.stderr, "mark", None) in {1, None}
    if hasattr(sys.stderr, "mark"):
        del sys.stderr.mark


def test_a_hook_of_the_program_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(sys, "displayhook", seen.append)
    assert Console().run("1 + 1") == ""
    assert seen == [2]
    monkeypatch.setattr(sys, "displayhook", console_module._displayhook)
    assert Console().run("None") == ""
    assert Console().run("[1]") == "[1]\n"


def test_two_at_once_do_not_meet() -> None:
    first, second = Console(), Console()
    barrier = threading.Barrier(2, timeout=10)
    texts: dict[str, str] = {}

    def run(name: str, console: Console) -> None:
        console.names.update(barrier=barrier, name=name)
        texts[name] = console.run("_ = barrier.wait()\nprint(name)\n_ = barrier.wait()")

    threads = [
        threading.Thread(target=run, args=(name, each))
        for name, each in (("first", first), ("second", second))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {"first": "first\n", "second": "second\n"}


def test_help_is_of_the_console() -> None:
    assert "<div class=box>" in Console().run("help(len)")
    assert "Local variables" in Console().run("dump()")


def test_completion_knows_its_names() -> None:
    assert Console({"basket": 1}).complete("bas").texts == ["basket"]


def test_the_stream_is_enough_of_a_file() -> None:
    stream = HTMLStringO()
    assert stream.write("<") == 1
    stream.writelines(["a", "b"])
    stream.flush()
    stream.seek(0)
    stream.close()
    assert not stream.isatty()
    assert stream.readline() == "&lt;"
    assert stream.reset() == "ab"
    assert stream.readline() == ""
