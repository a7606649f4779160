from __future__ import annotations

import json
import random

import pytest

from agentic_atlas.protocol.nesting import excess

ANY = 10**6


def nests_deeper(text: bytes, limit: int) -> bool:
    return excess(text, limit, ANY) == "depth"


def holds_more(text: bytes, limit: int) -> bool:
    return excess(text, ANY, limit) == "containers"


def deepest(text: str) -> int:
    """Count one bracket after the other; strings were left out by whoever made the text."""
    depth = most = 0
    for character in text:
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(character, 0)
        most = max(most, depth)
    return most


@pytest.mark.parametrize("depth", [1, 7, 8, 9, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000])
@pytest.mark.parametrize("before", [0, 1, 5, 31, 63])
def test_the_limit_is_exact_wherever_the_deepest_place_is(depth: int, before: int) -> None:
    text = b"[" + b"{}," * before + b"[" * (depth - 1) + b"]" * (depth - 1) + b",[]" * before + b"]"
    deepest = max(depth, 2 if before else 1)
    assert not nests_deeper(text, deepest)
    assert nests_deeper(text, deepest - 1)


def test_any_walk_of_brackets_is_as_deep_as_counting_one_by_one_says() -> None:
    chance = random.Random(5)
    for _ in range(300):
        up = chance.choice([0.3, 0.45, 0.5, 0.55, 0.8])
        text = "".join(chance.choice("[{") if chance.random() < up else "]" for _ in range(chance.randrange(700)))
        for limit in (0, 1, 3, 10, 64, chance.randrange(200)):
            assert nests_deeper(text.encode(), limit) == (deepest(text) > limit)


@pytest.mark.parametrize(
    "string",
    [
        "[" * 99,
        "]" * 99,
        '"[',
        '\\"[',
        "\\",
        "\\\\",
        "[\\",
        '[[["]]]',
        '\\\\"[[',
        "é[",
        "\n[\t{",
        '""""[',
        '"' * 7 + "{" * 70,
    ],
)
def test_a_string_is_never_deep_whatever_it_holds(string: str) -> None:
    for value in (string, [string, string], {string: string, "x": [string]}):
        depth = 0 if value is string else 1 if isinstance(value, list) else 2
        around = json.dumps([value, {"a": [[]]}, value] + [{}] * 70, ensure_ascii=False).encode()
        assert not nests_deeper(around, max(depth + 1, 4))
        assert nests_deeper(around, max(depth + 1, 4) - 1)


def test_what_follows_the_first_fault_of_a_text_does_not_matter() -> None:
    assert nests_deeper(b"[" * 65 + b"}" * 3 + b'"', 64)
    assert nests_deeper(b"[" * 65 + b'"' + b"[" * 99, 64)
    assert not nests_deeper(b'["' + b"[" * 99, 64)


@pytest.mark.parametrize(
    "text", [b"[]" * 40, b"[{}]" * 20, b"[" * 40, b'{"[[":"{{","\\"[":[]}' * 20, b'["[]",' * 39 + b"{}"]
)
def test_what_is_not_in_strings_is_counted_exactly(text: bytes) -> None:
    assert not holds_more(text, 40)
    assert holds_more(text, 39)


def test_a_long_string_of_brackets_holds_none() -> None:
    assert not holds_more(b'"%b"' % (b"[" * 10_000), 0)
