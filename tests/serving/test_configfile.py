"""Configuration files: what they say, and where each mistake stands."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.errors import ConfigurationError
from stein.serving.configfile import ConfigFile, read_config

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path, text: str, name: str = "stein.toml") -> ConfigFile:
    (folder / name).write_text(text)
    return read_config(name, folder)


def values(file: ConfigFile) -> dict[str, tuple[str, ...]]:
    assert file.mistakes == []
    return {name: each.texts for name, each in {**file.given, **file.further}.items()}


def test_values_of_every_kind(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        """
app = "shop:app"
workers = "auto"
threads = 8
bind = ["127.0.0.1:8000", "unix:/run/shop.sock"]
trusted_proxies = "10.0.0.1, unix"
preload = true
keep_alive = 2.5
head_timeout = "30s"
limit_body = "2m"
unix_mode = 0o660
umask = "022"
""",
    )
    assert values(file) == {
        "app": ("shop:app",),
        "workers": ("auto",),
        "threads": ("8",),
        "bind": ("127.0.0.1:8000", "unix:/run/shop.sock"),
        "trusted_proxies": ("10.0.0.1", "unix"),
        "preload": ("on",),
        "keep_alive": ("2.5",),
        "head_timeout": ("30s",),
        "limit_body": ("2m",),
        "unix_mode": ("660",),
        "umask": ("022",),
    }
    assert file.given["threads"].source == "stein.toml:4"
    assert str(file.given["threads"]) == "stein.toml:4: threads = 8"


def test_all_mistakes_are_told_with_their_lines(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        """threads = 8
thread = 9
keep-alive = 5
umask = 22
bind = 8000
app = 7
server_header = 7
threads.x = 1
"""[: -len("threads.x = 1\n")]
        + "[tls]\ncertfile = 'x'\n",
    )
    assert file.mistakes == [
        "stein.toml:2: thread: there is no such setting; did you mean threads?",
        "stein.toml:3: keep-alive: there is no such setting; did you mean keep_alive?",
        'stein.toml:4: umask = 22: permission bits are octal; write "22" or 0o22',
        "stein.toml:5: bind = 8000: must be a text, or a list of texts",
        "stein.toml:6: app = 7: must be a text",
        "stein.toml:7: server_header = 7: must be a text",
        "stein.toml:8: [tls]: there are no tables here; write the settings without them",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("threads = 1979-05-27", "must be a text, a number, true or false"),
        ("sni = [1]", "must be a text, or a list of texts"),
        ("zzzz = 1", "there is no such setting (stein serve --print-config shows all)"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, fault: str) -> None:
    (mistake,) = read(tmp_path, text).mistakes
    assert mistake.endswith(fault)


def test_a_table_in_pyproject(tmp_path: Path) -> None:
    text = "[project]\nname = 'x'\nthreads = 1\n\n[tool.stein]\nthreads = 4\nwrong = 1\n"
    file = read(tmp_path, text, "pyproject.toml")
    assert file.given["threads"].texts == ("4",)
    assert file.given["threads"].source == "pyproject.toml:6"
    assert file.mistakes[0].startswith("pyproject.toml:7: wrong: ")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("stein.toml", "threads = ", r"stein\.toml: Invalid value \(at "),
        ("stein.yaml", "", r"--config stein\.yaml: must be a \.toml file, a \.py file"),
        (
            "conf.py",
            "import nothing_there",
            r"the configuration file raised .*conf\.py:1: ModuleNotF",
        ),
        ("conf.py", "x = = 1", r"the configuration file raised .*conf\.py:1: SyntaxError"),
        (
            "conf.py",
            "import sys\nsys.exit('no database')",
            r"the configuration file raised .*conf\.py:2: SystemExit: no database",
        ),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read(tmp_path, text, name)


@pytest.mark.parametrize(
    "name", ["none.toml", "gunicorn.conf.py", "python:no_such_module_anywhere"]
)
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"--config {name}: "):
        read_config(name, tmp_path)


def test_a_program(tmp_path: Path) -> None:
    (tmp_path / "beside_conf.py").write_text("WORKERS = 3\n")
    file = read(
        tmp_path,
        """
import os
from beside_conf import WORKERS
from collections import OrderedDict as threadz

cpu = 2
if cpu:
    threads = 4
threads = cpu * 4
workers = WORKERS
umask = 0o022
preload = None
binds = "x"
_backlogs = 1

def on_start(info):
    pass
""",
        "conf.py",
    )
    assert file.given["threads"].texts == ("8",)
    assert file.given["threads"].source == "conf.py:9"
    assert file.given["workers"].texts == ("3",)
    assert file.given["umask"].texts == ("22",)
    assert "function_in" in file.given["on_start"].texts[0]
    assert file.mistakes == ["conf.py:13: binds: there is no such setting; did you mean bind?"]


def test_a_hook_of_a_program_is_found_again(tmp_path: Path) -> None:
    from stein.server.hooks import load_hook
    from stein.serving import configfile

    file = read(tmp_path, "def when_ready(info):\n    return 7\n", "conf.py")
    target = file.given["when_ready"].texts[0]
    assert load_hook(target, "when_ready")(None) == 7
    configfile.PROGRAMS.clear()  # as in another process
    assert load_hook(target, "when_ready")(None) == 7


@given(st.text())
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "any.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(ConfigurationError):
        read_config("any.toml", folder)
