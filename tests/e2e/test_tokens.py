"""A token that is not good enough is refused, and the agent says what to do."""

import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.e2e.processes import Platform, connected
from tests.e2e.programs import ECHO


def signing_key(platform: Platform) -> tuple[str, Ed25519PrivateKey]:
    path = next((platform.folder / "data" / "keys").glob("*.pem"))
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return path.stem, key


def good(platform: Platform) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a token that the platform issued."""
    token = platform.token("echo")
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return a token of algorithm `none`; its signature is there, for without one the agent would not even send it."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    return ".".join([*parts, "AA"])


def forged(platform: Platform, kind: str) -> str:
    kid, key = signing_key(platform)
    header, claims = good(platform)

    def sign(claims: dict[str, Any], by: Any = key, algorithm: str = "EdDSA", **more: str) -> str:
        return jwt.encode(claims, by, algorithm, headers={"typ": "agent+jwt", "kid": kid} | more)

    if kind == "hs256":
        public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return sign(claims, public, "HS256")
    changes: dict[str, dict[str, Any]] = {
        "expired": {"iat": 1, "nbf": 1, "exp": 2},
        "not_yet_valid": {"nbf": claims["exp"] - 10},
        "audience": {"aud": "somebody-else"},
        "issuer": {"iss": "atlas:net_other"},
    }
    if kind in changes:
        return sign(claims | changes[kind])
    return {
        "malformed": "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl",
        "foreign_key": sign(claims, Ed25519PrivateKey.generate()),
        "none": unsigned(header | {"alg": "none"}, claims),
        "typ": sign(claims, typ="JWT"),
        "unknown_token": sign(claims | {"jti": "tok_of_nobody"}),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "malformed", "expired", "foreign_key", "none", "hs256", "audience", "issuer", "typ",
        "unknown_token",
    ],
)  # fmt: skip
def test_a_bad_token_is_refused_and_the_agent_says_what_to_do(shared_platform: Platform, kind: str) -> None:
    with shared_platform.agent("echo", ECHO, token=forged(shared_platform, kind)) as agent:
        assert agent.wait() != 0
        assert "Traceback" not in agent.output
        assert "atlas tokens create" in agent.output or "clock" in agent.output, agent.output
    online = json.loads(shared_platform.atlas("agents", "show", "echo", "--json"))["instances_online"]
    assert online == 0


def test_a_token_of_another_agent_is_refused_and_that_agent_stays_as_it_is(shared_platform: Platform) -> None:
    token = shared_platform.token("owner")
    with shared_platform.agent("owner", ECHO, token=token) as agent:
        assert agent.wait() == 2
        assert "it is for owner, the code declares echo" in agent.output
        assert "Traceback" not in agent.output
    assert json.loads(shared_platform.atlas("agents", "show", "owner", "--json"))["skills"] == []


def test_a_token_whose_time_has_not_come_is_tried_again(shared_platform: Platform) -> None:
    with shared_platform.agent("echo", ECHO, token=forged(shared_platform, "not_yet_valid")) as agent:
        said = agent.wait_for("the token becomes valid in")
        assert "set the clocks" in said
        assert "Trying again" in said
        assert agent.stop() == 0


@pytest.mark.parametrize("token", ["x" * 5000, "two words", '"quoted.token.x"', "Bearer a.b.c"])
def test_a_token_that_can_not_be_one_is_refused_before_anything_is_sent(shared_platform: Platform, token: str) -> None:
    with shared_platform.agent("echo", ECHO, token=token) as agent:
        assert agent.wait() == 2
        assert "AGENT_JWT_TOKEN" in agent.output
        assert token not in agent.output


def test_without_a_token_the_agent_says_where_to_get_one(shared_platform: Platform, tmp_path: Path) -> None:
    with shared_platform.agent("echo", ECHO, token=" ", AGENT_JWT_TOKEN="") as agent:
        assert agent.wait() == 2
        assert "AGENT_JWT_TOKEN" in agent.output
        assert "atlas tokens create" in agent.output


def test_a_revoked_token_ends_its_connection_and_lets_nobody_in_again(platform: Platform) -> None:
    token = platform.token("echo")
    listed = json.loads(platform.atlas("tokens", "list", "echo", "--json"))
    with platform.agent("echo", ECHO, token=token) as agent:
        agent.wait_for(connected)
        platform.atlas("tokens", "revoke", listed["items"][0]["id"])
        assert agent.wait() != 0
        assert "revoked" in agent.output
        assert "atlas tokens create" in agent.output
    with platform.agent("echo", ECHO, token=token) as agent:
        assert agent.wait() != 0
        assert "revoked" in agent.output
