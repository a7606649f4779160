from __future__ import annotations

import pytest

from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.transport.frames import Assembler, ControlRate, Opcode, read_close

LIMITS = Limits(message_bytes=10, fragments=3)


SENT = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4101, 4999]
NEVER_SENT = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.mark.parametrize("code", SENT)
def test_a_close_says_why_by_a_code_that_may_be_sent(code: int) -> None:
    assert read_close(code.to_bytes(2, "big")) == (code, b"")
    assert read_close(code.to_bytes(2, "big") + "gré".encode()) == (code, "gré".encode())


@pytest.mark.parametrize("payload", [*(code.to_bytes(2, "big") for code in NEVER_SENT), b"\x03"])
def test_a_close_with_a_code_that_none_may_have_breaks_the_protocol(payload: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_close(payload)
    assert (caught.value.close_code, caught.value.code) == (1002, "bad_close")


def test_a_close_may_say_nothing_and_its_reason_is_text() -> None:
    assert read_close(b"") == (1005, b"")
    with pytest.raises(ProtocolError) as caught:
        read_close(b"\x03\xe8\xff")
    assert caught.value.close_code == 1007


def refused(assembler: Assembler, opcode: int, payload: bytes = b"", *, fin: bool = True) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        assembler.feed(opcode, payload, 0.0, fin=fin)
    return caught.value


def test_a_single_frame_is_the_message_itself() -> None:
    payload = b"hello"
    assert Assembler(LIMITS).feed(Opcode.TEXT, payload, 0.0, fin=True) is payload


def test_fragments_are_joined_and_the_time_of_the_first_is_kept_meanwhile() -> None:
    assembler = Assembler(LIMITS)
    assert assembler.feed(Opcode.TEXT, b"", 5.0, fin=False) is None
    assert assembler.feed(Opcode.CONTINUATION, b"he", 6.0, fin=False) is None
    assert assembler.started_at == 5.0
    assert assembler.feed(Opcode.CONTINUATION, b"y", 7.0, fin=True) == b"hey"
    assert assembler.started_at is None
    assert assembler.feed(Opcode.TEXT, b"0123456789", 8.0, fin=True) == b"0123456789"


def test_binary_frames_are_refused() -> None:
    assert refused(Assembler(LIMITS), Opcode.BINARY).close_code == 1003


@pytest.mark.parametrize("opcode", [Opcode.CONTINUATION, 0x3, 0x7, Opcode.CLOSE, Opcode.PING, 0xB])
def test_a_frame_that_begins_no_message_is_refused(opcode: int) -> None:
    assert refused(Assembler(LIMITS), opcode).close_code == 1002


def test_a_new_message_within_an_unfinished_one_is_refused() -> None:
    assembler = Assembler(LIMITS)
    assembler.feed(Opcode.TEXT, b"", 0.0, fin=False)
    assert refused(assembler, Opcode.TEXT).close_code == 1002


def test_all_fragments_together_count_for_the_size() -> None:
    assembler = Assembler(LIMITS)
    assembler.feed(Opcode.TEXT, b"012345", 0.0, fin=False)
    error = refused(assembler, Opcode.CONTINUATION, b"67890")
    assert (error.close_code, error.code) == (1009, "message_too_big")


def test_empty_fragments_are_counted_too() -> None:
    assembler = Assembler(LIMITS)
    assembler.feed(Opcode.TEXT, b"", 0.0, fin=False)
    for _ in range(2):
        assembler.feed(Opcode.CONTINUATION, b"", 0.0, fin=False)
    error = refused(assembler, Opcode.CONTINUATION, fin=False)
    assert (error.close_code, error.code) == (1009, "too_many_fragments")


def test_control_frames_are_counted_by_the_second() -> None:
    rate = ControlRate(3)
    for now in (0.0, 0.5, 0.9, 1.0, 1.5, 1.9):
        rate.count(now)
    with pytest.raises(ProtocolError) as flood:
        rate.count(1.99)
    assert (flood.value.code, flood.value.close_code) == ("control_flood", 4107)
