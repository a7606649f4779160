"""Promises of what is told of agents and tokens that somebody should look at."""

from __future__ import annotations

import msgspec

from agentic_atlas.backend.domain.records import AccessLevel, Share
from agentic_atlas.backend.rights import Visible
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import ADA, BOB, LIBRARY, NOW, TOKEN, populate


async def test_agents_that_were_seen_in_a_time_are_told_to_those_who_manage_them(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        for number, name in enumerate(("one", "two", "off", "never")):
            agent = msgspec.structs.replace(LIBRARY, id=f"agent_{name}", name=name, owner_id=BOB.id, owner="bob")
            await store.agents.add(agent)
            if name != "never":
                await store.agents.seen({agent.id: NOW + number})
        await store.agents.update("agent_off", disabled_at=NOW)

        async def unseen(visible: Visible, until: float = NOW + 9, limit: int = 9) -> list[str]:
            return [one.name for one in await store.attention.unseen(visible, NOW, until, limit=limit)]

        assert await unseen(Visible(None)) == ["two", "one"]
        assert await unseen(Visible(BOB.id)) == ["two", "one"]
        assert await unseen(Visible(ADA.id)) == []
        assert await unseen(Visible(None), until=NOW + 1) == ["one"]
        assert await unseen(Visible(None), limit=1) == ["two"]


async def test_tokens_that_end_in_a_time_are_told_unless_they_are_of_no_use_any_more(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        more = {
            "revoked": {"revoked_at": NOW},
            "followed": {"retires_at": NOW + 99},
            "sooner": {"expires_at": NOW + 60},
        }
        for name, changes in more.items():
            token = msgspec.structs.replace(TOKEN, id=f"tok_{name}", **changes)
            await store.tokens.add(token)

        async def ending(visible: Visible, until: float = NOW + 4_000) -> list[tuple[str, str]]:
            found = await store.attention.ending(visible, NOW, until, limit=9)
            return [(token.id, agent.name) for token, agent in found]

        assert await ending(Visible(None)) == [("tok_sooner", "library"), (TOKEN.id, "library")]
        assert await ending(Visible(None), NOW + 61) == [("tok_sooner", "library")]
        assert await ending(Visible(BOB.id)) == []


async def test_who_an_agent_is_shared_with_for_managing_is_told_and_for_calling_is_not(opened: Open) -> None:
    async with opened() as store:
        await populate(store)
        await store.agents.seen({LIBRARY.id: NOW})
        bob = Visible(BOB.id, None, ("everyone", f"user:{BOB.id}"))
        for access, told in ((AccessLevel.CALL, 0), (AccessLevel.MANAGE, 1)):
            await store.shares.put(LIBRARY.id, [Share(f"user:{BOB.id}", access)], NOW)
            assert len(await store.attention.unseen(bob, NOW, NOW + 1, limit=9)) == told
            assert len(await store.attention.ending(bob, NOW, NOW + 4_000, limit=9)) == told
