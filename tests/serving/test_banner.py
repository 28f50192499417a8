"""The banner: six lines, all true."""

from __future__ import annotations

import platform
import re
from typing import Any

import pytest

import stein
from stein.server.settings import Settings
from stein.serving.banner import banner, duration, model, size


def lines(addresses: tuple[str, ...] = ("http://127.0.0.1:5000",), **changes: Any) -> list[str]:
    changes.setdefault("access_log", "json")
    return banner(Settings(**changes), addresses, "shop:app").splitlines()


def test_six_plain_lines() -> None:
    text = lines()
    assert len(text) == 6
    assert stein.__version__ in text[0]
    assert platform.python_version() in text[0]
    assert text[1] == "  listens on   http://127.0.0.1:5000"
    assert text[3] == "  application  shop:app"
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", "\n".join(text))


def test_the_model_in_words() -> None:
    assert lines(threads=4)[2].endswith(
        "4 threads: up to 4 requests at once, short ones run inline"
    )
    assert "a request that blocks makes all others wait; --threads N" in lines(threads=1)[2]


@pytest.mark.parametrize(
    ("workers", "threads", "text"),
    [
        (1, 1, "1 worker of 1 thread: one request at a time"),
        (3, 1, "3 workers of 1 thread: one request at a time each"),
        (1, 4, "1 worker of 4 threads: up to 4 requests at once"),
        (3, 4, "3 workers of 4 threads: up to 4 requests at once each"),
    ],
)
def test_the_model_of_workers_in_words(workers: int, threads: int, text: str) -> None:
    settings = Settings(workers=workers, threads=threads)
    shown = banner(settings, ["http://h"], "a:b", supervised=True).splitlines()
    assert shown[2] == f"  runs         {text}"


def test_limits_follow_the_settings() -> None:
    assert lines()[4].endswith(
        "head 30 s and 64 KiB, body any size, 60 s between its pieces, idle 75 s"
    )
    text = lines(limit_body=10 << 20, keep_alive=0, head_timeout=0.5)[4]
    assert text.endswith(
        "head 500 ms and 64 KiB, body up to 10 MiB, 60 s between its pieces, no keep-alive"
    )


def test_logs_follow_the_settings() -> None:
    assert lines()[5].endswith("access (json) to stdout, errors to stderr; Ctrl-C stops")
    assert "no access log" in lines(access_log="off")[5]
    assert (
        "access (combined) to /var/log/a"
        in lines(access_log="auto", access_log_file="/var/log/a")[5]
    )


def test_many_addresses_stay_one_line() -> None:
    addresses = tuple(f"http://10.0.0.{number}:80" for number in range(7))
    text = lines(addresses)
    assert len(text) == 6
    assert text[1].endswith("http://10.0.0.3:80 and 3 more")


def test_colour_only_when_asked() -> None:
    coloured = banner(Settings(), ["http://h"], "a:b", colour=True)
    assert "\x1b[1mhttp://h\x1b[0m" in coloured


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (8190, "8190 B"), (65536, "64 KiB"), (3 << 30, "3 GiB")]
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "500 ms"), (30.0, "30 s"), (90.0, "90 s"), (300.0, "5 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_greenlets_are_called_so() -> None:
    settings = Settings(threads=1000, worker_kind="gevent", workers=2)
    assert model(settings, supervised=True) == (
        "2 workers of 1000 greenlets: up to 1000 requests at once each"
    )
