"""What can be seen of a running server: its access log, its metrics, what it is doing right now.

The access log reads exchanges after they have ended.  Everything else is made of a
:class:`~stein.snapshot.Snapshot` of the board: text for Prometheus (``metrics``), lines for statsd,
``stein status`` and ``stein top``.  This layer never writes to what it reads, and whatever it does
slowly it does on a thread of its own.
"""

from __future__ import annotations

from stein.observe.accesslog import OUTCOMES, AccessLog

__all__ = ["OUTCOMES", "AccessLog"]
