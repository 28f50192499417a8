"""What can be seen of a running server: the access log today.

This layer reads exchanges after they have ended.  It never writes to one, and whatever it does
slowly it does on a thread of its own.
"""

from __future__ import annotations

from stein.observe.accesslog import OUTCOMES, AccessLog

__all__ = ["OUTCOMES", "AccessLog"]
