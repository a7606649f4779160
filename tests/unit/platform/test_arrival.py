"""How it stands with the agent that is to come with a token."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from agentic_atlas.platform.arrival import arrival, open_problems, problems, whence
from agentic_atlas.protocol.caller.agents import AgentInfo, AgentInstance, RefusedInstance, SecondInstance, TokenInfo


def at(minute: int) -> datetime:
    return datetime(2026, 11, 30, 12, minute, tzinfo=UTC)


TOKEN = TokenInfo(
    id="tok_1",
    agent="ada/books",
    name="",
    status="active",
    issued_at=at(0),
    expires_at=at(59),
    revoked_at=None,
    last_used_at=None,
)
AGENT = AgentInfo(
    name="books",
    owner="ada",
    full_name="ada/books",
    description="",
    created_at=at(0),
    status="offline",
    instances_online=0,
    slots_used=0,
    slots=0,
    tasks_waiting=0,
    disabled=False,
    last_seen_at=None,
    skills=[],
    instances=[],
)


def instance(token_id: str = "tok_1", *, left: datetime | None = None) -> AgentInstance:
    return AgentInstance(
        id="ins_1",
        host="desk",
        pid=1,
        sdk="agentic-atlas/1",
        runtime="CPython",
        code_hash="",
        concurrency=1,
        slots_used=0,
        labels={},
        token_id=token_id,
        opened_at=at(1),
        validated_at=at(1),
        connected_at=at(1),
        disconnected_at=left,
        online=left is None,
    )


def second(minute: int, *, replaced: bool = False, token_id: str = "tok_1") -> SecondInstance:
    return SecondInstance(
        at=at(minute),
        id="ins_2",
        host="cellar",
        address="10.0.0.2",
        token_id=token_id,
        holder="ins_1",
        replaced=replaced,
    )


def refused(minute: int, code: str = "wrong_agent", message: str = "it is for books") -> RefusedInstance:
    return RefusedInstance(at=at(minute), code=code, message=message, host="cellar", address="", token_id="tok_1")


@pytest.mark.parametrize(
    ("token", "agent", "state"),
    [
        ({}, {}, "waiting"),
        ({}, {"instances": [instance()]}, "connected"),
        ({}, {"instances": [instance("tok_other")]}, "waiting"),
        ({}, {"instances": [instance("tok_next")]}, "connected"),
        ({}, {"instances": [instance(left=at(2))]}, "left"),
        ({"status": "revoked"}, {"instances": [instance(left=at(2))]}, "ended"),
        ({"status": "retiring"}, {}, "waiting"),
        ({}, {"disabled": True}, "ended"),
        ({}, {"second_instances": (second(3),)}, "refused"),
        ({}, {"refused_instances": (refused(3),)}, "refused"),
        ({}, {"instances": [instance()], "refused_instances": (refused(3),)}, "connected"),
        ({}, {"second_instances": (second(3, token_id="tok_other"),)}, "waiting"),
        ({}, {"instances": [instance()], "second_instances": (second(3),)}, "connected"),
        # It has come since.
        ({}, {"instances": [instance(left=at(2))], "second_instances": (second(0),)}, "left"),
    ],
)
def test_it_is_told_whether_it_has_come_or_why_not(token: dict[str, Any], agent: dict[str, Any], state: str) -> None:
    found = arrival(replace(TOKEN, **token), replace(AGENT, **agent), ["tok_1", "tok_next"])
    assert found.state == state
    assert found.title
    assert (found.instance is not None) == (state in ("connected", "left"))
    assert (found.problem is not None) == (state == "refused")


def test_each_end_of_a_token_is_told_in_words_of_its_own() -> None:
    ends = [arrival(replace(TOKEN, status=one), AGENT) for one in ("revoked", "rotated", "expired", "withdrawn")]
    assert len({one.title for one in ends}) == 4
    assert {one.state for one in ends} == {"ended"}
    assert arrival(replace(TOKEN, status="another"), AGENT).title == "This token is another"


def test_the_last_problem_comes_first_and_says_what_to_do() -> None:
    found = problems(replace(AGENT, second_instances=(second(2), second(4, replaced=True))))
    assert [one.at for one in found] == [at(4), at(2)]
    assert "took" in found[0].title
    assert all("a token of its own" in one.text for one in found)
    assert found[0].whence == "cellar (10.0.0.2)"
    assert [whence("", "10.0.0.2"), whence("cellar", ""), whence("", "")] == ["10.0.0.2", "cellar", ""]


def test_a_refusal_says_what_was_wrong_and_what_to_do() -> None:
    known, unknown, bare = problems(
        replace(AGENT, refused_instances=(refused(3), refused(2, "invalid_skill", "no"), refused(1, "odd", "")))
    )
    assert known.title == "The code declares another agent"
    assert known.text.startswith("The token is for books. Put a token of the agent that")
    assert (unknown.title, unknown.text) == ("A process was refused", "No.")
    assert bare.text == "The reason is odd."


def test_a_problem_is_open_until_a_process_connects_with_the_token_or_for_a_day() -> None:
    agent = replace(AGENT, refused_instances=(refused(3),))
    assert [one.at for one in open_problems(agent, at(4))] == [at(3)]
    assert open_problems(agent, at(4) + timedelta(days=1)) == []
    assert len(open_problems(replace(agent, instances=[instance()]), at(4))) == 1
    came = replace(instance(), connected_at=at(4))
    assert open_problems(replace(agent, instances=[came, instance(left=at(1))]), at(5)) == []
