import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_atlas.auth.strict_json import loads_object


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=4))
def test_plain_objects_are_read(value: dict[str, object]) -> None:
    assert loads_object(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"1",
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":"\xff"}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":1}{}',
        b"{'a':1}",
        b'{"a":' + b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' + b"1" * 5000 + b"}",
    ],
)
def test_what_has_more_than_one_reading_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        loads_object(data)
