"""The user's functions around the life of a server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from stein.errors import ApplicationNotFound
from stein.server.hooks import WorkerInfo, call_hook, load_hook
from stein.server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INFO = WorkerInfo(7, 0, Settings())


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "steinhooks.py").write_text(
        "told = []\n"
        "def takes(info):\n    told.append(info)\n"
        "def takes_nothing():\n    told.append(None)\n"
        "def fails(info):\n    raise ConnectionError('no redis at 127.0.0.1:6379')\n"
        "number = 3\n"
    )
    yield
    sys.modules.pop("steinhooks", None)


def test_a_hook_is_told_what_it_is_about_if_it_takes_it(tmp_path: Path) -> None:
    for name in ("takes", "takes_nothing"):
        call_hook(load_hook(f"steinhooks:{name}", "worker_start", str(tmp_path)), name, INFO)
    assert sys.modules["steinhooks"].told == [INFO, None]


def test_a_callable_that_does_not_tell_is_given_it(tmp_path: Path) -> None:
    told: list[object] = []
    call_hook(told.append, "worker_start", INFO)
    assert told == [INFO]
    call_hook(dict, "worker_start", ())


def test_its_failure_names_hook_place_and_cause(tmp_path: Path) -> None:
    hook = load_hook("steinhooks:fails", "on_start", str(tmp_path))
    with pytest.raises(
        ApplicationNotFound, match=r"hook on_start failed: .*steinhooks\.py:7"
    ) as caught:
        call_hook(hook, "on_start", INFO)
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_ctrl_c_is_not_a_failure() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call_hook(interrupt, "on_start", INFO)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("steinhooks", "names no function"),
        (":takes", "names no function"),
        ("steinhooks:take", "has no attribute 'take'"),
        ("steinhooks:number", "cannot be called; it is int 3"),
        ("steinhookz:takes", "no module named"),
    ],
)
def test_a_mistake_names_the_setting(target: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ApplicationNotFound, match=f"(?s)^on_start='{target}'.*{words}"):
        load_hook(target, "on_start", str(tmp_path))
