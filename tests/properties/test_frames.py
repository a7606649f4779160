"""However a message is cut into frames, it comes out whole, and no frames at all grow memory beyond the limits."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.transport.frames import Assembler, ControlRate, Opcode

LIMITS = Limits(message_bytes=64, fragments=5)
FRAMES = st.lists(st.tuples(st.integers(0, 15), st.binary(max_size=40), st.booleans()), max_size=30)


def cut(message: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(message)]
    return [message[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.tuples(st.binary(max_size=64), st.lists(st.integers(0, 64), max_size=4)), max_size=4))
def test_any_split_of_messages_gives_them_back(messages: list[tuple[bytes, list[int]]]) -> None:
    assembler = Assembler(LIMITS)
    for message, places in messages:
        parts = cut(message, [min(place, len(message)) for place in places])
        for number, part in enumerate(parts):
            opcode, fin = (Opcode.CONTINUATION if number else Opcode.TEXT), number == len(parts) - 1
            whole = assembler.feed(opcode, part, float(number), fin=fin)
            assert whole == (message if fin else None)
            assert assembler.started_at == (None if fin else 0.0)


@given(FRAMES)
def test_any_frames_give_messages_within_the_limits_or_a_protocol_error(frames: list[tuple[int, bytes, bool]]) -> None:
    assembler = Assembler(LIMITS)
    kept = 0
    for opcode, payload, fin in frames:
        try:
            whole = assembler.feed(opcode, payload, 0.0, fin=fin)
        except ProtocolError as refused:
            assert refused.close_code in {1002, 1003, 1009}
            return
        kept = 0 if fin else kept + len(payload)
        assert kept <= LIMITS.message_bytes
        assert whole is None or len(whole) <= LIMITS.message_bytes


@given(st.lists(st.floats(0, 0.2), max_size=60), st.integers(1, 20))
def test_control_frames_pass_while_no_second_holds_too_many(gaps: list[float], per_second: int) -> None:
    rate, now, times = ControlRate(per_second), 0.0, []
    for gap in gaps:
        now += gap
        times.append(now)
        try:
            rate.count(now)
        except ProtocolError:
            assert sum(now - time < 1.0 for time in times) > per_second
            return
    assert all(sum(0 <= time - start < 1.0 for time in times) <= 2 * per_second for start in times)
