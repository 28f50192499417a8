"""The access log: what a line says, and that it never makes a request wait."""

from __future__ import annotations

import ast
import gc
import io
import json
import logging
import os
import re
import socket
import threading
import time
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stein.server
from stein.errors import ConfigurationError
from stein.http.exchange import Exchange, RequestLine
from stein.observe import OUTCOMES, AccessLog
from stein.observe.lines import (
    FORMATS,
    KNOWN_COUNT,
    SHORT,
    CombinedLines,
    Memory,
    escaped,
    make_formatter,
    readable,
)
from stein.server.closing import BODY, CALL, DRAIN, HEAD
from stein.server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stein.typing import Environ, StartResponse

AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0"


def make_exchange(line: RequestLine | None = None, **changes: Any) -> Exchange:
    line = line or RequestLine("GET", "/a/b?c=d", "/a/b", "c=d", "HTTP/1.1")
    variables = {"HTTP_USER_AGENT": AGENT, "HTTP_REFERER": "https://example.org/"}
    exchange = Exchange(line, changes.pop("variables", variables))
    peer = changes.pop("peer", "127.0.0.1")
    exchange.connection = SimpleNamespace(id=17, peer=peer, log_texts=None)
    exchange.number, exchange.thread = 3, "stein-2"
    exchange.status, exchange.sent_bytes = 200, 1234
    base = time.monotonic() - 1
    exchange.began, exchange.read = base, base + 0.0001
    exchange.entered = exchange.read + 0.0000122
    exchange.left = exchange.entered + 0.0003451
    exchange.sent = exchange.left + 0.0000102
    for name, value in changes.items():
        setattr(exchange, name, value)
    return exchange


def unparsable(text: str, **changes: Any) -> Exchange:
    """Like what the reader makes of a first line that is none."""
    return make_exchange(
        RequestLine("", text, "", "", ""),
        variables={},
        status=400,
        outcome="bad_request",
        error="no request line",
        thread="",
        read=0.0,
        entered=0.0,
        left=0.0,
        **changes,
    )


def wait_for(fact: Callable[[], object], limit: float = 20.0) -> None:
    end = time.monotonic() + limit
    while not fact():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.002)


def one(name: str, exchange: Exchange, *, colour: bool = False) -> str:
    line = make_formatter(name, colour=colour)([exchange])
    assert line.endswith("\n")
    return line[:-1]


# -- combined -----------------------------------------------------------------------------------


def test_a_combined_line_is_apaches_with_the_engines_facts_behind() -> None:
    line = one("combined", make_exchange())
    when = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
    head, _, tail = line.partition(" queue_us=")
    assert re.fullmatch(
        rf'127\.0\.0\.1 - - {when} "GET /a/b\?c=d HTTP/1\.1" 200 1234 '
        rf'"https://example\.org/" "{re.escape(AGENT)}"',
        head,
    )
    assert re.fullmatch(
        r"1[12] app_us=34[45] send_us=(9|10) thread=stein-2 conn=17 req=3 outcome=ok", tail
    )


@pytest.mark.parametrize("fields", [{}, {"HTTP_USER_AGENT": 'a"b', "HTTP_REFERER": "\xe9"}])
def test_the_fast_and_the_careful_way_write_the_same_lines(fields: dict[str, str]) -> None:
    lines = CombinedLines()
    post = RequestLine("POST", '/"\\\xff', "/", "", "HTTP/1.0")
    exchanges = [
        make_exchange(),
        make_exchange(),
        make_exchange(variables=fields),
        make_exchange(post),
        make_exchange(status=304, sent_bytes=0),
        make_exchange(status=0),
        make_exchange(thread="other"),
        make_exchange(sent_bytes=10**9),
        make_exchange(outcome="cut_off", error="it broke"),
        make_exchange(peer="::1"),
    ]
    for exchange in exchanges:
        began = exchange.began = exchanges[0].began
        exchange.read, exchange.entered, exchange.left = began, began + 0.001, began + 0.002
        exchange.sent = exchange.left
    records = exchanges
    careful = [lines._careful(record) for record in records]
    assert lines(records).splitlines(keepends=True) == careful
    assert len(set(careful)) == len(careful) - 1


def test_long_durations_and_unset_marks() -> None:
    line = one("combined", make_exchange(read=1.0, entered=3.5, left=0.0, sent=0.0))
    assert "queue_us=2500000 app_us=- send_us=- " in line
    line = one("combined", make_exchange(entered=0.0, left=0.0, thread=""))  # a health check
    assert "queue_us=- app_us=- send_us=- thread=- " in line


@pytest.mark.parametrize("count", [SHORT - 1, SHORT, SHORT + 1, 5 * SHORT])
def test_durations_around_the_end_of_the_table(count: int) -> None:
    exchange = make_exchange(read=1.0)
    exchange.entered = exchange.read + (count + 0.5) / 1e6
    exchange.left = exchange.sent = exchange.entered + 0.5
    assert f" queue_us={count} app_us=500000 send_us=0 " in one("combined", exchange)
    assert json.loads(one("json", exchange))["queue_ms"] == count / 1000


def test_seconds_change_within_a_batch() -> None:
    now = time.monotonic()
    exchanges = [make_exchange(began=now + age) for age in (-7200, 0, -3600, 0, -7200)]
    lines = make_formatter("combined")(exchanges).splitlines()
    times = [line.partition("[")[2].partition("]")[0] for line in lines]
    assert times[0] == times[4] != times[1] == times[3] != times[2] != times[0]


def test_a_memory_is_bounded() -> None:
    asked: list[str] = []

    def double(text: str) -> str:
        asked.append(text)
        return text + text

    memory = Memory(double)
    assert [memory.recall(text) for text in ("a", "a", "x" * 600, "x" * 600)][:2] == ["aa", "aa"]
    assert asked == ["a", "x" * 600, "x" * 600]
    for number in range(3 * KNOWN_COUNT):
        memory.recall(str(number))
        assert len(memory._known) <= KNOWN_COUNT


def test_the_time_is_the_start_of_the_request() -> None:
    exchange = make_exchange(began=time.monotonic() - 3600)
    written = re.search(r"\[(.*?)\]", one("combined", exchange))
    assert written is not None
    start = time.mktime(time.strptime(written[1][:-6], "%d/%b/%Y:%H:%M:%S"))
    assert abs(time.time() - 3600 - start) < 5


def test_an_unparsable_request_is_logged_as_it_came_but_escaped() -> None:
    line = one("combined", unparsable('\x16\x03\x01"\\\xe9'))
    assert r'"\x16\x03\x01\"\\\xe9" 400 ' in line
    assert 'thread=- conn=17 req=3 outcome=bad_request error="no request line"' in line


@pytest.mark.parametrize(
    ("outcome", "status", "shown"),
    [("client_gone", 0, "499"), ("client_gone", 200, "200"), ("head_timeout", 0, "-")],
)
def test_a_request_without_an_answer(outcome: str, status: int, shown: str) -> None:
    exchange = make_exchange(outcome=outcome, status=status)
    assert f'HTTP/1.1" {shown} 1234 ' in one("combined", exchange)
    number = int(shown) if shown != "-" else None
    assert json.loads(one("json", exchange))["status"] == number


def test_missing_fields_are_a_dash() -> None:
    assert '1234 "-" "-" queue_us' in one("combined", make_exchange(variables={}))


# -- json ---------------------------------------------------------------------------------------


def test_a_json_line_has_these_fields() -> None:
    exchange = make_exchange(received=7)
    exchange.variables["HTTP_X_REQUEST_ID"] = "abc"
    fields = json.loads(one("json", exchange))
    moment = fields.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d", moment)
    assert fields == {
        "client": "127.0.0.1",
        "method": "GET",
        "target": "/a/b?c=d",
        "path": "/a/b",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes": 1234,
        "received": 7,
        "queue_ms": pytest.approx(0.0122, abs=0.001),
        "app_ms": pytest.approx(0.3451, abs=0.001),
        "send_ms": pytest.approx(0.0102, abs=0.001),
        "total_ms": pytest.approx(0.4675, abs=0.001),
        "request_id": "abc",
        "referer": "https://example.org/",
        "user_agent": AGENT,
        "pid": os.getpid(),
        "thread": "stein-2",
        "connection": 17,
        "request": 3,
        "outcome": "ok",
        "error": None,
    }


def test_json_says_null_for_what_is_not_known() -> None:
    fields = json.loads(one("json", unparsable("x")))
    unknown = ["method", "protocol", "queue_ms", "app_ms", "send_ms", "request_id", "thread"]
    assert [fields[name] for name in unknown] == [None] * len(unknown)
    assert (fields["outcome"], fields["error"]) == ("bad_request", "no request line")


# -- dev ----------------------------------------------------------------------------------------


def test_a_dev_line_is_short() -> None:
    line = one("dev", make_exchange())
    assert re.fullmatch(r"\d\d:\d\d:\d\d 200 GET /a/b\?c=d 0\.47 ms \[stein-2 17#3\]", line)


def test_a_dev_line_of_what_was_no_request() -> None:
    line = one("dev", unparsable("\x16\x03hello", sent=0.0))
    assert line[8:] == r" 400 \x16\x03hello - [- 17#3] bad_request (no request line)"


def test_a_dev_line_tells_a_wait_and_a_failure() -> None:
    line = one("dev", make_exchange(entered=0.0, left=0.0, outcome="cut_off", error="it broke"))
    assert line.endswith(" [stein-2 17#3] cut_off (it broke)")
    exchange = make_exchange()
    exchange.entered = exchange.read + 0.25
    assert " queue 250 ms " in one("dev", exchange)


@pytest.mark.parametrize(("status", "code"), [(200, "32"), (304, "36"), (404, "33"), (500, "1;31")])
def test_only_the_status_is_coloured_and_only_if_wanted(status: int, code: str) -> None:
    exchange = make_exchange(status=status)
    assert f" \x1b[{code}m{status}\x1b[0m GET" in one("dev", exchange, colour=True)
    assert "\x1b" not in one("dev", exchange)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.00035, "0.35 ms"), (0.012, "12 ms"), (1.2, "1.20 s"), (75.0, "75.00 s")],
)
def test_durations_read_well(seconds: float | None, text: str) -> None:
    assert readable(seconds) == text


# -- nobody forges a line -----------------------------------------------------------------------

texts = st.text(max_size=40)
printable = re.compile(r"[ -~]*").fullmatch
QUOTED = r'"((?:[^"\\]|\\.)*)"'
safe_quoted = re.compile(r'(?:[^"\\]|\\.)*').fullmatch


@given(texts)
def test_escaped_text_is_printable_and_cannot_end_its_quotes(text: str) -> None:
    assert printable(escaped(text))
    assert safe_quoted(escaped(text))


@given(texts, texts, texts, texts, texts, texts, st.sampled_from(["ok", "bad_request"]))
def test_no_text_breaks_out_of_its_line(  # noqa: PLR0917 - one per text of a stranger
    method: str, target: str, agent: str, referer: str, peer: str, error: str, outcome: str
) -> None:
    exchange = make_exchange(
        RequestLine(method, target, target, "", "HTTP/1.1"),
        variables={"HTTP_USER_AGENT": agent, "HTTP_REFERER": referer, "HTTP_X_REQUEST_ID": error},
        peer=peer,
        outcome=outcome,
        error=error,
        thread=agent,
    )
    for name in FORMATS:
        line = one(name, exchange)
        assert printable(line), name
    fields = json.loads(one("json", exchange))
    assert (fields["target"], fields["user_agent"], fields["client"]) == (target, agent, peer)
    fields_of_combined = re.match(
        rf"{re.escape(escaped(peer))} - - \[[^]]*\] {QUOTED} 200 1234 {QUOTED} {QUOTED} queue_us=",
        one("combined", exchange),
    )
    assert fields_of_combined is not None
    assert fields_of_combined.groups()[1:] == (escaped(referer), escaped(agent))


# -- the log as a whole -------------------------------------------------------------------------


@pytest.fixture
def warnings_seen() -> Iterator[list[str]]:
    """Collect what the error log is told."""
    seen: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    logger, collector = logging.getLogger("stein.error"), Collector()
    logger.addHandler(collector)
    yield seen
    logger.removeHandler(collector)


class Stream(io.StringIO):
    """A stream that can be made to fail, or to block until released."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: Exception | None = None
        self.open_gate = threading.Event()
        self.open_gate.set()
        self.arrived = threading.Event()

    def write(self, text: str) -> int:
        self.arrived.set()
        assert self.open_gate.wait(30)
        if self.fault is not None:
            raise self.fault
        return super().write(text)


def test_lines_come_in_order_and_close_writes_the_last_ones() -> None:
    stream = io.StringIO()
    log = AccessLog("json", stream)
    for number in range(1000):
        log([make_exchange(number=number)])
    log.close()
    numbers = [json.loads(line)["request"] for line in stream.getvalue().splitlines()]
    assert numbers == list(range(1000))
    log.close()


def test_a_parked_writer_is_woken_by_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stein.observe.accesslog.QUIET_NAPS", 0)
    stream = io.StringIO()
    with AccessLog("dev", stream) as log:
        for _ in range(3):
            wait_for(lambda: log._parked)
            log.observe([make_exchange()])
            wait_for(stream.getvalue)
            stream.truncate(0)


def test_observers_in_many_threads_lose_nothing() -> None:
    stream = io.StringIO()
    log = AccessLog("combined", stream)
    exchange = make_exchange()

    def many() -> None:
        for _ in range(500):
            log.observe([exchange])

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert stream.getvalue().count("\n") == 4000


def test_a_stuck_sink_blocks_nobody_and_the_loss_is_told(warnings_seen: list[str]) -> None:
    stream = Stream()
    stream.open_gate.clear()
    log = AccessLog("combined", stream, capacity=10 * len(one("combined", make_exchange())))
    log.observe([make_exchange()])
    assert stream.arrived.wait(20)
    for _ in range(40):
        log.observe([make_exchange()])
    assert log._size == len("".join(log._texts))
    kept = sum(text.count("\n") for text in log._texts)
    assert 9 <= kept <= 11
    stream.open_gate.set()
    log.close()
    assert stream.getvalue().count("\n") == 1 + kept
    assert warnings_seen == [
        f"{40 - kept} access-log lines were lost: the buffer was full, as the sink did not keep up"
    ]


def test_a_failing_sink_is_told_at_once_and_again_when_it_recovers(
    warnings_seen: list[str],
) -> None:
    stream = Stream()
    stream.fault = OSError(28, "No space left on device")
    with AccessLog("combined", stream) as log:
        for _ in range(3):
            log.observe([make_exchange()])
            wait_for(lambda: not log._size)
        wait_for(lambda: log._lost == 3)
        assert len(warnings_seen) == 1
        assert "No space left on device" in warnings_seen[0]
        stream.fault = None
        log.observe([make_exchange()])
        wait_for(stream.getvalue)
    assert warnings_seen[1:] == ["3 access-log lines were lost: [Errno 28] No space left on device"]


def test_close_gives_up_on_a_sink_that_never_returns(warnings_seen: list[str]) -> None:
    stream = Stream()
    stream.open_gate.clear()
    log = AccessLog("combined", stream)
    log.observe([make_exchange()])
    assert stream.arrived.wait(20)
    log.observe([make_exchange()])
    log.close(timeout=0.01)
    stream.open_gate.set()
    log._writer.join(20)
    assert "lost" in warnings_seen[0]


def test_an_odd_environ_costs_no_line_and_a_broken_exchange_costs_one(
    warnings_seen: list[str],
) -> None:
    stream = io.StringIO()
    odd = make_exchange(variables={"HTTP_USER_AGENT": ["a", "list"]}, number=4)
    broken = make_exchange(status="no number at all", began="never")
    with AccessLog("combined", stream) as log:
        for exchange in (make_exchange(), odd, broken, make_exchange()):
            log.observe([exchange])
    first, second, third = stream.getvalue().splitlines()
    assert '"-" "-" queue_us' in second
    assert "req=4" in second
    assert AGENT in first
    assert AGENT in third
    assert "cannot be formatted" in warnings_seen[0]


def test_nothing_of_the_applications_is_kept() -> None:
    stream = Stream()
    stream.open_gate.clear()
    log = AccessLog("combined", stream)
    log.observe([make_exchange()])
    assert stream.arrived.wait(20)
    exchange = make_exchange()
    exchange.variables["app.upload"] = upload = Stream()
    held = weakref.ref(upload)
    log.observe([exchange])
    del exchange, upload
    gc.collect()
    assert held() is None
    stream.open_gate.set()
    log.close()
    assert stream.getvalue().count("\n") == 2


def test_a_file_is_appended_to_and_reopened_after_a_rotation(tmp_path: Path) -> None:
    path, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    path.write_text("old\n")
    with AccessLog("combined", path) as log:
        log.observe([make_exchange()])
        wait_for(lambda: path.read_text().count("\n") == 2)
        path.rename(moved)
        log.reopen()
        wait_for(path.exists)
        log.observe([make_exchange()])
        wait_for(lambda: path.read_text().count("\n") == 1)
    assert moved.read_text().startswith("old\n127.0.0.1")


def test_a_failed_reopening_keeps_the_old_file(tmp_path: Path, warnings_seen: list[str]) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    with AccessLog("combined", folder / "access.log") as log:
        folder.rename(tmp_path / "elsewhere")
        log.reopen()
        wait_for(lambda: warnings_seen)
        log.observe([make_exchange()])
    assert "the old file stays" in warnings_seen[0]
    assert (tmp_path / "elsewhere/access.log").read_text().count("\n") == 1


def test_a_torn_line_is_ended_before_the_next(tmp_path: Path, monkeypatch: Any) -> None:
    real = os.write
    calls: list[int] = []

    def full_after_ten_bytes(descriptor: int, data: memoryview) -> int:
        calls.append(1)
        if len(calls) == 1:
            return real(descriptor, data[:10])
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    path = tmp_path / "access.log"
    with AccessLog("combined", path) as log:
        monkeypatch.setattr("stein.observe.sinks.os.write", full_after_ten_bytes)
        log.observe([make_exchange()])
        wait_for(lambda: log._failing)
        log.observe([make_exchange()])
        wait_for(lambda: not log._failing)
    first, second = path.read_text().splitlines()
    assert len(first) == 10
    assert second.endswith("outcome=ok")


def test_handlers_on_stein_access_get_the_lines_instead() -> None:
    stream, records = io.StringIO(), []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logger, collector = logging.getLogger("stein.access"), Collector()
    with AccessLog("combined", stream) as log:
        logger.addHandler(collector)
        try:
            for _ in range(65):
                log.observe([make_exchange()])
            wait_for(lambda: len(records) == 65)
        finally:
            logger.removeHandler(collector)
        log.observe([make_exchange()])
    assert records[0].levelno == logging.INFO
    assert records[0].getMessage().startswith("127.0.0.1 - - [")
    assert stream.getvalue().count("\n") == 1


def test_mistakes_are_told_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'xml' is not one of: combined, json, dev"):
        AccessLog("xml", io.StringIO())
    with pytest.raises(ConfigurationError, match=r"access_log_file=.*No such file or directory"):
        AccessLog("json", tmp_path / "missing" / "access.log")


def test_every_outcome_is_explained() -> None:
    assert all(re.fullmatch("[a-z_]+", name) and len(text) > 20 for name, text in OUTCOMES.items())


SERVER = Path(stein.server.__file__).parent


def pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """What an assignment gives to what: ``a, b = 1, 2`` is two of them."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return list(zip(target.elts, value.elts, strict=True))
    return [(target, value)]


def outcomes_set(trees: list[ast.Module]) -> set[str]:
    """Every text that is assigned to an ``outcome`` or given for a parameter of that name."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    places = {
        node.name: [argument.arg for argument in node.args.args].index("outcome") - 1  # no self
        for node in nodes
        if isinstance(node, ast.FunctionDef)
        and "outcome" in [argument.arg for argument in node.args.args]
    }
    values: list[ast.expr] = []
    for node in nodes:
        if isinstance(node, ast.Assign):
            values += [
                value
                for target in node.targets
                for each, value in pairs(target, node.value)
                if isinstance(each, ast.Attribute) and each.attr == "outcome"
            ]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            place = places.get(node.func.attr)
            values += [] if place is None else node.args[place : place + 1]
            values += [word.value for word in node.keywords if word.arg == "outcome"]
    found: set[str] = set()
    while values:
        value = values.pop()
        if isinstance(value, ast.IfExp):
            values += [value.body, value.orelse]
        elif isinstance(value, ast.Constant):
            assert isinstance(value.value, str)
            found.add(value.value)
    return found


def test_the_server_sets_the_outcomes_that_are_explained_and_no_others() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SERVER.glob("*.py")]
    begun = Exchange(RequestLine("", "", "", "", ""), {}).outcome
    assert outcomes_set(trees) | {begun} == set(OUTCOMES)


# -- the server's own stop ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "state"),
    [
        (b"GET /call HTTP/1.1\r\nHost: a\r\n\r\n", CALL),
        (b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf", BODY),
        (b"GET /head HTTP/1.1\r\nHos", HEAD),
        (b"GET /drain HTTP/1.1\r\nHost: a\r\n\r\n", DRAIN),
    ],
)
def test_what_the_stop_cuts_short_is_observed_as_stopped(sent: bytes, state: int) -> None:
    called, may_end, seen = threading.Event(), threading.Event(), list[Exchange]()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        called.set()
        if environ["PATH_INFO"] == "/call":
            assert may_end.wait(20)
        start_response("200 OK", [])
        return [b"x" * (1 << 26)]

    settings = Settings(threads=2, bind=("127.0.0.1:0",))
    server = stein.server.Server(app, settings, observer=seen.extend)
    server.start()
    thread = threading.Thread(target=server.serve)
    thread.start()
    assert server._engine is not None
    connections = server._engine.connections
    host, _, port = server.addresses[0].rpartition("/")[2].rpartition(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(sent)
        if state in {CALL, DRAIN}:
            assert called.wait(20)
        wait_for(lambda: [(each.state, each._reader.seen) for each in connections.values()] == [
            (state, sent if state == HEAD else b"")
        ])  # fmt: skip
        server.request_stop(0.0)
        wait_for(lambda: all(each.gone for each in list(connections.values())))
        may_end.set()
        thread.join(20)
    wait_for(lambda: seen)
    assert [exchange.outcome for exchange in seen] == ["stopped"]
    assert seen[0].line.target in sent.decode()
