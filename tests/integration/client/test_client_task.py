from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agentic_atlas.errors import AtlasError, Conflict, InvalidInput, NotFound, TaskError, Unauthenticated, Unavailable
from agentic_atlas.protocol.caller.tasks import QuestionInfo, TaskInfo
from agentic_atlas.sdk.client.errors import NotFinished, UnexpectedAnswer
from agentic_atlas.sdk.client.http import WAITING_PATIENCE, Http, Sources
from agentic_atlas.sdk.client.task import TaskHandle
from tests import shown
from tests.integration.client.client_server import Answer, Asked, Server, Time, error, events, in_order, serving


def task(state: str = "working", **more: object) -> Answer:
    return Answer(shown.answer(TaskInfo, id="t1", state=state, **more))


def event(seq: int, kind: str = "chunk", **data: object) -> str:
    body = json.dumps({"seq": seq, "at": "2026-11-22T19:29:08.123Z", "kind": kind, "attempt": 1, "data": data})
    return f"id: {seq}\nevent: {kind}\ndata: {body}\n\n"


END = event(4, "state", state="completed")
CUT = Answer(cut=True)


async def with_task(
    answer: Callable[[Asked], Answer],
    work: Callable[[TaskHandle], Awaitable[Any]],
    state: str = "submitted",
    patience: float = 0.0,
) -> tuple[Server, Time, Any]:
    """Do something with a task; return what the server saw, the time it took, and the outcome or the error."""
    time = Time()
    with serving(answer) as server:
        sources = Sources(clock=time.clock, sleep=time.sleep, chance=lambda: 0.0)
        http = Http(server.address, timeout=5.0, patience=patience, sources=sources)
        try:
            return server, time, await work(TaskHandle(http, shown.filled(TaskInfo, id="t1", state=state)))
        except AtlasError as error:
            return server, time, error
        finally:
            await http.aclose()


async def sequence(handle: TaskHandle) -> list[int]:
    return [event.seq async for event in handle.events()]


async def test_a_result_is_waited_for_in_long_requests() -> None:
    server, _, output = await with_task(in_order(task(), task("completed", output={"n": 1})), lambda t: t.result())
    assert output == {"n": 1}
    assert [asked.query for asked in server.asked] == [{"wait": "30.0"}] * 2


async def test_a_server_that_does_not_wait_is_not_asked_without_a_break() -> None:
    _, time, output = await with_task(in_order(*[task()] * 3, task("completed", output=1)), lambda t: t.result())
    assert (output, time.slept) == (1, [0.5] * 3)


@pytest.mark.parametrize("state", ["failed", "canceled", "rejected"])
async def test_a_task_without_an_output_is_an_error_with_its_own_code(state: str) -> None:
    fault = {"code": "handler_error", "message": "division by zero", "detail": {"line": 3}}
    _, _, caught = await with_task(in_order(task(state, error=fault)), lambda t: t.result())
    assert isinstance(caught, TaskError)
    assert (caught.code, caught.message, caught.state) == ("handler_error", "division by zero", state)
    assert (caught.task_id, caught.detail) == ("t1", {"line": 3})


async def test_a_task_that_ended_without_saying_why_is_an_error_too() -> None:
    _, _, caught = await with_task(in_order(), lambda t: t.result(), state="canceled")
    assert isinstance(caught, TaskError)
    assert caught.code == "canceled"


async def test_a_wait_that_is_over_leaves_the_task_alone() -> None:
    server, _, caught = await with_task(lambda asked: task(), lambda t: t.result(timeout=1.2))
    assert isinstance(caught, NotFinished)
    assert caught.message == "task t1 was not done after 1.2 s; it goes on"
    assert set(server.paths()) == {"GET /api/v1/tasks/t1"}


async def test_a_wait_that_is_over_tells_of_the_question_that_nobody_has_answered() -> None:
    question = shown.answer(QuestionInfo, number=1, question="Sure?", state="open")
    asks = task("input_required", questions=[question])
    _, _, caught = await with_task(lambda asked: asks, lambda t: t.result(timeout=1.2))
    assert isinstance(caught, NotFinished)
    assert (
        caught.message == "task t1 was not done after 1.2 s; it goes on, and waits for an answer to question 1: Sure?"
    )


async def test_a_wait_outlives_a_server_that_is_away_for_a_while() -> None:
    _, time, output = await with_task(in_order(*[CUT] * 10, task("completed", output=1)), lambda t: t.result())
    assert output == 1
    assert 10 < sum(time.slept) < WAITING_PATIENCE


async def test_events_come_in_order_until_the_task_is_done() -> None:
    text = ": keep-alive\n\n" + event(1) + event(2, "progress", fraction=0.5) + event(3, "log") + END + event(9)
    server, _, seen = await with_task(in_order(events(text)), sequence)
    assert seen == [1, 2, 3, 4]
    assert server.asked[0].headers["accept"] == "text/event-stream"
    assert "last-event-id" not in server.asked[0].headers


async def test_events_are_taken_up_again_where_the_connection_was_lost() -> None:
    server, _, seen = await with_task(
        in_order(
            events(event(1) + event(2) + event(3)[:-5], cut=True),
            CUT,
            error(503, "unavailable", Retry_After="1"),
            events(event(2) + event(3), cut=True),
            events(END),
        ),
        sequence,
    )
    assert seen == [1, 2, 3, 4]
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None, "2", "2", "2", "3"]


async def test_who_is_refused_in_the_middle_of_the_events_is_told_so_and_does_not_come_back() -> None:
    refused = 'event: refused\ndata: {"error":{"code":"key_invalid","message":"no","detail":null}}\n\n'
    server, _, caught = await with_task(in_order(events(event(1) + refused)), sequence)
    assert isinstance(caught, Unauthenticated)
    assert caught.code == "key_invalid"
    assert len(server.asked) == 1


async def test_events_begin_after_those_already_seen() -> None:
    async def late(handle: TaskHandle) -> list[int]:
        return [event.seq async for event in handle.events(after=3)]

    server, _, seen = await with_task(in_order(events(END)), late)
    assert seen == [4]
    assert server.asked[0].headers["last-event-id"] == "3"


async def test_a_stream_that_is_over_by_the_standard_is_taken_up_no_more() -> None:
    over = Answer(status=204)
    server, _, seen = await with_task(
        in_order(events(event(1), cut=True), over, task("completed", last_seq=1)), sequence
    )
    assert seen == [1]
    assert server.paths() == ["GET /api/v1/tasks/t1/events"] * 2 + ["GET /api/v1/tasks/t1"]


async def test_a_task_that_is_done_and_seen_to_its_end_has_no_more_events() -> None:
    server, _, seen = await with_task(in_order(events(""), task("completed", last_seq=0)), sequence)
    assert seen == []
    assert len(server.asked) == 2


async def test_events_that_stop_before_the_task_does_are_asked_for_again() -> None:
    _server, _, seen = await with_task(
        in_order(events(event(1)), task("working", last_seq=1), events(""), task("completed", last_seq=4), events(END)),
        sequence,
    )
    assert seen == [1, 4]


async def test_a_server_that_stays_away_ends_the_events_with_an_error() -> None:
    _, time, caught = await with_task(lambda asked: CUT, sequence)
    assert isinstance(caught, Unavailable)
    assert "goes on there: ask for it later, do not submit it again" in caught.message
    assert 0.9 * WAITING_PATIENCE < sum(time.slept) <= WAITING_PATIENCE


async def test_a_server_that_stays_away_ends_a_wait_with_the_task_that_goes_on() -> None:
    async def result(handle: TaskHandle) -> object:
        return await handle.result()

    _, _, caught = await with_task(lambda asked: CUT, result)
    assert isinstance(caught, Unavailable)
    assert "goes on there: ask for it later, do not submit it again" in caught.message
    assert list(caught.detail) == ["task_id"]  # type: ignore[call-overload]


async def test_a_long_silence_before_a_cut_does_not_use_up_patience() -> None:
    time_passes = 10 * WAITING_PATIENCE

    async def slow(handle: TaskHandle) -> list[int]:
        seen = []
        async for event in handle.events():
            seen.append(event.seq)
            handle._api.sources.clock.__self__.now += time_passes  # type: ignore[attr-defined]
        return seen

    _, _, seen = await with_task(in_order(events(event(1), cut=True), CUT, events(END)), slow)
    assert seen == [1, 4]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(404, "task_not_found"), NotFound),
        (Answer(b"<html>", headers={"Content-Type": "text/html"}), UnexpectedAnswer),
        (events("data: {\n\n"), UnexpectedAnswer),
    ],
)
async def test_events_that_can_never_come_are_not_waited_for(answer: Answer, kind: type[AtlasError]) -> None:
    server, _, caught = await with_task(in_order(answer), sequence)
    assert type(caught) is kind
    assert len(server.asked) == 1


async def test_leaving_the_events_early_leaves_nothing_open() -> None:
    async def first(handle: TaskHandle) -> int:
        stream = handle.events()
        async for event in stream:
            await stream.aclose()
            return event.seq
        return 0

    assert (await with_task(in_order(events(event(1) + event(2), cut=True)), first))[2] == 1


async def test_cancel_says_why_and_retry_is_a_new_task() -> None:
    async def both(handle: TaskHandle) -> tuple[str, str | None]:
        again = await (await handle_cancel(handle)).retry()
        return again.id, again.info.retry_of

    async def handle_cancel(handle: TaskHandle) -> TaskHandle:
        assert (await handle.cancel("too late")).cancel_requested
        return handle

    new = Answer(shown.answer(TaskInfo, id="t2", state="submitted", retry_of="t1"), status=201)
    server, _, outcome = await with_task(in_order(task(cancel_requested=True), new), both)
    assert outcome == ("t2", "t1")
    assert server.paths() == ["POST /api/v1/tasks/t1/cancel", "POST /api/v1/tasks/t1/retry"]
    assert server.asked[0].body == {"reason": "too late"}


def asking(*states: str) -> Answer:
    questions = [shown.answer(QuestionInfo, number=n, state=state) for n, state in enumerate(states, 1)]
    return task("input_required", questions=questions)


async def test_an_answer_names_its_question_so_that_sending_it_twice_is_answering_once() -> None:
    async def answer(handle: TaskHandle) -> str:
        return (await handle.answer({"size": 3})).state

    answers = in_order(asking("answered", "open", "open"), CUT, task("working"))
    server, _, state = await with_task(answers, answer, patience=5.0)
    assert state == "working"
    assert server.paths() == ["GET /api/v1/tasks/t1", *["POST /api/v1/tasks/t1/input"] * 2]
    assert [request.body for request in server.asked[1:]] == [{"answer": {"size": 3}, "question": 2}] * 2


async def test_where_no_question_is_open_nothing_is_sent() -> None:
    server, _, caught = await with_task(in_order(asking("answered", "expired")), lambda handle: handle.answer(1))
    assert isinstance(caught, Conflict)
    assert caught.code == "no_open_question"
    assert len(server.asked) == 1


async def test_an_answer_that_is_refused_is_an_error() -> None:
    refused = error(422, "invalid_input", "the answer does not fit question 3")
    server, _, caught = await with_task(in_order(refused), lambda handle: handle.answer(1, question=3))
    assert isinstance(caught, InvalidInput)
    assert server.asked[0].body == {"answer": 1, "question": 3}
