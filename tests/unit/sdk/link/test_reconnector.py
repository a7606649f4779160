"""One connection after the other: how long an agent waits in between, what it says, and when it ends. Time jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.protocol.closing import CloseCode, encode_reason
from agentic_atlas.protocol.messages import Beat, Drain, Fault, Renewal
from agentic_atlas.sdk.link.dial import HandshakeRefused, Unreachable
from agentic_atlas.sdk.link.reconnector import Reconnector
from agentic_atlas.sdk.link.session import AgentSession
from agentic_atlas.sdk.link.settings import Runtime, Timeouts
from agentic_atlas.sdk.tokens.source import TokenSource
from agentic_atlas.sdk.tokens.unverified import lineage_name
from agentic_atlas.transport.receiver import Closed
from tests.still_loop import StillLoop
from tests.unit.sdk.link.router_end import BASE, Agent, RouterEnd
from tests.unit.sdk.memory_log import MemoryLog
from tests.unit.sdk.unsigned import token

URL = "ws://localhost:8080/ws"
CUT = Closed(1006)
RESTART = Closed(CloseCode.RESTART, encode_reason("router_is_stopping", 2.0))

Answer = Callable[[RouterEnd], Closed | None]


class Network:
    """Routers that answer one try after the other; the waits of the back-off are whole windows."""

    def __init__(self, *answers: Answer | AtlasError) -> None:
        self.log = MemoryLog()
        self.tries: list[float] = []
        self.shown: list[str] = []
        self.in_file: str | None = None
        tokens = TokenSource("token", log=self.log, from_file=True, in_file=self._look)
        self.answers = list(answers)
        self._loop = asyncio.get_running_loop()
        self.agent = Reconnector(
            URL,
            tokens,
            BASE,
            self._connect,
            lambda: Agent(self._loop.time, self.agent.welcomed).session,
            timeouts=Timeouts(),
            runtime=Runtime(clock=self._loop.time, random=lambda: 1.0),
            log=self.log,
        )

    @property
    def waits(self) -> list[float]:
        """Seconds between the tries."""
        return [round(later - before, 2) for before, later in zip(self.tries, self.tries[1:], strict=False)]

    def _look(self) -> tuple[str, Path] | None:
        return None if self.in_file is None else (self.in_file, Path(".env"))

    async def _connect(self, token: str, session: AgentSession) -> RouterEnd:
        self.tries.append(self._loop.time())
        self.shown.append(token)
        if not self.answers:
            self.agent.finish()
            raise Unreachable("nobody is left")
        answer = self.answers.pop(0)
        if isinstance(answer, AtlasError):
            raise answer
        router = RouterEnd()
        router.connect(session)
        self._loop.call_soon(self._serve, router, answer)
        return router

    def _serve(self, router: RouterEnd, answer: Answer) -> None:
        closed = answer(router)
        if closed is not None:
            router.end(closed)


def lets_in_and(closed: Closed | None, *, after: float = 0.0) -> Answer:
    """Answer with a welcome; the connection ends so, after so many seconds."""

    def answer(router: RouterEnd) -> Closed | None:
        router.welcome()
        if closed is None or not after:
            return closed
        asyncio.get_running_loop().call_later(after, router.end, closed)
        return None

    return answer


def closes(closed: Closed) -> Answer:
    return lambda _: closed


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, type[StillLoop]]]:
    """Run the tests on a loop whose time passes only where nothing else is left to do."""
    return "asyncio", {"loop_factory": StillLoop}


async def test_a_router_that_is_not_there_is_tried_in_windows_that_double_up_to_half_a_minute() -> None:
    net = Network(*[Unreachable("connection refused")] * 10)
    assert await net.agent.run() is None
    assert net.waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    first, *later = net.log.at("warning")
    assert first.startswith(f"can't reach the router at {URL} (connection refused): is `atlas up` running?")
    assert all("still no connection" in line for line in later)
    assert len(later) == 1


async def test_an_agent_that_was_cut_off_hurries_as_long_as_its_tasks_are_its_own() -> None:
    net = Network(lets_in_and(CUT), *[Unreachable("connection refused")] * 7, lets_in_and(CUT))
    await net.agent.run()
    assert net.waits[:8] == [0.2, 0.4, 0.8, 1.6, 3.2, 3.75, 3.75, 3.75]
    assert [line for line in net.log.at("info") if "back after" in line] == ["back after 17.4 s"]
    assert net.log.at("info")[0] == f"connected to {URL}"
    assert net.log.at("warning")[0] == "connection lost: it was cut; trying again"


async def test_a_connection_that_lasted_makes_the_back_off_start_afresh_and_one_that_did_not_does_not() -> None:
    short, long = lets_in_and(CUT, after=1.0), lets_in_and(CUT, after=61.0)
    net = Network(short, short, long, short)
    await net.agent.run()
    assert net.waits == [1.2, 1.4, 61.2, 1.4]


async def test_a_restart_that_was_announced_begins_the_back_off_anew_and_keeps_to_its_time() -> None:
    net = Network(*[lets_in_and(RESTART)] * 4)
    await net.agent.run()
    assert net.waits == [2.2] * 4


async def test_a_router_that_said_when_it_is_back_is_tried_then_though_its_close_never_came() -> None:
    def stopping(router: RouterEnd) -> Closed:
        router.welcome()
        router.say(Drain(4.0))
        return CUT

    net = Network(stopping)
    await net.agent.run()
    assert net.waits == [4.2]


async def test_a_token_in_use_is_tried_again_after_half_a_minute() -> None:
    net = Network(closes(Closed(CloseCode.TOKEN_IN_USE)))
    await net.agent.run()
    assert net.waits == [30.2]
    (line,) = net.log.at("warning")
    assert line.startswith("not connected: another process is connected with the same token")


def beside(net: Network, put: Answer) -> Answer:
    """Answer so, after another token was put into `.env`."""

    def answer(router: RouterEnd) -> Closed | None:
        net.in_file = "new"
        return put(router)

    return answer


async def test_a_process_stays_with_its_token_though_there_is_a_new_one_until_that_is_refused() -> None:
    net = Network()
    net.answers[:] = [
        beside(net, lets_in_and(RESTART)),
        lets_in_and(CUT),
        REFUSED["revoked at the handshake"],
        lets_in_and(CUT),
    ]
    assert await net.agent.run() is None
    assert net.shown[:4] == ["token", "token", "token", "new"]
    assert not [line for line in net.log.at("warning") if "waits" in line]


async def test_whose_seat_another_has_tries_the_new_token_and_who_is_known_by_another_that_one_again() -> None:
    net = Network()
    known_otherwise = closes(Closed(CloseCode.TOKEN_IN_USE, encode_reason("instance_exists")))
    in_use = closes(Closed(CloseCode.TOKEN_IN_USE, encode_reason("token_in_use")))
    net.answers[:] = [beside(net, in_use), known_otherwise, in_use, lets_in_and(CUT), lets_in_and(CUT)]
    assert await net.agent.run() is None
    assert net.shown[:5] == ["token", "new", "token", "new", "new"]


async def test_a_process_that_is_known_by_another_token_says_what_to_do_and_never_ends() -> None:
    known_otherwise = closes(Closed(CloseCode.TOKEN_IN_USE, encode_reason("instance_exists")))
    net = Network(*[known_otherwise] * 3, lets_in_and(CUT))
    assert await net.agent.run() is None
    assert net.waits[:3] == [30.2, 30.4, 30.8]
    assert "still good: revoke that one" in net.log.at("warning")[0]


async def test_a_new_agent_that_is_disabled_may_be_given_another_token() -> None:
    disabled = HandshakeRefused(403, "this agent is disabled", code="agent_disabled", retry_after=None)
    net = Network()
    net.answers[:] = [beside(net, closes(Closed(CloseCode.AGENT_DISABLED))), lets_in_and(CUT)]
    await net.agent.run()
    assert net.shown[:2] == ["token", "new"]
    known = Network()
    known.answers[:] = [lets_in_and(CUT), beside(known, lets_in_and(CUT)), disabled, lets_in_and(CUT)]
    await known.agent.run()
    assert known.shown[:4] == ["token"] * 4, "what it ran is known by that"


@pytest.mark.parametrize(
    "answer",
    [
        closes(Closed(CloseCode.WRONG_AGENT)),
        closes(Closed(CloseCode.TOKEN_INVALID)),
        HandshakeRefused(401, "the signature is not ours", code="token_bad_signature", retry_after=None),
        ConfigurationError("the token has characters that no token has"),
    ],
    ids=["wrong agent", "close", "handshake", "no token"],
)
async def test_what_was_wrong_at_the_start_ends_the_agent(answer: Answer | AtlasError) -> None:
    net = Network(answer)
    error = await net.agent.run()
    assert isinstance(error, ConfigurationError)
    assert len(net.tries) == 1


REFUSED = {
    "expired": closes(Closed(CloseCode.TOKEN_EXPIRED, encode_reason("token_expired"))),
    "revoked": closes(Closed(CloseCode.TOKEN_REVOKED, encode_reason("token_revoked"))),
    "expired at the handshake": HandshakeRefused(401, "expired 3 days ago", code="token_expired", retry_after=None),
    "revoked at the handshake": HandshakeRefused(401, "revoked", code="token_revoked", retry_after=None),
}


@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED)
async def test_without_a_token_that_is_good_an_agent_keeps_quiet_until_there_is_one(
    answer: Answer | AtlasError,
) -> None:
    net = Network(answer, lets_in_and(CUT))

    def put() -> None:
        net.in_file = "new"

    asyncio.get_running_loop().call_later(3_600.0, put)
    await net.agent.run()
    assert net.shown[:2] == ["token", "new"]
    assert 3_600.0 <= net.tries[1] - net.tries[0] <= 3_602.0
    first, *_ = net.log.at("warning")
    assert "atlas tokens create" in first
    assert first.endswith("The agent waits, and comes back by itself then.")
    assert len([line for line in net.log.at("warning") if "waits" in line]) == 1


async def test_who_was_let_in_once_waits_whatever_is_wrong_with_the_token() -> None:
    unknown = HandshakeRefused(401, "signed with a key that is not known", code="token_unknown_key", retry_after=None)
    net = Network(lets_in_and(CUT), unknown)
    asyncio.get_running_loop().call_later(60.0, lambda: net.agent.finish())
    assert await net.agent.run() is None
    assert len(net.tries) == 2


async def test_an_agent_that_is_disabled_asks_now_and_then_and_is_back_when_it_is_enabled() -> None:
    disabled = HandshakeRefused(403, "this agent is disabled", code="agent_disabled", retry_after=None)
    closed = closes(Closed(CloseCode.AGENT_DISABLED, encode_reason("agent_disabled")))
    net = Network(closed, *[disabled] * 6, lets_in_and(CUT))
    await net.agent.run()
    assert net.waits[:7] == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert len([line for line in net.log.at("warning") if "have its owner enable it" in line]) == 1


async def test_an_agent_that_waits_ends_when_it_is_told_to() -> None:
    net = Network(closes(Closed(CloseCode.TOKEN_REVOKED)))
    asyncio.get_running_loop().call_later(100.0, lambda: net.agent.finish())
    assert await net.agent.run() is None
    assert len(net.tries) == 1


async def test_of_several_tokens_each_is_tried_before_the_agent_waits() -> None:
    net = Network(closes(Closed(CloseCode.TOKEN_INVALID)), lets_in_and(CUT))
    net.agent._tokens.renew("token", "renewed")
    await net.agent.run()
    assert net.shown[:2] == ["renewed", "token"]
    assert net.waits[0] == 0.2


async def test_of_several_tokens_that_are_refused_it_is_told_what_was_wrong_with_the_one_in_use() -> None:
    expired = HandshakeRefused(401, "the token expired 1 second ago", code="token_expired", retry_after=None)
    net = Network(REFUSED["revoked"], expired)
    net.agent._tokens.renew("token", "renewed")
    asyncio.get_running_loop().call_later(60.0, lambda: net.agent.finish())
    assert await net.agent.run() is None
    assert net.shown == ["renewed", "token"]
    assert "the token has been revoked: going on with the one that came in its place" in net.log.at("info")
    [waits] = net.log.at("warning")
    assert waits.startswith("the token has been revoked: create a new one with ")


async def test_a_refusal_for_now_is_waited_for_as_long_as_was_asked() -> None:
    net = Network(HandshakeRefused(503, "too many connections", code=None, retry_after=5.0))
    await net.agent.run()
    assert net.waits == [5.2]


async def test_a_machine_that_slept_tries_again_without_further_waiting() -> None:
    net = Network(closes(Closed(CloseCode.TOKEN_IN_USE)))
    asyncio.get_running_loop().call_later(3.0, net.agent.slept)
    await net.agent.run()
    assert net.waits == [3.0]


async def test_an_agent_that_ends_closes_its_connection_and_one_without_any_ends_at_once() -> None:
    net = Network(lets_in_and(None))
    loop = asyncio.get_running_loop()
    closing: list[bool] = []
    loop.call_later(1.0, lambda: closing.append(net.agent.finish()))
    assert await net.agent.run() is None
    assert closing == [True]
    assert net.agent.parted
    alone = Network(Unreachable("connection refused"))
    loop.call_later(0.1, lambda: closing.append(alone.agent.finish()))
    assert await alone.agent.run() is None
    assert closing == [True, False]
    assert len(alone.tries) == 1


async def test_time_passes_on_the_connection_there_is() -> None:
    routers: list[RouterEnd] = []

    def answer(router: RouterEnd) -> None:
        routers.append(router)
        router.welcome(token_expires_at=1_500.0)
        asyncio.get_running_loop().call_later(11.0, beat)

    def beat() -> None:
        net.agent.tick()
        net.agent.finish()

    net = Network(answer)
    await net.agent.run()
    assert [message.n for message in routers[0].heard if isinstance(message, Beat)] == [1, 2]
    assert "this token expires in 8 minutes" in net.log.at("warning")[0]


def renewing(*answers: Renewal) -> tuple[Answer, list[float]]:
    """Answer each time that the agent asks for a token, on one connection; return when it did, too."""
    asked: list[float] = []
    loop = asyncio.get_running_loop()

    def answer(router: RouterEnd) -> None:
        left = list(answers)

        def look() -> None:
            if any(isinstance(one, Beat) for one in router.heard):
                router.answer()
            for message in [one for one in router.heard if isinstance(one, Renewal)]:
                router.heard.remove(message)
                asked.append(loop.time())
                if left:
                    router.say(left.pop(0))
            loop.call_later(1.0, look)

        router.welcome(now=0.0, token_expires_at=30.0, token_renewable=True)
        look()

    return answer, asked


async def ticking(net: Network, seconds: float) -> None:
    for _ in range(round(seconds)):
        net.agent.tick()
        await asyncio.sleep(1.0)
    net.agent.finish()


async def test_a_token_is_renewed_on_the_connection_again_and_again() -> None:
    second, third = (token(jti, lineage=lineage_name("token")) for jti in ("second", "third"))
    answer, asked = renewing(Renewal(second, 60.0, renewable=True), Renewal(third, 90.0, renewable=True))
    net = Network(answer)
    await asyncio.gather(net.agent.run(), ticking(net, 70.0))
    assert [round(at) for at in asked] == [24, 52]
    assert net.tries == [0.0]
    assert net.agent._tokens.current() == third
    renewed = [line for line in net.log.at("info") if "the token was renewed" in line]
    assert len(renewed) == 2
    assert not net.log.at("warning")


async def test_one_that_can_not_be_renewed_yet_is_asked_for_again_and_that_is_said_once() -> None:
    later = Renewal(refused=Fault("internal", "the store is away"), retry_after=2.0)
    answer, asked = renewing(later, later, Renewal("second", 60.0, renewable=True))
    net = Network(answer)
    await asyncio.gather(net.agent.run(), ticking(net, 30.0))
    assert len(asked) == 3
    assert net.log.at("warning") == ["the token could not be renewed yet: the store is away; trying again"]


async def test_one_that_is_not_renewed_is_told_with_when_it_expires() -> None:
    answer, asked = renewing(Renewal(refused=Fault("token_lineage_over", "a person has to rotate it")))
    net = Network(answer)
    await asyncio.gather(net.agent.run(), ticking(net, 28.0))
    assert len(asked) == 1
    first, second = net.log.at("warning")
    assert first == "the token is not renewed: a person has to rotate it"
    assert "expires in less than a minute" in second


def replaced(router: RouterEnd) -> None:
    """Answer with a welcome, and that another token was made in the place of this one."""
    router.welcome(now=0.0, token_expires_at=90_000.0, token_renewable=True)
    router.say(Renewal(expires_at=30.0, refused=Fault("token_rotated", "another token was made")))


async def test_who_is_told_that_its_token_was_replaced_warns_while_the_next_one_is_not_there() -> None:
    net = Network(replaced)
    await asyncio.gather(net.agent.run(), ticking(net, 3.0))
    assert "another token was made in the place of this one, which ends 1970-01-01 00:00 UTC" in net.log.at("info")
    (line,) = net.log.at("warning")
    assert "expires in less than a minute" in line
    assert "put the one that was made in its place into .env" in line


async def test_who_finds_the_token_that_was_made_in_the_place_of_its_own_goes_on_with_it_at_once() -> None:
    first = token("tok_1")
    second = token("tok_2", lineage="tok_1")

    def put_beside(router: RouterEnd) -> None:
        replaced(router)
        net.in_file = second

    net = Network(put_beside, replaced)
    net.in_file = first
    await asyncio.gather(net.agent.run(), ticking(net, 3.0))
    assert net.shown == [first, second]
    assert net.waits == [1.2]
    assert [line for line in net.log.at("info") if "going on with the token" in line]
    assert not [line for line in net.log.at("warning") if "lost" in line or "going on" in line], "it was meant to be"


async def test_a_mistake_of_our_own_is_logged_and_costs_one_connection() -> None:
    net = Network(closes(Closed(1011, ours=True, why="internal error (KeyError)", bug=KeyError("x"))))
    await net.agent.run()
    assert len(net.log.at("error")) == 1
    assert len(net.tries) == 2
