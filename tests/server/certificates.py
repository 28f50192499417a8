"""Certificates for the TLS tests, made with the `openssl` command.

The command and not a package: every machine that has a TLS library to test has it, and nothing
has to be installed, built or kept up for it.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "open sesame"  # noqa: S105 - of keys that live as long as the test run


class Certificates:
    """A folder of PEM files."""

    def __init__(self, folder: Path) -> None:
        """Make them all; skip the test where there is no openssl."""
        if shutil.which("openssl") is None:
            pytest.skip("there is no openssl command to make certificates with")
        self._folder = folder
        self.authority = self._self_signed("authority", "test authority", "")
        self.localhost = self._self_signed("localhost", "localhost", "DNS:localhost,IP:127.0.0.1")
        self.other = self._self_signed("other", "other.test", "DNS:other.test")
        self.wild = self._self_signed("wild", "wild.test", "DNS:*.wild.test")
        self.stranger = self._self_signed("stranger", "stranger", "")
        self.client = self._signed("client", "/O=stein/CN=client one")
        self.locked_key = folder / "locked.key"
        self._run(
            "pkcs8", "-topk8", "-in", self.key_of(self.localhost), "-out", self.locked_key,
            "-passout", f"pass:{PASSWORD}", "-v2", "aes-256-cbc",
        )  # fmt: skip
        self.old_locked_key = folder / "old-locked.key"
        self._run(
            "ec", "-aes256", "-in", self.key_of(self.localhost), "-out", self.old_locked_key,
            "-passout", f"pass:{PASSWORD}",
        )  # fmt: skip
        self.joined = folder / "joined.pem"
        self.joined.write_text(self.localhost.read_text() + self.key_of(self.localhost).read_text())

    def key_of(self, certificate: Path) -> Path:
        """The private key of a certificate."""
        return certificate.with_suffix(".key")

    def _self_signed(self, name: str, common_name: str, names: str) -> Path:
        certificate = self._folder / f"{name}.pem"
        extension = ["-addext", f"subjectAltName={names}"] if names else []
        self._run(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "30", "-subj", f"/CN={common_name}", *extension,
            "-keyout", self.key_of(certificate), "-out", certificate,
        )  # fmt: skip
        return certificate

    def _signed(self, name: str, subject: str) -> Path:
        """Sign one with the authority."""
        certificate, wish = self._folder / f"{name}.pem", self._folder / f"{name}.csr"
        self._run(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", subject, "-keyout", self.key_of(certificate), "-out", wish,
        )  # fmt: skip
        self._run(
            "x509", "-req", "-days", "30", "-set_serial", "1", "-in", wish,
            "-CA", self.authority, "-CAkey", self.key_of(self.authority), "-out", certificate,
        )  # fmt: skip
        return certificate

    def _run(self, *arguments: str | Path) -> None:
        subprocess.run(
            ["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30
        )
