"""An invitation is kept as a digest, and takes the place of an earlier one."""

from __future__ import annotations

from agentic_atlas.auth import digest
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.engine.invitations import INVITATION_LIFETIME, issue_invitation
from tests.unit.backend.network import NOW, Network


async def test_of_an_invitation_only_a_digest_is_kept_and_the_one_before_is_good_no_more() -> None:
    network = Network()
    ada, eve = (await network.user()).user, (await network.user("eve", Role.ADMIN)).user
    first, _ = await issue_invitation(network.engine, ada)
    others, _ = await issue_invitation(network.engine, eve)
    second, secret = await issue_invitation(network.engine, ada, made_by=eve.id, lifetime=60.0)
    assert secret.startswith("atlas_invite_")
    assert (second.digest, second.expires_at, second.made_by) == (digest(secret), NOW + 60, eve.id)
    assert first.expires_at == NOW + INVITATION_LIFETIME
    assert await network.store.accounts.invitations(NOW) == [(second, ada), (others, eve)]
