"""Tokens as an attacker would write them: any header, any content, any signature."""

import base64
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentic_atlas.auth import AgentClaims, KeyRing, Scope, SigningKey

NOW = 1_800_000_000
NETWORK = "n1"
KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), NOW - 1000)
OTHER_KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))), NOW - 500)
RING = KeyRing(KEY)
HEADER: dict[str, object] = {"alg": "EdDSA", "typ": "agent+jwt", "kid": KEY.kid}
CLAIMS = AgentClaims(
    jti="tok-1",
    agent_id="agent-1",
    network=NETWORK,
    name="translator",
    scopes=(Scope.AGENT_CONNECT,),
    iat=NOW - 10,
    nbf=NOW - 10,
    exp=NOW + 3600,
)
PAYLOAD: dict[str, object] = {
    "iss": "atlas:n1",
    "aud": "atlas-router",
    "sub": "agent-1",
    "jti": "tok-1",
    "iat": NOW - 10,
    "nbf": NOW - 10,
    "exp": NOW + 3600,
    "scope": "agent:connect",
    "name": "translator",
}


def b64(data: bytes | str) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def as_bytes(value: dict[str, object] | str | bytes) -> bytes:
    """A dict is written as JSON; text and bytes are taken as they are."""
    if isinstance(value, dict):
        return json.dumps(value).encode()
    return value.encode() if isinstance(value, str) else value


def forged(
    header: dict[str, object] | str | bytes = HEADER,
    payload: dict[str, object] | str | bytes = PAYLOAD,
    key: SigningKey = KEY,
) -> str:
    """A token with a true signature of `key` over whatever it is given."""
    signed = f"{b64(as_bytes(header))}.{b64(as_bytes(payload))}"
    return f"{signed}.{b64(key.private.sign(signed.encode()))}"


def without(members: dict[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in members.items() if key != name}
