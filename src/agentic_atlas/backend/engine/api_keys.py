"""API keys as they are made: the secret is shown once, and only its digest and a few first characters are kept."""

from agentic_atlas.auth import digest, new_secret
from agentic_atlas.backend.domain.names import check_label
from agentic_atlas.backend.domain.people import Entry, login_failed
from agentic_atlas.backend.domain.records import ApiKey, User
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.errors import InvalidInput

KEY_PREFIX = "atlas_"
VISIBLE = 6
"""Characters of an API key behind `atlas_` that are kept and shown, to tell it by: 222 of its 256 bits stay secret."""
MAX_LIFETIME = 366 * 86_400
"""Seconds that an API key or a token is good for, at the most."""


async def issue_key(
    engine: Engine,
    user: User,
    scopes: tuple[str, ...],
    name: str,
    lifetime: float | None = None,
    *,
    login: Entry | None = None,
    made_by: str = "",
) -> tuple[ApiKey, str]:
    """Make an API key of a user's, good for these `auth.Scope`s and for `lifetime` seconds, None: until revoked.

    `login`: it is made because they log in, if this holds, and ends when they have another password. `made_by`:
    id of the administrator who makes it for them. Returns it with its secret, which is shown once and kept only as a
    digest and its first characters.

    Raises:
        InvalidInput: it is to live for too long, or is called what no key may be.
        Unauthenticated: they may not come in any more (`login_failed`).
        Forbidden: who makes it for them has ceased to be an administrator.
    """
    if lifetime is not None and not 1 <= lifetime <= MAX_LIFETIME:
        raise InvalidInput("an API key lives from 1 second to 366 days, or until it is revoked")
    now = engine.clock()
    secret = new_secret(KEY_PREFIX, engine.entropy)
    key = ApiKey(
        id=engine.ids("key"),
        user_id=user.id,
        name=check_label(name, "an API key's name"),
        digest=digest(secret),
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
        scopes=scopes,
        prefix=secret[: len(KEY_PREFIX) + VISIBLE],
        from_login=login is not None,
        made_by=made_by,
    )
    if not await engine.store.users.add_key(key, login):
        raise login_failed()
    engine.changes.account(user.id)
    return key, secret
