"""For whoever owns the machine that the network runs on: its data is theirs, so nobody asks for a credential.

No door may have these; only the command that starts the network. The audit log tells of what they make all the same: it
was made by the system itself.
"""

from agentic_atlas.auth import Scope
from agentic_atlas.backend.domain.audit import SYSTEM
from agentic_atlas.backend.domain.names import check_user_name
from agentic_atlas.backend.domain.records import Role, User
from agentic_atlas.backend.engine.api_keys import issue_key
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.invitations import FIRST_LIFETIME, issue_invitation
from agentic_atlas.errors import NotFound
from agentic_atlas.protocol.caller.audit import AuditObject

_EVERYTHING = (Scope.EVERYTHING,)


async def bootstrap(engine: Engine, name: str) -> str | None:
    """On a new network: make the first administrator, and return a key for them; None when there are users already."""
    if await engine.store.users.find(limit=1):
        return None
    user = User(engine.ids("usr"), check_user_name(name), Role.ADMIN, engine.clock())
    await engine.store.users.add(user)
    engine.trail.note(SYSTEM, "users.create", AuditObject(kind="user", id=user.id, name=user.name), {"role": user.role})
    return await _key(engine, user, "first start")


async def recover(engine: Engine) -> str:
    """Return another key for the first administrator, for whoever owns the machine the network runs on."""
    for user in await engine.store.users.find(limit=1_000):
        if user.administers:
            return await _key(engine, user, "this machine")
    raise NotFound("there is no administrator", code="user_not_found")


async def first_login(engine: Engine, name: str) -> str | None:
    """Return the secret of an invitation for an administrator, while none can log in: the one of this name, or another.

    None: somebody can. The invitation is good for a quarter of an hour.
    """
    if await engine.store.accounts.anybody():
        return None
    admins = [user for user in await engine.store.users.find(limit=1_000) if user.role is Role.ADMIN]
    usable = sorted((user for user in admins if user.disabled_at is None), key=lambda user: user.name != name)
    if not usable:
        return None
    made, secret = await issue_invitation(engine, usable[0], lifetime=FIRST_LIFETIME)
    link = AuditObject(kind="invitation", id=made.id)
    engine.trail.note(SYSTEM, "invitations.create", link, {"name": usable[0].name, "role": usable[0].role})
    await engine.trail.write()
    return secret


async def _key(engine: Engine, user: User, name: str) -> str:
    key, secret = await issue_key(engine, user, _EVERYTHING, name)
    made = AuditObject(kind="api_key", id=key.id, name=key.name)
    engine.trail.note(SYSTEM, "keys.create_for", made, {"user": user.name, "scopes": [*key.scopes]})
    await engine.trail.write()
    return secret
