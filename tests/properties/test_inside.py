"""Whatever router and backend say to each other survives a bus, payloads byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.inside import codec
from agentic_atlas.protocol.inside.messages import Deliver, FromRouter, Reported, ToRouter
from tests.properties.wire import strategy

READERS: list[tuple[type[Any], Callable[[bytes], object]]] = [
    *((kind, codec.from_router) for kind in get_args(FromRouter)),
    *((kind, codec.to_router) for kind in get_args(ToRouter)),
]


@pytest.mark.parametrize(("kind", "read"), READERS, ids=[kind.__name__ for kind, _ in READERS])
@settings(max_examples=8)
@given(data=st.data())
def test_every_message_encodes_and_decodes_to_itself(
    kind: type[Any], read: Callable[[bytes], object], data: st.DataObject
) -> None:
    message = data.draw(strategy(inspect.type_info(kind)))
    again = read(codec.encode(message))
    assert type(again) is kind
    assert again == message


@settings(max_examples=8)
@given(st.data())
def test_payloads_are_passed_on_byte_for_byte(data: st.DataObject) -> None:
    delivered = data.draw(strategy(inspect.type_info(Deliver)))
    reported = data.draw(strategy(inspect.type_info(Reported)))
    received, stored = codec.to_router(codec.encode(delivered)), codec.from_router(codec.encode(reported))
    assert isinstance(received, Deliver)
    assert isinstance(stored, Reported)
    assert bytes(received.task.input) == bytes(delivered.task.input)
    assert codec.encode(stored) == codec.encode(reported)


@pytest.mark.parametrize("read", [codec.from_router, codec.to_router])
@given(st.binary(max_size=100) | st.sampled_from([b'{"type":"Nothing"}', b"[" * 100_000, b"null"]))
def test_any_bytes_are_a_message_or_a_protocol_error(read: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read(data)
