"""How the board's memory is laid out: offsets, sizes and records, for writers and readers alike."""

from __future__ import annotations

import struct
from typing import Final

from stein.snapshot import BOUNDS, OUTCOMES, WORKER_STATES

HEADER_SIZE: Final = 4096
PEERS: Final = 1024  # connections of each worker whose clients' addresses are known
PEER: Final = struct.Struct("@q48s")
NUMBERS_SIZE: Final = 1024
WORKER_SIZE: Final = NUMBERS_SIZE + PEERS * PEER.size
THREAD_SIZE: Final = 512

# The header: magic, size, workers, threads of each, requests of each, parent, born; then the
# restarts by reason and the application's name; then, in the second half, the counters of those
# that are no more.
HEADER: Final = struct.Struct("@qqqqqqd")
RETIRING: Final = 56  # odd while a worker's counters move to those of the ones that are no more
RESTARTS: Final = 64
APPLICATION: Final = 512  # what is served: the length, then the text
LONGEST_APPLICATION: Final = 512
DEPARTED: Final = 2048

# A worker: single numbers, each written by itself.
PID, GENERATION, STATE, BORN, READY, BEAT, SEATS = range(7)
BUSY, WAITING, SENDING, CONNECTIONS, BACKLOG, LOST, RECYCLE = range(7, 14)
SINGLES: Final = struct.Struct("@qqqdddqqqqqqqq")
COUNTERS: Final = 128  # where its counters begin

# The counters: how often published, the numbers, two sums, how often published.
STATUSES: Final = 6
BUCKETS: Final = len(BOUNDS) + 1
NUMBERS: Final = STATUSES + len(OUTCOMES) + 2 + 2 * BUCKETS
COUNTED: Final = struct.Struct(f"@q{NUMBERS}qddq")

# A thread, or a request that no thread holds: when entered (0.0: nothing held), connection and
# number; then what seldom changes; then the request line.
HELD: Final = struct.Struct("@dqq")
ROLE: Final = 24
THREAD_NAME: Final = 40
LINE_SIZE: Final = 72
LINE: Final = 80
LONGEST_LINE: Final = THREAD_SIZE - LINE
LONGEST_NAME: Final = LINE_SIZE - THREAD_NAME

SERVING: Final = WORKER_STATES.index("ready")

# What stands in a place.
UNUSED, THREAD, LOST_THREAD, WAITS, SENDS = range(5)
HELD_STATES: Final = {WAITS: "waiting", SENDS: "sending"}


def peer_at(begin: int, connection: int) -> int:
    """Where the client's address of a connection stands, unless a later one took its line."""
    return begin + NUMBERS_SIZE + connection % PEERS * PEER.size
