"""Who watches is told at once that they see no more what they watch, whatever it was that took it away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agentic_atlas.backend.domain.records import AccessLevel, Role, Task
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents, groups, tasks, users
from agentic_atlas.errors import NotFound
from tests.unit.backend.network import Network, settle, wanted

Take = Callable[[Network, Principal], Awaitable[object]]
TAKEN: dict[str, Take] = {
    "it is shared with them no more": lambda on, ada: agents.unshare(ada, on.application, "hello", ["eve"]),
    "it is shared for calling": lambda on, ada: agents.share(ada, on.application, "hello", ["eve"], AccessLevel.CALL),
    "with their group no more": lambda on, root: agents.unshare(root, on.application, "ada/hello", ["group:readers"]),
    "they are in it no more": lambda on, root: groups.remove(root, on.application, "readers", "eve"),
    "it is gone": lambda on, root: groups.delete(root, on.application, "readers"),
    "they administrate no more": lambda on, root: users.update(
        root, on.application, "eve", role=Role.VIEWER, disabled=None
    ),
}


async def scene(how: str) -> tuple[Network, Principal, Principal, Task]:
    """Return who sees ada's task and her own, and who can take that away."""
    network = Network()
    root, ada = await network.user("root", Role.ADMIN), await network.user()
    eve = await network.user("eve", Role.ADMIN if "administrate" in how else Role.MEMBER)
    agent = await network.agent(ada)
    if "them" in how or "calling" in how:
        await agents.share(ada, network.application, "hello", ["eve"], AccessLevel.MANAGE)
    elif "administrate" not in how:
        await groups.create(root, network.application, "readers")
        await groups.add(root, network.application, "readers", "eve")
        await agents.share(root, network.application, "ada/hello", ["group:readers"], AccessLevel.MANAGE)
    eve = Principal(await network.engine.access.user("eve"), eve.credential, eve.scopes)
    return network, ada if "them" in how or "calling" in how else root, eve, await network.held(ada, agent)


@pytest.mark.parametrize("how", TAKEN)
async def test_a_watch_ends_with_the_right_to_it_and_ones_own_goes_on(how: str) -> None:
    network, by, eve, hers = await scene(how)
    await network.agent(eve, "own")
    own = (await network.submit(eve, wanted("own"))).task
    waits = [asyncio.ensure_future(tasks.show(eve, network.application, one.id, wait=60.0)) for one in (hers, own)]
    followed = await tasks.follow(eve, network.application, hers.id, hers.last_seq, 60.0)
    assert followed is not None
    follows = asyncio.ensure_future(anext(followed[1]))
    await settle()
    assert [one.done() for one in (*waits, follows)] == [False] * 3
    await TAKEN[how](network, by)
    for refused in (waits[0], follows):
        with pytest.raises(NotFound) as told:
            await refused
        assert told.value.code == "task_not_found"
    await settle()
    assert not waits[1].done()
    waits[1].cancel()


@pytest.mark.parametrize("how", TAKEN)
async def test_a_stream_that_begins_when_the_right_to_it_is_gone_tells_nothing_but_that(how: str) -> None:
    network, by, eve, hers = await scene(how)
    followed = await tasks.follow(eve, network.application, hers.id, 0, 60.0)
    assert followed is not None
    await TAKEN[how](network, by)
    with pytest.raises(NotFound) as told:
        await anext(followed[1])
    assert told.value.code == "task_not_found"
