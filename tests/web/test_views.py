"""Views that are classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from stein.toolkit.client import Client
from stein.web.app import Stein
from stein.web.views import MethodView, View, http_method_funcs

if TYPE_CHECKING:
    from collections.abc import Callable

    from stein.web.typing import ResponseReturnValue


@pytest.fixture
def app() -> Stein:
    app = Stein("views", root_path=".")
    app.testing = True  # errors come through
    return app


class Hello(View):
    """Says hello."""

    def __init__(self, greeting: str = "Hello") -> None:
        self.greeting = greeting

    def dispatch_request(self, **values: Any) -> str:
        return f"{self.greeting}, {values.get('name', 'you')}!"


class Things(MethodView):
    def get(self) -> str:
        return "GET"

    def post(self) -> str:
        return "POST"


class TestView:
    def test_a_class_becomes_a_function_with_a_name_and_its_docstring(self) -> None:
        view: Any = Hello.as_view("hello")
        assert view.__name__ == "hello"
        assert view.__doc__ == "Says hello."
        assert view.__module__ == Hello.__module__
        assert view.view_class is Hello

    def test_it_is_called_with_the_values_of_the_url(self, app: Stein) -> None:
        app.add_url_rule("/<name>", view_func=Hello.as_view("hello"))
        assert Client(app).get("/anna").text == "Hello, anna!"

    def test_the_other_arguments_are_for_the_class(self, app: Stein) -> None:
        app.add_url_rule("/a", view_func=Hello.as_view("a", "Moin"))
        app.add_url_rule("/b", view_func=Hello.as_view("b", greeting="Hey"))
        client = Client(app)
        assert client.get("/a").text == "Moin, you!"
        assert client.get("/b").text == "Hey, you!"

    def test_each_request_has_an_instance_of_its_own(self, app: Stein) -> None:
        class Counter(View):
            def __init__(self) -> None:
                self.count = 0

            def dispatch_request(self) -> str:
                self.count += 1
                return str(self.count)

        class Shared(Counter):
            init_every_request = False

        app.add_url_rule("/own", view_func=Counter.as_view("own"))
        app.add_url_rule("/shared", view_func=Shared.as_view("shared"))
        client = Client(app)
        assert [client.get("/own").text for _ in range(3)] == ["1", "1", "1"]
        assert [client.get("/shared").text for _ in range(3)] == ["1", "2", "3"]

    def test_decorators_are_applied_from_the_first_to_the_last(self, app: Stein) -> None:
        def adding(text: str) -> Callable[[Any], Any]:
            def decorate(function: Any) -> Any:
                def wrapper(**kwargs: Any) -> Any:
                    return function(**kwargs) + text

                assert function.__name__ in {"hello", "wrapper"}
                return wrapper

            return decorate

        class Decorated(Hello):
            """Of the class."""

            decorators: ClassVar = [adding(" first"), adding(" last")]
            methods = ("GET", "POST")
            provide_automatic_options = False

        view: Any = Decorated.as_view("hello")
        assert view.__name__ == "hello"
        assert view.__doc__ == "Of the class."
        assert view.methods == ("GET", "POST")
        assert view.provide_automatic_options is False
        app.add_url_rule("/", view_func=view)
        assert Client(app).get("/").text == "Hello, you! first last"

    def test_a_test_can_put_another_class_there(self, app: Stein) -> None:
        class Other(Hello):
            def dispatch_request(self, **_: Any) -> str:
                return "other"

        view: Any = Hello.as_view("hello")
        view.view_class = Other
        app.add_url_rule("/", view_func=view)
        assert Client(app).get("/").text == "other"

    def test_without_dispatch_request_the_error_names_the_class(self, app: Stein) -> None:
        class Empty(View):
            pass

        app.add_url_rule("/", view_func=Empty.as_view("empty"))
        with pytest.raises(NotImplementedError, match=r"Empty has no dispatch_request\(\)"):
            Client(app).get("/")

    def test_the_methods_of_the_class_are_those_of_the_rule(self, app: Stein) -> None:
        class Put(Hello):
            methods = ("put",)

        app.add_url_rule("/", view_func=Put.as_view("put"))
        client = Client(app)
        assert client.put("/").status_code == 200
        assert client.get("/").status_code == 405

    def test_a_rule_may_have_methods_of_its_own(self, app: Stein) -> None:
        app.add_url_rule("/", view_func=Hello.as_view("hello"), methods=["POST"])
        assert Client(app).get("/").status_code == 405
        assert Client(app).post("/").status_code == 200

    def test_options_may_be_the_views_own_affair(self, app: Stein) -> None:
        class Own(Hello):
            methods = ("GET", "OPTIONS")
            provide_automatic_options = False

        class Nobodys(Hello):
            provide_automatic_options = False

        app.add_url_rule("/own", view_func=Own.as_view("own"))
        app.add_url_rule("/none", view_func=Nobodys.as_view("none"))
        app.add_url_rule("/automatic", view_func=Hello.as_view("automatic"))
        client = Client(app)
        assert client.options("/own").text == "Hello, you!"
        assert client.options("/none").status_code == 405
        response = client.options("/automatic")
        assert (response.status_code, response.text) == (200, "")

    def test_a_coroutine_function_will_do(self, app: Stein) -> None:
        class Async(View):
            async def dispatch_request(self) -> str:  # type: ignore[override]
                return "awaited"

        app.add_url_rule("/", view_func=Async.as_view("async"))
        assert Client(app).get("/").text == "awaited"

    def test_it_returns_whatever_a_view_may_return(self, app: Stein) -> None:
        class Made(View):
            def dispatch_request(self) -> ResponseReturnValue:
                return {"a": 1}, 201

        app.add_url_rule("/", view_func=Made.as_view("made"))
        response = Client(app).get("/")
        assert (response.status_code, response.json) == (201, {"a": 1})


class TestMethodView:
    def test_methods_are_called_by_name(self, app: Stein) -> None:
        app.add_url_rule("/", view_func=Things.as_view("things"))
        client = Client(app)
        assert client.get("/").text == "GET"
        assert client.post("/").text == "POST"
        response = client.delete("/")
        assert response.status_code == 405
        assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}

    def test_the_names_are_known(self) -> None:
        assert {"get", "post", "patch", "trace"} < http_method_funcs
        assert all(name.islower() for name in http_method_funcs)

    def test_head_is_answered_by_get_unless_there_is_a_head(self, app: Stein) -> None:
        class Own(Things):
            def head(self) -> ResponseReturnValue:
                return "", {"X-Head": "yes"}

        app.add_url_rule("/", view_func=Things.as_view("things"))
        app.add_url_rule("/own", view_func=Own.as_view("own"))
        client = Client(app)
        assert client.head("/").status_code == 200
        assert client.head("/own").headers["X-Head"] == "yes"

    def test_a_subclass_has_the_methods_of_its_bases_too(self) -> None:
        class Delete(MethodView):
            def delete(self) -> str:
                return "DELETE"

        class More(Things, Delete):
            def patch(self) -> str:
                return "PATCH"

        class Same(More):
            pass

        assert More.methods == Same.methods == {"GET", "POST", "DELETE", "PATCH"}
        assert Things.methods == {"GET", "POST"}

    def test_methods_of_a_base_that_it_does_not_define_count_too(self) -> None:
        class Proxy(MethodView):
            methods = ("PROPFIND",)

        class More(Proxy):
            def get(self) -> str:
                return "GET"

        assert set(More.methods) == {"GET", "PROPFIND"}

    def test_a_class_without_any_says_nothing(self) -> None:
        class Abstract(MethodView):
            pass

        assert Abstract.methods is None

    def test_a_class_that_says_its_methods_has_said_it_all(self) -> None:
        class Says(Things):
            methods = ("GET",)

        assert Says.methods == ("GET",)

    def test_a_method_that_the_rule_lets_in_and_the_class_lacks_is_explained(
        self, app: Stein
    ) -> None:
        app.add_url_rule("/", view_func=Things.as_view("things"), methods=["PUT"])
        with pytest.raises(AssertionError) as caught:
            Client(app).put("/")
        text = str(caught.value)
        assert "Unimplemented method 'PUT'" in text
        assert "Things has no method put() (it has get, post)" in text
        assert "Define put(self, ...)" in text

    def test_a_class_without_any_method_is_explained(self, app: Stein) -> None:
        class Nothing(MethodView):
            methods = ("GET",)

        app.add_url_rule("/", view_func=Nothing.as_view("nothing"))
        with pytest.raises(AssertionError, match="it has none at all"):
            Client(app).head("/")

    def test_coroutines_and_plain_methods_go_together(self, app: Stein) -> None:
        class Mixed(MethodView):
            def get(self) -> str:
                return "plain"

            async def post(self) -> str:
                return "awaited"

        app.add_url_rule("/", view_func=Mixed.as_view("mixed"))
        client = Client(app)
        assert client.get("/").text == "plain"
        assert client.post("/").text == "awaited"
