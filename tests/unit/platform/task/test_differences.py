"""What differs between two JSON values."""

from __future__ import annotations

import json
import tracemalloc

from agentic_atlas.platform.readable import MOST_VALUES
from agentic_atlas.platform.task.differences import MOST_DIFFERENCES, MOST_PLACES, differences


def found(first: bytes | None, second: bytes | None) -> list[tuple[str, str, str]]:
    return [(one.place, one.first, one.second) for one in differences(first, second).found]


def test_what_differs_is_told_place_by_place() -> None:
    first = b'{"city": "Lisbon", "days": [1, 2], "old": true, "same": {}}'
    second = b'{"city": "Porto", "days": [1, 3, null], "same": {}}'
    assert found(first, second) == [
        ("$.city", '"Lisbon"', '"Porto"'), ("$.days[1]", "2", "3"), ("$.old", "true", ""), ("$.days[2]", "", "null"),
    ]  # fmt: skip
    assert differences(first, second).same == 2


def test_numbers_are_compared_as_they_were_sent() -> None:
    assert found(b"12345678901234567890123", b"12345678901234567890124") != []
    assert found(b"1.0", b"1") == [("$", "1.0", "1")]
    assert found(b'"1"', b"1") == [("$", '"1"', "1")]


def test_what_is_not_there_differs_from_what_is() -> None:
    assert found(None, b"null") == [("$", "", "null")]
    assert found(None, None) == []


def test_no_more_is_compared_and_shown_than_anybody_reads() -> None:
    many = differences(json.dumps(list(range(200))).encode(), b"[]")
    assert (len(many.found), many.more) == (MOST_DIFFERENCES, True)
    assert differences(json.dumps([1] * (MOST_PLACES + 1)).encode(), b"[]").more
    assert differences(b"[" * 100_000 + b"]" * 100_000, b"[]").more
    ((_, first, _),) = found(json.dumps("x\u202e" + "y" * 10_000).encode(), b"1")
    assert len(first) < 600
    assert "\\u202e" in first


def test_a_long_name_is_not_written_for_each_place_below_it() -> None:
    first, second = (json.dumps({"k" * 100_000: [number] * 4_990}).encode() for number in (1, 2))
    tracemalloc.start()
    compared = differences(first, second)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * 1024 * 1024
    assert len(compared.found) == MOST_DIFFERENCES
    assert {len(one.place) for one in compared.found} == {200}


def test_what_has_more_values_than_are_read_is_compared_as_text() -> None:
    long = json.dumps(list(range(MOST_VALUES + 1))).encode()
    compared = differences(long, long)
    assert (compared.found, compared.same, compared.more) == ([], 1, True)
    assert [one.place for one in differences(long, b"[1]").found] == ["$"]
