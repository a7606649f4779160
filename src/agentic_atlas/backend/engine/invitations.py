"""Invitations as they are made: the secret is shown once, and only its digest is kept."""

from agentic_atlas.auth import digest, new_secret
from agentic_atlas.backend.domain.people import Invitation
from agentic_atlas.backend.domain.records import User
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.errors import Conflict

INVITATION_PREFIX = "atlas_invite_"
INVITATION_LIFETIME = 7 * 86_400.0
"""Seconds in which an invitation has to be used."""
FIRST_LIFETIME = 900.0
"""Seconds in which the link has to be used that a network prints when it starts: who reads its log has it too."""


async def issue_invitation(
    engine: Engine, user: User, *, made_by: str = "", lifetime: float = INVITATION_LIFETIME
) -> tuple[Invitation, str]:
    """Make an invitation of a user's, in place of any that can still be used; return it with its secret.

    Raises:
        Conflict: meanwhile they were disabled, or given another role.
    """
    now = engine.clock()
    secret = new_secret(INVITATION_PREFIX, engine.entropy)
    invitation = Invitation(engine.ids("inv"), user.id, digest(secret), now, now + lifetime, made_by)
    if not await engine.store.accounts.invite(invitation, user.role):
        raise Conflict(f"{user.name} has just been changed: look again, and invite them then")
    engine.changes.account(user.id)
    return invitation, secret
