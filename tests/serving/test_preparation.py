"""What a process does before it imports anything of the user's."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

from stein.errors import ConfigurationError
from stein.server.plan import Plan
from stein.server.settings import Settings
from stein.serving.checking import faults_of
from stein.serving.configuration import Wishes, configure
from stein.serving.load import Given
from stein.serving.preparation import prepare_worker

if TYPE_CHECKING:
    from pathlib import Path


def test_greenlets_that_are_not_there_are_refused_with_the_extra_that_brings_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'stein\[gevent\]'"):
        prepare_worker(Plan(Settings(worker_kind="gevent"), "shop:app"))
    flags = {"worker_kind": Given("--worker-kind", ("gevent",))}
    (fault,) = faults_of(configure(Wishes(flags=flags, config="off"), {}, tmp_path))
    assert fault.startswith("--worker-kind: worker_kind='gevent' needs the package gevent")
    prepare_worker(Plan(Settings(), "shop:app"))
