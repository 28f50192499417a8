"""Finding the application, and saying plainly why it was not found."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.web.app import Stein
from stein.web.cli.discovery import (
    NoAppException,
    find_app_by_string,
    find_best_app,
    locate_app,
    parse,
    prepare_import,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[..., Path]


def module(**names: Any) -> ModuleType:
    made = ModuleType("shop")
    for name, value in names.items():
        if callable(value) and not isinstance(value, Stein):
            value.__module__ = "shop"
        setattr(made, name, value)
    return made


def put(owner: ModuleType, **names: object) -> None:
    vars(owner).update(names)


def refusal(function: Callable[..., object], *args: object) -> str:
    with pytest.raises(NoAppException) as caught:
        function(*args)
    return caught.value.message


# -- an application without a name --------------------------------------------------------------


@pytest.mark.parametrize("name", ["app", "application", "anything"])
def test_the_only_application_is_found(name: str) -> None:
    app = Stein("x")
    assert find_best_app(module(**{name: app})) is app


def test_the_usual_name_goes_before_others_and_before_a_factory() -> None:
    app = Stein("x")
    names = module(app=app, other=Stein("y"), create_app=lambda: Stein("z"))
    assert find_best_app(names) is app


def test_one_application_under_two_names_is_one() -> None:
    app = Stein("x")
    assert find_best_app(module(one=app, two=app)) is app


def test_of_several_applications_one_must_be_named() -> None:
    text = refusal(find_best_app, module(one=Stein("x"), two=Stein("y")))
    assert "(one, two)" in text
    assert "shop:one" in text


@pytest.mark.parametrize("name", ["create_app", "make_app"])
def test_a_factory_is_called(name: str) -> None:
    assert find_best_app(module(**{name: lambda debug=False: Stein("made")})).name == "made"


def test_a_factory_that_makes_no_application_is_passed_over() -> None:
    app = find_best_app(module(create_app=lambda: None, make_app=lambda: Stein("made")))
    assert app.name == "made"


def test_a_factory_that_needs_arguments_is_shown_with_its_parameters() -> None:
    text = refusal(find_best_app, module(create_app=lambda name, debug=False: Stein(name)))
    assert "'shop:create_app' could not be called with no arguments" in text
    assert "create_app(name, debug=False), missing a required argument: 'name'" in text


def test_an_error_inside_a_factory_is_the_users_own() -> None:
    def create_app() -> Stein:
        raise TypeError("missing 1 required positional argument")

    with pytest.raises(TypeError, match="missing 1"):
        find_best_app(module(create_app=create_app))


def test_a_module_without_an_application_is_told_with_its_file_and_functions() -> None:
    def make_site() -> None: ...

    found = module(make_site=make_site)
    found.__file__ = "/srv/shop.py"
    text = refusal(find_best_app, found)
    assert "'shop' (/srv/shop.py)" in text
    assert "make_site" in text


# -- an application with a name -----------------------------------------------------------------


def test_a_name_a_dotted_name_and_a_call_are_followed() -> None:
    app = Stein("x")

    def create(name: str, *, debug: bool = False) -> Stein:
        return Stein(f"{name}{debug}")

    shop = module(site=app, create=create)
    put(shop, inner=SimpleNamespace(app=app))
    assert find_app_by_string(shop, "site") is app
    assert find_app_by_string(shop, " site ") is app
    assert find_app_by_string(shop, "inner.app") is app
    assert find_app_by_string(shop, "create('a', debug=True)").name == "aTrue"
    assert find_app_by_string(shop, "create('a',)").name == "aFalse"


def test_a_factory_needs_no_parentheses() -> None:
    assert find_app_by_string(module(build=lambda: Stein("x")), "build").name == "x"


def test_a_class_or_another_callable_can_be_called() -> None:
    class Own(Stein):
        pass

    shop = module()
    put(shop, Own=Own)
    assert type(find_app_by_string(shop, "Own('x')")) is Own


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("create_app(", "Failed to parse 'create_app('"),
        ("1 + 1", "Failed to parse '1 + 1'"),
        ("a[0]", "Failed to parse"),
        ("f()()", "Failed to parse"),
        ("f(**{})", "Failed to parse"),
        ("", "Failed to parse ''"),
        ("f(x)", "literal values: 'f(x)'. A text needs its quotes"),
        ("sit", "Failed to find attribute 'sit' in 'shop'; did you mean site?"),
        ("site.nam", "Failed to find attribute 'nam' in 'shop:site'; did you mean name"),
        ("Stein", "shop:Stein is the class Stein"),
        ("nothing", "shop:nothing() is None, and must be a Stein or Flask application"),
        ("number", "is of type int"),
        ("folder", "is the module os"),
        ("number()", "'shop:number' cannot be called: it is of type int. Leave out the ()"),
        ("create('a', 1)", "could not be called with the specified arguments: it is create(name)"),
    ],
)
def test_what_leads_nowhere_is_told(text: str, words: str) -> None:
    import os

    def nothing() -> None: ...

    def create(name: str) -> Stein:
        return Stein(name)

    shop = module(site=Stein("x"), nothing=nothing, create=create)
    put(shop, Stein=Stein)
    put(shop, folder=os)
    put(shop, number=7)
    assert words in refusal(find_app_by_string, shop, text)


def test_a_callable_that_does_not_tell_its_parameters_is_called() -> None:
    shop = module()
    put(shop, make=type)
    assert "is the class int" in refusal(find_app_by_string, shop, "make(7)")


def test_an_attribute_error_of_the_users_code_is_not_ours_to_explain() -> None:
    class Lazy:
        @property
        def app(self) -> Stein:
            raise AttributeError("deep inside")

    shop = module()
    put(shop, lazy=Lazy())
    with pytest.raises(AttributeError, match="deep inside"):
        find_app_by_string(shop, "lazy.app")


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert parse(text).names
    except NoAppException as error:
        assert text in error.message or repr(text) in error.message  # noqa: PT017 - either is right


# -- modules ------------------------------------------------------------------------------------


def test_a_file_in_a_package_is_imported_as_a_part_of_it(write: Write, folder: Path) -> None:
    write("src/store/__init__.py", "")
    write("src/store/web/__init__.py", "")
    assert prepare_import("src/store/web/site.py") == "store.web.site"
    assert prepare_import("src/store/web/__init__.py") == "store.web"
    assert prepare_import("src/store/web") == "store.web"
    assert sys.path[0] == str(folder / "src")
    assert sys.path[1] != str(folder / "src")


def test_a_module_is_imported_and_its_application_found(write: Write) -> None:
    write("found_here.py")
    name = prepare_import("found_here.py")
    assert locate_app(name, None).import_name == "found_here"
    assert locate_app(name, "app").import_name == "found_here"


def test_a_missing_module_offers_near_names(write: Write, folder: Path) -> None:
    write("hello_there.py")
    text = refusal(locate_app, prepare_import("helo_there"), None)
    assert f"no module named 'helo_there' in {folder}" in text
    assert "did you mean hello_there?" in text
    assert locate_app("helo_there", None, raise_if_not_found=False) is None


def test_a_dot_in_the_place_of_a_colon_is_told(write: Write) -> None:
    write("hello_dot.py")
    text = refusal(locate_app, prepare_import("hello_dot.app"), None)
    assert "'hello_dot' is a module, not a package; did you mean hello_dot:app?" in text


def test_an_import_that_fails_inside_is_shown_with_the_users_lines_only(write: Write) -> None:
    path = write("breaks_inside.py", "import this_is_nowhere\n")
    with pytest.raises(NoAppException) as caught:
        # A module that is there and breaks is never passed over.
        locate_app(prepare_import("breaks_inside"), None, raise_if_not_found=False)
    head, empty, *trace = caught.value.format_message().splitlines()
    fault = "ModuleNotFoundError: No module named 'this_is_nowhere'"
    assert head == f"While importing 'breaks_inside', an ImportError was raised: {path}:1: {fault}"
    assert empty == ""
    assert trace[:2] == [
        "Traceback (most recent call last):", f'  File "{path}", line 1, in <module>'
    ]  # fmt: skip
    assert trace[-1] == fault


def test_other_errors_of_a_module_are_the_users_own(write: Write) -> None:
    write("divides.py", "1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        locate_app(prepare_import("divides"), None)
