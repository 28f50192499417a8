"""Coverage-guided fuzzing of the words of HTTP: ``python tests/fuzz/fuzz_words.py``.

The input is a text as WSGI has it, each byte a character, or UTF-8 if its first byte is odd.  What
must hold is in ``words.py``, which ``test_words.py`` feeds from Hypothesis as well.  Arguments are
libFuzzer's, as for ``fuzz_reader.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
HOME = ROOT / "build" / "fuzz-words"  # inputs that reached something new stay there
LONGEST = 1024

sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["stein"]):
    from tests.fuzz.words import TOKENS, check


def run_once(data: bytes) -> None:
    """Hold the words to their promises for one input."""
    if data:
        decoded = data[1:].decode("utf-8", "replace") if data[0] % 2 else data[1:].decode("latin-1")
        check(decoded)


def write_dictionary(file: Path) -> None:
    """Write the tokens in the form that libFuzzer reads."""
    tokens = [token.encode("utf-8", "surrogatepass") for token in TOKENS]
    lines = ["".join(f"\\x{byte:02x}" for byte in token) for token in tokens]
    file.write_text("".join(f'"{line}"\n' for line in lines), encoding="ascii")


def main() -> None:
    """Fuzz until libFuzzer's limits end it; it leaves the process itself."""
    inputs = HOME / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    write_dictionary(HOME / "tokens")
    options = [f"-dict={HOME / 'tokens'}", f"-max_len={LONGEST}", "-timeout=10"]
    given = sys.argv[1:]
    chosen = any(not each.startswith("-") for each in given)
    atheris.Setup([sys.argv[0], *options, *given, *([] if chosen else [str(inputs)])], run_once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
