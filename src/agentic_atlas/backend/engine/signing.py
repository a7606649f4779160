"""The keys that sign tokens: rotated and withdrawn while everything goes on.

The key that signed until now verifies for as long as any token lives, so nobody notices a rotation. On disk first, then
in use. One that is withdrawn verifies nothing from then on, and all that rests on it has ended (`domain.renewal`). That
is stored before the key goes, so that a process which is killed in between has withdrawn nothing, or can do it again;
and once more after it, for what was signed meanwhile.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from agentic_atlas.backend.domain.records import Token
from agentic_atlas.backend.domain.renewal import KEY_WITHDRAWN
from agentic_atlas.backend.ports import Clock, KeyStore, NamedToken, RouterPort, Tokens
from agentic_atlas.errors import AtlasError, Conflict, NotFound
from agentic_atlas.protocol.caller.values import LONGEST
from agentic_atlas.protocol.inside.messages import TokenKey, VerifyWith

if TYPE_CHECKING:
    from agentic_atlas.auth import KeyRing, VerificationKey

OVERLAP: Final = LONGEST
"""Seconds for which a key verifies after another one has taken its place: as long as any token lives."""


class Signing:
    """The ring of keys that is in use. Belongs to one event loop.

    Attributes:
        ring: its keys.
    """

    def __init__(
        self, ring: "KeyRing", store: KeyStore | None, tokens: Tokens, router: RouterPort, clock: Clock
    ) -> None:
        """`store` keeps the ring; None: it is the same for ever."""
        self.ring = ring
        self._store = store
        self._tokens = tokens
        self._router = router
        self._clock = clock
        self._turn = asyncio.Lock()

    def tell(self) -> None:
        """Tell routers what tokens are verified with."""
        keys = self.ring.verification.values()
        self._router.say(VerifyWith(tuple(TokenKey(key.x, key.created_at, key.retire_at) for key in keys)))

    async def rotate(self) -> "VerificationKey":
        """Sign with a new key from now on; return it.

        Raises:
            Conflict: there are too many keys whose tokens may live (`too_many_keys`).
        """
        async with self._turn:
            now = self._clock()
            try:
                ring = self.ring.rotate(self._kept().new(now), now, OVERLAP)
            except AtlasError as error:
                text = f"{error.message}: withdraw one first with `atlas keys withdraw`"
                raise Conflict(text, code="too_many_keys") from None
            await self._use(ring, now)
            return ring.active.verification()

    async def withdraw(self, kid: str) -> "tuple[VerificationKey, list[NamedToken]]":
        """Have a key verify nothing any more: every token that rests on it ends. Return it, and those.

        Raises:
            NotFound: there is no such key (`signing_key_not_found`).
            Conflict: it is the one that signs (`key_in_use`).
        """
        async with self._turn:
            key = self.ring.verification.get(kid)
            if key is None or not key.usable(self._clock()):
                text = f"there is no signing key {kid[:64]!r}: `atlas keys list --signing` lists them"
                raise NotFound(text, code="signing_key_not_found")
            if kid == self.ring.active.kid:
                text = "this key signs: `atlas keys rotate` has another one sign, then withdraw it"
                raise Conflict(text, code="key_in_use")
            self._kept()
            ended = await self._tokens.withdraw(kid, self._clock())
            await self._use(self.ring.without(kid), self._clock())
            return key, [*ended, *await self._tokens.withdraw(kid, self._clock())]

    async def check(self, token: Token) -> None:
        """See that the key that signed a token was not withdrawn while that was being stored.

        Raises Conflict (`key_withdrawn`): the token has ended.
        """
        if token.key_id not in self.ring.verification:
            await self._tokens.withdraw(token.key_id, self._clock())
            raise Conflict("the key that signed this token was withdrawn meanwhile: ask again", code=KEY_WITHDRAWN)

    async def _use(self, ring: "KeyRing", now: float) -> None:
        await self._kept().save(ring, now)
        self.ring = ring
        self.tell()

    def _kept(self) -> KeyStore:
        if self._store is None:
            raise Conflict("the keys of this network are the same for ever", code="keys_fixed")
        return self._store
