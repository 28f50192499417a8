"""Settings that nothing reads, although somebody probably thinks so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stein.web.config import suspicious_keys

if TYPE_CHECKING:
    from stein.web.app import Stein

__all__ = ["warn_of_keys"]


def warn_of_keys(app: Stein) -> None:
    """Log each key of an application's configuration that looks like a slip.

    Called when a developer starts the application, as then somebody reads it.

    :param app: the application.
    """
    for key, hint in suspicious_keys(app.config).items():
        app.logger.warning("nothing reads the key %r of the configuration: %s", key, hint)
