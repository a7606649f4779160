"""The keys that sign agents' tokens, for administrators: listed, rotated, withdrawn."""

from typing import TYPE_CHECKING

from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.backend.usecases.shown import maybe, moment
from agentic_atlas.protocol.caller.people import SigningKeyInfo

if TYPE_CHECKING:
    from agentic_atlas.auth import VerificationKey


@use_case
async def find(who: Principal, engine: Engine) -> list[SigningKeyInfo]:
    """Return the keys that verify tokens, the one that signs first."""
    now = engine.clock()
    return [_shown(engine, key) for key in engine.signing.ring.verification.values() if key.usable(now)]


@use_case
async def rotate(who: Principal, engine: Engine) -> SigningKeyInfo:
    """Have a new key sign from now on; all tokens stay good. Raises Conflict (`too_many_keys`)."""
    return _shown(engine, await engine.signing.rotate())


@use_case
async def withdraw(who: Principal, engine: Engine, key_id: str) -> SigningKeyInfo:
    """Make every token worthless that this key has signed, and close the connections that were made with them.

    Raises:
        NotFound: there is no such key (`signing_key_not_found`). Conflict: it is the one that signs (`key_in_use`).
    """
    return _shown(engine, await engine.signing.withdraw(key_id))


def _shown(engine: Engine, key: "VerificationKey") -> SigningKeyInfo:
    return SigningKeyInfo(
        id=key.kid,
        signs=key.kid == engine.signing.ring.active.kid,
        created_at=moment(key.created_at),
        retires_at=maybe(key.retire_at),
    )
