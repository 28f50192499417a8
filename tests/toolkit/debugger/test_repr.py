"""Values as HTML."""

from __future__ import annotations

import io
import re
import sys
from collections import OrderedDict, deque
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.debugger.console import HTMLStringO
from stein.toolkit.debugger.repr import DebugReprGenerator, debug_repr, dump, helper


class Texts(HTMLParser):
    """Collects the text of a piece of HTML, and sees that its elements are closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def plain(value: object) -> str:
    return Texts(debug_repr(value)).text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.5, "1.5"),
        (2j, "2j"),
        (True, "True"),
        (None, "None"),
        ("a'<b>", '"a\'<b>"'),
        (b"\x00", r"b'\x00'"),
        ([1, [2]], "[1, [2]]"),
        ((1,), "(1)"),
        ({1}, "set([1])"),
        (frozenset([1]), "frozenset([1])"),
        (deque([1]), "collections.deque([1])"),
        ({"a": {}}, "{'a': {}}"),
        (re.compile(r"\d<&>'"), 're.compile(r"\\d<&>\'")'),
        (OrderedDict(a=1), "collections.OrderedDict({'a': 1})"),
        (helper, "Type help(object) for help about object."),
        (int, "<class 'int'>"),
    ],
)
def test_a_value_reads_as_it_would_in_a_terminal(value: object, text: str) -> None:
    assert plain(value) == text


def test_long_values_fold_their_rest() -> None:
    for value in ("x" * 100, list(range(20)), {n: n for n in range(20)}):
        html = debug_repr(value)
        assert html.count('<span class="extended">') == 1
        assert plain(value) == repr(value)
    assert "extended" not in debug_repr("x" * 70)


def test_a_million_items_are_not_all_written() -> None:
    html = debug_repr(range(10))
    assert html == '<span class="object">range(0, 10)</span>'
    assert len(debug_repr(list(range(1_000_000)))) < 100_000


def test_what_is_inside_of_itself_ends() -> None:
    mapping: dict[str, Any] = {}
    mapping["self"] = mapping
    assert plain(mapping) == "{'self': {...}}"


def test_a_subclass_tells_its_name() -> None:
    class Name(str):
        __slots__ = ()

    class Named(str):
        __slots__ = ()

        def __repr__(self) -> str:
            return "<Named>"

    assert plain(Name("ada")).endswith("Name('ada')")
    assert plain(Named("ada")) == "<Named>"


def test_a_repr_that_fails_is_told() -> None:
    class UnspeakableError(Exception):
        def __str__(self) -> str:
            raise ValueError

    class Failing:
        def __repr__(self) -> str:
            raise UnspeakableError

    assert plain([Failing()]) == "[<broken repr (UnspeakableError)>]"


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    )
)
def test_any_data_gives_closed_elements_and_no_others(value: object) -> None:
    html = debug_repr(value)
    Texts(html)
    assert set(re.findall(r"<(\w+)", html)) <= {"span"}


class Thing:
    kind = "<thing>"

    def __init__(self) -> None:
        self.size = 3

    @property
    def broken(self) -> int:
        raise RuntimeError


def test_an_object_is_dumped_by_its_attributes_its_own_first() -> None:
    html = DebugReprGenerator().dump_object(Thing())
    assert "<broken" not in html
    assert "broken" not in Texts(html).text
    assert html.index("<th>size</th>") < html.index("<th>__class__</th>")
    assert "&lt;thing&gt;" in html


def test_a_dict_with_names_is_dumped_by_them() -> None:
    generator = DebugReprGenerator()
    assert "Contents of dict object" in generator.dump_object({"a": 1})
    assert "Details for dict object" in generator.dump_object({1: 1})
    assert "<em>Nothing</em>" in generator.dump_object({})


def test_dump_and_help_write_to_where_output_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = HTMLStringO()
    monkeypatch.setattr(sys, "stdout", stream)
    number = 42
    dump()
    assert f'<th>number</th><td><pre class=repr><span class="number">{number}' in stream.reset()
    dump([1])
    assert "Details for list object" in stream.reset()
    helper()
    assert "Type help(object)" in stream.reset()
    helper(len)
    text = stream.reset()
    assert text.startswith("<div class=box><h3>Help on built-in function len")
    assert "number of items" in text
    helper("no such topic, I hope")
    assert "<h3>No Python documentation found" in stream.reset()


def test_in_a_terminal_dump_is_written_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    dump(1)
    assert "Details for int object" in stream.getvalue()
