"""What all tests of the server may ask for."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server.certificates import Certificates
from tests.server.client import until

if TYPE_CHECKING:
    from collections.abc import Iterator


def open_files() -> dict[str, str]:
    """Give the open descriptors of this process and what stands behind each."""
    found = {}
    for each in list(Path("/dev/fd").iterdir()):
        try:
            found[each.name] = str(each.readlink())
        except OSError:  # the listing's own, closed again; or a system where it is no link
            if each.exists():
                found[each.name] = "open"
    return found


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fail a test that leaves descriptors or threads behind."""
    gc.collect()
    files, threads = open_files(), threading.active_count()
    yield
    gc.collect()
    until(lambda: threading.active_count() <= threads)
    left = [what for name, what in open_files().items() if name not in files]
    assert not left, "descriptors left open"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Authorities, certificates and keys, made anew for this run."""
    return Certificates(tmp_path_factory.mktemp("certificates"))
