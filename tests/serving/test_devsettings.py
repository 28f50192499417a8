"""What the development server is told."""

from __future__ import annotations

import pytest

from stein.errors import BindError, CertificateError
from stein.serving.devsettings import context_of, files_of, settings_for

pytestmark = pytest.mark.usefixtures("silent")


@pytest.mark.parametrize(
    ("host", "bind"),
    [
        ("localhost", "localhost:5000"),
        ("::1", "[::1]:5000"),
        ("", ":5000"),
        ("unix:///run/x.sock", "unix:/run/x.sock"),
    ],
)
def test_host_and_port_become_an_address(host: str, bind: str) -> None:
    assert settings_for(host, 5000).bind == (bind,)


def test_a_descriptor_goes_before_host_and_port() -> None:
    assert settings_for("localhost", 99999, fd=7).bind == ("fd:7",)


def test_a_port_has_sixteen_bits() -> None:
    with pytest.raises(BindError, match="port -1: must be a number from 0 to 65535"):
        settings_for("localhost", -1)


def test_processes_hold_no_connection_that_another_could_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STEIN_THREADS", "9")
    settings = settings_for("localhost", 5000, processes=4)
    assert (settings.threads, settings.keep_alive, settings.limit_connections) == (1, 0.0, 1)
    assert settings_for("localhost", 5000, threads=False).threads == 1
    assert settings_for("localhost", 5000).threads == 9


def test_a_certificate_is_files_or_nothing_here() -> None:
    assert files_of(None) == files_of("adhoc") == {}
    assert {name: str(given) for name, given in files_of(("a", "b")).items()} == {
        "certfile": "ssl_context=a", "keyfile": "ssl_context=b",
    }  # fmt: skip
    with pytest.raises(CertificateError, match="ssl_context=7 is no"):
        files_of(7)
    assert context_of(settings_for("localhost", 5000), None) is None


def test_it_mends_requests_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_for("localhost", 0).lenient
    monkeypatch.setenv("STEIN_LENIENT", "off")
    assert not settings_for("localhost", 0).lenient
