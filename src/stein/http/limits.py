"""The limits of one request, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How large the parts of a request may be; sizes in bytes.

    The names are those of the settings without their ``limit_`` prefix, so that an error can
    name the setting that an operator would change.
    """

    request_line: int = 8190
    header_bytes: int = 65536
    header_fields: int = 100
    chunk_overhead: int = 16384
    body: int | None = None
