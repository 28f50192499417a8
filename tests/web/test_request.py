from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stein.web.app import Stein
from stein.web.globals import request
from stein.web.request import Request, blueprints_of, scopes_inwards, scopes_outwards
from stein.web.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def app() -> Stein:
    return Stein("requests", root_path=".")


def test_the_names_of_blueprints_come_from_the_endpoint() -> None:
    assert blueprints_of("a.b.c.view") == ("a.b.c", "a.b", "a")
    assert blueprints_of("view") == ()
    assert scopes_inwards("a.b.view") == (None, "a", "a.b")
    assert scopes_outwards("a.b.view") == ("a.b", "a", None)


def test_without_a_rule_there_is_no_endpoint(app: Stein) -> None:
    with app.test_request_context("/nowhere"):
        assert request.endpoint is None
        assert request.blueprint is None
        assert request.blueprints == []


@pytest.mark.parametrize(
    ("attribute", "key"),
    [
        ("max_content_length", "MAX_CONTENT_LENGTH"),
        ("max_form_memory_size", "MAX_FORM_MEMORY_SIZE"),
        ("max_form_parts", "MAX_FORM_PARTS"),
    ],
)
def test_limits_are_those_of_the_request_the_settings_and_the_toolkit(
    app: Stein, attribute: str, key: str
) -> None:
    app.config[key] = 10
    with app.test_request_context("/"):
        assert getattr(request, attribute) == 10
        setattr(request, attribute, 20)
        assert getattr(request, attribute) == 20
        alone = Request(request.environ)
    base = Request.__mro__[1]
    assert getattr(alone, attribute) == getattr(base, attribute)


def test_a_body_that_is_too_long_is_413(app: Stein) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 10
    app.add_url_rule("/", view_func=lambda: request.data, endpoint="index", methods=["POST"])

    @app.route("/large", methods=["POST"])
    def large() -> bytes:
        request.max_content_length = 100
        return request.get_data()

    client = app.test_client()
    assert client.post("/", data=b"x" * 10).data == b"x" * 10
    response = client.post("/", data=b"x" * 11)
    assert response.status_code == 413
    assert client.post("/large", data=b"x" * 11).data == b"x" * 11


class TestJson:
    @pytest.fixture
    def post(self, app: Stein) -> Callable[..., Any]:
        app.add_url_rule(
            "/", view_func=lambda: {"got": request.json}, methods=["POST"], endpoint="i"
        )
        return app.test_client().post

    def test_is_read_by_the_applications_provider(self, app: Stein) -> None:
        class Provider(app.json_provider_class):  # type: ignore[misc,name-defined]
            def loads(self, s: str | bytes, **kwargs: Any) -> Any:
                return {"by": "provider"}

        app.json = Provider(app)
        app.add_url_rule("/", view_func=lambda: request.json, methods=["POST"], endpoint="i")
        assert app.test_client().post("/", data="x", content_type="application/json").json == {
            "by": "provider"
        }

    def test_what_is_none_is_400_and_why_is_for_developers(
        self, app: Stein, post: Callable[..., Any]
    ) -> None:
        send = {"data": "{", "content_type": "application/json"}
        response = post("/", **send)
        assert response.status_code == 400
        assert "JSON" not in response.text
        app.debug = True
        response = post("/", **send)
        assert response.status_code == 400
        assert "JSON" in response.text

    def test_what_does_not_say_so_is_415(self, post: Callable[..., Any]) -> None:
        assert post("/", data="{}").status_code == 415


class TestCookies:
    def test_how_large_one_may_be_is_a_setting(self, app: Stein) -> None:
        app.config["MAX_COOKIE_SIZE"] = 50
        with app.app_context():
            assert Response().max_cookie_size == 50
            with pytest.warns(UserWarning, match="too large"):
                Response().set_cookie("name", "x" * 100)
        assert Response().max_cookie_size == 4093
