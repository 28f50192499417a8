"""What holds for all tests."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Take what was collected out of the collector's sight.

    Tests that watch for leaks collect garbage, and would walk over ten thousand tests each time.
    """
    gc.collect()
    gc.freeze()
