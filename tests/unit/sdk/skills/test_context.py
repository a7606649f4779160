import datetime
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentic_atlas import Agent, Context, SyncContext
from agentic_atlas.protocol.caller.tasks import CallerInfo
from agentic_atlas.protocol.messages import Event, EventKind, Outcome
from agentic_atlas.sdk.lines.outlet import Outlet
from tests.unit.sdk.lines.test_capture import lines
from tests.unit.sdk.memory_wire import NOW, TRACE, Network, events_of, network, read


async def run(
    agent: Agent, skill: str = "skill", *, outlet: Outlet | None = None, **fields: Any
) -> tuple[Any, Network]:
    """Run one task and return its output, and the network it ran on."""
    async with network(agent, outlet=outlet) as net:
        result = await net.ask(skill, **fields)
        assert result.outcome is Outcome.COMPLETED, result.error
    return read(result.output), net


async def test_a_skill_knows_its_task_its_caller_and_its_limits() -> None:
    agent = Agent("tester")
    seen: list[Any] = []

    @agent.skill
    async def skill(ctx: Context) -> None:
        seen.extend([ctx.task_id, ctx.attempt, ctx.skill, ctx.caller, ctx.trace, ctx.cancelled, ctx.deadline])
        assert ctx.time_left is not None
        assert 0 < ctx.time_left <= 30

    await run(agent, attempt=2, deadline=NOW + 60, timeout=30)
    deadline = datetime.datetime.fromtimestamp(NOW + 60, datetime.UTC)
    assert seen == ["t1", 2, "skill", CallerInfo(kind="user", id="u1", name="ann"), TRACE, False, deadline]


MISTAKES: dict[str, Callable[[Any], Any]] = {
    "a truth value": bool,
    "compared": lambda it: it == "yes",
    "compared the other way": lambda it: "no" != it,  # noqa: SIM300 - the other way
    "iterated over": list,
    "looked into": lambda it: it["price"],
    "searched": lambda it: "price" in it,
}


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_what_was_not_awaited_is_not_mistaken_for_its_result(mistake: str, tmp_path: Path) -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> list[str]:
        told = []
        made = {"call": ctx.call("other", "echo"), "ask": ctx.ask("ok?", bool), "artifact": ctx.artifact(tmp_path)}
        for name, one in made.items():
            with pytest.raises(TypeError, match=rf"ctx\.{name}\(…\) has not been awaited.*: await it") as caught:
                MISTAKES[mistake](one)
            told.append(str(caught.value))
        return told

    assert len((await run(agent))[0]) == 3


async def test_a_skill_that_returns_what_it_did_not_await_is_told_so() -> None:
    agent = Agent("tester")

    @agent.skill
    async def typed(ctx: Context) -> str:
        return ctx.call("other", "echo")  # type: ignore[return-value]

    @agent.skill
    async def untyped(ctx: Context) -> Any:
        return run(agent)

    async with network(agent) as net:
        for number, skill in enumerate(("typed", "untyped")):
            error = (await net.ask(skill, task=f"t{number}")).error
            assert error is not None
            assert (error.code, "a coroutine" in error.message, "`await` is missing" in error.message) == (
                "invalid_output",
                True,
                True,
            )


async def test_without_limits_there_is_all_the_time() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> list[Any]:
        return [ctx.deadline, ctx.time_left]

    assert (await run(agent))[0] == [None, None]


async def test_progress_is_reported_whether_it_is_awaited_or_not() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> None:
        ctx.progress(0.25)
        await ctx.progress(0.5, "half way")

    @agent.skill
    def blocking(ctx: SyncContext) -> None:
        ctx.progress(0.75, "nearly")

    _, net = await run(agent)
    assert events_of(net.wire.of(Event), EventKind.PROGRESS) == [
        {"fraction": 0.25, "message": None},
        {"fraction": 0.5, "message": "half way"},
    ]
    _, net = await run(agent, "blocking")
    assert events_of(net.wire.of(Event), EventKind.PROGRESS) == [{"fraction": 0.75, "message": "nearly"}]


async def test_a_log_line_goes_to_the_task_and_to_the_local_log() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> None:
        ctx.log.info("translating", characters=12, path=Path("a"), event="mine", task="t9")

    _, net = await run(agent)
    fields = {"characters": 12, "path": "a", "event": "mine", "task": "t9"}
    assert events_of(net.wire.of(Event), EventKind.LOG) == [{"level": "info", "event": "translating", "fields": fields}]
    bound = {"skill": "skill", "task": "t1", "attempt": 1, "trace": "0af7651916cd43dd8448eb211c80319c"}
    local = {**bound, "source": "task", "characters": 12, "path": "a", "event_": "mine", "task_": "t9"}
    assert ("info", "translating", local) in net.log.lines


async def test_a_log_line_is_told_to_the_networks_logs_as_its_tasks() -> None:
    agent, outlet = Agent("tester"), Outlet()

    @agent.skill
    async def skill(ctx: Context) -> None:
        ctx.log.debug("thinking")
        ctx.log.info("translating", characters=12, path=Path("a"))
        try:
            raise ValueError("no")
        except ValueError:
            ctx.log.exception("went on without")

    await run(agent, outlet=outlet)
    line, failed, traced = lines(outlet)
    assert (line.level, line.message, line.source) == ("info", "translating", "task")
    assert (line.task, line.attempt, line.trace) == ("t1", 1, "0af7651916cd43dd8448eb211c80319c")
    assert read(line.fields) == {"characters": 12, "path": "a"}
    assert (failed.source, failed.exception, read(failed.fields)) == ("task", "", {"error": "ValueError: no"})
    assert (traced.source, traced.task, traced.message) == ("agent", "t1", "went on without")
    assert traced.exception.endswith("ValueError: no")


async def test_debug_lines_stay_on_this_machine() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> None:
        ctx.log.debug("thinking")
        ctx.log.warning("odd")
        ctx.log.error("bad")

    _, net = await run(agent)
    assert [line["level"] for line in events_of(net.wire.of(Event), EventKind.LOG)] == ["warning", "error"]
    assert [level for level, *_ in net.log.lines if level != "info"] == ["debug", "warning", "error"]


async def test_a_logged_exception_tells_the_task_its_type_and_the_local_log_its_traceback() -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> None:
        try:
            raise ValueError("no")
        except ValueError:
            ctx.log.exception("went on without")
        ctx.log.exception("nothing was wrong")

    _, net = await run(agent)
    first, second = events_of(net.wire.of(Event), EventKind.LOG)
    assert first == {"level": "error", "event": "went on without", "fields": {"error": "ValueError: no"}}
    assert second["fields"] == {}
    assert isinstance(net.log.at("error")[0][1]["exc_info"], ValueError)


async def test_an_artifact_is_described_and_stays_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(b"content" * 1_000)
    agent = Agent("tester")
    described: list[Any] = []

    @agent.skill
    async def skill(ctx: Context) -> None:
        described.append(await ctx.artifact(file))

    @agent.skill
    def blocking(ctx: SyncContext) -> None:
        described.append(ctx.artifact(file, name="answer", media_type="text/x-answer"))

    _, net = await run(agent)
    told = {
        "name": "report.pdf",
        "media_type": "application/pdf",
        "size": 7_000,
        "sha256": hashlib.sha256(b"content" * 1_000).hexdigest(),
    }
    assert events_of(net.wire.of(Event), EventKind.ARTIFACT) == [told]
    assert described[0].sha256 == told["sha256"]
    _, net = await run(agent, "blocking")
    assert events_of(net.wire.of(Event), EventKind.ARTIFACT) == [
        {**told, "name": "answer", "media_type": "text/x-answer"}
    ]


async def test_an_artifact_that_is_not_there_is_an_error_of_the_skill(tmp_path: Path) -> None:
    agent = Agent("tester")

    @agent.skill
    async def skill(ctx: Context) -> str:
        try:
            await ctx.artifact(tmp_path / "nothing")
        except FileNotFoundError:
            return "not found"
        return "found"

    output, net = await run(agent)
    assert output == "not found"
    assert net.wire.of(Event) == []
