"""What a process does before it imports anything of the user's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stein.parentage import die_with_parent
from stein.server.privileges import drop, identity_of
from stein.serving.logconfig import apply_log_config

if TYPE_CHECKING:
    from stein.server.plan import Plan

__all__ = ["prepare_worker"]


def prepare_worker(plan: Plan) -> None:
    """Give up what rights a worker has no need of, and configure logging.

    :raises ConfigurationError: it cannot.
    """
    settings = plan.settings
    identity = identity_of(settings)
    drop(settings, identity)
    if identity is not None:
        die_with_parent()  # the kernel forgets it when a process becomes another user's
    apply_log_config(settings.log_config, plan.app_dir)
