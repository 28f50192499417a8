"""gunicorn's settings: what becomes of each, from its file, its flags and its variables."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from stein.errors import ConfigurationError, Mistakes
from stein.server.hooks import ServerInfo, WorkerInfo, load_hook
from stein.server.settings import Settings
from stein.serving.configfile import FIELDS, FURTHER, PROGRAMS, ConfigFile, read_config
from stein.serving.configuration import Configuration, Wishes, configure
from stein.serving.gunicornconf import (
    address_in,
    read_gunicorn_flags,
    settle_timeout,
    split_flags,
)
from stein.serving.gunicorntable import FLAGS, OURS, REFUSED, TABLE, UNTOLD
from stein.serving.load import Given
from stein.serving.options import sift
from stein.serving.serve import serve_command

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "gunicorn.conf.py"
PAGE = Path(__file__).parents[2] / "docs" / "from-gunicorn.md"


def read(folder: Path, text: str) -> ConfigFile:
    (folder / NAME).write_text(text)
    return read_config(NAME, folder)


def given(file: ConfigFile) -> dict[str, Any]:
    settle_timeout([file], file.given.get("threads"))
    found = {**file.given, **file.further}
    return {
        name: each.texts if len(each.texts) > 1 else each.texts[0] for name, each in found.items()
    }


def from_flags(words: str) -> ConfigFile:
    file = ConfigFile("")
    read_gunicorn_flags(file, split_flags(words.split(), file))
    return file


def configured(folder: Path, environ: dict[str, str] | None = None, **wishes: Any) -> Configuration:
    return configure(Wishes(config=NAME, **wishes), environ or {}, folder)


# -- the table ------------------------------------------------------------------------------------


def test_the_table_has_every_setting_of_27() -> None:
    assert len(TABLE) == 120
    names = [*FIELDS, *FURTHER, "environment", "--config", "--check-config", "--print-config"]
    for row in TABLE.values():
        assert set(row.ours) <= set(names), row.name
        assert (row.fate == OURS) <= bool(row.ours), row.name
        assert row.fate == OURS or row.note, row.name


def test_the_page_has_the_same_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    assert [row[0] for row in rows] == list(TABLE)
    for name, flags, here, note in rows:
        row = TABLE[name]
        assert re.findall(r"`([^`]+)`", flags) == list(row.flags)
        assert re.findall(r"`([^`]+)`", here) == list(row.ours)
        assert here.startswith("**no**") is (row.fate == REFUSED)
        assert note == row.note


@pytest.mark.parametrize("name", [row.name for row in TABLE.values() if row.fate == REFUSED])
def test_what_is_refused_says_what_to_use_instead(tmp_path: Path, name: str) -> None:
    row = TABLE[name]
    text = f"def {name}(*args):\n    pass\n" if row.default is UNTOLD else f"{name} = object()\n"
    if name == "secure_scheme_headers":
        text = f"{name} = {{'X-SSL': 'yes'}}\n"
    (mistake,) = read(tmp_path, text).mistakes
    assert mistake.startswith(f"{NAME}:1: {name} = ")
    assert mistake.endswith(f": not here: {row.note}")


@pytest.mark.parametrize(
    "name",
    [row.name for row in TABLE.values() if row.fate == REFUSED and row.default is not UNTOLD],
)
def test_a_refused_setting_at_its_default_asks_for_nothing(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, f"{name} = {TABLE[name].default!r}\n").mistakes == []


# -- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("workers = 4", {"workers": "4"}),
        ("wsgi_app = 'shop:app'", {"app": "shop:app"}),
        ("bind = 'unix:/run/x'", {"bind": "unix:/run/x"}),
        ("bind = ['0.0.0.0', '[::1]:9', 'fd://3']", {"bind": ("0.0.0.0:8000", "[::1]:9", "fd:3")}),
        ("keepalive = 5", {"keep_alive": "5"}),
        ("timeout = 60", {"request_timeout": "60"}),
        ("timeout = 60\nworker_class = 'gthread'", {"heartbeat_timeout": "60"}),
        ("timeout = 60\nthreads = 4", {"heartbeat_timeout": "60", "threads": "4"}),
        ("accesslog = '-'", {"access_log_file": "-"}),
        ("accesslog = None", {"access_log": "off"}),
        ("errorlog = '/var/log/x'", {"error_log_file": "/var/log/x"}),
        ("loglevel = 'WARNING'", {"log_level": "warning"}),
        ("logconfig = 'log.ini'", {"log_config": "log.ini"}),
        ("logconfig_json = 'log.json'", {"log_config": "log.json"}),
        ("preload_app = True", {"preload": "on"}),
        ("pidfile = '/run/x.pid'", {"pid_file": "/run/x.pid"}),
        ("user = 'www-data'\ngroup = 33", {"user": "www-data", "group": "33"}),
        ("umask = 0o022", {"umask": "22"}),
        ("umask = '022'", {"umask": "22"}),
        ("umask = 18", {"umask": "22"}),
        ("cert_reqs = 2\nca_certs = 'x'", {"client_cert": "required", "client_ca": "x"}),
        ("import ssl\ncert_reqs = ssl.CERT_OPTIONAL", {"client_cert": "optional"}),
        ("control_socket_disable = True", {"control": "off"}),
        ("control_socket_disable = False", {}),
        ("limit_request_line = 4094", {"limit_request_line": "4094"}),
        ("limit_request_field_size = 100000", {"limit_header_bytes": "100000"}),
        ("limit_request_field_size = 8190", {"limit_header_bytes": "65536"}),
        ("worker_connections = 500", {"limit_connections": "500"}),
        ("worker_class = 'gevent'", {"worker_kind": "gevent"}),
        (
            "worker_class = 'x.GeventWorker'\nworker_connections = 500\nthreads = 4\ntimeout = 60",
            {"worker_kind": "gevent", "threads": "500", "heartbeat_timeout": "60"},
        ),
        (
            "forwarded_allow_ips = '10.0.0.1, 10.0.0.2'",
            {
                "trusted_proxies": ("10.0.0.1", "10.0.0.2", "unix"),
                "proxy_headers": "x-forwarded-proto",
                "drop_forwarded": "off",
            },
        ),
        (
            "forwarded_allow_ips = '*'",
            {
                "trusted_proxies": "*",
                "proxy_headers": "x-forwarded-proto",
                "drop_forwarded": "off",
            },
        ),
        (
            "forwarded_allow_ips = '*'\ndrop_forwarded = True\nproxy_headers = 'forwarded'",
            {"trusted_proxies": "*", "proxy_headers": "forwarded", "drop_forwarded": "on"},
        ),
        ("proxy_protocol = False", {"proxy_protocol": "off"}),
        (
            "proxy_protocol = 'v2'\nproxy_allow_ips = ['10.0.0.1']",
            {"proxy_protocol": "on", "trusted_proxies": ("10.0.0.1", "unix")},
        ),
        ("proxy_allow_ips = '10.0.0.1'", {}),
        ("pythonpath = 'src'", {"app_dir": "src"}),
        ("chdir = '/srv'", {"chdir": "/srv"}),
        ("secure_scheme_headers = {'X-FORWARDED-PROTO': 'https'}", {}),
        ("sendfile = True", {}),
        ("worker_tmp_dir = '/dev/shm'\nreuse_port = True", {"reuse_port": "on"}),
        (
            "statsd_host = 'unix:///run/statsd'\ndogstatsd_tags = 'a:b,c:d'",
            {"statsd": "unix:/run/statsd", "statsd_tags": ("a:b", "c:d")},
        ),
        ("max_rss = '300m'", {"max_rss": "300m"}),
    ],
)
def test_values(tmp_path: Path, text: str, ours: dict[str, Any]) -> None:
    file = read(tmp_path, text)
    assert file.mistakes == []
    assert given(file) == ours


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("worker_class = 'eventlet'", "not here: give worker_class = gevent"),
        ("worker_class = 'gevent_wsgi'", "not here: give worker_class = gevent"),
        ("worker_class = 'uvicorn.workers.UvicornWorker'", "an ASGI application needs an ASGI"),
        ("limit_request_line = 0", "there is always a limit; give it as a number"),
        ("cert_reqs = 7", "must be 0, 1 or 2"),
        ("umask = 'rwx'", "must be permission bits, such as 0o022"),
        ("pythonpath = 'a,b'", "one folder may be named; for several set PYTHONPATH"),
        ("raw_env = ['NAME']", "must be NAME=VALUE"),
        ("sendfile = False", "the kernel sends what wsgi.file_wrapper is given"),
        (
            "proxy_protocol = True\nforwarded_allow_ips = '1.1.1.1'\nproxy_allow_ips = '1.1.1.2'",
            "there is one list of proxies",
        ),
        ("bind = 7\nworkers = [1]", "workers = [1]: must be a text, a number, true or false"),
        (
            "secure_scheme_headers = 'X-FORWARDED-PROTO'",
            'must be a dict, such as {"X-FORWARDED-PROTO": "https"}',
        ),
        ("limit_request_line = '²'", "it cannot be used: ValueError: invalid literal for int()"),
    ],
)
def test_faults(tmp_path: Path, text: str, fault: str) -> None:
    mistakes = read(tmp_path, text).mistakes
    assert len(mistakes) == 1
    assert fault in mistakes[0]
    assert mistakes[0].startswith(f"{NAME}:")


def test_a_slip_is_told_which_gunicorn_would_not(tmp_path: Path) -> None:
    file = read(tmp_path, "import os\nworker = 4\nTIMEOUTS = 3\nprofile = 'x'\n")
    assert file.mistakes == [f"{NAME}:2: worker: gunicorn has no such setting; workers?"]


def test_the_environment_it_asks_for(tmp_path: Path) -> None:
    file = read(tmp_path, "raw_env = ['DJANGO_SETTINGS_MODULE=shop.settings', 'A=b=c']\n")
    assert file.variables == {"DJANGO_SETTINGS_MODULE": "shop.settings", "A": "b=c"}


def test_a_module_is_a_configuration_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf_as_module.py").write_text("workers = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert given(read_config("python:conf_as_module", tmp_path)) == {"workers": "3"}
    (tmp_path / "my.gunicorn.py").write_text("workers = 2\n")
    assert given(read_config("file:my.gunicorn.py", tmp_path)) == {"workers": "2"}


@pytest.mark.parametrize("name", ["no_such_package.conf", "breaking.conf"])
def test_a_module_whose_package_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "breaking").mkdir()
    (tmp_path / "breaking" / "__init__.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match=f"--config python:{name}: it cannot be imported"):
        read_config(f"python:{name}", tmp_path)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", "127.0.0.1:80"), ("tcp://0.0.0.0:80", "0.0.0.0:80"), (":80", ":80"),
        ("unix:///run/x", "unix:/run/x"), ("8000", ":8000"), ("localhost", "localhost:8000"),
        ("::1:80", "[::1]:80"), ("[::1]", "[::1]:8000"),
    ],
)  # fmt: skip
def test_addresses(text: str, address: str) -> None:
    assert address_in(text) == address


# -- what it leaves open --------------------------------------------------------------------------


def test_programs_rely_on_what_gunicorn_does_by_default(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("workers = 2\n")
    found = configured(tmp_path)
    settings, sources = found.settings, found.loaded.sources
    assert (settings.bind, settings.threads) == (("127.0.0.1:8000",), 1)
    assert settings.trusted_proxies == ("127.0.0.1", "::1", "unix")
    assert settings.proxy_headers == ("x-forwarded-proto",)
    assert not settings.drop_forwarded
    assert sources["bind"] == "gunicorn's default"
    assert settings.keep_alive == Settings().keep_alive
    assert found.notes == (
        (
            f"{NAME} leaves to gunicorn's defaults, and so it is here: bind 127.0.0.1:8000, "
            "drop_forwarded off, proxy_headers x-forwarded-proto, threads 1, "
            "trusted_proxies 127.0.0.1+::1+unix"
        ),
    )


def test_its_variables(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("")
    environ = {
        "PORT": "80", "WEB_CONCURRENCY": "3", "FORWARDED_ALLOW_IPS": "10.0.0.1",
        "GUNICORN_CMD_ARGS": "--threads 4 --timeout=9 -e 'A=b c' shop:app --bnid x -D",
    }  # fmt: skip
    with pytest.raises(Mistakes) as caught:
        configured(tmp_path, environ)
    assert caught.value.mistakes == (
        "GUNICORN_CMD_ARGS: --bnid: gunicorn has no such flag; did you mean --bind?",
        f"GUNICORN_CMD_ARGS: -D: not here: {TABLE['daemon'].note}",
    )
    environ["GUNICORN_CMD_ARGS"] = "--threads 4 --timeout=9 -e 'A=b c' shop:app"
    found = configured(tmp_path, environ)
    assert found.settings.bind == ("0.0.0.0:80",)
    assert found.settings.workers == 3
    assert found.settings.trusted_proxies == ("10.0.0.1", "unix")
    assert (found.settings.threads, found.settings.heartbeat_timeout) == (4, 9)
    assert found.app == "shop:app"
    assert found.variables == {"A": "b c"}
    assert found.loaded.sources["threads"] == "GUNICORN_CMD_ARGS: --threads"
    with pytest.raises(ConfigurationError, match="GUNICORN_CMD_ARGS=--x 'y: No closing quotation"):
        configured(tmp_path, {"GUNICORN_CMD_ARGS": "--x 'y"})


@pytest.mark.parametrize(
    ("file", "words", "environ"),
    [
        ("timeout = 60", "--threads 4", {}),
        ("timeout = 60", "-k gthread", {}),
        ("timeout = 60", "", {"STEIN_THREADS": "4"}),
        ("timeout = 60", "", {"GUNICORN_CMD_ARGS": "--threads 4"}),
        ("timeout = 60", "", {"GUNICORN_CMD_ARGS": "-k gthread"}),
        ("threads = 4", "-t 60", {}),
        ("threads = 4", "", {"GUNICORN_CMD_ARGS": "-t 60"}),
        ("worker_class = 'gthread'", "-t 60", {}),
        ("timeout = 60\nworker_class = 'sync'", "-k gthread", {}),
        ("timeout = 30\nthreads = 4", "-t 60", {}),
    ],
)
def test_a_timeout_means_what_it_does_with_the_threads_of_another_source(
    tmp_path: Path, file: str, words: str, environ: dict[str, str]
) -> None:
    ours, foreign, mistakes = sifted(*words.split())
    assert mistakes == []
    flags = {"threads": Given("--threads", (ours[-1],))} if ours else {}
    (tmp_path / NAME).write_text(f"{file}\n")
    settings = configured(tmp_path, environ, flags=flags, foreign=foreign).settings
    assert (settings.heartbeat_timeout, settings.request_timeout) == (60, 0)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("timeout = 60\nthreads = 4", "--threads 1"),
        ("timeout = 60\nworker_class = 'gthread'", "-k sync"),
        ("", "-t 60"),
    ],
)
def test_a_timeout_is_that_of_a_request_where_there_is_one_thread(
    tmp_path: Path, file: str, words: str
) -> None:
    ours, foreign, _ = sifted(*words.split())
    flags = {"threads": Given("--threads", (ours[-1],))} if ours else {}
    (tmp_path / NAME).write_text(f"{file}\n")
    found = configured(tmp_path, flags=flags, foreign=foreign)
    assert found.settings.request_timeout == 60
    assert found.loaded.sources["heartbeat_timeout"] == "default"


@pytest.mark.parametrize(
    ("text", "environ", "mode", "source"),
    [
        ("bind = 'unix:/run/x'", {}, 0o777, "gunicorn's default"),
        ("bind = ['127.0.0.1:80', 'unix:/run/x']\numask = 0o007", {}, 0o770, "gunicorn's default"),
        ("umask = '0027'", {"STEIN_BIND": "unix:/run/x"}, 0o750, "gunicorn's default"),
        ("bind = 'unix:/run/x'", {"STEIN_UMASK": "022"}, 0o755, "gunicorn's default"),
        ("bind = 'unix:/run/x'\nunix_mode = 0o600", {}, 0o600, f"{NAME}:2"),
        ("bind = 'unix:/run/x'", {"STEIN_UNIX_MODE": "660"}, 0o660, "STEIN_UNIX_MODE"),
        ("umask = 0o077", {}, Settings().unix_mode, "default"),
    ],
)
def test_a_unix_socket_is_as_open_as_gunicorns(
    tmp_path: Path, text: str, environ: dict[str, str], mode: int, source: str
) -> None:
    (tmp_path / NAME).write_text(f"{text}\n")
    found = configured(tmp_path, environ)
    assert found.settings.unix_mode == mode
    assert found.loaded.sources["unix_mode"] == source


def test_a_umask_that_is_none_is_complained_about_once(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("bind = 'unix:/run/x'\n")
    with pytest.raises(ConfigurationError, match="STEIN_UMASK=9: must be permission bits"):
        configured(tmp_path, {"STEIN_UMASK": "9"})


def test_a_file_that_was_not_read_is_mentioned(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("workers = 2\n")
    assert configure(Wishes(), {}, tmp_path).notes == (
        f"{NAME} is here and was not read; to use it, give --config {NAME}",
    )


# -- flags ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        ("-w 4 -k gthread --threads=2", {"workers": "4", "threads": "2"}),
        ("-b :80 -b unix:/run/x", {"bind": (":80", "unix:/run/x")}),
        ("-t30", {"request_timeout": "30"}),
        ("--access-logfile - --error-logfile -", {"access_log_file": "-", "error_log_file": "-"}),
        ("--preload --no-control-socket", {"preload": "on", "control": "off"}),
        ("--proxy-protocol v1", {"proxy_protocol": "on"}),
        ("shop:app", {"app": "shop:app"}),
        ("--check-config --print-config", {}),
    ],
)
def test_flags(words: str, ours: dict[str, Any]) -> None:
    file = from_flags(words)
    assert file.mistakes == []
    assert given(file) == ours


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("-D", "-D: not here: run it under a service manager"),
        ("--no-sendfile", "--no-sendfile: not here: the kernel sends"),
        ("--keep-alive", "--keep-alive: a value belongs to it"),
        ("--umask x", "--umask x: not here: must be permission bits"),
        ("-w many", ""),
    ],
)
def test_faults_of_flags(words: str, fault: str) -> None:
    mistakes = from_flags(words).mistakes
    assert mistakes[0].startswith(fault) if fault else not mistakes


def sifted(*words: str) -> tuple[list[str], list[tuple[str, str | None]], list[str]]:
    return sift(words, serve_command.flags_of_mine())


@pytest.mark.parametrize(
    ("words", "ours", "theirs"),
    [
        ("-w 4 app:app", "-w 4 app:app", []),
        ("-w4 -t 30 app:app", "-w4 app:app", [("-t", "30")]),
        ("--timeout=30 app:app -k gthread", "app:app", [("--timeout", "30"), ("-k", "gthread")]),
        ("-p 5000 app:app", "-p 5000 app:app", []),
        ("-p run/app.pid app:app", "app:app", [("-p", "run/app.pid")]),
        ("-R app:app -kgthread", "app:app", [("-R", None), ("-k", "gthread")]),
        ("--threads=2 -- --timeout", "--threads=2 -- --timeout", []),
        ("app:app -t", "app:app", [("-t", None)]),
        ("--check-config -c x.toml", "--check-config -c x.toml", []),
        ("--proxy-protocol=on -", "--proxy-protocol=on -", []),
    ],
)
def test_our_flags_are_kept_and_gunicorns_taken_out(
    words: str, ours: str, theirs: Sequence[tuple[str, str | None]]
) -> None:
    assert sifted(*words.split()) == (ours.split(), list(theirs), [])


def test_flags_of_nobody_are_told_with_the_nearest() -> None:
    rest, theirs, unknown = sifted("--thraeds", "4", "--zzz=1", "shop:app", "--xqj", "shop:app")
    assert (rest, theirs) == (["shop:app", "shop:app"], [])
    assert unknown == [
        "--thraeds: there is no such flag; did you mean --threads?",
        "--zzz: there is no such flag; stein serve --help shows all",
        "--xqj: there is no such flag; stein serve --help shows all",
    ]


def test_no_flag_of_gunicorns_means_something_else_here() -> None:
    shared = {flag for flag in serve_command.flags_of_mine() if flag in FLAGS}
    ours = {flag: name for name, item in FIELDS.items() for flag in item.metadata["flags"]}
    for flag in shared - {"-p", "-c", "--config", "--check-config", "--print-config", "--chdir"}:
        name = ours.get(flag, flag.removeprefix("--").replace("-", "_"))
        assert name in FLAGS[flag].ours, flag


# -- hooks ----------------------------------------------------------------------------------------

PROGRAM = """
seen = []

def on_starting(server):
    seen.append(("on_starting", server.cfg.workers, server.address))

def when_ready(server):
    server.log.info("ready")
    seen.append(("when_ready", server.pid))

def post_fork(server, worker):
    seen.append(("post_fork", worker.age, worker.pid))

def post_worker_init(worker):
    seen.append(("post_worker_init", worker.age))

def worker_exit(server, worker):
    seen.append(("worker_exit", worker.pid))

def child_exit(server, worker):
    seen.append(("child_exit", worker.pid))
"""


def test_its_hooks_are_called_with_what_they_expect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = read(tmp_path, PROGRAM)
    assert file.mistakes == []
    later: list[Any] = []
    fake = SimpleNamespace(register=lambda *call: later.append(call))
    monkeypatch.setattr("stein.serving.gunicornhooks.atexit", fake)
    seen = PROGRAMS[str(tmp_path / NAME)]["seen"]
    settings = Settings(workers=3)
    calls = {
        "on_start": ServerInfo(7, settings, ("http://127.0.0.1:1",)),
        "when_ready": ServerInfo(7, settings, ()),
        "worker_start": WorkerInfo(8, 1, settings),
        "worker_exit": WorkerInfo(8, 1, settings, f"killed by {signal.SIGKILL}"),
    }
    for name, info in calls.items():
        load_hook(file.given[name].texts[0], name)(info)
    assert seen == [
        ("on_starting", 3, ["http://127.0.0.1:1"]),
        ("when_ready", 7),
        ("post_fork", 2, 8),
        ("post_worker_init", 2),
        ("child_exit", 8),
    ]
    ((function, *arguments),) = later
    function(*arguments)
    assert seen[-1] == ("worker_exit", 8)


def test_its_logging_dictionary_is_found_in_each_process(tmp_path: Path) -> None:
    from stein.serving.logconfig import read_log_config

    file = read(tmp_path, "logconfig_dict = {'handlers': {}}\n")
    PROGRAMS.clear()
    assert read_log_config(file.given["log_config"].texts[0]) == {"handlers": {}}
