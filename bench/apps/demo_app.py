"""The demo of `make run`, with its data in a folder that goes with the process."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples/postcards"))

from postcards import create_app

data = tempfile.TemporaryDirectory(prefix="bench-demo-")
app = create_app({"DATA": data.name})
