"""``python -m stein.dropin``: run a program as ``python`` would, with the aliases in place."""

from __future__ import annotations

import sys

from stein.dropin.launcher import launch

sys.exit(launch(sys.argv[1:]))
