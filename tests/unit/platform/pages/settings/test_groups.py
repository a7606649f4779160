"""Groups are made, filled and removed by administrators, who see before what ends with one."""

from __future__ import annotations

from time import monotonic

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.domain.records import AccessLevel, Role
from agentic_atlas.backend.usecases import agents, tokens
from agentic_atlas.errors import Forbidden
from agentic_atlas.http.messages import Response
from agentic_atlas.http.turns import Turns
from agentic_atlas.platform.pages.settings import groups
from agentic_atlas.protocol.caller.people import GroupRequest
from tests.unit.backend.network import Network
from tests.unit.platform.pages.settings.test_account import form, page, refusal

pytestmark = pytest.mark.anyio

TURNS = Turns(monotonic)


async def test_a_group_is_made_filled_emptied_and_deleted() -> None:
    network = Network()
    on, root, ada = network.application, await network.user("root", Role.ADMIN), await network.user()
    await network.agent(ada)
    assert (await groups.show_all(on, root, TURNS)).groups == []
    made = await groups.create(GroupRequest(name=" readers "), form(), on, root)
    assert isinstance(made, Response)
    assert b'data-found-at="/settings/groups/readers"' in made.body
    again = await groups.create(GroupRequest(name="readers"), form(), on, root)
    assert "there is a group readers already" in refusal(again, 409)

    view = page(await groups.add("readers", GroupRequest(name="ada"), form(), on, root))
    assert (view.group.members, view.known) == (["ada"], ["root"])
    nobody = await groups.add("readers", GroupRequest(name="nobody"), form(), on, root)
    assert "there is no user" in refusal(nobody, 404)
    assert 'value="nobody"' in refusal(nobody, 404)
    await agents.share(root, on, "ada/hello", ["group:readers"], AccessLevel.MANAGE)
    assert (await groups.show("readers", on, root)).shares == [("ada/hello", "manage")]
    assert page(await groups.remove("readers", "ada", form(), on, root)).group.members == []

    left = page(await groups.delete("readers", form(), on, root))
    assert (left.groups, left.said is not None and left.said.text) == (
        [],
        "readers is gone, and nothing is shared with it any more.",
    )


async def test_the_list_goes_on_behind_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "IN_PAGE", 1)
    network = Network()
    root = await network.user("root", Role.ADMIN)
    for name in ("readers", "writers"):
        await groups.create(GroupRequest(name=name), form(), network.application, root)
    first = await groups.show_all(network.application, root, TURNS)
    assert ([one.name for one in first.groups], first.next) == (["readers"], "readers")
    last = await groups.show_all(network.application, root, TURNS, after=first.next)
    assert ([one.name for one in last.groups], last.next) == (["writers"], "")


async def test_members_administer_none() -> None:
    network = Network()
    ada = await network.user()
    with pytest.raises(Forbidden):
        await groups.show_all(network.application, ada, TURNS)
    with pytest.raises(Forbidden):
        await groups.create(GroupRequest(name="readers"), form(), network.application, ada)


async def test_it_is_said_which_tokens_end_with_a_membership() -> None:
    network = Network()
    on, root, ada = network.application, await network.user("root", Role.ADMIN), await network.user()
    eve = await network.user("eve")
    await network.agent(ada)
    await groups.create(GroupRequest(name="readers"), form(), on, root)
    await groups.add("readers", GroupRequest(name="eve"), form(), on, root)
    await agents.share(root, on, "ada/hello", ["group:readers"], AccessLevel.MANAGE)
    member = replace(eve, user=await network.engine.access.user("eve"))
    for number in range(7):
        await tokens.issue(member, on, "ada/hello", name=f"desk {number}")
    said = page(await groups.remove("readers", "eve", form(), on, root)).said
    assert said is not None
    assert said.text.startswith("eve is not in it any more. With it ended 7 tokens: desk ")
    assert said.text.endswith(" of eve and 2 more.")
