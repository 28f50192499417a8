"""What is found out before anything is started; and the files in ``examples/deploy``."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stein.errors import ConfigurationError
from stein.server.privileges import Identity
from stein.server.settings import Settings
from stein.serving import checking
from stein.serving.checking import faults_of, give_files
from stein.serving.configuration import Configuration, Wishes, configure
from stein.serving.load import Given

if TYPE_CHECKING:
    from collections.abc import Callable

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"


def configured(folder: Path, **texts: str) -> Configuration:
    flags = {name: Given("--" + name.replace("_", "-"), (text,)) for name, text in texts.items()}
    return configure(Wishes(flags=flags, config="off"), {}, folder)


def test_nothing_is_wrong(tmp_path: Path) -> None:
    assert faults_of(configured(tmp_path)) == []
    file = tmp_path / "log"
    file.write_text("")
    assert faults_of(configured(tmp_path, error_log_file=str(file), pid_file=f"{file}.pid")) == []


def test_files_that_could_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = faults_of(
        configured(
            tmp_path, access_log_file=str(tmp_path), error_log_file=str(tmp_path / "no" / "log")
        )
    )
    assert found == [
        f"--access-log-file: access_log_file='{tmp_path}' is a folder; name a file in it.",
        (
            f"--error-log-file: error_log_file='{tmp_path}/no/log': its folder does not exist. "
            f"Create {tmp_path}/no."
        ),
    ]
    monkeypatch.setattr(os, "access", lambda *_: False)
    (fault,) = faults_of(configured(tmp_path, pid_file=str(tmp_path / "x.pid")))
    assert f"may not be written by user {os.geteuid()}; change its owner." in fault


def test_a_python_that_the_user_may_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    someone = Identity(54321, 54321, ())
    monkeypatch.setattr(checking, "identity_of", lambda _settings: someone)
    monkeypatch.setattr(checking, "barrier", lambda _identity, path: path.parent)
    faults = faults_of(configured(tmp_path))
    assert [fault.partition(": ")[2].partition(", for")[0] for fault in faults] == [
        "user 54321 may not read Python's library",
        "user 54321 may not read stein",
    ]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What root gives away to user 7 of group 8."""
    given: list[Any] = []
    monkeypatch.setattr(checking, "identity_of", lambda _settings: Identity(7, 8, ()))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _fd, uid, gid: given.append((uid, gid)))
    return given


def test_log_files_are_given_to_the_workers_user(tmp_path: Path, given: list[Any]) -> None:
    give_files(Settings(access_log_file=str(tmp_path / "a"), error_log_file="/dev/null"))
    assert given == [(7, 8)]
    assert (tmp_path / "a").is_file()
    with pytest.raises(ConfigurationError, match=r"access_log_file='.*' cannot be given to user 7"):
        give_files(Settings(access_log_file=str(tmp_path / "no" / "a")))


@pytest.mark.parametrize("exists", [True, False])
def test_no_file_is_given_that_a_link_leads_to(
    tmp_path: Path, given: list[Any], *, exists: bool
) -> None:
    target, link = tmp_path / "shadow", tmp_path / "a"
    if exists:
        target.write_text("")
    link.symlink_to(target)
    with pytest.raises(ConfigurationError) as caught:
        give_files(Settings(access_log_file=str(link), error_log_file="-"))
    assert str(caught.value) == (
        f"access_log_file='{link}' cannot be given to user 7: it is a symbolic link, and may lead "
        "to a file that is not meant. Name that file itself."
    )
    assert given == []
    assert target.exists() is exists


def test_no_file_is_given_that_has_another_name(tmp_path: Path, given: list[Any]) -> None:
    (tmp_path / "shadow").write_text("")
    (tmp_path / "a").hardlink_to(tmp_path / "shadow")
    with pytest.raises(ConfigurationError, match=r"to user 7: it has 2 names .*Name a file of its"):
        give_files(Settings(access_log_file=str(tmp_path / "a"), error_log_file="-"))
    assert given == []


def test_what_is_no_file_is_logged_to_and_not_given(tmp_path: Path, given: list[Any]) -> None:
    (tmp_path / "null").symlink_to(os.devnull)  # as /dev/stdout leads to a pipe
    os.mkfifo(tmp_path / "pipe")
    give_files(
        Settings(access_log_file=str(tmp_path / "null"), error_log_file=str(tmp_path / "pipe"))
    )
    assert given == []


def test_a_file_that_is_the_users_already_may_be_a_link(
    tmp_path: Path, given: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log").write_text("")
    (tmp_path / "a").symlink_to(tmp_path / "log")
    owner = Identity((tmp_path / "log").stat().st_uid, 8, ())
    monkeypatch.setattr(checking, "identity_of", lambda _settings: owner)
    give_files(Settings(access_log_file=str(tmp_path / "a"), error_log_file="-"))
    assert given == []


def test_nothing_is_given_away_where_nobody_changes(tmp_path: Path) -> None:
    give_files(Settings(access_log_file=str(tmp_path / "a")))
    assert not (tmp_path / "a").exists()


# -- examples/deploy -------------------------------------------------------------------------------


def test_the_example_of_a_configuration_file_is_right(tmp_path: Path) -> None:
    found = configure(Wishes(config=str(DEPLOY / "stein.toml")), {}, tmp_path)
    assert found.app == "shop:app"
    assert found.settings.trusted_proxies == ("127.0.0.1", "::1", "unix")
    assert set(tomllib.loads((DEPLOY / "stein.toml").read_text())) <= {
        "app", *(name for name, source in found.loaded.sources.items() if source != "default"),
    }  # fmt: skip


def between(text: str, begin: str, end: str) -> str:
    return text.partition(begin)[2].partition(end)[0]


@pytest.mark.parametrize(
    ("name", "words_of"),
    [
        ("stein.service", lambda text: between(text, "ExecStart=", "\n").split()[1:]),
        ("Containerfile", lambda text: re.findall(r'"([^"]+)"', between(text, "\nCMD [", "]"))),
    ],
)
def test_the_commands_in_the_examples_have_flags_that_there_are(
    name: str, words_of: Callable[[str], list[str]]
) -> None:
    from stein.serving.options import sift
    from stein.serving.serve import serve_command

    words = words_of((DEPLOY / name).read_text())
    assert "serve" in words
    _, foreign, unknown = sift(
        words[words.index("serve") + 1 :],
        serve_command.flags_of_mine(),
    )
    assert (foreign, unknown) == ([], [])
