# ruff: noqa: S301 - unpickles what it pickled itself

from __future__ import annotations

import copy
import enum
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.datastructures import names
from stein.toolkit.datastructures.headers import EnvironHeaders, Headers
from stein.toolkit.datastructures.multidict import MultiDict
from stein.toolkit.exceptions import BadRequestKeyError

PAIRS = [("Content-Type", "text/plain"), ("X-Tag", "a"), ("x-tag", "b")]

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "CONTENT_TYPE": "text/plain",
    "CONTENT_LENGTH": "",
    "HTTP_CONTENT_LENGTH": "5",
    "HTTP_X_TAG": "a",
    "HTTP_HOST": "",
    "wsgi.version": (1, 0),
}

tokens = st.text("abcXYZ-", min_size=1, max_size=3)
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=5)


# --- reading


@pytest.mark.parametrize("name", ["X-Tag", "x-tag", "X-TAG"])
def test_names_ignore_case(name: str) -> None:
    headers = Headers(PAIRS)
    assert headers[name] == headers.get(name) == "a"
    assert name in headers
    assert headers.getlist(name) == headers.get_all(name) == ["a", "b"]


def test_a_header_is_read_by_index_and_slice() -> None:
    headers = Headers(PAIRS)
    assert headers[0] == ("Content-Type", "text/plain")
    assert headers[-1] == ("x-tag", "b")
    assert type(headers[1:]) is Headers
    assert list(headers[1:]) == PAIRS[1:]
    with pytest.raises(IndexError):
        headers[3]


def test_a_missing_header_is_a_bad_request_that_names_it() -> None:
    headers = Headers(PAIRS)
    assert "Accept" not in headers
    assert headers.get("Accept") is None
    assert headers.get("Accept", "*/*") == "*/*"
    assert headers.getlist("Accept") == []
    with pytest.raises(BadRequestKeyError) as caught:
        headers["Accept"]
    assert caught.value.args == ("Accept",)


def test_a_value_is_converted_or_the_default_stands_for_it() -> None:
    headers = Headers([("Age", "5"), ("Age", "x"), ("Size", "9" * 5000)])
    assert headers.get("age", type=int) == 5
    assert headers.get("size", -1, int) == -1
    assert headers.get("none", -1, int) == -1
    assert headers.getlist("age", int) == [5]


def test_it_is_a_list_of_pairs() -> None:
    headers = Headers(PAIRS)
    assert list(headers) == list(headers.items()) == PAIRS
    assert next(iter(headers.items(lower=True))) == ("content-type", "text/plain")
    assert list(headers.keys()) == ["Content-Type", "X-Tag", "x-tag"]
    assert list(headers.keys(lower=True)) == ["content-type", "x-tag", "x-tag"]
    assert list(headers.values()) == ["text/plain", "a", "b"]
    assert len(headers) == 3
    assert not Headers()
    assert str(headers) == "Content-Type: text/plain\r\nX-Tag: a\r\nx-tag: b\r\n\r\n"
    assert repr(Headers([("A", "b")])) == "Headers([('A', 'b')])"


def test_the_list_for_wsgi_is_a_new_one() -> None:
    headers = Headers(PAIRS)
    headers.to_wsgi_list().clear()
    assert headers.to_wsgi_list() == PAIRS


def test_what_a_subclass_shows_is_what_wsgi_gets() -> None:
    class Public(Headers):
        def __iter__(self) -> Any:
            return (pair for pair in self._list if not pair[0].startswith("X-"))

    headers = Public([("X-Secret", "1"), ("Age", "2")])
    assert headers.to_wsgi_list() == [("Age", "2")]
    assert list(Headers(headers)) == [("Age", "2")]


def test_equal_headers_have_the_same_pairs_in_any_order() -> None:
    assert Headers([("A", "1"), ("B", "2")]) == Headers([("b", "2"), ("a", "1")])
    assert Headers([("A", "1")]) != Headers([("A", "2")])
    assert Headers() != []
    with pytest.raises(TypeError):
        hash(Headers())


# --- making


@pytest.mark.parametrize(
    ("source", "pairs"),
    [
        (None, []),
        ([("A", 1)], [("A", "1")]),
        ((("A", 1), ("A", 2)), [("A", "1"), ("A", "2")]),
        (iter([("A", 1)]), [("A", "1")]),
        ({"A": 1, "B": [2, 3], "C": (4,)}, [("A", "1"), ("B", "2"), ("B", "3"), ("C", "4")]),
        (MultiDict([("A", 1), ("A", 2)]), [("A", "1"), ("A", "2")]),
        (Headers(PAIRS), PAIRS),
        (EnvironHeaders(ENVIRON), [("Content-Type", "text/plain"), ("X-Tag", "a"), ("Host", "")]),
    ],
)
def test_they_are_made_from(source: Any, pairs: list[tuple[str, str]]) -> None:
    assert list(Headers(source)) == pairs


def test_what_is_checked_already_is_taken_as_it_is() -> None:
    pairs = [("A", "1")]
    headers = Headers.from_checked(pairs)
    headers.add("B", "2")
    assert pairs == [("A", "1"), ("B", "2")]


class Kind(str, enum.Enum):  # noqa: UP042 - the point is an enum whose str() gives its name
    SMALL = "small"


class Word(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


@pytest.mark.parametrize(
    ("value", "text"),
    [(5, "5"), (None, "None"), (b"caf\xe9", "café"), (Kind.SMALL, "small"), (Word("w"), "w")],
)
def test_values_become_plain_text(value: object, text: str) -> None:
    headers = Headers()
    headers["A"] = value
    headers.add("B", value)
    headers.extend([("C", value)])
    assert list(headers.values()) == [text] * 3
    assert {type(each) for each in headers.values()} == {str}  # PEP 3333


# --- control characters


@pytest.mark.parametrize("control", ["\r", "\n", "\r\n", "\0", "\x0b", "\x1b", "\x7f"])
def test_a_control_character_is_refused_wherever_it_comes_in(control: str) -> None:
    headers = Headers([("Age", "1")])
    value = f"a{control}b"
    for change in (
        lambda: headers.add("X", value),
        lambda: headers.add_header("X", "v", option=value),
        lambda: headers.set("Age", value),
        lambda: headers.set("Age", "v", option=value),
        lambda: headers.__setitem__("Age", value),
        lambda: headers.__setitem__(0, ("Age", value)),
        lambda: headers.__setitem__(slice(0, 1), [("Age", value)]),
        lambda: headers.setlist("Age", [value]),
        lambda: headers.setdefault("X", value),
        lambda: headers.setlistdefault("X", [value]),
        lambda: headers.extend([("Ok", "1"), ("X", value)]),
        lambda: headers.extend(X=value),
        lambda: headers.update({"X": value}),
        lambda: headers.update(X=[value]),
        lambda: Headers({"X": value}),
        lambda: headers.add("X", value.encode()),
        lambda: headers.add(f"X{control}", "v"),
        lambda: headers.set(f"X{control}", "v"),
        lambda: headers.extend([(f"X{control}", "v")]),
    ):
        with pytest.raises(ValueError, match="control character"):
            change()
    assert list(headers) == [("Age", "1")]  # nothing went half way


def test_the_refusal_names_the_header_and_shows_the_value() -> None:
    with pytest.raises(ValueError, match=r"the value 'a\\nb' of the header 'X-Name' holds a newl"):
        Headers([("X-Name", "a\nb")])
    with pytest.raises(ValueError, match=r"the header name 'X\\tName'"):
        Headers([("X\tName", "a")])


@pytest.mark.parametrize("value", ["a\tb", "a\xa0b", "caf\xe9", "\x80", "日本", ""])
def test_what_is_no_control_character_passes(value: str) -> None:
    headers = Headers([("A", value)])
    headers["B"] = value
    assert list(headers.values()) == [value, value]


# --- changing


def test_setting_takes_the_place_of_the_first_and_removes_the_others() -> None:
    headers = Headers([("A", "1"), ("B", "2"), ("a", "3"), ("C", "4"), ("A", "5")])
    headers["a"] = 6
    assert list(headers) == [("a", "6"), ("B", "2"), ("C", "4")]
    headers.set("D", "7")
    assert headers[-1] == ("D", "7")


def test_options_are_written_behind_the_value() -> None:
    headers = Headers()
    headers.add("Content-Disposition", "attachment", filename='a "b".txt', max_age=5)
    assert headers[0][1] == r'attachment; filename="a \"b\".txt"; max-age=5'
    headers.set("Content-Disposition", "inline", x=None)
    assert headers[0][1] == "inline"


def test_items_are_set_by_index_and_slice() -> None:
    headers = Headers(PAIRS)
    headers[0] = ("A", 1)
    assert headers[0] == ("A", "1")
    headers[1:] = [("B", 2)]
    assert list(headers) == [("A", "1"), ("B", "2")]
    del headers[0]
    del headers["b"]
    assert list(headers) == []
    headers.extend(PAIRS)
    del headers[:2]
    assert list(headers) == [("x-tag", "b")]


def test_a_list_of_values_is_set() -> None:
    headers = Headers(PAIRS)
    headers.setlist("X-Tag", iter([1, 2]))
    assert list(headers) == [PAIRS[0], ("X-Tag", "1"), ("X-Tag", "2")]
    headers.setlist("x-tag", [])
    assert list(headers) == PAIRS[:1]
    assert headers.setlistdefault("A", [1, 2]) == ["1", "2"]
    assert headers.setlistdefault("A", [3]) == ["1", "2"]
    assert headers.setdefault("B", 3) == "3"
    assert headers.setdefault("B", 4) == "3"


def test_extending_adds_and_updating_replaces() -> None:
    headers = Headers({"A": "1"})
    headers.extend({"A": ["2", "3"]}, A="4", B=["5"])
    assert list(headers.values()) == ["1", "2", "3", "4", "5"]
    headers.update({"A": ["6", "7"]}, B="8")
    assert list(headers) == [("A", "6"), ("B", "8"), ("A", "7")]
    headers.update(Headers([("a", "9"), ("a", "10")]))
    assert headers.getlist("A") == ["9", "10"]
    headers.update([("A", "11")], C={"12"})
    headers.update(MultiDict([("D", "13"), ("D", "14")]))
    assert list(headers) == [
        ("A", "11"), ("B", "8"), ("C", "12"), ("D", "13"), ("D", "14"),
    ]  # fmt: skip
    headers.update()
    headers.extend()
    headers.extend(headers)
    assert len(headers) == 10


def test_an_add_of_a_subclass_is_what_extend_calls() -> None:
    class Counting(Headers):
        count = 0

        def add(self, key: str, value: Any, /, **kwargs: Any) -> None:
            self.count += 1
            super().add(key, value, **kwargs)

    headers = Counting(PAIRS)
    headers.extend(Headers(PAIRS))
    assert headers.count == len(headers) == 6
    assert type(headers.copy()) is Counting


def test_two_are_joined() -> None:
    headers = Headers({"A": "1"})
    joined = headers | {"A": "2", "B": ["3", "4"]}
    assert list(joined.values()) == ["2", "3", "4"]
    assert list(headers.values()) == ["1"]
    assert (headers | Headers({"C": "5"}))["C"] == "5"
    headers |= [("D", "6")]
    assert headers["D"] == "6"
    with pytest.raises(TypeError):
        headers | [("A", "1")]  # type: ignore[operator]
    with pytest.raises(TypeError):
        headers |= 5  # type: ignore[arg-type]


def test_what_is_popped_is_gone() -> None:
    headers = Headers([*PAIRS, ("A", "1"), ("B", "2"), ("C", "3")])
    assert headers.pop("x-TAG") == "a"
    assert "X-Tag" not in headers
    assert headers.pop("X-Tag", None) is None
    with pytest.raises(BadRequestKeyError):
        headers.pop("X-Tag")
    assert headers.pop(0) == PAIRS[0]
    assert headers.pop() == ("C", "3")
    assert headers.popitem() == ("B", "2")
    headers.remove("a")
    headers.remove("missing")
    assert len(headers) == 0
    headers.add("A", 1)
    headers.clear()
    assert len(headers) == 0


def test_copies_have_a_list_of_their_own() -> None:
    headers = Headers(PAIRS)
    for again in (
        headers.copy(),
        copy.copy(headers),
        copy.deepcopy(headers),
        pickle.loads(pickle.dumps(headers)),
    ):
        assert list(again) == PAIRS
        again.clear()
    assert list(headers) == PAIRS


# --- those of an environ


def test_an_environ_shows_its_headers() -> None:
    headers = EnvironHeaders(ENVIRON)
    assert list(headers) == [("Content-Type", "text/plain"), ("X-Tag", "a"), ("Host", "")]
    assert len(headers) == 3
    assert headers["x-tag"] == headers.get("X-Tag") == "a"
    assert headers["content-type"] == "text/plain"
    assert headers.getlist("X-Tag") == ["a"]
    assert headers.getlist("Host") == [""]
    assert headers.getlist("Content-Length") == headers.getlist("Accept") == []
    assert "X_Tag" in headers
    assert 42 not in headers  # type: ignore[operator]
    assert headers.to_wsgi_list() == headers._list == list(headers.items())
    assert list(headers.keys(lower=True)) == ["content-type", "x-tag", "host"]
    assert str(headers) == "Content-Type: text/plain\r\nX-Tag: a\r\nHost: \r\n\r\n"
    assert not EnvironHeaders({})


def test_a_header_that_an_environ_has_not() -> None:
    headers = EnvironHeaders(ENVIRON)
    assert headers.get("Accept") is None
    assert headers.get("Accept", "x") == "x"
    for name in ("Accept", 42):
        with pytest.raises(BadRequestKeyError) as caught:
            headers[name]  # type: ignore[index]
        assert caught.value.args == (name,)


def test_a_value_of_an_environ_is_converted() -> None:
    headers = EnvironHeaders({"CONTENT_LENGTH": "5", "HTTP_AGE": "x"})
    assert headers.get("Content-Length", type=int) == 5
    assert headers.get("Age", 0, int) == 0
    assert headers.getlist("Content-Length", int) == [5]
    assert headers.getlist("Age", int) == []


def test_it_shows_what_the_environ_has_now() -> None:
    environ: dict[str, Any] = {}
    headers = EnvironHeaders(environ)
    environ["HTTP_A"] = "1"
    assert headers["a"] == "1"
    assert headers == EnvironHeaders(environ)
    assert headers != EnvironHeaders({"HTTP_A": "1"})
    assert headers != Headers({"A": "1"})


def test_an_environ_cannot_be_changed_through_its_headers() -> None:
    headers: Any = EnvironHeaders(ENVIRON)
    for change in (
        lambda: headers.__setitem__("A", "1"),
        lambda: headers.__delitem__("X-Tag"),
        lambda: headers.add("A", "1"),
        lambda: headers.add_header("A", "1"),
        lambda: headers.set("A", "1"),
        lambda: headers.setlist("A", ["1"]),
        lambda: headers.setdefault("A", "1"),
        lambda: headers.setlistdefault("A", ["1"]),
        lambda: headers.extend({"A": "1"}),
        lambda: headers.update(A="1"),
        lambda: headers.insert(0, ("A", "1")),
        lambda: headers.pop("X-Tag"),
        headers.popitem,
        headers.clear,
        lambda: headers.remove("X-Tag"),
        lambda: headers.__ior__({"A": "1"}),
    ):
        with pytest.raises(TypeError, match="'EnvironHeaders' objects are immutable"):
            change()
    for refused in (headers.copy, lambda: copy.copy(headers), lambda: headers | {"A": "1"}):
        with pytest.raises(TypeError, match=r"Headers\(\.\.\.\)"):
            refused()


def test_names_without_end_do_not_fill_the_memory() -> None:
    environ = {f"HTTP_X_{number}": "1" for number in range(2000)} | {f"HTTP_{'A' * 500}": "1"}
    headers = EnvironHeaders(environ)
    assert len(headers) == 2001
    for name in environ:
        assert headers.get(name) is None
    assert headers["A" * 500] == "1"
    assert len(names.KEYS) <= 512
    assert len(names.NAMES) <= 512


# --- properties


@given(st.lists(st.tuples(tokens, values)), tokens, values)
def test_setting_leaves_one_header_of_the_name_where_the_first_one_was(
    pairs: list[tuple[str, str]], name: str, value: str
) -> None:
    headers = Headers(pairs)
    others = [pair for pair in pairs if pair[0].lower() != name.lower()]
    at = headers.to_wsgi_list().index(first) if (first := next(
        (pair for pair in pairs if pair[0].lower() == name.lower()), None
    )) else len(pairs)  # fmt: skip
    headers[name] = value
    assert headers.getlist(name) == [value]
    assert [pair for pair in headers if pair[0].lower() != name.lower()] == others
    assert headers[at] == (name, value)


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3))))
def test_any_text_is_taken_without_control_characters_or_refused(
    pairs: list[tuple[str, str]],
) -> None:
    try:
        headers = Headers(pairs)
    except ValueError:
        headers = Headers()
    assert not set("\r\n\0") & set("".join(name + value for name, value in headers))
