"""`client.account`: how one comes in oneself. What changes that needs the password again."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType

from agentic_atlas.protocol.caller.accounts import (
    AccountInfo,
    Confirmation,
    IdentityChange,
    IdentityInfo,
    IdentityList,
    LoggedOut,
    PasswordChange,
    RecoveryCodes,
    SessionList,
    TotpCode,
    TotpEnrolment,
)
from agentic_atlas.protocol.caller.people import SessionInfo
from agentic_atlas.sdk.client.http import Api, checked, segment


class AsyncAccount:
    """One's own password, one-time passwords, identities and sessions, as `AsyncClient.account`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def get(self) -> AccountInfo:
        """Return since when one has a password, and one-time passwords."""
        return await self._api.send("GET", "/users/me", AccountInfo)

    async def change_password(self, current: str, new: str) -> LoggedOut:
        """Have another password; return how many sessions, and API keys from log-ins, ended with the old one.

        What one is logged in with here goes on, as do keys that were made on purpose (`client.keys.create`).

        Raises:
            Unauthenticated: the current one is wrong. InvalidInput: the new one is guessed early (`weak_password`).
        """
        body = checked(PasswordChange(current=current, new=new))
        return await self._api.send("PUT", "/users/me/password", LoggedOut, body=body, repeatable=False)

    async def begin_totp(self, password: str) -> TotpEnrolment:
        """Return a secret for an authenticator; log-ins are as they were until `confirm_totp`.

        Raises:
            Unauthenticated: the password is wrong. Conflict: they need one-time passwords already (`totp_on`).
        """
        body = checked(Confirmation(password=password))
        return await self._api.send("POST", "/users/me/totp", TotpEnrolment, body=body, repeatable=False)

    async def confirm_totp(self, code: str) -> Sequence[str]:
        """Let log-ins need one-time passwords, by a first one; return the codes for who loses the authenticator."""
        body = checked(TotpCode(code=code))
        answer = await self._api.send("POST", "/users/me/totp/confirm", RecoveryCodes, body=body, repeatable=False)
        return answer.codes

    async def end_totp(self, password: str) -> None:
        """Let log-ins need no one-time passwords any more; raises Unauthenticated when the password is wrong."""
        body = checked(Confirmation(password=password))
        await self._api.send("DELETE", "/users/me/totp", NoneType, body=body, repeatable=False)

    async def identities(self) -> Sequence[IdentityInfo]:
        """Return what identity providers know one as, in the order in which it was linked."""
        return (await self._api.send("GET", "/users/me/identities", IdentityList)).items

    async def remove_identity(self, id: str, password: str = "") -> LoggedOut:
        """Log in no more with what a provider knows one as; return what ended with it.

        Raises:
            NotFound: it is none of one's own. Unauthenticated: the password is wrong.
            Conflict: one has no password, and nothing else to log in with (`last_way_in`).
            Forbidden: one has no password: administrators do it, or oneself in a browser (`log_in_again`).
        """
        body = checked(IdentityChange(password=password))
        path = f"/users/me/identities/{segment(id)}"
        return await self._api.send("DELETE", path, LoggedOut, body=body, repeatable=False)

    async def sessions(self) -> Sequence[SessionInfo]:
        """Return one's sessions that are not over, those that were used last first."""
        return (await self._api.send("GET", "/sessions", SessionList)).items

    async def end_session(self, id: str) -> None:
        """End a session of one's own, an administrator anybody's; raises NotFound without one."""
        await self._api.send("DELETE", f"/sessions/{segment(id)}", NoneType)

    async def end_sessions(self) -> int:
        """Log oneself out everywhere; return how many sessions ended."""
        return (await self._api.send("DELETE", "/sessions", LoggedOut)).sessions
