"""The middleware: what an application raises is shown, and who may do what with it."""

from __future__ import annotations

import io
import json
import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from stein.bequest import given
from stein.errors import Disconnected
from stein.toolkit.client import Client
from stein.toolkit.debugger import DebuggedApplication
from stein.toolkit.debugger import pin as pin_module
from stein.toolkit.debugger.kept import KEPT
from stein.toolkit.debugger.pin import PinLock, drawn
from stein.toolkit.request import Request
from stein.toolkit.response import Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stein.typing import Environ, StartResponse

LOGGER = "werkzeug"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Untellable:
    @property  # type: ignore[misc] # object's can be set, too
    def __class__(self) -> type:
        raise RuntimeError


@Request.application
def app(request: Request) -> Response:
    number = 42  # noqa: F841 - shown
    password = "correct horse"  # noqa: F841, S105 - not shown
    if request.path == "/fine":
        return Response(f"fine {request.args.get('__debugger__', '')}")
    raise ValueError("it fails")


class Site:
    """A debugged application, and a browser on this machine."""

    def __init__(self, application: Any = app, **options: Any) -> None:
        options = {"evalex": True, "pin_logging": False, **options}
        self.debugged = DebuggedApplication(application, **options)
        self.clock = Clock()
        self.debugged.pin_lock = PinLock(self.clock)
        self.client = Client(self.debugged)

    def page(self, path: str = "/", **options: Any) -> str:
        return self.client.get(path, **options).text

    def ask(self, command: str, /, *, secret: str | None = None, **fields: Any) -> Any:
        options: dict[str, Any] = fields.pop("options", {})
        return self.client.post(
            f"/any?__debugger__=yes&cmd={command}",
            data={"s": self.debugged.secret if secret is None else secret, **fields},
            **options,
        )

    def unlock(self) -> None:
        assert self.ask("pinauth", pin=self.debugged.pin).status_code == 200

    def last_frame(self) -> int:
        return max(self.debugged.frames)


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STEIN_DEBUG_PIN", "WERKZEUG_DEBUG_PIN", "STEIN_DEBUG_REMOTE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site() -> Site:
    return Site()


# -- what is shown -------------------------------------------------------------------------------


def test_an_application_that_does_not_fail_is_left_alone(site: Site) -> None:
    answer = site.client.get("/fine?__debugger__=yes&cmd=nothing")
    assert (answer.status_code, answer.text) == (200, "fine yes")
    assert "Content-Security-Policy" not in answer.headers


def test_an_exception_is_a_page_and_stands_in_the_terminal(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = site.client.get("/x?token=abc&n=1")
    assert answer.status_code == 500
    assert answer.mimetype == "text/html"
    assert "<h1>ValueError</h1>" in answer.text
    assert "The debugger caught an exception in your WSGI application" in answer.text
    assert "GET http://localhost/x?token=••••••&amp;n=1" in answer.text
    assert "script-src 'nonce-" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last):\n")
    # The user's frame first; ours are left out.
    assert "test_application.py" in said.splitlines()[1]
    assert "/debugger/" not in said.replace("tests/toolkit/debugger/", "")


def test_only_the_script_for_showing_pages_anew_may_be_added(site: Site) -> None:
    policy = site.client.get("/").headers["Content-Security-Policy"]
    assert re.search(r"script-src 'nonce-\S+' http://localhost/_stein/reload.js;", policy)
    foreign = site.client.get("/", headers={"Host": "evil.example"})
    assert "reload.js" not in foreign.headers["Content-Security-Policy"]


def test_variables_are_shown_and_passwords_are_not(site: Site) -> None:
    text = site.page()
    assert "<code>42</code>" in text
    assert "correct horse" not in text


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "text/html"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("*/*", "text/plain"),
        ("text/plain", "text/plain"),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("image/png", "text/plain"),
        (";;;=,", "text/plain"),
    ],
)
def test_the_form_is_the_one_that_is_asked_for(site: Site, accept: str | None, form: str) -> None:
    headers = {} if accept is None else {"Accept": accept}
    answer = site.client.get("/", headers=headers)
    assert (answer.status_code, answer.mimetype) == (500, form)
    assert "correct horse" not in answer.text
    if form == "text/plain":
        assert answer.text.endswith("ValueError: it fails\n")
    if form == "application/json":
        error = json.loads(answer.text)["error"]
        assert error["message"] == "it fails"
        assert error["frames"][-1]["variables"]["number"] == "42"


def test_what_the_debugger_cannot_show_is_told_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(dict[str, Any]):
        def items(self) -> Any:
            raise RuntimeError("no items")

    def application(environ: Environ, start_response: StartResponse) -> Any:
        values = Broken(a=1)
        raise KeyError(len(values))

    site = Site(application)
    site.debugged.show_hidden_frames = True
    assert "<h1>KeyError</h1>" in site.page()

    def failing(environ: Environ) -> Any:
        raise RuntimeError("nor this")

    site.debugged.obstacle = failing  # type: ignore[method-assign]
    answer = site.client.get("/")
    assert answer.mimetype == "text/plain"
    assert "KeyError: 1" in answer.text
    assert "RuntimeError: nor this" in answer.text
    assert "RuntimeError: nor this" in capsys.readouterr().err


def test_odd_objects_are_shown_all_the_same() -> None:
    def application(environ: Environ, start_response: StartResponse) -> Any:
        token = Untellable()
        raise ValueError(id(token))

    assert "<h1>ValueError</h1>" in Site(application).page()


def test_a_client_that_has_gone_is_no_fault_of_the_application(site: Site) -> None:
    def application(environ: Environ, start_response: StartResponse) -> Any:
        raise Disconnected(400, "gone")

    with pytest.raises(Disconnected):
        Site(application).client.get("/")

    def streaming(environ: Environ, start_response: StartResponse) -> Any:
        start_response("200 OK", [])
        yield b"a"
        raise Disconnected(400, "gone")

    with pytest.raises(Disconnected):
        Site(streaming).client.get("/", buffered=True)


# -- bodies --------------------------------------------------------------------------------------


class Body:
    """A body that fails at some piece."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = iter(pieces)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = next(self.pieces, None)
        if piece is None:
            raise LookupError("in the body")
        return piece

    def close(self) -> None:
        self.closed += 1


def call(application: Any, environ: dict[str, Any] | None = None) -> tuple[list[Any], bytes, Any]:
    """Call an application as a careful server does (PEP 3333)."""
    starts: list[Any] = []
    sent: list[bytes] = []

    def start_response(status: str, fields: Any, exc_info: Any = None) -> Any:
        if starts and exc_info is None:
            raise AssertionError("a second start without exc_info")
        if sent:
            raise exc_info[1]
        starts.append((status, exc_info and exc_info[1]))
        return sent.append

    body = application({"wsgi.errors": io.StringIO(), "HTTP_HOST": "localhost",
                        "wsgi.url_scheme": "http", "SERVER_NAME": "localhost", "SERVER_PORT": "80",
                        **(environ or {})}, start_response)  # fmt: skip
    try:
        for piece in body:
            sent.append(piece)  # noqa: PERF402 - one by one
    finally:
        if hasattr(body, "close"):
            body.close()
    return starts, b"".join(sent), body


def test_a_body_that_fails_at_once_is_a_page_too() -> None:
    body = Body()

    def application(environ: Environ, start_response: StartResponse) -> Any:
        start_response("200 OK", [])
        return body

    starts, sent, _ = call(DebuggedApplication(application))
    assert [status for status, _ in starts] == ["200 OK", "500 INTERNAL SERVER ERROR"]
    assert isinstance(starts[1][1], LookupError)
    assert b"<h1>LookupError</h1>" in sent
    assert body.closed == 1


def test_a_body_that_fails_later_is_cut_off_by_the_server() -> None:
    body = Body(b"first")

    def application(environ: Environ, start_response: StartResponse) -> Any:
        start_response("200 OK", [])
        return body

    with pytest.raises(LookupError, match="in the body"):
        call(DebuggedApplication(application))
    assert body.closed == 1


def test_a_generator_that_fails_before_it_starts_is_a_page() -> None:
    def application(environ: Environ, start_response: StartResponse) -> Any:
        if environ:
            raise LookupError("early")
        yield b""

    starts, sent, _ = call(DebuggedApplication(application))
    assert starts == [("500 INTERNAL SERVER ERROR", None)]
    assert b"LookupError" in sent


def test_what_the_application_tells_by_exc_info_is_passed_on() -> None:
    def application(environ: Environ, start_response: StartResponse) -> Any:
        start_response("200 OK", [])
        error = ValueError()
        start_response("400 BAD REQUEST", [], (ValueError, error, None))
        return iter([b"told"])

    starts, sent, _ = call(DebuggedApplication(application))
    assert [status for status, _ in starts] == ["200 OK", "400 BAD REQUEST"]
    assert sent == b"told"


def test_bodies_that_cannot_fail_go_past_untouched() -> None:
    whole = [b"whole"]

    class File:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"file"])

    file = File()

    def application(environ: Environ, start_response: StartResponse) -> Any:
        start_response("200 OK", [])
        return file if environ.get("file") else whole

    assert call(DebuggedApplication(application))[2] is whole
    assert call(DebuggedApplication(application), {"wsgi.file_wrapper": File, "file": 1})[2] is file
    wrapped = call(DebuggedApplication(application), {"wsgi.file_wrapper": open, "file": 1})
    assert wrapped[1] == b"file"


# -- consoles ------------------------------------------------------------------------------------


def test_code_runs_in_the_frame_that_is_named(site: Site) -> None:
    site.page()
    site.unlock()
    answer = site.ask("eval", frm=site.last_frame(), code="number + 1")
    assert json.loads(answer.text) == {"output": '<span class="number">43</span>\n', "more": False}
    answer = site.ask("eval", frm=site.last_frame(), code="if number:")
    assert json.loads(answer.text)["more"]


def test_names_are_completed(site: Site) -> None:
    site.page()
    site.unlock()
    answer = site.ask("complete", frm=site.last_frame(), code="x = num")
    assert json.loads(answer.text) == {"start": 4, "texts": ["number"]}


def test_contexts_of_the_request_are_entered_for_each_command() -> None:
    entered: list[str] = []

    @contextmanager
    def context() -> Iterator[None]:
        entered.append("in")
        yield
        entered.append("out")

    class Renewed:
        def __enter__(self) -> None:
            self.own = context()
            self.own.__enter__()

        def __exit__(self, *error: object) -> None:
            self.own.__exit__(None, None, None)

    def application(environ: Environ, start_response: StartResponse) -> Any:
        environ["werkzeug.debug.preserve_context"](Renewed())
        raise ValueError

    site = Site(application)
    site.page()
    site.unlock()
    site.ask("eval", frm=site.last_frame(), code="1")
    site.ask("complete", frm=site.last_frame(), code="1")
    assert entered == ["in", "out"] * 2


def test_a_context_that_cannot_be_entered_leaves_the_others() -> None:
    left: list[object] = []

    class Fine:
        def __enter__(self) -> None: ...
        def __exit__(self, *error: object) -> None:
            left.append(self)

    class Failing(Fine):
        def __enter__(self) -> None:
            raise RuntimeError("not again")

    def application(environ: Environ, start_response: StartResponse) -> Any:
        for each in (Fine(), Failing()):
            environ["werkzeug.debug.preserve_context"](each)
        raise ValueError

    site = Site(application)
    site.page()
    site.unlock()
    with pytest.raises(RuntimeError, match="not again"):
        site.ask("eval", frm=site.last_frame(), code="1")
    assert len(left) == 1


def test_the_last_tracebacks_are_kept_and_no_more(site: Site) -> None:
    site.unlock()
    site.page()
    first = site.last_frame()
    for _ in range(KEPT):
        site.page()
    assert len(site.debugged.frames) == len(site.debugged.frame_contexts)
    answer = site.ask("eval", frm=first, code="1")
    assert answer.status_code == 404
    assert "Load the page again" in answer.text
    assert site.ask("eval", frm="x", code="1").status_code == 404


def test_without_evalex_nothing_is_kept_and_nothing_runs() -> None:
    site = Site(evalex=False)
    text = site.page()
    assert site.debugged.secret not in text
    assert "No consoles here" not in text
    assert site.debugged.frames == {}
    answer = site.ask("pinauth", pin=site.debugged.pin)
    assert answer.status_code == 403
    assert "evalex=False" in answer.text
    assert site.client.get("/console").status_code == 500  # the application's


def test_there_is_a_page_with_only_a_console() -> None:
    class Application:
        def app_context(self) -> Any:
            return self.context()

        @contextmanager
        def context(self) -> Iterator[None]:
            self.inside = True
            yield
            self.inside = False

        def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
            raise ValueError

    application = Application()
    site = Site(application, console_init_func=lambda: {"shop": "open"})
    answer = site.client.get("/console")
    assert answer.status_code == 200
    assert "Content-Security-Policy" in answer.headers
    site.unlock()
    assert "open" in site.ask("eval", frm=0, code="shop").text
    assert "True" in site.ask("eval", frm=0, code="app.inside").text
    assert not application.inside
    site.client.get("/console")
    assert "open" in site.ask("eval", frm=0, code="shop").text


def test_the_page_with_only_a_console_can_be_elsewhere_or_nowhere() -> None:
    site = Site(console_path="/python", console_init_func=None)
    assert site.client.get("/python").status_code == 200
    site.unlock()
    assert "function app" in site.ask("eval", frm=0, code="app").text
    assert site.debugged.frames[0].eval("1").startswith("&gt;") is False
    assert Site(console_path=None).client.get("/console").status_code == 500


# -- the PIN -------------------------------------------------------------------------------------


def test_without_the_pin_nothing_runs(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.page()
    with caplog.at_level(logging.INFO, LOGGER):
        answer = site.ask("eval", frm=site.last_frame(), code="1")
    assert answer.status_code == 403
    assert json.loads(answer.text)["reason"] == "pin"
    assert site.ask("complete", frm=site.last_frame(), code="1").status_code == 403
    assert site.debugged.refused == {"pin": 2}
    assert "Debugger: refused POST '/any'" in caplog.text


def test_the_pin_is_asked_for_once(site: Site) -> None:
    answer = site.ask("pinauth", pin=site.debugged.pin)
    assert json.loads(answer.text) == {"auth": True, "exhausted": False}
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert '"trusted": true' in site.page()
    assert json.loads(site.ask("pinauth", pin="").text)["auth"]


def test_a_wrong_pin_is_refused_counted_and_slowed_down(site: Site) -> None:
    answer = site.ask("pinauth", pin="000")
    assert answer.status_code == 403
    said = json.loads(answer.text)
    assert (said["auth"], said["left"], said["wait"], said["exhausted"]) == (False, 9, 0.5, False)
    assert site.ask("pinauth", pin=site.debugged.pin).status_code == 403  # too early
    site.clock.now = 1
    site.unlock()
    assert site.debugged.refused == {"pin": 2}


def test_ten_wrong_pins_lock_it_for_good(site: Site) -> None:
    other = Client(site.debugged)
    site.unlock()
    said = []
    for _ in range(10):
        site.clock.now += 100
        data = {"s": site.debugged.secret, "pin": "0"}
        said.append(json.loads(other.post("/?__debugger__=yes&cmd=pinauth", data=data).text))
    assert [each["left"] for each in said] == list(reversed(range(10)))
    assert said[-1]["exhausted"]
    site.page()
    # Not even who was known before.
    assert site.ask("eval", frm=site.last_frame(), code="1").status_code == 403


def test_a_cookie_that_is_forged_or_of_an_earlier_start_is_worth_nothing(site: Site) -> None:
    site.page()
    site.client.set_cookie(site.debugged.pin_cookie_name, "1|abc")
    assert '"trusted": false' in site.page()
    assert site.ask("eval", frm=site.last_frame(), code="1").status_code == 403
    site.unlock()
    assert site.ask("eval", frm=site.last_frame(), code="1").status_code == 200


def test_without_pin_security_there_is_no_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(pin_security=False)
    assert site.debugged.pin is None
    site.page()
    assert site.ask("eval", frm=site.last_frame(), code="1").status_code == 200
    assert site.ask("pinauth", pin="").status_code == 200
    monkeypatch.setenv("STEIN_DEBUG_PIN", "off")
    assert Site().debugged.pin is None


def test_the_pin_is_told_in_the_log_when_it_is_looked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site(pin_logging=True)
    with caplog.at_level(logging.INFO, LOGGER):
        site.debugged.announce()
        assert site.ask("printpin").status_code == 200
    assert caplog.text.count(str(site.debugged.pin)) == 2
    caplog.clear()
    quiet = Site(pin_logging=False)
    with caplog.at_level(logging.INFO, LOGGER):
        quiet.debugged.announce()
        quiet.ask("printpin")
        Site(pin_logging=True, pin_security=False).debugged.announce()
    assert caplog.messages == [
        " * Debugger is active!",
        " * Debugger PIN disabled: whoever gets here can run code.",
    ]


def test_a_process_of_a_reloader_tells_it_unless_the_first_has(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
    drawn.cache_clear()
    with caplog.at_level(logging.INFO, LOGGER):
        pin = Site(pin_logging=True).debugged.pin
        assert f" * Debugger PIN: {pin}" in caplog.messages
        caplog.clear()
        monkeypatch.setitem(given, pin_module.DRAWN, "1-2-3:00ff")
        drawn.cache_clear()
        assert Site(pin_logging=True).debugged.pin == "1-2-3"
    assert caplog.messages == []
    drawn.cache_clear()


def test_without_any_logging_lines_go_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger(LOGGER)
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    logger.manager._clear_cache()  # type: ignore[attr-defined]
    site = Site(pin_logging=True)
    site.debugged.announce()
    assert capsys.readouterr().err.endswith(f" * Debugger PIN: {site.debugged.pin}\n")
    logger.setLevel(logging.ERROR)
    site.debugged.announce()
    assert capsys.readouterr().err == ""


# -- refusals ------------------------------------------------------------------------------------


COMMANDS = ["eval", "complete", "pinauth", "printpin"]
STRANGERS: dict[str, dict[str, Any]] = {
    "host": {"headers": {"Host": "evil.example"}},
    "origin": {"headers": {"Origin": "http://evil.example"}},
    "proxy": {"headers": {"X-Forwarded-For": "1.2.3.4"}},
    "address": {"environ_base": {"REMOTE_ADDR": "10.0.0.5"}},
    "processes": {"environ_base": {"wsgi.multiprocess": True}, "multiprocess": True},
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", STRANGERS)
def test_a_stranger_is_refused_whatever_they_know(site: Site, command: str, kind: str) -> None:
    site.page()
    site.unlock()
    answer = site.ask(
        command, frm=site.last_frame(), code="1", pin=site.debugged.pin, options=STRANGERS[kind]
    )
    assert answer.status_code == 403
    assert json.loads(answer.text)["reason"] == kind
    assert site.debugged.refused == {kind: 1}


@pytest.mark.parametrize("command", COMMANDS)
def test_without_the_secret_of_the_page_nothing_is_done(site: Site, command: str) -> None:
    site.page()
    site.unlock()
    answer = site.ask(command, secret="ä", frm=site.last_frame(), code="1", pin="1")  # noqa: S106 - not it
    assert answer.status_code == 403
    assert "Load it again" in json.loads(answer.text)["error"]
    assert site.debugged.refused == {"secret": 1}


@pytest.mark.parametrize("command", COMMANDS)
def test_by_get_nothing_is_done(site: Site, command: str) -> None:
    site.page()
    site.unlock()
    query = f"__debugger__=yes&cmd={command}&s={site.debugged.secret}&frm=1&pin=1"
    assert site.client.get(f"/fine?{query}").text == "fine yes"


@pytest.mark.parametrize("kind", ["host", "proxy", "address"])
def test_a_stranger_sees_no_values_and_why_there_are_no_consoles(site: Site, kind: str) -> None:
    text = site.page(**STRANGERS[kind])
    assert "No consoles here." in text
    assert "<code>42</code>" not in text
    assert site.debugged.secret not in text
    assert site.debugged.frames == {}
    headers = {**STRANGERS[kind].get("headers", {}), "Accept": "application/json"}
    answer = site.client.get("/", **{**STRANGERS[kind], "headers": headers})
    assert "variables" not in answer.text


def test_with_several_processes_values_are_seen_and_consoles_are_not(site: Site) -> None:
    text = site.page(**STRANGERS["processes"])
    assert "several processes" in text
    assert "<code>42</code>" in text
    assert site.debugged.secret not in text


@pytest.mark.parametrize("kind", ["host", "proxy", "address", "processes"])
def test_a_stranger_gets_no_console_page(site: Site, kind: str) -> None:
    answer = site.client.get("/console", **STRANGERS[kind])
    assert answer.status_code == 403
    assert site.debugged.secret not in answer.text


def test_a_server_for_all_has_consoles_only_if_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No consoles here. The server listens on 0.0.0.0" in Site(bound_to=["0.0.0.0"]).page()
    assert "No consoles" not in Site(bound_to=["0.0.0.0"], allow_remote=True).page()
    monkeypatch.setenv("STEIN_DEBUG_REMOTE", "1")
    assert "No consoles" not in Site(bound_to=["0.0.0.0"]).page(**STRANGERS["address"])
    monkeypatch.setenv("STEIN_DEBUG_REMOTE", "0")
    assert "No consoles" in Site(bound_to=["0.0.0.0"]).page()


def test_hosts_can_be_trusted(site: Site) -> None:
    site.debugged.trusted_hosts.append("shop.test")
    assert site.debugged.check_host_trust({"HTTP_HOST": "shop.test:5000"})
    assert "No consoles" not in site.page(headers={"Host": "shop.test:5000"})


def test_public_methods_look_for_themselves(site: Site) -> None:
    request = Request({"HTTP_HOST": "evil.example", "REQUEST_METHOD": "POST"})
    site.page()
    frame = site.debugged.frames[site.last_frame()]
    assert site.debugged.execute_command(request, "1", frame).status_code == 403
    assert site.debugged.pin_auth(request).status_code == 403
    assert site.debugged.log_pin_request(request).status_code == 403
    assert site.debugged.display_console(request).status_code == 403


def test_a_flood_of_refusals_does_not_flood_the_log(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        for _ in range(200):
            site.ask("eval", secret="wrong")  # noqa: S106 - not it
    assert len(caplog.messages) == 22
    assert "(refused so far: 200)" in caplog.messages[-1]
    assert site.debugged.refused.total() == 200


def test_the_files_of_the_page_can_be_had_and_no_others(site: Site) -> None:
    for name, kind in (("debugger.js", "text/javascript"), ("style.css", "text/css")):
        answer = site.client.get(f"/?__debugger__=yes&cmd=resource&f={name}")
        assert (answer.status_code, answer.mimetype) == (200, kind)
    for name in ("nothing.js", "../pin.py", "../page.css", "page.html", "", "ä.js", "/etc/x.js"):
        answer = site.client.get(f"/?__debugger__=yes&cmd=resource&f={name}")
        assert answer.status_code == 404, name


def test_the_secret_is_none_of_the_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        site.ask("eval", frm=1, code="1")
    assert site.debugged.secret not in caplog.text
    assert re.search(r"from a local client: The PIN", caplog.text)
