"""Agents that ask for another token on the connection that they have."""

from __future__ import annotations

from agentic_atlas.auth import base64url, read_keys
from agentic_atlas.protocol.closing import CloseCode, CloseReason
from agentic_atlas.protocol.inside.messages import Failure, Renewed, Retire, Revoke, TokenKey, VerifyWith
from agentic_atlas.protocol.messages import Fault, Renewal
from agentic_atlas.router.renewals import AGAIN
from tests.unit.router.network import Agent, Network, network

TOKEN = "head.claims.signature"


def renews(
    net: Network, *, token_id: str = "tok_2", life: float = 100.0, failure: Failure | None = None, key_id: str = ""
) -> None:
    """Answer what was asked last."""
    asked = net.backend.renewals[-1]
    if failure is not None:
        net.router.say(Renewed(asked.number, failure=failure))
    else:
        net.router.say(Renewed(asked.number, TOKEN, token_id, net.wall.now + life, renewable=True, key_id=key_id))


async def test_the_new_token_comes_on_the_same_connection_and_its_end_is_the_connections() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.say(Renewal())
        (asked,) = net.backend.renewals
        assert asked.token_id == "tok"
        renews(net)
        until = net.wall.now + 100.0
        assert agent.all(Renewal) == [Renewal(TOKEN, until, renewable=True)]
        await net.passes(99, agent)
        assert agent.code is None
        await net.passes(2, agent)
        assert agent.code == CloseCode.TOKEN_EXPIRED


async def test_a_connection_is_ended_by_its_new_token_and_not_by_what_befalls_the_old_one() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.say(Renewal())
        renews(net)
        net.router.say(Revoke(("tok",), "token_rotated"))
        assert agent.code is None
        net.router.say(Revoke(("tok_2",), "token_revoked"))
        assert agent.code == CloseCode.TOKEN_REVOKED


async def test_a_connection_ends_with_the_key_of_its_new_token_and_not_with_that_of_the_old_one() -> None:
    old, new = (TokenKey(base64url.encode(bytes([number]) * 32), 0) for number in (1, 2))
    kids = [kid for key in (old, new) for kid in read_keys([(key.x, 0, None)])]
    async with network() as net:
        agent, other = await net.agent(), await net.agent("agt", "tok_other", "inst_other")
        net.router.say(VerifyWith((old, new)))
        for key_id in kids:
            agent.say(Renewal())
            renews(net, token_id=f"tok_{key_id}", key_id=key_id)
        net.router.say(VerifyWith((new,)))
        assert (agent.code, other.code) == (None, None)
        net.router.say(VerifyWith((old,)))
        assert (agent.code, other.code) == (CloseCode.TOKEN_REVOKED, None)


async def test_who_asks_again_before_there_is_an_answer_is_given_one() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.say(Renewal())
        agent.say(Renewal())
        assert len(net.backend.renewals) == 1
        renews(net)
        agent.say(Renewal())
        assert [asked.token_id for asked in net.backend.renewals] == ["tok", "tok_2"]


async def test_who_asks_all_the_time_breaks_the_protocol() -> None:
    async with network() as net:
        agent = await net.agent()
        for _ in range(net.router.context.limits.control_frames_per_second + 1):
            agent.say(Renewal())
        assert agent.code == CloseCode.PROTOCOL_VIOLATION


async def test_a_refusal_says_why_and_whether_to_ask_again_and_the_connection_goes_on() -> None:
    async with network() as net:
        agent = await net.agent()
        refused = {
            Failure(CloseCode.TOKEN_INVALID, "token_not_renewable", "it was made so"): None,
            Failure(CloseCode.UNAVAILABLE, "too_many_renewals", "many", 7.0): 7.0,
            Failure(CloseCode.UNAVAILABLE, "internal"): AGAIN,
        }
        for failure, again in refused.items():
            agent.say(Renewal())
            renews(net, failure=failure)
            said = agent.last(Renewal)
            assert (said.token, said.refused, said.retry_after) == ("", Fault(failure.code, failure.message), again)
        agent.beat()
        assert agent.code is None


async def test_an_answer_that_comes_after_the_token_was_replaced_lets_the_connection_end_with_it() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.say(Renewal())
        net.router.say(Retire(("tok", "tok_2"), net.wall.now + 30))
        renews(net)
        await net.passes(31, agent)
        assert agent.closed == (4103, CloseReason("token_rotated"))


async def test_an_answer_for_a_connection_that_is_over_is_lost_with_it() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.say(Renewal())
        agent.connection.closed()
        renews(net)
        again = await net.agent()
        assert again.all(Renewal) == []
        again.say(Renewal())
        assert [asked.token_id for asked in net.backend.renewals] == ["tok", "tok"]


async def test_an_answer_that_comes_when_the_token_has_expired_sends_the_agent_round() -> None:
    async with network() as net:
        agent = await net.agent()
        agent.say(Renewal())
        net.wall.now = agent.identity.expires_at
        renews(net)
        assert agent.last(Renewal).token == TOKEN
        assert agent.code == CloseCode.RESTART


async def test_tokens_of_one_lineage_are_one_token_and_have_one_instance() -> None:
    async with network() as net:
        first = await net.agent()
        first.say(Renewal())
        renews(net)
        for token_id, lineage in (("tok", ""), ("tok_2", "tok"), ("tok_9", "tok")):
            second = Agent("agt", token_id, "inst_2", lineage=lineage).connect(net.router).hello()
            await second.hears_of_it()
            assert second.code == CloseCode.TOKEN_IN_USE
        other = await net.agent("agt", "tok_other", "inst_3")
        assert (first.code, other.code) == (None, None)
