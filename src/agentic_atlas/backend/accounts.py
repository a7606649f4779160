"""What the backend needs of the world so that people can log in: where it is kept, who hashes, who vouches.

The contract of each is in its docstring, as in `ports`, which has the rest.
"""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import msgspec

from agentic_atlas.backend.domain.people import (
    Account,
    Amend,
    BrowserSession,
    Entry,
    Invitation,
    LinkedIdentity,
    WaysIn,
    enabled,
)
from agentic_atlas.backend.domain.records import Role, User

MOST_SESSIONS = 100
"""Sessions that are remembered of a user, for their list and to know their devices; of more, the newest."""
REMEMBERED = 180 * 86_400.0
"""Seconds after its last use for which a session is remembered once it is over."""
SIGN_ON_LIFETIME = 600.0
"""Seconds in which somebody has to come back from the identity provider."""
MOST_INVITATIONS = 1_000
"""Invitations in a list."""
MOST_IDENTITIES = 1_000
"""Identities in a list."""

LoggedOut: TypeAlias = tuple[list[str], list[str]]
"""Ids of the sessions, and of the API keys from log-ins, that ended together."""


class Accounts(Protocol):
    """What users log in with, invitations, and identities at a provider. They end with their user."""

    async def get(self, user_id: str) -> Account | None:
        """Return what the user logs in with."""

    async def change(self, user_id: str, amend: Amend) -> Account | None:
        """Store what `amend` makes of it, an empty one where there is none, with nothing else in between.

        Returns how it is now; None when nothing was changed. `amend` runs on another thread. Raises NotFound without
        the user.
        """

    async def replace_password(
        self, user_id: str, amend: Amend, now: float, *, but: str = "", invitation: str = ""
    ) -> LoggedOut | None:
        """Change a password, and end what the one before let in: sessions, keys from log-ins, invitations; in one step.

        `but`: id of what goes on. With the id of an invitation that is used up with it. Returns what ended; None, and
        nothing is changed, when `amend` decides so, or the invitation can't be used. Raises NotFound without the user.
        """

    async def invite(self, invitation: Invitation, role: Role) -> bool:
        """Store a new invitation in place of all others of its user that can still be used; in one step.

        False, and nothing is changed, when they are disabled or have another role than this. Raises NotFound without
        the user, and Forbidden when who made it administers no more.
        """

    async def invitation(self, *, digest: bytes = b"", id: str = "") -> tuple[Invitation, User] | None:
        """Return the invitation with this SHA-256 or id, and its user, whatever their state."""

    async def invitations(self, now: float) -> list[tuple[Invitation, User]]:
        """Return those that can still be used, newest first, at most `MOST_INVITATIONS`."""

    async def revoke_invitation(self, id: str, now: float) -> bool:
        """Mark an invitation revoked; False when it can't be used any more, or there never was one."""

    async def link(self, identity: LinkedIdentity, entry: Entry = enabled) -> bool:
        """Let an identity be its user's, if it is not somebody else's already; in one step.

        False, and nothing is changed, if it is, or the user may not come in. Raises NotFound without the user.
        """

    async def unlink(self, identity: LinkedIdentity, now: float, *, but: str = "") -> LoggedOut | None:
        """Forget an identity, and end its user's sessions and keys from log-ins; in one step.

        `but`: id of what goes on. Returns what ended; None, and nothing is changed, when it is not its user's. Raises
        Conflict (`last_way_in`) when they have no password and no other identity.
        """

    async def identities(self, user_id: str) -> list[LinkedIdentity]:
        """Return the user's identities in the order in which they were linked, at most `MOST_IDENTITIES`."""

    async def identified(self, issuer: str, subject: str) -> User | None:
        """Return whom the issuer knows by this subject."""

    async def ways(self, user_ids: Sequence[str], now: float, idle: float) -> dict[str, WaysIn]:
        """Return of each of these users what they may come in by, by their id.

        `idle`: seconds after its last use from which on a session is over.
        """

    async def anybody(self) -> bool:
        """Tell whether an administrator who is not disabled can log in: has a password, or an identity."""


class Sessions(Protocol):
    """Sessions of people, some of them over. They end with their user."""

    async def add(self, session: BrowserSession, entry: Entry = enabled) -> bool:
        """Store a new one, and forget those of its user that nobody needs any more; in one step.

        False, and nothing is stored, when its user may not come in. Raises NotFound without the user.
        """

    async def by_digest(self, digest: bytes) -> tuple[BrowserSession, User] | None:
        """Return the session with this SHA-256 and its user, whatever their state."""

    async def of_user(self, user_id: str) -> list[BrowserSession]:
        """Return the user's sessions, over or not, those that were used last first."""

    async def seen(self, session_id: str, at: float) -> None:
        """It was used."""

    async def end(self, now: float, *, user_id: str | None, id: str | None = None, but: str = "") -> list[str]:
        """End those of this user, or everybody's with None, that have not been: the one with this id, or all `but` one.

        Returns their ids.
        """

    async def knows(self, user_id: str, device: bytes) -> bool:
        """Tell whether the user has had a session on this device."""


class Sealing(Protocol):
    """Seals what has to be read again, and so cannot be kept as a digest."""

    def close(self, secret: str, whose: str) -> str:
        """Return a secret of the user of this id as it is kept."""

    def open(self, kept: str, whose: str) -> str:
        """Return the secret; nothing when it was sealed with another key, or is somebody else's."""


class Passwords(Protocol):
    """Hashes passwords and checks them, apart from everything else: each takes tens of milliseconds, and memory."""

    async def hash(self, password: str) -> str:
        """Return what to keep of a password. Raises Busy (`too_many_logins`) when too many wait."""

    async def check(self, password: str, kept: str, *, known: bool) -> tuple[bool, str | None]:
        """Tell whether this is the password, and what to keep of it from now on where that has changed.

        With nothing kept it takes as long, and is none. Raises as `hash` does; half of those who may wait are `known`,
        whatever strangers try.
        """


class Vouched(msgspec.Struct, frozen=True):
    """What an identity provider says of somebody who has just logged in there."""

    subject: str
    """Whom it knows them as, for ever."""
    name: str = ""
    """What they would be called, in no particular form."""
    email: str = ""
    """Their address, where the provider has verified it; else empty."""


class IdentityProvider(Protocol):
    """Where people log in once for many services, by OpenID Connect: authorisation code with PKCE."""

    @property
    def issuer(self) -> str:
        """Its address, which every word of it is signed as."""

    async def address(self, redirect_uri: str, *, state: str, nonce: str, verifier: str) -> str:
        """Return where to send the browser. Raises Unavailable (`provider_unavailable`)."""

    async def vouch(self, redirect_uri: str, *, code: str, nonce: str, verifier: str) -> Vouched:
        """Return who came back with this code.

        Raises:
            Unauthenticated: the provider does not vouch for anybody, or what it says is not for us (`login_failed`).
            Unavailable: it does not answer (`provider_unavailable`).
        """


class SignOn(msgspec.Struct, frozen=True):
    """Single sign-on, as a network has it."""

    provider: IdentityProvider
    create: bool = False
    """Make a user of whoever the provider vouches for and nobody knows; else they have to be linked before."""
    role: Role = Role.MEMBER
    """Of users who are made."""
    domains: tuple[str, ...] = ()
    """Those of verified e-mail addresses that users are made for; empty: for all whom the provider vouches for."""
