from __future__ import annotations

import contextlib
import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from stein.toolkit.exceptions import NotFound
from stein.toolkit.routing import BaseConverter, BuildError
from stein.web.app import Stein
from stein.web.context import (
    AppContext,
    RequestContext,
    after_this_request,
    copy_current_request_context,
    has_app_context,
    has_request_context,
)
from stein.web.globals import (
    _cv_app,
    _cv_request,
    app_ctx,
    context_var,
    current_app,
    g,
    request,
    request_ctx,
    session,
)
from stein.web.sessions import SecureCookieSessionInterface, SessionInterface
from stein.web.shortcuts import abort, url_for
from stein.web.signals import appcontext_popped, appcontext_pushed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stein.web.response import Response


@pytest.fixture
def app() -> Stein:
    app = Stein("contexts", root_path=".")
    app.secret_key = "not a secret"  # noqa: S105 - in a test
    return app


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert context_var.get(None) is None


def behind(proxy: Any) -> Any:
    return proxy._get_current_object()


def nothing() -> str:
    return ""


class TestAppContext:
    def test_it_makes_the_application_current(self, app: Stein) -> None:
        assert not has_app_context()
        with app.app_context() as context:
            assert has_app_context()
            assert not has_request_context()
            assert current_app == app
            assert behind(app_ctx) is context
        assert not has_app_context()

    def test_g_lives_as_long_as_the_context(self, app: Stein) -> None:
        with app.app_context():
            g.value = 1
            with app.app_context():
                assert "value" not in g
            assert g.value == 1
        with app.app_context():
            assert g.get("value") is None

    def test_the_innermost_application_is_the_current_one(self, app: Stein) -> None:
        other = Stein("other", root_path=".")
        with app.app_context():
            with other.app_context():
                assert current_app.name == "other"
            assert current_app.name == "contexts"

    def test_teardown_sees_the_error_that_ends_the_block(self, app: Stein) -> None:
        seen: list[Any] = []
        app.teardown_appcontext(seen.append)
        with pytest.raises(ZeroDivisionError) as caught, app.app_context():
            raise ZeroDivisionError
        assert seen == [caught.value]

    def test_pop_without_an_argument_takes_the_error_being_handled(self, app: Stein) -> None:
        seen: list[Any] = []
        app.teardown_appcontext(seen.append)
        error = KeyError("x")
        context = app.app_context()
        context.push()
        try:
            raise error
        except KeyError:
            context.pop()
        assert seen == [error]

    def test_a_teardown_that_raises_leaves_no_context_behind(self, app: Stein) -> None:
        @app.teardown_appcontext
        def fail(_: BaseException | None) -> None:
            raise RuntimeError("teardown")

        with pytest.raises(RuntimeError, match="teardown"), app.app_context():
            pass

    def test_it_can_be_pushed_twice_and_is_torn_down_once(self, app: Stein) -> None:
        calls: list[Any] = []
        app.teardown_appcontext(calls.append)
        context = app.app_context()
        with context:
            with context:
                g.value = 1
            assert calls == []
            assert g.value == 1
        assert calls == [None]

    def test_popping_another_than_the_innermost_says_which_it_is(self, app: Stein) -> None:
        outer, inner = app.app_context(), app.app_context()
        outer.push()
        inner.push()
        with pytest.raises(AssertionError, match="Popped wrong context"):
            outer.pop()
        inner.pop()
        outer.pop()
        with pytest.raises(AssertionError, match="is not the current one, None is"):
            outer.pop()

    def test_the_signals_tell_of_it(self, app: Stein) -> None:
        heard = []

        def note_push(sender: Stein, **_: Any) -> None:
            heard.append(("pushed", sender.name))

        def note_pop(sender: Stein, **_: Any) -> None:
            heard.append(("popped", sender.name))

        with (
            appcontext_pushed.connected_to(note_push, app),
            appcontext_popped.connected_to(note_pop, app),
        ):
            with app.app_context():
                assert heard == [("pushed", "contexts")]
            with app.test_request_context():
                pass
        assert heard == [("pushed", "contexts"), ("popped", "contexts")] * 2

    def test_it_may_carry_attributes_of_extensions(self, app: Stein) -> None:
        with app.app_context() as context:
            context.connection = 1  # type: ignore[attr-defined]
            assert app_ctx.connection == 1  # type: ignore[attr-defined]

    def test_its_repr_names_the_application(self, app: Stein) -> None:
        with app.app_context() as context:
            assert repr(context) == "<AppContext of 'contexts'>"
            assert repr(g) == "<g of 'contexts'>"
        assert repr(app.app_ctx_globals_class()).startswith("<stein.")


class TestG:
    def test_is_a_namespace_with_methods_of_a_dictionary(self, app: Stein) -> None:
        with app.app_context():
            g.a = 1
            assert g.setdefault("b", 2) == 2
            assert g.pop("a") == 1
            assert g.pop("a", None) is None
            with pytest.raises(KeyError):
                g.pop("a")
            assert list(g) == ["b"]
            assert "b" in g
            del g.b
            with pytest.raises(AttributeError, match="'b' was not set on g"):
                del g.b

    def test_an_attribute_that_is_not_set_says_how_to_ask_for_it(self, app: Stein) -> None:
        with app.app_context(), pytest.raises(AttributeError, match=r"g\.get\('user'\)"):
            _ = g.user

    def test_its_class_is_the_applications_choice(self, app: Stein) -> None:
        class Forgiving(app.app_ctx_globals_class):  # type: ignore[misc,name-defined]
            def __getattr__(self, name: str) -> None:
                return None

        app.app_ctx_globals_class = Forgiving
        with app.app_context():
            assert g.user is None

    def test_it_can_be_replaced_for_a_context(self, app: Stein) -> None:
        context = app.app_context()
        context.g = mine = app.app_ctx_globals_class()
        mine.value = 1
        with context:
            assert g.value == 1


class TestRequestContext:
    def test_it_makes_the_request_and_the_application_current(self, app: Stein) -> None:
        app.add_url_rule("/page", view_func=nothing)
        with app.test_request_context("/page?x=1") as context:
            assert request.args["x"] == "1"
            assert request.endpoint == "nothing"
            assert current_app == app
            assert behind(request_ctx) is context
            assert behind(app_ctx) is context
            assert has_request_context()
        assert not has_request_context()

    def test_it_shares_g_with_a_context_of_its_application_around_it(self, app: Stein) -> None:
        with app.app_context() as outer:
            g.value = 1
            with app.test_request_context():
                assert g.value == 1
                g.more = 2
                assert behind(app_ctx) is outer
            assert g.more == 2

    def test_it_has_a_g_of_its_own_inside_another_application(self, app: Stein) -> None:
        with Stein("other", root_path=".").app_context():
            g.value = 1
            with app.test_request_context():
                assert "value" not in g

    def test_the_application_around_it_is_torn_down_with_its_own_context(self, app: Stein) -> None:
        calls = []

        @app.teardown_appcontext
        def note(_: BaseException | None) -> None:
            calls.append("app")

        @app.teardown_request
        def note_request(_: BaseException | None) -> None:
            calls.append("request")

        with app.app_context():
            with app.test_request_context():
                pass
            assert calls == ["request"]
        assert calls == ["request", "app"]

    def test_a_request_stays_visible_inside_an_applications_context(self, app: Stein) -> None:
        with app.test_request_context("/outside"), app.app_context():
            assert request.path == "/outside"
            with Stein("other", root_path=".").app_context():
                assert request.path == "/outside"
                assert current_app.name == "other"

    def test_the_innermost_request_is_the_current_one(self, app: Stein) -> None:
        with app.test_request_context("/1"):
            with app.test_request_context("/2"):
                assert request.path == "/2"
            assert request.path == "/1"

    def test_the_session_is_opened_when_it_is_touched(self, app: Stein) -> None:
        with app.test_request_context() as context:
            assert context._opened is None
            assert not context._session.accessed
            assert not session
            assert context._session.accessed

    def test_one_of_somebody_elses_kind_is_opened_at_once(self, app: Stein) -> None:
        class Eager(type(app.session_interface)):  # type: ignore[misc]
            def open_session(self, app: Stein, request: Any) -> Any:
                opened.append(request_ctx.request.path)
                return super().open_session(app, request)

        opened: list[str] = []
        app.session_interface = Eager()
        with app.test_request_context("/path"):
            assert opened == ["/path"]

    def test_a_host_that_is_not_served_is_an_error_of_the_routing(self, app: Stein) -> None:
        app.config["TRUSTED_HOSTS"] = ["example.org"]
        with app.test_request_context("/", base_url="http://evil.test") as context:
            assert context.url_adapter is None
            assert request.routing_exception is not None
            assert request.routing_exception.code == 400

    def test_a_subclass_may_match_by_itself(self, app: Stein) -> None:
        class Mine(RequestContext):
            def match_request(self) -> None:
                super().match_request()
                self.request.view_args = {"seen": 1}

        class App(Stein):
            def request_context(self, environ: Any) -> RequestContext:
                return Mine(self, environ)

        mine = App("mine", root_path=".")
        mine.add_url_rule("/", view_func=lambda seen: {"seen": seen}, endpoint="index")
        assert mine.test_client().get("/").json == {"seen": 1}

    def test_it_is_popped_even_if_a_teardown_raises(self, app: Stein) -> None:
        calls = []

        @app.teardown_request
        def fail(_: BaseException | None) -> None:
            raise RuntimeError("teardown")

        @app.teardown_appcontext
        def note(_: BaseException | None) -> None:
            calls.append("app")

        with pytest.raises(RuntimeError, match="teardown"), app.test_request_context():
            pass
        assert calls == ["app"]

    def test_pushed_again_after_its_end_it_knows_its_rule_and_session(self, app: Stein) -> None:
        app.add_url_rule("/", view_func=nothing)
        context = app.test_request_context("/")
        with context:
            session["n"] = 1
            rule = request.url_rule
        with context:
            assert session["n"] == 1
            assert request.url_rule is rule

    def test_pushed_twice_it_is_torn_down_once(self, app: Stein) -> None:
        calls: list[Any] = []
        app.teardown_request(calls.append)
        with app.test_request_context("/") as context:
            with context:
                assert request.path == "/"
            assert calls == []
        assert calls == [None]

    def test_popping_in_the_wrong_order_is_an_error(self, app: Stein) -> None:
        outer, inner = app.test_request_context("/o"), app.test_request_context("/i")
        outer.push()
        inner.push()
        with pytest.raises(AssertionError, match=r"<RequestContext 'http://localhost/o' \[GET\]"):
            outer.pop()
        inner.pop()
        outer.pop()

    @pytest.mark.parametrize("path", ["/", "/fail", "/abort", "/nowhere"])
    def test_nothing_waits_for_the_collector(self, app: Stein, path: str) -> None:
        app.add_url_rule("/", view_func=lambda: str(session.get("x")), endpoint="index")
        app.add_url_rule("/fail", view_func=lambda: str(1 / 0), endpoint="fail")
        app.add_url_rule("/abort", view_func=lambda: abort(403), endpoint="abort")
        app.logger.disabled = True  # a record that pytest keeps would hold the traceback
        client = app.test_client()
        client.get(path)
        contexts: list[weakref.ref[Any]] = []

        @appcontext_pushed.connect_via(app)
        def note(_: Stein, **__: Any) -> None:
            contexts.append(weakref.ref(context_var.get()))

        gc.collect()
        gc.disable()
        try:
            client.get(path).close()
            assert [each() for each in contexts] == [None]
        finally:
            gc.enable()

    def test_what_fails_leaves_nothing_for_the_collector_either(self, app: Stein) -> None:
        """Errors hold tracebacks, and these the frames that hold the errors: a cycle each."""
        app.add_url_rule("/fail", view_func=lambda: str(1 / 0), endpoint="fail")
        app.add_url_rule("/build", view_func=_build_what_cannot_be_built, endpoint="build")
        app.add_url_rule("/read", view_func=lambda: str(session.get("x")), endpoint="read")
        app.add_url_rule("/late", view_func=_fail_late, endpoint="late")
        app.testing = True
        client = app.test_client()
        client.set_cookie("session", "forged.aaaaaa.bbbbbb")
        contexts: list[weakref.ref[Any]] = []

        def call(path: str) -> None:
            contexts.clear()
            with contextlib.suppress(ZeroDivisionError):
                client.get(path).close()

        @appcontext_pushed.connect_via(app)
        def note(_: Stein, **__: Any) -> None:
            contexts.append(weakref.ref(context_var.get()))

        for path in ("/fail", "/build", "/read", "/late"):
            call(path)
            gc.collect()
            gc.disable()
            try:
                call(path)
                assert [each() for each in contexts] == [None], path
            finally:
                gc.enable()

    def test_of_a_routing_error_the_traceback_stays_if_it_is_raised(self, app: Stein) -> None:
        app.config["TRAP_HTTP_EXCEPTIONS"] = app.testing = True
        with pytest.raises(NotFound) as caught:
            app.test_client().get("/nowhere")
        assert "dispatch_request" in [each.name for each in caught.traceback]

    def test_one_that_cannot_be_pushed_is_not_left_behind(self, app: Stein) -> None:
        ended: list[Any] = []
        app.teardown_appcontext(ended.append)

        def refuse(_: Stein, **__: Any) -> None:
            raise KeyError("refused")

        for context in (app.app_context(), app.test_request_context("/")):
            with (
                appcontext_pushed.connected_to(refuse, app),
                pytest.raises(KeyError, match="refused"),
                context,
            ):
                raise NotImplementedError  # not reached
            assert context_var.get(None) is None
        assert [type(error) for error in ended] == [KeyError, KeyError]

    def test_the_pop_is_told_even_if_a_teardown_function_fails(self, app: Stein) -> None:
        told = []

        @app.teardown_request
        def fail(_: BaseException | None) -> None:
            raise KeyError("teardown")

        def note(sender: Stein, **_: Any) -> None:
            told.append(sender)

        with appcontext_popped.connected_to(note, app):
            context = app.test_request_context("/")
            context.push()
            with pytest.raises(KeyError, match="teardown"):
                context.pop()
        assert told == [app]

    def test_a_converter_that_fails_does_so_once(self, app: Stein) -> None:
        calls = []

        class Fails(BaseConverter):
            def to_python(self, value: str) -> str:
                calls.append(value)
                raise KeyError(value)

        app.url_map.converters["fails"] = Fails
        app.add_url_rule("/<fails:x>", "view", nothing)
        context = app.test_request_context("/a")
        with pytest.raises(KeyError, match="a"):
            context.push()
        with context:
            assert request.url_rule is None
        context.pop()
        assert calls == ["a"]


def _build_what_cannot_be_built() -> str:
    try:
        return url_for("nowhere")
    except BuildError:
        return "none"


def _fail_late() -> str:
    @after_this_request
    def fail(response: Any) -> Any:
        raise ZeroDivisionError

    return "late"


class TestOutsideOfContexts:
    @pytest.mark.parametrize("use", [lambda: current_app.name, lambda: g.x, lambda: app_ctx.app])
    def test_the_application_says_how_to_have_one(self, use: Callable[[], Any]) -> None:
        with pytest.raises(RuntimeError, match=r"with app\.app_context\(\)"):
            use()

    @pytest.mark.parametrize(
        "use", [lambda: request.path, lambda: session["x"], lambda: request_ctx.request]
    )
    def test_the_request_says_how_to_have_one(self, app: Stein, use: Callable[[], Any]) -> None:
        with pytest.raises(RuntimeError, match="copy_current_request_context"):
            use()
        with app.app_context(), pytest.raises(RuntimeError, match=r"test_request_context"):
            use()

    def test_the_proxies_are_false(self) -> None:
        assert not bool(current_app)
        assert not bool(request)

    def test_functions_for_requests_name_themselves(self) -> None:
        with pytest.raises(RuntimeError, match="'after_this_request' can only be used"):
            after_this_request(lambda response: response)
        with pytest.raises(RuntimeError, match="'copy_current_request_context' can only be used"):
            copy_current_request_context(nothing)


class TestTheTwoViews:
    def test_they_can_be_read_like_context_variables(self, app: Stein) -> None:
        assert _cv_app.get(None) is None
        with pytest.raises(LookupError):
            _cv_request.get()
        with app.app_context() as context:
            assert _cv_app.get() is context
            assert _cv_request.get("nothing") == "nothing"
            with app.test_request_context() as inner:
                assert _cv_request.get() is inner
                assert _cv_app.get() is context

    def test_and_set_and_reset(self, app: Stein) -> None:
        context = AppContext(app)
        token = _cv_app.set(context)
        assert has_app_context()
        _cv_app.reset(token)
        assert not has_app_context()
        assert repr(_cv_app) == "<ContextView stein.app_context>"


class TestAfterThisRequest:
    def test_the_function_gets_the_response(self, app: Stein) -> None:
        @app.route("/")
        def index() -> str:
            @after_this_request
            def add(response: Response) -> Response:
                response.headers["X-Seen"] = "yes"
                return response

            return "x"

        client = app.test_client()
        assert client.get("/").headers["X-Seen"] == "yes"


class TestCopies:
    def test_a_thread_sees_the_request(self, app: Stein) -> None:
        @app.route("/")
        def index() -> dict[str, str]:
            session["user"] = "x"
            found = {}

            @copy_current_request_context
            def work(name: str) -> None:
                found[name] = request.args["a"] + session["user"]

            threads = [threading.Thread(target=work, args=(name,)) for name in "12"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return found

        assert app.test_client().get("/?a=b").json == {"1": "bx", "2": "bx"}

    def test_it_can_be_called_when_the_request_is_over(self, app: Stein) -> None:
        works: list[Callable[[], str]] = []

        @app.route("/<name>")
        def index(name: str) -> str:
            works.append(copy_current_request_context(lambda: request.path + g.get("x", "-")))
            g.x = "outer"
            return name

        app.test_client().get("/one")
        assert [work() for work in works * 2] == ["/one-", "/one-"]

    def test_two_threads_may_be_in_it_at_the_same_time(self, app: Stein) -> None:
        inside = threading.Barrier(2, timeout=10)
        seen = []
        with app.test_request_context("/shared"):

            @copy_current_request_context
            def work() -> None:
                inside.wait()
                seen.append(request.path)
                inside.wait()

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == ["/shared", "/shared"]

    def test_a_thread_and_its_request_have_one_session(self, app: Stein) -> None:
        @app.route("/<int:touched>")
        def index(touched: int) -> str:
            if touched:
                session.get("x")

            @copy_current_request_context
            def work() -> None:
                session["by"] = "thread"

            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            return str(session.get("by"))

        for path in ("/0", "/1"):
            client = app.test_client()
            assert client.get(path).text == "thread"
            with client.session_transaction() as saved:
                assert saved["by"] == "thread"

    @pytest.mark.parametrize("by", ["wrapper", "copy"])
    def test_a_copy_joins_a_session_that_was_opened_while_it_was_made(
        self, app: Stein, by: str
    ) -> None:
        made, opened = threading.Event(), threading.Event()
        in_thread = threading.local()

        class Halting(RequestContext):
            __slots__ = ()

            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                if getattr(in_thread, "halt", False):
                    made.set()
                    assert opened.wait(10)

        app.request_context = lambda environ: Halting(app, environ)  # type: ignore[method-assign]

        @app.route("/")
        def index() -> dict[str, Any]:
            def work() -> None:
                session["thread"] = 1

            wrapped = copy_current_request_context(work)
            context = request_ctx._get_current_object()  # type: ignore[attr-defined]

            def late() -> None:
                in_thread.halt = True
                if by == "wrapper":
                    wrapped()
                    return
                with context.copy():
                    work()

            thread = threading.Thread(target=late)
            thread.start()
            assert made.wait(10)
            session["view"] = 1
            opened.set()
            thread.join()
            return dict(session)

        assert app.test_client().get("/").json == {"thread": 1, "view": 1}

    def test_a_copy_made_while_the_session_is_being_opened_gets_that_one(self, app: Stein) -> None:
        opening, copied = threading.Event(), threading.Event()

        class Slow(SecureCookieSessionInterface):
            lazy = True

            def open_session(self, app: Stein, request: Any) -> Any:
                if not opening.is_set():
                    opening.set()
                    assert copied.wait(10)
                return super().open_session(app, request)

        app.session_interface = Slow()
        with app.test_request_context("/") as context:

            def work() -> None:
                assert opening.wait(10)
                with context.copy():
                    session["thread"] = 1
                    copied.set()
                    session["later"] = 1

            thread = threading.Thread(target=work)
            thread.start()
            session["view"] = 1
            thread.join()
            assert dict(session) == {"thread": 1, "later": 1, "view": 1}

    def test_a_copy_is_made_while_another_one_tells_its_session(self, app: Stein) -> None:
        arrived = threading.Event()
        made: list[RequestContext] = []

        class Noticing:
            """A lock that says so before a thread waits for it."""

            def __init__(self) -> None:
                self.lock = threading.Lock()

            def __enter__(self) -> None:
                if self.lock.locked():
                    arrived.set()
                self.lock.acquire()

            def __exit__(self, *_: object) -> None:
                self.lock.release()

        class Telling(RequestContext):
            __slots__ = ("kept",)

            @property
            def _opened(self) -> Any:
                return self.kept

            @_opened.setter
            def _opened(self, value: Any) -> None:
                self.kept = value
                if value is not None and not threads:
                    threads.append(threading.Thread(target=copy))
                    threads[0].start()
                    assert arrived.wait(10)

        def copy() -> None:  # one that is not told yet
            untold = next(each for each in (context, *copies) if each._opened is None)
            try:
                made.append(untold.copy())
            finally:
                arrived.set()

        threads: list[threading.Thread] = []
        context = Telling(app, app.test_request_context("/").request.environ)
        copies = [context.copy() for _ in range(3)]
        assert context._shared is not None
        context._shared._lock = Noticing()  # type: ignore[assignment]
        with copies[0]:
            session["a"] = 1
        threads[0].join()
        with made[0]:
            assert dict(session) == {"a": 1}

    def test_a_session_that_nobody_asks_for_is_not_opened_for_a_copy(self, app: Stein) -> None:
        class Unreachable(SessionInterface):
            lazy = True

            def open_session(self, app: Stein, request: Any) -> None:
                raise NotImplementedError

        app.session_interface = Unreachable()
        with app.test_request_context("/alone"):
            work = copy_current_request_context(lambda: request.path)
            assert [work(), work()] == ["/alone", "/alone"]
        assert work() == "/alone"

    def test_of_two_threads_that_open_the_session_one_does(self, app: Stein) -> None:
        asking, opened = threading.Barrier(2, timeout=10), []

        class Slow(SecureCookieSessionInterface):
            lazy = True

            def open_session(self, app: Stein, request: Any) -> Any:
                opened.append(1)
                return super().open_session(app, request)

        app.session_interface = Slow()
        with app.test_request_context("/"):

            @copy_current_request_context
            def work(name: str) -> None:
                asking.wait()
                session[name] = name

            threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert dict(session) == {"a": "a", "b": "b"}
        assert opened == [1]
