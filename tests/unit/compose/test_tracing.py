from http import HTTPStatus

from agentic_atlas.compose.tracing import traced
from agentic_atlas.http.messages import Answered, Request, Response
from tests.unit.observe.test_frames import Bound
from tests.unit.sdk.link.test_trace import Quiet

TASK = "tsk_01KB4W1Q2Z8YV5R6T7S9X0ABCD"
SECRET = "hunter2"


def request(path: str) -> Request:
    return Request("POST", path, f"key={SECRET}", {"authorization": [SECRET]})


async def test_a_request_is_told_of_when_it_comes_and_when_it_is_answered_with_the_task_it_made() -> None:
    log, times = Bound(), iter((1.0, 1.25))

    async def answer(_: Request) -> Answered:
        return Response(HTTPStatus.CREATED, [("location", f"/api/v1/tasks/{TASK}")], SECRET.encode())

    response = await traced(answer, lambda: next(times), log)(request("/api/v1/agents/a/b/skills/c/tasks"))
    assert response.status == 201
    (_, came, first), (_, answered, second) = log.lines
    assert (came, "task" in first) == ("request_came", False)
    assert (answered, second["task"], second["status"], second["took"]) == ("request_answered", TASK, 201, 0.25)
    assert SECRET not in str(log.lines)


async def test_a_request_about_a_task_is_told_of_with_it() -> None:
    log = Bound()

    async def answer(_: Request) -> Answered:
        return Response(HTTPStatus.OK)

    await traced(answer, lambda: 0.0, log)(request(f"/api/v1/tasks/{TASK}/cancel"))
    assert [fields["task"] for _, _, fields in log.lines] == [TASK, TASK]


def test_at_any_other_level_nothing_is_wrapped() -> None:
    async def answer(_: Request) -> Answered:
        raise NotImplementedError

    assert traced(answer, lambda: 0.0, Quiet()) is answer
