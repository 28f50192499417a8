"""Passwords, and names of files that strangers chose."""

from __future__ import annotations

import os
import posixpath
import re
from typing import Final

__all__ = [
    "DEFAULT_PBKDF2_ITERATIONS",
    "SALT_CHARS",
    "check_password_hash",
    "gen_salt",
    "generate_password_hash",
    "safe_join",
    "secure_filename",
]

# hashlib, hmac, secrets and unicodedata are imported in the functions that use them: they load
# shared libraries, and most programs never hash a password.

# -- passwords -----------------------------------------------------------------------------------

SALT_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

#: iterations of PBKDF2 if the method does not say how many
DEFAULT_PBKDF2_ITERATIONS = 1_000_000

#: n, r and p of scrypt (RFC 7914 2) if the method does not say
_SCRYPT_COST: Final = (2**15, 8, 1)


def gen_salt(length: int) -> str:
    """A random text of :data:`SALT_CHARS`, good enough for secrets.

    :param length: in characters.
    :raises ValueError: the length is below 1.
    """
    from secrets import choice  # noqa: PLC0415

    if length < 1:
        raise ValueError(f"a salt of {length} characters protects nothing; ask for at least 1")
    return "".join([choice(SALT_CHARS) for _ in range(length)])


def generate_password_hash(password: str, method: str = "scrypt", salt_length: int = 16) -> str:
    """What to store in place of a password.

    :param method: ``scrypt`` or ``scrypt:n:r:p`` (RFC 7914); ``pbkdf2``, ``pbkdf2:hash`` or
        ``pbkdf2:hash:iterations`` (RFC 8018 5.2), for where the memory that scrypt needs
        (32 MB) is not there.
    :param salt_length: in characters.
    :return: ``method$salt$hash``, the method with all its parameters.
    :raises ValueError: there is no such method, or its parameters make no sense.
    """
    salt = gen_salt(salt_length)
    full_method, digest = _hash(method, salt, password)
    return f"{full_method}${salt}${digest}"


def check_password_hash(pwhash: str, password: str) -> bool:
    """Whether a password is the one that was stored.

    The comparison takes the same time wherever the two differ.

    :param pwhash: what :func:`generate_password_hash` gave.
    :return: False, too, if ``pwhash`` is not of the form ``method$salt$hash``.
    :raises ValueError: its method does not exist.
    """
    from hmac import compare_digest  # noqa: PLC0415

    parts = pwhash.split("$", 2)
    if len(parts) < 3:
        return False
    method, salt, digest = parts
    return compare_digest(_hash(method, salt, password)[1].encode(), digest.encode())


def _hash(method: str, salt: str, password: str) -> tuple[str, str]:
    """The method with its parameters, and the hash in hexadecimal."""
    name, *parameters = method.split(":")
    hashing = {"scrypt": _scrypt, "pbkdf2": _pbkdf2}.get(name)
    if hashing is None:
        raise ValueError(
            f"Invalid hash method {name!r}; use 'scrypt' or 'pbkdf2'. Hashes of other methods "
            "cannot be checked any more: let their owners set a new password"
        )
    try:
        # A lone surrogate, which JSON can bring, is a wrong password rather than an error.
        return hashing(parameters, salt.encode(), password.encode("utf-8", "surrogatepass"))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the parameters of the hash method {method!r} fail: {error}") from error


def _scrypt(parameters: list[str], salt: bytes, password: bytes) -> tuple[str, str]:
    from hashlib import scrypt  # noqa: PLC0415

    if len(parameters) not in {0, 3}:
        raise ValueError("scrypt takes n, r and p, or nothing")
    n, r, p = map(int, parameters) if parameters else _SCRYPT_COST
    # RFC 7914 needs so many bytes for n + p blocks, and OpenSSL for two more.
    digest = scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=128 * r * (n + p + 2))
    return f"scrypt:{n}:{r}:{p}", digest.hex()


def _pbkdf2(parameters: list[str], salt: bytes, password: bytes) -> tuple[str, str]:
    from hashlib import pbkdf2_hmac  # noqa: PLC0415

    if len(parameters) > 2:
        raise ValueError("pbkdf2 takes the name of a hash and the number of iterations")
    name = parameters[0] if parameters else "sha256"
    iterations = int(parameters[1]) if len(parameters) > 1 else DEFAULT_PBKDF2_ITERATIONS
    return f"pbkdf2:{name}:{iterations}", pbkdf2_hmac(name, password, salt, iterations).hex()


# -- names of files ------------------------------------------------------------------------------

#: what separates folders on this system, besides the slash
_os_alt_seps: list[str] = [each for each in (os.sep, os.path.altsep) if each and each != "/"]

# Windows finds these in every folder and with every ending ("NUL.txt"); reading them may hang.
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file, and the two of the console
_DEVICES: Final = frozenset(
    ["AUX", "CON", "CONIN$", "CONOUT$", "NUL", "PRN"]
    + [f"{port}{number}" for port in ("COM", "LPT") for number in "123456789\u00b9\u00b2\u00b3"]
)

_NOT_IN_A_FILENAME: Final = re.compile(r"[^A-Za-z0-9_.-]")


def _is_device(name: str) -> bool:
    """Whether Windows takes the name of a file for a device.

    Endings, streams (``NUL:x``), and blanks around the name do not count.
    """
    stem, _, _ = name.partition(":")
    stem, _, _ = stem.partition(".")
    return stem.strip().upper() in _DEVICES


def _is_special_on_windows(path: str) -> bool:
    """Whether a path starts at a drive or a share, or leads to a device."""
    # A Path would normalise what is to be looked at.
    return os.path.isabs(path) or any(map(_is_device, path.split("/")))  # noqa: PTH117


def safe_join(directory: str, *untrusted: str) -> str | None:
    """Join a folder and a path that came from outside, so that the path stays in the folder.

    Only the names are looked at, not the files: a symbolic link in the folder may lead out of it.

    :param directory: is trusted; the empty text is the current folder.
    :param untrusted: parts of a path as in a URL, with slashes.
    :return: None if the path would leave the folder, or is none: an absolute path, another
        separator, a NUL character, or on Windows the name of a device.
    """
    # Without this, the first part that is not trusted could become the root of the path.
    parts = [directory or "."]
    for part in untrusted:
        if not part:
            continue
        path = posixpath.normpath(part)
        if (
            path.startswith(("/", "../"))
            or path == ".."
            or "\0" in path
            or (_os_alt_seps and any(separator in path for separator in _os_alt_seps))
            # Asked for anew each time, so that a test can stand in for the system.
            or (os.name == "nt" and _is_special_on_windows(path))
        ):
            return None
        parts.append(path)
    return posixpath.join(*parts)


def secure_filename(filename: str) -> str:
    """A name for a file, made of one that came from outside.

    Letters lose their accents, separators and blanks become ``_``, and of the rest only ASCII
    letters, digits, ``.``, ``-`` and ``_`` stay; none of ``._`` at the ends.  On Windows the name
    of a device gets a ``_`` in front.

    :return: empty if nothing stays; so name the file otherwise, then.
    """
    if not filename.isascii():
        from unicodedata import normalize  # noqa: PLC0415

        filename = normalize("NFKD", filename).encode("ascii", "ignore").decode("ascii")
    for separator in filter(None, (os.sep, os.path.altsep)):
        filename = filename.replace(separator, " ")
    filename = _NOT_IN_A_FILENAME.sub("", "_".join(filename.split())).strip("._")
    if os.name == "nt" and _is_device(filename):
        return f"_{filename}"
    return filename
