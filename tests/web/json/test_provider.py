# ruff: noqa: FBT001 - hypothesis gives arguments by position

from __future__ import annotations

import dataclasses
import enum
import gc
import io
import json
import math
import subprocess
import sys
import threading
import weakref
from collections import OrderedDict, namedtuple
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

import stein.web.json as web_json
from stein.web.app import Stein
from stein.web.json import large
from stein.web.json import provider as provider_module
from stein.web.json.provider import DefaultJSONProvider, JSONProvider, _default

U = UUID("12345678123456781234567812345678")
APP = Stein("test")


@pytest.fixture
def app() -> Stein:
    return Stein("test")


class Colour(enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    SMALL = 1


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Real(float):
    pass


Pair = namedtuple("Pair", "a b")  # noqa: PYI024 - the untyped kind


@dataclasses.dataclass
class Point:
    x: int
    y: Any


# -- what is written --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(2024, 2, 29), '"Thu, 29 Feb 2024 00:00:00 GMT"'),
        (datetime(2024, 2, 29, 12, 30, 45, tzinfo=UTC), '"Thu, 29 Feb 2024 12:30:45 GMT"'),
        (
            datetime(2024, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            '"Thu, 29 Feb 2024 23:00:00 GMT"',
        ),
        (Decimal("0.003"), '"0.003"'),
        (U, '"12345678-1234-5678-1234-567812345678"'),
        (Point(1, Point(2, None)), '{"x": 1, "y": {"x": 2, "y": null}}'),
        (SimpleNamespace(__html__=lambda: Markup("<p>")), '"<p>"'),
        (Markup("<p>"), '"<p>"'),
        ({"b": 1, "a": [(), {}]}, '{"a": [[], {}], "b": 1}'),
        ("\N{SNOWMAN}", '"\\u2603"'),
        (float("nan"), "NaN"),
        (None, "null"),
    ],
)  # fmt: skip
def test_more_types_than_json_has_are_written(app: Stein, value: object, text: str) -> None:
    assert app.json.dumps(value) == text
    with app.app_context():
        assert web_json.dumps(value) == text


def test_what_cannot_be_written_is_named(app: Stein) -> None:
    with pytest.raises(TypeError, match=r"type object is not JSON.*app.json.default.*<object obj"):
        app.json.dumps([object()])
    with pytest.raises(TypeError, match=r"type type is not|dataclass instances"):
        app.json.dumps(Point)
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="Circular reference"):
        app.json.dumps(circle)
    # It is not taken for a circle the next time, nor for one that it is no more.
    circle[0] = 1
    assert app.json.dumps([circle, circle]) == "[[1], [1]]"


def test_settings_may_change_at_any_time(app: Stein) -> None:
    provider = app.json
    assert isinstance(provider, DefaultJSONProvider)
    assert provider.dumps({"b": "é", "a": 1}) == '{"a": 1, "b": "\\u00e9"}'
    provider.sort_keys = False
    assert provider.dumps({"b": "é", "a": 1}) == '{"b": "\\u00e9", "a": 1}'
    provider.ensure_ascii = False
    assert provider.dumps({"b": "é", "a": 1}) == '{"b": "é", "a": 1}'
    provider.default = repr
    assert provider.dumps({"b": 1 + 1j}) == '{"b": "(1+1j)"}'
    provider.default = lambda o: _default(o) if isinstance(o, UUID) else "other"
    assert provider.dumps([Decimal(1), U]) == f'["other", "{U}"]'


def test_keywords_are_those_of_the_standard_library(app: Stein) -> None:
    value = {"b": U, "a": "é"}
    assert app.json.dumps(value, sort_keys=False, default=str) == f'{{"b": "{U}", "a": "\\u00e9"}}'
    assert app.json.dumps(value, indent=1) == f'{{\n "a": "\\u00e9",\n "b": "{U}"\n}}'
    assert app.json.dumps([1, 2], separators=("; ", "=")) == "[1; 2]"
    assert app.json.dumps([1, 2], separators=[",", ":"]) == "[1,2]"
    assert app.json.dumps([1, 2], separators=(",", ":"), indent=0) == "[\n1,\n2\n]"


def test_a_subclass_has_a_default_of_its_own() -> None:
    class Provider(DefaultJSONProvider):
        def default(self, o: object) -> str:
            return f"<{type(o).__name__}>"

    class App(Stein):
        json_provider_class = Provider

    app = App("test")
    assert app.json.dumps([object()]) == app.json.dumps([object()]) == '["<object>"]'


def test_threads_share_an_encoder(app: Stein) -> None:
    shared: dict[str, Any] = {"list": [U] * 50}
    inside = threading.Barrier(4, timeout=20)

    def default(o: object) -> str:
        if not met.n:
            met.n = True
            inside.wait()
        return str(o)

    met = threading.local()
    assert isinstance(app.json, DefaultJSONProvider)
    app.json.default = default
    found = []

    def write() -> None:
        met.n = False
        found.append(app.json.dumps(shared))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [json.dumps(shared, default=str)] * 4


# -- what is read -----------------------------------------------------------------------------


@given(st.text() | st.text('[]{},:"0123456789.eE-+ \n\ttruefalsn\\u'))
def test_any_text_is_read_as_by_the_standard_library(text: str) -> None:
    assert _outcome(PROVIDER.loads, text) == _outcome(json.loads, text)


@pytest.mark.parametrize("text", [" 1", "1 ", "1 1", "[1", "", "\ufeff1", "[" * 100_000, "1e400"])
def test_odd_text_is_read_as_by_the_standard_library(text: str) -> None:
    assert _outcome(PROVIDER.loads, text) == _outcome(json.loads, text)


def test_bytes_and_hooks_are_the_standard_librarys() -> None:
    assert PROVIDER.loads('{"é": 1}'.encode()) == {"é": 1}
    assert PROVIDER.loads('{"é": 1}'.encode("utf-16")) == {"é": 1}
    assert PROVIDER.loads('{"a": 1}', object_hook=list) == ["a"]


# -- equal to the standard library ------------------------------------------------------------

KEYS = st.text(max_size=3) | st.sampled_from([Text("k"), "\x7f", "é", "\ud800"])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**63 - 2, 2**64 + 2)
    | st.floats()
    | st.text()
    | st.text('\x00\x1f\x7f\x80\u2028\ud800"\\/<', max_size=5)
    | st.sampled_from([1e16, 1e-5, 123456789012345680.0, -0.0, 5e-324, math.inf])
    | st.sampled_from([Colour.RED, Size.SMALL, Text("t"), Number(5), Real(1e20), U, Decimal(1)])
    | st.sampled_from([date(2024, 1, 1), datetime(2024, 1, 1), Pair(1, 2), Point(1, 2), b"b", {1}])  # noqa: DTZ001
    | st.sampled_from(["x" * 9, "é" * 9, "\x7f" * 9, "\ud800" * 9])
)
ROWS = st.dictionaries(KEYS, LEAVES, max_size=3) | st.lists(LEAVES, max_size=2)
MANY = st.lists(LEAVES | ROWS, min_size=1, max_size=3).map(lambda items: items * 3)
VALUES = st.recursive(
    LEAVES | MANY,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.dictionaries(st.integers() | st.none() | st.floats(), inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3).map(OrderedDict)
    ),
    max_leaves=12,
)
PROVIDER = DefaultJSONProvider(APP)


def _outcome(function: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return repr(function(*args, **kwargs))
    except Exception as error:  # noqa: BLE001 - whichever it is, it is to be the same
        return type(error), str(error)


@settings(max_examples=400)
@given(VALUES, st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_what_is_written_is_what_the_standard_library_writes(
    value: object,
    ascii_only: bool,
    sort: bool,
    compact: bool,
    hook: bool,
) -> None:
    provider = DefaultJSONProvider(APP)
    provider.ensure_ascii, provider.sort_keys = ascii_only, sort
    if hook:
        provider.default = repr
    keywords: dict[str, Any] = {"separators": (",", ":")} if compact else {}
    # So that these are large, and that it is seen from the first one.
    with (
        mock.patch.multiple(large, _MANY=3, _LONG=8),
        mock.patch.object(provider_module, "LARGE", 0),
    ):
        provider.dumps(0, separators=(",", ":"))
        mine = _outcome(provider.dumps, value, **keywords)
    theirs = _outcome(
        json.dumps,
        value,
        default=provider.default,
        ensure_ascii=ascii_only,
        sort_keys=sort,
        **keywords,
    )
    assert mine == theirs


def test_large_values_are_written_by_orjson_where_it_does_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orjson = pytest.importorskip("orjson")
    calls = []

    def write(value: Any, sort_keys: bool) -> bytes:
        calls.append(value)
        return orjson.dumps(value, None, orjson.OPT_SORT_KEYS if sort_keys else None)  # type: ignore[no-any-return]

    monkeypatch.setattr(large, "_orjson", lambda: write)
    compact = (",", ":")
    rows = [{"id": number, "b": None, "a": "x"} for number in range(16)]
    PROVIDER.dumps(rows, separators=compact)
    calls.clear()
    for value in (rows, {"rows": rows}, {"text": "long" * 300}):
        assert PROVIDER.dumps(value, separators=compact) == json.dumps(
            value, sort_keys=True, separators=compact
        )
    assert len(calls) == 3
    others: list[object] = [
        rows[:15],
        {"rows": rows[:15]},
        [*rows, 1.5],
        [*rows, Colour.RED],
        [*rows, (1,)],
        {"text": "é" * 1100},
    ]
    for other in others:
        _outcome(PROVIDER.dumps, other, separators=compact)
    PROVIDER.dumps(rows)
    PROVIDER.dumps(rows, indent=2)
    assert len(calls) == 3


@pytest.mark.parametrize("item", [2**64, -(2**63) - 1, {1: 2}, {None: 1}, "\ud800", "\x7f", "é"])
def test_large_values_of_odd_items_are_the_standard_librarys(item: object) -> None:
    value = [item] * 16
    PROVIDER.dumps([1] * 999, separators=(",", ":"))
    assert PROVIDER.dumps(value, separators=(",", ":")) == json.dumps(value, separators=(",", ":"))


def test_a_large_circle_is_named() -> None:
    circle: list[Any] = [1] * 16
    circle.append(circle)
    PROVIDER.dumps([1] * 999, separators=(",", ":"))
    with pytest.raises(ValueError, match="Circular reference"):
        PROVIDER.dumps(circle, separators=(",", ":"))


def test_who_writes_small_values_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(provider_module, "is_large", asked.append)
    provider = DefaultJSONProvider(APP)
    compact: Any = {"separators": (",", ":")}
    for value in (1, [1] * 999, 2, 3):
        provider.dumps(value, **compact)
    assert asked == [2, 3]
    for _ in range(provider_module.LOOKS):
        provider.dumps(4, **compact)
    assert len(asked) == provider_module.LOOKS


def test_without_orjson_the_standard_library_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "orjson", None)
    large._orjson.cache_clear()
    try:
        assert PROVIDER.dumps([1] * 20, separators=(",", ":")) == f"[{','.join('1' * 20)}]"
        assert large._orjson() is None
    finally:
        large._orjson.cache_clear()


def test_where_the_c_encoder_is_missing_pythons_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("json.encoder.c_make_encoder", None)
    provider = DefaultJSONProvider(APP)
    assert provider.dumps({"b": U, "a": "é"}) == f'{{"a": "\\u00e9", "b": "{U}"}}'


# -- responses --------------------------------------------------------------------------------


def sent(*args: Any, **kwargs: Any) -> str:
    return web_json.jsonify(*args, **kwargs).get_data(as_text=True)


def test_a_response_is_compact_unless_in_debug_mode(app: Stein) -> None:
    with app.app_context():
        response = web_json.jsonify(b=[1], a={})
        assert response.get_data() == b'{"a":{},"b":[1]}\n'
        assert response.mimetype == "application/json"
        assert response.content_type == "application/json"
        app.debug = True
        assert sent({"a": [1]}) == '{\n  "a": [\n    1\n  ]\n}\n'
        assert isinstance(app.json, DefaultJSONProvider)
        app.json.compact = True
        assert sent({"a": [1]}) == '{"a":[1]}\n'
        app.debug = app.json.compact = False
        assert sent([1]) == "[\n  1\n]\n"
        app.json.mimetype = "application/vnd.x+json"
        assert web_json.jsonify().content_type == "application/vnd.x+json"


def test_the_arguments_are_a_value_or_a_list_or_a_dict(app: Stein) -> None:
    with app.app_context():
        assert sent() == "null\n"
        assert sent(None) == "null\n"
        assert sent([]) == "[]\n"
        assert sent(1, 2) == "[1,2]\n"
        assert sent(a=1) == '{"a":1}\n'
        with pytest.raises(TypeError, match="args or kwargs, not both"):
            web_json.jsonify(1, a=1)


def test_a_response_is_written_by_what_a_subclass_has(app: Stein) -> None:
    class Shouting(DefaultJSONProvider):
        def dumps(self, obj: Any, **kwargs: Any) -> str:
            return super().dumps(obj, **kwargs).upper()

    class Own(JSONProvider):
        def dumps(self, obj: Any, **kwargs: Any) -> str:
            return f"own {obj}"

        def loads(self, s: str | bytes, **kwargs: Any) -> Any:
            return s

    app.json = Shouting(app)
    with app.app_context():
        assert sent("a") == '"A"\n'
        app.json = Own(app)
        response = web_json.jsonify(1, 2)
        assert (response.get_data(as_text=True), response.mimetype) == (
            "own (1, 2)",
            "application/json",
        )
        assert web_json.loads("x") == web_json.load(io.StringIO("x")) == "x"
        out = io.StringIO()
        web_json.dump(5, out)
        assert out.getvalue() == "own 5"


def test_the_base_says_what_is_missing(app: Stein) -> None:
    class Own(JSONProvider):
        pass

    with pytest.raises(NotImplementedError, match=r"Own needs a method dumps"):
        Own(app).dumps(1)
    with pytest.raises(NotImplementedError, match=r"Own needs a method loads"):
        Own(app).loads("1")


# -- the functions ----------------------------------------------------------------------------


def test_the_functions_work_without_an_application() -> None:
    out = io.StringIO()
    web_json.dump({"b": U, "a": 1}, out)
    assert out.getvalue() == web_json.dumps({"b": U, "a": 1}) == f'{{"b": "{U}", "a": 1}}'
    assert web_json.dumps(U, default=lambda _: 1) == "1"
    assert web_json.loads('{"a": 1}') == web_json.load(io.BytesIO(b'{"a": 1}')) == {"a": 1}
    with pytest.raises(RuntimeError, match="outside of application context"):
        web_json.jsonify(1)


def test_the_functions_ask_the_current_application(app: Stein) -> None:
    assert isinstance(app.json, DefaultJSONProvider)
    app.json.ensure_ascii = False
    with app.app_context():
        out = io.StringIO()
        web_json.dump({"b": "é", "a": 1}, out)
        assert out.getvalue() == web_json.dumps({"b": "é", "a": 1}) == '{"a": 1, "b": "é"}'
        assert web_json.loads(b"[1]") == web_json.load(io.StringIO("[1]")) == [1]


def test_a_provider_does_not_keep_its_application_alive() -> None:
    app = Stein("test")
    provider, seen = app.json, weakref.ref(app)
    del app
    gc.collect()
    assert seen() is None
    assert provider.dumps(1) == "1"


def test_importing_it_imports_little() -> None:
    late = {"json", "uuid", "decimal", "dataclasses", "orjson"}
    before = "import sys, stein.toolkit.http; before = {*sys.modules}; "
    code = f"{before}import stein.web.json.provider; print(*{late!r} & {{*sys.modules}} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
