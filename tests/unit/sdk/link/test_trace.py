from typing import Any

from agentic_atlas.sdk.link.trace import traced
from agentic_atlas.transport.receiver import Receiver
from tests.unit.sdk.memory_wire import Lines


class Socket:
    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)


class Heard(Receiver):
    def __init__(self) -> None:
        self.got: list[bytes] = []

    def received(self, data: bytes) -> None:
        self.got.append(data)


class Quiet(Lines):
    def is_enabled_for(self, _level: int) -> bool:
        return False


async def test_every_message_of_a_connection_is_told_of_and_goes_its_way() -> None:
    socket, heard, log = Socket(), Heard(), Lines()

    async def connect(token: str, receiver: Any) -> Any:
        receiver.received(b'{"type":"welcome"}')
        return socket

    opened = await traced(connect, log)("token", heard)
    opened.send(b'{"type":"beat"}')
    assert (socket.sent, heard.got) == ([b'{"type":"beat"}'], [b'{"type":"welcome"}'])
    assert [(level, line) for level, line, _ in log.lines] == [("trace", "received welcome"), ("trace", "sent beat")]


def test_at_any_other_level_nothing_is_wrapped() -> None:
    async def connect(token: str, receiver: Receiver) -> Any:
        raise NotImplementedError

    assert traced(connect, Quiet()) is connect
