from __future__ import annotations

from agentic_atlas.router.flow import Pause, ReceiveBuffer


class Transport:
    reading = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def send(self, data: bytes) -> None: ...

    def ping(self) -> None: ...

    def close(self, code: int, reason: bytes) -> None: ...

    def buffered(self) -> int:
        return 0


def intake(most: int = 100) -> tuple[ReceiveBuffer, list[bytes], Transport]:
    taken: list[bytes] = []
    transport = Transport()
    return ReceiveBuffer(transport, taken.append, most), taken, transport


def test_messages_pass_while_there_is_no_reason_to_wait() -> None:
    one, taken, _ = intake()
    assert one.received(b"a")
    assert one.received(b"b")
    assert taken == [b"a", b"b"]


def test_what_comes_during_a_pause_follows_in_order() -> None:
    one, taken, transport = intake()
    one.pause(Pause.STORING)
    assert not transport.reading
    for data in (b"a", b"b"):
        assert one.received(data)
    assert taken == []
    one.resume(Pause.STORING)
    assert (taken, transport.reading, one.paused) == ([b"a", b"b"], True, False)


def test_the_last_reason_decides() -> None:
    one, taken, transport = intake()
    one.pause(Pause.STORING)
    one.pause(Pause.SENDING)
    one.received(b"a")
    one.resume(Pause.STORING)
    assert (taken, transport.reading) == ([], False)
    one.resume(Pause.SENDING)
    assert (taken, transport.reading) == ([b"a"], True)


def test_a_message_that_gives_a_new_reason_stops_the_ones_behind_it() -> None:
    transport, taken = Transport(), []

    def take(data: bytes) -> None:
        taken.append(data)
        if data == b"b":
            one.pause(Pause.STORING)

    one = ReceiveBuffer(transport, take, 100)
    one.pause(Pause.STORING)
    for data in (b"a", b"b", b"c"):
        one.received(data)
    one.resume(Pause.STORING)
    assert (taken, transport.reading) == ([b"a", b"b"], False)
    one.received(b"d")
    one.resume(Pause.STORING)
    assert taken == [b"a", b"b", b"c", b"d"]


def test_a_reason_that_is_gone_while_messages_are_handed_on_does_not_change_their_order() -> None:
    transport, taken = Transport(), []

    def take(data: bytes) -> None:
        one.pause(Pause.STORING)
        taken.append(data)
        one.resume(Pause.STORING)

    one = ReceiveBuffer(transport, take, 100)
    one.pause(Pause.STORING)
    for data in (b"a", b"b", b"c"):
        one.received(data)
    one.resume(Pause.STORING)
    assert (taken, transport.reading) == ([b"a", b"b", b"c"], True)


def test_more_than_may_wait_is_reported() -> None:
    one, _, _ = intake(most=3)
    one.pause(Pause.SENDING)
    assert one.received(b"abc")
    assert not one.received(b"d")


def test_nothing_is_handed_on_after_the_end() -> None:
    one, taken, _ = intake()
    one.pause(Pause.SENDING)
    one.received(b"a")
    one.stop()
    one.resume(Pause.SENDING)
    assert taken == []
