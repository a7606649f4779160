from __future__ import annotations

import pytest

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Beat, Event, EventKind, Limits, Result

LIMITS = Limits()


def refused(data: bytes, limits: Limits = LIMITS) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        codec.decode(data, limits)
    return caught.value


def result(output: str) -> bytes:
    return b'{"type":"result","task":"t","attempt":1,"outcome":"completed","output":%s}' % output.encode()


@pytest.mark.parametrize(
    ("data", "close_code", "code"),
    [
        (b"", 4107, "invalid_json"),
        (b"null", 4107, "invalid_message"),
        (b"[]", 4107, "invalid_message"),
        (b'"beat"', 4107, "invalid_message"),
        (b"{}", 4107, "invalid_message"),
        (b'{"type":"beat"}', 4107, "invalid_message"),
        (b'{"type":"shout","n":1}', 4107, "invalid_message"),
        (b'{"type":"beat","n":-1}', 4107, "invalid_message"),
        (b'{"type":"beat","n":1.5}', 4107, "invalid_message"),
        (b'{"type":"beat","n":99999999999999999999}', 4107, "invalid_message"),
        (b'{"type":"beat","n":1,"lag":NaN}', 4107, "invalid_json"),
        (b'{"type":"beat","n":1} {}', 4107, "invalid_json"),
        (b'{"type":"accept","task":"a b","attempt":1}', 4107, "invalid_message"),
        (b'{"type":"accept","task":"\\ud800","attempt":1}', 4107, "invalid_json"),
        (b'{"type":"beat","n":1,"x":"\xff"}', 1007, "invalid_text"),
        (b'\xed\xa0\x80{"type":"beat","n":1}', 1007, "invalid_text"),
    ],
)
def test_what_is_not_a_message_is_refused_with_its_close_code(data: bytes, close_code: int, code: str) -> None:
    error = refused(data)
    assert (error.close_code, error.code) == (close_code, code)


def test_a_message_of_exactly_the_limit_is_taken_and_one_more_byte_is_not() -> None:
    data = codec.encode(Beat(1))
    assert codec.decode(data, Limits(message_bytes=len(data))) == Beat(1)
    error = refused(data, Limits(message_bytes=len(data) - 1))
    assert (error.close_code, error.code) == (1009, "message_too_big")


def test_unknown_fields_are_ignored_so_that_a_newer_peer_may_add_some() -> None:
    assert codec.decode(b'{"type":"beat","n":7,"mood":{"good":[true]}}', LIMITS) == Beat(7)


def test_nesting_up_to_the_limit_is_taken_and_one_deeper_is_not() -> None:
    limits = Limits(depth=5)
    assert isinstance(codec.decode(result("[[[[]]]]"), limits), Result)
    assert isinstance(codec.decode(result('[[[{"a":1}]]]'), limits), Result)
    assert refused(result("[[[[[]]]]]"), limits).code == "too_deep"
    assert refused(result('[[[{"a":{}}]]]'), limits).code == "too_deep"


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert isinstance(codec.decode(result(f"[{','.join(['[{}]'] * 5000)}]"), Limits(depth=4)), Result)


def test_more_arrays_and_objects_than_a_message_may_have_are_refused_and_what_they_may_be_is_taken() -> None:
    assert isinstance(codec.decode(result("[[],{},[]]"), LIMITS, 5), Result)
    with pytest.raises(ProtocolError) as caught:
        codec.decode(result("[[],{},[[]]]"), LIMITS, 5)
    assert (caught.value.close_code, caught.value.code) == (4107, "too_many_containers")


def test_the_longest_payload_may_be_pairs_of_digits() -> None:
    pairs = ",".join(["[1,2]"] * (LIMITS.payload_bytes // 6 - 4))
    assert isinstance(codec.decode(result(f"[{pairs}]"), LIMITS), Result)


@pytest.mark.parametrize("text", ["[" * 200, "{" * 200, '\\"[[' * 100, "]" * 200, '\\\\"' + "," + '"' + "[" * 99])
def test_brackets_in_strings_do_not_count(text: str) -> None:
    assert isinstance(codec.decode(result(f'"{text}"') if "," not in text else result(f'["{text}"]'), LIMITS), Result)


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"[{" * 50_000, b"]" * 100 + b"[" * 100_000])
def test_a_bomb_of_brackets_is_refused_before_the_parser_meets_it(data: bytes) -> None:
    assert refused(data).code == "too_deep"


def test_a_deep_payload_within_generous_limits_is_a_protocol_error_and_no_crash() -> None:
    deep = "[" * 50_000 + "]" * 50_000
    assert refused(result(deep), Limits(depth=10**6)).code in {"invalid_json", "too_deep"}


def test_a_payload_stays_as_it_was_written() -> None:
    written = b'{ "b":1.50,"a" : [1e2,"\\u00e9"] }'
    event = codec.decode(b'{"type":"event","task":"t","attempt":1,"n":1,"kind":"log","data":%s}' % written, LIMITS)
    assert isinstance(event, Event)
    assert event.kind is EventKind.LOG
    assert bytes(event.data) == written
    assert written in codec.encode(event)


def test_binary_frames_have_the_close_code_of_the_standard() -> None:
    assert codec.binary_frame().close_code == 1003
