"""Users, their API keys and logins: what may be asked of them, and how they are shown."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from agentic_atlas.protocol.caller.agents import EndedToken
from agentic_atlas.protocol.caller.values import Asked, Listing, Page, Positive, Shown

RoleName: TypeAlias = Literal["admin", "member", "viewer"]
ScopeWord: TypeAlias = Annotated[str, Meta(min_length=1, max_length=250)]
"""One thing that an API key is good for: `tasks:read`, `tasks:call`, `tasks:write`, `agents:read`, `agents:write`,
`tokens:read`, `tokens:write`, `users:admin`, `audit:read`, `metrics:read`, or `*` for everything. Writing
implies reading of the same noun. `tasks:call:OWNER/AGENT[/SKILL]` is for tasks of that agent, or skill;
`tasks:read:own` for its own ones."""


class UserRequest(Asked, frozen=True, kw_only=True):
    """A user to be."""

    name: str
    role: RoleName = "member"


class UserChange(Asked, frozen=True, kw_only=True):
    """What to change of a user."""

    role: RoleName | None = None
    disabled: bool | None = None


class ApiKeyRequest(Asked, frozen=True, kw_only=True):
    """An API key to be."""

    name: str = ""
    expires_in: Positive | None = None
    """Seconds; without it the key is good until it is revoked."""
    user: str | None = None
    """For whom; administrators only."""
    scopes: Annotated[list[ScopeWord], Meta(min_length=1, max_length=32)] | None = None
    """What it is good for: nothing that the asking key is not good for, and without this all that that one is."""


class LoginRequest(Asked, frozen=True, kw_only=True):
    """A login to be approved by somebody else."""

    host: Annotated[str, Meta(min_length=1, max_length=64)]
    """The asking machine's name, for whoever approves."""


class DeviceCode(Asked, frozen=True, kw_only=True):
    """The code that the asking machine keeps to itself."""

    device_code: Annotated[str, Meta(min_length=1, max_length=128)]


class UserCode(Asked, frozen=True, kw_only=True):
    """The code that a person reads and types; case, dashes and spaces do not count."""

    user_code: Annotated[str, Meta(min_length=1, max_length=32)]


class UserInfo(Shown, frozen=True, kw_only=True):
    """A person, or a program that acts as one."""

    id: str
    name: str
    role: str
    disabled: bool
    created_at: datetime


class ListedUser(UserInfo, frozen=True, kw_only=True):
    """A user, and what they may come in by besides API keys."""

    password_at: datetime | None = None
    """When their password was set; null: they have none."""
    totp_at: datetime | None = None
    """Since when a log-in needs a one-time password as well; null: it needs none."""
    identities: int = 0
    """How many are linked to them at the provider of single sign-on."""
    invited_until: datetime | None = None
    """Until when a link can be used that sets their password; null: there is none."""
    last_login_at: datetime | None = None
    """When they logged in last, with a browser or by `atlas login`, as far as is remembered."""
    last_seen_at: datetime | None = None
    """When one of their sessions or API keys was used last, as far as is remembered; up to a minute behind."""
    sessions: int = 0
    """In how many browsers they are logged in."""


UserPage: TypeAlias = Page[ListedUser, str]
"""Part of a list of users, by name."""


class GroupRequest(Asked, frozen=True, kw_only=True):
    """A group to be."""

    name: str


class GroupInfo(Shown, frozen=True, kw_only=True):
    """Users with whom an agent is shared at once, as `group:NAME`."""

    name: str
    members: list[str]
    """Their names."""
    created_at: datetime
    ended: tuple[EndedToken, ...] = ()
    """The tokens that ended with what is shared with it no more; their connections are closed."""


GroupPage: TypeAlias = Page[GroupInfo, str]
"""Part of a list of groups, by name."""


class ApiKeyInfo(Shown, frozen=True, kw_only=True):
    """An API key, without its secret."""

    id: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    scopes: tuple[str, ...] = ("*",)
    """What it is good for: words such as `tasks:read` or `tasks:call:ada/books`; `*` is everything."""
    prefix: str = ""
    """Its first characters, such as `atlas_Kq3vTz`, to tell which one it is that was found somewhere; empty for one
    that was made before they were kept."""
    last_used_at: datetime | None = None
    last_address: str = ""
    """Where it was used from then."""
    from_login: bool = False
    """It was made by logging in (`atlas login`): it ends when its user has another password."""
    user: str = ""
    """Name of whose it is; empty in a list of one's own."""


class NewApiKey(ApiKeyInfo, frozen=True, kw_only=True):
    """An API key just made: the only time its secret is known to anyone but its owner."""

    key: str
    """Left out of the text form."""

    def __repr__(self) -> str:
        return f"NewApiKey(id={self.id!r}, user={self.user!r}, name={self.name!r}, key=…)"


ApiKeyList: TypeAlias = Listing[ApiKeyInfo]
"""API keys, newest first."""

ApiKeyPage: TypeAlias = Page[ApiKeyInfo, str]
"""Part of everybody's API keys, newest first."""


class SessionInfo(Shown, frozen=True, kw_only=True):
    """A person who is logged in with a browser."""

    id: str
    user: str
    created_at: datetime
    used_at: datetime
    """When it was used last; up to a minute behind."""
    expires_at: datetime
    """When it ends, however much it is used; it ends earlier when it is not."""
    address: str
    """Where it was begun."""
    agent: str
    """What the browser called itself."""
    current: bool
    """It is the one that asks."""


class WhoAmI(Shown, frozen=True, kw_only=True):
    """Who the credentials belong to, and where they lead."""

    user: UserInfo
    api_key: ApiKeyInfo | None = None
    """With which it was asked; null in a browser, which has a session."""
    session: SessionInfo | None = None
    network: str
    version: str
    """The server's."""
    router_url: str
    """Where agents connect: the value of `ROUTER_WS_URL`."""
    api_url: str
    """The API as others see it, for `BACKEND_API_BASE_URL`; empty: it is where it was asked."""


class SigningKeyInfo(Shown, frozen=True, kw_only=True):
    """A key that signs agents' tokens, or signed them; its private half is shown to nobody."""

    id: str
    """The thumbprint that tokens name it by (`kid`), and that it has in the network's JWK set."""
    signs: bool
    """Every token made now is signed with it; all others only verify."""
    created_at: datetime
    retires_at: datetime | None
    """From then on it verifies nothing; null: no end yet."""
    tokens: int = 0
    """Tokens that end when it is withdrawn, or ended then: those it signed, and what agents got for such by renewal."""
    connected: int = 0
    """Instances that are, or were, connected with one of them."""
    agents: tuple[str, ...] = ()
    """Full names of the agents that they are for; the first hundred."""


SigningKeyList: TypeAlias = Listing[SigningKeyInfo]
"""Signing keys, the one that signs first."""


class LoginCodes(Shown, frozen=True, kw_only=True):
    """A login that waits for somebody to approve it: one code to ask with, one for a person to approve."""

    device_code: str
    """What the key is asked for with. Left out of the text form."""
    user_code: str
    """What a person types to approve it: `XXXX-XXXX`."""
    expires_in: float
    """Seconds in which it has to be approved and fetched."""
    interval: float
    """Seconds to wait between two questions."""
    verification_uri: str = ""
    """The page where somebody who is logged in approves it with the user code, as RFC 8628 names it."""
    verification_uri_complete: str = ""
    """The same page with the code behind `#`, where no request and so no log has it."""

    def __repr__(self) -> str:
        return f"LoginCodes(expires_in={self.expires_in})"


class LoginInfo(Shown, frozen=True, kw_only=True):
    """Who wants to log in; `host` is what they say."""

    host: str
    address: str
    age: float
    """Seconds since they asked, by the server's clock."""
    asked_at: datetime
    expires_at: datetime
    scopes: tuple[str, ...] = ("*",)
    """What the API key is good for that they get if whoever looks approves it."""
    lasts: float = 0.0
    """Seconds for which it is good, at the most."""
