"""What authentication and key handling raise.

```
TokenRefused                  an agent token that is not accepted; HTTP 401, close codes 4101 and 4102
├── TokenMissing              token_missing
├── TokenMalformed            token_malformed
├── TokenTooLong              token_too_long
├── TokenWrongType            token_wrong_type
├── TokenWrongAlgorithm       token_wrong_algorithm
├── TokenUnknownKey           token_unknown_key
├── TokenBadSignature         token_bad_signature
├── TokenWrongIssuer          token_wrong_issuer
├── TokenWrongAudience        token_wrong_audience
├── TokenExpired              token_expired
├── TokenNotYetValid          token_not_yet_valid
└── TokenClaimsInvalid        token_claims_invalid
ConfigurationError
├── KeyRefused                a key, a ring or a key set that cannot be used
│   └── KeyFileRefused        … because of its file; `fix` is what to do
└── SecretRefused             a secret that cannot be made as asked
InvalidInput
└── UnknownScope              a word that is no scope here
```

A refusal's text holds nothing that the peer sent: not the token, nor its key id, nor one of its claims. It may
be shown and logged as it is.
"""

from pathlib import Path
from typing import ClassVar

from agentic_atlas.errors import AtlasError, ConfigurationError, InvalidInput

_RENEW = "generate a new one with `atlas tokens create AGENT --env .env`"
_SECONDS_PER_UNIT = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def _span(seconds: float) -> str:
    """Say a length of time in its largest whole unit, for instance `3 days`."""
    whole = max(int(seconds), 0)
    for unit, size in _SECONDS_PER_UNIT:
        if whole >= size:
            count = whole // size
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return "less than a second"


class TokenRefused(AtlasError):
    """An agent token that is not accepted.

    Attributes:
        reason: what was wrong, in words.
        remedy: what the owner of the token can do about it.
    """

    default_code = "token_refused"
    remedy: ClassVar[str] = _RENEW

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}: {self.remedy}")
        self.reason = reason


class TokenMissing(TokenRefused):
    """No token came with the request."""

    default_code = "token_missing"
    remedy = "put the agent's token into .env as AGENT_JWT_TOKEN (`atlas tokens create AGENT --env .env` does)"


class TokenMalformed(TokenRefused):
    """What came is not one complete, canonically written agent token."""

    default_code = "token_malformed"
    remedy = f"copy the whole token again, without quotes, spaces or line breaks, or {_RENEW}"


class TokenTooLong(TokenRefused):
    """More characters than a token may have; nothing of it was parsed."""

    default_code = "token_too_long"


class TokenWrongType(TokenRefused):
    """A token for another purpose, for instance a user's session at the agents' door."""

    default_code = "token_wrong_type"


class TokenWrongAlgorithm(TokenRefused):
    """Signed in another way than EdDSA, or not at all."""

    default_code = "token_wrong_algorithm"


class TokenUnknownKey(TokenRefused):
    """Signed with a key that is not, or no longer, in the ring."""

    default_code = "token_unknown_key"


class TokenBadSignature(TokenRefused):
    """The signature does not belong to the token's content."""

    default_code = "token_bad_signature"


class TokenWrongIssuer(TokenRefused):
    """Signed with a known key, but in the name of another network."""

    default_code = "token_wrong_issuer"


class TokenWrongAudience(TokenRefused):
    """Not meant for routers."""

    default_code = "token_wrong_audience"


class TokenClaimsInvalid(TokenRefused):
    """A claim is missing, of the wrong type, or out of bounds."""

    default_code = "token_claims_invalid"


class TokenExpired(TokenRefused):
    """Its time is over. Both attributes are seconds since 1970."""

    default_code = "token_expired"

    def __init__(self, expired_at: int, now: float) -> None:
        super().__init__(f"the token expired {_span(now - expired_at)} ago")
        self.expired_at = expired_at
        self.now = now


class TokenNotYetValid(TokenRefused):
    """Its time has not come, by more than clocks may differ. Both attributes are seconds since 1970."""

    default_code = "token_not_yet_valid"
    remedy = "set the clocks of this machine and of the router right, or wait until then"

    def __init__(self, valid_from: int, now: float) -> None:
        super().__init__(f"the token becomes valid in {_span(valid_from - now)}")
        self.valid_from = valid_from
        self.now = now


class KeyRefused(ConfigurationError):
    """A signing key, a ring or a key set that cannot be used; no key material is in the text."""

    default_code = "key_refused"


class KeyFileRefused(KeyRefused):
    """A file or folder of the key store that is not safe or not whole.

    Attributes:
        path: the file or folder.
        fix: what to do, for instance a command.
    """

    default_code = "key_file_refused"

    def __init__(self, path: Path, reason: str, *, fix: str) -> None:
        super().__init__(f"{path} {reason}: {fix}")
        self.path = path
        self.fix = fix


class SecretRefused(ConfigurationError):
    """A secret that cannot be made: its prefix would not be recognised, or there is too little randomness."""

    default_code = "secret_refused"


class UnknownScope(InvalidInput):
    """A word that is no scope where it was used.

    Attributes:
        word: the word, at most 64 characters of it.
    """

    default_code = "unknown_scope"

    def __init__(self, word: str, known: tuple[str, ...]) -> None:
        self.word = word[:64]
        super().__init__(f"{self.word!r} is not a scope here: choose from {', '.join(known)}")
