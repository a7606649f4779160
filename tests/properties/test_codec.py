"""Any message survives the wire unchanged, and no bytes raise anything but ProtocolError."""

from __future__ import annotations

import contextlib
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import MESSAGES, Message, Result, Task
from tests.properties.wire import JSON, LIMITS, MESSAGE, RAW, TEXT, messages_of


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_a_message_survives_encoding_and_decoding(kind: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages_of(kind))
    encoded = codec.encode(message)
    again = codec.decode(encoded, LIMITS)
    assert type(again) is kind
    assert msgspec.to_builtins(json.loads(codec.encode(again))) == json.loads(encoded)
    assert codec.encode(again) == encoded


@settings(max_examples=30)
@given(payload=RAW, data=st.data())
def test_a_payload_is_passed_on_byte_for_byte(payload: msgspec.Raw, data: st.DataObject) -> None:
    task = msgspec.structs.replace(data.draw(messages_of(Task)), input=payload)
    result = msgspec.structs.replace(data.draw(messages_of(Result)), output=payload)
    received = codec.decode(codec.encode(task), LIMITS)
    returned = codec.decode(codec.encode(result), LIMITS)
    assert isinstance(received, Task)
    assert isinstance(returned, Result)
    assert bytes(received.input) == bytes(payload)
    assert bytes(returned.output) == bytes(payload)


def refused_or_read(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        codec.decode(data, LIMITS)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_protocol_error(data: bytes) -> None:
    refused_or_read(data)


@given(TEXT | JSON.map(json.dumps) | st.text(alphabet='{}[]"\\:,0a', max_size=60))
def test_any_text_is_a_message_or_a_protocol_error(text: str) -> None:
    refused_or_read(text.encode("utf-8"))


@given(MESSAGE, st.data())
def test_a_damaged_message_is_a_message_or_a_protocol_error(message: Message, data: st.DataObject) -> None:
    encoded = bytearray(codec.encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(encoded) - 1))
        match data.draw(st.sampled_from(["change", "remove", "insert", "cut"])):
            case "change":
                encoded[place] = data.draw(st.integers(0, 255))
            case "remove" if len(encoded) > 1:
                del encoded[place]
            case "insert":
                encoded[place:place] = data.draw(st.binary(min_size=1, max_size=3))
            case _:
                del encoded[max(place, 1) :]
    refused_or_read(bytes(encoded))


@given(JSON, st.integers(0, 8))
def test_depth_is_that_of_the_value_whatever_its_strings_hold(value: object, limit: int) -> None:
    def depth(part: object) -> int:
        if isinstance(part, dict):
            return 1 + max(map(depth, part.values()), default=0)
        return 1 + max(map(depth, part), default=0) if isinstance(part, list) else 0

    if depth(value) <= limit:
        codec.check_nesting(json.dumps(value), limit)
        codec.check_nesting(json.dumps(value, ensure_ascii=False).encode(), limit)
    else:
        with pytest.raises(ProtocolError) as refused:
            codec.check_nesting(json.dumps(value), limit)
        assert refused.value.code == "too_deep"
