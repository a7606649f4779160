"""What users log in with, their sessions and invitations: kept the same by every store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.accounts import MOST_SESSIONS, REMEMBERED
from agentic_atlas.backend.domain.people import (
    Account,
    Amend,
    BrowserSession,
    Invitation,
    LinkedIdentity,
    WaysIn,
    with_password_of,
)
from agentic_atlas.backend.domain.records import Role, User
from agentic_atlas.backend.ports import Ended, Store
from agentic_atlas.backend.rights import Visible
from agentic_atlas.errors import Conflict, Forbidden, NotFound
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import ADA, BOB, NOW, api_key, populate

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


def becomes(password: str) -> Amend:
    return lambda held: replace(held, password=password)


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
        assert await store.accounts.invite(INVITATION, BOB.role)
        assert await store.accounts.invitation(digest=INVITATION.digest) == (INVITATION, BOB)
        assert await store.accounts.invitation(id=INVITATION.id) == (INVITATION, BOB)
        assert await store.accounts.invitation(digest=bytes(32)) is None
        assert await store.accounts.invitation(id="inv_none") is None
        assert await store.accounts.invitations(NOW) == [(INVITATION, BOB)]
        assert await store.accounts.invitations(NOW + 60) == []
        for user, password, at, link in (
            (BOB, "late", NOW + 60, "inv_1"),
            (BOB, "none", NOW, "inv_none"),
            (ADA, "of bob", NOW, "inv_1"),
        ):
            assert await store.accounts.replace_password(user.id, becomes(password), at, invitation=link) is None
        assert await store.accounts.replace_password(BOB.id, lambda _: None, NOW, invitation="inv_1") is None
        assert await store.accounts.get(BOB.id) is None
        assert await store.accounts.replace_password(BOB.id, becomes("new"), NOW + 1, invitation="inv_1") == ([], [])
        assert await store.accounts.replace_password(BOB.id, becomes("again"), NOW + 2, invitation="inv_1") is None
        assert await store.accounts.get(BOB.id) == Account(BOB.id, "new")
        found = await store.accounts.invitation(digest=INVITATION.digest)
        assert found == (replace(INVITATION, used_at=NOW + 1), BOB)
        assert await store.accounts.invitations(NOW) == []
        with pytest.raises(NotFound):
            await store.accounts.invite(
                replace(INVITATION, id="inv_2", digest=b"j" * 32, user_id="user_none"), BOB.role
            )


def invitation(number: int, user: User = BOB, *, made_by: str = ADA.id) -> Invitation:
    return replace(INVITATION, id=f"inv_{number}", digest=bytes([number]) * 32, user_id=user.id, made_by=made_by)


async def test_of_a_user_s_invitations_the_last_one_is_good_and_none_once_revoked(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        made = (invitation(1), invitation(2), invitation(3), invitation(4, ADA))
        users = {ADA.id: ADA, BOB.id: BOB}
        assert all(await asyncio.gather(*(store.accounts.invite(one, users[one.user_id].role) for one in made)))
        assert await store.accounts.invitations(NOW) == [(made[3], ADA), (made[2], BOB)]
        assert await store.accounts.revoke_invitation("inv_3", NOW + 1)
        assert not await store.accounts.revoke_invitation("inv_3", NOW + 1)
        assert not await store.accounts.revoke_invitation("inv_none", NOW + 1)
        assert [one.id for one, _ in await store.accounts.invitations(NOW)] == ["inv_4"]
        for number in (2, 3):
            link = f"inv_{number}"
            assert await store.accounts.replace_password(BOB.id, becomes("x"), NOW + 2, invitation=link) is None


async def test_nobody_is_invited_as_what_they_are_no_more_and_another_role_ends_their_invitations(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.accounts.invite(invitation(1), BOB.role)
        await store.accounts.invite(invitation(2, ADA), ADA.role)
        await store.users.update(BOB.id, NOW, role=BOB.role)
        assert len(await store.accounts.invitations(NOW)) == 2
        await store.users.update(BOB.id, NOW, role=Role.ADMIN)
        assert [one.id for one, _ in await store.accounts.invitations(NOW)] == ["inv_2"]
        assert await store.accounts.replace_password(BOB.id, becomes("x"), NOW, invitation="inv_1") is None
        assert not await store.accounts.invite(invitation(3), BOB.role)
        assert await store.accounts.invite(invitation(4), Role.ADMIN)
        await store.users.update(BOB.id, NOW, disabled_at=NOW)
        assert not await store.accounts.invite(invitation(5), Role.ADMIN)
        assert await store.accounts.invitation(id="inv_5") is None


async def test_another_password_ends_sessions_keys_from_log_ins_and_invitations_but_what_is_said(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        for number in (1, 2):
            await store.sessions.add(session(number))
            await store.users.add_key(api_key(number, from_login=True))
        await store.sessions.add(session(3, user_id=ADA.id))
        await store.users.add_key(api_key(3))
        await store.users.add_key(api_key(4, user_id=ADA.id, from_login=True))
        await store.users.add_key(api_key(5, from_login=True, revoked_at=NOW))
        await store.accounts.invite(INVITATION, BOB.role)
        assert await store.accounts.replace_password(BOB.id, lambda _: None, NOW + 1) is None
        assert await store.accounts.get(BOB.id) is None
        assert len(await store.accounts.invitations(NOW)) == 1
        ended = await store.accounts.replace_password(BOB.id, becomes("new"), NOW + 1, but="ses_002")
        assert ended is not None
        assert (ended[0], sorted(ended[1])) == (["ses_001"], ["key_1", "key_2"])
        assert await store.accounts.replace_password(BOB.id, becomes("newer"), NOW + 2, but="key_1") == (
            ["ses_002"],
            [],
        )
        assert await store.accounts.get(BOB.id) == Account(BOB.id, "newer")
        assert await store.accounts.invitations(NOW) == []
        kept = {key.id: key.revoked_at for one in (ADA, BOB) for key in await store.users.keys_of(one.id)}
        assert kept == {"key_1": NOW + 1, "key_2": NOW + 1, "key_3": None, "key_4": None, "key_5": NOW}
        assert (await store.sessions.of_user(ADA.id))[0].ended_at is None
        with pytest.raises(NotFound):
            await store.accounts.replace_password("user_none", becomes("x"), NOW)


ENDINGS: dict[str, Callable[[Store, str], Awaitable[Ended | None]]] = {
    "a member": lambda store, user_id: changed(store, user_id, role=Role.MEMBER),
    "disabled": lambda store, user_id: changed(store, user_id, disabled_at=NOW + 30),
    "gone": lambda store, user_id: store.users.delete(user_id, NOW + 30),
}
"""How somebody administers no more."""


async def changed(store: Store, user_id: str, **changes: Any) -> Ended:
    return (await store.users.update(user_id, NOW + 30, **changes))[1]


@pytest.mark.parametrize("how", ENDINGS)
async def test_what_an_administrator_made_for_others_ends_when_they_are_none(opened: Open, how: str) -> None:
    async with opened() as store:
        await populate(store)
        eve = User("user_eve", "eve", Role.ADMIN, NOW)
        await store.users.add(eve)
        for number, by, until in ((1, eve.id, None), (2, ADA.id, None), (3, "", None), (4, eve.id, NOW + 20)):
            await store.users.add_key(api_key(number, made_by=by, expires_at=until))
        await store.users.add_key(api_key(5, user_id=ADA.id, made_by=eve.id, revoked_at=NOW + 10))
        await store.users.add_key(api_key(6, user_id=ADA.id, made_by=eve.id, expires_at=NOW + 99))
        assert await store.accounts.invite(invitation(1, made_by=eve.id), BOB.role)
        assert await store.accounts.invite(invitation(2, ADA), ADA.role)
        assert await changed(store, eve.id, role=Role.ADMIN) == ([], [], [])
        assert await changed(store, BOB.id, role=Role.VIEWER) == ([], [], []), "he made nothing"
        assert await store.accounts.invite(invitation(3, made_by=eve.id), Role.VIEWER)
        ended = await ENDINGS[how](store, eve.id)
        assert ended is not None
        assert ([key.id for key in ended[1]], [one.id for one in ended[2]]) == (["key_1", "key_6"], ["inv_3"])
        assert {one.revoked_at for one in (*ended[1], *ended[2])} == {NOW + 30}
        kept = {key.id: key.revoked_at for one in (ADA, BOB) for key in await store.users.keys_of(one.id)}
        assert kept == dict.fromkeys(("key_2", "key_3", "key_4")) | {
            "key_1": NOW + 30,
            "key_5": NOW + 10,
            "key_6": NOW + 30,
        }
        assert [one.id for one, _ in await store.accounts.invitations(NOW)] == ["inv_2"]
        with pytest.raises(Forbidden):
            await store.users.add_key(api_key(7, made_by=eve.id))
        with pytest.raises(Forbidden):
            await store.accounts.invite(invitation(7, made_by=eve.id), Role.VIEWER)
        assert [one.id for one, _ in await store.accounts.invitations(NOW)] == ["inv_2"], "nothing was changed"


async def test_who_may_not_come_in_when_it_is_written_gets_no_session_and_no_key(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await set_password(store)
        shown = await store.accounts.get(BOB.id)
        assert shown is not None
        assert await store.sessions.add(session(), with_password_of(shown))
        assert await store.users.add_key(api_key(from_login=True), with_password_of(shown))
        await store.accounts.change(BOB.id, lambda held: replace(held, password_at=NOW + 1))
        assert not await store.sessions.add(session(2), with_password_of(shown))
        assert not await store.users.add_key(api_key(2), with_password_of(shown))
        await store.users.update(BOB.id, NOW, disabled_at=NOW)
        now = await store.accounts.get(BOB.id)
        assert now is not None
        assert not await store.users.add_key(api_key(3), with_password_of(now))
        assert not await store.sessions.add(session(3))
        assert [one.id for one in await store.sessions.of_user(BOB.id)] == ["ses_001"]
        assert [key.from_login for key in await store.users.keys_of(BOB.id)] == [True]
        assert await store.users.add_key(api_key(4))


async def test_an_identity_belongs_to_one_user(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        one = LinkedIdentity("https://id.example.org", "248289", BOB.id, NOW)
        assert await store.accounts.identified(one.issuer, one.subject) is None
        assert await store.accounts.link(one)
        assert await store.accounts.link(one), "it is theirs already"
        assert not await store.accounts.link(replace(one, user_id=ADA.id))
        assert await store.accounts.identified(one.issuer, one.subject) == BOB
        assert await store.accounts.identified("https://other.example.org", one.subject) is None
        with pytest.raises(NotFound):
            await store.accounts.link(replace(one, subject="1", user_id="user_none"))


async def test_identities_are_listed_as_they_were_linked_and_forgotten_but_for_the_only_way_in(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        one, two = (LinkedIdentity("https://id.example.org", subject, BOB.id, NOW) for subject in "12")
        for identity in (replace(two, linked_at=NOW - 1), one, replace(one, subject="3", user_id=ADA.id)):
            assert await store.accounts.link(identity)
        two = replace(two, linked_at=NOW - 1)
        assert await store.accounts.identities(BOB.id) == [two, one]
        await store.sessions.add(session(1))
        await store.sessions.add(session(2))
        assert await store.accounts.unlink(replace(one, user_id=ADA.id), NOW) is None
        assert await store.accounts.unlink(two, NOW, but=session(2).id) == ([session(1).id], [])
        assert await store.accounts.unlink(two, NOW) is None
        with pytest.raises(Conflict) as refused:
            await store.accounts.unlink(one, NOW)
        assert refused.value.code == "last_way_in"
        assert await store.accounts.identities(BOB.id) == [one]
        await set_password(store)
        assert await store.accounts.unlink(one, NOW) == ([session(2).id], [])
        assert await store.accounts.identities(BOB.id) == []
        assert len(await store.accounts.identities(ADA.id)) == 1


async def test_an_identity_is_linked_to_whom_it_was_begun_for_as_they_are(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        one = LinkedIdentity("https://id.example.org", "248289", BOB.id, NOW)
        of_nobody, of_then, of_later = (
            with_password_of(Account(BOB.id, password_at=at)) for at in (None, NOW, NOW + 1)
        )
        assert not await store.accounts.link(one, of_then), "they have no password"
        await set_password(store)
        assert not await store.accounts.link(one, of_nobody)
        assert not await store.accounts.link(one, of_later)
        await store.users.update(BOB.id, NOW, disabled_at=NOW + 2)
        assert not await store.accounts.link(one, of_then)
        assert await store.accounts.identified(one.issuer, one.subject) is None
        await store.users.update(BOB.id, NOW, disabled_at=0.0)
        assert await store.accounts.link(one, of_then)


async def test_it_is_known_whether_an_administrator_can_log_in(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await set_password(store)
        assert not await store.accounts.anybody()
        await store.users.update(BOB.id, NOW, role=Role.ADMIN)
        assert await store.accounts.anybody()
        await store.users.update(BOB.id, NOW, disabled_at=NOW)
        assert not await store.accounts.anybody()
        await store.accounts.link(LinkedIdentity("https://id.example.org", "1", ADA.id, NOW))
        assert await store.accounts.anybody()


async def test_what_users_may_come_in_by_is_told_of_many_at_once(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        idle = 30.0
        assert await store.accounts.ways([ADA.id, BOB.id], NOW, idle) == {ADA.id: WaysIn(), BOB.id: WaysIn()}
        await set_password(store)
        await store.accounts.change(BOB.id, lambda held: replace(held, totp_at=NOW + 1))
        await store.accounts.link(LinkedIdentity("https://id.example.org", "1", BOB.id, NOW))
        await store.accounts.link(LinkedIdentity("https://id.example.org", "2", BOB.id, NOW))
        await store.accounts.invite(INVITATION, BOB.role)
        await store.sessions.add(session(created_at=NOW + 5, used_at=NOW + 6))
        await store.users.add_key(api_key(9))
        ways = WaysIn(NOW, NOW + 1, 2, INVITATION.expires_at, NOW + 5, NOW + 6, sessions=1)
        assert await store.accounts.ways([ADA.id, BOB.id], NOW, idle) == {ADA.id: WaysIn(), BOB.id: ways}
        # One that was not used for so long is over, as is one that was ended.
        over = {BOB.id: replace(ways, sessions=0)}
        assert await store.accounts.ways([BOB.id], NOW + 6 + idle, idle) == over
        await store.sessions.end(NOW + 7, user_id=BOB.id)
        assert await store.accounts.ways([BOB.id], NOW, idle) == over
        await store.users.add_key(api_key(7, from_login=True))
        await store.users.keys_used({"key_7": (NOW + 8, "10.0.0.1")})
        later = replace(ways, invited_until=None, last_login_at=NOW + 7, last_seen_at=NOW + 8, sessions=0)
        assert await store.accounts.ways([BOB.id], INVITATION.expires_at, idle) == {BOB.id: later}
        assert await store.accounts.ways([], NOW, idle) == {}


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
        await store.accounts.invite(INVITATION, BOB.role)
        await store.accounts.link(LinkedIdentity("https://id.example.org", "1", BOB.id, NOW))
        owner, free = (ADA, BOB) if await store.agents.find(Visible(ADA.id), limit=1) else (BOB, ADA)
        with pytest.raises(Conflict) as refused:
            await store.users.delete(owner.id, NOW)
        assert refused.value.code == "user_has_agents"
        for agent in await store.agents.find(Visible(BOB.id), limit=10):
            await store.agents.delete(agent.id)
        assert await store.users.delete(BOB.id, NOW) == ([], [], [])
        assert await store.users.delete(BOB.id, NOW) is None
        assert await store.users.get(BOB.id) is None
        assert await store.accounts.get(BOB.id) is None
        assert await store.accounts.invitation(digest=INVITATION.digest) is None
        assert await store.accounts.identified("https://id.example.org", "1") is None
        assert await store.sessions.by_digest(session().digest) is None
        assert free in (ADA, BOB)
