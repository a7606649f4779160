"""A whole agent, with its link, against a router on a real socket."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentic_atlas import Agent, Context
from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.closing import CloseCode, encode_reason
from agentic_atlas.protocol.messages import (
    Accept,
    Beat,
    Call,
    Caller,
    Drain,
    Event,
    EventAck,
    Hello,
    Limits,
    Message,
    Outcome,
    Refuse,
    RefuseReason,
    Reply,
    ReplyKind,
    Result,
    ResultAck,
    RunningAttempt,
    Task,
    Verdict,
)
from agentic_atlas.sdk.signals import SAME
from tests.integration.sdk.dialogues import PATIENCE, TOKEN, Peer, Router

HERE = Path(__file__).parent


def task(skill: str, task_id: str = "t1", **values: Any) -> Task:
    return Task(task_id, 1, skill, msgspec.Raw(msgspec.json.encode(values)), Caller("user", "u1"), "00-0-0-00", 1_000.0)


def until_result(peer: Peer) -> tuple[list[Event], Result]:
    """Acknowledge what comes until the result, and that too."""
    events: list[Event] = []
    while True:
        message: Message = peer.receive()
        if isinstance(message, Event):
            events.append(message)
            peer.send(EventAck(message.task, message.attempt, message.n))
        elif isinstance(message, Result):
            peer.send(ResultAck(message.task, message.attempt))
            return events, message
        else:
            assert isinstance(message, Beat | Accept), message


async def serve(agent: Agent, router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve an agent until a script stops it."""
    monkeypatch.setenv("AGENT_JWT_TOKEN", TOKEN)
    monkeypatch.setenv("ROUTER_WS_URL", router.url)

    async with asyncio.timeout(2 * PATIENCE):
        await agent.serve()


async def test_an_agent_says_who_it_is_and_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent("worker", description="Works", concurrency=3, labels={"gpu": "no"})
    hellos: list[Hello] = []

    @agent.skill(timeout=5)
    async def greet(name: str) -> str:
        """Greet someone."""
        return f"Hi {name}"

    def script(peer: Peer) -> None:
        hellos.append(peer.welcome())
        peer.send(task("greet", name="Bo"))
        _, result = until_result(peer)
        assert (result.outcome, bytes(result.output), result.error) == (Outcome.COMPLETED, b'"Hi Bo"', None)
        agent.stop()
        assert peer.closed_with() == 1000

    with Router(script) as router:
        await serve(agent, router, monkeypatch)
    (hello,) = hellos
    assert (hello.description, hello.concurrency, hello.labels) == ("Works", 3, {"gpu": "no"})
    assert (hello.instance.pid, hello.running) == (os.getpid(), [])
    (skill,) = hello.skills
    assert (skill.name, skill.description, skill.policy.timeout) == ("greet", "Greet someone.", 5.0)


async def test_at_level_trace_each_message_has_a_line_and_none_shows_what_is_in_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATLAS_LOG_LEVEL", "trace")
    agent = Agent("worker")

    @agent.skill
    async def greet(name: str) -> str:
        return f"Hi {name}"

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.send(task("greet", name="hunter2"))
        until_result(peer)
        agent.stop()
        peer.serve_beats()

    with Router(script) as router:
        await serve(agent, router, monkeypatch)
    said = capsys.readouterr().err
    lines = [msgspec.json.decode(line) for line in said.splitlines()]
    assert "hunter2" not in said
    assert TOKEN not in said
    told = [(line["direction"], line["type"]) for line in lines if line.get("task") == "t1" and "type" in line]
    # Whether the skill took so long that it was accepted by itself is up to this machine.
    assert [line for line in told if line != ("sent", "accept")] == [
        ("received", "task"),
        ("sent", "result"),
        ("received", "result_ack"),
    ]
    ends = [line["event"] for line in lines if line.get("task") == "t1" and "type" not in line]
    assert ends == ["task_received", "task_completed"]
    assert len({(line["agent"], line["instance"]) for line in lines if line.get("task") == "t1"}) == 1


async def test_a_long_stream_never_has_more_on_its_way_than_the_router_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent("worker", concurrency=1)

    @agent.skill
    async def count(ctx: Context, to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number

    def script(peer: Peer) -> None:
        peer.welcome(limits=Limits(unacknowledged=8))
        peer.send(task("count", to=500))
        events, result = until_result(peer)
        assert [event.n for event in events] == list(range(1, 501))
        assert msgspec.json.decode(result.output) == list(range(500))
        agent.stop()
        peer.serve_beats()

    with Router(script) as router:
        await serve(agent, router, monkeypatch)


async def test_a_call_to_another_agent_survives_a_cut_of_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent("worker")

    @agent.skill
    async def ask(ctx: Context) -> Any:
        return await ctx.call("other", "echo", text="hi")

    calls: list[Call] = []

    def first(peer: Peer) -> None:
        peer.welcome()
        peer.send(task("ask"))
        peer.expect(Accept)
        calls.append(peer.expect(Call))
        peer.connection.socket.close()

    def second(peer: Peer) -> None:
        hello = peer.welcome(Verdict("t1", 1, keep=True))
        assert hello.running == [RunningAttempt("t1", 1)]
        while not isinstance(message := peer.receive(), Call):
            assert isinstance(message, Beat | Accept), message
        calls.append(message)
        peer.send(Reply(message.id, ReplyKind.RESULT, "c1", data=msgspec.Raw(b'"echo"'), state="completed"))
        _, result = until_result(peer)
        assert bytes(result.output) == b'"echo"'
        agent.stop()
        peer.serve_beats()

    with Router(first, second) as router:
        await serve(agent, router, monkeypatch)
    assert calls[0] == calls[1]


@contextmanager
def started(folder: Path, code: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """Run an agent's file as a process, which does not outlive the block."""
    (folder / "agent.py").write_text(code)
    (folder / ".env").write_text(f"AGENT_JWT_TOKEN={TOKEN}\nROUTER_WS_URL={url}\nATLAS_LOG_FORMAT=json\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ATLAS_", "AGENT_", "ROUTER"))}
    command = [sys.executable, str(folder / "agent.py")]
    with subprocess.Popen(command, cwd=HERE, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


CODE = """
import asyncio, threading
from agentic_atlas import Agent
agent = Agent("worker")

@agent.skill
async def wait(ctx, seconds: float) -> str:
    await ctx.progress(0.5)
    await asyncio.sleep(seconds)
    return "waited"

@agent.skill
async def block(ctx) -> None:
    await ctx.progress(0.5)
    threading.Event().wait(60)

@agent.skill
def think(ctx, seconds: float) -> None:
    ctx.progress(0.5)
    threading.Event().wait(seconds)

@agent.skill
async def hold(ctx) -> None:
    await ctx.progress(0.5)
    while True:
        pass

if __name__ == "__main__":
    agent.run()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_running_task_finish_and_takes_no_other(tmp_path: Path, number: signal.Signals) -> None:
    processes: list[subprocess.Popen[str]] = []

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.send(task("wait", seconds=0.5))
        peer.expect(Accept)
        event = peer.expect(Event)
        peer.send(EventAck(event.task, event.attempt, event.n))
        processes[0].send_signal(number)
        assert processes[0].stderr is not None
        while "stopping" not in processes[0].stderr.readline():
            continue
        peer.expect(Drain)
        peer.send(task("wait", "t2", seconds=0))
        assert peer.expect(Refuse).reason is RefuseReason.DRAINING
        _, result = until_result(peer)
        assert (result.task, result.outcome) == ("t1", Outcome.COMPLETED)
        assert peer.closed_with() == 1000

    with Router(script) as router, started(tmp_path, CODE, router.url) as process:
        processes.append(process)
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("skill", ["wait", "think"])
def test_what_takes_longer_than_the_drain_is_given_up_and_the_exit_says_so(tmp_path: Path, skill: str) -> None:
    processes: list[subprocess.Popen[str]] = []
    impatient = CODE.replace("    agent.run()", "    sdk.DRAIN_SECONDS = 0.2\n    agent.run()")
    code = f"import agentic_atlas.sdk.program as sdk\n{impatient}"

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.send(task(skill, seconds=60))
        peer.expect(Accept)
        event = peer.expect(Event)
        peer.send(EventAck(event.task, event.attempt, event.n))
        processes[0].send_signal(signal.SIGTERM)
        peer.expect(Drain)
        assert peer.closed_with() == 1000

    with Router(script) as router, started(tmp_path, code, router.url) as process:
        processes.append(process)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1
        assert errors.splitlines()[-1] == f"gave up what still ran after 0.2 s: {skill}"


@pytest.mark.parametrize("skill", ["block", "hold"])
def test_a_second_signal_ends_the_process_though_a_skill_blocks_its_loop(tmp_path: Path, skill: str) -> None:
    processes: list[subprocess.Popen[str]] = []

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.send(task(skill))
        peer.expect(Accept)
        peer.expect(Event)
        processes[0].send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            processes[0].wait(1.1 * SAME)
        # Where the first one was taken late, the next is still that one, said twice.
        while processes[0].poll() is None:
            processes[0].send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                processes[0].wait(1.1 * SAME)

    with Router(script) as router, started(tmp_path, CODE, router.url) as process:
        processes.append(process)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 128 + signal.SIGTERM
        assert "ending at once" in errors


def test_a_token_that_is_refused_ends_the_process_with_the_fix(tmp_path: Path) -> None:
    refusal = (
        403,
        '{"error":{"code":"token_unknown_key","message":"the token is signed with a key that is not known"}}',
        {"Atlas-Error": "token_unknown_key"},
    )
    with Router(refuse=[refusal]) as router, started(tmp_path, CODE, router.url) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    sentence = errors.splitlines()[-1]
    assert "not known" in sentence
    assert "atlas tokens create" in sentence
    assert "Traceback" not in errors
    assert TOKEN not in errors


async def test_a_new_token_in_the_env_file_holds_from_when_the_router_takes_the_old_one_no_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGENT_JWT_TOKEN", raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(tmp_path / "agent.py"), raising=False)
    env = tmp_path / ".env"
    agent = Agent("worker")

    @agent.skill
    async def idle() -> None: ...

    def first(peer: Peer) -> None:
        peer.welcome()
        env.write_text("AGENT_JWT_TOKEN=new.token.here\n")
        peer.connection.socket.close()

    def second(peer: Peer) -> None:
        peer.welcome()
        peer.connection.close(CloseCode.TOKEN_REVOKED, encode_reason("token_revoked").decode())

    def third(peer: Peer) -> None:
        peer.welcome()
        env.write_text("AGENT_JWT_TOKEN=half a token, the editor is not d")
        peer.connection.socket.close()

    def fourth(peer: Peer) -> None:
        peer.welcome()
        agent.stop()
        peer.serve_beats()

    with Router(first, second, third, fourth) as router:
        env.write_text(f"AGENT_JWT_TOKEN={TOKEN}\nROUTER_WS_URL={router.url}\n")
        monkeypatch.setenv("ROUTER_WS_URL", router.url)
        await agent.serve()
        shown = [request.headers["Authorization"] for request in router.requests]
    assert shown == [f"Bearer {TOKEN}"] * 2 + ["Bearer new.token.here"] * 2


async def test_code_that_was_given_another_agents_token_ends_with_a_sentence_that_names_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = Agent("translator")

    @agent.skill
    async def idle() -> None: ...

    def script(peer: Peer) -> None:
        assert peer.expect(Hello).agent == "translator"
        why = encode_reason("wrong_agent", message="it is for worker, the code declares translator")
        peer.connection.close(CloseCode.WRONG_AGENT, why.decode())

    with Router(script) as router, pytest.raises(ConfigurationError) as refused:
        await serve(agent, router, monkeypatch)
    assert refused.value.code == "wrong_agent"
    assert refused.value.message == (
        "this token is for another agent (it is for worker, the code declares translator): put a token of the agent "
        "that the code declares into .env (`atlas tokens create AGENT`), or start the code of the token's agent"
    )
