"""What an agent token says. A value of `AgentClaims` is always valid in itself, whoever built it.

Names of claims: RFC 7519 section 4.1, `scope` as in RFC 8693 section 4.2. Claims that are not listed here are ignored
(RFC 7519 section 4), so that a newer backend can add one before every router knows it.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agentic_atlas.auth.errors import TokenRefused
from agentic_atlas.auth.scopes import AGENT_SCOPES, format_scopes, parse_scopes
from agentic_atlas.errors import InvalidInput

AUDIENCE: Final = "atlas-router"
"""The only `aud`; a token for something else is refused at a router."""

ISSUER_PREFIX: Final = "atlas:"
"""`iss` is this and the network's id."""

MAX_NAME: Final = 200
"""Characters of a name."""

MAX_ID: Final = 128
"""Characters of an id of an agent, a token or a network."""

_ID = re.compile(rf"[A-Za-z0-9._~-]{{1,{MAX_ID}}}")  # the unreserved characters of RFC 3986
_LAST_SECOND: Final = 253_402_300_799  # the end of the year 9999: every time has a date that can be shown
_NEVER_IN_A_NAME: Final = frozenset(("Cc", "Cs", "Zl", "Zp"))  # controls, half characters, line separators


@dataclass(frozen=True, slots=True)
class AgentClaims:
    """Who an agent token is for, until when, and what it allows.

    Attributes:
        jti: the token's id; revocation goes by it.
        agent_id: the agent (`sub`).
        network: the id of the network (`iss` is `atlas:<network>`).
        name: what a person called the agent; for display, never for a decision.
        scopes: the words of `AGENT_SCOPES` it holds, narrowed or not, each once.
        iat: issued at, seconds since 1970, like the two below.
        nbf: valid from.
        exp: valid before.
        lineage: `jti` of the first of the tokens that this one came out of; empty: it is the first.

    Raises:
        TokenRefused: a value is of the wrong type or out of bounds, or the times contradict each other
            (`token_claims_invalid`).
    """

    jti: str
    agent_id: str
    network: str
    name: str
    scopes: tuple[str, ...]
    iat: int
    nbf: int
    exp: int
    lineage: str = ""

    def __post_init__(self) -> None:
        _id("jti", self.jti)
        if self.lineage:
            _id("lineage", self.lineage)
        _id("sub", self.agent_id)
        _id("the network in iss", self.network)
        _name(self.name)
        _scopes(self.scopes)
        if not max(_seconds("iat", self.iat), _seconds("nbf", self.nbf)) < _seconds("exp", self.exp):
            raise TokenRefused("the token expires before it begins", code="token_claims_invalid")


def payload_of(claims: AgentClaims) -> dict[str, str | int]:
    """Return the claims as they are signed."""
    lineage = {"lineage": claims.lineage} if claims.lineage else {}
    return {
        "iss": ISSUER_PREFIX + claims.network,
        "aud": AUDIENCE,
        "sub": claims.agent_id,
        "jti": claims.jti,
        "iat": claims.iat,
        "nbf": claims.nbf,
        "exp": claims.exp,
        "scope": format_scopes(claims.scopes),
        "name": claims.name,
        **lineage,
    }


def claims_of(payload: Mapping[str, object], network: str) -> AgentClaims:
    """Read what `payload_of` wrote, for the network with this id.

    Raises:
        TokenRefused: a claim is missing, of the wrong type or out of bounds (`token_claims_invalid`), it is another
            network's (`token_wrong_issuer`), or not for a router (`token_wrong_audience`).
    """
    issuer, audience = _text("iss", payload.get("iss")), _text("aud", payload.get("aud"))
    claims = AgentClaims(
        jti=_id("jti", payload.get("jti")),
        agent_id=_id("sub", payload.get("sub")),
        network=network,
        name=_name(payload.get("name")),
        scopes=_read_scopes(payload.get("scope")),
        iat=_seconds("iat", payload.get("iat")),
        nbf=_seconds("nbf", payload.get("nbf")),
        exp=_seconds("exp", payload.get("exp")),
        lineage=_id("lineage", payload["lineage"]) if "lineage" in payload else "",
    )
    if issuer != ISSUER_PREFIX + network:
        raise TokenRefused("the token belongs to another network", code="token_wrong_issuer")
    if audience != AUDIENCE:
        raise TokenRefused("the token is not meant for a router", code="token_wrong_audience")
    return claims


def _text(claim: str, value: object) -> str:
    if not isinstance(value, str):
        raise TokenRefused(f"the claim {claim} is missing or not a text", code="token_claims_invalid")
    return value


def _id(claim: str, value: object) -> str:
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise TokenRefused(
            f"the claim {claim} is missing or not an id of 1 to {MAX_ID} letters, digits, or . _ ~ -",
            code="token_claims_invalid",
        )
    return value


def _name(value: object) -> str:
    text = _text("name", value)
    if not 0 < len(text) <= MAX_NAME:
        raise TokenRefused(f"the claim name has not 1 to {MAX_NAME} characters", code="token_claims_invalid")
    if any(unicodedata.category(character) in _NEVER_IN_A_NAME for character in text):
        raise TokenRefused(
            "the claim name holds a control character, a line break or half a character", code="token_claims_invalid"
        )
    return text


def _seconds(claim: str, value: object) -> int:
    if type(value) is not int or not 0 <= value <= _LAST_SECOND:  # bool is an int to isinstance
        raise TokenRefused(
            f"the claim {claim} is missing or not a whole number of seconds since 1970", code="token_claims_invalid"
        )
    return value


def _scopes(scopes: tuple[str, ...]) -> None:
    if _read_scopes(format_scopes(scopes)) != scopes:
        raise TokenRefused("the claim scope has a word twice", code="token_claims_invalid")


def _read_scopes(value: object) -> tuple[str, ...]:
    try:
        return parse_scopes(_text("scope", value), AGENT_SCOPES)
    except InvalidInput:
        # `from None`: the text of the cause would show a claim.
        raise TokenRefused("the claim scope has a word that is no agent's scope", code="token_claims_invalid") from None
