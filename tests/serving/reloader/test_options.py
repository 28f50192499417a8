from __future__ import annotations

import pytest

from stein.errors import ConfigurationError
from stein.serving.reloader.options import ReloadOptions, make_filter


def test_an_unknown_engine_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigurationError, match="'inotify' is none of: auto, stat, watchfiles"):
        ReloadOptions(engine="inotify")


@pytest.mark.parametrize("interval", [0, -1, float("nan")])
def test_there_is_time_between_two_looks(interval: float) -> None:
    with pytest.raises(ConfigurationError, match="more than 0 seconds"):
        ReloadOptions(interval=interval)


@pytest.mark.parametrize(
    ("pattern", "path", "left_out"),
    [
        ("/srv/app/*", "/srv/app/a/b.py", True),
        ("/srv/app/*", "/srv/app", True),  # nothing of it would be left
        ("/srv/app/*", "/srv/application", False),
        ("*/build", "/srv/build", True),
        ("*/build", "/srv/builds", False),
        ("tests/*", "/srv/tests/x.py", True),
        ("tests/*", "/srv/tests", True),
        ("tests/*", "/srv/contests/x.py", False),
        ("*.gen.py", "/srv/a.gen.py", True),
        ("a[0-9].py", "/srv/a7.py", True),
    ],
)
def test_patterns_match_a_path_or_its_end(pattern: str, path: str, *, left_out: bool) -> None:
    assert make_filter([pattern])(path) is left_out


def test_without_patterns_nothing_is_left_out() -> None:
    assert not make_filter([])("/srv/x")
