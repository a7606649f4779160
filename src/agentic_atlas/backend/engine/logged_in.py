"""People who are logged in, by what their browsers show. What was looked up is kept until somebody changes."""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from agentic_atlas.auth import Scope, digest, new_secret
from agentic_atlas.backend.accounts import Sessions
from agentic_atlas.backend.domain.people import (
    BrowserSession,
    Entered,
    Entry,
    Visitor,
    enabled,
    login_failed,
    session_over,
)
from agentic_atlas.backend.domain.records import User
from agentic_atlas.backend.ports import Clock, Ids
from agentic_atlas.backend.rights import Principal

SESSION_PREFIX = "atlas_session_"
DEVICE_PREFIX = "atlas_device_"
NOTED_EVERY = 60.0
"""Seconds between two notes of a session that is used."""
LONGEST_AGENT = 200
"""Characters that are kept of what a browser calls itself."""
_MOST_CACHED = 10_000


class SessionTimes(msgspec.Struct, frozen=True):
    """How long people stay logged in, in seconds."""

    session_idle: float = 7 * 86_400.0
    """How long a session lasts that is not used."""
    session_lifetime: float = 30 * 86_400.0
    """How long a session lasts, however much it is used; then its user logs in again."""


class LoggedIn:
    """The sessions of people; see `backend.accounts.Sessions` for where they are."""

    def __init__(self, sessions: Sessions, clock: Clock, times: SessionTimes) -> None:
        self._sessions = sessions
        self._clock = clock
        self._times = times
        self._known: dict[bytes, Principal] = {}
        self._version = 0

    async def recognise(self, secret: str) -> Principal:
        """Return whose session this is; raises Unauthenticated (`session_invalid`) when it is nobody's any more."""
        return await self.known_by(digest(secret))

    async def known_by(self, key: bytes, *, anew: bool = False, used: bool = True) -> Principal:
        """The same, by the digest of its secret.

        `anew`: as it is stored now, whatever was looked up before; `used`: this counts as use of the session.
        """
        who = (None if anew else self._known.get(key)) or await self._look_up(key)
        session, now = who.credential, self._clock()
        assert isinstance(session, BrowserSession)
        if now >= session.ends_at or now - session.used_at >= self._times.session_idle:
            raise session_over()
        if used and now - session.used_at >= NOTED_EVERY:
            noted = replace(who, credential=replace(session, used_at=now))
            if key in self._known:
                self._known[key] = noted
            await self._sessions.seen(session.id, now)
            return noted
        return who

    async def begin(
        self, user: User, visitor: Visitor, ids: Ids, entropy: Callable[[int], bytes], entry: Entry = enabled
    ) -> Entered:
        """Begin a session with a new secret; the one that the browser had until now ends, whosever it was.

        So nobody can hand somebody a session to log in with, and have it then; nor a device to be known by.

        Raises:
            Unauthenticated: they may not come in any more (`login_failed`).
        """
        now = self._clock()
        secret = new_secret(SESSION_PREFIX, entropy)
        known = bool(visitor.device) and await self._sessions.knows(user.id, visitor.device_digest)
        device = visitor.device if known else new_secret(DEVICE_PREFIX, entropy)
        session = BrowserSession(
            id=ids("ses"),
            user_id=user.id,
            digest=digest(secret),
            device=digest(device),
            created_at=now,
            used_at=now,
            ends_at=now + self._times.session_lifetime,
            address=visitor.address,
            agent="".join(filter(str.isprintable, visitor.agent))[:LONGEST_AGENT],
        )
        if not await self._sessions.add(session, entry):
            raise login_failed()
        if visitor.session:
            await self.end_shown(visitor.session)
        return Entered(session, user, secret, device)

    async def end_shown(self, secret: str) -> None:
        """End the session with this secret, if there is one."""
        found = await self._sessions.by_digest(digest(secret))
        if found is not None:
            await self._sessions.end(self._clock(), user_id=None, id=found[0].id)
            self.forget()

    @property
    def idle(self) -> float:
        """Seconds after its last use from which on a session is over."""
        return self._times.session_idle

    async def live(self, user_id: str) -> list[BrowserSession]:
        """Return the user's sessions that are not over, those that were used last first."""
        now, idle = self._clock(), self._times.session_idle
        found = await self._sessions.of_user(user_id)
        return [one for one in found if one.ended_at is None and now < one.ends_at and now - one.used_at < idle]

    def forget(self) -> None:
        """Sessions or users changed: look everything up again."""
        self._version += 1
        self._known.clear()

    async def _look_up(self, key: bytes) -> Principal:
        version = self._version
        found = await self._sessions.by_digest(key)
        if found is None or found[0].ended_at is not None or found[1].disabled_at is not None:
            raise session_over()
        if len(self._known) >= _MOST_CACHED:
            self._known.clear()
        session, user = found
        who = Principal(user, session, (Scope.EVERYTHING,))
        if version == self._version:
            # What was read before a change must not outlive it.
            self._known[key] = who
        return who
