from __future__ import annotations

import inspect
import threading

import pytest

from agentic_atlas.errors import ConfigurationError, NotFound, TaskError
from agentic_atlas.sdk.client.asynchronous import AsyncClient, TaskRequest
from agentic_atlas.sdk.client.blocking import BlockingTask, Client
from agentic_atlas.sdk.client.task import TaskHandle
from tests.integration.client.client_server import KEY, Answer, error, events, in_order, serving
from tests.integration.client.test_client_task import END, event

DONE = Answer({"id": "t1", "state": "completed", "output": "Hello!"})
WORKING = Answer({"id": "t1", "state": "working"})


def test_calls_tasks_and_events_work_without_a_loop() -> None:
    answers = in_order(DONE, WORKING, events(event(1) + event(2) + END), DONE)
    with serving(answers) as server, Client(server.url, api_key=KEY) as atlas:
        assert atlas.call("hello", "greet", name="Ada") == "Hello!"
        task = atlas.submit("hello", "greet", idempotency_key="order-17")
        assert [event.seq for event in task.events()] == [1, 2, 4]
        assert (task.id, task.result()) == ("t1", "Hello!")


def test_errors_are_those_of_the_asynchronous_client() -> None:
    failed = Answer({"id": "t1", "state": "failed", "error": {"code": "handler_error", "message": "no"}})
    with serving(in_order(failed, error(404, "agent_not_found"))) as server, Client(server.url, api_key=KEY) as atlas:
        with pytest.raises(TaskError, match="no"):
            atlas.call("hello", "greet")
        with pytest.raises(NotFound):
            atlas.agent("nobody")


def test_a_batch_and_a_list_come_as_blocking_things_too() -> None:
    page = Answer({"items": [{"id": "t1", "state": "failed"}, {"id": "t2", "state": "failed"}], "next": "more"})
    batch = Answer({"results": [{"task": {"id": "t9", "state": "submitted"}}]})
    with serving(in_order(batch, page)) as server, Client(server.url, api_key=KEY) as atlas:
        (made,) = atlas.batch([TaskRequest(agent="a", skill="b")])
        assert isinstance(made, BlockingTask)
        assert next(atlas.tasks(state="failed")).id == "t1"


def test_threads_can_share_a_client() -> None:
    with serving(lambda asked: DONE) as server, Client(server.url, api_key=KEY) as atlas:
        outputs: list[object] = []
        threads = [threading.Thread(target=lambda: outputs.append(atlas.call("a", "b"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert outputs == ["Hello!"] * 8


def test_a_closed_client_says_so_and_its_thread_is_gone() -> None:
    before = threading.active_count()
    client = Client("http://127.0.0.1:9", api_key=KEY)
    client.close()
    client.close()
    assert threading.active_count() == before
    with pytest.raises(ConfigurationError, match="closed"):
        client.whoami()


@pytest.mark.parametrize(("blocking", "asynchronous"), [(Client, AsyncClient), (BlockingTask, TaskHandle)])
def test_the_facade_has_every_method_of_the_client(blocking: type, asynchronous: type) -> None:
    def public(kind: type) -> set[str]:
        return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}

    assert public(asynchronous) - public(blocking) - {"aclose", "base_url", "wait"} == set()
