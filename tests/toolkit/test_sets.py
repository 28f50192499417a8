# ruff: noqa: S301 - unpickles what it pickled itself

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.http.lists import split_list
from stein.toolkit.datastructures.sets import CallbackDict, HeaderSet

words = st.lists(st.text("abAB", min_size=1, max_size=2))


def test_a_word_is_there_once_in_the_case_in_which_it_came() -> None:
    header = HeaderSet(["Accept", "Cookie", "accept"])
    assert list(header) == ["Accept", "Cookie"]
    assert len(header) == 2
    assert "COOKIE" in header
    assert not header.__contains__(5)
    assert header.as_set() == {"accept", "cookie"}
    assert header.as_set(preserve_casing=True) == {"Accept", "Cookie"}
    assert header.to_header() == str(header) == "Accept, Cookie"
    assert repr(header) == "HeaderSet(['Accept', 'Cookie'])"
    assert not HeaderSet()


def test_what_is_no_token_is_quoted() -> None:
    assert HeaderSet(["a b", 'c"']).to_header() == r'"a b", "c\""'


def test_a_word_has_a_position() -> None:
    header = HeaderSet(["Accept", "Cookie"])
    assert header[1] == "Cookie"
    assert header.index("cookie") == header.find("COOKIE") == 1
    assert header.find("Host") == -1
    with pytest.raises(IndexError, match="Host"):
        header.index("Host")
    with pytest.raises(IndexError):
        header[2]


def test_each_change_is_told_once() -> None:
    calls: list[str] = []
    header = HeaderSet(["a"], lambda header: calls.append(str(header)))
    header.add("B")
    header.add("b")
    header.update(["c", "d", "C"])
    header.remove("A")
    header.discard("nothing")
    header.discard("c")
    header[0] = "e"
    header[0] = "D"  # which stood behind it
    del header[0]
    header.clear()
    assert calls == ["a, B", "a, B, c, d", "B, c, d", "B, d", "e, d", "D", "", ""]
    with pytest.raises(KeyError, match="x"):
        header.remove("x")


def test_sets_are_joined() -> None:
    header = HeaderSet(["A", "B"])
    assert list(header | HeaderSet(["b", "C"])) == ["A", "B", "C"]
    assert list(header & {"B"}) == ["B"]
    assert header == HeaderSet(["b", "a"])
    header |= HeaderSet(["D"])
    assert header.pop() == "A"
    assert list(pickle.loads(pickle.dumps(header))) == ["B", "D"]


@given(words)
def test_a_set_is_written_and_read_again(given_words: list[str]) -> None:
    header = HeaderSet(given_words)
    assert HeaderSet(split_list(header.to_header())) == header
    assert [header.find(word) for word in header] == list(range(len(header)))
    assert len(header) == len({word.lower() for word in given_words})


def test_a_dict_tells_of_its_changes_but_not_of_how_it_began() -> None:
    calls: list[object] = []
    told = CallbackDict({"a": 1}, calls.append)
    assert calls == []
    told["b"] = 2
    assert calls == [told]
    assert repr(told) == "<CallbackDict {'a': 1, 'b': 2}>"
    assert CallbackDict() == {}
    assert CallbackDict([("a", 1)]) == {"a": 1}
