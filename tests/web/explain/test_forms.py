"""What is said of a key that is missing in a request."""

from __future__ import annotations

import copy
import io
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stein.toolkit.client import Client
from stein.toolkit.datastructures import ImmutableMultiDict
from stein.toolkit.exceptions import BadRequest, BadRequestKeyError
from stein.web.app import Stein
from stein.web.explain import (
    DebugFilesKeyError,
    UnexpectedUnicodeError,
    attach_enctype_error_multidict,
    explain_key_error,
    explain_missing_keys,
)
from stein.web.globals import request

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE = "correct horse battery staple"


@pytest.fixture
def app() -> Stein:
    app = Stein("forms", root_path=".")
    app.debug = True
    return app


@pytest.fixture
def explanation(app: Stein) -> Callable[..., str]:
    """What is said when a view reads something of a request."""

    def explain(read: Callable[[], object], **sent: Any) -> str:
        sent.setdefault("method", "POST")
        with app.test_request_context("/", **sent):
            with pytest.raises(BadRequestKeyError) as caught:
                read()
            explain_key_error(caught.value)
            text = str(caught.value)
            assert VALUE not in text
            return text

    return explain


class Broken(io.RawIOBase):
    """A body that does not come."""

    def read(self, size: int = -1) -> bytes:
        raise ConnectionResetError

    def readinto(self, _: object) -> int:
        raise ConnectionResetError


class TestForm:
    def test_the_names_of_what_was_sent_are_told_and_no_values(
        self, explanation: Callable[..., str]
    ) -> None:
        text = explanation(
            lambda: request.form["email"],
            data={"name": VALUE, "password": VALUE},
            query_string={"page": VALUE},
        )
        assert "KeyError: 'email'" in text
        assert "request.form has no 'email'." in text
        assert "request.args has 'page'." in text
        assert "request.form has 'name', 'password'." in text
        assert "use request.form.get('email')" in text

    def test_a_misspelled_name_is_proposed(self, explanation: Callable[..., str]) -> None:
        text = explanation(lambda: request.form["emial"], data={"email": VALUE})
        assert "Did you mean 'email'?" in text

    def test_a_key_that_is_elsewhere_is_found_there(self, explanation: Callable[..., str]) -> None:
        text = explanation(lambda: request.form["q"], query_string={"q": VALUE})
        assert "'q' is in request.args: ask for it there." in text
        text = explanation(lambda: request.form["f"], data={"f": (io.BytesIO(b"x"), "x.txt")})
        assert "'f' is in request.files" in text

    def test_json_is_no_form(self, explanation: Callable[..., str]) -> None:
        text = explanation(lambda: request.form["email"], json={"email": VALUE})
        assert "The body is JSON (application/json), not a form: use request.get_json()." in text
        assert "'email' is a key of it." in text
        text = explanation(lambda: request.form["name"], json={"email": VALUE})
        assert "use request.get_json()" in text
        assert "is a key of it" not in text

    @pytest.mark.parametrize("body", [b"{", b"[1, 2]", b"\xff", b""])
    def test_json_that_is_none_does_no_harm(
        self, explanation: Callable[..., str], body: bytes
    ) -> None:
        text = explanation(lambda: request.form["a"], data=body, content_type="application/json")
        assert "use request.get_json()" in text

    def test_json_that_does_not_arrive_does_no_harm(self, explanation: Callable[..., str]) -> None:
        text = explanation(
            lambda: request.form["a"],
            input_stream=Broken(),
            content_length=8,
            content_type="application/json",
        )
        assert "use request.get_json()" in text
        assert "is a key of it" not in text

    def test_another_media_type_is_no_form(self, explanation: Callable[..., str]) -> None:
        text = explanation(lambda: request.form["a"], data=b"a=1", content_type="text/plain")
        assert "The media type is 'text/plain', and a form is sent as" in text
        text = explanation(lambda: request.form["a"], data=b"a=1")
        assert "a body without a Content-Type" in text
        assert "Neither the query string nor a form has any fields." in text

    def test_a_form_sent_with_get_is_in_the_url(self, explanation: Callable[..., str]) -> None:
        text = explanation(lambda: request.form["a"], method="GET")
        assert "has its fields in request.args" in text

    def test_get_and_in_work_as_ever(self, app: Stein) -> None:
        with app.test_request_context("/", method="POST", data={"a": "1"}):
            assert isinstance(request.form, ImmutableMultiDict)
            assert request.form["a"] == "1"
            assert request.form.get("b") is None
            assert request.form.get("a", type=int) == 1
            assert "b" not in request.form
            assert request.form.to_dict() == {"a": "1"}
            assert type(request.form).__name__ == "ImmutableMultiDict"

    def test_copies_and_pickles_do_without_the_request(self, app: Stein) -> None:
        with app.test_request_context("/", method="POST", data={"a": "1"}):
            again = pickle.loads(pickle.dumps(request.form))  # noqa: S301 - our own
            assert type(again) is ImmutableMultiDict
            anew = type(request.form)([("a", "1")])
            for made in (again, anew, request.form.copy(), copy.deepcopy(request.form)):
                assert made["a"] == "1"
                with pytest.raises(BadRequestKeyError):
                    made["b"]
            with pytest.raises(BadRequestKeyError) as caught:
                request.form["b"]
            again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
            assert type(again) is BadRequestKeyError
            assert again.args == ("b",)

    def test_values_are_explained_by_the_form_behind_them(self, app: Stein) -> None:
        with app.test_request_context("/", method="POST", data={"a": "1"}):
            assert request.values["a"] == "1"
            with pytest.raises(BadRequestKeyError):
                request.values["b"]

    def test_in_production_nothing_is_told(self, app: Stein) -> None:
        app.debug = False
        app.add_url_rule("/", "index", lambda: request.form["missing"], methods=["POST"])
        response = Client(app).post("/", data={"a": VALUE})
        assert response.status_code == 400
        assert "missing" not in response.text

    @given(st.binary(max_size=60), st.text(max_size=10), st.sampled_from(["form", "files", "args"]))
    def test_any_bytes_can_be_explained(self, body: bytes, key: str, source: str) -> None:
        app = Stein("forms", root_path=".")
        app.debug = True
        kinds = ("application/x-www-form-urlencoded", "application/json", "multipart/form-data", "")
        for kind in kinds:
            sent: Any = {"method": "POST", "data": body, "content_type": kind}
            with app.test_request_context(f"/?{body.hex()}", **sent):
                with pytest.raises((BadRequest, DebugFilesKeyError)) as caught:
                    raise BadRequest(getattr(request, source)[key])
                if isinstance(caught.value, BadRequestKeyError):
                    explain_key_error(caught.value)
                    assert "400 Bad Request" in str(caught.value)


class TestFiles:
    def test_a_form_without_enctype_sends_only_names(self, app: Stein) -> None:
        with app.test_request_context("/", method="POST", data={"photo": "cat.png"}):
            with pytest.raises(DebugFilesKeyError) as caught:
                request.files["photo"]
            text = str(caught.value)
            assert "no file contents were transmitted" in text
            assert 'enctype="multipart/form-data"' in text
            assert "This was submitted: 'cat.png'" in text
            assert isinstance(caught.value, KeyError)
            assert isinstance(caught.value, AssertionError)
            assert request.files.get("photo") is None

    def test_a_file_that_was_not_even_named_is_a_missing_key(
        self, explanation: Callable[..., str]
    ) -> None:
        text = explanation(lambda: request.files["photo"], data={"name": VALUE})
        assert "request.files has no 'photo'." in text
        assert "only a form with enctype" in text

    def test_a_field_that_is_no_file_is_found_in_the_form(
        self, explanation: Callable[..., str]
    ) -> None:
        data = {"name": VALUE, "photo": (io.BytesIO(b"x"), "x.png")}
        text = explanation(lambda: request.files["name"], data=data)
        assert "'name' is in request.form" in text

    def test_files_that_were_sent_are_there(self, app: Stein) -> None:
        data = {"photo": (io.BytesIO(b"x"), "x.png")}
        with app.test_request_context("/", method="POST", data=data):
            assert request.files["photo"].filename == "x.png"

    def test_the_public_function_does_the_same(self, app: Stein) -> None:
        app.debug = False
        with app.test_request_context("/", method="POST", data={"photo": "cat.png"}):
            attach_enctype_error_multidict(request)
            attach_enctype_error_multidict(request)
            with pytest.raises(DebugFilesKeyError):
                request.files["photo"]


class TestOtherMappings:
    def test_an_argument_is_told_with_what_was_sent(self, explanation: Callable[..., str]) -> None:
        text = explanation(lambda: request.args["q"], query_string={"page": VALUE})
        assert "KeyError: 'q'" in text
        assert "request.args has 'page'." in text

    def test_the_body_is_not_read_for_that(self, app: Stein) -> None:
        with app.test_request_context("/", method="POST", data={"a": "1"}):
            error = BadRequestKeyError("q")
            explain_key_error(error)
            assert "form" not in vars(request._get_current_object())  # type: ignore[attr-defined]

    def test_without_a_request_only_the_key_is_told(self) -> None:
        error = BadRequestKeyError("q")
        explain_key_error(error)
        assert str(error.description).endswith("\nKeyError: 'q'")

    def test_in_debug_mode_it_is_told_to_whoever_sees_the_error(self, app: Stein) -> None:
        app.add_url_rule("/", "index", lambda: request.args["q"])
        with pytest.raises(BadRequestKeyError, match=r"request\.args has 'page'"):
            Client(app).get("/?page=1")
        app.config["TRAP_BAD_REQUEST_ERRORS"] = False
        assert "request.args has" in Client(app).get("/?page=1").text

    def test_an_error_without_a_key_stays_as_it_is(self, app: Stein) -> None:
        with app.test_request_context("/"):
            error = BadRequestKeyError()
            explain_key_error(error)
            assert "request." not in str(error.description)

    def test_a_class_that_cannot_be_exchanged_is_left_alone(self, app: Stein) -> None:
        class Request(app.request_class):  # type: ignore[name-defined,misc]
            parameter_storage_class = dict

        app.request_class = Request
        with app.test_request_context("/", method="POST", data={"a": "1"}):
            explain_missing_keys(request)
            assert request.form["a"] == "1"
            with pytest.raises(KeyError):
                request.form["b"]

    def test_a_description_of_ones_own_is_kept(self, app: Stein) -> None:
        with app.test_request_context("/", method="POST", data={}):
            with pytest.raises(BadRequestKeyError) as caught:
                request.form["b"]
            caught.value.description = "mine"
            assert caught.value.description == "mine"


def test_the_other_public_name_is_there() -> None:
    assert issubclass(UnexpectedUnicodeError, AssertionError)
    assert issubclass(UnexpectedUnicodeError, UnicodeError)
