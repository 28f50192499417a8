"""Coverage-guided fuzzing of the multipart decoder and the form parser above it.

The input is the body of one request, nothing else; its boundary is ``foo``.  Where it is cut
follows from its checksum.  What must hold is in ``multipart_oracle.py``, and above it: the parser
gives a form, or raises an ``HTTPException``.

Arguments are libFuzzer's, for instance ``-max_total_time=60``, ``-runs=100000``, or the file of a
finding, which is then run alone.  Turn a finding into a test before the bug is mended.
"""

from __future__ import annotations

import hashlib
import io
import random
import sys
import zlib
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
HOME = ROOT / "build" / "fuzz-multipart"  # inputs that reached something new stay there
LONGEST = 4096

sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["stein"]):
    from stein.toolkit.exceptions import RequestEntityTooLarge
    from stein.toolkit.forms.parser import parse_form_data
    from tests.fuzz.multipart_oracle import TOKENS, check

HEAD = b'Content-Disposition: form-data; name="a"'
SEEDS = (
    b"--foo\r\n" + HEAD + b"\r\n\r\ntext\r\n--foo--\r\n",
    b"--foo\n" + HEAD + b'; filename="b"\nContent-Type: text/plain\n\ntext\n--foo--',
    b"junk\r\n--foo\r\n" + HEAD + b"\r\n\r\n--foo\r\n" + HEAD + b"\r\n\r\n\r\n--foo--junk",
)


def run_once(data: bytes) -> None:
    """Hold decoder and parser to the oracle for one input."""
    chance = random.Random(zlib.crc32(data))
    check(data, [chance.randrange(len(data) + 1) for _ in range(4)])
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "multipart/form-data; boundary=foo",
        "CONTENT_LENGTH": str(len(data)),
        "wsgi.input": io.BytesIO(data),
    }
    try:
        _, _, files = parse_form_data(environ, max_form_memory_size=50, max_form_parts=3)
    except RequestEntityTooLarge:
        return
    for _, file in files.items(multi=True):  # noqa: PERF102 - values() knows no multi
        file.close()


def main() -> None:
    """Fuzz until libFuzzer's limits end it; it leaves the process itself."""
    inputs = HOME / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    for data in SEEDS:
        (inputs / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    lines = ["".join(f"\\x{byte:02x}" for byte in token) for token in TOKENS]
    dictionary = HOME / "tokens"
    dictionary.write_text("".join(f'"{line}"\n' for line in lines), encoding="ascii")
    options = [f"-dict={dictionary}", f"-max_len={LONGEST}", "-timeout=10"]
    given = sys.argv[1:]
    chosen = any(not each.startswith("-") for each in given)
    atheris.Setup([sys.argv[0], *options, *given, *([] if chosen else [str(inputs)])], run_once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
