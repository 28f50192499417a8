"""The pictures that people upload: which are taken, and where they are kept."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from stein import current_app

if TYPE_CHECKING:
    from typing import IO

#: How files of each kind begin, and what we call them. SVG is not among them: it can hold scripts.
BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpg",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
}


class NotAPicture(Exception):  # noqa: N818 - it is an answer to the visitor, not a fault of ours
    """The file is none of the kinds that we take."""


def folder() -> Path:
    """Give the folder of the pictures."""
    path = Path(current_app.config["DATA"], "pictures")
    path.mkdir(exist_ok=True)
    return path


def save(stream: IO[bytes]) -> str:
    """Keep an uploaded picture, and give the name of its file.

    Neither the name nor the type that came with it is believed: anybody can write anything there.
    The file itself says what it is, and the name is made here.

    :raises NotAPicture: if it is none of the kinds above.
    """
    data = stream.read()  # MAX_CONTENT_LENGTH bounds it
    suffix = kind(data)
    if suffix is None:
        raise NotAPicture("A PNG, JPEG, GIF or WebP picture, please.")
    name = f"{secrets.token_hex(12)}.{suffix}"
    (folder() / name).write_bytes(data)
    return name


def kind(data: bytes) -> str | None:
    """Tell the kind of a picture by how it begins."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((suffix for start, suffix in BEGINNINGS.items() if data.startswith(start)), None)


def remove(name: str) -> None:
    """Delete a picture."""
    (folder() / name).unlink(missing_ok=True)
