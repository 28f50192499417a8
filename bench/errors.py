"""What can go wrong in a benchmark run, as a tree.

BenchError            the run cannot go on: a tool is missing, an option makes no sense
└── MeasureError      one peer cannot give one figure; the table says n/a, the run goes on
    └── StartError    the server did not come up
"""

from __future__ import annotations


class BenchError(Exception):
    """The run cannot go on. The message names the value, the cause and the next step."""


class MeasureError(BenchError):
    """One peer could not be measured in one case. The message becomes the reason in the table."""


class StartError(MeasureError):
    """A server did not answer. The message ends in the last line the server wrote."""
