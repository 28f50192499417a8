"""Certificates for development."""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from stein.errors import CertificateError
from stein.serving.certificates import (
    generate_adhoc_ssl_pair,
    load_ssl_context,
    make_ssl_devcert,
)
from stein.serving.devserver import make_server
from tests.serving.devserving import app, serving

pytestmark = pytest.mark.usefixtures("silent")


def fetch_safely(port: int, context: ssl.SSLContext) -> str:
    url = f"https://localhost:{port}/"
    with urllib.request.urlopen(url, timeout=20, context=context) as response:
        return str(response.read().decode())


def test_a_certificate_on_the_spot_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(CertificateError, match="pip install cryptography"):
        make_server("localhost", 0, app, ssl_context="adhoc")


@pytest.mark.parametrize("has_memory", [True, False])
def test_a_certificate_on_the_spot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, has_memory: bool
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if not has_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    pytest.importorskip("cryptography")
    with serving(ssl_context="adhoc") as server:
        context = ssl._create_unverified_context()  # noqa: S323 - nobody has signed it
        assert fetch_safely(server.port, context).startswith("https ")
    assert list(tmp_path.iterdir()) == []


def test_files_of_a_certificate_can_be_kept(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    files = make_ssl_devcert(str(tmp_path / "dev"), host="localhost")
    assert files == (str(tmp_path / "dev.crt"), str(tmp_path / "dev.key"))
    assert Path(files[1]).stat().st_mode & 0o777 == 0o600
    assert make_ssl_devcert(str(tmp_path / "dev"), cn="localhost") == files
    with serving(ssl_context=files) as server:
        context = ssl.create_default_context(cafile=files[0])
        assert fetch_safely(server.port, context).startswith("https ")


@pytest.mark.parametrize(
    ("name", "names"),
    [
        (None, ["localhost", "*.localhost", "127.0.0.1", "::1"]),
        ("shop.test", ["shop.test", "*.shop.test"]),
    ],
)
def test_a_certificate_names_its_hosts(name: str | None, names: list[str]) -> None:
    x509: Any = pytest.importorskip("cryptography.x509")
    certificate, key = generate_adhoc_ssl_pair(name)
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each.value) for each in found] == names
    assert certificate.public_key() == key.public_key()


def test_a_context_is_made_of_files(pair: tuple[str, str], tmp_path: Path) -> None:
    context = load_ssl_context(*pair)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    other = load_ssl_context(*pair, protocol=ssl.PROTOCOL_TLS_CLIENT)
    assert other.protocol == ssl.PROTOCOL_TLS_CLIENT
    with pytest.raises(CertificateError, match=r"TLS file 'no\.pem' does not exist"):
        load_ssl_context("no.pem")
