"""Each converter: what it takes from a path, and what it writes."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.exceptions import NotFound
from stein.toolkit.routing import (
    AnyConverter,
    BaseConverter,
    BuildError,
    FloatConverter,
    IntegerConverter,
    Map,
    PathConverter,
    Rule,
    UnicodeConverter,
    UUIDConverter,
    ValidationError,
)
from stein.toolkit.routing.converters import encode_path

NOTHING = object()


def taken(placeholder: str, text: str, **converters: type[BaseConverter]) -> Any:
    """What a placeholder makes of a text in a path."""
    urls = Map([Rule(f"/x/{placeholder}", endpoint="x")], converters=converters)
    try:
        return urls.bind("localhost").match(f"/x/{text}")[1]["v"]
    except NotFound:
        return NOTHING


@pytest.mark.parametrize(
    ("placeholder", "text", "value"),
    [
        ("<v>", "a b", "a b"),
        ("<v>", "a\n", "a\n"),
        ("<v>", "a/b", NOTHING),
        ("<string(length=2):v>", "ab", "ab"),
        ("<string(length=2):v>", "abc", NOTHING),
        ("<string(minlength=2,maxlength=3):v>", "abc", "abc"),
        ("<string(minlength=2,maxlength=3):v>", "abcd", NOTHING),
        ("<any(a,'b c',a.b):v>", "b c", "b c"),
        ("<any(a,'b c',a.b):v>", "a.b", "a.b"),
        ("<any(a,'b c',a.b):v>", "axb", NOTHING),
        ("<path:v>", "a//b/", "a//b/"),
        ("<path:v>", "a\nb", NOTHING),
        ("<int:v>", "007", 7),
        ("<int:v>", "\u0663", 3),
        ("<int:v>", "-7", NOTHING),
        ("<int:v>", "\xb2", NOTHING),
        ("<int(signed=True):v>", "-7", -7),
        ("<int(fixed_digits=3):v>", "007", 7),
        ("<int(fixed_digits=3):v>", "7", NOTHING),
        ("<int(min=3):v>", "2", NOTHING),
        ("<int(min=3):v>", "3", 3),
        ("<int(max=3):v>", "4", NOTHING),
        ("<int(signed=True,min=-3):v>", "-4", NOTHING),
        ("<int(min=3):v>", "1" * 5000, NOTHING),
        ("<int:v>", "1" * 5000, NOTHING),
        ("<float:v>", "1.50", 1.5),
        ("<float:v>", "1", NOTHING),
        ("<float(signed=True):v>", "-1.5", -1.5),
        ("<float(max=2):v>", "2.1", NOTHING),
        ("<uuid:v>", "A8098C1A-f86e-11da-bd1a-00112444be1e",
         uuid.UUID("a8098c1a-f86e-11da-bd1a-00112444be1e")),
        ("<uuid:v>", "a8098c1af86e11dabd1a00112444be1e", NOTHING),
    ],
)  # fmt: skip
def test_a_placeholder_takes_what_its_converter_says(
    placeholder: str, text: str, value: object
) -> None:
    assert taken(placeholder, text) == value


@pytest.mark.parametrize(
    ("converter", "value", "text"),
    [
        (UnicodeConverter, "ä/b ?", "%C3%A4/b%20%3F"),
        (UnicodeConverter, 42, "42"),
        (PathConverter, "a/b", "a/b"),
        (IntegerConverter, "42", "42"),
        (IntegerConverter, True, "1"),
        (FloatConverter, 1, "1.0"),
        (UUIDConverter, uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_value_is_written_for_a_url(
    converter: type[BaseConverter], value: object, text: str
) -> None:
    assert converter(Map()).to_url(value) == text


def test_digits_are_filled_up() -> None:
    assert IntegerConverter(Map(), fixed_digits=4).to_url(42) == "0042"


def test_any_writes_only_its_words() -> None:
    words = AnyConverter(Map(), "a", "b c")
    assert words.to_url("b c") == "b%20c"
    with pytest.raises(ValueError, match="'d' is not one of 'a', 'b c'"):
        words.to_url("d")


def test_any_is_told_what_to_do_about_numbers() -> None:
    with pytest.raises(TypeError, match=r"any\(\): 1 is no text; put it in quotes: any\('1'\)"):
        Map([Rule("/<any(1, 2):a>")])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_encoded_path_is_ascii_and_reads_back(text: str) -> None:
    encoded = encode_path(text)
    assert encoded.isascii()
    assert not set(encoded) & set(' ?#\r\n"<>')
    assert unquote(encoded) == text


def test_a_pattern_with_a_slash_is_not_isolating_unless_it_says_so() -> None:
    class Two(BaseConverter):
        regex = r"\w+/\w+"

    class Sure(BaseConverter):
        regex = "a|/"
        part_isolating = True

    class Child(Two):
        pass

    assert not Two.part_isolating
    assert not Child.part_isolating
    assert Sure.part_isolating
    assert taken("<two:v>", "a/b", two=Two) == "a/b"
    assert taken("<sure:v>", "a", sure=Sure) == "a"


def test_a_pattern_may_have_groups_of_its_own() -> None:
    class Date(BaseConverter):
        regex = r"(\d{4})-(\d\d)"

    urls = Map([Rule("/<date:a>-<date:b>", endpoint="x")], converters={"date": Date})
    values = urls.bind("localhost").match("/2024-01-2025-02")[1]
    assert values == {"a": "2024-01", "b": "2025-02"}


def test_what_is_no_pattern_is_refused_when_the_rule_is_added() -> None:
    class Broken(BaseConverter):
        regex = "(["

    with pytest.raises(ValueError, match=r"no pattern.*\(\["):
        Map([Rule("/<broken:a>")], converters={"broken": Broken})


def test_a_segment_without_isolation_ends_at_a_slash() -> None:
    class Loose(BaseConverter):
        part_isolating = False

    assert taken("<loose:v>", "a", loose=Loose) == "a"
    assert taken("<loose:v>", "a/b", loose=Loose) is NOTHING


class Even(BaseConverter):
    regex = r"\d+"

    def to_python(self, value: str) -> int:
        if value == "666":
            raise ValueError(value)
        if int(value) % 2:
            raise ValidationError
        return int(value)

    def to_url(self, value: Any) -> str:
        if value % 2:
            raise ValidationError
        return str(value)


def test_a_refused_value_is_not_found_and_no_other_rule_is_asked() -> None:
    rules = [Rule("/x/<even:v>", endpoint="x"), Rule("/x/<v>", endpoint="y")]
    adapter = Map(rules, converters={"even": Even}).bind("localhost")
    assert adapter.match("/x/2") == ("x", {"v": 2})
    with pytest.raises(NotFound):
        adapter.match("/x/3")


def test_another_error_of_a_converter_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="666"):
        taken("<even:v>", "666", even=Even)


def test_a_value_refused_in_building_makes_the_next_rule_be_tried() -> None:
    rules = [Rule("/even/<even:v>", endpoint="x"), Rule("/any/<int:v>", endpoint="x")]
    adapter = Map(rules, converters={"even": Even}).bind("localhost")
    assert adapter.build("x", {"v": 2}) == "/even/2"
    assert adapter.build("x", {"v": 3}) == "/any/3"
    adapter = Map([rules[0].empty()], converters={"even": Even}).bind("localhost")
    with pytest.raises(BuildError):
        adapter.build("x", {"v": 3})
