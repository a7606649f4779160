import json
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from agentic_atlas.observe.frames import LONGEST_PAYLOAD, MOST_TRACES, Frames
from agentic_atlas.protocol.inside.codec import encode as encode_inside
from agentic_atlas.protocol.inside.messages import (
    Arrived,
    Deliver,
    FromRouter,
    Identity,
    InstanceRef,
    Receipt,
    Renewed,
    Reported,
    ToRouter,
)
from agentic_atlas.protocol.messages import (
    Answer,
    Beat,
    Call,
    Cancel,
    Event,
    EventKind,
    Fault,
    Hello,
    InstanceInfo,
    Message,
    Outcome,
    Reaction,
    Renewal,
    Reply,
    ReplyKind,
    Result,
)
from tests.unit.sdk.memory_wire import Lines, make_task

SECRET = "hunter2"
PAYLOAD = Raw(f'"{SECRET}"'.encode())
TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZ2VudCJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
"""What `make_task` gives."""
INSTANCE = InstanceRef("agt_1", "ins_1", 3)
HELLO = Hello(1, InstanceInfo("i1"), [], description=SECRET, labels={SECRET: SECRET}, agent="worker")


class Bound(Lines):
    """Keeps what it was bound to."""

    def __init__(self, *, payloads: bool = False) -> None:
        super().__init__()
        self.ids: dict[str, Any] = {}
        self.payloads = payloads

    def bind(self, **ids: Any) -> "Bound":
        self.ids |= ids
        return self


def told(data: bytes, log: Bound | None = None) -> dict[str, Any]:
    """Return what is told of a message."""
    log = log or Bound()
    Frames(log).tell("sent", data)
    ((level, line, fields),) = log.lines
    assert (level, fields.pop("direction"), fields.pop("size")) == ("trace", "sent", len(data))
    assert line == f"sent {fields['type']}"
    return fields


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (make_task("greet", SECRET), {"type": "task", "task": "t1", "attempt": 1, "skill": "greet", "trace": TRACE}),
        (
            Result("t1", 1, Outcome.COMPLETED, PAYLOAD),
            {"type": "result", "task": "t1", "attempt": 1, "outcome": "completed"},
        ),
        (
            Result("t1", 1, Outcome.FAILED, error=Fault("handler_error", SECRET, PAYLOAD)),
            {"type": "result", "task": "t1", "attempt": 1, "outcome": "failed", "code": "handler_error"},
        ),
        (
            Call("call-1", "t1", 1, "ann/other", "greet", PAYLOAD),
            {"type": "call", "call": "call-1", "task": "t1", "attempt": 1, "called": "ann/other", "skill": "greet"},
        ),
        (
            Reply("call-1", ReplyKind.RESULT, "t2", data=PAYLOAD, state="completed"),
            {"type": "reply", "call": "call-1", "kind": "result", "child": "t2", "state": "completed"},
        ),
        (
            Event("t1", 1, 4, EventKind.PROGRESS, PAYLOAD),
            {"type": "event", "task": "t1", "attempt": 1, "n": 4, "kind": "progress"},
        ),
        (
            Answer("t1", 1, Reaction(1, PAYLOAD)),
            {"type": "answer", "task": "t1", "attempt": 1, "question": 1},
        ),
        (Cancel("t1", 1, SECRET), {"type": "cancel", "task": "t1", "attempt": 1}),
        (HELLO, {"type": "hello", "instance": "i1"}),
        (Beat(7), {"type": "beat", "n": 7}),
        (Renewal(SECRET, 9.0), {"type": "token"}),
    ],
    ids=lambda given: given["type"] if isinstance(given, dict) else "",
)
def test_a_message_is_told_by_what_it_belongs_to_and_nothing_of_its_content(
    message: Message, shown: dict[str, object]
) -> None:
    log = Bound()
    assert told(msgspec.json.encode(message), log) == shown
    assert SECRET not in str(log.lines)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            Reported(9, INSTANCE, Result("t1", 1, Outcome.COMPLETED, PAYLOAD)),
            {"number": 9, "agent": "agt_1", "instance": "ins_1", "generation": 3, "of": "result", "task": "t1",
             "attempt": 1, "outcome": "completed"},
        ),
        (Receipt(9, recorded=True), {"number": 9, "recorded": True}),
        (Arrived(4, Identity("tok_1", "agt_1", 9.0), HELLO), {"number": 4, "agent": "agt_1"}),
        (Renewed(2, SECRET), {"number": 2}),
        (
            Deliver(INSTANCE, make_task("greet", SECRET)),
            {"agent": "agt_1", "instance": "ins_1", "generation": 3, "of": "task", "task": "t1", "attempt": 1,
             "skill": "greet", "trace": TRACE},
        ),
    ],
    ids=lambda given: "" if isinstance(given, dict) else type(given).__name__,
)  # fmt: skip
def test_what_router_and_backend_say_is_told_with_whom_and_what_it_is_about(
    message: FromRouter | ToRouter, shown: dict[str, object]
) -> None:
    log = Bound()
    assert told(encode_inside(message), log) == {"type": type(message).__name__, **shown}
    assert SECRET not in str(log.lines)


def test_from_its_hello_on_the_instance_of_a_connection_is_known() -> None:
    log = Bound()
    Frames(log).tell("received", msgspec.json.encode(HELLO))
    assert log.ids == {"instance": "i1"}


def test_what_is_said_of_a_task_is_told_with_its_trace() -> None:
    log = Bound()
    frames = Frames(log)
    frames.tell("sent", msgspec.json.encode(make_task("greet")))
    frames.tell("received", msgspec.json.encode(Result("t1", 1, Outcome.COMPLETED, PAYLOAD)))
    frames.tell("received", msgspec.json.encode(Result("t2", 1, Outcome.COMPLETED, PAYLOAD)))
    assert [fields.get("trace") for _, _, fields in log.lines] == [TRACE, TRACE, None]


def test_traces_of_a_bounded_number_of_tasks_are_remembered() -> None:
    frames = Frames(Bound())
    for number in range(MOST_TRACES + 5):
        frames.tell("sent", b'{"type":"task","task":"t%d","trace":"%s"}' % (number, PARENT.encode()))
    assert len(frames._traces) == MOST_TRACES


@pytest.mark.parametrize("data", [b"", b"no json", b"[1]", b'"text"', b"[" * 100_000])
def test_what_is_no_message_is_told_as_that(data: bytes) -> None:
    assert told(data) == {"type": "unreadable"}


def test_what_is_in_a_message_is_shown_when_asked_for_cut_and_without_secrets() -> None:
    long = json.dumps({"type": "task", "task": "t1", "input": {"text": TOKEN + " " + "x" * 9_000}})
    shown = told(long.encode(), Bound(payloads=True))["payload"]
    assert shown.startswith('{"type":"task","task":"t1","input":{"text":"[redacted] xxx')
    assert len(shown) == LONGEST_PAYLOAD + 1


def test_a_token_is_never_shown() -> None:
    shown = told(msgspec.json.encode(Renewal("not-like-a-token", 9.0)), Bound(payloads=True))["payload"]
    assert "not-like-a-token" not in shown
    assert '"token":"[redacted]"' in shown


def test_what_is_wrapped_is_told_of_and_passed_on_and_all_else_is_left_alone() -> None:
    class End:
        paused = True
        got: tuple[bytes, ...] = ()

        def send(self, data: bytes) -> None:
            self.got += (data,)

        received = send

    log, end = Bound(), End()
    frames = Frames(log)
    frames.sending(end).send(b'{"type":"beat"}')
    frames.receiving(end).received(b'{"type":"drain"}')
    assert end.got == (b'{"type":"beat"}', b'{"type":"drain"}')
    assert [line for _, line, _ in log.lines] == ["sent beat", "received drain"]
    assert frames.sending(end).paused is True
