"""Agent tokens: what they say, who gets them, and that a revoked one ends its connection."""

from __future__ import annotations

import math

import pytest

from agentic_atlas.auth import AGENT_SCOPES, verify
from agentic_atlas.backend.domain.records import AccessLevel, AgentRecord, Role, Token
from agentic_atlas.backend.engine.access import NotAdmitted
from agentic_atlas.backend.engine.engine import EngineSettings, TokenTerms
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents, instances, signing, tokens, users
from agentic_atlas.errors import Conflict, Forbidden, InvalidInput, NotFound
from agentic_atlas.protocol.caller.agents import NewToken
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.inside.messages import Arrived, Credit, Identity, InstanceRef, Renew, Retire, Revoke
from agentic_atlas.protocol.messages import Hello, InstanceInfo
from agentic_atlas.protocol.versions import PROTOCOL_VERSION
from tests.unit.backend.network import NOW, Network


async def test_a_token_says_whose_it_is_and_for_how_long_and_is_not_kept() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    made = await tokens.issue(ada, network.application, "hello", name="box", lifetime=60)
    claims = verify(made.token, network.engine.signing.ring.verification, now=NOW, network="net_1")
    assert (claims.jti, claims.agent_id, claims.name) == (made.id, agent.id, "ada/hello")
    assert (claims.scopes, claims.iat, claims.exp) == (AGENT_SCOPES, NOW, NOW + 60)
    stored = await network.store.tokens.get(made.id)
    assert made.token not in repr(stored)
    assert (await network.engine.access.bearer(made.id, agent.id)).user == ada.user


async def test_what_a_token_is_for_is_said_of_those_in_its_place_too() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    made = await tokens.issue(ada, network.application, "hello", description="Of the old desk,\nby the window")
    rotated = await tokens.rotate(ada, network.application, made.id)
    listed = await tokens.of_agent(ada, network.application, "hello")
    assert {one.description for one in (made, rotated, *listed)} == {"Of the old desk,\nby the window"}
    with pytest.raises(InvalidInput, match="1000 characters"):
        await tokens.issue(ada, network.application, "hello", description=1_001 * "x")


async def test_a_token_lives_for_a_quarter_of_a_year_unless_its_owner_says_otherwise() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    made = await tokens.issue(ada, network.application, "hello")
    assert made.expires_at.timestamp() == NOW + tokens.DEFAULT_LIFETIME


@pytest.mark.parametrize("lifetime", [0, -1, 366 * 86_400 + 1, math.inf, math.nan])
async def test_no_token_lives_shorter_than_a_second_or_longer_than_a_year(lifetime: float) -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    with pytest.raises(InvalidInput):
        await tokens.issue(ada, network.application, "hello", lifetime=lifetime)
    assert await tokens.of_agent(ada, network.application, "hello") == []


async def test_tokens_are_listed_newest_first() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    made = []
    for _ in range(2):
        made.append((await tokens.issue(ada, network.application, "hello")).id)
        network.clock.now += 1
    listed = await tokens.of_agent(ada, network.application, "hello")
    assert [one.id for one in listed] == made[::-1]


async def test_a_revoked_token_ends_its_connection_and_lets_nobody_in() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    made = await tokens.issue(ada, network.application, "hello")
    await network.engine.access.bearer(made.id, agent.id)
    revoked = await tokens.revoke(ada, network.application, made.id)
    assert (revoked.agent, revoked.status) == ("ada/hello", "revoked")
    assert network.router.told == [Revoke((made.id,), "token_revoked")]
    with pytest.raises(NotAdmitted) as refused:
        await network.engine.access.bearer(made.id, agent.id)
    assert refused.value.code == "token_revoked"


async def test_a_token_of_anothers_agent_does_not_exist_but_for_an_administrator() -> None:
    network = Network()
    ada, eve, root = await network.user(), await network.user("eve"), await network.user("root", Role.ADMIN)
    await network.agent(ada)
    made = await tokens.issue(ada, network.application, "hello")
    for token_id in (made.id, "tok_none"):
        with pytest.raises(NotFound) as refused:
            await tokens.revoke(eve, network.application, token_id)
        assert refused.value.code == "token_not_found"
    for ask in (
        tokens.issue(eve, network.application, "ada/hello"),
        tokens.of_agent(eve, network.application, "ada/hello"),
    ):
        with pytest.raises(NotFound):
            await ask
    assert network.router.told == []
    await tokens.revoke(root, network.application, made.id)


async def furnished(**terms: float) -> tuple[Network, Principal, AgentRecord, NewToken]:
    """Return a network with an agent that has a token, good for 100 seconds."""
    network = Network(EngineSettings(tokens=TokenTerms(**terms)))
    ada = await network.user()
    agent = await network.agent(ada)
    return network, ada, agent, await tokens.issue(ada, network.application, "hello", name="box", lifetime=100)


def shown(network: Network, token_id: str, agent: AgentRecord, key_id: str = "") -> Identity:
    """Return who somebody is who shows this token, signed with this key; with the one that signs now by default."""
    return Identity(token_id, agent.id, 4e9, key_id=key_id or network.engine.signing.ring.active.kid)


async def connected(network: Network, agent: AgentRecord, token_id: str) -> tuple[InstanceRef, Principal]:
    """Have an instance connect; return it, with whom it is let in as."""
    who = await network.engine.access.bearer(token_id, agent.id)
    hello = Hello(PROTOCOL_VERSION, InstanceInfo("ins_1"), [])
    admitted = await instances.admit(who, network.application, Arrived(1, shown(network, token_id, agent), hello))
    network.hears(Credit(admitted.instance, 1, 1))
    return admitted.instance, who


async def test_the_administrator_says_how_long_a_token_may_live() -> None:
    network, ada, _, _ = await furnished(max_token_lifetime=3_600.0)
    with pytest.raises(InvalidInput, match="3600 seconds"):
        await tokens.issue(ada, network.application, "hello", lifetime=3_601)
    made = await tokens.issue(ada, network.application, "hello")
    assert made.expires_at.timestamp() == NOW + 3_600


async def test_a_token_is_good_for_what_it_was_made_for_and_always_to_connect() -> None:
    network, ada, _, _ = await furnished()
    made = await tokens.issue(ada, network.application, "hello", scopes=[])
    assert verify(made.token, network.engine.signing.ring.verification, now=NOW, network="net_1").scopes == (
        "agent:connect",
    )
    for words in (["tasks:read"], ["*"], ["agent:fly"]):
        with pytest.raises(InvalidInput) as refused:
            await tokens.issue(ada, network.application, "hello", scopes=words)
        assert refused.value.code == "unknown_scope"


async def test_an_agent_has_the_next_token_in_place_of_its_own_and_goes_on_with_it() -> None:
    network, _, agent, made = await furnished()
    instance, who = await connected(network, agent, made.id)
    network.clock.now += 60
    renewed = await tokens.renew(who, network.application, Renew(7, instance, made.id))
    assert (renewed.to, renewed.failure, renewed.renewable) == (7, None, True)
    assert renewed.token not in repr(renewed)
    assert renewed.key_id == network.engine.signing.ring.active.kid
    claims = verify(renewed.token, network.engine.signing.ring.verification, now=network.clock.now, network="net_1")
    assert (claims.jti, claims.lineage, claims.exp) == (renewed.token_id, made.id, NOW + 160)
    assert [one.id for one in network.engine.access.in_use()] == [renewed.token_id]
    (now,) = await network.store.agents.instances(agent.id)
    assert (now.token_id, now.generation, now.disconnected_at) == (renewed.token_id, instance.generation, None)
    assert (await network.engine.access.bearer(made.id, agent.id)).user == who.user, "the old one is as good as it was"
    again = await network.engine.access.connected("ins_1")
    network.clock.now += 90
    last = await tokens.renew(again, network.application, Renew(8, instance, renewed.token_id))
    assert last.expires_at == NOW + 250


@pytest.mark.parametrize(
    ("renews", "age", "code"), [(False, 1e6, "token_not_renewable"), (True, 90.0, "token_lineage_over")]
)
async def test_what_may_not_be_renewed_is_not(renews: bool, age: float, code: str) -> None:
    network, ada, agent, _ = await furnished(max_token_age=age)
    made = await tokens.issue(ada, network.application, "hello", lifetime=100, renews=renews)
    instance, who = await connected(network, agent, made.id)
    with pytest.raises(Forbidden) as refused:
        await tokens.renew(who, network.application, Renew(1, instance, made.id))
    assert refused.value.code == code
    assert len(await tokens.of_agent(ada, network.application, "hello")) == 2


async def test_nobody_renews_a_token_that_was_revoked_meanwhile_or_that_is_anothers() -> None:
    network, ada, agent, made = await furnished()
    instance, who = await connected(network, agent, made.id)
    other = await tokens.issue(ada, network.application, "hello")
    with pytest.raises(Forbidden) as refused:
        await tokens.renew(who, network.application, Renew(1, instance, other.id))
    assert refused.value.code == "token_unknown"
    await tokens.revoke(ada, network.application, made.id)
    with pytest.raises(Forbidden) as refused:
        await tokens.renew(who, network.application, Renew(1, instance, made.id))
    assert refused.value.code == "token_revoked"


async def test_revoking_any_of_a_lineage_ends_all_of_it_and_nothing_else() -> None:
    network, ada, agent, made = await furnished()
    other = await tokens.issue(ada, network.application, "hello")
    instance, who = await connected(network, agent, made.id)
    renewed = await tokens.renew(who, network.application, Renew(1, instance, made.id))
    revoked = await tokens.revoke(ada, network.application, made.id)
    assert set(revoked.ended) == {made.id, renewed.token_id}
    (told,) = network.router.all(Revoke)
    assert (set(told.token_ids), told.reason) == ({made.id, renewed.token_id}, "token_revoked")
    for token_id in told.token_ids:
        with pytest.raises(NotAdmitted) as refused:
            await network.engine.access.bearer(token_id, agent.id)
        assert refused.value.close_code == CloseCode.TOKEN_REVOKED
    assert (await network.engine.access.bearer(other.id, agent.id)).user == ada.user
    network.clock.now += 1
    assert (await tokens.revoke(ada, network.application, made.id)).ended == (), "it ended before"


async def test_a_rotated_token_is_good_until_the_overlap_is_over_and_routers_know_when_that_is() -> None:
    network, ada, agent, made = await furnished()
    await network.engine.access.bearer(made.id, agent.id)
    rotated = await tokens.rotate(ada, network.application, made.id, overlap=30)
    claims = verify(rotated.token, network.engine.signing.ring.verification, now=NOW, network="net_1")
    assert (claims.lineage, claims.exp, rotated.name) == (made.id, NOW + 100, "box")
    assert network.router.told == [Retire((made.id,), NOW + 30)]
    assert rotated.replaces == (made.id,)
    assert [at.timestamp() for at in rotated.replaces_at] == [NOW + 30]
    network.clock.now += 29
    await network.engine.access.bearer(made.id, agent.id)
    network.clock.now += 1
    with pytest.raises(NotAdmitted) as refused:
        await network.engine.access.bearer(made.id, agent.id)
    assert (refused.value.code, refused.value.close_code) == ("token_rotated", CloseCode.TOKEN_REVOKED)
    await network.engine.access.bearer(rotated.id, agent.id)


async def test_who_rotates_a_token_that_ended_long_ago_is_told_which_one_is_replaced() -> None:
    network, ada, _, made = await furnished()
    second = await tokens.rotate(ada, network.application, made.id, overlap=0)
    third = await tokens.rotate(ada, network.application, made.id, overlap=30)
    assert third.replaces == (second.id,)


async def test_each_token_that_is_replaced_is_told_with_its_own_end() -> None:
    network, ada, agent, made = await furnished()
    instance, who = await connected(network, agent, made.id)
    network.clock.now += 50
    renewed = await tokens.renew(who, network.application, Renew(1, instance, made.id))
    second = await tokens.rotate(ada, network.application, made.id, overlap=60)
    ends = {made.id: NOW + 100, renewed.token_id: NOW + 110}
    assert dict(zip(second.replaces, (at.timestamp() for at in second.replaces_at), strict=True)) == ends
    third = await tokens.rotate(ada, network.application, made.id, overlap=90)
    ends |= {second.id: NOW + 140}
    assert dict(zip(third.replaces, (at.timestamp() for at in third.replaces_at), strict=True)) == ends


async def test_who_comes_with_a_token_that_another_one_replaces_is_told_when_it_ends() -> None:
    network, ada, agent, made = await furnished()
    hello = Hello(PROTOCOL_VERSION, InstanceInfo("ins_1"), [])
    said = Arrived(1, shown(network, made.id, agent), hello)
    for retires_at, renewable in ((None, True), (NOW + 30, False)):
        who = await network.engine.access.bearer(made.id, agent.id)
        admitted = await instances.admit(who, network.application, said)
        assert (admitted.retires_at, admitted.renewable) == (retires_at, renewable)
        await tokens.rotate(ada, network.application, made.id, overlap=30)


async def test_a_rotation_begins_a_lineage_s_age_anew_and_none_of_it_lives_on_without_an_overlap() -> None:
    network, ada, agent, made = await furnished(max_token_age=200.0)
    instance, who = await connected(network, agent, made.id)
    network.clock.now += 90
    renewed = await tokens.renew(who, network.application, Renew(1, instance, made.id))
    rotated = await tokens.rotate(ada, network.application, made.id, overlap=0, lifetime=150)
    assert network.router.all(Revoke) == [Revoke((made.id, renewed.token_id), "token_rotated")]
    stored = await network.store.tokens.get(rotated.id)
    assert stored is not None
    assert (stored.renewable_until, stored.lifetime) == (NOW + 290, 150)


async def test_the_next_token_may_be_renewed_if_the_last_might_unless_it_is_said() -> None:
    network, ada, _, made = await furnished()
    fixed = await tokens.issue(ada, network.application, "hello", renews=False)
    for token_id, renews, until in (
        (made.id, None, NOW + 365 * 86_400),
        (made.id, False, None),
        (fixed.id, None, None),
        (fixed.id, True, NOW + 365 * 86_400),
    ):
        rotated = await tokens.rotate(ada, network.application, token_id, renews=renews)
        assert (rotated.renewable_until and rotated.renewable_until.timestamp()) == until


async def test_nothing_takes_the_place_of_a_revoked_token() -> None:
    network, ada, _, made = await furnished()
    await tokens.revoke(ada, network.application, made.id)
    with pytest.raises(Conflict) as refused:
        await tokens.rotate(ada, network.application, made.id)
    assert refused.value.code == "token_revoked"


async def test_the_list_tells_what_each_of_a_lineage_is_good_for_and_who_has_it() -> None:
    network, ada, agent, made = await furnished()
    instance, who = await connected(network, agent, made.id)
    renewed = await tokens.renew(who, network.application, Renew(1, instance, made.id))
    await tokens.rotate(ada, network.application, made.id, overlap=30)
    listed = {one.id: one for one in await tokens.of_agent(ada, network.application, "hello")}
    assert [(one.status, one.in_use) for one in listed.values()] == [
        ("active", False),
        ("retiring", True),
        ("retiring", False),
    ]
    assert [one.lineage for one in listed.values()] == [made.id, made.id, ""]
    assert (listed[renewed.token_id].last_instance, listed[made.id].scopes) == (
        "ins_1",
        ("agent:connect", "agent:call"),
    )
    network.clock.now += 30
    assert [one.status for one in await tokens.of_agent(ada, network.application, "hello")][1:] == ["rotated"] * 2


async def test_what_an_agent_got_for_a_token_ends_with_the_key_of_that_one_and_what_a_person_had_made_does_not() -> (
    None
):
    network, ada, agent, made = await furnished()
    admin, old = await network.user("root", Role.ADMIN), network.engine.signing.ring.active.kid
    instance, who = await connected(network, agent, made.id)
    await signing.rotate(admin, network.application)
    renewed = await tokens.renew(who, network.application, Renew(1, instance, made.id))
    again = await network.engine.access.connected("ins_1")
    last = await tokens.renew(again, network.application, Renew(2, instance, renewed.token_id))
    rotated = await tokens.rotate(ada, network.application, last.token_id, overlap=60)
    other = await tokens.issue(ada, network.application, "hello")
    _, before = await signing.find(admin, network.application)
    ended = await signing.withdraw(admin, network.application, old)
    assert (ended.tokens, ended.connected, ended.agents) == (3, 1, ("ada/hello",))
    assert ended == before, "it was said before"
    gone = {made.id, renewed.token_id, last.token_id}
    told = network.router.all(Revoke)[-1]
    assert (set(told.token_ids), told.reason) == (gone, "key_withdrawn")
    listed = {one.id: one.status for one in await tokens.of_agent(ada, network.application, "hello")}
    assert listed == {**dict.fromkeys(gone, "withdrawn"), rotated.id: "active", other.id: "active"}
    with pytest.raises(NotAdmitted) as refused:
        await network.engine.access.bearer(last.token_id, agent.id)
    assert (refused.value.code, refused.value.close_code) == ("key_withdrawn", CloseCode.TOKEN_REVOKED)
    with pytest.raises(Forbidden) as late:
        await tokens.renew(again, network.application, Renew(3, instance, renewed.token_id))
    assert late.value.code == "key_withdrawn"
    # What a person had made in its place goes on, and is renewed.
    instance, who = await connected(network, agent, rotated.id)
    await tokens.renew(who, network.application, Renew(4, instance, rotated.id))


async def test_a_token_is_good_only_with_the_key_that_signed_it() -> None:
    network, ada, agent, _ = await furnished()
    root, old = await network.user("root", Role.ADMIN), network.engine.signing.ring.active.kid
    await signing.rotate(root, network.application)
    made = await tokens.issue(ada, network.application, "hello")
    who = await network.engine.access.bearer(made.id, agent.id)
    hello = Hello(PROTOCOL_VERSION, InstanceInfo("ins_1"), [])
    # Whoever has the old key can sign whatever they like, but nothing that outlives it.
    with pytest.raises(NotAdmitted) as refused:
        await instances.admit(who, network.application, Arrived(1, shown(network, made.id, agent, old), hello))
    assert refused.value.code == "token_unknown"
    await instances.admit(who, network.application, Arrived(2, shown(network, made.id, agent), hello))


async def test_what_was_signed_with_a_key_that_is_withdrawn_meanwhile_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, ada, agent, made = await furnished()
    root = await network.user("root", Role.ADMIN)
    instance, who = await connected(network, agent, made.id)
    store = network.store.tokens
    adds = store.add

    async def add(token: Token) -> None:
        """Store it, when its key is not there any more."""
        key_id = network.engine.signing.ring.active.kid
        await signing.rotate(root, network.application)
        await signing.withdraw(root, network.application, key_id)
        await adds(token)

    monkeypatch.setattr(store, "add", add)
    for ask in (
        tokens.issue(ada, network.application, "hello"),
        tokens.rotate(ada, network.application, made.id),
    ):
        with pytest.raises(Conflict) as refused:
            await ask
        assert refused.value.code == "key_withdrawn"
    with pytest.raises(Forbidden) as kept:
        await tokens.renew(who, network.application, Renew(1, instance, made.id))
    assert kept.value.code == "key_withdrawn"
    assert {one.status for one in await tokens.of_agent(ada, network.application, "hello")} == {"withdrawn"}


async def test_a_token_of_before_its_key_was_kept_rests_on_any_key_and_so_does_what_its_agent_got_for_it() -> None:
    network, ada, agent, _ = await furnished()
    root, old = await network.user("root", Role.ADMIN), network.engine.signing.ring.active.kid
    await network.store.tokens.add(Token("tok_before", agent.id, "", NOW, NOW + 100, renewable_until=NOW + 1_000))
    instance, who = await connected(network, agent, "tok_before")
    await signing.rotate(root, network.application)
    renewed = await tokens.renew(who, network.application, Renew(1, instance, "tok_before"))
    await signing.withdraw(root, network.application, old)
    listed = {one.id: one.status for one in await tokens.of_agent(ada, network.application, "hello")}
    assert (listed["tok_before"], listed[renewed.token_id]) == ("withdrawn", "withdrawn")


async def test_a_renewal_is_by_who_made_the_token_and_a_rotation_by_who_rotates() -> None:
    network, ada, agent, _ = await furnished()
    eve = await network.user("eve")
    await agents.share(ada, network.application, "hello", ["eve"], AccessLevel.MANAGE)
    made = await tokens.issue(eve, network.application, "ada/hello", lifetime=100)
    instance, who = await connected(network, agent, made.id)
    renewed = await tokens.renew(who, network.application, Renew(1, instance, made.id))
    assert (made.made_by, made.by_share) == ("eve", True)
    (there,) = (await agents.show(ada, network.application, "hello")).instances
    assert (there.token_id, there.token_made_by) == (renewed.token_id, "eve")
    rotated = await tokens.rotate(ada, network.application, renewed.token_id, overlap=30)
    again = await tokens.rotate(eve, network.application, rotated.id, overlap=30)
    kept = {one.id: (one.made_by, one.by_share) for one in await tokens.of_agent(ada, network.application, "hello")}
    assert kept[renewed.token_id] == kept[again.id] == ("eve", True)
    assert kept[rotated.id] == ("ada", False)
    _, shared = await agents.unshare(ada, network.application, "hello", ["eve"])
    assert {one.id for one in shared.ended} == {made.id, renewed.token_id, again.id}


@pytest.mark.parametrize("how", ["disabled", "a member", "a viewer", "deleted"])
async def test_an_administrators_tokens_of_anothers_agent_end_as_they_are_none_and_those_of_their_own_stay(
    how: str,
) -> None:
    network, ada, agent, _ = await furnished()
    on = network.application
    root, mal = await network.user("root", Role.ADMIN), await network.user("mal", Role.ADMIN)
    made = await tokens.issue(mal, on, "ada/hello", lifetime=100)
    instance, who = await connected(network, agent, made.id)
    renewed = await tokens.renew(who, on, Renew(1, instance, made.id))
    rotated = await tokens.rotate(mal, on, (await tokens.issue(ada, on, "hello")).id)
    assert {(one.made_by, one.by_share) for one in (made, rotated)} == {("mal", True)}
    hers = await tokens.issue(root, on, "ada/hello")
    await {
        "disabled": lambda: users.update(root, on, "mal", role=None, disabled=True),
        "a member": lambda: users.update(root, on, "mal", role=Role.MEMBER, disabled=None),
        "a viewer": lambda: users.update(root, on, "mal", role=Role.VIEWER, disabled=None),
        "deleted": lambda: users.delete(root, on, "mal"),
    }[how]()
    listed = {one.id: one.status for one in await tokens.of_agent(ada, on, "hello")}
    assert [listed[one] for one in (made.id, renewed.token_id, rotated.id)] == ["revoked"] * 3
    assert listed[hers.id] == "active"
    cut_off = {token_id for told in network.router.all(Revoke) for token_id in told.token_ids}
    assert {made.id, renewed.token_id, rotated.id} <= cut_off


async def test_who_administered_and_manages_by_a_share_keeps_their_tokens_until_that_ends() -> None:
    network, ada, *_ = await furnished()
    on = network.application
    root, mal = await network.user("root", Role.ADMIN), await network.user("mal", Role.ADMIN)
    made = await tokens.issue(mal, on, "ada/hello")
    await agents.share(ada, on, "hello", ["mal"], AccessLevel.MANAGE)
    await users.update(root, on, "mal", role=Role.MEMBER, disabled=None)
    _, shared = await agents.unshare(ada, on, "hello", ["mal"])
    assert [one.id for one in shared.ended] == [made.id]
