# ruff: noqa: S301 - unpickles what it pickled itself

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit import datastructures
from stein.toolkit.datastructures import conversion, multidict
from stein.toolkit.datastructures.multidict import (
    CombinedMultiDict,
    ImmutableDict,
    ImmutableList,
    ImmutableMultiDict,
    ImmutableTypeConversionDict,
    MultiDict,
    TypeConversionDict,
    iter_multi_items,
)
from stein.toolkit.datastructures.ordered import ImmutableOrderedMultiDict, OrderedMultiDict
from stein.toolkit.exceptions import BadRequest, BadRequestKeyError

PAIRS = [("tag", "a"), ("page", "2"), ("tag", "b")]

pairs_of_words = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)))


def ordered(*arguments: Any) -> OrderedMultiDict[str, Any]:
    with pytest.warns(DeprecationWarning, match="'MultiDict'"):
        return OrderedMultiDict(*arguments)


# --- reading


def test_the_first_value_is_what_a_dict_would_show() -> None:
    fields = MultiDict(PAIRS)
    assert fields["tag"] == "a"
    assert fields.get("tag") == "a"
    assert dict(fields) == {**fields} == fields.to_dict() == {"tag": "a", "page": "2"}
    assert list(fields) == list(fields.keys()) == ["tag", "page"]
    assert list(fields.values()) == ["a", "2"]
    assert list(fields.items()) == [("tag", "a"), ("page", "2")]


def test_all_values_are_there_for_who_asks() -> None:
    fields = MultiDict(PAIRS)
    assert fields.getlist("tag") == ["a", "b"]
    assert fields.getlist("missing") == []
    assert list(fields.items(multi=True)) == [("tag", "a"), ("tag", "b"), ("page", "2")]
    assert list(fields.lists()) == [("tag", ["a", "b"]), ("page", ["2"])]
    assert list(fields.listvalues()) == [["a", "b"], ["2"]]
    assert fields.to_dict(flat=False) == {"tag": ["a", "b"], "page": ["2"]}


def test_a_list_that_is_given_is_the_callers_own() -> None:
    fields = MultiDict(PAIRS)
    fields.getlist("tag").clear()
    dict(fields.lists())["tag"].clear()
    fields.to_dict(flat=False)["tag"].clear()
    assert fields.getlist("tag") == ["a", "b"]


def test_a_missing_key_is_a_bad_request_that_names_it() -> None:
    fields: MultiDict[str, str] = MultiDict()
    with pytest.raises(BadRequestKeyError) as caught:
        fields["page"]
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, BadRequest)
    assert caught.value.code == 400
    assert caught.value.args == ("page",)


def test_a_value_is_converted_or_the_default_stands_for_it() -> None:
    fields: MultiDict[str, Any] = MultiDict(
        [("page", "2"), ("page", "x"), ("page", "3"), ("none", None)]
    )
    assert fields.get("page", type=int) == 2
    assert fields.get("page", 1, int) == 2
    assert fields.get("missing", 1, int) == 1
    assert fields.get("none", 1, int) == 1  # TypeError counts as ValueError does
    assert fields.get("huge", type=int) is None
    assert fields.getlist("page", int) == [2, 3]
    assert fields.getlist("missing", int) == []
    with pytest.raises(ZeroDivisionError):
        fields.get("page", type=lambda value: int(value) / 0)


def test_a_number_of_5000_digits_is_no_number() -> None:
    assert MultiDict([("page", "9" * 5000)]).get("page", 1, type=int) == 1


def test_a_key_without_values_is_as_good_as_missing() -> None:
    fields: MultiDict[str, str] = MultiDict()
    assert fields.setlistdefault("empty") == []
    assert fields.get("empty", "x") == "x"
    assert list(fields.items()) == []
    assert list(fields.values()) == []
    assert fields.to_dict() == {}
    with pytest.raises(BadRequestKeyError):
        fields["empty"]
    with pytest.raises(BadRequestKeyError):
        fields.pop("empty")


def test_a_loop_over_the_items_may_change_the_dict() -> None:
    fields = MultiDict(PAIRS)
    for pair in fields.items(multi=True):
        fields.poplist(pair[0])
    assert not fields


def test_a_getitem_of_a_subclass_is_what_get_asks() -> None:
    class Shouting(MultiDict[str, str]):
        def __getitem__(self, key: str) -> str:
            return super().__getitem__(key).upper()

    class Quiet(Shouting):
        def get(self, *arguments: Any, **options: Any) -> Any:
            return "hush"

    assert Shouting(PAIRS).get("tag") == "A"
    assert Shouting(PAIRS).get("missing", "x") == "x"
    assert Quiet(PAIRS).get("tag") == "hush"


def test_items_of_a_subclass_are_what_to_dict_gives() -> None:
    class Masked(MultiDict[str, str]):
        def items(self, multi: bool = False) -> Any:  # noqa: FBT001, FBT002 - as the base
            return ((key, "*") for key, _ in super().items(multi))

        def lists(self) -> Any:
            return ((key, ["*"]) for key in self)

    assert Masked(PAIRS).to_dict() == {"tag": "*", "page": "*"}
    assert MultiDict(Masked(PAIRS)).getlist("tag") == ["*"]


# --- making


@pytest.mark.parametrize(
    ("source", "pairs"),
    [
        (None, []),
        ([], []),
        ((("a", 1), ("a", 2)), [("a", 1), ("a", 2)]),
        (iter([("a", 1)]), [("a", 1)]),
        (
            {"a": 1, "b": [2, 3], "c": (4,), "d": {5}, "e": []},
            [*zip("abbcd", (1, 2, 3, 4, 5), strict=True)],
        ),
        (MultiDict(PAIRS), [("tag", "a"), ("tag", "b"), ("page", "2")]),
        (CombinedMultiDict([MultiDict(PAIRS)]), [("tag", "a"), ("tag", "b"), ("page", "2")]),
    ],
)
def test_it_is_made_from(source: Any, pairs: list[Any]) -> None:
    assert list(MultiDict(source).items(multi=True)) == pairs
    updated: MultiDict[Any, Any] = MultiDict()
    if source is not None and not hasattr(source, "__next__"):
        updated.update(source)
        assert list(updated.items(multi=True)) == pairs
        assert list(iter_multi_items(source)) == pairs


def test_what_it_was_made_from_stays_as_it_is() -> None:
    source = {"a": [1]}
    fields: MultiDict[str, int] = MultiDict(source)
    fields.add("a", 2)
    MultiDict(fields).add("a", 3)
    assert source == {"a": [1]}
    assert fields.getlist("a") == [1, 2]


def test_lists_that_are_handed_over_are_not_copied() -> None:
    values = ["1"]
    fields = ImmutableMultiDict.from_lists({"a": values})
    assert type(fields) is ImmutableMultiDict
    assert fields["a"] == "1"
    assert next(iter(fields.listvalues())) is values


# --- changing


def test_setting_replaces_and_adding_adds() -> None:
    fields = MultiDict(PAIRS)
    fields["tag"] = "c"
    assert fields.getlist("tag") == ["c"]
    fields.add("tag", "d")
    fields.add("new", "e")
    assert fields.getlist("tag") == ["c", "d"]
    assert fields.getlist("new") == ["e"]
    given_values = ["x", "y"]
    fields.setlist("tag", given_values)
    given_values.clear()
    assert fields.getlist("tag") == ["x", "y"]


def test_a_default_is_set_where_there_is_nothing() -> None:
    fields = MultiDict(PAIRS)
    assert fields.setdefault("tag", "z") == "a"
    assert fields.setdefault("new", "z") == "z"
    assert fields.setdefault("none") is None
    fields.setlistdefault("tag", ["z"]).append("c")
    assert fields.getlist("tag") == ["a", "b", "c"]
    assert fields.setlistdefault("more", ("1", "2")) == ["1", "2"]


def test_an_update_adds_to_the_values_that_are_there() -> None:
    more: dict[str, Any] = {"a": [2, 3], "b": 4}
    fields = MultiDict({"a": 1})
    fields.update(more)
    assert fields.to_dict(flat=False) == {"a": [1, 2, 3], "b": [4]}
    both = fields | {"a": 9}
    assert both.getlist("a") == [1, 2, 3, 9]
    assert fields.getlist("a") == [1, 2, 3]
    fields |= [("c", 5)]
    assert fields["c"] == 5
    with pytest.raises(TypeError):
        fields | [("a", 1)]  # type: ignore[operator]
    with pytest.raises(TypeError):
        fields |= 5  # type: ignore[arg-type]


def test_what_is_popped_is_gone_with_all_its_values() -> None:
    fields = MultiDict([*PAIRS, ("x", "1"), ("x", "2"), ("y", "3")])
    assert fields.pop("tag") == "a"
    assert "tag" not in fields
    assert fields.pop("tag", None) is None
    with pytest.raises(BadRequestKeyError) as caught:
        fields.pop("tag")
    assert caught.value.args == ("tag",)
    assert fields.poplist("page") == ["2"]
    assert fields.poplist("page") == []
    assert fields.popitem() == ("y", "3")
    assert fields.popitemlist() == ("x", ["1", "2"])
    with pytest.raises(BadRequestKeyError):
        fields.popitem()
    with pytest.raises(BadRequestKeyError):
        fields.popitemlist()
    fields.setlistdefault("empty")
    with pytest.raises(BadRequestKeyError):
        fields.popitem()


# --- copies


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", [MultiDict, ImmutableMultiDict])
def test_it_survives_pickling(kind: type[MultiDict[Any, Any]], protocol: int) -> None:
    fields = kind([("a", 1), ("b", 2), ("a", 3)])
    again = pickle.loads(pickle.dumps(fields, protocol))
    assert type(again) is kind
    assert again == fields
    assert again.getlist("a") == [1, 3]


def test_the_others_survive_pickling() -> None:
    fields = MultiDict(PAIRS)
    for value in (
        ImmutableDict(a=1),
        ImmutableList([1, 2]),
        ImmutableTypeConversionDict(a=1),
        CombinedMultiDict([fields]),
    ):
        again = pickle.loads(pickle.dumps(value))
        assert type(again) is type(value)
        assert again == value


def test_a_shallow_copy_has_lists_of_its_own_and_a_deep_one_values() -> None:
    fields: MultiDict[str, list[int]] = MultiDict({"a": [[1]]})
    for shallow in (fields.copy(), copy.copy(fields)):
        assert shallow == fields
        assert shallow["a"] is fields["a"]
        shallow.add("a", [2])
    for deep in (fields.deepcopy(), copy.deepcopy(fields)):
        assert deep == fields
        assert deep["a"] is not fields["a"]
    assert fields.getlist("a") == [[1]]


def test_its_repr_shows_all_pairs() -> None:
    assert repr(MultiDict([("a", 1), ("a", 2)])) == "MultiDict([('a', 1), ('a', 2)])"


# --- immutable ones


@pytest.mark.parametrize(
    "made",
    [
        ImmutableDict({"a": 1}),
        ImmutableTypeConversionDict({"a": 1}),
        ImmutableMultiDict({"a": 1}),
        CombinedMultiDict([MultiDict({"a": 1})]),
    ],
    ids=lambda made: type(made).__name__,
)
def test_an_immutable_dict_refuses_changes(made: Any) -> None:
    changes = [
        lambda: made.__setitem__("a", 2),
        lambda: made.__delitem__("a"),
        lambda: made.pop("a"),
        made.popitem,
        made.clear,
        lambda: made.update({"a": 2}),
        lambda: made.setdefault("b", 2),
        lambda: made.__ior__({"a": 2}),
    ]
    if isinstance(made, MultiDict):
        changes += [
            lambda: made.add("a", 2),
            lambda: made.setlist("a", [2]),
            lambda: made.setlistdefault("b", [2]),
            lambda: made.poplist("a"),
            made.popitemlist,
        ]
    for change in changes:
        with pytest.raises(TypeError, match=rf"'{type(made).__name__}' objects are immutable"):
            change()
    assert dict(made) == {"a": 1}
    changed = made.copy()
    changed["a"] = 2
    assert made["a"] == 1


def test_copying_what_is_immutable_gives_the_same() -> None:
    for made in (ImmutableDict(a=1), ImmutableTypeConversionDict(a=1), ImmutableMultiDict(PAIRS)):
        assert copy.copy(made) is made
    assert copy.deepcopy(ImmutableMultiDict(PAIRS)) == ImmutableMultiDict(PAIRS)


def test_what_is_immutable_has_a_hash() -> None:
    assert hash(ImmutableDict(a=1)) == hash(ImmutableDict(a=1))
    one, same = ImmutableMultiDict(PAIRS), ImmutableMultiDict(PAIRS)
    assert {one: 1}[same] == 1
    assert hash(one) == hash(one)
    assert hash(one) != hash(ImmutableMultiDict(PAIRS[:2]))
    assert hash(ImmutableList([1, 2])) == hash((1, 2))


def test_an_immutable_dict_is_made_from_keys() -> None:
    assert ImmutableDict.fromkeys("ab", 1) == {"a": 1, "b": 1}
    assert ImmutableMultiDict.fromkeys("ab").getlist("a") == [None]
    assert repr(ImmutableDict(a=1)) == "ImmutableDict({'a': 1})"


def test_an_immutable_list_refuses_changes() -> None:
    made: Any = ImmutableList([2, 1])
    for change in (
        lambda: made.__setitem__(0, 2),
        lambda: made.__delitem__(0),
        lambda: made.__iadd__([1]),
        lambda: made.__imul__(2),
        lambda: made.append(1),
        made.clear,
        lambda: made.extend([1]),
        lambda: made.insert(0, 1),
        made.pop,
        lambda: made.remove(1),
        made.reverse,
        lambda: made.sort(reverse=True),
    ):
        with pytest.raises(TypeError, match="'ImmutableList' objects are immutable"):
            change()
    assert made == [2, 1]
    assert repr(made) == "ImmutableList([2, 1])"


def test_a_plain_dict_can_convert_as_well() -> None:
    values: TypeConversionDict[str, Any] = TypeConversionDict(a="1", b="x", c=None)
    assert values.get("a", type=int) == 1
    assert values.get("b", 0, int) == 0
    assert values.get("c", 0, int) == 0
    assert values.get("d", 0, int) == 0
    assert values.get("a") == "1"
    assert type(conversion.ImmutableTypeConversionDict(values).copy()) is TypeConversionDict


# --- combined ones


def test_the_first_multidict_with_a_key_gives_its_value() -> None:
    second: MultiDict[str, int] = MultiDict({"a": [2], "b": [3, 4]})
    both = CombinedMultiDict([MultiDict({"a": 1}), second])
    assert both["a"] == 1
    assert both["b"] == 3
    assert both.get("b") == 3
    assert both.get("c", "x") == "x"
    assert both.getlist("a") == [1, 2]
    assert list(both.items()) == [("a", 1), ("b", 3)]
    assert list(both.items(multi=True)) == [("a", 1), ("a", 2), ("b", 3), ("b", 4)]
    assert list(both.values()) == [1, 3]
    assert list(both.lists()) == [("a", [1, 2]), ("b", [3, 4])]
    assert list(both.listvalues()) == [[1, 2], [3, 4]]
    assert list(both) == list(both.keys()) == ["a", "b"]
    assert list(reversed(both)) == ["b", "a"]
    assert "b" in both
    assert "c" not in both
    assert len(both) == 2
    assert both.to_dict() == {"a": 1, "b": 3}
    with pytest.raises(BadRequestKeyError) as caught:
        both["c"]
    assert caught.value.args == ("c",)


def test_a_value_that_cannot_be_converted_leaves_the_next_multidict_to_be_asked() -> None:
    both = CombinedMultiDict([MultiDict({"a": "x"}), MultiDict({"a": "2"})])
    assert both.get("a", type=int) == 2
    assert both.getlist("a", int) == [2]


def test_it_shows_what_is_there_now() -> None:
    args: MultiDict[str, int] = MultiDict()
    both = CombinedMultiDict([args])
    assert not both
    args["a"] = 1
    assert both["a"] == 1
    kept = both.copy()
    args.clear()
    assert type(kept) is MultiDict
    assert kept["a"] == 1
    assert len(both) == 0


def test_combined_ones_are_equal_if_they_show_the_same() -> None:
    both = CombinedMultiDict([MultiDict(PAIRS)])
    assert both == CombinedMultiDict([MultiDict(PAIRS)])
    assert both == MultiDict(PAIRS)
    assert both != CombinedMultiDict([MultiDict(PAIRS), MultiDict(PAIRS)])
    assert both != {"tag": "a"}
    assert hash(both) == hash(CombinedMultiDict([MultiDict(PAIRS)]))
    deep = copy.deepcopy(both)
    assert deep == both
    assert deep.dicts[0] is not both.dicts[0]
    assert repr(CombinedMultiDict([MultiDict({"a": 1})])) == (
        "CombinedMultiDict([MultiDict([('a', 1)])])"
    )
    with pytest.raises(TypeError, match="cannot be made from keys"):
        CombinedMultiDict.fromkeys("ab")
    assert list(CombinedMultiDict().items()) == []


# --- ordered ones


def test_an_ordered_one_keeps_the_order_of_all_values() -> None:
    fields = ordered(PAIRS)
    assert list(fields.items(multi=True)) == PAIRS
    assert list(fields.items()) == [("tag", "a"), ("page", "2")]
    fields.add("page", "3")
    assert list(fields.items(multi=True))[-1] == ("page", "3")
    fields["tag"] = "c"
    assert list(fields.items(multi=True)) == [("page", "2"), ("page", "3"), ("tag", "c")]
    del fields["page"]
    assert list(fields.items(multi=True)) == [("tag", "c")]
    assert fields.popitemlist() == ("tag", ["c"])
    assert fields.poplist("tag") == []
    fields.update(PAIRS)
    fields.clear()
    assert list(fields.items(multi=True)) == []
    with pytest.raises(TypeError, match="setlist"):
        fields.setlistdefault("a", [])
    with pytest.raises(BadRequestKeyError):
        fields.pop("a")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_ordered_ones_compare_their_order_among_themselves() -> None:
    one, other = ordered(PAIRS), ordered(sorted(PAIRS, key=lambda pair: pair[0]))
    assert one != other
    assert one == ordered(PAIRS)
    assert one == MultiDict(PAIRS)
    assert one != MultiDict(PAIRS[:2])
    assert one != 5
    with pytest.raises(TypeError):
        hash(one)
    for again in (pickle.loads(pickle.dumps(one)), copy.copy(one)):
        assert again == one
        assert type(again) is type(one)
    again.__setstate__(PAIRS[:1])
    assert again.__getstate__() == PAIRS[:1]
    frozen = ImmutableOrderedMultiDict(PAIRS)
    assert copy.copy(frozen) is frozen
    assert hash(frozen) == hash(ImmutableOrderedMultiDict(PAIRS))
    assert hash(frozen) != hash(ImmutableOrderedMultiDict(PAIRS[::-1]))
    assert type(frozen.copy()) is OrderedMultiDict
    with pytest.raises(TypeError):
        frozen.add("a", "b")


def test_the_names_that_go_away_warn() -> None:
    for module in (multidict, datastructures):
        with pytest.warns(DeprecationWarning, match="replace 'OrderedMultiDict' by 'MultiDict'"):
            assert module.OrderedMultiDict is OrderedMultiDict
        with pytest.warns(DeprecationWarning, match="by 'ImmutableMultiDict'"):
            assert module.ImmutableOrderedMultiDict
    assert multidict._OrderedMultiDict is OrderedMultiDict
    with pytest.raises(AttributeError, match="MultiDct"):
        multidict.MultiDct  # noqa: B018


def test_the_package_finds_its_names_when_they_are_asked_for() -> None:
    for name in datastructures.__all__:
        assert getattr(datastructures, name).__name__ == name
        assert name in dir(datastructures)
    with pytest.raises(AttributeError, match=r"'Header'; it offers: .*Headers"):
        datastructures.Header  # noqa: B018


# --- properties


@given(pairs_of_words)
def test_every_way_to_make_it_gives_the_same(pairs: list[tuple[str, int]]) -> None:
    fields = MultiDict(pairs)
    one_by_one: MultiDict[str, int] = MultiDict()
    for key, value in pairs:
        one_by_one.add(key, value)
    assert fields == one_by_one == MultiDict(iter(pairs)) == MultiDict(fields)
    lists: Any = fields.to_dict(flat=False)
    assert fields == MultiDict(lists)
    assert sorted(fields.items(multi=True)) == sorted(pairs)
    for key, _ in pairs:
        assert fields.getlist(key) == [value for each, value in pairs if each == key]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@given(pairs_of_words, pairs_of_words, st.sampled_from("abcd"))
def test_an_ordered_one_is_a_list_of_pairs(
    pairs: list[tuple[str, int]], more: list[tuple[str, int]], gone: str
) -> None:
    fields = OrderedMultiDict(pairs)
    assert list(fields.items(multi=True)) == pairs
    fields.pop(gone, None)
    fields.update(more)
    left = [pair for pair in pairs if pair[0] != gone] + more
    assert list(fields.items(multi=True)) == left
    assert list(fields) == list(dict(left))
    assert fields == MultiDict(left)
