"""Profiles of requests."""

from __future__ import annotations

import io
import pstats
import time
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.middleware import profiler
from stein.toolkit.middleware.profiler import ProfilerMiddleware
from tests.toolkit.middleware.plain import call, environ_of, saying

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from stein.typing import Environ


def busy(environ: Environ, start_response: Any) -> Iterator[bytes]:
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"one ")
    yield b"two "
    yield counted(3).encode()


def counted(number: int) -> str:
    return str(number)


def test_a_table_is_printed_and_the_body_is_whole() -> None:
    stream = io.StringIO()
    answer = call(ProfilerMiddleware(busy, stream=stream), path="/x")
    assert answer.body == b"one two 3"
    assert "PATH: '/x'" in stream.getvalue()
    assert "counted" in stream.getvalue()


def test_rows_are_restricted_and_sorted() -> None:
    stream = io.StringIO()
    app = ProfilerMiddleware(busy, stream, sort_by=["cumulative"], restrictions=["counted"])
    call(app)
    assert "Ordered by: cumulative time" in stream.getvalue()
    assert "due to restriction <'counted'>" in stream.getvalue()


def test_nothing_is_printed_without_a_stream(capsys: pytest.CaptureFixture[str]) -> None:
    call(ProfilerMiddleware(saying("x"), stream=None))
    assert capsys.readouterr().out == ""


def test_the_path_is_printed_as_people_write_it() -> None:
    stream = io.StringIO()
    call(ProfilerMiddleware(saying("x"), stream), path="/äö".encode().decode("latin-1"))
    assert "PATH: '/äö'" in stream.getvalue()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "GET.root."),
        ("/a/b/", "GET.a.b."),
        ("/../../etc/passwd", "GET.......etc.passwd."),
        ("/a\\..\\b\0\n:*", "GET.a_.._b____."),
        ("/" + "x" * 5000, f"GET.{'x' * 100}."),
    ],
)
def test_a_file_is_written_whatever_the_path(path: str, name: str, tmp_path: Path) -> None:
    call(ProfilerMiddleware(busy, None, profile_dir=str(tmp_path)), environ_of(path))
    (file,) = tmp_path.iterdir()
    assert file.name.startswith(name)
    assert file.name.endswith(".prof")
    assert pstats.Stats(str(file)).total_calls > 0  # type: ignore[attr-defined]


def test_the_directory_is_made_if_it_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    app = ProfilerMiddleware(saying("x"), None, profile_dir=str(folder), filename_format="{method}")
    call(app)
    assert [each.name for each in folder.iterdir()] == ["GET"]


def test_a_function_may_name_the_file(tmp_path: Path) -> None:
    seen: list[dict[str, float]] = []

    def name(environ: Environ) -> str:
        seen.append(environ["werkzeug.profiler"])
        return "mine"

    before = time.time()
    call(ProfilerMiddleware(busy, None, profile_dir=str(tmp_path), filename_format=name))
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]
    assert seen[0]["elapsed"] >= 0
    assert before <= seen[0]["time"] <= time.time()


def test_the_profile_class_is_looked_up_at_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    real = profiler.Profile

    def make() -> profiler.Profile:
        made.append(profile := real())
        return profile

    app = ProfilerMiddleware(saying("x"), None)
    monkeypatch.setattr(profiler, "Profile", make)
    call(app)
    assert len(made) == 1


def test_a_request_beside_a_profiled_one_is_answered_without_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Busy(profiler.Profile):
        def runcall(self, *args: Any, **kwargs: Any) -> Any:
            raise ValueError("Another profiling tool is already active")

    monkeypatch.setattr(profiler, "Profile", Busy)
    stream = io.StringIO()
    assert call(ProfilerMiddleware(busy, stream), path="/x").body == b"one two 3"
    assert stream.getvalue().startswith("NOT PROFILED: '/x'")
    assert call(ProfilerMiddleware(busy, None), path="/x").body == b"one two 3"


class Failing:
    closed = False

    def __init__(self, *, in_close: bool) -> None:
        self.in_close = in_close

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return self

    def __iter__(self) -> Iterator[bytes]:
        yield b"x"
        if not self.in_close:
            raise ValueError("in the body")

    def close(self) -> None:
        self.closed = True
        if self.in_close:
            raise ValueError("in close")


@pytest.mark.parametrize("in_close", [False, True])
def test_what_an_application_raises_is_raised_and_its_profile_printed(*, in_close: bool) -> None:
    stream = io.StringIO()
    app = Failing(in_close=in_close)
    with pytest.raises(ValueError, match="in "):
        call(ProfilerMiddleware(app, stream))
    assert app.closed
    assert "PATH" in stream.getvalue()


def test_an_application_that_fails_before_it_gives_a_body() -> None:
    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        raise KeyError("early")

    with pytest.raises(KeyError, match="early"):
        call(ProfilerMiddleware(app, None))
