"""Answers to questions: which question, which answers, and once."""

from __future__ import annotations

from functools import partial

import pytest
from msgspec import Raw

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.records import CallerRef, Task
from agentic_atlas.backend.engine import questions
from agentic_atlas.backend.engine.engine import EngineSettings
from agentic_atlas.errors import AtlasError, Conflict, InvalidInput, PayloadTooLarge
from agentic_atlas.protocol.messages import Answer, Limits, Question
from agentic_atlas.protocol.tasks import TaskState
from tests.unit.backend.network import NOW, Network

BY = CallerRef("api_key", "key_1", "usr_1", "ada/laptop")
YES_OR_NO = Raw(b'{"type":"boolean"}')


async def asked(*asks: Question, settings: EngineSettings | None = None) -> tuple[Network, Task]:
    network = Network(settings)
    ada = await network.user()
    return network, await network.asking(ada, await network.agent(ada), *asks)


async def answer(network: Network, task: Task, value: bytes, number: int | None = None) -> Task:
    return await questions.answer(network.engine, network.now(task.id), value, number, by=BY)


async def refused(kind: type[AtlasError], network: Network, task: Task, value: bytes, number: int | None = None) -> str:
    with pytest.raises(kind) as caught:
        await answer(network, task, value, number)
    return caught.value.code


async def test_without_a_number_the_oldest_open_question_is_answered_and_its_agent_is_told() -> None:
    network, task = await asked(Question(1, "First?"), Question(2, "Second?"))
    assert task.state is TaskState.INPUT_REQUIRED
    first = await answer(network, task, b'"one"')
    assert first.state is TaskState.INPUT_REQUIRED
    second = await answer(network, task, b'"two"')
    assert second.state is TaskState.WORKING
    told = [(one.reaction.question, bytes(one.reaction.data)) for one in network.router.all(Answer)]
    assert told == [(1, b'"one"'), (2, b'"two"')]
    assert {one.answered_by for one in second.dialogue.questions} == {BY.name}


async def test_a_number_names_its_question() -> None:
    network, task = await asked(Question(1, "First?"), Question(2, "Second?"))
    changed = await answer(network, task, b"2", 2)
    assert [one.number for one in changed.dialogue.open] == [1]
    assert await refused(Conflict, network, task, b"3", 3) == "no_open_question"


async def test_the_same_answer_again_changes_nothing_and_another_one_comes_too_late() -> None:
    network, task = await asked()
    changed = await answer(network, task, b"true", 1)
    assert await answer(network, task, b"true", 1) == changed
    assert await refused(Conflict, network, task, b"false", 1) == "no_open_question"
    assert await refused(Conflict, network, task, b"true") == "no_open_question"
    assert len(network.router.all(Answer)) == 1


async def test_of_two_answers_at_once_one_counts_and_the_other_is_told_so() -> None:
    network, task = await asked()
    seen = network.now(task.id)
    await questions.answer(network.engine, seen, b'"a"', 1, by=BY)
    with pytest.raises(Conflict) as late:
        await questions.answer(network.engine, seen, b'"b"', 1, by=BY)
    assert late.value.code == "no_open_question"
    assert bytes(network.now(task.id).dialogue.questions[0].answer) == b'"a"'


async def test_null_is_an_answer_and_no_answer_in_time_is_not_that_one() -> None:
    network, task = await asked(Question(1, "Sure?", timeout=5.0))
    network.clock.now = NOW + 5
    await network.engine.dispatcher.change(task.id, partial(lifecycle.expire_question, now=NOW + 5))
    assert network.now(task.id).dialogue.questions[0].expired
    assert await refused(Conflict, network, task, b"null", 1) == "no_open_question"


async def test_an_answer_that_does_not_fit_leaves_the_question_open() -> None:
    network, task = await asked(Question(1, "Sure?", YES_OR_NO))
    with pytest.raises(InvalidInput, match="the answer does not fit question 1"):
        await answer(network, task, b'"perhaps"')
    assert network.now(task.id).dialogue.open
    assert (await answer(network, task, b"true")).state is TaskState.WORKING


@pytest.mark.parametrize("value", [b"", b"{", b"tru", b"1 2", b"NaN", b"[" * 200 + b"]" * 200, b"1e999", b"9" * 5_000])
async def test_what_no_reader_could_take_is_no_answer(value: bytes) -> None:
    network, task = await asked()
    await refused(InvalidInput, network, task, value)
    assert network.now(task.id).dialogue.open


async def test_an_answer_may_be_as_deep_as_the_message_that_brings_it_leaves_room() -> None:
    network, task = await asked(Question(1, "a"), Question(2, "b"), settings=EngineSettings(messages=Limits(depth=8)))
    await refused(InvalidInput, network, task, b"[" * 6 + b"]" * 6)
    await answer(network, task, b"[" * 5 + b"]" * 5)


async def test_the_answers_of_one_task_are_bounded_together() -> None:
    limits = Limits(payload_bytes=4 * 1_000)
    network, task = await asked(Question(1, "a"), Question(2, "b"), settings=EngineSettings(messages=limits))
    await refused(PayloadTooLarge, network, task, b'"%s"' % (b"x" * 999))
    await answer(network, task, b'"%s"' % (b"x" * 500))
    await refused(PayloadTooLarge, network, task, b'"%s"' % (b"x" * 498))
    assert (await answer(network, task, b'"%s"' % (b"x" * 300))).state is TaskState.WORKING


async def test_a_task_that_asks_nothing_or_has_ended_takes_no_answer() -> None:
    network, task = await asked()
    ended = await network.ends(task)
    assert ended.terminal
    assert await refused(Conflict, network, task, b"1", 1) == "no_open_question"
