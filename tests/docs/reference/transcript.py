"""A whole small session, as two `Session`s drive it: what a client in another language can be held against."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from agentic_atlas.protocol import Session, Side
from agentic_atlas.protocol.messages import (
    Accept,
    Answer,
    Beat,
    Call,
    Caller,
    Cancel,
    Drain,
    Event,
    EventAck,
    EventKind,
    Fault,
    Hello,
    InstanceInfo,
    Limits,
    LogLine,
    Logs,
    LogsAck,
    LogTerms,
    Message,
    Outcome,
    Policy,
    Reaction,
    Refuse,
    RefuseReason,
    Renewal,
    Reply,
    ReplyKind,
    Result,
    ResultAck,
    SkillSpec,
    Task,
    Welcome,
)
from agentic_atlas.protocol.versions import PROTOCOL_VERSION
from tests.docs.reference.markdown import fence, paragraphs

FIRST, SECOND, THIRD, FOURTH = "tsk_01", "tsk_02", "tsk_03", "tsk_04"
_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_SCHEMA = Raw(b'{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}')
_ADA = Caller("api_key", "key_ada", "ada/first start")

_SCENES: tuple[tuple[str, tuple[tuple[Side, Message], ...]], ...] = (
    (
        "The agent registers. It leaves out what has its default; the router's limits are in `welcome`.",
        (
            (Side.AGENT, Hello(PROTOCOL_VERSION, InstanceInfo("inst_7f3a", host="laptop", pid=4711, sdk="example/1.0"),
                               [SkillSpec("count", _SCHEMA, "Count the words of a text.", policy=Policy(timeout=60.0))],
                               concurrency=2)),
            (Side.ROUTER, Welcome("words", "ada", "inst_7f3a", 1, Limits(), 10.0, 30.0, 1_767_225_600.0,
                                  logs=LogTerms())),
        ),
    ),
    (
        "A task: accepted at once, reported on, ended; each of these is kept by the agent until it is acknowledged.",
        (
            (Side.ROUTER, Task(FIRST, 1, "count", Raw(b'{"text":"one two three"}'), _ADA, _TRACE, 1_767_225_601.5,
                               timeout=60.0)),
            (Side.AGENT, Accept(FIRST, 1)),
            (Side.AGENT, Event(FIRST, 1, 1, EventKind.PROGRESS, Raw(b'{"fraction":0.5,"message":"half way"}'))),
            (Side.AGENT, Event(FIRST, 1, 2, EventKind.LOG,
                               Raw(b'{"level":"info","event":"counted","fields":{"words":3}}'))),
            (Side.ROUTER, EventAck(FIRST, 1, 2)),
            (Side.AGENT, Result(FIRST, 1, Outcome.COMPLETED, Raw(b"3"))),
            (Side.ROUTER, ResultAck(FIRST, 1)),
        ),
    ),
    (
        "What the agent logs, when there is nothing else to say: `ctx.log` of the task, and a library's `logging`.",
        (
            (Side.AGENT, Logs(1, (
                LogLine(1_767_225_601.6, "info", "counted", "task", FIRST, 1, _TRACE[3:35], fields=Raw(b'{"words":3}')),
                LogLine(1_767_225_601.7, "warning", "the model is old", "logging", FIRST, 1, _TRACE[3:35], "models"),
            ))),
            (Side.ROUTER, LogsAck(2)),
        ),
    ),
    (
        "Both sides show that they are there: the agent first, the router answers with the same `n`.",
        (
            (Side.AGENT, Beat(1, running=0, lag=0.002, cpu=1.5, memory=48_000_000)),
            (Side.ROUTER, Beat(1)),
        ),
    ),
    (
        "A task that calls another agent, and is cancelled meanwhile.",
        (
            (Side.ROUTER, Task(SECOND, 1, "count", Raw(b'{"text":"https://example.org"}'), _ADA, _TRACE,
                               1_767_225_610.0)),
            (Side.AGENT, Accept(SECOND, 1)),
            (Side.AGENT, Call("call-1", SECOND, 1, "fetcher", "get", Raw(b'{"url":"https://example.org"}'))),
            (Side.ROUTER, Cancel(SECOND, 1, "canceled by the caller")),
            (Side.ROUTER, Reply("call-1", ReplyKind.RESULT, "tsk_02b", 4, state="canceled",
                                error=Fault("canceled", "the task that called it was canceled"))),
            (Side.AGENT, Result(SECOND, 1, Outcome.CANCELED, error=Fault("canceled", "canceled by the caller"))),
            (Side.ROUTER, ResultAck(SECOND, 1)),
        ),
    ),
    (
        "A task that asks a person: the skill waits, the answer comes, and is said again after every cut.",
        (
            (Side.ROUTER, Task(FOURTH, 1, "count", Raw(b'{"text":"a very long text"}'), _ADA, _TRACE, 1_767_225_615.0)),
            (Side.AGENT, Accept(FOURTH, 1)),
            (Side.AGENT, Event(FOURTH, 1, 1, EventKind.QUESTION,
                               Raw(b'{"number":1,"question":"Count all of it?","schema":{"type":"boolean"}}'))),
            (Side.ROUTER, EventAck(FOURTH, 1, 1)),
            (Side.ROUTER, Answer(FOURTH, 1, Reaction(1, Raw(b"true")))),
            (Side.AGENT, Result(FOURTH, 1, Outcome.COMPLETED, Raw(b"4"))),
            (Side.ROUTER, ResultAck(FOURTH, 1)),
        ),
    ),
    (
        "A task that the agent has no room for goes back unharmed.",
        (
            (Side.ROUTER, Task(THIRD, 1, "count", Raw(b'{"text":"too much"}'), _ADA, _TRACE, 1_767_225_620.0)),
            (Side.AGENT, Refuse(THIRD, 1, RefuseReason.BUSY)),
        ),
    ),
    (
        "The token is in the last third of its life: the agent asks for another, and the connection goes on with that.",
        (
            (Side.AGENT, Renewal()),
            (Side.ROUTER, Renewal("eyJ…", 1_775_001_600.0, renewable=True)),
        ),
    ),
    (
        "The router is about to restart: it says so, and when to come back. An agent that stops says the same.",
        ((Side.ROUTER, Drain(retry_after=1.0)),),
    ),
)  # fmt: skip


def transcript() -> str:
    sides = {Side.AGENT: Session(Side.AGENT), Side.ROUTER: Session(Side.ROUTER)}
    parts = []
    for text, said in _SCENES:
        parts += [text, fence("text", "\n".join(_frames(sides, said)))]
    return paragraphs(*parts)


def spoken() -> set[type[Message]]:
    """Return the kinds of message that come in the transcript."""
    return {type(message) for _, said in _SCENES for _, message in said}


def _frames(sides: dict[Side, Session], said: tuple[tuple[Side, Message], ...]) -> Iterator[str]:
    for sender, message in said:
        frame = sides[sender].send(message)
        received = sides[sender.peer].receive(frame)
        assert msgspec.json.encode(received) == frame
        yield f"{sender:<6} → {frame.decode()}"
