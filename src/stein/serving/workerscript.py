"""What a worker process executes first: ``python [options] workerscript.py DESCRIPTOR KIND``.

A script rather than ``-m``, so that stein is found where the parent has it, and nothing of the
user's folder can come between.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

SOURCE = str(Path(__file__).parents[2])


def begin() -> None:
    """Import what there is to import, and hand over."""
    sys.path.append(SOURCE)  # the parent may have found stein in its current folder
    if sys.argv[2] == "gevent":
        with contextlib.suppress(ImportError):  # which is told to the parent, later
            from stein.serving.greenlets import patch  # noqa: PLC0415 - see there

            patch()
    from stein.serving.workermain import main  # noqa: PLC0415 - see above

    sys.path.remove(SOURCE)
    main(int(sys.argv[1]))


if __name__ == "__main__":
    begin()
