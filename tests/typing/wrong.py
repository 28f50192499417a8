"""Mistakes that type checkers must find: each line says which error belongs to it.

A comment whose error is missing is an error itself, for mypy (``warn_unused_ignores``) and for
pyright (``reportUnnecessaryTypeIgnoreComment``).
"""

# pyright: reportUntypedFunctionDecorator=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false
# ruff: noqa: T201 - examples

from __future__ import annotations

from typing import Any

from stein import Blueprint, Response, Stein, jsonify, render_template, request, session

app = Stein(__name__)
blueprint = Blueprint("wrong", __name__)


@app.route("/number")  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
def number() -> int:
    return 1


@app.get("/nothing")  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
def nothing() -> None:
    jsonify(1)


@app.post("/none-sometimes")  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
def none_sometimes() -> str | None:
    return "" if request.is_json else None


@app.route("/backwards")  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
def backwards() -> tuple[int, str]:
    return 200, "text"


@app.route("/four")  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
def four() -> tuple[str, int, dict[str, str], str]:
    return "", 200, {}, ""


@app.route("/fields")  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
def fields() -> tuple[str, dict[str, int]]:
    return "", {"X-Number": 1}


@app.route("/set")  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
def a_set() -> set[str]:
    return {"a"}


@app.route("/async")  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
async def asynchronous() -> float:
    return 1.0


@blueprint.before_request  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
def before_with_an_argument(value: str) -> None: ...


@app.after_request  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
def after_that_returns_nothing(response: Response) -> None: ...


@app.teardown_request  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
def teardown_without_its_argument() -> None: ...


@app.errorhandler(404)  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
def handler_without_its_argument() -> str:
    return ""


@app.errorhandler("404")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
def handler_of_a_text(error: Exception) -> str:
    return ""


@app.context_processor  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
def context_that_is_a_list() -> list[str]:
    return []


@app.template_test()  # type: ignore[type-var] # pyright: ignore[reportArgumentType]
def test_that_is_a_text(value: Any) -> str:
    return ""


app.register_blueprint(app)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
request.args = 1  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
print(request.methods)  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
session.count = 1  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
render_template(1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
app.test_client().get("/").text.nothing()  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
