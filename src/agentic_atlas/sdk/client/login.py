"""Logs a machine in that holds no credentials: somebody who is logged in elsewhere approves it (after RFC 8628), or
whoever is at it says their password, which they have set by an invitation.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import msgspec

from agentic_atlas.errors import AtlasError, InvalidInput, NotFound, Unauthenticated, Unavailable
from agentic_atlas.protocol.caller.accounts import Acceptance, InvitationInfo, InvitationSecret, MachineLogin
from agentic_atlas.protocol.caller.people import DeviceCode, LoginCodes, LoginRequest, NewApiKey, UserInfo
from agentic_atlas.sdk.address import Address, base_url
from agentic_atlas.sdk.client.http import PATIENCE, TIMEOUT, Http, Sources, checked

SLOWER = 5.0
"""Seconds more between two questions after `slow_down` (RFC 8628, 3.5)."""
SHORTEST, LONGEST = 1.0, 60.0
"""Bounds of the interval, whatever a server says."""
MAX_LIFETIME = 3_600.0
"""Seconds that a login is waited for, whatever a server says."""
LONGEST_HOST = 64
"""Characters of a machine's name that are told."""
_ODD = re.compile(r"[^A-Za-z0-9._-]+")
"""What no name of a host has, though some machines are called by it."""


async def check_address(url: str, *, timeout: float = TIMEOUT, patience: float = PATIENCE) -> None:
    """See that a platform answers at this address, before there is a key for it.

    Raises:
        ConfigurationError: it is no address of a platform. AtlasError: none answers (`client.errors.ERRORS`).
    """
    async with _stranger(url, timeout, patience) as http:
        try:
            await http.send("GET", "/whoami", msgspec.Raw)
        except Unauthenticated:
            pass  # That is how a platform answers whoever has no key.


async def key_for_password(
    url: str, asked: MachineLogin, *, timeout: float = TIMEOUT, patience: float = PATIENCE
) -> NewApiKey:
    """Return an API key for this machine, for name and password of a user.

    Raises:
        Unauthenticated: they are wrong (`login_failed`), or a one-time password is missing (`code_required`).
        Busy: too many tries were wrong (`too_many_logins`). AtlasError: no answer (`client.errors.ERRORS`).
    """
    async with _stranger(url, timeout, patience) as http:
        return await http.send("POST", "/session/key", NewApiKey, body=checked(asked), repeatable=False, patience=0.0)


class InvitationLink:
    """The link of an invitation, as somebody was sent it.

    Raises:
        InvalidInput: it is none.
    """

    def __init__(self, link: str, *, timeout: float = TIMEOUT, patience: float = PATIENCE) -> None:
        self.url, behind, self._secret = link.strip().partition("/login#invitation=")
        if not behind or not self._secret:
            raise InvalidInput("a link of an invitation looks like https://atlas.example.org/login#invitation=atlas_…")
        self._waits = timeout, patience

    async def show(self) -> InvitationInfo:
        """Return whom it is for; raises NotFound (`invitation_not_found`) when it can't be used any more."""
        async with _stranger(self.url, *self._waits) as http:
            body = checked(InvitationSecret(secret=self._secret))
            return await http.send("POST", "/invitations/show", InvitationInfo, body=body)

    async def accept(self, password: str) -> UserInfo:
        """Set the password of whom it is for; raises as `show`, and InvalidInput (`weak_password`)."""
        async with _stranger(self.url, *self._waits) as http:
            body = checked(Acceptance(secret=self._secret, password=password))
            return await http.send("POST", "/invitations/accept", UserInfo, body=body, repeatable=False)


@asynccontextmanager
async def _stranger(url: str, timeout: float, patience: float) -> AsyncIterator[Http]:
    """Give what asks a platform without a key."""
    http = Http(Address(base_url(url), api_key=""), timeout=timeout, patience=patience, sources=Sources())
    try:
        yield http
    finally:
        await http.aclose()


class LoginByCode:
    """One login, from the first question to the key. Use it in `async with`.

    Args:
        url: the platform.
        timeout: seconds to wait for an answer.
        patience: seconds during which the first question is asked again when nobody answers.
        sources: clock, sleep, chance, for tests.

    Raises:
        ConfigurationError: it is no address of a platform.
    """

    def __init__(
        self, url: str, *, timeout: float = TIMEOUT, patience: float = PATIENCE, sources: Sources | None = None
    ) -> None:
        where = Address(base_url(url), api_key="")
        self._http = Http(where, timeout=timeout, patience=patience, sources=sources or Sources())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def begin(self, host: str) -> LoginCodes:
        """Begin the login of a machine of this name, which whoever approves is shown.

        Raises:
            Busy: too many logins are under way. AtlasError: there was no answer (`client.errors.ERRORS`).
        """
        body = checked(LoginRequest(host=host_name(host)))
        return await self._http.send("POST", "/login-codes", LoginCodes, body=body, repeatable=False)

    async def key(self, codes: LoginCodes) -> NewApiKey:
        """Wait until the login is approved; return the API key. A platform that is away for a while is waited for.

        Raises:
            Forbidden: it was denied (`access_denied`).
            NotFound: its time is over, or the key was handed out before (`expired_token`).
        """
        sources = self._http.sources
        ends = sources.clock() + min(codes.expires_in, MAX_LIFETIME)
        interval = min(max(codes.interval, SHORTEST), LONGEST)
        while sources.clock() < ends:
            await sources.sleep(interval)
            try:
                return await self._ask(codes.device_code)
            except AtlasError as error:
                if not _worth_waiting(error):
                    raise
                if error.code == "slow_down":
                    interval = min(interval + SLOWER, LONGEST)
        raise NotFound("nobody approved the login in time: begin a new one", code="expired_token")

    async def _ask(self, device_code: str) -> NewApiKey:
        body = checked(DeviceCode(device_code=device_code))
        return await self._http.send("POST", "/login-codes/token", NewApiKey, body=body, repeatable=False, patience=0.0)


def host_name(host: str) -> str:
    """Return a machine's name as a platform takes it."""
    return _ODD.sub("-", host)[:LONGEST_HOST].strip("-._") or "unnamed"


def _worth_waiting(error: AtlasError) -> bool:
    return error.code in ("authorization_pending", "slow_down") or isinstance(error, Unavailable)
