"""What authentication and key handling raise.

```
TokenRefused                  an agent token that is not accepted; HTTP 401, close codes 4101 and 4102
ConfigurationError
└── KeyRefused                a key, a ring or a key set that cannot be used
```

A refusal's text holds nothing that the peer sent: not the token, nor its key id, nor one of its claims. It may
be shown and logged as it is.
"""

from agentic_atlas.errors import AtlasError, ConfigurationError

_RENEW = "generate a new one with `atlas tokens create AGENT --env .env`"
_REMEDIES = {
    "token_missing": "put the agent's token into .env as AGENT_JWT_TOKEN (`atlas tokens create AGENT --env .env` does)",
    "token_malformed": f"copy the whole token again, without quotes, spaces or line breaks, or {_RENEW}",
    "token_not_yet_valid": "set the clocks of this machine and of the router right, or wait until then",
}
"""By the code of a refusal; of any other, `_RENEW`."""
_SECONDS_PER_UNIT = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def span(seconds: float) -> str:
    """Say a length of time in its largest whole unit, for instance `3 days`."""
    whole = max(int(seconds), 0)
    for unit, size in _SECONDS_PER_UNIT:
        if whole >= size:
            count = whole // size
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return "less than a second"


class TokenRefused(AtlasError):
    """An agent token that is not accepted; `code` says which check failed first.

    Attributes:
        reason: what was wrong, in words.
        remedy: what the owner of the token can do about it.
    """

    default_code = "token_refused"

    def __init__(self, reason: str, *, code: str) -> None:
        self.reason = reason
        self.remedy = _REMEDIES.get(code, _RENEW)
        super().__init__(f"{reason}: {self.remedy}", code=code)


class KeyRefused(ConfigurationError):
    """A signing key, a ring or a key set that cannot be used; no key material is in the text."""

    default_code = "key_refused"
