"""An identity provider, by OpenID Connect 1.0: authorisation code with PKCE, state and nonce.

Requests are made of Authlib's parts, and what the provider says is checked by it; what is signed is verified with the
provider's published keys, by the algorithms below and no other. What leaves this machine goes by `send`.
"""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

import jwt
import msgspec
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError

from agentic_atlas.backend.accounts import Vouched
from agentic_atlas.backend.ports import Clock
from agentic_atlas.compose.outgoing import Outgoing
from agentic_atlas.errors import ConfigurationError, Unauthenticated, Unavailable
from agentic_atlas.sdk.address import is_loopback

T = TypeVar("T")

METADATA_FOR = 3_600.0
"""Seconds for which what an identity provider says of itself is kept."""
KEYS_AGAIN = 60.0
"""Seconds between two looks at an identity provider's keys, whatever key is asked for."""
CLOCKS_DIFFER = 30.0
"""Seconds by which a provider's clock may differ from ours."""

_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""With a private key all of them: `none`, and what is signed with a secret that we have too, is not among them."""
_MOST_SAID: Final = 120
"""Characters of what a provider says is wrong that are told to who operates the network."""
_FORM: Final = "application/x-www-form-urlencoded"
_SCOPE: Final = "openid profile email"

Fields = Mapping[str, str]
Send = Callable[[str, Fields, bytes | None], Awaitable[bytes]]
"""Sends a request to an address, with fields of a head, and a form if there is one; returns the body of a success.

Raises Unavailable (`provider_unavailable`) for anything else.
"""


class _Metadata(msgspec.Struct, frozen=True):
    """What a provider says of itself (OpenID Connect Discovery 1.0)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str = ""


class _Keys(msgspec.Struct, frozen=True):
    keys: Sequence[dict[str, Any]]


class OpenIdProvider:
    """`backend.accounts.IdentityProvider`.

    Args:
        issuer: the provider's address; `https`, unless it is on this machine.
        client: id and secret that it gave this network.
        clock: seconds since the epoch.
        send: how it is asked.

    Raises:
        ConfigurationError: the address can't be one.
    """

    def __init__(self, issuer: str, client: tuple[str, str], clock: Clock, send: Send) -> None:
        parts = urlsplit(issuer)
        safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
        if not safe or not parts.hostname or parts.query or parts.fragment:
            raise ConfigurationError("ATLAS_OIDC_ISSUER is the https:// address of an identity provider")
        self.issuer = issuer
        self._client, self._secret = client
        self._clock = clock
        self._send = send
        self._known: tuple[float, _Metadata] | None = None
        self._keys: tuple[float, _Keys] | None = None

    async def address(self, redirect_uri: str, *, state: str, nonce: str, verifier: str) -> str:
        """See the port."""
        asked = {
            "response_type": "code",
            "client_id": self._client,
            "redirect_uri": redirect_uri,
            "scope": _SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        endpoint = (await self._metadata()).authorization_endpoint
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def vouch(self, redirect_uri: str, *, code: str, nonce: str, verifier: str) -> Vouched:
        """See the port."""
        metadata = await self._metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        pair = f"{quote_plus(self._client)}:{quote_plus(self._secret)}"  # RFC 6749 section 2.3.1
        fields = {"authorization": f"Basic {b64encode(pair.encode()).decode()}", "content-type": _FORM}
        tokens = await self._asked(metadata.token_endpoint, _Tokens, fields, urlencode(form).encode())
        claims = await self._verified(metadata, tokens, nonce)
        if metadata.userinfo_endpoint and tokens.access_token:
            bearer = {"authorization": f"Bearer {tokens.access_token}"}
            more = await self._asked(metadata.userinfo_endpoint, dict[str, Any], bearer)
            if more.get("sub") != claims["sub"]:
                raise _refused("what it says of the user is of another one")
            claims = {**more, **claims}
        verified = claims.get("email_verified") is True
        return Vouched(
            subject=str(claims["sub"]),
            name=str(claims.get("preferred_username") or ""),
            email=str(claims.get("email") or "") if verified else "",
        )

    async def _verified(self, metadata: _Metadata, tokens: _Tokens, nonce: str) -> dict[str, Any]:
        """Return what an ID token says (OpenID Connect Core 1.0 section 3.1.3.7)."""
        try:
            header = jwt.get_unverified_header(tokens.id_token)
            key = await self._key(metadata, header)
            payload = jwt.decode(tokens.id_token, key, algorithms=[header["alg"]], options=_SIGNATURE_ALONE)
            claims = CodeIDToken(
                payload,
                header,
                {"iss": {"essential": True, "value": self.issuer}, "aud": {"essential": True, "value": self._client}},
                {"nonce": nonce, "client_id": self._client, "access_token": tokens.access_token},
            )
            claims.validate(now=int(self._clock()), leeway=CLOCKS_DIFFER)
        except (jwt.PyJWTError, JoseError, ValueError, TypeError, KeyError) as fault:
            raise _refused(type(fault).__name__) from None
        return payload

    async def _key(self, metadata: _Metadata, header: Mapping[str, Any]) -> jwt.PyJWK:
        """Return the key that a token says it is signed with; asks for the keys again when it is a new one."""
        if header.get("alg") not in _ALGORITHMS:
            raise ValueError("algorithm")
        for _ in range(2):
            held = self._keys
            found = [] if held is None else [one for one in held[1].keys if _fits(one, header)]
            if found:
                return jwt.PyJWK(found[0], header["alg"])
            if held is not None and self._clock() < held[0] + KEYS_AGAIN:
                break
            self._keys = (self._clock(), await self._asked(metadata.jwks_uri, _Keys, {}))
        raise ValueError("no such key")

    async def _metadata(self) -> _Metadata:
        if self._known is None or self._clock() > self._known[0] + METADATA_FOR:
            where = f"{self.issuer.removesuffix('/')}/.well-known/openid-configuration"
            found = await self._asked(where, _Metadata, {})
            if found.issuer != self.issuer:
                raise Unavailable(
                    f"the identity provider calls itself {found.issuer[:200]!r}: ATLAS_OIDC_ISSUER has to say the same",
                    code="provider_unavailable",
                )
            self._known = (self._clock(), found)
        return self._known[1]

    async def _asked(self, url: str, kind: type[T], fields: Fields, form: bytes | None = None) -> T:
        try:
            return msgspec.json.decode(await self._send(url, {"accept": "application/json", **fields}, form), type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise _unavailable("does not answer as one does") from None


def sender(outgoing: Outgoing) -> Send:
    """Return what sends requests to an identity provider; see `Send`."""

    async def send(url: str, fields: Fields, form: bytes | None) -> bytes:
        try:
            answer = await outgoing.ask(url, fields, form)
        except Unavailable as fault:
            raise _unavailable(f"can't be reached: {fault.message}") from None
        if form is not None and answer.status in _NOT_VOUCHED:
            raise _refused(f"it does not take the code{_fault(answer.body)}")
        if not 200 <= answer.status < 300:
            raise _unavailable(f"answered {answer.status}")
        return answer.body

    return send


_NOT_VOUCHED: Final = (400, 401, 403)
_SIGNATURE_ALONE: Final[Any] = {
    f"verify_{what}": what == "signature" for what in ("signature", "exp", "nbf", "iat", "aud", "iss", "sub", "jti")
}
"""What else a token says is checked by Authlib, by our clock."""


class _Fault(msgspec.Struct, frozen=True):
    """What a provider says is wrong (RFC 6749 section 5.2)."""

    error: str
    error_description: str = ""


def _fault(body: bytes) -> str:
    try:
        said = msgspec.json.decode(body, type=_Fault)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    text = f"{said.error} {said.error_description}".strip()[:_MOST_SAID]
    return ": " + "".join(one if one.isprintable() else "?" for one in text)


def _fits(key: Mapping[str, Any], header: Mapping[str, Any]) -> bool:
    kinds = {"R": "RSA", "P": "RSA", "E": "EC"}
    kind = "OKP" if header["alg"] == "EdDSA" else kinds[str(header["alg"])[0]]
    named = "kid" not in header or key.get("kid") == header["kid"]
    return named and key.get("kty") == kind and key.get("use", "sig") == "sig"


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"the identity provider vouches for nobody: {why}", code="login_failed")


def _unavailable(why: str) -> Unavailable:
    return Unavailable(f"the identity provider {why}: try again later", code="provider_unavailable", retry_after=5.0)
