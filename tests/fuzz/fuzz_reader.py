"""Coverage-guided fuzzing of the request reader: ``make fuzz FUZZ_SECONDS=60``.

The input is the byte stream of one connection and nothing else, so the file of a finding can be
sent to a server as it is.  Where the stream is cut follows from its checksum.  What must hold is
in ``oracle.py``; the seeds are the corpus, the dictionary is what the oracle's mutations use.

Arguments are libFuzzer's, for instance ``-max_total_time=60``, ``-runs=100000``, or the file of a
finding, which is then run alone.  A finding is left as ``crash-…`` in the current folder; turn it
into a case of ``tests/corpus`` or a test before the bug is mended.
"""

from __future__ import annotations

import hashlib
import random
import sys
import zlib
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
HOME = ROOT / "build" / "fuzz"  # inputs that reached something new stay there for the next run
LONGEST = 4096  # longer cases are about limits that mutations would not get beyond

sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["stein"]):
    from tests.corpus.cases import cases
    from tests.fuzz.oracle import LIMITS, TOKENS, check


def run_once(data: bytes) -> None:
    """Hold the reader to the oracle for one input."""
    seed = zlib.crc32(data)
    check(data, random.Random(seed), (LIMITS[0], LIMITS[1 + seed % (len(LIMITS) - 1)]))


def write_seeds(folder: Path) -> None:
    """Write each case of the corpus as a file of bytes."""
    for data in {case.data for case in cases()}:
        if len(data) <= LONGEST:
            name = hashlib.sha256(data).hexdigest()[:16]
            (folder / name).write_bytes(data)


def write_dictionary(file: Path) -> None:
    """Write the tokens in the form that libFuzzer reads."""
    lines = ["".join(f"\\x{byte:02x}" for byte in token) for token in TOKENS]
    file.write_text("".join(f'"{line}"\n' for line in lines), encoding="ascii")


def main() -> None:
    """Fuzz until libFuzzer's limits end it; it leaves the process itself."""
    inputs = HOME / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    write_seeds(inputs)
    write_dictionary(HOME / "tokens")
    options = [f"-dict={HOME / 'tokens'}", f"-max_len={LONGEST}", "-timeout=10"]
    given = sys.argv[1:]
    chosen = any(not each.startswith("-") for each in given)
    atheris.Setup([sys.argv[0], *options, *given, *([] if chosen else [str(inputs)])], run_once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
