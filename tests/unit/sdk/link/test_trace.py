import pytest
from msgspec import Raw

from agentic_atlas.protocol.messages import (
    Answer,
    Beat,
    Call,
    Fault,
    Hello,
    InstanceInfo,
    Message,
    Outcome,
    Reaction,
    Reply,
    ReplyKind,
    Result,
)
from agentic_atlas.sdk.link.trace import tell
from tests.unit.sdk.memory_wire import Lines, make_task

SECRET = "hunter2"
PAYLOAD = Raw(f'"{SECRET}"'.encode())


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (make_task("greet", SECRET), {"type": "task", "task": "t1", "attempt": 1, "skill": "greet"}),
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
            {"type": "call", "id": "call-1", "task": "t1", "attempt": 1, "called": "ann/other", "skill": "greet"},
        ),
        (
            Reply("call-1", ReplyKind.RESULT, "t2", data=PAYLOAD, state="completed"),
            {"type": "reply", "id": "call-1", "kind": "result", "child": "t2", "seq": 0, "state": "completed"},
        ),
        (Answer("t1", 1, Reaction(1, PAYLOAD)), {"type": "answer", "task": "t1", "attempt": 1}),
        (Hello(1, InstanceInfo("i1"), [], description=SECRET, labels={SECRET: SECRET}), {"type": "hello"}),
        (Beat(7), {"type": "beat", "n": 7}),
    ],
    ids=lambda given: given["type"] if isinstance(given, dict) else "",
)
def test_a_message_is_told_by_what_it_belongs_to_and_its_length_and_nothing_of_its_content(
    message: Message, told: dict[str, object]
) -> None:
    log = Lines()
    tell(log, "sent", message, 100)
    assert log.lines == [("debug", "message sent", {"size": 100, **told})]
    assert SECRET not in str(log.lines)
