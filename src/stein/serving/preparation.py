"""What a process does before it imports anything of the user's."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from stein.errors import ConfigurationError
from stein.parentage import die_with_parent
from stein.server.privileges import drop, identity_of
from stein.serving.logconfig import apply_log_config

if TYPE_CHECKING:
    from stein.server.plan import Plan
    from stein.server.settings import Settings

__all__ = ["prepare_worker", "require_gevent"]


def prepare_worker(plan: Plan) -> None:
    """Give up what rights a worker has no need of, and configure logging.

    :raises ConfigurationError: it cannot.
    """
    settings = plan.settings
    require_gevent(settings)
    identity = identity_of(settings)
    drop(settings, identity)
    if identity is not None:
        die_with_parent()  # the kernel forgets it when a process becomes another user's
    apply_log_config(settings.log_config, plan.app_dir)


def require_gevent(settings: Settings) -> None:
    """Refuse workers of greenlets where there are none to be had.  Imports nothing.

    :raises ConfigurationError: gevent is wanted and not installed.
    """
    if settings.worker_kind == "gevent" and importlib.util.find_spec("gevent") is None:
        message = (
            "worker_kind='gevent' needs the package gevent, which is not installed: "
            "pip install 'stein[gevent]', or leave worker_kind at threads."
        )
        raise ConfigurationError(message)
