from __future__ import annotations

import pytest

from stein.toolkit.client import Client
from stein.toolkit.routing.exceptions import RequestRedirect
from stein.web.app import Stein
from stein.web.explain import FormDataRoutingRedirect
from stein.web.globals import request


@pytest.fixture
def app() -> Stein:
    app = Stein("redirects", root_path=".")
    app.debug = True
    app.add_url_rule("/user/", "user", lambda: "user", methods=["GET", "POST"])
    return app


def test_a_redirect_that_loses_a_form_is_an_error_in_debug_mode(
    app: Stein, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RequestRedirect, "code", 301)
    client = Client(app)
    with pytest.raises(FormDataRoutingRedirect) as caught:
        client.post("/user", data={"name": "anna"})
    text = str(caught.value)
    assert "A POST request was sent to 'http://localhost/user'" in text
    assert "redirect (301) to the canonical URL 'http://localhost/user/'" in text
    assert "The rule ends with a slash" in text
    assert "anna" not in text
    assert client.get("/user").status_code == 301


def test_a_redirect_that_keeps_it_is_sent(app: Stein) -> None:
    response = Client(app).post("/user", data={"name": "anna"})
    assert response.status_code == 308


def test_another_reason_than_the_slash_is_not_told_as_such(app: Stein) -> None:
    with app.test_request_context("/other", method="POST"):
        request.routing_exception = RequestRedirect("http://localhost/user/")
        assert "ends with a slash" not in str(FormDataRoutingRedirect(request))


def test_it_is_only_for_redirects(app: Stein) -> None:
    with (
        app.test_request_context("/user/"),
        pytest.raises(TypeError, match="routing has not redirected"),
    ):
        FormDataRoutingRedirect(request)
