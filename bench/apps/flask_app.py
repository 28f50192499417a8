"""The Flask application of the `flask` case: an integer route that answers JSON.

Flask comes in through `import_module` so that type checking needs no peer to be installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

flask: Any = import_module("flask")
app: Any = flask.Flask(__name__)


def user(number: int) -> Any:
    """One integer from the path, three fields of JSON."""
    return flask.jsonify(id=number, name="Ada Lovelace", active=True)


app.add_url_rule("/user/<int:number>", view_func=user)
