"""Flags, environment and file together: who goes first, and what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stein.errors import ConfigurationError, Mistakes
from stein.server.settings import Settings
from stein.serving.configuration import Configuration, Wishes, configure
from stein.serving.load import Given
from stein.serving.printing import printed

if TYPE_CHECKING:
    from pathlib import Path


def flags(**texts: str) -> dict[str, Given]:
    return {
        name: Given("--" + name.replace("_", "-"), tuple(text.split(",")))
        for name, text in texts.items()
    }


def configured(folder: Path, environ: dict[str, str] | None = None, **wishes: Any) -> Configuration:
    return configure(Wishes(**wishes), environ or {}, folder)


def test_a_flag_goes_before_a_variable_before_the_file_before_the_default(tmp_path: Path) -> None:
    (tmp_path / "stein.toml").write_text("threads = 1\nbacklog = 2\nworkers = 3\n")
    found = configured(
        tmp_path, {"STEIN_THREADS": "5", "STEIN_BACKLOG": "6"}, flags=flags(threads="7")
    )
    settings, sources = found.settings, found.loaded.sources
    assert (settings.threads, settings.backlog, settings.workers) == (7, 6, 3)
    assert settings.keep_alive == Settings().keep_alive
    names = ("threads", "backlog", "workers", "keep_alive")
    assert [sources[name] for name in names] == [
        "--threads", "STEIN_BACKLOG", "stein.toml:3", "default",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wishes", "environ", "threads"),
    [
        ({}, {}, 1),
        ({"config": "other.toml"}, {}, 2),
        ({}, {"STEIN_CONFIG": "other.toml"}, 2),
        ({"config": "off"}, {"STEIN_CONFIG": "other.toml"}, 16),
    ],
)
def test_which_file_is_read(
    tmp_path: Path, wishes: dict[str, str], environ: dict[str, str], threads: int
) -> None:
    (tmp_path / "stein.toml").write_text("threads = 1\n")
    (tmp_path / "other.toml").write_text("threads = 2\n")
    assert configured(tmp_path, environ, **wishes).settings.threads == threads


def test_the_application_and_its_folders(tmp_path: Path) -> None:
    (tmp_path / "stein.toml").write_text('app = "one:app"\napp_dir = "src"\nchdir = "there"\n')
    found = configured(tmp_path)
    assert (found.app, found.app_dir, found.chdir) == ("one:app", "src", "there")
    assert configured(tmp_path, {"STEIN_APP": "two:app"}).app == "two:app"
    further = {"app": Given("APP", ("three:app",))}
    assert configured(tmp_path, {"STEIN_APP": "two:app"}, further=further).app == "three:app"
    assert configured(tmp_path, config="off").app is None


def test_all_mistakes_are_told_at_once_with_their_sources(tmp_path: Path) -> None:
    (tmp_path / "stein.toml").write_text('thread = 1\nclient_cert = "required"\nbacklog = 0\n')
    with pytest.raises(Mistakes) as caught:
        configured(
            tmp_path,
            {"STEIN_KEEP_ALIVE": "long", "STEIN_CERTFILE": ""},
            flags=flags(threads="abc", bind="x:1"),
            port="5000",
            mistakes=["--thraeds: there is no such flag; did you mean --threads?"],
        )
    assert caught.value.mistakes == (
        "--thraeds: there is no such flag; did you mean --threads?",
        "--port and --bind both say where to listen; use --bind alone",
        "stein.toml:1: thread: there is no such setting; did you mean threads?",
        "--threads abc: must be a whole number",
        "stein.toml:3: backlog = 0: must be at least 1.",
        "STEIN_KEEP_ALIVE=long: must be a time, such as 30, 500ms or 2m",
        (
            "client_cert='required' needs authorities to check against: give --client-ca PATH. "
            "(client_cert is from stein.toml:2)"
        ),
    )


def test_one_mistake_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configured(tmp_path, flags=flags(proxy_headers="x-real-ip"))
    assert not isinstance(caught.value, Mistakes)
    assert str(caught.value).startswith("proxy_headers='x-real-ip' is not one of: x-forwarded-for,")


def test_proxies_are_addresses_and_a_port_is_a_number(tmp_path: Path) -> None:
    with pytest.raises(Mistakes) as caught:
        configured(tmp_path, flags=flags(trusted_proxies="10.0.0.0/8,proxy.local"), port="x")
    assert caught.value.mistakes == (
        "--port x: must be a number from 0 to 65535",
        (
            "trusted_proxies='proxy.local' is no address (10.0.0.1), network (10.0.0.0/8), unix or "
            "*. (trusted_proxies is from --trusted-proxies)"
        ),
    )


def test_a_secret_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "stein.toml").write_text('key_password = "hunter2"\nkeyfile = "k"\n')
    with pytest.raises(ConfigurationError) as caught:
        configured(tmp_path)
    assert "hunter2" not in str(caught.value)
    text = printed(configured(tmp_path, {"STEIN_CERTFILE": "c"}))
    assert "hunter2" not in text
    assert "# key_password = (given, and not shown)" in text


@pytest.mark.parametrize("where", ["flag", "variable", "file"])
def test_workers_by_what_there_is_room_for(tmp_path: Path, where: str) -> None:
    if where == "file":
        (tmp_path / "stein.toml").write_text('workers = "auto"\n')
    environ = {"STEIN_WORKERS": "auto"} if where == "variable" else {}
    found = configured(tmp_path, environ, flags=flags(workers="auto") if where == "flag" else {})
    assert found.settings.workers >= 1
    assert "auto: " in found.sizing
    assert configured(tmp_path, {}, flags=flags(workers="2")).sizing == ""


# -- what is printed ------------------------------------------------------------------------------


def test_what_is_printed_is_a_file_that_says_the_same(tmp_path: Path) -> None:
    environ = {
        "STEIN_APP": "shop:app", "STEIN_BIND": ":80,unix:/run/x", "STEIN_LIMIT_BODY": "1536k",
        "STEIN_KEEP_ALIVE": "1.5", "STEIN_UMASK": "027", "STEIN_SERVER_HEADER": "",
        "STEIN_TRUSTED_PROXIES": "10.0.0.0/8", "STEIN_HEAD_TIMEOUT": "1ms",
    }  # fmt: skip
    one = configured(tmp_path, environ)
    (tmp_path / "printed.toml").write_text(printed(one))
    two = configured(tmp_path, {}, config="printed.toml")
    assert two.settings == one.settings
    assert two.app == one.app
    assert two.loaded.sources["umask"].startswith("printed.toml:")


def test_each_value_is_printed_with_its_source(tmp_path: Path) -> None:
    (tmp_path / "stein.toml").write_text("backlog = 512\n")
    rows = printed(configured(tmp_path, {"STEIN_THREADS": "4"})).splitlines()
    by_name = {row.split(" = ")[0]: row.split() for row in rows if " = " in row}
    assert by_name["threads"] == ["threads", "=", "4", "#", "STEIN_THREADS"]
    assert by_name["backlog"] == ["backlog", "=", "512", "#", "stein.toml:1"]
    assert by_name["keep_alive"] == ["keep_alive", "=", '"75s"', "#", "default"]
    assert "# certfile =" in "\n".join(rows)


@pytest.mark.parametrize("place", ["flag", "variable", "file"])
def test_greenlets_are_many_unless_somebody_says_how_many(tmp_path: Path, place: str) -> None:
    environ, wishes = {}, {}
    if place == "flag":
        wishes["worker_kind"] = "gevent"
    elif place == "variable":
        environ["STEIN_WORKER_KIND"] = "gevent"
    else:
        (tmp_path / "stein.toml").write_text('worker_kind = "gevent"\n')
    found = configured(tmp_path, environ, flags=flags(**wishes))
    assert (found.settings.threads, found.settings.limit_lost_threads) == (1000, 250)
    assert found.loaded.sources["threads"] == "worker_kind = gevent"
    assert found.notes == ()
    said = configured(tmp_path, environ, flags=flags(**wishes, threads="20"))
    assert said.settings.threads == 20


def test_threads_are_as_many_as_ever(tmp_path: Path) -> None:
    found = configured(
        tmp_path, {"STEIN_WORKER_KIND": "gevent"}, flags=flags(worker_kind="threads")
    )
    assert found.settings.threads == Settings().threads
