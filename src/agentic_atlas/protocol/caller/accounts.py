"""How people log in, stay logged in, and let others in: what may be asked, and what is shown.

No secret is in the text form of any of it.
"""

from datetime import datetime
from typing import Annotated, TypeAlias

from msgspec import Meta

from agentic_atlas.protocol.caller.people import RoleName, SessionInfo, UserInfo
from agentic_atlas.protocol.caller.values import Asked, Listing, Positive, Shown

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Password: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
Code: TypeAlias = Annotated[str, Meta(max_length=64)]
Secret: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]


class _Quiet(Asked, frozen=True, kw_only=True):
    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class PasswordLogin(_Quiet, frozen=True, kw_only=True):
    """Somebody who wants to be logged in."""

    name: Name
    password: Password
    code: Code = ""
    """The one-time password that their authenticator shows, or a recovery code, where their account has such."""


class MachineLogin(PasswordLogin, frozen=True, kw_only=True):
    """Somebody who wants an API key for the machine they are at."""

    host: Annotated[str, Meta(min_length=1, max_length=64)]
    """Its name, by which the key is known."""


SessionList: TypeAlias = Listing[SessionInfo]
"""Sessions that are not over, those that were used last first."""


class LoggedOut(Shown, frozen=True, kw_only=True):
    """What ended when somebody was logged out."""

    sessions: int
    """How many ended."""
    keys: int = 0
    """How many API keys ended with them, which were made by logging in; those that were made on purpose stay."""


class InvitationRequest(Asked, frozen=True, kw_only=True):
    """Whom to give a link with which they set a password."""

    user: Name
    """Made when there is none of this name."""
    role: RoleName | None = None
    """Of a user who is made, else `member`. Whoever is there keeps theirs: another one than that is refused."""
    expires_in: Positive | None = None
    """Seconds in which it can be used, seven days at the most; without it, those."""


class InvitationSecret(_Quiet, frozen=True, kw_only=True):
    """What stands in the link behind `#invitation=`."""

    secret: Secret


class Acceptance(InvitationSecret, frozen=True, kw_only=True):
    """An invitation, and the password to be."""

    password: Password


class InvitationInfo(Shown, frozen=True, kw_only=True):
    """A link with which a user sets a password, once."""

    id: str
    user: str
    role: str = ""
    """What the user is; another role ends the invitation."""
    created_at: datetime
    expires_at: datetime


class NewInvitation(InvitationInfo, frozen=True, kw_only=True):
    """An invitation just made: the only time that its link is known."""

    link: str
    """Left out of the text form."""

    def __repr__(self) -> str:
        return f"NewInvitation(id={self.id!r}, user={self.user!r}, link=…)"


InvitationList: TypeAlias = Listing[InvitationInfo]
"""Invitations that can still be used, newest first."""


class PasswordChange(_Quiet, frozen=True, kw_only=True):
    """One's own password to be."""

    current: Password
    new: Password


class Confirmation(_Quiet, frozen=True, kw_only=True):
    """One's own password again: what is asked for changes how one comes in."""

    password: Password


class IdentityChange(_Quiet, frozen=True, kw_only=True):
    """What else one comes in by, to be linked or removed."""

    password: Annotated[str, Meta(max_length=256)] = ""
    """One's own; who has none has to have logged in within the last ten minutes."""


class IdentityInfo(Shown, frozen=True, kw_only=True):
    """What an identity provider knows a user as, so that they log in with it."""

    id: str
    user: str
    issuer: str
    """The provider's address."""
    subject: str
    """Whom it knows them as, for ever."""
    linked_at: datetime


IdentityList: TypeAlias = Listing[IdentityInfo]
"""What a user is known by, in the order in which it was linked."""


class SignOnAddress(Shown, frozen=True, kw_only=True):
    """Where a browser goes next, to log in at the identity provider."""

    address: str


class TotpEnrolment(Shown, frozen=True, kw_only=True):
    """A secret for an authenticator, shown once; nothing changes until a code of it is confirmed."""

    secret: str
    uri: str
    """The same for programs: `otpauth://…`."""
    qr: str
    """The same for cameras: an SVG image."""

    def __repr__(self) -> str:
        return "TotpEnrolment(…)"


class TotpCode(_Quiet, frozen=True, kw_only=True):
    """What the authenticator shows."""

    code: Annotated[str, Meta(min_length=6, max_length=16)]


class RecoveryCodes(Shown, frozen=True, kw_only=True):
    """Codes that are taken once each in place of a one-time password, shown once."""

    codes: list[str]

    def __repr__(self) -> str:
        return f"RecoveryCodes({len(self.codes)} codes)"


class AccountInfo(Shown, frozen=True, kw_only=True):
    """How one comes in."""

    user: UserInfo
    password_at: datetime | None
    """When the password was set; null: there is none."""
    totp_at: datetime | None
    """Since when a log-in needs a one-time password; null: it needs none."""
    recovery_codes: int
    """How many are left."""
