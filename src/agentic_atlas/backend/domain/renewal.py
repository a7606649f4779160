"""Tokens that take each other's place: how long the next of a lineage is good for, and when there is none. Pure.

A lineage is a token that a person had made, and all that came out of it. Its agent may have the next one by itself,
over the connection that it has (renewal), as often as it likes until the lineage is as old as the network lets one
grow. A person may have the next one at any time (rotation), and with that the lineage is new. To the network the tokens
of a lineage are one: one instance is connected with any of them, and revoking one revokes all. Where those end that
somebody made by a share, others of the lineage stay good that somebody else made.

A token rests on the key that signed it and, when its agent has it by renewal, on all that the one before rested on:
whoever had such a key could have signed that one. Withdrawing a key ends all that rest on it. What a person had made by
rotation rests on its own key alone, for nobody gets it by showing another token.
"""

from collections.abc import Collection, Sequence

from agentic_atlas.backend.domain.records import Token
from agentic_atlas.errors import Busy, Forbidden
from agentic_atlas.protocol.inside.messages import ROTATED

MOST_LIVING = 10
"""Tokens of a lineage that are good at the same time: as many answers to a renewal may be lost on the way."""


def standing(token: Token, now: float) -> str:
    """Return in a word what a token is good for now, or what it ended by: the first that did."""
    if token.revoked_at is not None and token.revoked_at < token.ends_at:
        return "withdrawn" if token.withdrawn else "revoked"
    if token.expires_at <= now:
        return "expired"
    if token.retires_at is None:
        return "active"
    return "rotated" if token.retires_at <= now else "retiring"


KEY_WITHDRAWN = "key_withdrawn"
"""Code of a token that was ended with a signing key."""


def keys_before(token: Token, ring: Collection[str], key_id: str) -> tuple[str, ...]:
    """Return on which keys the token rests that an agent has in place of this one, besides that which signs it.

    `ring` are the ids of all that verify: of a token whose key is not known it may be any of them.
    """
    known = (token.key_id, *token.earlier_keys) if token.key_id else ring
    return tuple(one for one in dict.fromkeys(known) if one in ring and one != key_id)


def lifetime(token: Token) -> float:
    """Return for how many seconds the next one is good."""
    return token.expires_at - token.issued_at if token.lifetime is None else token.lifetime


def renewable(token: Token) -> bool:
    """Tell whether its agent may have another one that is good for longer."""
    until = None if token.retires_at is not None else token.renewable_until
    return until is not None and until > token.expires_at


def renewed_until(token: Token, lineage: Sequence[Token], now: float) -> float:
    """Return when the token expires that an agent has in place of this one, which is one of these.

    Raises:
        Forbidden: it was revoked (`token_revoked`), another one has taken its place (`token_rotated`), it was made not
            to be renewed (`token_not_renewable`), or its lineage is too old (`token_lineage_over`).
        Busy: too many of them are good already, as of an agent that asks all the time (`too_many_renewals`).
    """
    if token.revoked:
        raise Forbidden("this token was revoked", code="token_revoked")
    if token.revoked_at is not None:
        raise Forbidden("a key that this token rests on was withdrawn", code=KEY_WITHDRAWN)
    if token.retires_at is not None:
        # Also while both are good: what came of this one would outlive it.
        raise Forbidden("another token has taken the place of this one", code=ROTATED)
    if token.renewable_until is None:
        raise Forbidden("this token was made not to be renewed", code="token_not_renewable")
    if not renewable(token) or token.renewable_until <= now:
        raise Forbidden(
            "the first of the tokens that this one came out of is as old as one may become: a person has to rotate it",
            code="token_lineage_over",
        )
    living = [one.ends_at for one in lineage if not one.over(now)]
    if len(living) >= MOST_LIVING:
        raise Busy(
            f"{len(living)} tokens that came out of this one's first are good already",
            code="too_many_renewals",
            retry_after=min(living) - now,
        )
    return min(now + lifetime(token), token.renewable_until)
