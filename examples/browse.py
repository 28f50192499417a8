"""Open a page in the browser once its server answers: ``python browse.py URL``.

`make run` starts it beside the server. It says nothing and never fails: on a machine without a
browser or a screen there is simply nothing to open.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import urllib.error
import urllib.request
import webbrowser

PATIENCE = 20.0


def has_screen() -> bool:
    """Whether a window could appear; a text browser would take over the server's terminal."""
    if sys.platform == "darwin" or os.environ.get("BROWSER"):
        return True
    if "WSL_DISTRO_NAME" in os.environ:
        return shutil.which("wslview") is not None
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def answers(url: str) -> bool:
    """Ask until the server answers anything at all; False when it took too long."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - the address `make run` made
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.1)
    return False


if __name__ == "__main__" and has_screen() and answers(sys.argv[1]):
    webbrowser.open(sys.argv[1])
