"""Which JSON texts are read for a page."""

from __future__ import annotations

import json

from agentic_atlas.platform.readable import MOST_VALUES, readable


def test_what_has_few_values_is_read_however_long_it_is() -> None:
    assert readable(json.dumps("x" * 3_000_000))
    assert readable(json.dumps(list(range(MOST_VALUES - 1))).encode())


def test_what_has_more_values_than_are_read_is_not() -> None:
    assert not readable(b"[" + b"[]," * MOST_VALUES + b"[]]")
    assert not readable("[" * MOST_VALUES)
    assert not readable(json.dumps({str(number): None for number in range(MOST_VALUES + 1)}))


def test_what_stands_in_strings_is_no_value() -> None:
    table = 'a,b,"c",[d]\\\n' * 50_000
    assert readable(json.dumps({"table": table}))
    assert not readable(json.dumps({"table": table, "more": [0] * MOST_VALUES}))
    assert not readable(json.dumps([","] * (2 * MOST_VALUES + 1)))
