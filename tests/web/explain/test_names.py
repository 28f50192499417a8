from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stein.web.explain.names import did_you_mean, listed, nearest


def test_the_nearest_names_come_first() -> None:
    assert nearest("usr_name", ["name", "user_name", "username", "city"])[0] == "user_name"
    assert nearest("xyz", ["name", "city"]) == []


def test_case_does_not_count() -> None:
    assert nearest("EMAIL", ["email"]) == ["email"]


def test_the_name_itself_is_no_proposal() -> None:
    assert nearest("email", ["email"]) == []


def test_a_proposal_is_a_sentence() -> None:
    assert did_you_mean("emial", ["email", "city"]) == "Did you mean 'email'?"
    assert did_you_mean("nam", ["name", "names"]) == "Did you mean 'name' or 'names'?"
    assert did_you_mean("emial", []) == ""


def test_of_many_names_only_the_first_are_shown() -> None:
    assert listed(["a", "b"]) == "'a', 'b'"
    assert listed([str(number) for number in range(20)]).endswith("'11' and 8 more")
    assert len(listed(["a" * 10_000])) < 200


@given(st.text(max_size=300), st.lists(st.text(max_size=300), max_size=30))
def test_any_names_will_do(name: str, names: list[str]) -> None:
    assert set(nearest(name, names)) <= set(names)
    assert listed(names).isprintable()


def test_thousands_of_names_that_a_client_sends_take_no_time() -> None:
    names = [f"{number:0100}" for number in range(20_000)]
    assert isinstance(nearest("9" * 100_000, names), list)
