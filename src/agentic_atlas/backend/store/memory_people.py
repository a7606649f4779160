"""What users log in with, and their sessions, in dictionaries: the rest of the store in `memory`."""

from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from agentic_atlas.backend.accounts import MOST_IDENTITIES, MOST_INVITATIONS, MOST_SESSIONS, REMEMBERED, LoggedOut
from agentic_atlas.backend.domain.people import (
    Account,
    Amend,
    BrowserSession,
    Entry,
    Invitation,
    LinkedIdentity,
    WaysIn,
    enabled,
    last_way_in,
)
from agentic_atlas.backend.domain.records import Role, User


class KnownUsers(Protocol):
    """The users of the store."""

    def known(self, user_id: str) -> User:
        """Return this user; raises NotFound without them."""

    def may_enter(self, user_id: str, entry: Entry) -> bool:
        """Tell whether this user may come in; raises NotFound without them."""

    def check_maker(self, user_id: str) -> None:
        """Raise Forbidden when who makes something for somebody else administers no more."""

    def seen(self, user_id: str, now: float, idle: float) -> tuple[float | None, float | None, int]:
        """Return when this user logged in last, when they were seen last, and how many sessions are not over."""

    async def log_out(self, user_id: str, now: float, but: str) -> LoggedOut:
        """End the sessions of this user, and their keys from log-ins, but the one with this id."""


class MemoryAccounts:
    """`backend.accounts.Accounts`."""

    def __init__(self, users: KnownUsers) -> None:
        self._users = users
        self._accounts: dict[str, Account] = {}
        self._invitations: dict[str, Invitation] = {}
        self._identities: dict[tuple[str, str], LinkedIdentity] = {}

    def held(self, user_id: str) -> Account:
        """Return what the user logs in with, if it is nothing."""
        return self._accounts.get(user_id) or Account(user_id)

    async def get(self, user_id: str) -> Account | None:
        """See the port."""
        return self._accounts.get(user_id)

    async def change(self, user_id: str, amend: Amend) -> Account | None:
        """See the port."""
        self._users.known(user_id)
        changed = amend(self.held(user_id))
        if changed is not None:
            self._accounts[user_id] = changed
        return changed

    async def replace_password(
        self, user_id: str, amend: Amend, now: float, *, but: str = "", invitation: str = ""
    ) -> LoggedOut | None:
        """See the port."""
        link = self._invitations.get(invitation)
        if invitation and (link is None or link.user_id != user_id or not link.open(now)):
            return None
        if await self.change(user_id, amend) is None:
            return None
        if link is not None:
            self._invitations[link.id] = replace(link, used_at=now)
        self.end_invitations(now, of=user_id)
        return await self._users.log_out(user_id, now, but)

    async def invite(self, invitation: Invitation, role: Role) -> bool:
        """See the port."""
        user = self._users.known(invitation.user_id)
        if user.disabled_at is not None or user.role is not role:
            return False
        self._users.check_maker(invitation.made_by)
        self.end_invitations(invitation.created_at, of=user.id)
        self._invitations[invitation.id] = invitation
        return True

    async def invitation(self, *, digest: bytes = b"", id: str = "") -> tuple[Invitation, User] | None:
        """See the port."""
        found = next((one for one in self._invitations.values() if id == one.id or digest == one.digest), None)
        return None if found is None else (found, self._users.known(found.user_id))

    async def invitations(self, now: float) -> list[tuple[Invitation, User]]:
        """See the port."""
        usable = sorted((one for one in self._invitations.values() if one.open(now)), key=lambda one: one.id)
        return [(one, self._users.known(one.user_id)) for one in usable[::-1][:MOST_INVITATIONS]]

    async def revoke_invitation(self, id: str, now: float) -> bool:
        """See the port."""
        link = self._invitations.get(id)
        if link is None or not link.open(now):
            return False
        self._invitations[id] = replace(link, revoked_at=now)
        return True

    async def link(self, identity: LinkedIdentity, entry: Entry = enabled) -> bool:
        """See the port."""
        if not self._users.may_enter(identity.user_id, entry):
            return False
        held = self._identities.setdefault((identity.issuer, identity.subject), identity)
        return held.user_id == identity.user_id

    async def unlink(self, identity: LinkedIdentity, now: float, *, but: str = "") -> LoggedOut | None:
        """See the port."""
        theirs, account = await self.identities(identity.user_id), self._accounts.get(identity.user_id)
        if identity not in theirs:
            return None
        if len(theirs) == 1 and not (account and account.password):
            raise last_way_in()
        del self._identities[identity.issuer, identity.subject]
        return await self._users.log_out(identity.user_id, now, but)

    async def identities(self, user_id: str) -> list[LinkedIdentity]:
        """See the port."""
        theirs = (one for one in self._identities.values() if one.user_id == user_id)
        return sorted(theirs, key=lambda one: (one.linked_at, one.issuer, one.subject))[:MOST_IDENTITIES]

    async def identified(self, issuer: str, subject: str) -> User | None:
        """See the port."""
        found = self._identities.get((issuer, subject))
        return None if found is None else self._users.known(found.user_id)

    async def ways(self, user_ids: Sequence[str], now: float, idle: float) -> dict[str, WaysIn]:
        """See the port."""
        return {user_id: self._ways(user_id, now, idle) for user_id in user_ids}

    async def anybody(self) -> bool:
        """See the port."""
        by_password = {one.user_id for one in self._accounts.values() if one.password}
        found = map(self._users.known, by_password | {one.user_id for one in self._identities.values()})
        return any(user.administers for user in found)

    def forget_invitations(self, user_id: str) -> None:
        """The user has another role."""
        unused = {one.id for one in self._theirs(user_id) if one.used_at is None and one.revoked_at is None}
        self._invitations = {key: one for key, one in self._invitations.items() if key not in unused}

    def end_invitations(self, now: float, *, of: str = "", made_by: str = "") -> list[Invitation]:
        """End those that are this user's, or that this user made, and return them."""
        these = [one for one in self._invitations.values() if of == one.user_id or (made_by and made_by == one.made_by)]
        ended = {one.id: replace(one, revoked_at=now) for one in these if one.open(now)}
        self._invitations |= ended
        return [ended[key] for key in sorted(ended)]

    def forget(self, user_id: str) -> None:
        """The user was deleted."""
        self._accounts.pop(user_id, None)
        self._invitations = {key: one for key, one in self._invitations.items() if one.user_id != user_id}
        self._identities = {key: one for key, one in self._identities.items() if one.user_id != user_id}

    def _theirs(self, user_id: str) -> list[Invitation]:
        return [one for one in self._invitations.values() if one.user_id == user_id]

    def _ways(self, user_id: str, now: float, idle: float) -> WaysIn:
        account = self.held(user_id)
        links = [one.expires_at for one in self._theirs(user_id) if one.open(now)]
        return WaysIn(
            account.password_at if account.password else None,
            account.totp_at,
            sum(one.user_id == user_id for one in self._identities.values()),
            max(links, default=None),
            *self._users.seen(user_id, now, idle),
        )


class MemorySessions:
    """`backend.accounts.Sessions`."""

    def __init__(self, users: KnownUsers) -> None:
        self._users = users
        self._sessions: dict[str, BrowserSession] = {}

    async def add(self, session: BrowserSession, entry: Entry = enabled) -> bool:
        """See the port."""
        if not self._users.may_enter(session.user_id, entry):
            return False
        self._sessions[session.id] = session
        theirs, now = await self.of_user(session.user_id), session.created_at
        old = [one for one in theirs if one.used_at < now - REMEMBERED and one.ends_at < now]
        for one in (*theirs[MOST_SESSIONS:], *old):
            self._sessions.pop(one.id, None)
        return True

    async def by_digest(self, digest: bytes) -> tuple[BrowserSession, User] | None:
        """See the port."""
        found = next((one for one in self._sessions.values() if one.digest == digest), None)
        return None if found is None else (found, self._users.known(found.user_id))

    async def of_user(self, user_id: str) -> list[BrowserSession]:
        """See the port."""
        theirs = (one for one in self._sessions.values() if one.user_id == user_id)
        return sorted(theirs, key=lambda one: (one.used_at, one.id), reverse=True)

    def held(self, user_id: str) -> list[BrowserSession]:
        """Return the user's sessions, over or not."""
        return [one for one in self._sessions.values() if one.user_id == user_id]

    async def seen(self, session_id: str, at: float) -> None:
        """See the port."""
        if session_id in self._sessions:
            self._sessions[session_id] = replace(self._sessions[session_id], used_at=at)

    async def end(self, now: float, *, user_id: str | None, id: str | None = None, but: str = "") -> list[str]:
        """See the port."""
        named = (one for one in self._sessions.values() if user_id in (None, one.user_id) and id in (None, one.id))
        ended = {one.id: replace(one, ended_at=now) for one in named if one.ended_at is None and one.id != but}
        self._sessions |= ended
        return list(ended)

    async def knows(self, user_id: str, device: bytes) -> bool:
        """See the port."""
        return any((one.user_id, one.device) == (user_id, device) for one in self._sessions.values())

    def forget(self, user_id: str) -> None:
        """The user was deleted."""
        self._sessions = {key: one for key, one in self._sessions.items() if one.user_id != user_id}
