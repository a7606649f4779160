"""Agent tokens: signed and verified. Nothing in here can be switched off.

PyJWT does the cryptography. What it leaves open is closed before it sees a token: the length, the spelling, the
header's members, the algorithm and the key are settled here, so that exactly one spelling of one kind of token
exists. The content is read only after its signature holds. Rules: RFC 7515, RFC 7519, RFC 8725.
"""

import json
from collections.abc import Mapping
from typing import Final, Never

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agentic_atlas.auth import base64url, strict_json
from agentic_atlas.auth.claims import AgentClaims, claims_of, payload_of
from agentic_atlas.auth.errors import TokenRefused, span
from agentic_atlas.auth.keys import KeyRing, VerificationKey
from agentic_atlas.auth.secrets import MAX_TOKEN_BYTES

CLOCK_LEEWAY: Final = 60
"""Seconds by which `nbf` and `iat` may lie in the future. `exp` has no leeway."""

TOKEN_TYPE: Final = "agent+jwt"  # noqa: S105 - the `typ` of RFC 8725 section 3.11, no secret
ALGORITHM: Final = "EdDSA"

_HEADER_MEMBERS: Final = {"alg", "typ", "kid"}

_JWS: Final = jwt.PyJWS(algorithms=[ALGORITHM])


def mint(ring: KeyRing, claims: AgentClaims) -> str:
    """Sign `claims` with the ring's active key; the token is at most `MAX_TOKEN_BYTES` long."""
    payload = json.dumps(payload_of(claims), ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    headers = {"typ": TOKEN_TYPE, "kid": ring.active.kid}
    return _JWS.encode(payload, ring.active.private, algorithm=ALGORITHM, headers=headers)


def verify(token: str | bytes, keys: Mapping[str, VerificationKey], *, network: str, now: float) -> AgentClaims:
    """Return what a token says if every check holds; `now` is in seconds since 1970.

    `keys` are by their ids: `KeyRing.verification`, or what `load_jwks` reads.

    Whether it has been revoked, and whether its agent may connect, is not in the token: ask the backend.

    Raises:
        TokenRefused: its code names the first check that failed.
    """
    text = _bounded(token)
    key = _key(_header(text), keys, now)
    claims = claims_of(_signed_payload(text, key), network)
    _check_times(claims, now)
    return claims


def key_id(token: str) -> str:
    """Return the id of the key that a token says it is signed with; of one that `verify` has accepted, it is."""
    return str(_header(_bounded(token))["kid"])


def _bounded(token: str | bytes) -> str:
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenRefused(f"the token is longer than {MAX_TOKEN_BYTES} bytes", code="token_too_long")
    if not token:
        raise TokenRefused("the token is empty", code="token_missing")
    if not token.isascii():
        raise TokenRefused("the token has characters that no token has", code="token_malformed")
    return token if isinstance(token, str) else token.decode("ascii")


def _header(text: str) -> Mapping[str, object]:
    parts = text.split(".")
    if len(parts) != 3:
        raise TokenRefused("the token has not three parts", code="token_malformed")
    try:
        header = strict_json.loads_object(base64url.decode(parts[0]))
    except ValueError:
        _refuse_spelling()
    if not header.keys() <= _HEADER_MEMBERS:
        raise TokenRefused("the token's header has a member other than alg, typ and kid", code="token_malformed")
    return header


def _key(header: Mapping[str, object], keys: Mapping[str, VerificationKey], now: float) -> Ed25519PublicKey:
    if header.get("alg") != ALGORITHM:
        raise TokenRefused(f"the token is not signed with {ALGORITHM}", code="token_wrong_algorithm")
    if header.get("typ") != TOKEN_TYPE:
        raise TokenRefused("the token is not an agent's token", code="token_wrong_type")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise TokenRefused("the token's header names no key", code="token_malformed")
    key = keys.get(kid)
    if key is None or not key.usable(now):
        raise TokenRefused(
            "the token is signed with a key that this network does not know, or that has been retired",
            code="token_unknown_key",
        )
    return key.public


def _signed_payload(text: str, key: Ed25519PublicKey) -> Mapping[str, object]:
    _, payload, signature = text.split(".")
    try:
        base64url.decode(payload)
        base64url.decode(signature)
    except ValueError:
        _refuse_spelling()
    try:
        content = _JWS.decode(text, key, algorithms=[ALGORITHM])
    except jwt.PyJWTError:
        # `from None`: the library's texts quote headers.
        raise TokenRefused(
            "the token is not signed, or its signature does not belong to its content", code="token_bad_signature"
        ) from None
    try:
        return strict_json.loads_object(content)
    except ValueError:
        raise TokenRefused("the token's claims are not one plain JSON object", code="token_claims_invalid") from None


def _refuse_spelling() -> Never:
    # `from None`: a JSON error carries the document it could not read.
    raise TokenRefused(
        "the token is not written as a token is: it is cut off or changed", code="token_malformed"
    ) from None


def _check_times(claims: AgentClaims, now: float) -> None:
    if now >= claims.exp:
        raise TokenRefused(f"the token expired {span(now - claims.exp)} ago", code="token_expired")
    valid_from = max(claims.nbf, claims.iat)
    if valid_from > now + CLOCK_LEEWAY:
        raise TokenRefused(f"the token becomes valid in {span(valid_from - now)}", code="token_not_yet_valid")
