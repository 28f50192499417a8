"""Attributes that are worked out."""

from __future__ import annotations

import abc
import inspect
from typing import Any

import pytest

from stein.toolkit.datastructures.headers import Headers
from stein.toolkit.properties import cached_property, environ_property, header_property


class Plain:
    def __init__(self) -> None:
        self.calls = 0

    @cached_property
    def value(self) -> int:
        """How often it was worked out."""
        self.calls += 1
        return self.calls


class Slotted:
    __slots__ = ("_cache_value", "calls")

    def __init__(self) -> None:
        self.calls = 0

    @cached_property
    def value(self) -> int:
        self.calls += 1
        return self.calls


class Locked(cached_property[int]):
    """A subclass with a ``__get__`` of its own, as some programs have."""

    got = 0

    def __get__(self, obj: Any, type: Any = None) -> Any:  # noqa: A002
        self.got += 1
        return super().__get__(obj, type)


class WithSubclass:
    def __init__(self) -> None:
        self.calls = 0

    @Locked
    def value(self) -> int:
        self.calls += 1
        return self.calls


class Late(Plain):
    pass


_function: Any = Plain.__dict__["value"].fget
setattr(Late, "value", cached_property(_function, name="other"))  # noqa: B010 - after the class was made

ALL = [Plain, Slotted, WithSubclass, Late]


@pytest.mark.parametrize("cls", ALL)
class TestCachedProperty:
    def test_it_is_worked_out_once(self, cls: type[Any]) -> None:
        one, other = cls(), cls()
        assert (one.value, one.value, one.calls, other.calls) == (1, 1, 1, 0)

    def test_a_value_can_be_set(self, cls: type[Any]) -> None:
        one = cls()
        one.value = 9
        assert (one.value, one.calls) == (9, 0)
        one.value = 8
        assert one.value == 8

    def test_a_deleted_value_is_worked_out_anew(self, cls: type[Any]) -> None:
        one = cls()
        assert one.value == 1
        del one.value
        assert one.value == 2
        assert one.value == 2

    def test_what_is_not_there_cannot_be_deleted(self, cls: type[Any]) -> None:
        with pytest.raises(AttributeError, match=r"value|other"):
            del cls().value

    def test_it_passes_for_a_property(self, cls: type[Any]) -> None:
        kinds = {each.name: each.kind for each in inspect.classify_class_attrs(cls)}
        assert kinds["value"] == "property"
        assert isinstance(cls.value, cached_property)
        assert cls.value.fget is not None


def test_the_name_and_the_docstring_are_those_of_the_function() -> None:
    assert Plain.value.__doc__ == "How often it was worked out."
    assert Plain.value.__name__ == "value"
    assert Plain.value.__module__ == __name__

    @cached_property
    def outside(self: object) -> int:
        """In no class."""
        return 1

    assert (outside.__name__, outside.__doc__) == ("outside", "In no class.")
    assert outside.__module__ == __name__


def test_two_names_for_one_function_are_two_values() -> None:
    class Two:
        def _make(self) -> object:
            return object()

        one = cached_property(_make)
        other = cached_property(_make, doc="said otherwise")

    two = Two()
    assert two.one is two.one
    assert two.one is not two.other
    assert Two.other.__doc__ == "said otherwise"


def test_a_subclass_may_ask_its_base() -> None:
    class Derived(Plain):
        @cached_property
        def value(self) -> int:
            return super().value + 10

    derived = Derived()
    assert (derived.value, derived.value, derived.calls) == (11, 11, 1)
    assert super(Derived, derived).value == 11


def test_reading_a_kept_value_calls_nothing() -> None:
    assert not inspect.isdatadescriptor(Plain.__dict__["value"])
    assert inspect.isdatadescriptor(Slotted.__dict__["value"])


def test_it_can_be_abstract() -> None:
    class Base(abc.ABC):
        @cached_property
        @abc.abstractmethod
        def value(self) -> int: ...

    with pytest.raises(TypeError, match="abstract"):
        Base()  # type: ignore[abstract]


class Holder:
    def __init__(self, **environ: Any) -> None:
        self.environ = environ
        self.headers = Headers()

    text = environ_property[str]("text", "default", doc="Some text.")
    number = environ_property("number", 7, int)
    changing = environ_property("changing", None, int, str, False)
    age: Any = header_property("Age", None, int, str)
    fixed = header_property[str]("Fixed", read_only=True)


def test_an_entry_of_the_environ() -> None:
    assert Holder().text == "default"
    assert Holder(text="here").text == "here"
    assert Holder.text.__doc__ == "Some text."
    assert repr(Holder.text) == "<environ_property text>"


@pytest.mark.parametrize("value", ["x", "", None, [], "9" * 5000])
def test_what_cannot_be_read_gives_the_default(value: object) -> None:
    assert Holder(number=value).number == 7
    assert Holder(number="12").number == 12


def test_an_entry_is_written_and_deleted_where_that_is_allowed() -> None:
    holder = Holder()
    holder.changing = 3
    assert holder.environ == {"changing": "3"}
    del holder.changing
    del holder.changing
    assert holder.environ == {}


@pytest.mark.parametrize("name", ["text", "fixed"])
def test_what_is_read_only_says_so(name: str) -> None:
    with pytest.raises(AttributeError, match=r"of a Holder is read only; .*read_only=False"):
        setattr(Holder(), name, "x")
    with pytest.raises(AttributeError, match="read only"):
        delattr(Holder(), name)


def test_a_header_field() -> None:
    holder = Holder()
    assert holder.age is None
    holder.age = 12
    assert holder.headers["age"] == "12"
    assert holder.age == 12
    holder.headers["Age"] = "old"
    assert holder.age is None
    del holder.age
    assert "Age" not in holder.headers


def test_a_subclass_may_look_elsewhere() -> None:
    class session_property(header_property[str]):  # noqa: N801
        def lookup(self, instance: Any) -> dict[str, Any]:
            return instance.session  # type: ignore[no-any-return]

    class Other:
        session = {"user": "anna"}  # noqa: RUF012
        user = session_property("user")

    assert Other().user == "anna"
