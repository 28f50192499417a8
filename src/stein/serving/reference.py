"""``docs/settings.md``, made from the settings' own fields.

``python -m stein.serving.reference docs/settings.md`` writes it; without a path it is printed.
``tests/serving/test_reference.py`` holds the file against what this module makes.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stein.observe.accesslog import OUTCOMES
from stein.server.settings import GROUPS, Settings
from stein.serving.load import environment_name, flags_of, is_switch, kind_of
from stein.serving.options import metavar_of, written

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "reference"]

HEAD: Final = """\
# Settings

<!-- Made by `python -m stein.serving.reference docs/settings.md`; do not edit. -->

Every setting of the server can be given in three ways. A flag goes before an environment
variable, that before a line in the [configuration file](deploy.md#the-configuration-file), that
before the default:

```console
$ stein serve shop:app --threads 8
$ STEIN_THREADS=8 stein serve shop:app
```

```toml
# stein.toml
threads = 8
```

A program says it in Python:

```python
from stein import Server, Settings

Server(app, Settings(threads=8))
```

On the command line and in the environment a **size** is a number of bytes, or has a suffix:
`64k`, `64KiB`, `2m`, `1g`, all powers of 1024. A **time** is a number of seconds, or has a
unit: `500ms`, `30s`, `2m`, `1h`. A **switch** is `on` or `off`. In Python both are plain
numbers, bytes and seconds, and a switch is `True` or `False`. Where a setting may be given
several times, its variable holds the values separated by commas. An empty variable counts as
unset, except for a setting that is a text.
"""

OUTCOME_HEAD: Final = """\
## How a request can end

The access log says of every request how it ended, as `outcome`:

| outcome | meaning |
|---|---|
"""


def reference() -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for group in GROUPS:
        parts.append(f"## {group}\n")
        parts += [
            section(item)
            for item in dataclasses.fields(Settings)
            if item.metadata["group"] == group
        ]
    rows = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in OUTCOMES.items())
    return "\n".join(parts) + "\n" + OUTCOME_HEAD + rows


def section(item: dataclasses.Field[Any]) -> str:
    """Return the entry of one setting."""
    flags = ", ".join(f"`{flag} {metavar_of(item)}`" for flag in flags_of(item))
    if is_switch(item):
        flags += "".join(f", `--no-{flag.removeprefix('--')}`" for flag in flags_of(item))
    if item.name == "access_log":
        flags += ", `--no-access-log`"
    default = written(item, item.default)
    facts = [
        f"- Flag: {flags}",
        f"- Environment: `{environment_name(item)}`",
        f"- Default: `{default}`" if default else "- Default: none",
    ]
    if item.metadata["minimum"]:
        facts.append(f"- At least: {written(item, item.metadata['minimum'])}")
    if kind_of(item) is tuple:
        facts.append("- May be given several times")
    return f"### `{item.name}`\n\n{item.metadata['help']}\n\n" + "\n".join(facts) + "\n"


def main(args: Sequence[str]) -> None:
    """Write the page to the path in ``args``, or print it."""
    if args:
        Path(args[0]).write_text(reference(), encoding="utf-8")
    else:
        sys.stdout.write(reference())


if __name__ == "__main__":
    main(sys.argv[1:])
