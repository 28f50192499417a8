"""Signatures of cookies: itsdangerous, with what it would work out each time kept."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, cast

from itsdangerous import URLSafeTimedSerializer
from itsdangerous.signer import HMACAlgorithm
from itsdangerous.timed import TimestampSigner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["KeptSerializer", "make_serializer"]


# PERF: a payload is compressed to see whether that is shorter, and for each of them zlib takes and
# gives back 268 kB.  glibc returns them to the system each time, if they happen to be the last of
# the heap, and gets them again page by page: up to 90 us for a session of seven bytes instead of
# 2.  It stops doing so for blocks up to twice as long as the longest that it has ever returned
# (mallopt(3), M_MMAP_THRESHOLD), and this is one.  None of its pages is ever touched.
bytearray(1 << 20)


class _Digest(HMACAlgorithm):
    """An HMAC that begins each time where the key has been put in.

    PERF: with a hash that is a Python function, as the default one is, ``hmac.new`` is Python all
    through: 1.0 us instead of 6.
    """

    def __init__(self, digest_method: Callable[..., Any]) -> None:
        super().__init__(digest_method)
        self._begun: dict[bytes, hmac.HMAC] = {}

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        begun = self._begun.get(key)
        if begun is None:
            begun = self._begun[key] = self._begin(key)
        mac = begun.copy()
        mac.update(value)
        return mac.digest()

    def _begin(self, key: bytes) -> hmac.HMAC:
        """Put in the key; by the hash's name if OpenSSL has it, as that is twice as fast."""
        digest = self.digest_method()
        if type(digest).__module__ == "_hashlib":
            return hmac.new(key, digestmod=digest.name)
        return hmac.new(key, digestmod=self.digest_method)


class _Signer(TimestampSigner):
    """A signer that derives each key once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._derived: dict[str | bytes | None, bytes] = {}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        key = self._derived.get(secret_key)
        if key is None:
            key = self._derived[secret_key] = super().derive_key(secret_key)
        return key


class KeptSerializer(URLSafeTimedSerializer):
    """A serializer that makes its signer once.

    To several threads it is as safe as its signer: what it keeps is only ever added.
    """

    _signer: _Signer | None = None

    def make_signer(self, salt: str | bytes | None = None) -> _Signer:
        """The signer, or another one for another salt."""
        if salt is not None:
            return cast("_Signer", super().make_signer(salt))
        signer = self._signer
        if signer is None:
            signer = self._signer = cast("_Signer", super().make_signer())
        return signer

    def loads(  # type: ignore[override]  # as its base does
        self,
        s: str | bytes,
        max_age: int | None = None,
        return_timestamp: bool = False,  # noqa: FBT001, FBT002 - itsdangerous's signature
        salt: str | bytes | None = None,
    ) -> Any:
        """Check a signature, and read what is signed; see itsdangerous."""
        if return_timestamp or salt is not None or self.fallback_signers:
            return super().loads(s, max_age, return_timestamp, salt)
        # PERF: one signer, so there is nothing to try; and no datetime made and thrown away.
        return self.load_payload(self.make_signer().unsign(s, max_age))


def make_serializer(
    keys: Sequence[str | bytes],
    salt: str,
    key_derivation: str,
    digest_method: Callable[..., Any],
    serializer: Any,
) -> KeptSerializer:
    """Make what signs and checks.

    :param keys: the secrets, of which the last one signs.
    :param salt: keeps these signatures apart from others with the same secret.
    :param key_derivation: how a key is made of a secret; see itsdangerous.
    :param digest_method: the hash.
    :param serializer: writes and reads the payload.
    """
    return KeptSerializer(
        [key.encode() if isinstance(key, str) else key for key in keys],
        salt=salt,
        serializer=serializer,
        signer=_Signer,
        signer_kwargs={
            "key_derivation": key_derivation,
            "digest_method": digest_method,
            "algorithm": _Digest(digest_method),
        },
    )
