"""The keys that sign agents' tokens, for administrators: listed, rotated, withdrawn."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from agentic_atlas.backend.domain.renewal import KEY_WITHDRAWN
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.ports import NamedToken
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.backend.usecases.shown import maybe, moment
from agentic_atlas.protocol.caller.people import SigningKeyInfo
from agentic_atlas.protocol.inside.messages import Revoke

if TYPE_CHECKING:
    from agentic_atlas.auth import VerificationKey

MOST_AGENTS: Final = 100
"""Agents that are named of those whose tokens rest on a key."""


@use_case
async def find(who: Principal, engine: Engine) -> list[SigningKeyInfo]:
    """Return the keys that verify tokens, the one that signs first."""
    now, used = engine.clock(), _in_use(engine)
    usable = [key for key in engine.signing.ring.verification.values() if key.usable(now)]
    return [_shown(engine, key, await engine.store.tokens.resting_on(key.kid, now), used) for key in usable]


@use_case
async def rotate(who: Principal, engine: Engine) -> SigningKeyInfo:
    """Have a new key sign from now on; all tokens stay good. Raises Conflict (`too_many_keys`)."""
    return _shown(engine, await engine.signing.rotate(), [], _in_use(engine))


@use_case
async def withdraw(who: Principal, engine: Engine, key_id: str) -> SigningKeyInfo:
    """Make every token worthless that rests on this key, and close the connections that were made with them.

    Returns it as it was, with what was ended.

    Raises:
        NotFound: there is no such key (`signing_key_not_found`). Conflict: it is the one that signs (`key_in_use`).
    """
    used = _in_use(engine)
    key, ended = await engine.signing.withdraw(key_id)
    engine.access.forget()
    engine.changes.everything()
    engine.router.say(Revoke(tuple(token.id for token, _ in ended), KEY_WITHDRAWN))
    return _shown(engine, key, ended, used)


def _in_use(engine: Engine) -> Counter[str]:
    """Return how many instances are connected with each token, by its id."""
    return Counter(token.id for token in engine.access.in_use())


def _shown(engine: Engine, key: "VerificationKey", resting: Sequence[NamedToken], used: Counter[str]) -> SigningKeyInfo:
    names = sorted({agent for _, agent in resting})
    return SigningKeyInfo(
        id=key.kid,
        signs=key.kid == engine.signing.ring.active.kid,
        created_at=moment(key.created_at),
        retires_at=maybe(key.retire_at),
        tokens=len(resting),
        connected=sum(used[token.id] for token, _ in resting),
        agents=tuple(names[:MOST_AGENTS]),
    )
