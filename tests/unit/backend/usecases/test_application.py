"""What a door holds of the backend, and that no use case begins before the right to it was looked at."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.domain.people import BrowserSession
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents, keys, sessions, tasks, tokens, users
from agentic_atlas.backend.usecases.application import USE_CASES, use_case
from agentic_atlas.errors import Forbidden, InvalidInput, NotFound, Unauthenticated, Unavailable
from agentic_atlas.protocol.caller.tasks import SubmitRequest
from tests.unit.backend.network import NOW, Network, as_agent


async def test_a_door_learns_who_somebody_is_and_what_time_it_is() -> None:
    network = Network()
    with pytest.raises(Unauthenticated):
        await network.application.authenticate("atlas_none")
    with pytest.raises(Unauthenticated):
        await network.application.authenticate(None)
    assert network.application.now() == NOW


async def test_a_door_learns_who_somebody_is_by_now() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    session = BrowserSession("ses_1", eve.user.id, b"eve's", used_at=NOW)
    await network.store.sessions.add(session)
    agents_own, in_browser = as_agent(ada, await network.agent(ada)), Principal(eve.user, session, eve.scopes)
    for who in (ada, in_browser, agents_own):
        assert await network.application.again(who) == who
    await network.engine.people.end(user_id=eve.user.id)
    await keys.revoke(ada, network.application, ada.credential.id)
    for who, code in ((ada, "key_invalid"), (in_browser, "session_invalid")):
        with pytest.raises(Unauthenticated) as refused:
            await network.application.again(who)
        assert refused.value.code == code


def test_a_function_without_a_right_is_no_use_case() -> None:
    async def anything(who: Principal, engine: Engine) -> None: ...

    with pytest.raises(KeyError, match="anything"):
        use_case(anything)
    assert not [name for name in USE_CASES if name.endswith(".anything")]


async def test_a_use_case_is_refused_before_it_begins() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    nobody: Principal | None = None
    with pytest.raises(Unauthenticated):
        await users.whoami(nobody, network.application)  # type: ignore[arg-type]
    with pytest.raises(Forbidden):
        await users.whoami(as_agent(ada, agent), network.application)
    assert await users.whoami(ada, network.application) == ("net_1", ada.credential)


def test_a_use_case_keeps_its_name_and_what_is_said_of_it() -> None:
    assert USE_CASES["users.whoami"] is users.whoami
    told = "Return the id of the network that the principal is known in, and what they have shown, as it is now."
    assert users.whoami.__doc__ == told


async def test_the_audit_log_has_what_was_done_before_it_is_answered_and_what_was_refused() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    agent = await network.agent(ada)
    made = await tokens.issue(ada, network.application, agent.full_name, name="vm", lifetime=60.0)
    with pytest.raises(NotFound):
        await tokens.revoke(eve, network.application, made.id)
    with pytest.raises(InvalidInput):
        await tokens.issue(ada, network.application, agent.full_name, lifetime=-1.0)
    (row,) = await network.store.audit.after(0, limit=10)
    assert (row.action, row.outcome, row.who.name) == ("tokens.issue", "ok", f"ada/{ada.credential.name}")
    assert (row.object.id, row.object.name) == (made.id, "vm")
    assert row.detail == {"agent": agent.full_name, "lifetime": 60.0}
    await network.engine.trail.settle()
    (refused,) = await network.store.audit.after(1, limit=10)
    assert (refused.action, refused.outcome, refused.object.id) == ("tokens.revoke", "token_not_found", made.id)
    assert refused.who.user_id == eve.user.id


async def test_the_audit_log_has_what_was_only_looked_at_or_asked_for_without_the_right_to_it() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    narrow = replace(ada, scopes=("tasks:call:ada/other",))
    ask = SubmitRequest("ada/hello", "greet", b"{}")
    for _ in range(3):
        with pytest.raises(Forbidden):
            await users.find(ada, network.application, limit=1, after=None)
    with pytest.raises(Forbidden):
        await sessions.find_of(ada, network.application, "eve")
    with pytest.raises(Forbidden):
        await tokens.of_agent(narrow, network.application, "ada/hello")
    with pytest.raises(Forbidden):
        await tasks.submit(narrow, network.application, ask)
    (became,) = await tasks.submit_all(narrow, network.application, [replace(ask, skill="wait")])
    assert isinstance(became, Forbidden)
    with pytest.raises(NotFound):
        await agents.show(ada, network.application, "ada/none")
    await network.engine.trail.settle(last=True)
    rows = await network.store.audit.after(0, limit=9)
    assert [(row.action, row.object.kind, row.object.name, row.outcome, dict(row.detail)) for row in rows] == [
        ("users.find", "", "", "forbidden", {}),
        ("sessions.find_of", "user", "eve", "forbidden", {}),
        ("tokens.of_agent", "agent", "ada/hello", "insufficient_scope", {}),
        ("tasks.submit", "skill", "ada/hello/greet", "insufficient_scope", {}),
        ("tasks.submit", "skill", "ada/hello/wait", "insufficient_scope", {}),
        ("users.find", "", "", "forbidden", {"times": 2}),
    ]
    assert {row.who.user_id for row in rows} == {ada.user.id}


async def test_of_a_use_case_that_failed_on_its_way_the_audit_log_says_with_what(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Network()
    ada = await network.user()

    async def away(*_: object) -> None:
        raise Unavailable("no disk", code="store_unavailable")

    monkeypatch.setattr(network.store.agents, "add", away)
    with pytest.raises(Unavailable):
        await agents.create(ada, network.application, "one")
    await network.engine.trail.settle()
    (row,) = await network.store.audit.after(0, limit=10)
    assert (row.action, row.outcome, row.object.name) == ("agents.create", "store_unavailable", "one")
