"""The drop-in: programs written for other packages import stein under the names they know.

``python -m stein.dropin script.py`` runs a program with ``import flask``, ``import werkzeug`` and
all their public submodules leading to stein; :func:`install` does the same from inside a program,
if it is called before the first such import.  Names only: no code lives here, and nothing is
installed unless it was asked for.
"""

from __future__ import annotations

from stein.dropin.finder import install, installed

__all__ = ["install", "installed"]
