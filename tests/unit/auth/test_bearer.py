import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_atlas.auth import MAX_TOKEN_BYTES, TokenRefused, read_bearer
from tests.unit.auth.forge import forged


def refusal(*values: str) -> str:
    with pytest.raises(TokenRefused) as caught:
        read_bearer(values)
    return caught.value.code


def test_one_header_with_one_token_gives_the_token() -> None:
    assert read_bearer([f"Bearer {forged()}"]) == forged()


@pytest.mark.parametrize("value", ["bearer abc", "BEARER abc", "bEaReR   abc"])
def test_the_scheme_is_a_word_in_any_case_and_spaces_follow_it(value: str) -> None:
    assert read_bearer([value]) == "abc"


def test_the_longest_token_fits() -> None:
    assert read_bearer(["Bearer " + "a" * MAX_TOKEN_BYTES]) == "a" * MAX_TOKEN_BYTES


@pytest.mark.parametrize("values", [(), ("",), (" ",), ("Bearer",), ("Bearer ",), ("Bearer  ",), ("bearer",)])
def test_a_request_without_a_token_says_that_it_is_missing(values: tuple[str, ...]) -> None:
    assert refusal(*values) == "token_missing"


def test_two_headers_are_refused_even_when_they_agree() -> None:
    assert refusal("Bearer abc", "Bearer abc") == "token_malformed"
    assert refusal("Bearer abc", "Basic abc") == "token_malformed"


@pytest.mark.parametrize(
    "value",
    [
        "Bearerabc",
        "Basic abc",
        "abc",
        "Bearer Bearer abc",
        "Bearer abc def",
        "Bearer abc, Bearer def",
        "Bearer abc,def",
        " Bearer abc",
        "Bearer abc ",
        "Bearer abc\n",
        "Bearer\tabc",
        "Bearer abc\x00",
        'Bearer "abc"',
        "Bearer é",
    ],
)
def test_anything_but_the_scheme_spaces_and_one_token_is_refused(value: str) -> None:
    assert refusal(value) == "token_malformed"


def test_a_header_longer_than_any_token_is_refused_unread() -> None:
    assert refusal("Bearer " + "a" * (MAX_TOKEN_BYTES + 1)) == "token_too_long"
    assert refusal(" " * 1_000_000) == "token_too_long"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(), max_size=3))
def test_any_headers_are_only_ever_refused_or_read(values: list[str]) -> None:
    try:
        assert read_bearer(values) in values[0]
    except TokenRefused as refused:
        assert refused.code in ("token_missing", "token_malformed")
