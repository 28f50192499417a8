from __future__ import annotations

import importlib

import pytest

from stein.dropin.table import ALIASES, COMMANDS, DISTRIBUTIONS, split

# What programs try in order to tell versions apart: these must stay away.
GONE = [
    ("flask", "Markup"),
    ("flask", "_app_ctx_stack"),
    ("flask", "_request_ctx_stack"),
    ("flask", "escape"),
    ("flask.globals", "_request_ctx_stack"),
    ("flask.helpers", "_endpoint_from_view_func"),
    ("flask.helpers", "locked_cached_property"),
    ("flask.helpers", "safe_join"),
    ("flask.json", "JSONEncoder"),
    ("werkzeug", "__version__"),
    ("werkzeug.urls", "url_quote"),
    ("werkzeug.urls", "url_parse"),
    ("werkzeug.http", "parse_authorization_header"),
    ("werkzeug.wrappers", "BaseResponse"),
]


_SIGNALS = """
    appcontext_popped appcontext_pushed appcontext_tearing_down before_render_template
    got_request_exception message_flashed request_finished request_started request_tearing_down
    template_rendered
"""
_SHORTCUTS = """
    abort flash get_flashed_messages get_template_attribute make_response redirect send_file
    send_from_directory stream_with_context url_for
"""
_CURRENT = "current_app g request session"
_CONTEXT = "after_this_request copy_current_request_context has_app_context has_request_context"
_RENDER = "render_template render_template_string stream_template stream_template_string"

# What stands in the documentation of Flask 3.1, and what its own tests and well-known extensions
# import besides.
OFFERED = {
    "flask": f"{_SIGNALS} {_SHORTCUTS} {_CURRENT} {_CONTEXT} {_RENDER} Blueprint Config Flask "
    "Request Response json jsonify helpers templating views",
    "flask.app": f"Flask App {_CURRENT}",
    "flask.blueprints": "Blueprint BlueprintSetupState",
    "flask.cli": """
        AppGroup CertParamType FlaskGroup NoAppException ScriptInfo SeparatedPathType cli
        current_app find_app_by_string find_best_app get_version load_dotenv locate_app main
        pass_script_info prepare_import routes_command run_command shell_command
        show_server_banner version_option with_appcontext""",
    "flask.config": "Config ConfigAttribute",
    "flask.ctx": f"AppContext RequestContext _AppCtxGlobals {_CONTEXT}",
    "flask.debughelpers": """
        DebugFilesKeyError FormDataRoutingRedirect UnexpectedUnicodeError
        attach_enctype_error_multidict explain_template_loading_attempts""",
    "flask.globals": f"_cv_app _cv_request app_ctx request_ctx {_CURRENT}",
    "flask.helpers": f"{_SHORTCUTS} get_debug_flag get_load_dotenv get_root_path current_app",
    "flask.json": "dump dumps jsonify load loads provider tag",
    "flask.json.provider": "DefaultJSONProvider JSONProvider _default",
    "flask.json.tag": """
        JSONTag PassDict PassList TagBytes TagDateTime TagDict TagMarkup TagTuple TagUUID
        TaggedJSONSerializer""",
    "flask.logging": "create_logger default_handler has_level_handler wsgi_errors_stream",
    "flask.sansio.app": "App",
    "flask.sansio.blueprints": "Blueprint BlueprintSetupState DeferredSetupFunction",
    "flask.sansio.scaffold": "Scaffold find_package setupmethod _endpoint_from_view_func",
    "flask.sessions": """
        NullSession SecureCookieSession SecureCookieSessionInterface SessionInterface
        SessionMixin session_json_serializer""",
    "flask.signals": _SIGNALS,
    "flask.templating": f"DispatchingJinjaLoader Environment {_RENDER}",
    "flask.testing": "EnvironBuilder FlaskCliRunner FlaskClient",
    "flask.typing": """
        AfterRequestCallable AppOrBlueprintKey BeforeFirstRequestCallable BeforeRequestCallable
        ErrorHandlerCallable HeaderValue HeadersValue ResponseClass ResponseReturnValue
        ResponseValue RouteCallable ShellContextProcessorCallable TeardownCallable
        TemplateContextProcessorCallable TemplateFilterCallable TemplateGlobalCallable
        TemplateTestCallable URLDefaultCallable URLValuePreprocessorCallable""",
    "flask.views": "MethodView View http_method_funcs",
    "flask.wrappers": "Request Response",
    "werkzeug": "Client Request Response run_simple datastructures exceptions local routing",
    "werkzeug._internal": "_log _wsgi_decoding_dance _wsgi_encoding_dance",
    "werkzeug.serving": "is_running_from_reloader make_server run_simple",
}


def resolve(module: str, name: str) -> object:
    chosen, rest = split(ALIASES[module])
    home, _, own = chosen.get(name, rest).partition(":")
    return getattr(importlib.import_module(home), own or name) if home else missing(name)


def missing(name: str) -> object:
    raise AttributeError(name)


@pytest.mark.parametrize("alias", sorted(ALIASES))
def test_an_alias_has_its_parent_in_the_table(alias: str) -> None:
    parent, _, _ = alias.rpartition(".")
    assert not parent or parent in ALIASES


@pytest.mark.parametrize("alias", sorted(ALIASES))
@pytest.mark.filterwarnings("ignore:.*Ordered:DeprecationWarning")
def test_everything_that_an_alias_leads_to_is_there(alias: str) -> None:
    chosen, rest = split(ALIASES[alias])
    assert not rest or importlib.import_module(rest).__name__ == rest
    for name in chosen:
        assert resolve(alias, name) is not None, name


@pytest.mark.parametrize(("module", "name"), GONE)
def test_what_upstream_has_dropped_is_not_offered(module: str, name: str) -> None:
    with pytest.raises(AttributeError):
        resolve(module, name)


def test_modules_that_upstream_has_dropped_are_not_offered() -> None:
    assert not {"flask.scaffold", "flask.ext", "werkzeug.contrib", "werkzeug.wrappers.json"} & {
        *ALIASES
    }


@pytest.mark.parametrize(("module", "names"), OFFERED.items(), ids=OFFERED)
def test_what_programs_import_is_offered(module: str, names: str) -> None:
    for name in names.split():
        assert f"{module}.{name}" in ALIASES or resolve(module, name) is not None


def test_every_top_level_alias_is_a_distribution_with_a_version() -> None:
    assert {alias for alias in ALIASES if "." not in alias} == set(DISTRIBUTIONS)


def test_a_command_stands_in_a_module_that_is_offered() -> None:
    for command in COMMANDS.values():
        module, _, name = command.partition(":")
        assert callable(resolve(module, name))
