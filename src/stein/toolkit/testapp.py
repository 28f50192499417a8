"""A page that shows what a server passes to an application.

::

    stein stein.toolkit.testapp:test_app
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

from stein.toolkit.request import Request
from stein.toolkit.response import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["TEMPLATE", "iter_sys_path", "test_app"]

#: the page; ``%(name)s`` for each of the tables
TEMPLATE: Final = """\
<!doctype html>
<html lang=en>
<meta charset=utf-8>
<title>WSGI Information</title>
<style>
  body { font: 15px/1.4 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }
  table { border-collapse: collapse; width: 100%% }
  th, td { text-align: left; vertical-align: top; padding: .2em .6em; border: 1px solid #ccc }
  td, li { overflow-wrap: anywhere; font-family: monospace }
  .virtual { color: #888 }
</style>
<h1>WSGI Information</h1>
<h2>Interpreter</h2>
<table>%(interpreter)s</table>
<h2>WSGI environ</h2>
<table>%(wsgi_env)s</table>
<h2>Module search path</h2>
<p>Entries in grey are no directories.</p>
<ul>%(sys_path)s</ul>
"""


def iter_sys_path() -> Iterator[tuple[str, bool, bool]]:
    """Give each entry of ``sys.path``: the path, whether it is no directory, whether relative.

    The user's home directory is shown as ``~``.
    """
    home = os.path.expanduser("~")  # noqa: PTH111 - sys.path holds texts
    for entry in sys.path:
        path = os.path.abspath(entry or os.curdir)  # noqa: PTH100
        shown = f"~{path[len(home) :]}" if path.startswith(home + os.sep) else path
        yield shown, not os.path.isdir(path), path != entry  # noqa: PTH112


def _rows(pairs: Iterable[tuple[object, object]]) -> Markup:
    return Markup("\n").join([Markup("<tr><th>{}<td>{}").format(*pair) for pair in pairs])


@Request.application
def test_app(req: Request) -> Response:
    """Show the environ, the interpreter and the module search path.

    Not for the open internet: the environ and the paths tell a stranger too much.
    """
    interpreter = {"Python": sys.version, "Platform": f"{sys.platform} ({os.name})",
                   "Byte order": sys.byteorder}  # fmt: skip
    environ = sorted(req.environ.items(), key=lambda pair: str(pair[0]))
    entries = [
        Markup("<li{}>{}").format(Markup(" class=virtual") if virtual else "", escape(path))
        for path, virtual, _ in iter_sys_path()
    ]
    page = TEMPLATE % {
        "interpreter": _rows(interpreter.items()),
        "wsgi_env": _rows((key, repr(value)) for key, value in environ),
        "sys_path": Markup("\n").join(entries),
    }
    return Response(page, mimetype="text/html")


#: pytest, which collects what is called test_..., shall leave it
test_app.__test__ = False  # type: ignore[attr-defined]
