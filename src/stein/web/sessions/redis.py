"""Sessions in Redis, or whatever speaks its protocol.

::

    from stein.web.sessions.redis import RedisSessionInterface

    app.session_interface = RedisSessionInterface("redis://localhost:6379/0")

It needs the package redis: ``pip install 'stein[redis]'``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stein.web.sessions.serverside import ServerSideSessionInterface

if TYPE_CHECKING:
    from redis import Redis

__all__ = ["RedisSessionInterface", "RedisStore"]

# One step to the server: nobody comes between comparing and storing.  A session is a hash with
# its text (`d`) and the number of its state (`v`).
_SAVE: Final = """\
if (redis.call('HGET', KEYS[1], 'v') or '0') ~= ARGV[1] then
    return 0
end
redis.call('HSET', KEYS[1], 'v', ARGV[2], 'd', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
"""


class RedisStore:
    """A store of sessions in Redis, which forgets by itself those whose time is over.

    :param client: of the package redis; made by ``Redis(...)`` or ``Redis.from_url(...)``.
    :param prefix: what the keys begin with.
    """

    def __init__(self, client: Redis, prefix: str = "session:") -> None:
        self.client = client
        self.prefix = prefix
        self._save = client.register_script(_SAVE)

    def load(self, key: str) -> tuple[str, int] | None:
        """Give a session's text and the number of its state; None if there is none."""
        found: Any = self.client.hmget(self.prefix + key, "d", "v")
        text, version = found
        if text is None or version is None:
            return None
        return (text if isinstance(text, str) else text.decode()), int(version)

    def save(self, key: str, text: str, version: int, lifetime: int) -> bool:
        """Store a session's text, if ``version`` is the number of its state."""
        # Bytes, because the client may write text in an encoding of its own.
        return bool(
            self._save(
                keys=[self.prefix + key], args=[version, version + 1, text.encode(), lifetime]
            )
        )

    def touch(self, key: str, lifetime: int) -> bool:
        """Let a session live so many seconds from now; tell whether there is one."""
        return bool(self.client.expire(self.prefix + key, lifetime))

    def delete(self, key: str) -> None:
        """Remove a session, if there is one."""
        self.client.delete(self.prefix + key)


class RedisSessionInterface(ServerSideSessionInterface):
    """Keeps sessions in Redis; see :mod:`stein.web.sessions.serverside` for what that promises.

    :param redis: a URL (``redis://``, ``rediss://`` or ``unix://``), or a client that was made
        before.  A client that is made of a URL waits five seconds for an answer, unless the URL
        says otherwise (``?socket_timeout=1``).
    :param prefix: what the keys in Redis begin with; one for each application.
    :raises ModuleNotFoundError: if a URL was given, and the package redis is not installed.
    """

    def __init__(
        self, redis: str | Redis = "redis://localhost:6379/0", *, prefix: str = "session:"
    ) -> None:
        client = _connect(redis) if isinstance(redis, str) else redis
        super().__init__(RedisStore(client, prefix))


def _connect(url: str) -> Redis:
    """Make a client; it connects when it is used."""
    try:
        from redis import Redis  # noqa: PLC0415 - optional
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        raise ModuleNotFoundError(
            "sessions in Redis need the package redis, which is not installed; "
            "pip install 'stein[redis]'",
            name="redis",
        ) from None
    # Without a limit, a Redis that does not answer would hold one thread after the other.
    client: Redis = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
    return client
