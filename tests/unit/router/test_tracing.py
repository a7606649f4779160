from typing import Any

from agentic_atlas.observe.frames import Frames
from agentic_atlas.protocol.inside.messages import Forget, Identity
from agentic_atlas.router.tracing import told, traced
from agentic_atlas.transport.receiver import Receiver
from tests.unit.observe.test_frames import Bound
from tests.unit.sdk.link.test_trace import Heard, Quiet, Socket

WHO = Identity("tok_1", "agt_1", 9.0)


def test_every_message_of_a_connection_is_told_of_with_its_agent_and_goes_its_way() -> None:
    socket, heard, log = Socket(), Heard(), Bound()

    def connect(identity: Identity, transport: Any) -> Receiver:
        transport.send(b'{"type":"drain"}')
        return heard

    receiver = traced(connect, log)(WHO, socket)  # type: ignore[arg-type]  # it only sends
    receiver.received(b'{"type":"hello","instance":{"id":"ins_1"}}')
    assert socket.sent == [b'{"type":"drain"}']
    assert len(heard.got) == 1
    assert [line for _, line, _ in log.lines] == ["token_verified", "sent drain", "received hello"]
    assert log.ids == {"agent": "agt_1", "instance": "ins_1"}


def test_what_is_said_inside_is_told_of_and_passed_on() -> None:
    said: list[object] = []
    log = Bound()
    told(said.append, "to_router", Frames(log))(Forget("t1", 2))
    assert said == [Forget("t1", 2)]
    ((level, line, fields),) = log.lines
    assert (level, line, fields["task"], fields["attempt"]) == ("trace", "to_router Forget", "t1", 2)


def test_at_any_other_level_nothing_is_wrapped() -> None:
    def connect(identity: Identity, transport: Any) -> Receiver:
        raise NotImplementedError

    assert traced(connect, Quiet()) is connect
    assert told(connect, "to_router", Frames(Quiet())) is connect
