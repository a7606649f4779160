from __future__ import annotations

from itertools import product

import pytest

from agentic_atlas.protocol.tasks import LEASED, TERMINAL, TRANSITIONS, TaskState, Trigger, after


def test_the_table_has_every_state_and_uses_every_trigger() -> None:
    assert set(TRANSITIONS) == set(TaskState)
    assert {trigger for arrows in TRANSITIONS.values() for trigger in arrows} == set(Trigger)


@pytest.mark.parametrize("state", TaskState)
def test_exactly_the_terminal_states_have_no_arrows(state: TaskState) -> None:
    assert (not TRANSITIONS[state]) == (state in TERMINAL)


@pytest.mark.parametrize(("state", "trigger"), list(product(TaskState, Trigger)))
def test_every_trigger_in_every_state_has_an_answer(state: TaskState, trigger: Trigger) -> None:
    assert after(state, trigger) == TRANSITIONS[state].get(trigger)


def test_every_state_is_reached_from_a_submitted_task() -> None:
    reached = {TaskState.SUBMITTED}
    for _ in TaskState:
        reached |= {goal for state in reached for goal in TRANSITIONS[state].values()}
    assert reached == set(TaskState)


def test_a_terminal_state_is_reached_from_every_other_one() -> None:
    for state in TaskState:
        goals = {state}
        for _ in TaskState:
            goals |= {goal for one in goals for goal in TRANSITIONS[one].values()}
        assert goals & TERMINAL


def test_only_what_an_instance_holds_can_be_lost_or_completed() -> None:
    assert {state for state in TaskState if after(state, Trigger.LOSE)} == LEASED
    assert {state for state in TaskState if after(state, Trigger.COMPLETE)} == LEASED
    assert {state for state in TaskState if after(state, Trigger.CLAIM)} == {TaskState.SUBMITTED}
