from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_atlas.errors import PayloadTooLarge
from agentic_atlas.sdk.client.sse import Parser

STREAM = (
    b"\xef\xbb\xbf: hello\r\nid: 1\r\nevent: state\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n"
    b"data: second\n\n\n"
    b"retry: 100\rid:3\rdata:third\r\r"
    b"event: ignored\n\n"
    b"id: bad\0id\ndata\n\n"
)  # fmt: skip
EVENTS = [
    ("state", b'{"a":\n1}'),
    ("message", b"second"),
    ("message", b"third"),
    ("message", b""),
]


def test_a_stream_with_every_kind_of_line_is_read_as_the_standard_says() -> None:
    assert Parser().feed(STREAM) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_where_the_bytes_are_cut_makes_no_difference(cuts: list[int]) -> None:
    parser, edges = Parser(), [0, *sorted(cuts), len(STREAM)]
    found = [event for a, b in pairwise(edges) for event in parser.feed(STREAM[a:b])]
    assert found == EVENTS


def test_an_event_that_was_not_ended_never_shows() -> None:
    assert Parser().feed(b"data: half\n") == []


@pytest.mark.parametrize("stream", [b"data: " + b"x" * 100, b"data: xxxxxxx\n" * 10], ids=["one line", "many lines"])
def test_an_event_longer_than_the_limit_is_refused_before_it_ends(stream: bytes) -> None:
    with pytest.raises(PayloadTooLarge, match="more than 64 bytes"):
        Parser(limit=64).feed(stream)


def test_the_limit_is_for_one_event_and_not_for_the_stream() -> None:
    assert len(Parser(limit=64).feed(b"data: xxxxxxx\n\n" * 100)) == 100
