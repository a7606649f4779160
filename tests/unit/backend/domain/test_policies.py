from __future__ import annotations

import pytest

from agentic_atlas.backend.domain.policies import effective
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.caller.tasks import TaskOptions
from agentic_atlas.protocol.messages import Delivery, Policy

ONCE = Policy(delivery=Delivery.AT_MOST_ONCE)


def test_a_caller_who_asks_for_nothing_gets_the_policy_of_the_skill() -> None:
    policy = Policy(max_attempts=5, retries=2, backoff=0.5, timeout=60.0)
    assert effective(policy, TaskOptions()) == policy


def test_what_a_caller_asks_for_takes_the_place_of_what_the_skill_says() -> None:
    given = effective(Policy(retries=2, timeout=60.0), TaskOptions(max_attempts=1, retries=0, timeout=5.0))
    assert given == Policy(max_attempts=1, retries=0, timeout=5.0)


def test_a_caller_may_be_stricter_than_the_skill() -> None:
    given = effective(Policy(retries=2), TaskOptions(delivery="at_most_once"))
    assert given.delivery is Delivery.AT_MOST_ONCE
    assert given.retries == 0


@pytest.mark.parametrize("asked", [TaskOptions(delivery="at_least_once"), TaskOptions(retries=1)])
def test_a_caller_cannot_have_a_skill_run_twice_that_must_not(asked: TaskOptions) -> None:
    with pytest.raises(InvalidInput) as refused:
        effective(ONCE, asked)
    assert refused.value.code == "unsafe_policy"
