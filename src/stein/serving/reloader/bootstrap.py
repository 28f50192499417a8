"""What the child executes first: ``python [options] bootstrap.py <the program's own words>``.

A script rather than ``-m``, so that nothing of stein is imported before the import path is the
one that the program would have seen.
"""

from __future__ import annotations

import sys
from pathlib import PurePath

HERE = PurePath(__file__).parent


def begin() -> None:
    """Make the import path the program's, and hand over."""
    if not sys.flags.safe_path:  # otherwise python has not put this folder first
        del sys.path[0]
    # The program may make stein importable only by itself, later; until then this does.
    source = str(HERE.parents[2])
    sys.path.append(source)
    from stein.serving.reloader.launch import launch  # noqa: PLC0415 - see above

    sys.path.pop()
    launch(sys.argv[1:])


if __name__ == "__main__":
    begin()
