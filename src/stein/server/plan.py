"""What the workers of one generation run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stein.server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Plan", "packed", "unpacked"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Settings, and the application by its name: the parent does not import it.

    :param settings: frozen.
    :param target: the application, as on the command line.
    :param app_dir: where it is imported from.
    :param argv: what ``sys.argv`` is in a worker.
    :param variables: what a worker has in its environment otherwise than its parent; without a
        value it is taken out.
    """

    settings: Settings
    target: str
    app_dir: str | None = None
    argv: tuple[str, ...] = ()
    variables: Mapping[str, str | None] = field(default_factory=dict)

    def as_message(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return {
            "settings": packed(self.settings),
            "target": self.target,
            "app_dir": self.app_dir,
            "argv": list(self.argv),
            "variables": dict(self.variables),
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Plan:
        """Return what :meth:`as_message` was made from."""
        return cls(
            unpacked(message["settings"]),
            message["target"],
            message["app_dir"],
            tuple(message["argv"]),
            message["variables"],
        )


def packed(settings: Settings) -> dict[str, Any]:
    """Return settings as what JSON can hold."""
    return dataclasses.asdict(settings)


def unpacked(values: Mapping[str, Any]) -> Settings:
    """Return the settings that :func:`packed` was given."""
    # JSON knows lists only, and no setting is one.
    made: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return Settings(**made)
