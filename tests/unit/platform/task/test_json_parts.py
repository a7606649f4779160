"""A JSON value as a tree: what is shown of it, what is counted, and that nothing in it can hide."""

from __future__ import annotations

import json

from agentic_atlas.platform.readable import MOST_VALUES
from agentic_atlas.platform.task.json_parts import (
    MOST_COPIED,
    MOST_IN_PART,
    MOST_PARTS,
    MOST_TEXT,
    JsonPart,
    PayloadView,
    payload,
)


def shown(value: object) -> PayloadView:
    return payload(json.dumps(value).encode())


def count(part: JsonPart) -> int:
    return 1 + sum(count(one) for one in part.parts)


def test_each_kind_of_value_is_told_apart() -> None:
    whole = shown({"a": [1, "x"], "b": None, "c": True, "d": "one\ntwo", "e": {}}).whole
    assert [(part.name, part.kind, part.text) for part in whole.parts] == [
        ("a", "array", "2 items"), ("b", "word", "null"), ("c", "word", "true"), ("d", "text", "one\ntwo"),
        ("e", "object", "0 fields"),
    ]  # fmt: skip
    assert [(part.kind, part.text) for part in whole.parts[0].parts] == [("number", "1"), ("string", "x")]


def test_numbers_stand_as_they_were_sent() -> None:
    sent = b"[12345678901234567890123, 1.10, 1e400, -0]"
    assert [part.text for part in payload(sent).whole.parts] == ["12345678901234567890123", "1.10", "1e400", "-0"]


def test_what_cannot_be_seen_is_written_out() -> None:
    whole = payload(b'{"\\u202ekey": "\\u0000\\u200b\\ud800\\ttab"}').whole
    assert (whole.parts[0].name, whole.parts[0].text) == ("\\u202ekey", "\\u0000\\u200b\\ud800\ttab")


def test_what_is_too_much_to_read_is_cut_and_counted() -> None:
    long = shown("x" * 1_000_000)
    assert (long.cut, len(long.whole.text), long.whole.left_out) == (True, MOST_TEXT, 1_000_000 - MOST_TEXT)
    wide = shown(list(range(1_000)))
    assert (wide.cut, len(wide.whole.parts), wide.whole.left_out) == (True, MOST_IN_PART, 1_000 - MOST_IN_PART)
    assert 400 <= count(shown([[list(range(20))] * 20] * 20).whole) <= MOST_PARTS + 50
    assert not shown({"a": [1]}).cut


def test_what_has_more_values_than_are_read_is_shown_as_its_beginning() -> None:
    many = payload(b"[" + b"1," * MOST_VALUES + b"1]")
    assert (many.cut, many.whole.kind, many.whole.text[:5], len(many.whole.text)) == (
        True,
        "string",
        "[1,1,",
        MOST_TEXT,
    )


def test_what_is_nested_deeper_than_anybody_reads_is_shown_as_its_beginning() -> None:
    assert shown(json.loads("[" * 40 + "]" * 40)).cut
    deep = payload(b"[" * 100_000 + b"]" * 100_000)
    assert (deep.cut, deep.whole.kind, deep.whole.text[:3]) == (True, "string", "[[[")


def test_all_of_it_is_copied_unless_it_is_long() -> None:
    assert shown({"a": [1]}).copied == '{\n  "a": [\n    1\n  ]\n}'
    assert shown("x" * MOST_COPIED).copied == ""
    deep = b"[" + b",".join([b"[" * 60 + b"]" * 60] * 200) + b"]"
    assert payload(deep).copied == deep.decode()


def test_what_has_few_members_is_open_at_first() -> None:
    whole = shown({"few": [1], "many": list(range(31)), "deep": {"deeper": [1]}}).whole
    few, many, deep = whole.parts
    assert (whole.opened, few.opened, many.opened, deep.opened, deep.parts[0].opened) == (
        True,
        True,
        False,
        True,
        False,
    )
