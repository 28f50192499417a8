"""A server that is observed: its page for Prometheus, and what it sends to statsd."""

from __future__ import annotations

import os
import socket
import sys
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from stein.errors import ConfigurationError
from stein.server import Server, Settings
from stein.serving.observing import make_metrics, processor_time, sending_metrics
from tests.observe.promtext import read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stein.typing import Environ, StartResponse

METRICS = Settings(metrics_path="/-/metrics", threads=2, health_path="/-")


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode()]


def serving(settings: Settings) -> Server:
    return Server(application, settings, port=0, metrics=make_metrics(settings))


def get(url: str, method: str = "GET") -> tuple[str, str]:
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as found:
        return found.headers["Content-Type"], found.read().decode()


def test_the_engine_answers_the_path_with_all_metrics() -> None:
    with serving(METRICS) as server:
        for _ in range(3):
            get(f"{server.url}/hello")
        kind, page = get(f"{server.url}/-/metrics?ignored=1")
        while read(page)["stein_requests_total"].value(status="2xx") < 3:  # published soon
            kind, page = get(f"{server.url}/-/metrics")
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    families = read(page)
    assert families["stein_worker_threads"].value(worker="0") == 2
    assert families["stein_workers"].value(state="ready") == 1
    if sys.platform == "linux":
        assert families["stein_worker_resident_memory_bytes"].value(worker="0") > 1 << 20


def test_health_and_metrics_live_side_by_side() -> None:
    with serving(METRICS) as server:
        assert get(f"{server.url}/-/livez") == ("text/plain", "200 OK\n")
        assert get(f"{server.url}/-/readyz") == ("text/plain", "200 OK\n")
        assert get(f"{server.url}/-/metrics", "HEAD")[1] == ""


def test_it_is_answered_while_every_thread_is_busy() -> None:
    entered, leave = threading.Semaphore(0), threading.Event()

    def stuck(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        entered.release()
        leave.wait(30)
        return application(environ, start_response)

    with Server(stuck, METRICS, port=0, metrics=make_metrics(METRICS)) as server:
        threads = [threading.Thread(target=get, args=(f"{server.url}/report",)) for _ in range(2)]
        for each in threads:
            each.start()
            assert entered.acquire(timeout=30)
        families = read(get(f"{server.url}/-/metrics")[1])
        assert families["stein_worker_oldest_request_seconds"].value(worker="0") > 0
        leave.set()
        for each in threads:
            each.join()


def test_without_the_setting_the_path_is_the_applications() -> None:
    settings = Settings(threads=2)
    assert make_metrics(settings) is None
    with serving(settings) as server:
        assert get(f"{server.url}/metrics")[1] == "/metrics"


def test_a_bare_server_that_makes_no_page_leaves_the_path_to_the_application() -> None:
    with Server(application, METRICS, port=0) as server:
        assert get(f"{server.url}/-/metrics")[1] == "/-/metrics"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("metrics_path", "metrics", "must begin with /"),
        ("statsd", "localhost", "HOST:PORT"),
        ("statsd", ":8125", "HOST:PORT"),
        ("statsd", "localhost:0", "HOST:PORT"),
        ("statsd", "localhost:http", "HOST:PORT"),
        ("statsd", "unix:", "HOST:PORT"),
        ("statsd_prefix", "a:b", "no name may have"),
        ("statsd_prefix", "a\nb", "no name may have"),
        ("statsd_tags", ("a:b", "c,d"), "no tag may have"),
        ("statsd_tags", ("a|b",), "no tag may have"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(name: str, value: object, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as found:
        Settings(**{name: value})  # type: ignore[arg-type]
    assert str(found.value).startswith(name)


def test_metrics_are_sent_for_as_long_as_the_context_lasts() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.settimeout(30)
        settings = Settings(statsd=f"127.0.0.1:{sink.getsockname()[1]}", statsd_tags=("a:b",))
        with serving(Settings(threads=2)) as server, sending_metrics(settings, server.board.read):
            pass
        assert b"stein.threads.all:2|g|#a:b" in sink.recv(2000)


def test_nothing_is_sent_if_nobody_asked() -> None:
    before = threading.active_count()
    with sending_metrics(Settings(), lambda: pytest.fail("looked")):
        assert threading.active_count() == before


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processor_time_is_known_of_those_that_are_there() -> None:
    used = processor_time(os.getpid())
    assert used is not None
    assert used > 0
    assert processor_time(1 << 30) is None
