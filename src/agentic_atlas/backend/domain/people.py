"""How people come in, as frozen values: what they log in with, their sessions, and their invitations.

Of every secret only a digest is here: of a password its argon2id hash, of what is random the SHA-256.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from agentic_atlas.auth import digest
from agentic_atlas.backend.domain.records import User
from agentic_atlas.errors import Conflict, Forbidden, Unauthenticated


class Account(msgspec.Struct, frozen=True):
    """What a user logs in with. Who has none comes in with API keys alone, or by single sign-on."""

    user_id: str
    password: str = ""
    """As `auth.passwords` keeps it; empty: none."""
    password_at: float | None = None
    """When it was set."""
    totp: str = ""
    """Secret of one-time passwords (RFC 6238), in base 32; empty: none, or one that can't be read any more. Stores keep
    it sealed."""
    totp_at: float | None = None
    """Since when a log-in needs one; None: the secret was given out and not confirmed yet."""
    totp_step: int = 0
    """Number of the last step of time whose password was taken: neither it nor an earlier one is taken again."""
    recovery: tuple[bytes, ...] = ()
    """Digests of the codes that are taken once in place of a one-time password."""


class WaysIn(msgspec.Struct, frozen=True):
    """What a user may come in by besides API keys, and when they did last; times in seconds (Unix)."""

    password_at: float | None = None
    """When their password was set; None: they have none."""
    totp_at: float | None = None
    """Since when a log-in needs a one-time password as well."""
    identities: int = 0
    """How many they have at the provider of single sign-on."""
    invited_until: float | None = None
    """Until when an invitation can be used."""
    last_login_at: float | None = None
    """When they logged in last, with a browser or a command, as far as is remembered."""
    last_seen_at: float | None = None
    """When one of their sessions or API keys was used last, likewise."""
    sessions: int = 0
    """How many of their sessions are not over."""


Amend: TypeAlias = Callable[[Account], Account | None]
"""A pure decision about what somebody logs in with: how it is from now on, or None when nothing is to be changed."""


Entry: TypeAlias = Callable[[User, Account], bool]
"""A pure decision whether somebody may come in, made in the write that lets them in: of how all is kept then."""


def enabled(user: User, _: Account) -> bool:
    """Let in who is not disabled."""
    return user.disabled_at is None


def with_password_of(shown: Account) -> Entry:
    """Let in who is not disabled, and whose password is still the one that they have shown: a hash takes its time."""
    return lambda user, held: user.disabled_at is None and held.password_at == shown.password_at


def unless_password_changed(shown: Account, amend: Amend) -> Amend:
    """Change what is decided, for whoever has shown the password of this account, if it is still that."""
    return lambda held: amend(held) if held.password_at == shown.password_at else None


def set_password(kept: str, at: float) -> Amend:
    """Let this be the password."""
    return lambda account: replace(account, password=kept, password_at=at)


def renew_hash(before: str, now: str) -> Amend:
    """Keep the same password in another way, unless it was changed meanwhile."""
    return lambda account: replace(account, password=now) if account.password == before else None


def begin_totp(secret: str) -> Amend:
    """Have a secret of one-time passwords that is not confirmed yet; none in place of one that is."""
    return lambda account: replace(account, totp=secret) if account.totp_at is None else None


def confirm_totp(secret: str, step: int, recovery: tuple[bytes, ...], at: float) -> Amend:
    """From now on a log-in needs a one-time password; its first one is taken with that."""

    def amend(account: Account) -> Account | None:
        if account.totp_at is not None or account.totp != secret:
            return None
        return replace(account, totp_at=at, totp_step=step, recovery=recovery)

    return amend


def end_totp(account: Account) -> Account:
    """Need no one-time passwords any more."""
    return replace(account, totp="", totp_at=None, totp_step=0, recovery=())


def take_step(step: int) -> Amend:
    """Take a one-time password, unless it or a later one was taken."""
    return lambda account: replace(account, totp_step=step) if step > account.totp_step else None


def take_recovery(digest: bytes) -> Amend:
    """Take a recovery code, unless it was taken."""

    def amend(account: Account) -> Account | None:
        if digest not in account.recovery:
            return None
        return replace(account, recovery=tuple(one for one in account.recovery if one != digest))

    return amend


class BrowserSession(msgspec.Struct, frozen=True):
    """A person who has logged in; what their browser shows is a cookie, of which only the SHA-256 is kept."""

    id: str
    user_id: str = ""
    digest: bytes = b""
    device: bytes = b""
    """Digest of what the browser keeps beyond its sessions, by which it is known at the next log-in."""
    created_at: float = 0.0
    used_at: float = 0.0
    """When it was used last; up to a minute behind."""
    ends_at: float = float("inf")
    """When it ends even if it is used."""
    ended_at: float | None = None
    """When it was ended; one that ran out has none."""
    address: str = ""
    """Where it was begun, and with what: as the browser says."""
    agent: str = ""


class Invitation(msgspec.Struct, frozen=True):
    """A link with which one user sets a password, once; only the SHA-256 of its secret is kept."""

    id: str
    user_id: str
    digest: bytes
    created_at: float
    expires_at: float
    made_by: str = ""
    """Id of the user who made it; empty: whoever owns the network's machine."""
    used_at: float | None = None
    revoked_at: float | None = None

    def open(self, now: float) -> bool:
        """Tell whether it can still be used."""
        return self.used_at is None and self.revoked_at is None and now < self.expires_at


class LinkedIdentity(msgspec.Struct, frozen=True):
    """Whom an identity provider (OpenID Connect) knows a user as."""

    issuer: str
    subject: str
    """Unique for the issuer, and never somebody else's; names and addresses may become somebody else's."""
    user_id: str
    linked_at: float

    @property
    def id(self) -> str:
        """What it is called here: of two that are known by the same, the same."""
        return f"idn_{digest(f'{self.issuer} {self.subject}').hex()[:32]}"


class Visitor(msgspec.Struct, frozen=True):
    """What is known of somebody at the door, besides what they say: nothing of it proves who they are."""

    address: str = ""
    agent: str = ""
    """What their browser calls itself."""
    session: str = ""
    """The secret of the session that it had until now; empty: none."""
    device: str = ""
    """The secret by which it is known, whoever uses it; empty: none."""

    @property
    def device_digest(self) -> bytes:
        """What is kept of the device; nothing without one."""
        return digest(self.device) if self.device else b""

    def __repr__(self) -> str:
        return f"Visitor(address={self.address!r})"


class Entered(msgspec.Struct, frozen=True):
    """A session that has just begun, and what its browser keeps."""

    session: BrowserSession
    user: User
    secret: str
    device: str
    identity: str = ""
    """Id of the identity that it was begun with; empty: it was a password."""
    linked: bool = False
    """The identity is the user's since then."""
    made: bool = False
    """So is the user there."""

    @property
    def id(self) -> str:
        """That of the session."""
        return self.session.id

    @property
    def name(self) -> str:
        """That of the user."""
        return self.user.name

    def __repr__(self) -> str:
        return f"Entered(id={self.id!r}, name={self.name!r})"


def owns_agents(names: Sequence[str]) -> Conflict:
    """Return the answer to whoever removes a user who owns these agents; of more than three the rest is not named."""
    which = ", ".join(names[:3]) + (" and more" if len(names) > 3 else "")
    return Conflict(f"they own agents ({which}): delete those first (`atlas agents delete`)", code="user_has_agents")


def administers_no_more() -> Forbidden:
    """Return the answer to whoever makes a key or a link for somebody else, and was an administrator until just now."""
    return Forbidden("only an administrator may do this, and you have just ceased to be one")


def last_administrator() -> Conflict:
    """Return the answer to what would leave nobody who administers the network."""
    return Conflict("they are the last administrator: make another one first, or enable one", code="last_administrator")


def last_way_in() -> Conflict:
    """Return the answer to what would leave somebody without a way to log in."""
    return Conflict(
        "it is the only way in: set a password first, by a link of `atlas users invite NAME`, or disable the user",
        code="last_way_in",
    )


def login_failed() -> Unauthenticated:
    """Return the answer to whoever does not get in, the same whatever it was."""
    return Unauthenticated("the name or the password is wrong, or the one-time password is", code="login_failed")


def not_your_password() -> Unauthenticated:
    """Return the answer to who is logged in, and says a password again that is not theirs, or is no more."""
    return Unauthenticated("this is not the password of your account, or it has none", code="login_failed")


def session_over() -> Unauthenticated:
    """Return the answer to a session that is not known, has ended, or is of a user who is disabled."""
    return Unauthenticated("you are not logged in, or not any more: log in again", code="session_invalid")
