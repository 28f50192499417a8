from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from stein.web.app import Stein
from stein.web.json.tag import JSONTag, TagDict, TaggedJSONSerializer

U = UUID("12345678123456781234567812345678")
D = datetime(2024, 2, 29, 12, 30, 45, tzinfo=UTC)
TAGS = [" di", " t", " b", " m", " u", " d"]


@pytest.fixture
def serializer() -> TaggedJSONSerializer:
    return TaggedJSONSerializer()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1, "b": [None, True, 1.5]}, '{"a":1,"b":[null,true,1.5]}'),
        ((), '{" t":[]}'),
        ((1, (2,)), '{" t":[1,{" t":[2]}]}'),
        (b"\xff\xfe", '{" b":"//4="}'),
        (Markup("<b>"), '{" m":"<b>"}'),
        (U, '{" u":"12345678123456781234567812345678"}'),
        (D, '{" d":"Thu, 29 Feb 2024 12:30:45 GMT"}'),
        ({" t": [1]}, '{" di":{" t__":[1]}}'),
        ({" di": b""}, '{" di":{" di__":{" b":""}}}'),
        ({" t": 1, "a": 2}, '{" t":1,"a":2}'),
        ({" t__": 1}, '{" t__":1}'),
        ([{" u": "x"}], '[{" di":{" u__":"x"}}]'),
        ({" x": 1}, '{" x":1}'),
        ({"": {"": ()}}, '{"":{"":{" t":[]}}}'),
        ('" t', '"\\" t"'),
    ],
)
def test_values_are_written_with_their_tags(
    serializer: TaggedJSONSerializer, value: object, text: str
) -> None:
    assert serializer.dumps(value) == text
    again = serializer.loads(text)
    assert again == value
    assert type(again) is type(value)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from([*TAGS, '" t', '\\" ', "\\u0020t"])
    | st.binary()
    | st.uuids()
    | st.text().map(Markup)
    | st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001
        lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(
            st.sampled_from([*TAGS, *(f"{tag}__" for tag in TAGS)]), inner, max_size=2
        )
        | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(VALUES)
def test_all_values_come_back_as_they_were(value: Any) -> None:
    serializer = TaggedJSONSerializer()
    assert _typed(serializer.loads(serializer.dumps(value))) == _typed(value)


def _typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _typed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value), [_typed(item) for item in value]
    return type(value), value


@given(VALUES)
def test_the_short_cuts_lead_where_the_long_way_leads(value: Any) -> None:
    serializer = TaggedJSONSerializer()
    text = serializer.dumps(value)
    assert text == json.dumps(serializer.tag(value), separators=(",", ":"))
    assert serializer.loads(text) == serializer._untag_scan(json.loads(text))


def test_the_current_application_writes_it(serializer: TaggedJSONSerializer) -> None:
    value = {"b": "é", "a": (1,)}
    assert serializer.dumps(value) == '{"b":"\\u00e9","a":{" t":[1]}}'
    app = Stein("test")
    with app.app_context():
        assert serializer.dumps(value) == '{"a":{" t":[1]},"b":"\\u00e9"}'
        app.json.ensure_ascii = False  # type: ignore[attr-defined]
        assert serializer.dumps(value) == '{"a":{" t":[1]},"b":"é"}'
        assert serializer.loads(serializer.dumps(value)) == value


def test_text_that_is_tagged_and_damaged_is_a_value_error(
    serializer: TaggedJSONSerializer,
) -> None:
    for text in ('{" u":"x"}', '{" b":"x"}', "{", ""):
        with pytest.raises(ValueError, match=r"."):
            serializer.loads(text)


# -- tags of one's own ------------------------------------------------------------------------


class TagSet(JSONTag):
    __slots__ = ()
    key = " s"

    def check(self, value: Any) -> bool:
        return isinstance(value, set)

    def to_json(self, value: Any) -> Any:
        return [self.serializer.tag(item) for item in value]

    def to_python(self, value: Any) -> Any:
        return set(value)


class TagWord(JSONTag):
    __slots__ = ()
    key = "w"

    def check(self, value: Any) -> bool:
        return isinstance(value, str) and value.startswith("word")

    def to_json(self, value: Any) -> Any:
        return value[4:]

    def to_python(self, value: Any) -> Any:
        return f"word{value}"


def test_a_tag_is_added(serializer: TaggedJSONSerializer) -> None:
    serializer.register(TagSet)
    assert serializer.dumps({"s": {(1,)}}) == '{"s":{" s":[{" t":[1]}]}}'
    assert serializer.loads('{"s":{" s":[{" t":[1]}]}}') == {"s": {(1,)}}
    # Now it is a tag, so that a dict may look like it.
    assert serializer.dumps({" s": 1}) == '{" di":{" s__":1}}'


def test_a_tag_for_text_without_a_space_is_seen_in_time(serializer: TaggedJSONSerializer) -> None:
    serializer.register(TagWord, index=0)
    assert serializer.dumps(["word x", "other"]) == '[{"w":" x"},"other"]'
    assert serializer.loads('[{"w":" x"},"other"]') == ["word x", "other"]


def test_lists_may_be_changed_without_asking(serializer: TaggedJSONSerializer) -> None:
    tag = TagWord(serializer)
    serializer.order.insert(0, tag)
    serializer.tags["w"] = tag
    assert serializer.loads(serializer.dumps(["word x"])) == ["word x"]


def test_a_key_is_taken_once_unless_forced(serializer: TaggedJSONSerializer) -> None:
    class Other(JSONTag):
        key = " d"

    with pytest.raises(KeyError, match=r"' d' of Other is taken by TagDateTime"):
        serializer.register(Other)
    serializer.register(Other, force=True, index=0)
    assert isinstance(serializer.tags[" d"], Other)
    assert serializer.order[0] is serializer.tags[" d"]


def test_a_tag_stands_where_it_is_put(serializer: TaggedJSONSerializer) -> None:
    serializer.register(TagSet, index=-1)
    assert isinstance(serializer.order[-2], TagSet)
    serializer.register(TagWord)
    assert isinstance(serializer.order[-1], TagWord)


def test_a_subclass_has_tags_and_methods_of_its_own() -> None:
    class Few(TaggedJSONSerializer):
        default_tags = [TagDict]  # noqa: RUF012 - as the base has it

    class Doubling(TaggedJSONSerializer):
        def tag(self, value: Any) -> Any:
            return value * 2 if isinstance(value, str) else super().tag(value)

    assert Few().dumps([(1,), {" di": 1}]) == '[[1],{" di":1}]'
    assert Few().dumps({" di": 1}) == '{" di":{" di__":1}}'
    assert Doubling().dumps(["a"]) == '["aa"]'


def test_the_base_says_what_is_missing(serializer: TaggedJSONSerializer) -> None:
    class Empty(JSONTag):
        key = " e"

    tag = Empty(serializer)
    for name in ("check", "to_json", "to_python"):
        with pytest.raises(NotImplementedError, match=f"Empty needs a method {name}"):
            getattr(tag, name)(1)


def test_numbers_that_json_does_not_have_come_back(serializer: TaggedJSONSerializer) -> None:
    assert math.isnan(serializer.loads(serializer.dumps(math.nan)))
    assert serializer.loads(serializer.dumps([math.inf])) == [math.inf]
