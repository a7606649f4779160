"""Agents that call agents, as processes: what a whole trace of them comes to, and the example that lives by it."""

from __future__ import annotations

import importlib.util
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from agentic_atlas import Client
from agentic_atlas.protocol.caller.tasks import TaskInfo
from agentic_atlas.sdk.client.blocking import BlockingTask
from tests.e2e.processes import PATIENCE, Json, Platform, Process, connected, python

EXAMPLES = Path(__file__).parents[2] / "examples"
TREES = ("ash", "birch", "cedar", "dogwood")
WIDTHS = [8, 4, 5]
CALLS = 8 + 8 * 4 + 8 * 4 * 5
VICTIM = "cedar"
GROWING = """
import asyncio, os
from agentic_atlas import Agent, Context, TaskError

AGENTS = ("ash", "birch", "cedar", "dogwood")
HOLDS_AFTER = int(os.environ.get("HOLDS_AFTER", 1_000_000))
agent = Agent("NAME", concurrency=200)
begun = 0

@agent.skill
async def grow(ctx: Context, path: list[int], widths: list[int]) -> int:
    global begun
    begun += 1
    if begun > HOLDS_AFTER:
        print(f"holding {begun - HOLDS_AFTER}", flush=True)
        await asyncio.Event().wait()
    if not widths:
        return 1
    async with asyncio.TaskGroup() as tasks:
        branches = [tasks.create_task(branch(ctx, [*path, number], widths[1:])) for number in range(widths[0])]
    return 1 + sum(task.result() for task in branches)

async def branch(ctx: Context, path: list[int], widths: list[int]) -> int:
    # A call to an agent that is offline ends at once; the caller decides whether to try again.
    while True:
        try:
            return await ctx.call(AGENTS[sum(path) % len(AGENTS)], "grow", path=path, widths=widths)
        except TaskError as error:
            if error.code != "agent_offline":
                raise
        await asyncio.sleep(0.1)

if __name__ == "__main__":
    agent.run()
"""


class Forest:
    """Four agents that call one another; one of them holds what it is given after a while."""

    def __init__(self, platform: Platform, client: Client, running: ExitStack, *, holds_after: int) -> None:
        self._platform = platform
        self._running = running
        self._tokens = {name: new_token(client, name) for name in TREES}
        started = {name: self._start(name, holds_after=holds_after) for name in TREES}
        self.victim = started[VICTIM]
        for agent in started.values():
            agent.wait_for(connected)

    def restart_victim(self) -> None:
        self.victim.kill()
        self.victim = self._start(VICTIM)

    def _start(self, name: str, *, holds_after: int | None = None) -> Process:
        holding = {"HOLDS_AFTER": str(holds_after)} if name == VICTIM and holds_after is not None else {}
        code = GROWING.replace("NAME", name)
        return self._running.enter_context(self._platform.agent(name, code, token=self._tokens[name], **holding))


def new_token(client: Client, agent: str) -> str:
    client.agents.create(agent)
    return client.tokens.create(agent).token


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A network that gives what a lost process had to another one after a second."""
    running = Platform(tmp_path / "network", grace="1")
    running.start()
    yield running
    running.kill()


@pytest.fixture
def running() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def ended_trace(client: Client, root: BlockingTask) -> dict[str, TaskInfo]:
    """The tasks of a trace when all have ended."""
    for task in client.tasks.list(trace=root.info.trace_id):
        assert client.tasks.get(task.id).refresh(wait=PATIENCE).done, f"{task} does not end"
    return {task.id: client.tasks.get(task.id).info for task in client.tasks.list(trace=root.info.trace_id)}


def check_tree(tasks: dict[str, TaskInfo], root: str) -> None:
    """Every task but the root was called by one of the others, and from each a way leads to the root."""
    assert [task.id for task in tasks.values() if task.parent_id is None] == [root]
    for task in tasks.values():
        seen = {task.id}
        while task.parent_id is not None:
            assert task.parent_id in tasks, f"{task.id} was called by {task.parent_id}, which is not in the trace"
            assert task.parent_id not in seen, f"{task.id} is in a circle"
            task = tasks[task.parent_id]
            seen.add(task.id)
        assert task.id == root


def check_outcomes(platform: Platform, tasks: dict[str, TaskInfo]) -> Counter[str]:
    """Each has ended, and exactly one of its events says so: the last. Returns how often each end came."""
    ends: Counter[str] = Counter()
    headers = {"Authorization": f"Bearer {platform.api_key}", "Accept": "application/json"}
    with httpx.Client(base_url=platform.url, headers=headers, timeout=PATIENCE) as http:
        for task in tasks.values():
            events: list[Json] = http.get(f"/api/v1/tasks/{task.id}/events").raise_for_status().json()["items"]
            assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
            final = [event["data"]["state"] for event in events if is_end(event)]
            assert final == [task.state], f"{task.id} ended as {final}"
            assert is_end(events[-1])
            ends[task.state] += 1
    return ends


def is_end(event: Json) -> bool:
    return event["kind"] == "state" and event["data"]["state"] in ("completed", "failed", "canceled", "rejected")


def test_two_hundred_nested_calls_each_end_once_though_one_of_the_agents_is_killed_meanwhile(
    platform: Platform, client: Client, running: ExitStack
) -> None:
    forest = Forest(platform, client, running, holds_after=12)
    root = client.submit("ash", "grow", {"path": [], "widths": WIDTHS})
    forest.victim.wait_for("holding 5")
    forest.restart_victim()
    assert root.result(PATIENCE) == CALLS + 1
    tasks = ended_trace(client, root)
    check_tree(tasks, root.id)
    assert len(tasks) >= CALLS + 1
    ends = check_outcomes(platform, tasks)
    assert set(ends) <= {"completed", "canceled"}, ends
    done = {json.dumps(task.input["path"]) for task in tasks.values() if task.state == "completed"}
    assert len(done) == CALLS + 1
    # What a lost attempt had called is of no use any more; its successor calls again.
    for orphan in (task for task in tasks.values() if task.state == "canceled"):
        assert orphan.parent_id is not None
        assert tasks[orphan.parent_id].state == "canceled" or tasks[orphan.parent_id].attempt == 2
    assert max(task.attempt for task in tasks.values()) == 2


def test_cancelling_the_first_call_ends_all_that_it_led_to(
    platform: Platform, client: Client, running: ExitStack
) -> None:
    forest = Forest(platform, client, running, holds_after=0)
    root = client.submit("ash", "grow", {"path": [], "widths": WIDTHS})
    forest.victim.wait_for("holding 20")
    root.cancel("changed my mind")
    assert root.refresh(wait=PATIENCE).state == "canceled"
    tasks = ended_trace(client, root)
    check_tree(tasks, root.id)
    ends = check_outcomes(platform, tasks)
    assert ends.keys() <= {"canceled", "completed"}
    assert ends["canceled"] > 20


QUESTION = (
    "What is the access code of house 096 and house 099? How many orders per city? "
    "Which customer has the highest total amount? How much memory is free?"
)
FILES = 504
FILLER = "The caretaker looks after the garden, the stairs and the heating of every house we own."
LOG_BYTES = 200_000_000
HOSTILE = {
    "binary.txt": "is not text: holds NUL bytes",
    "broken.pdf": "is not a PDF file, or damaged",
    "out.txt": "is a symbolic link out of the folder",
    "pipe.txt": "is no ordinary file",
}


def test_research_cites_what_three_agents_know_and_names_what_could_not_be_read(
    platform: Platform, client: Client, running: ExitStack, tmp_path: Path
) -> None:
    mixed_folder(tmp_path / "documents")
    tables(tmp_path / "tables")
    settings = {
        "document_search": {
            "DOCUMENTS_FOLDER": str(tmp_path / "documents"),
            "DOCUMENTS_INDEX": str(tmp_path / "index.sqlite3"),
        },
        "table_query": {"TABLES_FOLDER": str(tmp_path / "tables"), "TABLES_CACHE": str(tmp_path / "cache")},
        "system_report": {},
        "research": {},
    }
    agents = {name: example(platform, client, running, name, **given) for name, given in settings.items()}
    for agent in agents.values():
        agent.wait_for(connected)
    client.call("document_search", "index")

    task = client.submit("research", "report", question=QUESTION)
    chunks = [event.data["value"] for event in task.events() if event.kind == "chunk"]
    assert task.result(PATIENCE) == chunks
    first, second, orders, customer, machine, *_, sources, whole = chunks
    report = whole["report"]

    assert cited(first) == ("part1/096.txt", {"unit": "line", "number": 4})
    assert f"-{96 * 7919}" in first["text"]
    assert cited(second) == ("part4/099.pdf", {"unit": "page", "number": 3})
    assert f"-{99 * 7919}" in second["text"]
    assert "| Hamburg | 2 |" in orders["text"] and "| Lisboa | 1 |" in orders["text"]
    assert cited(orders) == ("orders.csv", None)
    assert "| Ana Miller | 180.25 |" in customer["text"]
    assert "Memory: **" in machine["text"]
    assert [citation["number"] for citation in sources["citations"]] == list(range(1, len(sources["citations"]) + 1))
    assert all(section["text"] in report for section in chunks[:-1])
    for name, reason in HOSTILE.items():
        assert f"  - {name}: {reason}\n" in report
    assert "server.log: read the first 20.0 MB of 200.0 MB" in report
    assert "outside" not in report
    children = list(client.tasks.list(parent=task.id))
    assert {child.agent for child in children} == {f"admin/{name}" for name in agents if name != "research"}
    check_tree(ended_trace(client, task), task.id)

    agents["table_query"].kill()
    again = client.call("research", "report", question="How many orders per city?")
    assert "`table_query`: admin/table_query is offline" in again[-1]["report"].replace("\\", "")


def example(platform: Platform, client: Client, running: ExitStack, name: str, **settings: str) -> Process:
    """One of the example agents, run in its own folder as its README says."""
    environ = platform.environ | {"AGENT_JWT_TOKEN": new_token(client, name)} | settings
    process = Process(*python("agent.py"), folder=EXAMPLES / name, environ=environ)
    running.callback(process.kill)
    return process


def cited(section: Json) -> tuple[str, Json | None]:
    best = section["citations"][0]
    return best["file"], best["position"]


def mixed_folder(folder: Path) -> None:
    """More than 500 files of four kinds, each with a fact of its own, and some that nobody can read."""
    samples = document_samples()
    for number in range(FILES):
        fact = f"The access code of house {number:03} is code-{number * 7919}."
        made = {
            "txt": f"{FILLER}\n\n{FILLER}\n{fact}\n".encode(),
            "md": f"# House {number:03}\n\n{FILLER}\n\n## Access\n\n{fact}\n".encode(),
            "docx": samples.docx([("Standard", FILLER), ("berschrift1", "Access"), ("Standard", fact)]),
            "pdf": samples.pdf([FILLER, FILLER, fact]),
        }
        ending = list(made)[number % len(made)]
        file = folder / f"part{number % 5}" / f"{number:03}.{ending}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(made[ending])
    (folder / "broken.pdf").write_bytes(samples.pdf(["code"])[:300] + bytes(500))
    (folder / "binary.txt").write_bytes(b"\x7fELF\x02\x01\x01\0access code of house 096")
    (folder.parent / "outside.txt").write_text("The access code of house 096 is outside.")
    (folder / "out.txt").symlink_to(folder.parent / "outside.txt")
    os.mkfifo(folder / "pipe.txt")
    line = b"served a request about nothing\n"
    with (folder / "server.log").open("wb") as log:
        for _ in range(200):
            log.write((line * (LOG_BYTES // 200 // len(line) + 1))[: LOG_BYTES // 200])


def tables(folder: Path) -> None:
    folder.mkdir()
    (folder / "orders.csv").write_text(
        "id,customer,city,amount\n1,Ana Miller,Hamburg,100.00\n2,Ben King,Lisboa,50.50\n3,Ana Miller,Hamburg,80.25\n"
    )
    (folder / "notes.csv").write_bytes(b"\0\1\2")


def document_samples() -> ModuleType:
    """Documents of every format, as the tests of the example make them."""
    path = EXAMPLES / "document_search" / "tests" / "document_samples.py"
    found = importlib.util.spec_from_file_location("document_samples_of_the_example", path)
    assert found is not None and found.loader is not None
    made = importlib.util.module_from_spec(found)
    found.loader.exec_module(made)
    return made
