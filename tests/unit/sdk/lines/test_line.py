"""Lines are bounded and without tokens, whatever a program logs."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from agentic_atlas.protocol.messages import LINE_BYTES, LogLine
from agentic_atlas.sdk.lines.line import FIELDS, clean, encoded_fields, fitting, plain_fields, traceback_of

TOKEN = f"eyJ{'a' * 40}.{'b' * 300}.{'c' * 86}"


def line(message: str, exception: str = "", fields: bytes = b"{}") -> LogLine:
    return LogLine(1.0, "info", message, "logging", exception=exception, fields=Raw(fields))


def test_a_line_that_fits_stays_as_it_is() -> None:
    said = line("short", "trace", b'{"n":1}')
    same, size = fitting(said)
    assert same is said
    assert size == len(msgspec.json.encode(said))


def test_of_a_long_line_the_middle_is_left_out_until_it_fits_on_the_wire() -> None:
    for text in ("x" * 100_000, "\x01" * 100_000, "é" * 60_000, "\U0001f600" * 60_000):
        cut, size = fitting(line(text, text, b'{"text":"%s"}' % (b"y" * 20_000)))
        assert size == len(msgspec.json.encode(cut)) <= LINE_BYTES
        assert cut.message.startswith(text[0])
        assert cut.message.endswith(text[-1])
        assert len(cut.message) + len(cut.exception) + len(bytes(cut.fields)) <= LINE_BYTES


def test_no_token_is_told_not_even_a_part_of_one_at_a_cut() -> None:
    for before in range(0, 900, 7):
        text = clean("x" * before + " " + TOKEN + " " + "y" * 900, 1_000)
        assert "aaaa" not in text
        assert "bbbb" not in text
        assert "cccc" not in text
    assert "[redacted]" in clean(f"Authorization: Bearer {TOKEN}")
    beyond = clean("x" * 50_000 + " " + TOKEN * 50 + " " + "y" * 50_000, 1_000)
    assert "aaaa" not in beyond


def test_what_is_no_unicode_is_replaced() -> None:
    assert clean("a\ud800b") == "a?b"


def test_fields_are_json_whatever_they_are() -> None:
    class Broken:
        def __str__(self) -> str:
            raise ValueError

    fields = plain_fields({"n": 1, "far": 2**60, "nan": float("nan"), "b": True, "x": Broken(), "t": TOKEN})
    assert fields["n"] == 1
    assert fields["far"] == str(2**60)
    assert fields["nan"] == "nan"
    assert fields["b"] is True
    assert "Broken" in str(fields["x"])
    assert fields["t"] == "[redacted]"
    assert len(plain_fields({str(n): n for n in range(100)})) == FIELDS
    assert bytes(encoded_fields({})) == b"{}"
    assert msgspec.json.decode(encoded_fields({"a": 1})) == {"a": 1}


def test_a_traceback_is_told_also_of_an_error_that_cannot_describe_itself() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    try:
        raise Mute
    except Mute as error:
        assert "Mute" in traceback_of(error)
    try:
        raise ValueError(TOKEN)
    except ValueError as error:
        told = traceback_of(error)
        assert told.startswith("Traceback")
        assert "[redacted]" in told
        assert "aaaa" not in told
