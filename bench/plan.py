"""How long and how large: the numbers of one run, decided once at the command line."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """The bounds of every measurement. Nothing below reads the command line again."""

    rounds: int = 3
    seconds: int = 2
    warmup: float = 0.5
    transfer_bytes: int = 1024 * MIB
    idle_connections: int = 5000
    idle_seconds: float = 3.0


QUICK = Plan(
    rounds=1,
    seconds=1,
    warmup=0.3,
    transfer_bytes=128 * MIB,
    idle_connections=1000,
    idle_seconds=1.0,
)
