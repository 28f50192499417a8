"""The entries, in one SQLite file.

Requests run on many threads, and a SQLite connection belongs to the thread that opened it. So each
operation opens a connection and closes it again: on a local file that takes some hundred
microseconds, and in return there is nothing to share, to lock or to clean up. The write-ahead log
lets readers go on while one request writes.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PAGE_SIZE", "Entry", "Listing", "Store"]

PAGE_SIZE = 10

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    name    TEXT NOT NULL,
    message TEXT NOT NULL,
    written TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one visitor wrote; ``written`` is a UTC time in ISO 8601."""

    id: int
    name: str
    message: str
    written: str


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of entries, newest first, and where it stands among the others."""

    entries: list[Entry]
    query: str
    page: int
    pages: int
    total: int


class Store:
    """The guestbook's entries. Any thread may call any method at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(SCHEMA)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for one operation: committed when it succeeds, always closed."""
        with closing(sqlite3.connect(self.path, timeout=5)) as connection, connection:
            yield connection

    def listing(self, page: int = 1, query: str = "") -> Listing:
        """The entries whose name or message contains ``query``, one page of them."""
        # In a LIKE pattern % and _ are wild; a visitor who types them means the characters.
        literal = query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values = {"pattern": f"%{literal}%", "size": PAGE_SIZE, "skip": (page - 1) * PAGE_SIZE}
        matches = r"FROM entries WHERE name || char(10) || message LIKE :pattern ESCAPE '\'"
        with self._connection() as connection:
            (total,) = connection.execute(f"SELECT count(*) {matches}", values).fetchone()
            rows = connection.execute(
                f"SELECT id, name, message, written {matches}"
                " ORDER BY id DESC LIMIT :size OFFSET :skip",
                values,
            ).fetchall()
        pages = max(1, -(-total // PAGE_SIZE))
        return Listing([Entry(*row) for row in rows], query, page, pages, total)

    def entry(self, entry_id: int) -> Entry | None:
        """The entry of that number, or None when it never was or is gone."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT id, name, message, written FROM entries WHERE id = ?", (entry_id,)
            ).fetchone()
        return Entry(*row) if row else None

    def add(self, name: str, message: str) -> Entry:
        """Keep a new entry and return it with its number and time."""
        written = datetime.now(UTC).isoformat(timespec="seconds")
        with self._connection() as connection:
            (entry_id,) = connection.execute(
                "INSERT INTO entries (name, message, written) VALUES (?, ?, ?) RETURNING id",
                (name, message, written),
            ).fetchone()
        return Entry(entry_id, name, message, written)

    def delete(self, entry_id: int) -> bool:
        """Forget an entry; False when there was none of that number."""
        with self._connection() as connection:
            return connection.execute("DELETE FROM entries WHERE id = ?", (entry_id,)).rowcount > 0
