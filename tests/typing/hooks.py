"""An application with hooks, error handlers and blueprints of every kind."""

# ruff: noqa: TC001 - imported as people do it

from __future__ import annotations

from typing import Any, assert_type

from stein import (
    Blueprint,
    Response,
    Stein,
    abort,
    after_this_request,
    copy_current_request_context,
    flash,
    g,
    get_flashed_messages,
    has_app_context,
    has_request_context,
    request,
    request_started,
    template_rendered,
    url_for,
)
from stein.toolkit.exceptions import BadRequest, HTTPException, NotFound
from stein.web.typing import ResponseReturnValue

app = Stein(
    __name__, static_folder=None, template_folder="templates", instance_relative_config=True
)
app.secret_key = "not a secret"  # noqa: S105 - an example
shop = Blueprint("shop", __name__, url_prefix="/shop", template_folder="templates")
cart = Blueprint("cart", __name__)


@app.before_request
def who() -> None:
    g.user = "ada"


@app.before_request
def closed() -> ResponseReturnValue | None:
    return ("closed", 503) if request.args.get("closed") else None


@app.before_request
async def who_asynchronously() -> None:
    g.mood = "fine"


@app.after_request
def add_field(response: Response) -> Response:
    response.headers["X-User"] = g.user
    return response


@app.after_request
async def add_field_asynchronously(response: Response) -> Response:
    return response


@app.teardown_request
def over(error: BaseException | None) -> None:
    pass


@app.teardown_appcontext
async def all_over(error: BaseException | None) -> None:
    pass


@app.errorhandler(404)
def nothing_here(error: NotFound) -> tuple[str, int]:
    return error.description or "nothing", 404


@app.errorhandler(BadRequest)
@app.errorhandler(ValueError)
def wrong(error: BadRequest | ValueError) -> ResponseReturnValue:
    return str(error), 400


@app.errorhandler(HTTPException)
async def any_http_error(error: HTTPException) -> dict[str, Any]:
    return {"code": error.code}


def unexpected(error: Exception) -> str:
    return "sorry"


app.register_error_handler(Exception, unexpected)
app.register_error_handler(500, unexpected)


@app.context_processor
def for_templates() -> dict[str, Any]:
    return {"user": g.user}


@app.template_filter()
def shout(text: str) -> str:
    return text.upper()


@app.template_filter("double")
def twice(number: int) -> int:
    return number * 2


@app.template_test("even")
def is_even(number: int) -> bool:
    return number % 2 == 0


@app.template_global()
def version() -> str:
    return "1"


@app.shell_context_processor
def for_the_shell() -> dict[str, Any]:
    return {"shop": shop}


@app.url_value_preprocessor
def take_language(endpoint: str | None, values: dict[str, Any] | None) -> None:
    g.language = (values or {}).pop("language", "en")


@app.url_defaults
def give_language(endpoint: str, values: dict[str, Any]) -> None:
    values.setdefault("language", "en")


@app.endpoint("bare")
def bare() -> str:
    return "bare"


app.add_url_rule("/bare", endpoint="bare")


@shop.route("/")
def shelf() -> str:
    return url_for(".shelf", _external=True, page=2)


@shop.before_request
def shop_is_open() -> None:
    if not g.get("open", True):
        abort(503, description="closed")


@shop.before_app_request
async def shop_is_known() -> None: ...


@shop.after_request
def shop_field(response: Response) -> Response:
    return response


@shop.after_app_request
def shop_field_everywhere(response: Response) -> Response:
    return response


@shop.teardown_request
def shop_over(error: BaseException | None) -> None: ...


@shop.teardown_app_request
def shop_all_over(error: BaseException | None) -> None: ...


@shop.errorhandler(KeyError)
def shop_lacks(error: KeyError) -> tuple[str, int]:
    return str(error), 404


@shop.app_errorhandler(405)
def not_so(error: HTTPException) -> tuple[str, int]:
    return "not so", 405


@shop.app_template_filter("price")
def as_price(cents: int) -> str:
    return f"{cents / 100:.2f}"


@shop.app_template_test()
def cheap(cents: int) -> bool:
    return cents < 100


@shop.app_template_global("now")
def moment() -> int:
    return 0


@shop.app_context_processor
def shop_for_templates() -> dict[str, Any]:
    return {}


@shop.record_once
def when_registered(state: Any) -> None:
    state.app.config.setdefault("SHOP", "open")


@cart.get("/<int:number>")
def item(number: int) -> dict[str, int]:
    return {"number": number}


shop.register_blueprint(cart, url_prefix="/cart")
app.register_blueprint(shop)
app.register_blueprint(shop, name="second", url_prefix="/second")

# What a decorator gives back is what it was given.
assert_type(shout("a"), str)
assert_type(as_price(1), str)
assert_type(nothing_here(NotFound()), tuple[str, int])


@app.route("/late")
def late() -> str:
    @after_this_request
    def mark(response: Response) -> Response:
        response.set_cookie("mark", "1", httponly=True, samesite="Lax")
        return response

    @copy_current_request_context
    def work(times: int) -> str:
        return request.path * times

    flash("saved", "info")
    assert_type(work(2), str)
    assert_type(has_app_context() and has_request_context(), bool)
    for category, message in get_flashed_messages(with_categories=True):
        print(category, message)  # noqa: T201 - an example
    return work(1)


def count(sender: Stein, **extra: Any) -> None: ...


request_started.connect(count, app)
template_rendered.connect(count)
