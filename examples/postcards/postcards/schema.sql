-- Every statement may run again on a database that has its tables already.

CREATE TABLE IF NOT EXISTS users (
    id       INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE COLLATE NOCASE,
    password TEXT NOT NULL,  -- a hash, or '' for somebody who cannot log in
    token    TEXT UNIQUE     -- the hash of the API token, if there is one
);

CREATE TABLE IF NOT EXISTS cards (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,  -- the number of a deleted card never comes back
    author  INTEGER NOT NULL REFERENCES users (id),
    place   TEXT NOT NULL,
    message TEXT NOT NULL,
    picture TEXT,           -- a file name under pictures/, or NULL: then one is painted
    written TEXT NOT NULL   -- UTC, as 2025-05-17T12:30:00+00:00
);

CREATE INDEX IF NOT EXISTS cards_by_author ON cards (author, id);
