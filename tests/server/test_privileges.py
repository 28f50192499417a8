"""Whom workers run as: names, numbers, and rights that are given up for good."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stein.errors import ConfigurationError
from stein.server.privileges import Identity, barrier, drop, identity_of
from stein.server.settings import Settings

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root may become another user")
me = pwd.getpwuid(os.geteuid())
nobody = next((each for each in pwd.getpwall() if each.pw_name == "nobody"), None)


def complaint(**settings: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        identity_of(Settings(**settings))
    return str(caught.value)


def test_nobody_is_asked_for() -> None:
    assert identity_of(Settings()) is None


def test_a_user_by_name_and_by_number_has_its_own_group() -> None:
    for text in (me.pw_name, str(me.pw_uid)):
        found = identity_of(Settings(user=text))
        assert found is not None
        assert (found.uid, found.gid, found.name) == (me.pw_uid, me.pw_gid, me.pw_name)
        assert found.home == me.pw_dir
        assert me.pw_gid in found.groups


def test_a_group_by_name_and_by_number() -> None:
    own = grp.getgrgid(os.getegid())
    for text in (own.gr_name, str(own.gr_gid)):
        found = identity_of(Settings(group=text))
        assert found is not None
        assert (found.uid, found.gid) == (os.getuid(), own.gr_gid)


def test_a_missing_user_or_group_is_told_with_the_nearest() -> None:
    assert complaint(user="rooot") == "user='rooot': there is no such user here; did you mean root?"
    assert complaint(group="rooot").endswith("; did you mean root?")
    assert complaint(user="zzzzzz").endswith(
        "there is no such user here. Create it, or choose another."
    )


@needs_root
def test_a_number_without_an_entry_needs_a_group() -> None:
    assert "give --group NUMBER" in complaint(user="54321")
    found = identity_of(Settings(user="54321", group="54322"))
    assert found == Identity(54321, 54322, (54322,))


def test_only_root_may_become_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert "only root may become another; this server was started by user 12345" in complaint(
        user="root"
    )


@pytest.mark.skipif(nobody is None, reason="there is no such user")
def test_what_keeps_a_user_out_is_found(tmp_path: Path) -> None:
    assert nobody is not None
    identity = Identity(nobody.pw_uid, nobody.pw_gid, (nobody.pw_gid,))
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    file = closed / "file"
    file.write_text("")
    parents = [each for each in tmp_path.parents if not each.stat().st_mode & 0o001]
    assert barrier(identity, file.resolve()) in {closed, tmp_path, *parents}
    assert barrier(Identity(os.geteuid(), os.getegid(), ()), file) is None
    assert barrier(identity, Path("/no/such/file")) is None
    file.chmod(0o044)
    own = Identity(os.geteuid(), os.getegid(), ())
    assert barrier(own, file) == (None if ROOT else file)
    by_group = Identity(54321, os.getegid(), ())
    closed.chmod(0o710)
    assert barrier(by_group, file.resolve()) in {None, tmp_path, *tmp_path.parents}


PROGRAM = """
import json, os, sys
from stein.server.privileges import drop, identity_of
from stein.server.settings import Settings
settings = Settings(user=sys.argv[1], umask=0o027)
drop(settings, identity_of(settings))
again = True
try:
    os.setuid(0)
except OSError:
    again = False
ids = [os.getuid(), os.getgid(), os.getgroups()]
print(json.dumps([*ids, os.umask(0), os.environ["HOME"], again]))
"""


@needs_root
@pytest.mark.skipif(nobody is None, reason="there is no such user")
def test_rights_are_given_up_for_good() -> None:
    assert nobody is not None
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "nobody"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    groups = [nobody.pw_gid]
    assert json.loads(done.stdout) == [
        nobody.pw_uid, nobody.pw_gid, groups, 0o027, nobody.pw_dir, False,
    ]  # fmt: skip


def test_what_the_system_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setgid", refuse)
    monkeypatch.setattr(os, "setgroups", lambda _groups: None)
    with pytest.raises(ConfigurationError, match=r"cannot become user 5, group 6: Operation not p"):
        drop(Settings(), Identity(5, 6, ()))


def test_rights_that_come_back_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("setgid", "setuid", "setgroups"):
        monkeypatch.setattr(os, name, lambda _number: None)
    with pytest.raises(ConfigurationError, match="user 5 could become root again"):
        drop(Settings(), Identity(5, 6, ()))


def test_becoming_who_one_is_changes_only_the_umask(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[int] = []
    monkeypatch.setattr(os, "umask", set_to.append)
    drop(Settings(umask=0o077), None)
    assert set_to == [0o077]
