"""What views read, and of which type it is: request, session, g, the application, its settings."""

from __future__ import annotations

from datetime import timedelta
from logging import Logger
from typing import TYPE_CHECKING, Any, assert_type

from stein import Config, Stein, current_app, g, jsonify, request, session
from stein.toolkit.datastructures.file_storage import FileStorage
from stein.web import json
from stein.web.json.provider import DefaultJSONProvider, JSONProvider
from stein.web.sessions import SecureCookieSessionInterface, SessionInterface, SessionMixin

if TYPE_CHECKING:
    from stein import Request, Response

app = Stein(__name__)
app.secret_key = "not a secret"  # noqa: S105 - an example
app.config["ANSWER"] = 42
app.config.update(TESTING=True, MAX_CONTENT_LENGTH=1_000_000)
app.config.from_mapping(NAME="ada", SESSION_COOKIE_SECURE=True)
app.config.from_prefixed_env()
assert_type(app.config, Config)
assert_type(app.config.from_pyfile("missing.cfg", silent=True), bool)
assert_type(app.config.get_namespace("SESSION_"), dict[str, Any])
assert_type(app.debug, bool)
assert_type(app.testing, bool)
assert_type(app.name, str)
assert_type(app.permanent_session_lifetime, timedelta)
app.permanent_session_lifetime = timedelta(days=7)


class ShortJSON(DefaultJSONProvider):
    compact = True
    sort_keys = False

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return super().dumps(obj, **kwargs)


class OwnJSON(JSONProvider):
    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return str(obj)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return s


app.json_provider_class = ShortJSON
app.json = OwnJSON(app)


class OwnSessions(SecureCookieSessionInterface):
    salt = "own"

    def should_set_cookie(self, app: Stein, session: SessionMixin) -> bool:
        return super().should_set_cookie(app, session)


class NoSessions(SessionInterface):
    def open_session(self, app: Stein, request: Request) -> SessionMixin | None:
        return None

    def save_session(self, app: Stein, session: SessionMixin, response: Response) -> None:
        return None


app.session_interface = OwnSessions()


@app.route("/")
def show() -> dict[str, Any]:
    assert_type(request.method, str)
    assert_type(request.path, str)
    assert_type(request.args["a"], str)
    assert_type(request.args.get("page", 1, type=int), int)
    assert_type(request.args.getlist("tag"), list[str])
    assert_type(request.form.get("name"), str | None)
    assert_type(request.files.get("photo"), FileStorage | None)
    assert_type(request.cookies.get("a"), str | None)
    assert_type(request.headers.get("Accept", ""), str)
    assert_type(request.data, bytes)
    assert_type(request.values.get("a"), str | None)
    assert_type(request.remote_addr, str | None)
    assert_type(request.get_data(), bytes)
    assert_type(request.get_data(as_text=True), str)
    assert_type(request.endpoint, str | None)
    assert_type(request.blueprint, str | None)
    assert_type(request.blueprints, list[str])
    assert_type(request.view_args, dict[str, Any] | None)
    assert_type(request.is_json, bool)
    assert_type(request.content_length, int | None)
    data = request.get_json(silent=True)
    return {"data": data, "json": request.json}


@app.route("/session")
def remember() -> Response:
    session["count"] = session.get("count", 0) + 1
    session.setdefault("names", []).append("ada")
    session.permanent = True
    session.modified = True
    assert_type(session.new, bool)
    session.pop("old", None)
    return jsonify(dict(session))


@app.route("/g")
def namespace() -> str:
    g.connection = object()
    g.setdefault("count", 0)
    assert_type(g.count, Any)
    del g.count
    if "user" in g:
        assert_type(g.pop("user", None), Any)
    return str(g.get("user", "nobody"))


@app.route("/app")
def about() -> str:
    assert_type(current_app.config["NAME"], Any)
    assert_type(current_app.logger, Logger)
    current_app.logger.info("shown")
    assert_type(json.dumps({"a": 1}), str)
    assert_type(current_app.json.loads("{}"), Any)
    with current_app.open_resource("static/a.txt") as file:
        return str(file.read())
