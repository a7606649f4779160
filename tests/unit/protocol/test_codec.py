from __future__ import annotations

import json
import random

import msgspec
import pytest

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.codec import MOST_DIGITS, ProtocolError, is_object, numbers_fit, passed_on
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


FIT = [
    "0",
    "1e308",
    "1E+308",
    "-1.7976931348623157e308",
    "0.1e309",
    "1e-999",
    "1e0000000001",
    "9" * 400,
    "9" * MOST_DIGITS,
    "-" + "9" * MOST_DIGITS,
    "0." + "9" * 5_000,
    "true",
    "1e99",
]
TOO_LARGE = [
    "1e309",
    "-1E+400",
    "1e00309",
    "9" * 400 + ".5",
    "9" * 300 + "e9",
    "1.8e308",
    "0.1e310",
    "-" + "9" * 220 + "E90",
    "9" * 4_301,
    "-1" + "0" * 5_000,
]


@pytest.mark.parametrize("number", FIT)
def test_a_number_that_a_reader_takes_fits(number: str) -> None:
    msgspec.json.decode(number)
    for text in (number, f'{{"a":[{number},"1e999"]}}', f'["x\\\\",{number}]', f'["\\"",{number}]'):
        assert numbers_fit(text.encode())


@pytest.mark.parametrize("number", TOO_LARGE)
def test_a_number_that_no_reader_takes_does_not_fit_wherever_it_stands(number: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(number)
    for text in (number, f'{{"a":[{number}]}}', f'["x\\\\",{number}]', f'["\\"",{number},"1"]', f"[ {number} ]"):
        assert not numbers_fit(text.encode())


@pytest.mark.parametrize("text", ["1e999", "x 1E+999 y", '"1e999', "\\1e999\\", "9" * 5_000, "é1e999"])
def test_what_is_in_a_string_is_no_number(text: str) -> None:
    for value in (text, [text], {text: [text, {"a": text}]}):
        assert numbers_fit(json.dumps(value).encode())
        assert numbers_fit(json.dumps(value, ensure_ascii=False).encode())


def test_it_agrees_with_a_reader_for_any_numbers() -> None:
    chance = random.Random(3)
    for _ in range(2_000):
        whole = "".join(chance.choice("0123456789") for _ in range(chance.choice([1, 3, 150, 310]))).lstrip("0") or "0"
        text = whole + chance.choice(["", ".5", "." + "1" * 250]) + chance.choice(["", "e7", "E+150", "e308", "e-400"])
        try:
            msgspec.json.decode(f"[{text}]")
            fits = True
        except msgspec.ValidationError:
            fits = False
        assert numbers_fit(f'["{text}",{text}]'.encode()) == fits, text


@pytest.mark.parametrize(("text", "answer"), [("{}", True), (' \n\t{"a":1}', True), ("[{}]", False), ('"{"', False)])
def test_an_object_is_told_from_other_values_by_its_first_bracket(text: str, answer: bool) -> None:
    assert is_object(text.encode()) is answer
    assert is_object(msgspec.Raw(text.encode())) is answer


class Kept(msgspec.Struct, frozen=True):
    id: str
    agent: str
    size: int
    secret: str = ""


class Told(msgspec.Struct, frozen=True):
    id: str
    agent: str
    size: str
    more: int = 0


KEPT = Kept("t1", "hello", 7, "s")


def test_fields_of_one_name_are_passed_on_and_what_differs_is_given() -> None:
    assert passed_on(Told, KEPT, size="7 bytes") == Told("t1", "hello", "7 bytes")
    assert passed_on(Told, KEPT, size="7", more=1).more == 1


def test_what_is_given_is_a_field_of_it() -> None:
    with pytest.raises(TypeError):
        passed_on(Told, KEPT, sise="7")


def test_a_field_that_is_in_neither_is_missed() -> None:
    class Wants(msgspec.Struct, frozen=True):
        id: str
        agent: str
        absent: str

    with pytest.raises(TypeError):
        passed_on(Wants, KEPT)
