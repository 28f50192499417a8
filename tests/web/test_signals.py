"""Signals: nobody pays for them, and whoever listens gets them."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import blinker
import pytest

from stein.toolkit.client import Client
from stein.web import signals
from stein.web.app import Stein
from stein.web.globals import session
from stein.web.templating import render_template_string, stream_template_string

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = (
    "appcontext_popped",
    "appcontext_pushed",
    "appcontext_tearing_down",
    "before_render_template",
    "got_request_exception",
    "message_flashed",
    "request_finished",
    "request_started",
    "request_tearing_down",
    "template_rendered",
)


@pytest.fixture
def app() -> Stein:
    app = Stein("signals", root_path=".")
    app.secret_key = "not a secret"  # noqa: S105 - it says so
    return app


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """The names of signals, in the order in which they are sent."""
    names: list[str] = []
    receivers = {}
    for name in NAMES:

        def receive(_: Any, _name: str = name, **__: Any) -> None:
            names.append(_name)

        receivers[name] = receive
        getattr(signals, name).connect(receive)
    yield names
    for name, receiver in receivers.items():
        getattr(signals, name).disconnect(receiver)


def test_all_of_them_are_public() -> None:
    assert set(signals.__all__) == set(NAMES)


def test_an_application_without_listeners_never_imports_blinker() -> None:
    program = (
        "import sys\n"
        "from stein.toolkit.client import Client\n"
        "from stein.web.app import Stein\n"
        "app = Stein('quiet', root_path='.')\n"
        "app.add_url_rule('/', 'index', lambda: 'hello')\n"
        "assert Client(app).get('/').text == 'hello'\n"
        "print('blinker' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "False\n"


class TestQuietSignal:
    @pytest.fixture
    def quiet(self) -> Any:
        return signals._QuietSignal("something-happened", "Something has happened.")

    def test_it_says_that_nobody_listens(self, quiet: Any) -> None:
        assert not quiet.receivers
        assert quiet.name == "something-happened"
        assert repr(quiet) == "<_QuietSignal 'something-happened': nobody listens>"
        assert type(quiet) is signals._QuietSignal

    def test_it_becomes_a_signal_of_blinker_and_stays_the_same_object(self, quiet: Any) -> None:
        got = []

        def receive(sender: object, **values: object) -> None:
            got.append((sender, values))

        quiet.connect(receive)
        assert isinstance(quiet, blinker.NamedSignal)
        assert quiet.receivers
        assert quiet.name == "something-happened"
        assert quiet.__doc__ == "Something has happened."
        quiet.send("me", value=1)
        assert got == [("me", {"value": 1})]

    def test_no_receiver_gets_lost_when_threads_connect_at_once(self) -> None:
        for _ in range(50):
            quiet: Any = signals._QuietSignal("busy", "")
            start = threading.Barrier(4)

            def connect(start: threading.Barrier = start, quiet: Any = quiet) -> None:
                start.wait()
                quiet.connect(lambda _: None, weak=False)

            threads = [threading.Thread(target=connect) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(quiet.receivers) == 4

    def test_what_a_signal_does_not_have_is_an_attribute_error(self, quiet: Any) -> None:
        with pytest.raises(AttributeError, match="shout"):
            quiet.shout()


def test_the_namespace_holds_the_same_signals() -> None:
    namespace: Any = signals._signals
    assert isinstance(namespace, blinker.Namespace)
    assert len(namespace) == len(NAMES)
    assert namespace["request-started"] is signals.request_started
    assert namespace.signal("template-rendered") is signals.template_rendered


def test_a_name_that_is_no_signal_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="request_startled"):
        signals.request_startled  # noqa: B018


class TestOrder:
    def test_a_request(self, app: Stein, heard: list[str]) -> None:
        app.add_url_rule("/", "index", lambda: "hello")
        assert Client(app).get("/").text == "hello"
        assert heard == [
            "appcontext_pushed",
            "request_started",
            "request_finished",
            "request_tearing_down",
            "appcontext_tearing_down",
            "appcontext_popped",
        ]

    def test_a_request_that_fails(self, app: Stein, heard: list[str]) -> None:
        def index() -> str:
            raise ValueError

        app.add_url_rule("/", "index", index)
        assert Client(app).get("/").status_code == 500
        assert heard.index("got_request_exception") < heard.index("request_finished")

    def test_a_template(self, app: Stein, heard: list[str]) -> None:
        with app.app_context():
            render_template_string("{{ 1 }}")
        assert "before_render_template template_rendered" in " ".join(heard)

    def test_a_streamed_template_is_rendered_when_it_has_been_sent(
        self, app: Stein, heard: list[str]
    ) -> None:
        with app.app_context():
            pieces = stream_template_string("a {{ 1 }}")
            assert heard[-1] == "before_render_template"
            assert "".join(pieces) == "a 1"
            assert heard[-1] == "template_rendered"

    def test_the_sender_is_the_application_itself(self, app: Stein) -> None:
        senders = []

        def receive(sender: object, **values: Any) -> None:
            senders.append((sender, sorted(values)))

        with signals.template_rendered.connected_to(receive, app), app.app_context():
            render_template_string("x")
        assert senders == [(app, ["context", "template"])]
        assert senders[0][0] is app

    def test_what_receivers_see_of_a_template_is_its_whole_context(self, app: Stein) -> None:
        seen = []

        def receive(_: object, template: Any, context: Any, **__: object) -> None:
            seen.append((template.render(context), context["name"], "g" in context))

        with signals.before_render_template.connected_to(receive), app.app_context():
            assert render_template_string("{{ name }}", name="a") == "a"
        assert seen == [("a", "a", True)]

    def test_a_receiver_may_change_the_context(self, app: Stein) -> None:
        def receive(_: object, context: Any, **__: object) -> None:
            context["name"] = "b"

        with signals.before_render_template.connected_to(receive), app.app_context():
            assert render_template_string("{{ name }}", name="a") == "b"

    def test_a_receiver_of_request_started_sees_the_request(self, app: Stein) -> None:
        app.add_url_rule("/", "index", lambda: str(session["seen"]))

        def receive(_: object, **__: object) -> None:
            session["seen"] = True

        with signals.request_started.connected_to(receive, app):
            assert Client(app).get("/").text == "True"


def test_extensions_make_their_own_with_the_namespace() -> None:
    from stein.web.signals import Namespace  # type: ignore[attr-defined] # given on demand

    assert Namespace().signal("mine").name == "mine"
