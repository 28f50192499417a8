"""What the parent does about what happens; with processes that are none."""

from __future__ import annotations

import signal
import sys
import threading
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from stein.serving.reloader import parent as parenting
from stein.serving.reloader.failure import Failure
from stein.serving.reloader.inventory import Inventory
from stein.serving.reloader.offspring import NEVER, Offspring
from stein.serving.reloader.options import AGAIN, ReloadOptions
from stein.serving.reloader.parent import (
    PAUSES,
    STABLE,
    Parent,
    forget_bytecode,
    how_it_ended,
    tell,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Process:
    """Stands for a process; records what is done to it."""

    def __init__(self, *_arguments: object) -> None:
        self.done: list[Any] = []
        self.born = 0
        self.ready_since: float | None = None
        self.failure: Failure | None = None
        self.printed = False
        self.draining = False
        self.next_step = NEVER

    def order(self, kind: str, **fields: Any) -> None:
        self.done.append((kind, fields))

    def drain(self) -> None:
        self.draining = True
        self.done.append("drain")

    def retire(self, grace: float, *, last: bool = False) -> None:
        self.draining = True
        self.done.append(("retire", grace, "last") if last else ("retire", grace))

    def discard(self) -> None:
        self.draining = True
        self.done.append("discard")

    def kill(self) -> None:
        self.done.append("kill")

    def escalate(self, now: float) -> None:
        self.done.append("escalate")
        self.next_step = NEVER

    def close(self) -> None:
        self.done.append("close")


class Page:
    """Stands for the server that answers while the program cannot."""

    def __init__(self) -> None:
        self.shown: Failure | None = None
        self.details: bool | None = None

    def open(self, failure: Failure, _run: str, *, details: bool) -> None:
        self.shown, self.details = failure, details

    def close(self, *, wait: bool = False) -> None:
        self.shown = None


class Scene:
    """A parent with false processes, page and clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        monkeypatch.setattr(sys, "orig_argv", [sys.executable, "app.py"])
        monkeypatch.setattr(parenting, "Offspring", Process)
        self.clock = Clock()
        monkeypatch.setattr(parenting, "monotonic", self.clock)
        self.said: list[str] = []
        self.parent = Parent(
            None, [], ReloadOptions(engine="stat", **options), None, self.said.append
        )
        self.page = Page()
        self.parent.stopgap = self.page  # type: ignore[assignment] # a stand-in
        self.parent.tree.is_live = lambda path: path.endswith(".css")  # type: ignore[method-assign]

    @property
    def starting(self) -> Any:
        return self.parent.starting

    @property
    def serving(self) -> Any:
        return self.parent.serving

    def tell(self, child: Any, kind: str, **fields: Any) -> None:
        self.parent.on_message(child, {"kind": kind, **fields})

    def start(self) -> Any:
        """A program that serves."""
        self.parent.start()
        child = self.starting
        self.tell(child, "ready")
        assert self.serving is child
        return child

    def fail(self, child: Any, text: str = "Oh", *, mistake: bool = True) -> None:
        failure = Failure(text, f"{text}\n", is_mistake=mistake)
        self.tell(child, "failure", **failure.as_message(printed=False))
        self.parent.on_end(child, 1)

    def pass_time(self) -> None:
        """Let the next moment come at which something is due."""
        dues = [self.parent.start_at, self.parent.warn_at]
        dues += [each.next_step for each in self.parent.children()]
        self.clock.now = min(dues)
        self.parent.turn()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


@pytest.fixture
def make_scene(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scene]:
    return lambda **options: Scene(monkeypatch, **options)


def test_the_old_process_is_drained_and_retired_once_the_new_one_is_ready(scene: Scene) -> None:
    old = scene.start()
    scene.parent.on_change(["/srv/a.py"])
    assert old.done == ["drain"]
    new = scene.starting
    scene.tell(new, "ready")
    assert old.done == ["drain", ("retire", 0.5)]
    assert scene.serving is new
    scene.parent.on_end(old, 0)
    assert scene.parent.children() == {new}
    assert scene.said == ["Detected change in '/srv/a.py', reloading", "Restarting with stat"]


def test_a_change_during_a_start_discards_what_was_starting(scene: Scene) -> None:
    scene.parent.start()
    first = scene.starting
    scene.parent.on_change(["/srv/a.py"])
    assert first.done == ["discard"]
    scene.fail(first)  # its last words do not matter
    assert scene.page.shown is None
    assert scene.starting is not first


def test_many_changes_are_counted_and_a_few_named(scene: Scene) -> None:
    scene.parent.on_change([f"/srv/{number}.py" for number in range(9)])
    assert scene.said[0].endswith("'/srv/2.py' and 6 more, reloading")


def test_changes_that_concern_browsers_are_passed_on(scene: Scene) -> None:
    scene.parent.on_change(["/srv/a.css"])  # nobody is there
    child = scene.start()
    scene.parent.on_change(["/srv/a.css"])
    assert child.done == [("live", {"paths": ["/srv/a.css"]})]
    assert scene.said == []


def test_a_failure_is_told_once_and_shown(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    old = scene.start()
    scene.parent.on_change(["/srv/a.py"])
    scene.fail(scene.starting, "SyntaxError")
    assert capsys.readouterr().err == "SyntaxError\n"
    assert scene.page.shown == Failure("SyntaxError", "SyntaxError\n", is_mistake=True)
    assert scene.page.details is True
    assert old.done[-1] == ("retire", 0.5)
    scene.parent.on_change(["/srv/a.py"])
    assert scene.page.shown is None


def test_what_the_program_has_printed_is_not_printed_again(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.parent.start()
    scene.tell(scene.starting, "failure", headline="no", text="", printed=True)
    scene.parent.on_end(scene.starting, 2)
    assert capsys.readouterr().err == ""
    assert scene.page.shown == Failure("no")


def test_an_end_without_a_word_is_shown_as_one(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.parent.start()
    scene.parent.on_end(scene.starting, 7)
    assert capsys.readouterr().err == "The program ended with exit code 7\n"
    assert scene.page.shown == Failure("The program ended with exit code 7")


def test_a_failure_beside_the_old_process_is_tried_again_without_it(scene: Scene) -> None:
    old = scene.start()
    scene.parent.on_change(["/srv/a.py"])
    scene.fail(scene.starting, "Address already in use", mistake=False)
    assert old.done[-1] == ("retire", 0.0)
    assert scene.parent.children() == {old}
    assert scene.page.shown is None
    scene.parent.on_end(old, 0)
    assert len(scene.parent.children()) == 1
    scene.fail(scene.starting, "Address already in use", mistake=False)
    assert scene.page.shown is not None


def test_a_second_attempt_begins_at_once_if_the_old_process_has_gone(scene: Scene) -> None:
    old = scene.start()
    scene.parent.on_change(["/srv/a.py"])
    new = scene.starting
    scene.parent.on_end(old, 0)
    scene.fail(new, "locked", mistake=False)
    assert scene.starting is not None
    assert scene.starting is not new


def test_without_overlap_the_old_process_ends_first(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(overlap=False)
    old = scene.start()
    scene.parent.on_change(["/srv/a.py"])
    assert old.done == [("retire", 0.0)]
    assert scene.starting is None
    scene.parent.on_end(old, -15)
    assert scene.starting is not None


@pytest.mark.parametrize("code", [0, -signal.SIGINT, 130])
def test_a_program_that_stops_itself_stops_everything(scene: Scene, code: int) -> None:
    scene.parent.on_end(scene.start(), code)
    assert scene.parent.exit_code == 0


def test_an_interrupt_during_the_start_stops_everything(scene: Scene) -> None:
    scene.parent.start()
    scene.parent.on_end(scene.starting, 130)
    assert scene.parent.exit_code == 0


def test_a_program_that_asks_for_it_is_started_anew(scene: Scene) -> None:
    scene.parent.on_end(scene.start(), AGAIN)
    child = scene.starting
    scene.parent.on_end(child, AGAIN)
    assert scene.starting is not None


def test_a_program_that_dies_is_started_again_after_longer_and_longer_pauses(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    for pause in PAUSES:
        child = scene.start()
        before = scene.clock.now
        scene.parent.on_end(child, -signal.SIGKILL)
        scene.pass_time()
        assert scene.clock.now == before + pause
        scene.parent.on_end(scene.starting, AGAIN)
        scene.parent.starting = None
    assert scene.said[0] == "The program was ended by SIGKILL; starting it again now"
    assert scene.said[1].endswith("in 0.5 s")
    scene.parent.on_end(scene.start(), -signal.SIGKILL)
    assert scene.page.shown is not None
    assert scene.parent.start_at == NEVER
    assert "ended by SIGKILL 5 times in a row" in scene.said[-2]


def test_a_program_that_has_served_for_long_begins_a_new_series(scene: Scene) -> None:
    for _ in range(len(PAUSES) * 2):
        child = scene.start()
        scene.clock.now += STABLE + 1
        scene.parent.on_end(child, 1)
        assert scene.parent.deaths == 1


def test_the_last_words_of_a_server_are_printed(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.fail(scene.start(), "RuntimeError")
    assert capsys.readouterr().err == "RuntimeError\n"


def test_a_long_start_is_said_once(scene: Scene) -> None:
    scene.parent.start()
    scene.pass_time()
    assert scene.said == ["still starting after 10 s; requests wait for it"]
    assert scene.parent.warn_at == NEVER


def test_processes_are_pressed_when_it_is_time(scene: Scene) -> None:
    child = scene.start()
    child.next_step = scene.clock.now + 1
    scene.pass_time()
    assert child.done == ["escalate"]


def test_signals_stop_and_a_second_one_does_not_wait(scene: Scene) -> None:
    child = scene.start()
    scene.parent.start()
    starting = scene.starting
    scene.parent.on_signal(signal.SIGTERM)
    assert child.done == [("retire", 1.0, "last")]
    assert starting.done == ["discard", ("retire", 1.0, "last")]
    scene.parent.on_signal(signal.SIGHUP)  # a terminal that closes sends several
    assert "kill" not in child.done
    scene.parent.on_signal(signal.SIGINT)
    assert child.done[-1] == "kill"


def test_while_stopping_nothing_is_started(scene: Scene) -> None:
    child = scene.start()
    scene.parent.start()
    starting = scene.starting
    scene.parent.stop(0)
    scene.parent.on_change(["/srv/a.py"])
    scene.parent.on_end(starting, 1)
    scene.parent.on_end(child, -9)
    assert scene.parent.children() == set()
    assert scene.page.shown is None


def test_what_was_good_and_what_was_tried_last_are_both_watched(scene: Scene) -> None:
    wanted: list[Inventory] = []

    def want(inventory: Inventory, since: int | None = None) -> None:
        wanted.append(inventory)

    scene.parent.watcher.want = want  # type: ignore[method-assign]
    scene.parent.start()
    good = Inventory(frozenset(["/srv/good"]))
    scene.tell(scene.starting, "watch", **good.as_message())
    scene.tell(scene.starting, "ready")
    scene.parent.on_change(["/srv/good/a.py"])
    tried = Inventory(files=frozenset(["/srv/tried.py"]))
    scene.tell(scene.starting, "watch", **tried.as_message())
    assert "/srv/good" in wanted[-1].roots
    assert "/srv/tried.py" in wanted[-1].files


def test_extra_files_and_folders_are_watched_from_the_beginning(
    make_scene: Callable[..., Scene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sql").mkdir()
    (tmp_path / "a.toml").write_text("")
    scene = make_scene(extra_files=("a.toml", "sql", "later"))
    monkeypatch.setattr(sys, "argv", [str(Path(sys.executable).with_name("flask"))])
    found = scene.parent.first_inventory()
    assert {str(tmp_path / "a.toml"), str(tmp_path / "later")} <= found.files
    assert found.folders == {str(tmp_path / "sql"), str(tmp_path / "later")}
    assert str(tmp_path) in found.roots
    (tmp_path / "sql").rmdir()
    monkeypatch.setattr(Path, "cwd", FileNotFoundError)  # as if the folder were gone
    assert str(tmp_path / "sql") in scene.parent.first_inventory().folders


def test_what_is_watched_is_shown_if_asked_for(
    make_scene: Callable[..., Scene], tmp_path: Path
) -> None:
    (tmp_path / "a.py").write_text("")
    scene = make_scene(show_watched=True)
    scene.parent.own = Inventory(frozenset([str(tmp_path)]))
    scene.start()
    assert f"watching 1 folder in {tmp_path} (stat, every 1 s)" in scene.said


def test_it_works_in_another_thread_than_the_main_one_without_signals(scene: Scene) -> None:
    codes: list[int] = []

    def run() -> None:
        scene.parent.events.put(lambda: scene.parent.stop(0))
        scene.parent.events.put(lambda: scene.parent.on_end(scene.starting, 0))
        codes.append(scene.parent.run())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert codes == [0]


def test_whatever_goes_wrong_no_process_is_left(scene: Scene) -> None:
    def fail() -> None:
        raise RuntimeError("ours")

    scene.parent.events.put(fail)
    with pytest.raises(RuntimeError):
        scene.parent.run()
    assert scene.starting.done == ["kill", "close"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "The program ended with exit code 0 without having served anything"),
        (1, "The program ended with exit code 1"),
        (-9, "The program was ended by SIGKILL"),
        (-200, "The program was ended by signal 200"),
    ],
)
def test_exit_codes_are_told_in_words(code: int, words: str) -> None:
    assert how_it_ended(code) == words


def test_lines_that_nobody_can_read_are_no_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell("text")
    assert capsys.readouterr().err == " * text\n"

    def fail(*_arguments: object, **_options: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(click, "echo", fail)
    tell("text")


def test_a_process_that_cannot_be_started_leaves_nothing_open() -> None:
    def ignore(*_arguments: object) -> None:
        """Nothing is told."""

    with pytest.raises(FileNotFoundError):
        Offspring(["/nowhere/python"], [], {}, ignore, ignore)


def test_compiled_code_of_changed_files_is_forgotten(tmp_path: Path) -> None:
    compiled = [Path(cache_from_source(str(tmp_path / name))) for name in ("a.py", "b.py")]
    compiled[0].parent.mkdir()
    for each in compiled:
        each.touch()
    forget_bytecode([str(tmp_path / "a.py"), str(tmp_path / "none.py"), str(tmp_path / "x.html")])
    assert [each.exists() for each in compiled] == [False, True]
