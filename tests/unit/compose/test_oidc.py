"""What an identity provider says counts when it is signed with its own key, for this network, now and as was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from agentic_atlas.compose.oidc import CLOCKS_DIFFER, KEYS_AGAIN, METADATA_FOR, Fields, OpenIdProvider, sender
from agentic_atlas.compose.outgoing import Outgoing, OutgoingAnswer
from agentic_atlas.errors import AtlasError, ConfigurationError, Unauthenticated, Unavailable

ISSUER, BACK = "https://id.example.org", "https://atlas.example.org/login/oidc/callback"
NOW = 1_800_000_000.0
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLAIMS = {"iss": ISSUER, "aud": "atlas", "sub": "248289", "iat": int(NOW), "exp": int(NOW) + 300, "nonce": "n"}


def published(key: Any, kid: str = "k1") -> dict[str, Any]:
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


class Provider:
    """What an identity provider answers, by path; and what it was asked."""

    def __init__(self) -> None:
        self.now = NOW
        self.asked: list[tuple[str, Fields, bytes | None]] = []
        self.keys = [published(KEY)]
        self.claims: dict[str, Any] = dict(CLAIMS)
        self.userinfo: dict[str, Any] = {"sub": "248289", "preferred_username": "ada"}
        self.metadata = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/auth",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/jwks",
            "userinfo_endpoint": f"{ISSUER}/me",
        }
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode(claims, KEY, "RS256", {"kid": "k1"})
        self.client = OpenIdProvider(ISSUER, ("atlas", "s&cret"), lambda: self.now, self.send)

    async def send(self, url: str, fields: Fields, form: bytes | None) -> bytes:
        self.asked.append((url, fields, form))
        answers: dict[str, Any] = {
            "/.well-known/openid-configuration": self.metadata,
            "/jwks": {"keys": self.keys},
            "/token": {"id_token": self.sign(self.claims), "access_token": "at", "token_type": "Bearer"},
            "/me": self.userinfo,
        }
        return msgspec.json.encode(answers[urlsplit(url).path])

    async def vouch(self) -> Any:
        return await self.client.vouch(BACK, code="c", nonce="n", verifier="v")

    def paths(self) -> list[str]:
        return [urlsplit(url).path for url, _, _ in self.asked]


async def refused(provider: Provider) -> str:
    with pytest.raises(Unauthenticated) as error:
        await provider.vouch()
    assert error.value.code == "login_failed"
    return error.value.message


async def test_a_browser_is_sent_with_a_challenge_and_comes_back_vouched_for() -> None:
    provider = Provider()
    address = await provider.client.address(BACK, state="s", nonce="n", verifier="v" * 43)
    assert address.startswith(f"{ISSUER}/auth?")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert (asked["code_challenge_method"], asked["state"], asked["nonce"]) == ("S256", "s", "n")
    assert asked["code_challenge"] != "v" * 43
    vouched = await provider.vouch()
    assert (vouched.subject, vouched.name, vouched.email) == ("248289", "ada", "")
    token = next(one for one in provider.asked if one[0].endswith("/token"))
    assert token[1]["authorization"] == "Basic YXRsYXM6cyUyNmNyZXQ="
    assert parse_qs((token[2] or b"").decode())["code_verifier"] == ["v"]


@pytest.mark.parametrize(
    ("userinfo", "email"),
    [
        ({"email": "ada@example.org", "email_verified": True}, "ada@example.org"),
        ({"email": "ada@example.org", "email_verified": False}, ""),
        ({"email": "ada@example.org", "email_verified": "true"}, ""),
        ({"email": "ada@example.org"}, ""),
    ],
)
async def test_an_address_counts_that_the_provider_has_verified(userinfo: dict[str, Any], email: str) -> None:
    provider = Provider()
    provider.userinfo |= userinfo
    assert (await provider.vouch()).email == email


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example.org"},
        {"aud": "somebody"},
        {"aud": ["atlas", "somebody"]},
        {"aud": "atlas", "azp": "somebody"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": NOW - CLOCKS_DIFFER - 1},
        {"exp": None},
        {"iat": NOW + CLOCKS_DIFFER + 5},
        {"nbf": NOW + CLOCKS_DIFFER + 5},
        {"sub": None},
        {"iss": None},
        {"at_hash": "of another token"},
    ],
    ids=str,
)
async def test_what_is_not_for_us_now_vouches_for_nobody(claims: dict[str, Any]) -> None:
    provider = Provider()
    changed = {**provider.claims, **claims}
    provider.claims = {
        name: int(value) if isinstance(value, float) else value for name, value in changed.items() if value is not None
    }
    await refused(provider)


def by_none(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, None, "none")


def by_the_public_key(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "a secret that everybody knows: it is published", "HS256", {"kid": "k1"})


def by_another_key(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, OTHER, "RS256", {"kid": "k1"})


def by_its_own_key(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, OTHER, "RS256", {"kid": "k1", "jwk": published(OTHER), "jku": "https://evil.example.org"})


def by_no_jwt(_: dict[str, Any]) -> str:
    return "no.j.wt"


@pytest.mark.parametrize("sign", [by_none, by_the_public_key, by_another_key, by_its_own_key, by_no_jwt])
async def test_what_the_provider_did_not_sign_vouches_for_nobody(sign: Callable[[dict[str, Any]], str]) -> None:
    provider = Provider()
    provider.sign = sign
    message = await refused(provider)
    assert "evil" not in " ".join(provider.paths())
    assert "eyJ" not in message


async def test_what_it_says_of_another_user_vouches_for_nobody() -> None:
    provider = Provider()
    provider.userinfo["sub"] = "another"
    await refused(provider)


async def test_a_new_key_is_asked_for_and_not_again_and_again() -> None:
    provider = Provider()
    await provider.vouch()
    new = ec.generate_private_key(ec.SECP256R1())
    provider.keys = [published(new, "k2")]
    provider.sign = lambda claims: jwt.encode(claims, new, "ES256", {"kid": "k2"})
    await refused(provider)
    assert provider.paths().count("/jwks") == 1
    provider.now += KEYS_AGAIN
    await provider.vouch()
    assert provider.paths().count("/jwks") == 2
    assert provider.paths().count("/.well-known/openid-configuration") == 1
    provider.now += METADATA_FOR + 1
    await provider.client.address(BACK, state="s", nonce="n", verifier="v")
    assert provider.paths().count("/.well-known/openid-configuration") == 2


async def test_a_provider_that_calls_itself_otherwise_or_says_nonsense_is_not_there() -> None:
    provider = Provider()
    provider.metadata["issuer"] = "https://evil.example.org"
    for broken in (dict(provider.metadata), {}):
        provider.metadata = broken
        with pytest.raises(Unavailable) as error:
            await provider.client.address(BACK, state="s", nonce="n", verifier="v")
        assert error.value.code == "provider_unavailable"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            b'{"error":"invalid_client","error_description":"it is\\nwrong"}',
            ": invalid_client it is?wrong",
        ),
        (b'{"error":"invalid_grant"}', ": invalid_grant"),
        (b'{"error":"' + b"x" * 500 + b'"}', ": " + "x" * 120),
        (b"<html>", ""),
        (b'{"error":7}', ""),
    ],
)
async def test_why_a_code_is_not_taken_is_said_as_the_provider_says_it(body: bytes, told: str) -> None:
    class Refusing(Outgoing):
        async def ask(self, url: str, fields: Mapping[str, str], form: bytes | None = None) -> OutgoingAnswer:
            return OutgoingAnswer(401, body)

    with pytest.raises(Unauthenticated) as refused:
        await sender(Refusing([], resolved))(f"{ISSUER}/token", {}, b"code=c")
    assert refused.value.message.endswith(f"it does not take the code{told}")


async def resolved(host: str, port: int) -> Sequence[str]:
    return []


@pytest.mark.parametrize("issuer", ["http://id.example.org", "id.example.org", "https://", "https://a/?b=c", "ftp://a"])
def test_an_issuer_that_is_no_safe_address_is_refused(issuer: str) -> None:
    async def nowhere(*_: object) -> bytes:
        raise AtlasError("not asked")

    with pytest.raises(ConfigurationError, match="ATLAS_OIDC_ISSUER"):
        OpenIdProvider(issuer, ("a", "b"), lambda: NOW, nowhere)
