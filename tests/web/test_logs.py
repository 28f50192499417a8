"""The logger of an application, and where it writes while nobody has set up logging."""

from __future__ import annotations

import io
import logging
import subprocess
import sys

import pytest

from stein.web.app import Stein
from stein.web.logs import create_logger, default_handler, has_level_handler, wsgi_errors_stream

NAME = "garden.watering"


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """Loggers of its own for each test; those of the process have pytest's handlers."""
    root = logging.RootLogger(logging.WARNING)
    monkeypatch.setattr(logging.Logger, "manager", logging.Manager(root))
    return root


@pytest.fixture
def app() -> Stein:
    return Stein(NAME)


class TestCreateLogger:
    def test_it_is_named_as_the_application_and_writes_by_default(self, app: Stein) -> None:
        logger = create_logger(app)
        assert logger is logging.getLogger(NAME)
        assert logger.handlers == [default_handler]
        assert logger.level == logging.NOTSET

    def test_in_debug_mode_it_lets_everything_pass(self, app: Stein) -> None:
        app.debug = True
        assert create_logger(app).level == logging.DEBUG

    def test_a_level_that_was_set_stays(self, app: Stein) -> None:
        logging.getLogger(NAME).setLevel(logging.ERROR)
        app.debug = True
        assert create_logger(app).level == logging.ERROR

    def test_where_logging_was_set_up_nothing_is_added(
        self, app: Stein, root: logging.Logger
    ) -> None:
        root.addHandler(logging.NullHandler())
        assert create_logger(app).handlers == []

    def test_a_second_application_of_that_name_adds_no_second_handler(self, app: Stein) -> None:
        create_logger(app)
        assert create_logger(Stein(NAME)).handlers == [default_handler]

    def test_the_application_makes_it_when_it_is_first_touched(self, app: Stein) -> None:
        assert app.logger is logging.getLogger(NAME)
        assert app.logger.handlers == [default_handler]


class TestHasLevelHandler:
    @pytest.fixture
    def logger(self) -> logging.Logger:
        return logging.getLogger(NAME)

    def test_without_handlers_there_is_none(self, logger: logging.Logger) -> None:
        assert not has_level_handler(logger)

    def test_a_handler_of_a_parent_counts(
        self, logger: logging.Logger, root: logging.Logger
    ) -> None:
        root.addHandler(logging.NullHandler())
        assert has_level_handler(logger)

    def test_where_records_do_not_propagate_it_does_not(
        self, logger: logging.Logger, root: logging.Logger
    ) -> None:
        root.addHandler(logging.NullHandler())
        logger.propagate = False
        assert not has_level_handler(logger)
        logger.addHandler(logging.NullHandler())
        assert has_level_handler(logger)

    def test_a_handler_that_wants_only_more_serious_records_does_not(
        self, logger: logging.Logger, root: logging.Logger
    ) -> None:
        handler = logging.NullHandler()
        root.addHandler(handler)
        handler.setLevel(logging.CRITICAL)
        assert not has_level_handler(logger)
        handler.setLevel(logger.getEffectiveLevel())
        assert has_level_handler(logger)


class TestErrorsStream:
    def test_it_is_stderr_outside_of_requests(
        self, app: Stein, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with app.app_context():
            app.logger.warning("tank is %s", "low")
        assert capsys.readouterr().err.rstrip().endswith("] WARNING in test_logs: tank is low")
        assert wsgi_errors_stream._get_current_object() is sys.stderr  # type: ignore[attr-defined]

    def test_in_a_request_it_is_that_of_the_server(
        self, app: Stein, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stream = io.StringIO()
        with app.test_request_context(errors_stream=stream):
            app.logger.error("first")
            with app.app_context():
                app.logger.error("second")
        lines = stream.getvalue().splitlines()
        assert [line.rpartition(" ")[2] for line in lines] == ["first", "second"]
        assert capsys.readouterr().err == ""

    def test_an_error_of_a_view_is_logged_there_with_its_traceback(self, app: Stein) -> None:
        @app.route("/broken")
        def broken() -> str:
            raise LookupError("no such tank")

        stream = io.StringIO()
        response = app.test_client().get("/broken", errors_stream=stream)
        assert response.status_code == 500
        assert "Exception on /broken [GET]" in stream.getvalue()
        assert "LookupError: no such tank" in stream.getvalue()


def test_an_application_that_logs_nothing_imports_no_logging() -> None:
    program = (
        "import sys\n"
        "from stein.web.app import Stein\n"
        "app = Stein('x')\n"
        "sys.exit('stein.web.logs' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
