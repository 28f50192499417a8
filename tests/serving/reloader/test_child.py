"""The child's end: messages, orders, and the end of a parent."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from stein.serving.reloader import child
from stein.serving.reloader import link as linking
from stein.serving.reloader.link import Link
from stein.serving.reloader.live import ASK_PATH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST = 10.0


class ParentEnd:
    """This test, as the parent of a child that is this test."""

    def __init__(self) -> None:
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(LONGEST)
        self.link = Link(theirs)
        self.theirs = theirs
        self._lines = self.sock.makefile("rb")

    def hear(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._lines.readline())
        return message

    def order(self, kind: str, **fields: Any) -> None:
        self.sock.sendall(json.dumps({"kind": kind, **fields}).encode() + b"\n")

    def close(self) -> None:
        self._lines.close()
        self.sock.close()


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[ParentEnd]:
    end = ParentEnd()
    end.link.on_orphaned = lambda: None
    monkeypatch.setattr(linking, "join", lambda: end.link)
    for name in ("_extra", "_live"):
        monkeypatch.setattr(child, name, set())
    monkeypatch.setattr(child, "_pages", [])
    # One look and no more: the thread of it is not to outlive the test.
    monkeypatch.setattr(child, "report_imports", lambda _link: None)
    reader = threading.Thread(target=end.link.read)
    reader.start()
    yield end
    end.link.on_orphaned = lambda: None  # or this process would end
    end.close()
    reader.join(LONGEST)
    assert not reader.is_alive()
    end.theirs.close()


def test_readiness_comes_after_what_is_to_be_watched(parent: ParentEnd, tmp_path: Path) -> None:
    child.watch_extra(tmp_path / "settings.toml")
    child.notify_ready(lambda _grace: None)
    watched = parent.hear()
    assert watched["kind"] == "watch"
    assert str(tmp_path / "settings.toml") in watched["files"]
    assert parent.hear() == {"kind": "ready"}


def test_orders_reach_the_server(parent: ParentEnd) -> None:
    told: list[float] = []
    came = threading.Semaphore(0)

    def stop(grace: float) -> None:
        told.append(grace)
        came.release()

    child.notify_ready(stop)
    parent.order("drain")
    parent.order("an order of a later version")
    parent.order("retire", grace=0.5)
    for _ in range(2):
        assert came.acquire(timeout=LONGEST)
    assert told == [child.PATIENCE, 0.5]


@pytest.mark.parametrize(
    ("order", "leaves"),
    [
        ({"kind": "drain"}, True),
        ({"kind": "retire", "grace": 0, "last": False}, True),
        ({"kind": "retire", "grace": 0, "last": True}, False),
    ],
)
def test_a_process_leaves_if_another_is_to_take_its_place(
    parent: ParentEnd, order: dict[str, Any], *, leaves: bool
) -> None:
    came = threading.Event()
    child.notify_ready(lambda _grace: came.set())
    child.leave_if_replaced()
    parent.order(**order)
    assert came.wait(LONGEST)
    with pytest.raises(SystemExit) if leaves else nullcontext():
        child.leave_if_replaced()


def test_pages_are_told_of_changes(parent: ParentEnd) -> None:
    application: Any = child.instrument(SimpleNamespace())  # type: ignore[arg-type] # not called
    child.notify_ready(lambda _grace: None)
    changed = threading.Event()
    note = application.note

    def note_and_tell(paths: list[str]) -> None:
        note(paths)
        changed.set()

    application.note = note_and_tell
    parent.order("live", paths=["/x/a.css"])
    assert changed.wait(LONGEST)
    body = b"".join(application({"PATH_INFO": ASK_PATH}, lambda *_: None))
    assert json.loads(body)["css"] == 1


def test_when_the_parent_is_gone_the_server_is_stopped_and_the_end_is_certain(
    parent: ParentEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[Any] = []

    class Timer:
        def __init__(self, seconds: float, action: Any) -> None:
            timers.append((seconds, action))

        def start(self) -> None:
            """Not here."""

    exits: list[int] = []
    monkeypatch.setattr(os, "_exit", exits.append)
    monkeypatch.setattr(threading, "Timer", Timer)
    stopped = threading.Event()
    child.notify_ready(lambda _grace: stopped.set())
    parent.sock.shutdown(socket.SHUT_RDWR)
    assert stopped.wait(LONGEST)
    ((seconds, action),) = timers
    assert seconds == child.LAST_RESORT
    action()
    linking.leave()
    assert exits == [1, 1]


def test_what_is_imported_later_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    class EnoughError(Exception):
        pass

    sent: list[Any] = []
    looks = iter(range(3))

    class Pause:
        def wait(self, _seconds: float) -> None:
            look = next(looks, None)
            if look is None:
                raise EnoughError
            if look == 1:
                monkeypatch.setitem(sys.modules, "imported_later", ModuleType("imported_later"))

    link: Any = SimpleNamespace(send=lambda kind, **fields: sent.append(kind))
    with monkeypatch.context() as patch:
        patch.setattr(threading, "Event", Pause)
        with pytest.raises(EnoughError):
            child.report_imports(link)
    assert sent == ["watch"]


def test_templates_and_static_files_of_all_parts_are_live(tmp_path: Path) -> None:
    part = SimpleNamespace(root_path="/srv/part", template_folder="t", static_folder=None)
    app: Any = SimpleNamespace(
        root_path="/srv", template_folder="templates", static_folder="/pub", blueprints={"p": part}
    )
    assert child.page_folders(app) == ["/srv/templates", "/pub", "/srv/part/t"]
    assert child.page_folders(lambda *_: []) == []


def test_live_pages_have_their_folders_watched(parent: ParentEnd) -> None:
    app: Any = SimpleNamespace(root_path="/srv", template_folder="templates")
    child.instrument(app, live=True)
    child.notify_ready(lambda _grace: None)
    assert parent.hear()["live"] == ["/srv/templates"]


def test_sockets_are_named_as_settings_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(linking.LISTENERS, "5,7")
    assert child.addresses() == ("fd:5", "fd:7")
    monkeypatch.setenv(linking.LISTENERS, "")
    assert child.addresses() == ()


def test_without_a_reloader_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(linking.VARIABLE, raising=False)
    assert not child.is_child()
    child.notify_ready(lambda _grace: None)


@pytest.mark.parametrize("value", ["", "x:1", "7", "7:1", ":"])
def test_a_variable_that_is_about_another_process_is_not_for_this_one(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(linking.VARIABLE, value)
    assert not child.is_child()
    assert linking.is_orphan()


def test_a_descriptor_that_is_closed_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    sock = socket.socket()
    number = sock.fileno()
    sock.close()
    monkeypatch.setenv(linking.VARIABLE, f"{number}:{os.getppid()}")
    assert linking.join() is None


def test_a_parent_that_is_gone_hears_nothing() -> None:
    end = ParentEnd()
    end.close()
    end.link.send("ready")
    end.theirs.close()
    end.link.on_orphaned = lambda: None
    end.link.read()


def test_a_program_of_which_nothing_is_known_is_interrupted() -> None:
    def wait() -> None:
        child.interrupt(0.0)
        signal.pause()

    with pytest.raises(KeyboardInterrupt):
        wait()
