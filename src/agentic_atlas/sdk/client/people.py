"""`client.people`, `keys`, `logins` and `backups`: who may use a network, and what its administrators do."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from types import NoneType
from typing import Literal

from agentic_atlas.protocol.caller.accounts import (
    IdentityInfo,
    IdentityList,
    InvitationInfo,
    InvitationList,
    InvitationRequest,
    LoggedOut,
    NewInvitation,
    SessionList,
)
from agentic_atlas.protocol.caller.backups import BackupInfo, BackupList
from agentic_atlas.protocol.caller.people import (
    ApiKeyInfo,
    ApiKeyList,
    ApiKeyPage,
    ApiKeyRequest,
    GroupInfo,
    GroupPage,
    GroupRequest,
    ListedUser,
    LoginInfo,
    NewApiKey,
    RoleName,
    SessionInfo,
    SigningKeyInfo,
    SigningKeyList,
    UserChange,
    UserCode,
    UserInfo,
    UserPage,
    UserRequest,
    WhoAmI,
)
from agentic_atlas.sdk.client.http import Api, checked, pages, segment


class AsyncPeople:
    """The users of a network, as `AsyncClient.people`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def whoami(self) -> WhoAmI:
        """Return who the API key belongs to, and what network this is."""
        return await self._api.send("GET", "/whoami", WhoAmI)

    def list(self) -> AsyncGenerator[ListedUser, None]:
        """Yield all users by name, with what each may come in by; for administrators, as is all that follows."""
        return pages(self._api, "/users", UserPage)

    async def create(self, name: str, role: RoleName = "member") -> UserInfo:
        """Make a user who has API keys alone; `invite` makes one who can log in. Raises Conflict (`user_exists`)."""
        body = checked(UserRequest(name=name, role=role))
        return await self._api.send("POST", "/users", UserInfo, body=body, repeatable=False)

    async def update(self, name: str, *, role: RoleName | None = None, disabled: bool | None = None) -> UserInfo:
        """Change what is given. Who is disabled is out at once, with all their keys, sessions and agents.

        Raises:
            NotFound: no such user. Conflict: it would take one's own rights away.
        """
        body = checked(UserChange(role=role, disabled=disabled))
        return await self._api.send("PATCH", f"/users/{segment(name)}", UserInfo, body=body)

    async def delete(self, name: str) -> None:
        """Remove a user with their keys and sessions; raises Conflict (`user_has_agents`) while they own agents."""
        await self._api.send("DELETE", f"/users/{segment(name)}", NoneType)

    async def invite(
        self, name: str, role: RoleName | None = None, *, expires_in: float | None = None
    ) -> NewInvitation:
        """Make a link with which the user of this name sets a password, once; it ends an earlier one of theirs.

        Args:
            name: of whoever is to log in, or to log in again who has forgotten their password.
            role: of a user who is made, for there was none of this name; without it they are a member.
            expires_in: seconds in which the link can be used, seven days at the most; without it, those.

        Raises:
            Conflict: who is there has another role (`other_role`), which `update` changes; is disabled; or is oneself
                (`own_account`).
        """
        body = checked(InvitationRequest(user=name, role=role, expires_in=expires_in))
        return await self._api.send("POST", "/invitations", NewInvitation, body=body, repeatable=False)

    async def invitations(self) -> Sequence[InvitationInfo]:
        """Return the invitations that can still be used, newest first."""
        return (await self._api.send("GET", "/invitations", InvitationList)).items

    async def revoke_invitation(self, id: str) -> None:
        """Make an invitation worthless; raises NotFound when it can't be used any more."""
        await self._api.send("DELETE", f"/invitations/{segment(id)}", NoneType)

    async def sessions(self, name: str) -> Sequence[SessionInfo]:
        """Return the sessions of a user that are not over, those that were used last first."""
        return (await self._api.send("GET", f"/users/{segment(name)}/sessions", SessionList)).items

    async def end_sessions(self, name: str) -> int:
        """Log a user out everywhere; return how many sessions ended."""
        return (await self._api.send("DELETE", f"/users/{segment(name)}/sessions", LoggedOut)).sessions

    async def identities(self, name: str) -> Sequence[IdentityInfo]:
        """Return what identity providers know a user as, in the order in which it was linked."""
        return (await self._api.send("GET", f"/users/{segment(name)}/identities", IdentityList)).items

    async def remove_identity(self, name: str, id: str) -> LoggedOut:
        """Let a user log in no more with what a provider knows them as; return what ended with it.

        Raises:
            NotFound: it is none of theirs.
            Conflict: they have no password, and no other one (`last_way_in`); or they are oneself (`own_account`).
        """
        path = f"/users/{segment(name)}/identities/{segment(id)}"
        return await self._api.send("DELETE", path, LoggedOut, repeatable=False)

    async def end_totp(self, name: str) -> UserInfo:
        """Let the log-ins of a user need no one-time passwords any more, who has lost their authenticator.

        Raises Conflict (`own_account`) for oneself: `client.account.end_totp` takes one's password.
        """
        return await self._api.send("DELETE", f"/users/{segment(name)}/totp", UserInfo)


class AsyncGroups:
    """Groups of users, with whom an agent is shared at once, as `AsyncClient.groups`; changed by administrators."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> AsyncGenerator[GroupInfo, None]:
        """Yield the groups that one is in, by name; all for administrators."""
        return pages(self._api, "/groups", GroupPage)

    async def create(self, name: str) -> GroupInfo:
        """Make a group that nobody is in; raises Conflict when the name is in use."""
        body = checked(GroupRequest(name=name))
        return await self._api.send("POST", "/groups", GroupInfo, body=body, repeatable=False)

    async def delete(self, name: str) -> GroupInfo:
        """Remove a group: what is shared with it is shared with its members no more.

        Returns what it was; `ended` has the tokens that its members had made by that.
        """
        return await self._api.send("DELETE", f"/groups/{segment(name)}", GroupInfo)

    async def add(self, name: str, user: str) -> GroupInfo:
        """Have a user in a group; raises NotFound without either."""
        return await self._api.send("PUT", f"/groups/{segment(name)}/members/{segment(user)}", GroupInfo)

    async def remove(self, name: str, user: str) -> GroupInfo:
        """Have a user not in a group; raises NotFound without either."""
        return await self._api.send("DELETE", f"/groups/{segment(name)}/members/{segment(user)}", GroupInfo)


class AsyncKeys:
    """One's own API keys, as `AsyncClient.keys`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(
        self,
        name: str = "",
        *,
        expires_in: float | None = None,
        scopes: Sequence[str] | None = None,
        user: str | None = None,
    ) -> NewApiKey:
        """Make an API key. Its secret is in the answer and nowhere else.

        Args:
            name: to tell one's keys apart.
            expires_in: seconds, 366 days at most; without it the key is good until it is revoked.
            scopes: what it is good for, for instance `["tasks:call:ada/books"]`; else all that this client's key is.
            user: name of whom it is for, else oneself; for administrators.

        Raises:
            Forbidden: a scope is asked for that this client's own key lacks (`insufficient_scope`).
        """
        asked = None if scopes is None else [*scopes]
        body = checked(ApiKeyRequest(name=name, expires_in=expires_in, user=user, scopes=asked))
        return await self._api.send("POST", "/api-keys", NewApiKey, body=body, repeatable=False)

    async def list(self) -> Sequence[ApiKeyInfo]:
        """Return the API keys, newest first, without their secrets."""
        return (await self._api.send("GET", "/api-keys", ApiKeyList)).items

    def all(self, *, user: str | None = None) -> AsyncGenerator[ApiKeyInfo, None]:
        """Yield everybody's API keys, newest first, or those of the user of this name; for administrators.

        Raises NotFound: there is no such user (`user_not_found`).
        """
        return pages(self._api, "/api-keys/all", ApiKeyPage, {"user": user})

    async def revoke(self, id: str) -> ApiKeyInfo:
        """Make an API key worthless at once, this client's own too."""
        return await self._api.send("DELETE", f"/api-keys/{segment(id)}", ApiKeyInfo)

    async def signing(self) -> Sequence[SigningKeyInfo]:
        """Return the keys that agents' tokens are signed with, the one that signs now first; for administrators."""
        return (await self._api.send("GET", "/signing-keys", SigningKeyList)).items

    async def rotate(self) -> SigningKeyInfo:
        """Have a new key sign agents' tokens from now on; those that were made stay good. For administrators."""
        return await self._api.send("POST", "/signing-keys", SigningKeyInfo, repeatable=False)

    async def withdraw(self, id: str) -> SigningKeyInfo:
        """Make every token worthless that this signing key has signed, at once, and what agents got for one by renewal.

        For administrators. What that ended is in what is returned.

        Raises:
            Conflict: it is the one that signs: rotate first (`key_in_use`).
        """
        return await self._api.send("DELETE", f"/signing-keys/{segment(id)}", SigningKeyInfo)


class AsyncLogins:
    """Machines that want to log in (`atlas login --code`), as `AsyncClient.logins`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def get(self, user_code: str) -> LoginInfo:
        """Return who wants to log in with this code.

        Raises:
            NotFound: no login waits for the code. Busy: too many wrong codes were tried.
        """
        return await self._decide("show", user_code)

    async def approve(self, user_code: str) -> LoginInfo:
        """Let whoever asks with this code have an API key of one's own; raises as `get` does."""
        return await self._decide("approve", user_code)

    async def deny(self, user_code: str) -> LoginInfo:
        """Turn away whoever asks with this code; raises as `get` does."""
        return await self._decide("deny", user_code)

    async def _decide(self, decision: Literal["show", "approve", "deny"], user_code: str) -> LoginInfo:
        body = checked(UserCode(user_code=user_code))
        return await self._api.send("POST", f"/login-codes/{decision}", LoginInfo, body=body, repeatable=False)


class AsyncBackups:
    """Backups on the server's machine, as `AsyncClient.backups`; for administrators."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(self) -> BackupInfo:
        """Make a backup, while everything goes on.

        The answer comes when the backup is whole: give the client a `timeout` that is long enough for the network's
        size, about a minute for each GB. After a timeout the server goes on, and `list` has it when it is there.

        Raises:
            Busy: one is being made already. Unavailable: there is no room for it (`storage_full`).
        """
        return await self._api.send("POST", "/backups", BackupInfo, repeatable=False)

    async def list(self) -> Sequence[BackupInfo]:
        """Return the backups there are, newest first."""
        return (await self._api.send("GET", "/backups", BackupList)).items
