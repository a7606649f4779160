"""What users log in with, their sessions and invitations: kept the same by every store."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.accounts import MOST_SESSIONS, REMEMBERED
from agentic_atlas.backend.domain.people import Account, BrowserSession, Invitation, LinkedIdentity
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.ports import Store
from agentic_atlas.backend.rights import Visible
from agentic_atlas.errors import Conflict, NotFound
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import ADA, BOB, NOW, populate

INVITATION = Invitation("inv_1", BOB.id, b"i" * 32, NOW, NOW + 60, ADA.id)


def session(number: int = 1, **more: object) -> BrowserSession:
    one = BrowserSession(
        id=f"ses_{number:03}",
        user_id=BOB.id,
        digest=bytes([number]) * 32,
        device=b"d" * 32,
        created_at=NOW,
        used_at=NOW + number,
        ends_at=NOW + 600,
        address="127.0.0.1",
        agent="Firefox",
    )
    return replace(one, **more)


async def set_password(store: Store, user_id: str = BOB.id, password: str = "hashed") -> None:
    await store.accounts.change(user_id, lambda held: replace(held, password=password, password_at=NOW))


async def test_an_account_begins_empty_and_keeps_what_is_decided(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        assert await store.accounts.get(BOB.id) is None
        full = Account(BOB.id, "hashed", NOW, "SECRET", NOW + 1, 7, (b"a" * 32, b"b" * 32))
        assert await store.accounts.change(BOB.id, lambda held: full if held == Account(BOB.id) else None) == full
        assert await store.accounts.get(BOB.id) == full
        assert await store.accounts.change(BOB.id, lambda _: None) is None
        assert await store.accounts.get(BOB.id) == full
        with pytest.raises(NotFound):
            await set_password(store, "user_none")


async def test_of_two_decisions_the_second_sees_the_first(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        for expected in (0, 1):
            changed = await store.accounts.change(BOB.id, lambda held: replace(held, totp_step=held.totp_step + 1))
            assert changed is not None
            assert changed.totp_step == expected + 1


async def test_an_invitation_is_used_once_and_only_in_its_time(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.accounts.invite(INVITATION)
        assert await store.accounts.invitation(INVITATION.digest) == (INVITATION, BOB)
        assert await store.accounts.invitation(bytes(32)) is None
        assert await store.accounts.invitations(NOW) == [(INVITATION, BOB)]
        assert await store.accounts.invitations(NOW + 60) == []
        assert not await store.accounts.redeem("inv_1", lambda held: replace(held, password="late"), NOW + 60)
        assert not await store.accounts.redeem("inv_none", lambda held: replace(held, password="none"), NOW)
        assert await store.accounts.redeem("inv_1", lambda held: replace(held, password="new"), NOW + 1)
        assert not await store.accounts.redeem("inv_1", lambda held: replace(held, password="again"), NOW + 2)
        account = await store.accounts.get(BOB.id)
        assert account is not None
        assert account.password == "new"
        found = await store.accounts.invitation(INVITATION.digest)
        assert found == (replace(INVITATION, used_at=NOW + 1), BOB)
        assert await store.accounts.invitations(NOW) == []
        with pytest.raises(NotFound):
            await store.accounts.invite(replace(INVITATION, id="inv_2", digest=b"j" * 32, user_id="user_none"))


async def test_invitations_are_revoked_one_by_one_or_all_of_a_user(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        for number, user in ((1, BOB), (2, BOB), (3, BOB), (4, ADA)):
            await store.accounts.invite(
                replace(INVITATION, id=f"inv_{number}", digest=bytes([number]) * 32, user_id=user.id)
            )
        assert [one.id for one, _ in await store.accounts.invitations(NOW)] == ["inv_4", "inv_3", "inv_2", "inv_1"]
        assert await store.accounts.revoke_invitations(NOW + 1, id="inv_1") == 1
        assert await store.accounts.revoke_invitations(NOW + 1, id="inv_1") == 0
        assert await store.accounts.revoke_invitations(NOW + 1, user_id=BOB.id) == 2
        assert [one.id for one, _ in await store.accounts.invitations(NOW)] == ["inv_4"]
        assert not await store.accounts.redeem("inv_2", lambda held: replace(held, password="x"), NOW + 2)


async def test_an_identity_belongs_to_one_user(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        one = LinkedIdentity("https://id.example.org", "248289", BOB.id, NOW)
        assert await store.accounts.identified(one.issuer, one.subject) is None
        assert await store.accounts.link(one, None)
        assert await store.accounts.link(one, None), "it is theirs already"
        assert not await store.accounts.link(replace(one, user_id=ADA.id), None)
        assert await store.accounts.identified(one.issuer, one.subject) == BOB
        assert await store.accounts.identified("https://other.example.org", one.subject) is None
        with pytest.raises(NotFound):
            await store.accounts.link(replace(one, subject="1", user_id="user_none"), None)


async def test_an_identity_is_linked_to_whom_it_was_begun_for_as_they_are(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        one = LinkedIdentity("https://id.example.org", "248289", BOB.id, NOW)
        assert not await store.accounts.link(one, NOW), "they have no password"
        await set_password(store)
        assert not await store.accounts.link(one, None)
        assert not await store.accounts.link(one, NOW + 1)
        await store.users.update(BOB.id, disabled_at=NOW + 2)
        assert not await store.accounts.link(one, NOW)
        assert await store.accounts.identified(one.issuer, one.subject) is None
        await store.users.update(BOB.id, disabled_at=0.0)
        assert await store.accounts.link(one, NOW)


async def test_it_is_known_whether_an_administrator_can_log_in(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await set_password(store)
        assert not await store.accounts.anybody()
        await store.users.update(BOB.id, role=Role.ADMIN)
        assert await store.accounts.anybody()
        await store.users.update(BOB.id, disabled_at=NOW)
        assert not await store.accounts.anybody()
        await store.accounts.link(LinkedIdentity("https://id.example.org", "1", ADA.id, NOW), None)
        assert await store.accounts.anybody()


async def test_a_session_is_found_by_its_digest_with_its_user(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.sessions.add(session())
        assert await store.sessions.by_digest(session().digest) == (session(), BOB)
        assert await store.sessions.by_digest(bytes(32)) is None
        with pytest.raises(NotFound):
            await store.sessions.add(session(2, user_id="user_none"))


async def test_sessions_are_listed_by_when_they_were_used(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        for number in (2, 1, 3):
            await store.sessions.add(session(number))
        await store.sessions.add(session(4, user_id=ADA.id))
        await store.sessions.seen("ses_001", NOW + 50)
        await store.sessions.seen("ses_none", NOW + 50)
        assert [one.id for one in await store.sessions.of_user(BOB.id)] == ["ses_001", "ses_003", "ses_002"]
        assert (await store.sessions.of_user(BOB.id))[0].used_at == NOW + 50


async def test_sessions_end_once_by_id_or_all_but_one(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        for number in (1, 2, 3):
            await store.sessions.add(session(number))
        assert await store.sessions.end(NOW + 5, user_id=ADA.id, id="ses_001") == []
        assert await store.sessions.end(NOW + 5, user_id=BOB.id, id="ses_001") == ["ses_001"]
        assert await store.sessions.end(NOW + 6, user_id=None, id="ses_001") == []
        assert await store.sessions.end(NOW + 7, user_id=BOB.id, but="ses_003") == ["ses_002"]
        found = {one.id: one.ended_at for one in await store.sessions.of_user(BOB.id)}
        assert found == {"ses_001": NOW + 5, "ses_002": NOW + 7, "ses_003": None}


async def test_a_device_is_known_by_its_sessions_whatever_their_state(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.sessions.add(session())
        await store.sessions.end(NOW, user_id=BOB.id)
        assert await store.sessions.knows(BOB.id, b"d" * 32)
        assert not await store.sessions.knows(BOB.id, b"e" * 32)
        assert not await store.sessions.knows(ADA.id, b"d" * 32)


async def test_what_is_remembered_of_sessions_is_bounded(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.sessions.add(session(ends_at=NOW + REMEMBERED))
        late = NOW + REMEMBERED + 10
        for number in range(2, MOST_SESSIONS + 1):
            await store.sessions.add(session(number, created_at=NOW, used_at=late))
        assert len(await store.sessions.of_user(BOB.id)) == MOST_SESSIONS
        await store.sessions.add(session(101, created_at=late, used_at=late, ends_at=late + 600))
        assert "ses_001" not in [one.id for one in await store.sessions.of_user(BOB.id)]
        assert len(await store.sessions.of_user(BOB.id)) == MOST_SESSIONS
        await store.sessions.add(session(102, created_at=late * 2, used_at=late * 2, ends_at=late * 3))
        assert [one.id for one in await store.sessions.of_user(BOB.id)] == ["ses_102"]


async def test_all_of_a_user_goes_with_them_unless_they_own_agents(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await set_password(store)
        await store.sessions.add(session())
        await store.accounts.invite(INVITATION)
        await store.accounts.link(LinkedIdentity("https://id.example.org", "1", BOB.id, NOW), None)
        owner, free = (ADA, BOB) if await store.agents.find(Visible(ADA.id), limit=1) else (BOB, ADA)
        with pytest.raises(Conflict) as refused:
            await store.users.delete(owner.id)
        assert refused.value.code == "user_has_agents"
        for agent in await store.agents.find(Visible(BOB.id), limit=10):
            await store.agents.delete(agent.id)
        assert await store.users.delete(BOB.id)
        assert not await store.users.delete(BOB.id)
        assert await store.users.get(BOB.id) is None
        assert await store.accounts.get(BOB.id) is None
        assert await store.accounts.invitation(INVITATION.digest) is None
        assert await store.accounts.identified("https://id.example.org", "1") is None
        assert await store.sessions.by_digest(session().digest) is None
        assert free in (ADA, BOB)
