"""The hook, in processes of its own: once installed it stays for the life of an interpreter."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from stein.dropin import distributions, finder


def run(program: str, *options: str) -> str:
    command = [sys.executable, *options, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_the_drop_in_the_names_lead_nowhere() -> None:
    out = run(
        """
        import stein
        try:
            import werkzeug
        except ModuleNotFoundError as error:
            print(error)
        """
    )
    assert out == "No module named 'werkzeug'\n"


def test_a_name_is_the_same_object_under_both_names() -> None:
    run(
        """
        import stein.dropin
        assert not stein.dropin.installed()
        stein.dropin.install()
        stein.dropin.install()
        assert stein.dropin.installed()
        import werkzeug.exceptions, werkzeug.utils
        from werkzeug import Request
        from werkzeug.local import LocalProxy
        import stein.toolkit, stein.toolkit.exceptions, stein.toolkit.properties
        import stein.toolkit.locals
        assert werkzeug.exceptions.NotFound is stein.toolkit.exceptions.NotFound
        assert werkzeug.utils.cached_property is stein.toolkit.properties.cached_property
        assert Request is stein.toolkit.Request
        assert LocalProxy is stein.toolkit.locals.LocalProxy
        """,
        "-W",
        "error",
    )


def test_our_modules_keep_their_names_and_specs() -> None:
    run(
        """
        import stein.dropin
        stein.dropin.install()
        import sys, werkzeug.exceptions, stein.toolkit.exceptions as ours
        theirs = werkzeug.exceptions
        assert theirs is not ours and theirs is sys.modules["werkzeug.exceptions"]
        assert theirs.__name__ == theirs.__spec__.name == "werkzeug.exceptions"
        assert theirs.__package__ == "werkzeug"
        assert ours.__name__ == ours.__spec__.name == "stein.toolkit.exceptions"
        assert theirs.__doc__ == ours.__doc__ and theirs.__file__ == ours.__file__
        assert "NotFound" in dir(theirs) and "_module" not in dir(theirs)
        assert "secure_filename" in dir(__import__("werkzeug.utils").utils)
        """
    )


def test_a_patch_reaches_the_place_where_the_name_is_looked_up() -> None:
    run(
        """
        import stein.dropin
        stein.dropin.install()
        import werkzeug.security, stein.toolkit.security as ours, werkzeug.utils
        from unittest import mock
        real = ours._os_alt_seps
        with mock.patch("werkzeug.security._os_alt_seps", ["/"]):
            assert ours._os_alt_seps == ["/"]
        assert ours._os_alt_seps is real
        with mock.patch("werkzeug.utils.redirect"):
            import stein.toolkit.redirects
            assert isinstance(stein.toolkit.redirects.redirect, mock.Mock)
        assert not isinstance(stein.toolkit.redirects.redirect, mock.Mock)
        werkzeug.utils.mine = 1
        assert werkzeug.utils.mine == 1
        del werkzeug.utils.mine
        assert not hasattr(werkzeug.utils, "mine")
        """
    )


def test_dropping_it_from_sys_modules_makes_no_second_copy() -> None:
    run(
        """
        import stein.dropin
        stein.dropin.install()
        import sys
        from importlib.machinery import PathFinder
        from werkzeug.local import LocalStack as before
        for name in [name for name in sys.modules if name.startswith("werkzeug")]:
            del sys.modules[name]
        # as pytest's finder does it, which stands first and walks the path of the parent
        import werkzeug
        assert PathFinder.find_spec("werkzeug.local", werkzeug.__path__).name == "werkzeug.local"
        from werkzeug.local import LocalStack as after
        assert before is after
        """
    )


def test_packages_can_be_walked_and_the_version_asked() -> None:
    out = run(
        """
        import stein.dropin
        stein.dropin.install()
        import importlib.metadata, pkgutil, werkzeug
        print(*(m.name + "/" * m.ispkg for m in pkgutil.iter_modules(werkzeug.__path__)))
        print(importlib.metadata.version("Werkzeug"))
        print(importlib.metadata.metadata("werkzeug")["Name"])
        print([d.name for d in importlib.metadata.distributions() if d.name == "werkzeug"])
        print(importlib.metadata.entry_points(group="nothing"))
        """
    )
    modules, version, name, found, _ = out.splitlines()
    assert {"exceptions", "routing/", "middleware/", "utils"} <= set(modules.split())
    assert (version, name, found) == ("3.1.9", "werkzeug", "['werkzeug']")


def test_flask_is_ours_under_its_name() -> None:
    run(
        """
        import stein.dropin
        stein.dropin.install()
        import flask, flask.views
        from flask import Flask, json, request
        from flask.globals import _cv_app, _cv_request, app_ctx
        from flask.json.provider import DefaultJSONProvider
        import stein, stein.web.globals, stein.web.json.provider, stein.web.json
        assert Flask is stein.Stein is flask.app.Flask
        assert request is stein.request
        assert json.dumps is stein.web.json.dumps
        assert DefaultJSONProvider is stein.web.json.provider.DefaultJSONProvider
        assert app_ctx is stein.web.globals.app_ctx
        app = Flask("there")
        with app.test_request_context("/"):
            assert _cv_app.get().app is _cv_request.get().app is app == flask.current_app
            assert flask.helpers.url_for("static", filename="a") == "/static/a"
        """,
        "-W",
        "error",
    )


def test_importing_a_package_is_enough_to_reach_its_modules() -> None:
    run(
        """
        import stein.dropin
        stein.dropin.install()
        import flask
        assert flask.helpers.__name__ == "flask.helpers"
        assert flask.json.provider.JSONProvider
        import werkzeug
        assert werkzeug.exceptions.NotFound.code == 404
        """
    )


def test_the_version_of_flask_answers_with_a_warning_where_it_is_asked() -> None:
    out = run(
        """
        import stein.dropin, warnings, importlib.metadata
        stein.dropin.install()
        import flask
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert flask.__version__ == importlib.metadata.version("flask") == "3.1.3"
        (warning,) = caught
        print(warning.category.__name__, warning.filename, "flask" in dir(flask))
        assert "importlib.metadata.version('flask')" in str(warning.message)
        assert "__version__" not in dir(flask) and "__version__" not in flask.__all__
        """
    )
    assert out == "DeprecationWarning <string> False\n"


def test_the_command_of_flask_is_an_entry_point() -> None:
    out = run(
        """
        import stein.dropin, importlib.metadata
        stein.dropin.install()
        (point,) = importlib.metadata.entry_points(group="console_scripts", name="flask")
        print(point.value, point.load().__module__)
        print(importlib.metadata.packages_distributions()["flask"])
        """
    )
    assert out == "flask.cli:main stein.web.cli.program\n['flask']\n"


def test_a_passing_patch_of_pytest_is_taken_back() -> None:
    run(
        """
        import stein.dropin
        stein.dropin.install()
        import flask.globals, flask.app, werkzeug.utils
        from pytest import MonkeyPatch
        for module, name in [
            (werkzeug.utils, "redirect"), (flask.app, "Stein"), (flask.app, "request"),
        ]:
            real = getattr(module, name)
            with MonkeyPatch.context() as first, MonkeyPatch.context() as second:
                first.setattr(module, name, 1)
                second.setattr(module, name, 2)
                assert getattr(module, name) == vars(module)[name] == 2
            assert getattr(module, name) is real
        assert "redirect" in vars(werkzeug.utils) and "Stein" in dir(flask.app)
        assert "request" in dir(flask.app) and "_chosen" not in dir(flask.app)
        """
    )


def test_star_import_gives_the_public_names() -> None:
    run(
        """
        import stein.dropin
        stein.dropin.install()
        from werkzeug.utils import *
        from werkzeug.wrappers import *
        import_string, secure_filename, Request
        """
    )


def test_a_name_that_is_not_there_is_an_attribute_error_that_names_module_and_name() -> None:
    out = run(
        """
        import stein.dropin
        stein.dropin.install()
        import werkzeug.utils, werkzeug.exceptions
        for module in (werkzeug.utils, werkzeug.exceptions):
            try:
                module.nothing
            except AttributeError as error:
                print(error)
            try:
                del module.nothing
            except AttributeError as error:
                print("del")
        try:
            import werkzeug.nothing
        except ModuleNotFoundError as error:
            print(error)
        """
    )
    assert out.splitlines() == [
        "module 'werkzeug.utils' (from stein.dropin) has no attribute 'nothing'",
        "del",
        "module 'werkzeug.exceptions' (from stein.dropin) has no attribute 'nothing'",
        "del",
        "No module named 'werkzeug.nothing'",
    ]


def test_the_real_package_imported_before_is_refused() -> None:
    out = run(
        """
        import sys, types, stein.dropin
        sys.modules["werkzeug"] = types.ModuleType("werkzeug")
        try:
            stein.dropin.install()
        except ImportError as error:
            print(error)
        """
    )
    assert out.startswith("werkzeug was imported before stein.dropin was installed")
    assert "python -m stein.dropin" in out


def test_the_resources_of_a_package_are_those_of_ours() -> None:
    loader = finder.AliasLoader()
    assert loader.get_resource_reader("werkzeug.utils") is None
    assert loader.get_code("flask.app") is None
    reader = loader.get_resource_reader("werkzeug.routing")
    assert "map.py" in set(reader.contents())


def test_a_distribution_has_no_files() -> None:
    distribution = distributions.AliasDistribution("werkzeug", "3.1.9")
    assert distribution.files is None
    assert distribution.read_text("RECORD") is None
    assert distribution.read_text("entry_points.txt") is None
    with pytest.raises(FileNotFoundError, match="no files of its own"):
        distribution.locate_file("x")


def test_the_path_hook_leaves_other_entries_alone() -> None:
    with pytest.raises(ImportError):
        finder._path_hook("/usr/lib")
