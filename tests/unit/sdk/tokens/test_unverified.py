"""What is read of a token, and its name: its id where that can be one, else a digest, never the token."""

from __future__ import annotations

import base64
import json

import pytest

from agentic_atlas.sdk.tokens.unverified import lineage_name, read, token_name


def token(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJFZERTQSJ9.{payload}.c2lnbmF0dXJl"


def test_a_token_is_named_by_its_id() -> None:
    assert token_name(token(jti="tok_01ABC-x", sub="agt_1")) == "tok_01ABC-x"


@pytest.mark.parametrize(
    "odd",
    [
        "head.body.signature",
        "no-token",
        "",
        "a..b",
        "a.ä.b",
        token(sub="agt_1"),
        token(jti=7),
        token(jti=""),
        token(jti="../../etc"),
        token(jti="a/b"),
        token(jti="x" * 65),
        token(jti="tok_1\n"),
    ],
)
def test_any_other_is_named_by_a_digest(odd: str) -> None:
    name = token_name(odd)
    assert name.startswith("sha256-")
    assert len(name) == 39
    assert name != token_name(odd + "x")
    assert not set(odd.split(".")) - {""} & {name}


def test_tokens_that_came_out_of_one_have_its_name_in_common() -> None:
    first, renewed = token(jti="tok_1"), token(jti="tok_2", lineage="tok_1")
    assert [token_name(first), token_name(renewed)] == ["tok_1", "tok_2"]
    assert lineage_name(first) == lineage_name(renewed) == "tok_1"
    assert lineage_name(token(jti="tok_2", lineage="../x")) == "tok_2"


def test_its_times_are_read_and_nothing_of_what_is_odd() -> None:
    said = read(token(jti="tok_1", iat=1, exp=3))
    assert (said.iat, said.exp) == (1, 3)
    assert read(token(jti="tok_1", exp="soon")).exp is None
