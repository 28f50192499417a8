"""Passwords, and names of files that strangers chose."""

from __future__ import annotations

import hashlib
import ntpath
import os
import posixpath
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stein.toolkit import security
from stein.toolkit.security import (
    SALT_CHARS,
    check_password_hash,
    gen_salt,
    generate_password_hash,
    safe_join,
    secure_filename,
)

CHEAP = "pbkdf2:sha256:1"


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as the functions ask: the name of the system, its paths, its separators."""
    monkeypatch.setattr(os, "name", "nt")
    monkeypatch.setattr(os, "sep", "\\")
    monkeypatch.setattr(os, "path", ntpath)
    monkeypatch.setattr(security, "_os_alt_seps", ["\\"])


class TestPasswords:
    def test_the_default_is_scrypt(self) -> None:
        stored = generate_password_hash("secret")
        assert stored.startswith("scrypt:32768:8:1$")
        assert check_password_hash(stored, "secret")
        assert not check_password_hash(stored, "Secret")

    @pytest.mark.parametrize(
        ("method", "full"),
        [
            ("scrypt:16:4:2", "scrypt:16:4:2"),
            ("pbkdf2:sha512:3", "pbkdf2:sha512:3"),
            ("pbkdf2:sha1", "pbkdf2:sha1:1000000"),
            ("pbkdf2", "pbkdf2:sha256:1000000"),
        ],
    )
    def test_the_parameters_are_stored(self, method: str, full: str) -> None:
        stored = generate_password_hash("secret", method, salt_length=5)
        kept, salt, digest = stored.split("$")
        assert kept == full
        assert len(salt) == 5
        assert re.fullmatch("[0-9a-f]+", digest)
        assert check_password_hash(stored, "secret")

    def test_what_other_programs_stored(self) -> None:
        for n, r, p in ((2, 1, 1), (16, 1, 1), (16, 8, 1), (1024, 8, 16), (4096, 1, 3)):
            digest = hashlib.scrypt(b"secret", salt=b"salt", n=n, r=r, p=p).hex()
            assert check_password_hash(f"scrypt:{n}:{r}:{p}$salt${digest}", "secret")
        digest = hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", 2).hex()
        assert check_password_hash(f"pbkdf2:sha256:2$salt${digest}", "secret")

    def test_two_hashes_of_one_password_differ(self) -> None:
        assert generate_password_hash("x", CHEAP) != generate_password_hash("x", CHEAP)

    @pytest.mark.parametrize("stored", ["", "plain", "pbkdf2$salt", "$"])
    def test_what_is_no_hash_matches_nothing(self, stored: str) -> None:
        assert not check_password_hash(stored, stored)

    @pytest.mark.parametrize(
        "method",
        [
            "md5",
            "",
            "scrypt:1",
            "scrypt:a:b:c",
            "scrypt:15:8:1",
            f"scrypt:{2**200}:8:1",
            "pbkdf2:nohash:1",
            "pbkdf2:sha256:0",
            "pbkdf2:sha256:x",
            f"pbkdf2:sha256:{10**30}",
            "pbkdf2:sha256:1:1",
        ],
    )
    def test_a_method_that_cannot_be_is_a_value_error(self, method: str) -> None:
        with pytest.raises(ValueError, match=r"Invalid hash method|parameters of the hash method"):
            generate_password_hash("secret", method)
        with pytest.raises(ValueError, match=r"Invalid hash method|parameters of the hash method"):
            check_password_hash(f"{method}$salt$abc", "secret")

    @given(st.text(st.characters()))
    @example("\ud800")
    def test_any_text_is_a_password(self, password: str) -> None:
        stored = generate_password_hash(password, CHEAP)
        assert check_password_hash(stored, password)
        assert not check_password_hash(stored, password + "x")
        assert not check_password_hash(stored[:-1] + "\xe4", password)

    def test_salt_has_the_length_one_asks_for(self) -> None:
        assert len(gen_salt(40)) == 40
        assert set(gen_salt(400)) <= set(SALT_CHARS)
        for length in (0, -1):
            with pytest.raises(ValueError, match="at least 1"):
                gen_salt(length)


class TestSafeJoin:
    @pytest.mark.parametrize(
        ("parts", "joined"),
        [
            (("a", "b/c"), "a/b/c"),
            (("a", "b", "", "c"), "a/b/c"),
            (("a", "b/../c"), "a/c"),
            (("a", "."), "a/."),
            (("", "b"), "./b"),
            (("", "c:b"), "./c:b"),
            (("/a", "b"), "/a/b"),
            (("a",), "a"),
            (("a", "..b", "b.."), "a/..b/b.."),
            (("a", "CON"), "a/CON"),
        ],
    )
    def test_what_stays_inside(self, parts: tuple[str, ...], joined: str) -> None:
        assert safe_join(*parts) == joined

    @pytest.mark.parametrize(
        "path", ["..", "../b", "b/../../c", "/b", "//b/c", "///b", "b\0", "\0", "b/\0/c"]
    )
    def test_what_would_leave_or_is_no_path(self, path: str) -> None:
        assert safe_join("a", path) is None
        assert safe_join("a", "b", path) is None

    def test_a_later_part_cannot_take_back_an_earlier_one(self) -> None:
        assert safe_join("a", "b", "..") is None

    def test_the_separators_of_the_system_are_asked_for_each_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(security, "_os_alt_seps", ["*"])
        assert safe_join("a", "b*") is None

    @pytest.mark.usefixtures("windows")
    @pytest.mark.parametrize(
        "path",
        [
            "\\b",
            "b\\c",
            "..\\b",
            "\\\\server\\share\\b",
            "//server/share/b",
            "c:/b",
            "c:\\b",
            "/b",
            "//?/c:/b",
        ],
    )
    def test_drives_and_shares_on_windows(self, path: str) -> None:
        assert safe_join("a", path) is None

    @pytest.mark.usefixtures("windows")
    @pytest.mark.parametrize("place", ["{}", "b/{}", "{}/b", "b/{}/c"])
    @pytest.mark.parametrize(
        "name",
        [
            "CON",
            "con",
            "NUL.txt",
            "nul.tar.gz",
            "AUX ",
            "AUX.",
            "AUX . .",
            " PRN",
            "PRN . txt",
            "COM1",
            "com9.log",
            "COM\u00b9",
            "LPT\u00b2.x",
            "LPT\u00b3",
            "CONIN$",
            "conout$.x",
            "NUL:",
            "NUL::",
            "NUL:x",
            "NUL .x:y",
        ],
    )
    def test_devices_on_windows_in_every_segment(self, place: str, name: str) -> None:
        assert safe_join("a", place.format(name)) is None
        assert safe_join("a", "b", place.format(name)) is None

    @pytest.mark.usefixtures("windows")
    @pytest.mark.parametrize("name", ["CONSOLE", "COM", "COM10", "xCON", "x.CON", "b:c", "NULL"])
    def test_names_that_only_look_like_devices(self, name: str) -> None:
        assert safe_join("a", name) == f"a/{name}"

    @given(st.lists(st.text("ab./\\:\0~ ", max_size=12), max_size=4))
    def test_no_path_leaves_the_folder(self, parts: list[str]) -> None:
        joined = safe_join("/srv/files", *parts)
        if joined is not None:
            folder = posixpath.abspath(joined)
            assert posixpath.commonpath(["/srv/files", folder]) == "/srv/files"


class TestSecureFilename:
    @pytest.mark.parametrize(
        ("name", "safe"),
        [
            ("My cool movie.mov", "My_cool_movie.mov"),
            ("../../../etc/passwd", "etc_passwd"),
            ("i contain cool \xfcml\xe4uts.txt", "i_contain_cool_umlauts.txt"),
            ("__name__", "name"),
            ("\u2460\uff21.txt", "1A.txt"),
            (".htaccess", "htaccess"),
            ("a\r\nb\0c", "a_bc"),
            ("\u6587\u4ef6", ""),
            ("...", ""),
            ("", ""),
            ("CON", "CON"),
        ],
    )
    def test_what_stays_of_a_name(self, name: str, safe: str) -> None:
        assert secure_filename(name) == safe

    @pytest.mark.usefixtures("windows")
    @pytest.mark.parametrize(
        ("name", "safe"),
        [("con", "_con"), ("NUL.txt", "_NUL.txt"), ("a\\b", "a_b"), ("x.nul", "x.nul")],
    )
    def test_on_windows(self, name: str, safe: str) -> None:
        assert secure_filename(name) == safe

    @given(st.text())
    def test_any_name_becomes_one_segment(self, name: str) -> None:
        safe = secure_filename(name)
        assert re.fullmatch(r"(?:[A-Za-z0-9-](?:[A-Za-z0-9_.-]*[A-Za-z0-9-])?)?", safe)
        assert secure_filename(safe) == safe
