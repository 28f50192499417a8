"""The reloader with real processes, files and sockets: what is never to happen, does not."""

from __future__ import annotations

import http.client
import os
import random
import shutil
import signal
import socket
import ssl
import threading
from pathlib import Path

import pytest

from tests.serving.reloader.program import (
    SOURCE,
    Program,
    can_bind,
    children_of,
    eventually,
    free_port,
    is_alive,
    is_open,
)

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux for processes"),
]

BROKEN = "this is = no Python\n"


@pytest.mark.parametrize("engine", ["auto", "stat"])
def test_a_save_is_answered_by_the_new_code(tmp_path: Path, engine: str) -> None:
    with Program(tmp_path, options=f", reloader_type={engine!r}") as program:
        program.wait_until_up()
        for value in (1, 2, 3):
            program.save(value)
            program.wait_for_answer(200, str(value))
        assert len(program.children()) <= 2
    assert f"Detected change in {str(tmp_path / 'app.py')!r}, reloading" in program.output


def test_a_quiet_connection_is_closed_and_from_then_on_only_new_code_answers(
    tmp_path: Path,
) -> None:
    with Program(tmp_path) as program:
        program.wait_until_up()
        for value in (1, 2, 3):
            with socket.create_connection(("127.0.0.1", program.port), 20) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert client.recv(4096).startswith(b"HTTP/1.1 200")
                program.save(value)
                assert client.recv(1) == b""
            assert program.get() == (200, str(value))


def test_a_broken_save_is_shown_and_heals_with_the_next(tmp_path: Path) -> None:
    with Program(tmp_path, options=", live_reload=True") as program:
        program.wait_until_up()
        program.save_text(BROKEN)
        eventually(lambda: program.get()[0] == 500)
        program.wait_for_line("SyntaxError")
        assert program.output.count("SyntaxError") == 1
        eventually(lambda: not program.children())
        program.save(5)
        program.wait_for_answer(200, "5")


def test_a_module_that_could_not_be_imported_is_watched(tmp_path: Path) -> None:
    part = tmp_path / "parts" / "one.py"
    part.parent.mkdir()
    with Program(tmp_path) as program:
        program.wait_until_up()
        part.write_text("1 +\n")
        program.save(1, more="from parts import one")
        program.wait_for_line("not running")
        part.write_text("X = 1\n")
        program.wait_for_answer(200, "1")


@pytest.mark.parametrize("engine", ["auto", "stat"])
def test_what_is_removed_is_watched_again_when_it_is_back(tmp_path: Path, engine: str) -> None:
    parts, conf = tmp_path / "far" / "parts", tmp_path / "far" / "conf"
    for folder in (parts, conf):
        folder.mkdir(parents=True)
    (parts / "part.py").write_text("")
    (conf / "x.toml").write_text("0")
    project = tmp_path / "project"
    project.mkdir()
    more = (
        "import part\n"
        "from pathlib import Path\n"
        f"conf = Path({str(conf / 'x.toml')!r})\n"
        "VALUE = conf.read_text() if conf.exists() else 'none'\n"
    )
    with Program(
        project,
        options=f", extra_files=[{str(conf)!r}], reloader_type={engine!r}",
        more=more,
        env={"PYTHONPATH": f"{SOURCE}{os.pathsep}{parts}"},
    ) as program:
        program.wait_until_up()
        shutil.rmtree(conf)
        program.wait_for_answer(200, "none")
        for value in ("1", "22"):
            conf.mkdir(exist_ok=True)
            (conf / "x.toml").write_text(value)
            program.wait_for_answer(200, value)
        parts.rename(tmp_path / "away")
        program.wait_for_answer(500, "could not be started")
        (tmp_path / "away").rename(parts)
        program.wait_for_answer(200, "22")


COMMAND = ("-m", "stein", "run", "--debug", "--exclude-patterns", f"{SOURCE}/*", "--port")
COMMANDED = """\
from stein import Stein
{more}
app = Stein(__name__)

@app.get("/")
def index():
    return {value!r}
"""


def test_the_command_never_imports_the_program_where_the_reloader_is(tmp_path: Path) -> None:
    told = "import sys, os; print('imported by', os.getpid(), file=sys.stderr)"
    (tmp_path / "app.py").write_text(COMMANDED.format(value="0", more=told))
    port = str(free_port())
    with Program(tmp_path, *COMMAND, port) as program:
        program.port = int(port)
        program.wait_until_up()
        seen = len(program.lines)
        program.save_text(BROKEN)
        program.wait_for_line("not running", after=seen)
        status, text = program.get(accept="text/html")
        assert status == 500
        assert "<h1>SyntaxError" in text
        assert "this is = no Python" in text
        program.save_text(COMMANDED.format(value="1", more=told))
        program.wait_for_answer(200, "1")
        assert f"imported by {program.process.pid}\n" not in program.output
    assert program.output.count("this is = no Python") == 1


def test_the_command_waits_if_the_program_is_broken_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import nowhere_to_be_found\n")
    port = str(free_port())
    with Program(tmp_path, *COMMAND, port) as program:
        program.port = int(port)
        program.wait_for_line("not running")
        status, text = program.get()
        assert status == 500
        assert "No module named 'nowhere_to_be_found'" in text
        program.save_text(COMMANDED.format(value="1", more=""))
        program.wait_for_answer(200, "1")


def test_settings_files_are_watched_and_read_anew(tmp_path: Path) -> None:
    pytest.importorskip("dotenv")
    (tmp_path / ".env").write_text("FIRST=a\n")
    (tmp_path / "settings.json").write_text('{"SECOND": "b"}')
    (tmp_path / "app.py").write_text(
        "import json, os\n"
        "from stein import Stein\n"
        "app = Stein(__name__)\n"
        "app.config.from_file('settings.json', load=json.load)\n"
        "@app.get('/')\n"
        "def index():\n"
        "    return os.environ['FIRST'] + app.config['SECOND']\n"
    )
    port = str(free_port())
    with Program(tmp_path, *COMMAND, port) as program:
        program.port = int(port)
        program.wait_until_up()
        assert program.get() == (200, "ab")
        (tmp_path / "settings.json").write_text('{"SECOND": "c"}')
        program.wait_for_answer(200, "ac")
        (tmp_path / ".env").write_text("FIRST=d\n")
        program.wait_for_answer(200, "dc")
        (tmp_path / "settings.json").write_text("{")
        program.wait_for_answer(500, "JSONDecodeError")
        (tmp_path / "settings.json").write_text('{"SECOND": "e"}')
        program.wait_for_answer(200, "de")


def test_200_saves_broken_and_good_leave_one_good_server(tmp_path: Path) -> None:
    with Program(tmp_path) as program:
        program.wait_until_up()
        dice = random.Random(5)
        pause = threading.Event()
        for value in range(200):
            if dice.random() < 0.4:
                program.save_text(dice.choice([BROKEN, "", "1 / 0\n", "import nowhere\n"]))
            else:
                program.save(value)
            pause.wait(dice.choice([0, 0, 0.01, 0.05, 0.15]))
        program.save("the last")
        program.wait_for_answer(200, "the last")
        eventually(lambda: len(program.children()) == 1)
        pid = program.process.pid
    assert not children_of(pid)
    assert can_bind(program.port)


def test_a_parent_that_is_killed_takes_its_child_along(tmp_path: Path) -> None:
    with Program(tmp_path) as program:
        program.wait_until_up()
        (child,) = program.children()
        program.signal(signal.SIGKILL)
        program.wait()
        eventually(lambda: not is_alive(child))
        eventually(lambda: can_bind(program.port))


def test_a_parent_that_is_killed_during_a_reload_leaves_nobody(tmp_path: Path) -> None:
    busy = "import time\nif VALUE: time.sleep(30)"
    with Program(tmp_path, more=busy) as program:
        program.wait_until_up()
        seen = len(program.lines)
        program.save(1, more=busy)
        program.wait_for_line("Restarting", after=seen)
        eventually(lambda: bool(program.children()))
        children = program.children()
        program.signal(signal.SIGKILL)
        program.wait()
        eventually(lambda: not any(is_alive(each) for each in children))
        eventually(lambda: can_bind(program.port))


def test_a_child_that_holds_the_interpreter_dies_with_its_parent(tmp_path: Path) -> None:
    stuck = (
        "import re, sys\n"
        "if VALUE:\n"
        "    print('stuck', file=sys.stderr)\n"
        "    re.match('(a|a)*b', 'a' * 60)\n"
    )
    with Program(tmp_path, more=stuck) as program:
        program.wait_until_up()
        program.save(1, more=stuck)
        program.wait_for_line("stuck")
        children = program.children()
        program.signal(signal.SIGKILL)
        program.wait()
        eventually(lambda: not any(is_alive(each) for each in children))


def test_a_child_that_is_killed_is_started_again(tmp_path: Path) -> None:
    with Program(tmp_path) as program:
        program.wait_until_up()
        (child,) = program.children()
        os.kill(child, signal.SIGKILL)
        program.wait_for_line("ended by SIGKILL; starting it again now")
        assert program.get() == (200, "0")
        assert program.children() != [child]


def test_a_child_that_is_killed_while_it_starts_leaves_a_page(tmp_path: Path) -> None:
    deadly = "import os, signal\nif VALUE: os.kill(os.getpid(), signal.SIGKILL)"
    with Program(tmp_path, more=deadly) as program:
        program.wait_until_up()
        program.save(1, more=deadly)
        program.wait_for_line("not running")
        assert program.get()[0] == 500
        program.save(0, more=deadly)
        program.wait_for_answer(200, "0")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_to_the_parent_end_both_and_free_the_port(tmp_path: Path, number: int) -> None:
    with Program(tmp_path) as program:
        program.wait_until_up()
        children = program.children()
        program.signal(number)
        assert program.wait() == 0
        assert not any(is_alive(each) for each in children)
        assert can_bind(program.port)


def test_a_second_interrupt_does_not_wait_for_calls(tmp_path: Path) -> None:
    more = (
        "import signal, time, threading\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if VALUE:\n"
        "    threading.Thread(target=time.sleep, args=(60,)).start()\n"
    )
    with Program(tmp_path) as program:
        program.wait_until_up()
        program.save(1, more=more)
        program.wait_for_answer(200, "1")
        program.signal(signal.SIGINT)
        program.signal(signal.SIGINT)
        assert program.wait() == 0
        assert can_bind(program.port)


def test_a_program_that_stops_itself_stops_the_reloader(tmp_path: Path) -> None:
    with Program(tmp_path) as program:
        program.wait_until_up()
        (child,) = program.children()
        os.kill(child, signal.SIGINT)
        assert program.wait() == 0


AFTER = """\
import atexit, sys
def tell(*words):
    print(*words, VALUE, file=sys.stderr)
atexit.register(tell, "at exit")
"""


def test_behind_the_call_a_program_goes_on_when_all_is_stopped_and_not_at_a_reload(
    tmp_path: Path,
) -> None:
    class Ending(Program):
        def source(self, value: object, more: str = "") -> str:
            text = super().source(value, f"{AFTER}{more}")
            text = text.replace("    run_simple(", "    try: run_simple(")
            return f"{text}    finally: tell('at last')\n    tell('after')\n"

    with Ending(tmp_path) as program:
        program.wait_until_up()
        for value in (1, 2):
            program.save(value)
            program.wait_for_line(f"at exit {value - 1}")
            program.wait_for_answer(200, str(value))
        assert "after" not in program.output
        assert "at last 1" in program.output
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        program.close()
        assert [line for line in program.lines if "2" in line][-3:] == [
            "at last 2\n",
            "after 2\n",
            "at exit 2\n",
        ]


def test_a_child_that_was_told_to_leave_reloading_to_its_parent_says_that_it_is_ready(
    tmp_path: Path,
) -> None:
    class Once(Program):
        def source(self, value: object, more: str = "") -> str:
            text = super().source(value, f"import os\n{more}")
            return text.replace(
                "use_reloader=True", "use_reloader=os.environ.get('WERKZEUG_RUN_MAIN') != 'true'"
            )

    with Once(tmp_path, options=", show_watched=True") as program:
        program.wait_until_up()
        program.wait_for_line("watching .* folder")  # said when it is ready
        for value in (1, 2):
            program.save(value)
            program.wait_for_answer(200, str(value))
        program.save_text(BROKEN)
        program.wait_for_answer(500, "could not be started")


def test_the_debuggers_pin_stays_the_same_and_is_in_nobodys_environment(tmp_path: Path) -> None:
    more = (
        "import os, subprocess\n"
        "from pathlib import Path\n"
        "class Value:\n"
        "    def __str__(self):\n"
        "        from stein.toolkit.debugger.pin import drawn\n"
        "        seen = [Path('/proc/self/environ').read_text(), repr(os.environ)]\n"
        "        seen.append(subprocess.run(['env'], capture_output=True, text=True).stdout)\n"
        "        secrets = [drawn().pin, drawn().key.hex()]\n"
        "        shown = [each for each in secrets if any(each in text for text in seen)]\n"
        "        return f'{NUMBER} {secrets} {shown}'\n"
        "NUMBER, VALUE = VALUE, Value()\n"
    )

    class Debugged(Program):
        def source(self, value: object, more: str = "") -> str:
            return super().source(value, more).replace("use_debugger=False", "use_debugger=True")

    with Debugged(tmp_path, more=more) as program:
        program.wait_until_up()
        answers = set()
        for value in (1, 2):
            program.save(value, more)
            program.wait_for_answer(200, f"{value} ")
            answers.add(program.get()[1].partition(" ")[2])
        (answer,) = answers
        assert answer.endswith("[]")
        pin = program.wait_for_line(r"Debugger PIN: (\S+)")[1]
        assert pin in answer


def test_a_certificate_made_on_the_spot_outlasts_reloads_and_leaves_no_file(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    folder, temporary = tmp_path / "project", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    told = "import sys\nprint('imported', VALUE, file=sys.stderr)"
    with Program(
        folder, options=", ssl_context='adhoc'", more=told, env={"TMPDIR": str(temporary)}
    ) as program:
        eventually(lambda: is_open(program.port))
        address = ("127.0.0.1", program.port)
        certificates = {ssl.get_server_certificate(address)}
        program.save(1, more=told)
        program.wait_for_line("imported 1")
        certificates.add(ssl.get_server_certificate(address))
        program.save_text(BROKEN)
        program.wait_for_line("not running")
        certificates.add(ssl.get_server_certificate(address))
        assert len(certificates) == 1
        program.save(2, more=told)
        program.wait_for_line("imported 2")
        (child,) = program.children()
        assert "KEY" not in Path(f"/proc/{child}/environ").read_text()
        program.signal(signal.SIGKILL)
        program.wait()
        eventually(lambda: not is_alive(child))
        assert list(temporary.iterdir()) == []


def test_a_program_that_the_child_starts_takes_no_descriptor_of_its_for_a_socket(
    tmp_path: Path,
) -> None:
    inner = tmp_path / "inner.py"
    inner.write_text(
        "import sys\n"
        "from stein.serving.run import run_simple\n"
        "files = [open(__file__) for _ in range(9)]\n"  # one has the number of the socket
        "run_simple('127.0.0.1', int(sys.argv[1]), lambda environ, start: start('200 OK', []))\n"
    )
    port = free_port()
    more = (
        "import os, subprocess, sys\n"
        "if os.environ.get('WERKZEUG_RUN_MAIN') == 'true':\n"
        f"    other = subprocess.Popen([sys.executable, {str(inner)!r}, {str(port)!r}])\n"
        "    import atexit\n"
        "    atexit.register(lambda: (other.terminate(), other.wait()))\n"
    )
    with Program(tmp_path, more=more) as program:
        program.wait_until_up()
        eventually(lambda: is_open(port))
    assert "Bad file descriptor" not in program.output


def test_an_open_stream_does_not_hold_up_a_reload(tmp_path: Path) -> None:
    stream = (
        "import time\n"
        "def drops():\n"
        "    while True:\n"
        "        yield b'drop\\n'\n"
        "        time.sleep(0.05)\n"
        "def streaming(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/event-stream')])\n"
        "    return drops()\n"
    )
    with Program(tmp_path) as program:
        program.wait_until_up()
        text = program.source(1, more=stream).replace(
            '    start_response("200 OK"',
            '    if environ["PATH_INFO"] == "/stream":\n'
            "        return streaming(environ, start_response)\n"
            '    start_response("200 OK"',
        )
        program.save_text(text)
        program.wait_for_answer(200, "1")
        (old,) = program.children()
        with socket.create_connection(("127.0.0.1", program.port)) as client:
            client.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(10)
            program.save(2)
            program.wait_for_answer(200, "2")
            eventually(lambda: not is_alive(old))
            client.settimeout(20)
            while client.recv(4096):
                pass


def test_port_0_stays_the_same_port(tmp_path: Path) -> None:
    with Program(tmp_path) as program:
        program.wait_until_up()
    (tmp_path / "app.py").unlink()
    with Program(tmp_path, "-c", "import app0") as program:
        text = program.source(0).replace(f'"127.0.0.1", {program.port}', '"127.0.0.1", 0')
        (tmp_path / "app0.py").write_text(text.replace('__name__ == "__main__"', "True"))
    with Program(tmp_path, "-m", "app0") as program:
        port = int(program.wait_for_line(r"Running on http://127\.0\.0\.1:(\d+)")[1])
        program.port = port
        program.file = tmp_path / "app0.py"
        program.wait_until_up()
        for value in (1, 2):
            program.save_text(program.file.read_text().replace(f"{value - 1}\n", f"{value}\n", 1))
            program.wait_for_answer(200, str(value))
        assert is_open(port)


def test_no_request_is_lost_over_many_reloads(tmp_path: Path) -> None:
    with Program(tmp_path) as program:
        program.wait_until_up()
        over = threading.Event()
        faults: list[object] = []
        counts = [0] * 4

        def ask(place: int) -> None:
            client = http.client.HTTPConnection("127.0.0.1", program.port, timeout=20)
            while not over.is_set():
                try:
                    client.request("GET", "/")
                    answer = client.getresponse()
                    answer.read()
                    if answer.status != 200:
                        faults.append(answer.status)
                except (OSError, http.client.HTTPException) as error:
                    faults.append(error)
                    client.close()
                counts[place] += 1
            client.close()

        threads = [threading.Thread(target=ask, args=(place,)) for place in range(4)]
        for thread in threads:
            thread.start()
        for value in range(1, 9):
            program.save(value)
            program.wait_for_answer(200, str(value))
        over.set()
        for thread in threads:
            thread.join()
        assert faults == []
        assert min(counts) > 8


def test_many_saves_at_once_are_one_reload(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"part{number}.py").write_text("")
    with Program(tmp_path) as program:
        program.wait_until_up()
        for number in range(50):
            (tmp_path / f"part{number}.py").write_text("X = 1\n")
        program.save(1)
        program.wait_for_answer(200, "1")
        assert program.output.count("Restarting") <= 3


def test_the_old_process_may_hold_what_the_new_one_wants(tmp_path: Path) -> None:
    with Program(tmp_path) as program:
        program.wait_until_up()
        other = socket.socket()
        other.bind(("127.0.0.1", 0))
        number = other.getsockname()[1]
        other.close()
        side = (
            "import socket, os\n"
            "if os.environ.get('WERKZEUG_RUN_MAIN') == 'true':\n"
            f"    side = socket.create_server(('127.0.0.1', {number}))\n"
        )
        for value in (1, 2, 3):
            program.save(value, more=side)
            program.wait_for_answer(200, str(value))
        assert "Address already in use" not in program.output
