"""The client that blocks, and the other one in each loop of its own that a program may have."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import threading
from collections.abc import Callable
from typing import cast, get_type_hints

import pytest

from agentic_atlas.errors import ConfigurationError, NotFound, TaskError
from agentic_atlas.protocol.caller.tasks import TaskInfo, TaskSummary
from agentic_atlas.sdk.client.asynchronous import AsyncClient, AsyncTasks
from agentic_atlas.sdk.client.blocking import BlockingTask, BlockingTasks, Client
from agentic_atlas.sdk.client.task import TaskHandle, TaskRequest
from tests import shown
from tests.integration.client.client_server import KEY, Answer, error, events, in_order, serving
from tests.integration.client.test_client_task import END, event

DONE = Answer(shown.answer(TaskInfo, id="t1", state="completed", output="Hello!"))
WORKING = Answer(shown.answer(TaskInfo, id="t1", state="working"))
FAILED = [shown.answer(TaskSummary, id=id, state="failed") for id in ("t1", "t2")]


def test_calls_tasks_and_events_work_without_a_loop() -> None:
    answers = in_order(DONE, WORKING, events(event(1) + event(2) + END), DONE)
    with serving(answers) as server, Client(server.url, api_key=KEY) as atlas:
        assert atlas.call("hello", "greet", name="Ada") == "Hello!"
        task = atlas.submit("hello", "greet", idempotency_key="order-17")
        assert [event.seq for event in task.events()] == [1, 2, 4]
        assert (task.id, task.result()) == ("t1", "Hello!")


def test_errors_are_those_of_the_asynchronous_client() -> None:
    failed = Answer(shown.answer(TaskInfo, id="t1", state="failed", error={"code": "handler_error", "message": "no"}))
    with serving(in_order(failed, error(404, "agent_not_found"))) as server, Client(server.url, api_key=KEY) as atlas:
        with pytest.raises(TaskError, match="no"):
            atlas.call("hello", "greet")
        with pytest.raises(NotFound):
            atlas.agents.get("nobody")


def test_a_batch_and_a_list_come_as_blocking_things_too() -> None:
    page = Answer({"items": FAILED, "next": "more"})
    batch = Answer({"results": [{"task": shown.answer(TaskSummary, id="t9", state="submitted")}]})
    with serving(in_order(batch, page)) as server, Client(server.url, api_key=KEY) as atlas:
        (made,) = atlas.tasks.batch([TaskRequest(agent="a", skill="b")])
        assert isinstance(made, BlockingTask)
        assert next(atlas.tasks.list(state="failed")).id == "t1"


def test_threads_can_share_a_client() -> None:
    with serving(lambda asked: DONE) as server, Client(server.url, api_key=KEY) as atlas:
        outputs: list[object] = []
        threads = [threading.Thread(target=lambda: outputs.append(atlas.call("a", "b"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert outputs == ["Hello!"] * 8


def in_a_child(work: Callable[[], object]) -> int:
    """Do something in a copy of this process, and return its exit code: 0 when it was done within 10 s."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        signal.alarm(10)
        work()
        code = 0
    finally:
        os._exit(code)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_client_made_before_a_fork_works_in_the_child_and_on_in_its_parent() -> None:
    with serving(lambda asked: DONE) as server, Client(server.url, api_key=KEY) as atlas:
        assert atlas.call("a", "b") == "Hello!"

        def use_and_close() -> None:
            assert atlas.call("a", "b") == "Hello!"
            atlas.close()

        assert in_a_child(use_and_close) == 0
        assert in_a_child(atlas.close) == 0
        assert atlas.call("a", "b") == "Hello!"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_what_was_begun_before_a_fork_is_not_gone_on_with_in_the_child() -> None:
    page = Answer({"items": FAILED, "next": None})
    with serving(lambda asked: page) as server, Client(server.url, api_key=KEY) as atlas:
        tasks = atlas.tasks.list()
        next(tasks)

        def go_on() -> None:
            with pytest.raises(ConfigurationError, match="before a fork"):
                next(tasks)

        assert in_a_child(go_on) == 0
        assert next(tasks).id == "t2"


def test_one_asynchronous_client_can_be_used_in_one_loop_after_the_other() -> None:
    with serving(lambda asked: DONE) as server:
        atlas = AsyncClient(server.url, api_key=KEY)

        async def call_and_close() -> object:
            output = await atlas.call("a", "b")
            await atlas.aclose()
            return output

        async def call() -> object:
            return await atlas.call("a", "b")

        assert [asyncio.run(call_and_close()), asyncio.run(call_and_close())] == ["Hello!"] * 2
        with asyncio.Runner() as first, asyncio.Runner() as second:
            assert [first.run(call()), second.run(call()), first.run(call_and_close())] == ["Hello!"] * 3
            second.run(atlas.aclose())


def test_a_closed_client_says_so_and_its_thread_is_gone() -> None:
    before = threading.active_count()
    client = Client("http://127.0.0.1:9", api_key=KEY)
    client.close()
    client.close()
    assert threading.active_count() == before
    with pytest.raises(ConfigurationError, match="closed"):
        client.people.whoami()


def public(kind: type) -> dict[str, object]:
    return {name: member for name, member in inspect.getmembers(kind) if not name.startswith("_")}


@pytest.mark.parametrize("group", [*get_type_hints(AsyncClient), "submit"])
def test_every_method_has_the_arguments_of_the_asynchronous_one(group: str) -> None:
    pairs: dict[str, tuple[type, type]] = {"submit": (TaskHandle, BlockingTask)}
    for name, kind in get_type_hints(AsyncClient).items():
        pairs[name] = (kind, get_type_hints(Client)[name])
    theirs, ours = (public(kind) for kind in pairs[group])
    assert theirs.keys() == ours.keys()
    for name, method in theirs.items():
        if callable(method):
            expected, made = inspect.signature(method), inspect.signature(cast(Callable[..., object], ours[name]))
            assert made.parameters == expected.parameters
            assert "Async" not in str(made.return_annotation)
            assert "TaskHandle" not in str(made.return_annotation)


@pytest.mark.parametrize("name", ["call", "submit", "stream"])
def test_a_short_cut_is_the_method_of_the_tasks(name: str) -> None:
    for client, tasks in ((AsyncClient, AsyncTasks), (Client, BlockingTasks)):
        assert inspect.signature(getattr(client, name)) == inspect.signature(getattr(tasks, name))
        assert getattr(client, name).__doc__ == getattr(tasks, name).__doc__


def test_no_class_of_a_client_has_more_than_twenty_methods() -> None:
    for kind in (AsyncClient, Client, *get_type_hints(AsyncClient).values(), *get_type_hints(Client).values()):
        assert len(public(kind)) <= 20
