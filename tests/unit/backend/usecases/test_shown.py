"""What the network has, as callers are shown it: no secrets, no payloads in lists, and times of every calendar."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec import Raw
from msgspec.structs import replace

from agentic_atlas.backend.domain.questions import TaskQuestion
from agentic_atlas.backend.domain.records import (
    AccessLevel,
    AgentRecord,
    ApiKey,
    Instance,
    Role,
    TaskFailure,
    Token,
    Usage,
    User,
)
from agentic_atlas.backend.engine.logins import Login
from agentic_atlas.backend.ports import MOST_MESSAGE
from agentic_atlas.backend.usecases import shown
from agentic_atlas.protocol.caller.agents import HeldTask
from agentic_atlas.protocol.inside.messages import Heard, InstanceRef
from agentic_atlas.protocol.tasks import Holdup, TaskState
from tests.unit.backend.domain.examples import running, task

AGENT = AgentRecord("agt_1", "usr_1", "ada", "hello", 100.0, last_seen_at=150.0)
TOKEN = Token("tok_1", "agt_1", "box", 100.0, 200.0)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [(0.5, at(0.5)), (-1.0, at(0.0)), (1e300, datetime(9999, 12, 31, tzinfo=UTC)), (float("inf"), shown.moment(1e300))],
)
def test_a_time_that_no_calendar_has_is_the_nearest_that_it_has(seconds: float, moment: datetime) -> None:
    assert shown.moment(seconds) == moment
    assert (shown.maybe(seconds), shown.maybe(None)) == (moment, None)


def test_a_task_is_shown_in_full_and_in_lists_without_its_payloads() -> None:
    failure = TaskFailure("handler_error", "x" * (MOST_MESSAGE + 1), b'{"at":1}')
    ended = replace(running(input=b'{"n":1}'), state=TaskState.FAILED, error=failure, ended_at=109.0, output=b"12")
    full, summary = shown.task_info(ended, "a note"), shown.summary_of(ended)
    assert (bytes(full.input), full.note) == (b'{"n":1}', "a note")
    assert full.output is not None
    assert bytes(full.output) == b"12"
    assert (summary.input_bytes, summary.output_bytes, summary.state) == (7, 2, "failed")
    assert full.error is not None
    assert summary.error is not None
    assert (len(full.error.message), bytes(full.error.detail)) == (MOST_MESSAGE + 1, b'{"at":1}')
    assert (len(summary.error.message), bytes(summary.error.detail)) == (MOST_MESSAGE, b"null")
    assert (summary.ended_at, summary.deadline, summary.trace_id) == (at(109.0), None, ended.trace_id)
    assert not hasattr(summary, "input")


def test_a_task_without_an_output_is_not_one_whose_output_is_null() -> None:
    none, null = shown.task_info(task()), shown.task_info(task(output=b"null"))
    assert (none.output, none.output_bytes) == (None, None)
    assert null.output is not None
    assert (bytes(null.output), null.output_bytes) == (b"null", 4)


def test_only_a_task_that_waits_says_until_when() -> None:
    assert shown.summary_of(task(queue_expires_at=200.0)).waits_until == at(200.0)
    assert shown.summary_of(running(queue_expires_at=200.0)).waits_until is None


def test_a_cancel_that_is_not_answered_yet_is_told() -> None:
    assert not shown.summary_of(running()).cancel_requested
    assert shown.summary_of(replace(running(), cancel_reason="")).cancel_requested


def test_a_question_says_what_became_of_it() -> None:
    asked = TaskQuestion(1, "Sure?", 100.0, Raw(b'{"type":"boolean"}'), expires_at=160.0)
    opened = shown.question_info(asked)
    assert (opened.state, opened.open, opened.expires_at, opened.answered_by) == ("open", True, at(160.0), None)
    answered = shown.question_info(replace(asked, answer=Raw(b"true"), settled_at=120.0, answered_by="ada"))
    assert (answered.state, bytes(answered.answer), answered.answered_by) == ("answered", b"true", "ada")
    assert shown.question_info(replace(asked, expired=True, settled_at=160.0)).state == "expired"


@pytest.mark.parametrize(
    ("agent", "online", "status"),
    [(AGENT, 0, "offline"), (AGENT, 1, "online"), (replace(AGENT, disabled_at=120.0), 1, "disabled")],
)
def test_an_agents_status_is_one_of_three(agent: AgentRecord, online: int, status: str) -> None:
    usage = [Usage("ins_1", 1, 2, draining=False, silent=0.0, holdup=None)] * 2
    summary = shown.agent_summary(agent, usage, online, 3, None, AccessLevel.CALL)
    assert (summary.status, summary.disabled, summary.access) == (status, status == "disabled", "call")
    assert (summary.slots_used, summary.slots, summary.tasks_waiting) == (2, 4, 3)


def test_an_agent_was_seen_when_it_was_heard_last_or_as_stored() -> None:
    assert shown.agent_summary(AGENT, [], 0, 0, 180.0, AccessLevel.OWN).last_seen_at == at(180.0)
    assert shown.agent_summary(AGENT, [], 0, 0, None, AccessLevel.OWN).last_seen_at == at(150.0)
    assert shown.agent_summary(replace(AGENT, last_seen_at=None), [], 0, 0, None, AccessLevel.OWN).last_seen_at is None


def test_an_instance_is_online_until_it_has_left() -> None:
    there = Instance("ins_1", "agt_1", "tok_1", 1, 100.0, pid=7)
    here = shown.agent_instance(there, Usage("ins_1", 2, 4), None, {})
    assert (here.online, here.slots_used, here.cpu, here.memory_bytes, here.holdup) == (True, 2, None, None, None)
    left = shown.agent_instance(replace(there, disconnected_at=0.5), None, None, {})
    assert (left.online, left.disconnected_at, left.slots_used) == (False, at(0.5), 0)


def test_an_instance_is_as_its_last_beat_said() -> None:
    there = Instance("ins_1", "agt_1", "tok_1", 1, 100.0, pid=7)
    beat = Heard(InstanceRef("agt_1", "ins_1", 1), lag=1.23456, cpu=12.34, memory=84_000_000)
    runs = [HeldTask(id="tsk_1", skill="say", state="working")]
    here = shown.agent_instance(there, Usage("ins_1", 2, 4, holdup=Holdup.BLOCKED, beat=beat), None, {}, runs)
    assert (here.lag, here.cpu, here.memory_bytes, here.holdup) == (1.235, 12.3, 84_000_000, "blocked")
    assert here.tasks == tuple(runs)


@pytest.mark.parametrize(
    ("token", "now", "status"),
    [(TOKEN, 199.0, "active"), (TOKEN, 200.0, "expired"), (replace(TOKEN, revoked_at=150.0), 300.0, "revoked")],
)
def test_a_tokens_status_is_one_of_three(token: Token, now: float, status: str) -> None:
    assert shown.token_info(token, AGENT, "ada", now).status == status


def test_a_secret_is_shown_once_and_a_digest_never() -> None:
    key = ApiKey("key_1", "usr_1", "laptop", b"\x01\x02digest", 100.0, scopes=("tasks:read",))
    user = User("usr_1", "ada", Role.MEMBER, 100.0)
    assert shown.new_api_key(key, user, "atlas_s").key == "atlas_s"
    assert shown.new_token(TOKEN, AGENT, "ada", 100.0, "ey.s").token == "ey.s"
    for told in (shown.api_key_info(key), shown.token_info(TOKEN, AGENT, "ada", 100.0)):
        assert not [name for name in told.__struct_fields__ if name in ("key", "token", "digest", "secret")]
    assert (shown.api_key_info(key).scopes, shown.user_info(user).disabled) == (("tasks:read",), False)


def test_a_login_is_never_younger_than_now() -> None:
    login = Login("box", "192.0.2.1", 100.0, 700.0, b"device", b"digest")
    assert (shown.login_info(login, 130.0, (), 1.0).age, shown.login_info(login, 90.0, (), 1.0).age) == (30.0, 0.0)
