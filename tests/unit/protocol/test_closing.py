from __future__ import annotations

import pytest

from agentic_atlas.protocol.closing import ADVICE, CloseCode, CloseReason, comes_back, decode_reason, encode_reason

MOST = 123


def test_every_code_has_words_for_the_person_who_runs_the_agent() -> None:
    assert set(ADVICE) == set(CloseCode)
    assert all(advice.happened and advice.fix for advice in ADVICE.values())


@pytest.mark.parametrize("code", CloseCode)
def test_the_range_of_a_code_says_whether_to_come_back(code: CloseCode) -> None:
    assert comes_back(code) == (code == 1001 or 4000 <= code <= 4099)


@pytest.mark.parametrize("code", [1002, 1006, 1007, 1009, 1011, 3000, 4200])
def test_an_agent_comes_back_after_codes_that_are_not_ours(code: int) -> None:
    assert comes_back(code)


@pytest.mark.parametrize("code", ["", "token_in_use", "x" * 80, "x" * 1000, "é" * 100, '"' * 70, "\x00" * 50])
@pytest.mark.parametrize("retry_after", [None, 0.0, 30, 1.2345678901234567e-300, 1e300, float("inf"), float("nan")])
def test_a_reason_fits_a_close_frame_and_is_read_again(code: str, retry_after: float | None) -> None:
    encoded = encode_reason(code, retry_after)
    assert len(encoded) <= MOST
    encoded.decode("utf-8")
    assert decode_reason(encoded).code in {code, ""}


def test_a_short_reason_keeps_its_code_and_time() -> None:
    assert decode_reason(encode_reason("token_in_use", 30.0)) == CloseReason("token_in_use", 30.0)


@pytest.mark.parametrize(
    "reason", [b"", b"bye", b"\xff\xfe", b"[1]", b'{"code":5}', b"[" * 5000, b'{"retry_after":"soon"}']
)
def test_a_reason_that_is_not_ours_reads_as_an_empty_one(reason: bytes) -> None:
    assert decode_reason(reason) == CloseReason()
