"""Two servers, neither of which knows of the other, on one port."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.live.load import Load
from tests.live.supervised import Supervised, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="where the kernel spreads connections"),
]

APP = "tests.live.load:numbered"
QUIET = ("--access-log", "off")


def test_two_servers_share_a_port_and_one_may_end(tmp_path: Path) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    arguments = ("-w", "1", "--reuse-port", *QUIET)
    with Supervised(APP, *arguments, folder=folders[0]) as first:
        address = ("--bind", f"127.0.0.1:{first.port}")
        with Supervised(APP, *arguments, *address, folder=folders[1]) as second:
            workers = {*first.workers().values(), *second.workers().values()}
            seen: set[int] = set()

            def ask() -> bool:
                """Each time on a connection of its own."""
                seen.add(int(first.get("/?1").split()[1]))
                return seen == workers

            until(ask)
            with Load(first.port, clients=1) as load:
                load.wait_for(20)
            assert load.result.failures == []
            second.signal(signal.SIGTERM)
            assert second.wait() == 0
        (alone,) = first.workers().values()
        assert {int(first.get("/?1").split()[1]) for _ in range(20)} == {alone}


def test_a_server_that_shares_nothing_is_told_of(tmp_path: Path) -> None:
    with Supervised(APP, *QUIET, folder=tmp_path) as first:
        arguments = ("--reuse-port", "--bind", f"127.0.0.1:{first.port}")
        with Supervised(APP, *arguments, folder=tmp_path, serves=False) as second:
            assert second.wait() == 2
            assert f"the port is in use by process {first.pid}" in second.log
            assert "has to be started with reuse_port, too" in second.log
