"""Agents are made, shown as they are, shut out and let in again, and end what waits for them when they go."""

from __future__ import annotations

import pytest

from agentic_atlas.backend.domain.records import AccessLevel, Instance, Role, Token
from agentic_atlas.backend.engine.review import NO_MORE
from agentic_atlas.backend.ports import AuditFilter, TaskFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents, groups, tasks, tokens
from agentic_atlas.errors import AtlasError, Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from agentic_atlas.protocol.caller.agents import AgentShares
from agentic_atlas.protocol.inside.messages import Credit, Readmit, Revoke, ShutOut
from agentic_atlas.protocol.tasks import Holdup, TaskState
from tests.unit.backend.network import NOW, Network, settle, skill, wanted


async def test_a_new_agent_is_its_makers_and_waits_for_an_instance() -> None:
    network = Network()
    ada = await network.user()
    made = await agents.create(ada, network.application, "hello", "Says hello.")
    assert (made.full_name, made.description, made.status) == ("ada/hello", "Says hello.", "offline")
    with pytest.raises(Conflict) as refused:
        await agents.create(ada, network.application, "hello")
    assert refused.value.code == "agent_exists"
    eve = await network.user("eve")
    assert (await agents.create(eve, network.application, "hello")).full_name == "eve/hello"


@pytest.mark.parametrize(("name", "description"), [("Hello", ""), ("tokens", ""), ("", ""), ("hello", "x" * 1_001)])
async def test_what_no_agent_may_be_called_or_described_as_is_refused(name: str, description: str) -> None:
    network = Network()
    ada = await network.user()
    with pytest.raises(InvalidInput):
        await agents.create(ada, network.application, name, description)
    assert await agents.find(ada, network.application, limit=9, after=None) == []


async def test_everybody_lists_their_own_and_an_administrator_everybodys_page_by_page() -> None:
    network = Network()
    ada, eve, root = [await network.user("ada"), await network.user("eve"), await network.user("root", Role.ADMIN)]
    for owner, name in ((eve, "a"), (ada, "b"), (ada, "a")):
        await network.agent(owner, name)
    names = [one.full_name for one in await agents.find(ada, network.application, limit=9, after=None)]
    assert names == ["ada/a", "ada/b"]
    first = await agents.find(root, network.application, limit=2, after=None)
    rest = await agents.find(root, network.application, limit=2, after=first[-1].full_name)
    assert [one.full_name for one in (*first, *rest)] == ["ada/a", "ada/b", "eve/a"]


async def test_all_agents_that_somebody_sees_are_counted_and_those_that_are_there() -> None:
    network = Network()
    ada, eve, root = [await network.user("ada"), await network.user("eve"), await network.user("root", Role.ADMIN)]
    there, ends, theirs = [
        await network.agent(ada, "there"),
        await network.agent(ada, "ends"),
        await network.agent(eve),
    ]
    network.comes(there, slots=2)
    ending = network.comes(ends, slots=3)
    network.comes(theirs, slots=4)
    network.hears(Credit(ending, 3, 3, Holdup.DRAINING))
    await network.agent(ada, "gone")
    await network.submit(eve)
    assert await agents.counted(ada, network.application) == (3, 1, 5, 0, {"ada": 3}, ["ada/there"])
    assert await agents.counted(eve, network.application) == (1, 1, 4, 1, {"eve": 1}, ["eve/hello"])
    both = ["ada/there", "eve/hello"]
    assert await agents.counted(root, network.application) == (4, 2, 9, 1, {"ada": 3, "eve": 1}, both)


async def test_an_agent_is_shown_with_who_is_there_what_they_do_and_what_waits() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    await network.store.tokens.add(Token("tok_1", agent.id, "", NOW, NOW + 60))
    await network.store.agents.register(Instance("ins_1", agent.id, "tok_1", 0, NOW), "", [skill(agent.id)])
    ref = network.comes(agent, slots=2)
    network.clock.now = NOW + 5
    for _ in range(3):
        await network.submit(ada)
    shown = await agents.show(ada, network.application, "hello")
    assert (shown.status, shown.instances_online, shown.slots_used, shown.slots) == ("online", 1, 2, 2)
    assert shown.tasks_waiting == 1
    assert [one.name for one in shown.skills] == ["greet"]
    assert [(one.id, one.slots_used) for one in shown.instances] == [("ins_1", 2)]
    assert shown.last_seen_at is not None
    assert shown.last_seen_at.timestamp() == NOW, "when it was heard last"
    network.hears(Credit(ref, 2, 2, Holdup.DRAINING))
    assert (await agents.show(ada, network.application, "hello")).status == "offline", "it is about to end"


async def test_an_agent_that_is_disabled_is_shut_out_and_takes_nothing_until_it_is_enabled_again() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    await network.submit(ada)
    changed = await agents.update(ada, network.application, "hello", description=None, disabled=True)
    assert (changed.status, network.router.told) == ("disabled", [ShutOut(agent.id, "agent_disabled")])
    with pytest.raises(Unavailable):
        await network.submit(ada)
    network.router.told.clear()
    changed = await agents.update(ada, network.application, "ada/hello", description="New.", disabled=False)
    assert (changed.status, changed.description) == ("offline", "New.")
    assert network.router.told == [Readmit(agent.id)]
    await network.submit(ada)


async def test_what_is_not_named_stays_and_nobody_is_shut_out_for_a_new_description() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    await agents.update(ada, network.application, "hello", description=None, disabled=True)
    network.router.told.clear()
    changed = await agents.update(ada, network.application, "hello", description="New.", disabled=None)
    assert (changed.status, network.router.told) == ("disabled", [])


async def test_with_an_agent_go_its_tokens_and_the_tasks_that_nobody_can_run_any_more() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    await network.store.tokens.add(Token("tok_1", agent.id, "", NOW, NOW + 60))
    running = await network.held(ada, agent)
    waits = (await network.submit(ada)).task
    await agents.delete(ada, network.application, "hello")
    for task in (running, waits):
        ended = network.now(task.id)
        assert ended.state is TaskState.FAILED
        assert ended.error is not None
        assert ended.error.code == "agent_deleted"
    assert ShutOut(agent.id, "agent_deleted") in network.router.told
    assert await network.store.tokens.get("tok_1") is None
    for ask in (agents.show(ada, network.application, "hello"), network.submit(ada)):
        with pytest.raises(NotFound):
            await ask


async def test_an_agent_of_the_same_name_later_has_none_of_the_old_ones_tasks() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    await network.submit(ada)
    await agents.delete(ada, network.application, "hello")
    new = await network.agent(ada)
    network.comes(new)
    await settle()
    assert network.delivered() == []
    assert (await network.submit(ada)).task.agent_id == new.id


@pytest.mark.parametrize("name", ["eve/hello", "hello", "ada/none"])
async def test_what_is_somebody_elses_does_not_exist(name: str) -> None:
    network = Network()
    await network.agent(await network.user("eve"))
    ada = await network.user()
    for ask in (
        agents.show(ada, network.application, name),
        agents.update(ada, network.application, name, description="mine", disabled=True),
        agents.delete(ada, network.application, name),
    ):
        with pytest.raises(AtlasError) as refused:
            await ask
        assert refused.value.code == "agent_not_found"
    assert network.router.told == []


# Shared with others


async def test_who_an_agent_is_shared_with_for_calling_sees_it_asks_it_and_changes_nothing() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    await network.agent(ada)
    _, shares = await agents.share(ada, network.application, "hello", ["eve"], AccessLevel.CALL)
    assert [(one.subject, one.access) for one in shares.items] == [("eve", "call")]
    asked = await network.submit(eve, wanted("ada/hello"))
    others = await network.submit(ada)
    (listed,) = await agents.find(eve, network.application, limit=9, after=None)
    shown = await agents.show(eve, network.application, "ada/hello")
    assert (listed.full_name, listed.access, shown.access) == ("ada/hello", "call", "call")
    assert ([one.name for one in shown.skills], shown.instances, shown.shares) == (["greet"], [], ())
    found, _ = await tasks.find(eve, network.application, TaskFilter(), agent="ada/hello", limit=9, after=None)
    assert [one.task.id for one in found] == [asked.task.id]
    assert await refusals(network, eve) == {
        "update": "forbidden", "rename": "forbidden", "share": "forbidden", "unshare": "forbidden",
        "delete": "forbidden", "issue": "forbidden", "tokens": "forbidden",
    }  # fmt: skip
    with pytest.raises(NotFound):
        await tasks.show(eve, network.application, others.task.id)


async def test_who_an_agent_is_shared_with_for_managing_does_with_it_what_its_owner_does_but_owning() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    agent = await network.agent(ada)
    await agents.share(ada, network.application, "hello", ["user:eve"], AccessLevel.MANAGE)
    task = await network.asking(ada, agent)
    answered = await tasks.answer(eve, network.application, task.id, b"1", None)
    assert (answered.id, answered.state) == (task.id, "working")
    shown = await agents.show(eve, network.application, "ada/hello")
    assert (shown.access, [one.subject for one in shown.shares]) == ("manage", ["eve"])
    assert await refusals(network, eve) == {
        "rename": "forbidden", "share": "forbidden", "unshare": "forbidden", "delete": "forbidden",
    }  # fmt: skip
    token = (await tokens.of_agent(eve, network.application, "ada/hello"))[0]
    await tokens.revoke(eve, network.application, token.id)


async def test_a_token_of_an_agent_that_one_may_only_call_is_not_there() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    await network.agent(ada)
    issued = await tokens.issue(ada, network.application, "hello")
    await agents.share(ada, network.application, "hello", ["everyone"], AccessLevel.CALL)
    with pytest.raises(NotFound) as refused:
        await tokens.revoke(eve, network.application, issued.id)
    assert refused.value.code == "token_not_found"


async def test_a_share_that_ends_is_over_at_once_and_what_was_asked_for_goes_on() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    agent = await network.agent(ada)
    for subject in ("eve", "everyone"):
        await agents.share(ada, network.application, "hello", [subject], AccessLevel.CALL)
    await agents.unshare(ada, network.application, "hello", ["everyone"])
    asked = await network.held(eve, agent, wanted("ada/hello"))
    assert (await agents.unshare(ada, network.application, "hello", ["eve"]))[1] == AgentShares(items=[])
    with pytest.raises(NotFound):
        await network.submit(eve, wanted("ada/hello"))
    with pytest.raises(NotFound) as refused:
        await tasks.retry(eve, network.application, (await network.ends(asked)).id)
    assert refused.value.code == "agent_not_found"
    assert (await tasks.show(eve, network.application, asked.id)).state == "completed"
    assert await agents.find(eve, network.application, limit=9, after=None) == []


async def test_everyone_may_call_and_nobody_in_particular_manages() -> None:
    network = Network()
    ada, vic = await network.user(), await network.user("vic", Role.VIEWER)
    await network.agent(ada)
    with pytest.raises(InvalidInput, match="for calling only"):
        await agents.share(ada, network.application, "hello", ["everyone"], AccessLevel.MANAGE)
    with pytest.raises(InvalidInput, match="ada/hello is ada's own"):
        await agents.share(ada, network.application, "hello", ["vic", "ada"], AccessLevel.CALL)
    assert (await agents.show(ada, network.application, "hello")).shares == ()
    await agents.share(ada, network.application, "hello", ["everyone"], AccessLevel.CALL)
    assert (await agents.show(vic, network.application, "ada/hello")).access == "call"
    with pytest.raises(Forbidden):
        await tasks.submit(vic, network.application, wanted("ada/hello"))


@pytest.mark.parametrize(
    ("subject", "code"),
    [
        *[(name, "user_not_found") for name in ("nobody", "user:nobody", "team:x", "")],
        *[(name, "group_not_found") for name in ("group:none", "group:others", "group:")],
    ],
)
async def test_an_agent_is_shared_with_whom_its_owner_knows(subject: str, code: str) -> None:
    network = Network()
    ada = await network.user()
    root = await network.user("root", Role.ADMIN)
    await network.agent(ada)
    await groups.create(root, network.application, "others")
    for ask in (
        agents.share(ada, network.application, "hello", [subject], AccessLevel.CALL),
        agents.unshare(ada, network.application, "hello", [subject]),
    ):
        with pytest.raises(NotFound) as refused:
            await ask
        assert refused.value.code == code


async def test_the_tokens_that_a_manager_made_end_with_the_share_and_it_is_told_and_audited_whose_they_were() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    agent = await network.agent(ada)
    await agents.share(ada, network.application, "hello", ["eve"], AccessLevel.MANAGE)
    hers = [await tokens.issue(eve, network.application, "ada/hello", name=name) for name in ("box", "van")]
    mine = await tokens.issue(ada, network.application, "hello", name="desk")
    listed = {one.name: (one.made_by, one.by_share) for one in await tokens.of_agent(ada, network.application, "hello")}
    assert listed == {"box": ("eve", True), "van": ("eve", True), "desk": ("ada", False)}
    for token in (*hers, mine):
        await network.engine.access.bearer(token.id, agent.id)
    _, shared = await agents.unshare(ada, network.application, "hello", ["eve"])
    assert [(one.id, one.name, one.made_by) for one in shared.ended] == [(one.id, one.name, "eve") for one in hers]
    assert network.router.all(Revoke) == [Revoke(tuple(one.id for one in hers), "token_revoked")]
    for token in hers:
        with pytest.raises(AtlasError) as refused:
            await network.engine.access.bearer(token.id, agent.id)
        assert refused.value.code == "token_revoked"
    await network.engine.access.bearer(mine.id, agent.id)
    rows = await network.store.audit.find(AuditFilter(action="tokens.end"), limit=9)
    assert [(row.who.user_id, row.object.id, row.detail) for row in reversed(rows)] == [
        (ada.user.id, one.id, {"agent": "ada/hello", "made_by": "eve", "why": NO_MORE}) for one in hers
    ]


async def test_an_agent_is_shared_with_all_who_are_named_or_with_none_and_so_it_ends() -> None:
    network = Network()
    ada = await network.user()
    for name in ("eve", "bob"):
        await network.user(name)
    await network.agent(ada)
    with pytest.raises(NotFound, match="'bop'"):
        await agents.share(ada, network.application, "hello", ["eve", "bop", "bob"], AccessLevel.CALL)
    assert (await agents.show(ada, network.application, "hello")).shares == ()
    _, both = await agents.share(ada, network.application, "hello", ["eve", "bob", "eve"], AccessLevel.CALL)
    assert [one.subject for one in both.items] == ["bob", "eve"]
    with pytest.raises(NotFound):
        await agents.unshare(ada, network.application, "hello", ["eve", "bop"])
    assert [one.subject for one in (await agents.show(ada, network.application, "hello")).shares] == ["bob", "eve"]


@pytest.mark.parametrize(
    ("scopes", "lacks"),
    [
        (("agents:write",), "tokens:write"),
        (("agents:write", "tokens:read", "tasks:write"), "tokens:write"),
        (("agents:write", "tokens:write"), "tasks:read"),
        (("agents:write", "tokens:write", "tasks:read:own"), "tasks:read"),
        (("agents:write", "tokens:write", "tasks:read"), None),
        (("*",), None),
    ],
)
async def test_a_key_gives_no_managing_that_is_good_for_less_than_managing_gives(
    scopes: tuple[str, ...], lacks: str | None
) -> None:
    network = Network()
    ada = await network.user()
    await network.user("eve")
    await network.agent(ada)
    key = Principal(ada.user, ada.credential, scopes)
    assert (await agents.share(key, network.application, "hello", ["eve"], AccessLevel.CALL))[1].items
    ask = agents.share(key, network.application, "hello", ["eve"], AccessLevel.MANAGE)
    if lacks is None:
        assert [one.access for one in (await ask)[1].items] == ["manage"]
        return
    with pytest.raises(Forbidden, match=lacks) as refused:
        await ask
    assert refused.value.code == "insufficient_scope"
    assert [one.access for one in (await agents.show(ada, network.application, "hello")).shares] == ["call"]


# Renamed


async def test_a_renamed_agent_is_called_by_its_new_name_and_what_it_did_keeps_the_old_one() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    keyed = wanted(idempotency_key="one")
    before = await network.ends(await network.held(ada, agent, keyed))
    renamed = await agents.update(ada, network.application, "hello", rename="greeter")
    assert renamed.full_name == "ada/greeter"
    again = await tasks.retry(ada, network.application, before.id)
    assert (again.agent, network.now(before.id).agent) == ("ada/greeter", "ada/hello")
    # The same request again is the same task, by whichever of its names.
    for ask in (keyed, wanted("greeter", idempotency_key="one")):
        assert (await network.submit(ada, ask)).task.id == before.id
    with pytest.raises(NotFound):
        await network.submit(ada)
    await network.agent(ada)
    with pytest.raises(Conflict):
        await agents.update(ada, network.application, "greeter", rename="hello")
    with pytest.raises(InvalidInput):
        await agents.update(ada, network.application, "greeter", rename="Hello")


async def refusals(network: Network, who: Principal) -> dict[str, str]:
    """Return what of ada's agent somebody may not do, with the codes; all else is done."""
    on, name = network.application, "ada/hello"
    asked = {
        "update": agents.update(who, on, name, description="Mine."),
        "rename": agents.update(who, on, name, rename="mine"),
        "share": agents.share(who, on, name, [who.user.name], AccessLevel.MANAGE),
        "unshare": agents.unshare(who, on, name, [who.user.name]),
        "issue": tokens.issue(who, on, name),
        "tokens": tokens.of_agent(who, on, name),
        "delete": agents.delete(who, on, name),
    }
    codes = {}
    for act, ask in asked.items():
        try:
            await ask
        except AtlasError as error:
            codes[act] = error.code
    return codes
