"""Applications mounted at paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.middleware.dispatcher import DispatcherMiddleware
from tests.toolkit.middleware.plain import answering, call, call_loosely, environ_of

if TYPE_CHECKING:
    from stein.typing import Environ, WSGIApplication


def named(name: str) -> WSGIApplication:
    def say(environ: Environ) -> str:
        return f"{name}:{environ['SCRIPT_NAME']}:{environ['PATH_INFO']}"

    return answering(say)


def mounted(*mounts: str) -> DispatcherMiddleware:
    return DispatcherMiddleware(named("main"), {mount: named(mount) for mount in mounts})


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api", "/api:/api:"),
        ("/api/", "/api:/api:/"),
        ("/api/users/1", "/api:/api:/users/1"),
        ("/api/v2/users", "/api/v2:/api/v2:/users"),
        ("/apiary", "main::/apiary"),
        ("/", "main::/"),
        ("/other/api", "main::/other/api"),
        ("//api", "main:://api"),
        ("/api//x", "/api:/api://x"),
    ],
)
def test_the_longest_mount_that_ends_with_a_segment_wins(path: str, said: str) -> None:
    assert call(mounted("/api", "/api/v2"), path=path).text == said


def test_a_mount_of_nothing_takes_everything() -> None:
    assert call(mounted(""), path="/x/y").text == "::/x/y"


def test_a_mount_of_a_slash_takes_the_slash_alone() -> None:
    app = mounted("/")
    assert call_loosely(app, path="/").text == "/:/:"
    assert call_loosely(app, path="/x").text == "main::/x"


def test_what_was_mounted_already_stays_in_front() -> None:
    environ = environ_of("/api/x", SCRIPT_NAME="/site")
    assert call(mounted("/api"), environ).text == "/api:/site/api:/x"


def test_dispatchers_nest() -> None:
    app = DispatcherMiddleware(named("main"), {"/a": mounted("/b")})
    assert call(app, path="/a/b/c").text == "/b:/a/b:/c"


def test_mounts_may_come_later() -> None:
    mounts: dict[str, WSGIApplication] = {}
    app = DispatcherMiddleware(named("main"), mounts)
    mounts["/late"] = named("late")
    assert call(app, path="/late").text == "late:/late:"
    assert call(DispatcherMiddleware(named("main")), path="/late").text == "main::/late"


def test_a_target_that_is_no_path_goes_to_the_main_application() -> None:
    assert call_loosely(mounted("/api"), path="*").text == "main::*"
    environ = environ_of()
    del environ["PATH_INFO"]
    assert call_loosely(mounted("/api"), environ).text == "main::"


class Counting(dict[str, "WSGIApplication"]):
    looked = 0

    def get(self, *args: Any) -> Any:
        self.looked += 1
        return super().get(*args)


def test_the_cost_follows_the_path_and_not_the_mounts() -> None:
    mounts = Counting((f"/mount/{number}", named("x")) for number in range(5000))
    app = DispatcherMiddleware(named("main"), mounts)
    assert call(app, path="/a/b/c").text == "main::/a/b/c"
    assert mounts.looked == 4


def test_a_path_of_slashes_is_cut_to_what_a_mount_can_match() -> None:
    mounts = Counting({"/a/b": named("ab")})
    app = DispatcherMiddleware(named("main"), mounts)
    assert call(app, path="/" * 60_000).text == "main::" + "/" * 60_000
    assert mounts.looked < 10
    assert call(app, path="/a/b" + "/c" * 100).text == "ab:/a/b:" + "/c" * 100
    assert call(app, path="/a/b" + "/c" * 100 + "/").text == "ab:/a/b:" + "/c" * 100 + "/"


segments = st.lists(st.sampled_from(["a", "b", ""]), max_size=40).map("/".join)


@given(path=segments.map("/{}".format), mounts=st.lists(segments.map("/{}".format), max_size=4))
def test_any_path_is_divided_and_nothing_is_lost(path: str, mounts: list[str]) -> None:
    app = mounted(*mounts)
    name, script, rest = call_loosely(app, path=path).text.split(":")
    assert script + rest == path
    fitting = [each for each in mounts if path == each or path.startswith(f"{each}/")]
    assert name == (max(fitting, key=len) if fitting else "main")
