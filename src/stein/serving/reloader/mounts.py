"""Where the system does not tell of changes: file systems of other machines, seen from here."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Mount", "mount_of", "read_mounts"]

#: File systems whose files change without this kernel's being asked: on a server, on the host of
#: a virtual machine (WSL, Docker Desktop, VirtualBox …), or in another program (FUSE).
ELSEWHERE: Final = frozenset([
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "drvfs", "fakeowner", "fuse", "fuseblk",
    "gfs2", "glusterfs", "grpcfuse", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs",
    "osxfs", "prl_fs", "smb3", "smbfs", "sshfs", "vboxsf", "virtiofs", "vmhgfs",
])  # fmt: skip
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")  # proc(5): blanks and the like in octal


@dataclass(frozen=True, slots=True)
class Mount:
    """A place in the tree of files at which a file system begins."""

    point: str
    kind: str  #: ``ext4``, ``nfs4``, ``fuse.sshfs`` …

    @property
    def is_elsewhere(self) -> bool:
        """Whether changes may come about that this system does not hear of."""
        return self.kind.partition(".")[0] in ELSEWHERE


def read_mounts(table: str = "/proc/self/mountinfo") -> list[Mount]:
    """Read what is mounted where, as this process sees it; nothing where the system does not tell.

    :param table: in the form of proc(5).
    """
    try:
        text = Path(table).read_text("utf-8", "surrogateescape")
    except OSError:
        return []
    mounts = []
    for line in text.splitlines():
        fields, _, rest = line.partition(" - ")
        places, kinds = fields.split(" "), rest.split(" ")
        if len(places) > 4 and kinds[0]:
            point = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), places[4])
            mounts.append(Mount(point, kinds[0]))
    return mounts


def mount_of(path: str, mounts: Sequence[Mount]) -> Mount | None:
    """Return the mount that a path is on.

    :param path: absolute.
    :param mounts: in the order in which they were mounted: a later one hides what was there.
    """
    found: Mount | None = None
    real = os.path.realpath(path)
    for mount in mounts:
        point = mount.point
        inside = point in {"/", real} or real.startswith(f"{point}/")
        if inside and (found is None or len(point) >= len(found.point)):
            found = mount
    return found
