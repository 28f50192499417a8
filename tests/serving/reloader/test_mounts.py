from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stein.serving.reloader.mounts import Mount, mount_of, read_mounts

if TYPE_CHECKING:
    from pathlib import Path

TABLE = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
40 27 0:52 / /mnt/c rw,noatime - 9p drvfs rw,dirsync
41 27 0:53 / /srv/our\040files rw - nfs4 server:/files rw
42 27 0:54 / /media/far rw - fuse.sshfs me@far:/ rw
43 42 0:55 / /media/far/near rw master:3 - tmpfs tmpfs rw
no mount
"""


@pytest.fixture
def mounts(tmp_path: Path) -> list[Mount]:
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    return read_mounts(str(table))


@pytest.mark.parametrize(
    ("path", "point", "elsewhere"),
    [
        ("/nowhere/app", "/", False),
        ("/mnt/c/app", "/mnt/c", True),
        ("/mnt/c", "/mnt/c", True),
        ("/mnt/cc", "/", False),
        ("/srv/our files/app", "/srv/our files", True),
        ("/media/far/app", "/media/far", True),
        ("/media/far/near/app", "/media/far/near", False),
    ],
)
def test_a_path_is_on_the_innermost_mount(
    mounts: list[Mount], path: str, point: str, *, elsewhere: bool
) -> None:
    mount = mount_of(path, mounts)
    assert mount is not None
    assert mount.point == point
    assert mount.is_elsewhere is elsewhere


def test_where_the_system_does_not_tell_there_are_no_mounts(tmp_path: Path) -> None:
    assert read_mounts(str(tmp_path / "absent")) == []
    assert mount_of("/x", []) is None


def test_a_later_mount_hides_an_earlier_one() -> None:
    mounts = [Mount("/", "ext4"), Mount("/srv", "nfs"), Mount("/srv", "tmpfs")]
    mount = mount_of("/srv/x", mounts)
    assert mount is not None
    assert mount.kind == "tmpfs"
