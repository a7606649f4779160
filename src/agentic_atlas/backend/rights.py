"""Who asks, what they may do, and what they see. Pure, and the one place where that is decided.

A user owns agents, and what was asked for in their name. Members act on what is their own and on what others share with
them, administrators on everything; viewers look at what members would, and change nothing. What somebody may not see
does not exist for them: the answer is the same NotFound (guarantee 12).

A use case needs one right, which `RIGHT_OF` says for each of them. A right needs a word of the credential's scopes, and
a role that has it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeAlias

import msgspec

from agentic_atlas.auth import API_KEY_SCOPES, Scope, allows, covers, parse_scopes
from agentic_atlas.auth.errors import span
from agentic_atlas.backend.domain.names import full_name
from agentic_atlas.backend.domain.people import BrowserSession
from agentic_atlas.backend.domain.records import AccessLevel, AgentRecord, ApiKey, CallerRef, Role, Task, User
from agentic_atlas.errors import Conflict, Forbidden, NotFound, Unauthenticated

SEND_A_KEY = "send it as `Authorization: Bearer atlas_…`"
"""What to do about a key that is not there, or not where it belongs."""


RECENT_LOGIN: Final = 600.0
"""Seconds after a log-in in which it is taken for certain that it is still them who are at their browser."""


class AgentToken(msgspec.Struct, frozen=True):
    """The token of an agent's instance; its user is the agent's owner."""

    id: str
    agent_id: str
    agent: str
    """Full name of the agent."""
    lineage: str = ""
    """Id of the first of the tokens that it came out of; empty: it is the first."""
    expires_at: float = math.inf
    retires_at: float = math.inf
    """From then on another one has taken its place."""
    renewable: bool = False
    """Its agent may have another one in its place."""
    former_names: tuple[str, ...] = ()
    """Names that the agent had while the token, or one that it came out of, was good."""
    key_id: str = ""
    """Of the key that signed it; empty where that is not known."""
    made_by: str = ""
    """Id of the user who made it; empty: that is not known."""

    @property
    def root(self) -> str:
        """Id of its lineage."""
        return self.lineage or self.id

    @property
    def ends_at(self) -> float:
        """From when on it is refused, as far as is known."""
        return min(self.expires_at, self.retires_at)


Credential: TypeAlias = ApiKey | BrowserSession | AgentToken


class Tie(StrEnum):
    """What ties a user to a task, so that they see it."""

    ASKED = "asked"
    """It, or the task at the root of its calls, was asked for in their name."""
    MANAGES = "manages"
    """Its agent is theirs, or shared with them for managing."""


class Visible(msgspec.Struct, frozen=True):
    """What somebody sees: what is theirs or shared with them, or everything. Stores make conditions of this too."""

    user_id: str | None
    """Whose; None: everybody's."""
    key_id: str | None = None
    """Of tasks only those that were asked for with the credential of this id; None: with any."""

    subjects: tuple[str, ...] = ()
    """As whom others share their agents with them; see `records.Share`."""

    def level(self, agent: AgentRecord) -> AccessLevel | None:
        """Return what they may do with an agent; None: they don't see it."""
        if self.user_id is None or agent.owner_id == self.user_id:
            return AccessLevel.OWN
        shared = {share.access for share in agent.shares if share.subject in self.subjects}
        return AccessLevel.MANAGE if AccessLevel.MANAGE in shared else next(iter(shared), None)

    def may(self, agent: AgentRecord, needed: AccessLevel) -> bool:
        """Tell whether they may do this with an agent."""
        level = self.level(agent)
        return level is not None and level.covers(needed)

    def task(self, caller_id: str, owner_id: str, agent: AgentRecord | None) -> bool:
        """Tell whether a task is seen that was asked for with this credential, in the name of this owner.

        It is this agent's; None: of one that is gone.
        """
        if self.key_id not in (None, caller_id):
            return False
        return self.user_id is None or any(tied(self, owner_id, agent) for tied in _TIED.values())


_TIED: Final[Mapping[Tie, Callable[[Visible, str, AgentRecord | None], bool]]] = {
    Tie.ASKED: lambda visible, owner_id, _: owner_id == visible.user_id,
    Tie.MANAGES: lambda visible, _, agent: agent is not None and visible.may(agent, AccessLevel.MANAGE),
}


class Principal(msgspec.Struct, frozen=True):
    """Somebody whose credential was checked."""

    user: User
    credential: Credential
    scopes: tuple[str, ...]
    """Words of `auth.Scope`, narrowed or not."""

    @property
    def caller(self) -> CallerRef:
        """The principal as a task's caller."""
        held = self.credential
        if isinstance(held, AgentToken):
            return CallerRef("agent", held.agent_id, self.user.id, held.agent)
        if isinstance(held, BrowserSession):
            return CallerRef("user", self.user.id, self.user.id, self.user.name)
        return CallerRef("api_key", held.id, self.user.id, f"{self.user.name}/{held.name or held.id}")

    @property
    def made_by(self) -> str:
        """Id of the administrator who made the key that was shown for its user; empty: nobody else did."""
        return self.credential.made_by if isinstance(self.credential, ApiKey) else ""

    @property
    def visible(self) -> Visible:
        """What the principal sees."""
        return self._within(Scope.TASKS_READ)

    @property
    def acts_on(self) -> Visible:
        """What the principal may change of what they see."""
        return self._within(Scope.TASKS_WRITE)

    @property
    def expires_at(self) -> float | None:
        """When what was shown is good no more, in seconds since the epoch; None: not by itself."""
        held = self.credential
        if isinstance(held, ApiKey):
            return held.expires_at
        return held.ends_at if isinstance(held, BrowserSession) else None

    def _within(self, scope: Scope) -> Visible:
        seen = seen_by(self.user)
        return seen if covers(self.scopes, scope) else Visible(seen.user_id, self.credential.id, seen.subjects)


def seen_by(user: User) -> Visible:
    """Return what a user sees, whatever their credential."""
    return Visible(None) if user.role is Role.ADMIN else Visible(user.id, None, user.subjects)


def manages(user: User | None, agent: AgentRecord) -> bool:
    """Tell whether a user, as they are now, may manage an agent: tokens that they made of others' are good so long."""
    able = user is not None and user.disabled_at is None and role_allows(user.role, Right.WRITE_TOKENS)
    return able and user is not None and seen_by(user).may(agent, AccessLevel.MANAGE)


class Right(StrEnum):
    """One thing that somebody may be allowed to do."""

    OPEN = "open"
    """What needs no credential."""
    BE_KNOWN = "be_known"
    """What any credential of a person is good for."""
    READ_TASKS = "read_tasks"
    WRITE_TASKS = "write_tasks"
    READ_AGENTS = "read_agents"
    WRITE_AGENTS = "write_agents"
    READ_TOKENS = "read_tokens"
    WRITE_TOKENS = "write_tokens"
    MANAGE_OWN_KEYS = "manage_own_keys"
    """Make and revoke what others act with in one's own name."""
    MANAGE_USERS = "manage_users"
    MANAGE_LOGINS = "manage_logins"
    """Set what others log in with, and look at all that they have: from where each came, too."""
    MANAGE_BACKUPS = "manage_backups"
    """Have every secret of the network in a file."""
    MANAGE_SIGNING_KEYS = "manage_signing_keys"
    """Have another key sign, and make all tokens of one worthless."""
    READ_AUDIT = "read_audit"
    """See who did what, in everybody's name."""
    READ_METRICS = "read_metrics"
    """See what the whole network does, with the names of everybody's agents and skills."""
    ARCHIVE_AUDIT = "archive_audit"
    """Take old rows out of what others see of that."""
    CONNECT = "connect"
    """Be an instance of an agent."""
    CALL = "call"
    """Call other agents from a running task."""


_SCOPES: Final[Mapping[Right, Scope | None]] = {
    Right.OPEN: None,
    Right.BE_KNOWN: None,
    Right.READ_TASKS: Scope.TASKS_READ,
    Right.WRITE_TASKS: Scope.TASKS_CALL,
    Right.READ_AGENTS: Scope.AGENTS_READ,
    Right.WRITE_AGENTS: Scope.AGENTS_WRITE,
    Right.READ_TOKENS: Scope.TOKENS_READ,
    Right.WRITE_TOKENS: Scope.TOKENS_WRITE,
    # A credential that is good for something only must not make one that is good for more.
    Right.MANAGE_OWN_KEYS: Scope.EVERYTHING,
    Right.MANAGE_USERS: Scope.USERS_ADMIN,
    # Whoever sets what somebody logs in with is them when they like, with all that they have.
    Right.MANAGE_LOGINS: Scope.EVERYTHING,
    Right.MANAGE_BACKUPS: Scope.EVERYTHING,
    Right.MANAGE_SIGNING_KEYS: Scope.EVERYTHING,
    Right.READ_AUDIT: Scope.AUDIT_READ,
    Right.READ_METRICS: Scope.METRICS_READ,
    Right.ARCHIVE_AUDIT: Scope.EVERYTHING,
    Right.CONNECT: Scope.AGENT_CONNECT,
    Right.CALL: Scope.AGENT_CALL,
}
"""The word that a credential's scopes need for each right."""

_OF_ADMINISTRATORS: Final = frozenset(
    (
        *(Right.MANAGE_USERS, Right.MANAGE_LOGINS, Right.MANAGE_BACKUPS, Right.MANAGE_SIGNING_KEYS),
        *(Right.READ_AUDIT, Right.READ_METRICS, Right.ARCHIVE_AUDIT),
    )
)
_READING: Final = frozenset((Right.READ_TASKS, Right.READ_AGENTS, Right.READ_TOKENS))

_OF: Final[Mapping[Role, frozenset[Right]]] = {
    Role.ADMIN: frozenset(Right),
    Role.MEMBER: frozenset(Right) - _OF_ADMINISTRATORS,
    # The agents of somebody who became a viewer go on with what others ask of them, and ask for nothing in their name.
    Role.VIEWER: _READING | {Right.OPEN, Right.BE_KNOWN, Right.MANAGE_OWN_KEYS, Right.CONNECT},
}
"""What each role may do, whatever the credential says."""
_FOR_READING: Final = tuple(scope for right, scope in _SCOPES.items() if scope is not None and right in _READING)
_FOR_ADMINISTRATORS: Final = frozenset(_SCOPES[right] for right in _OF_ADMINISTRATORS) - {None, Scope.EVERYTHING}

RIGHT_OF: Final[Mapping[str, Right]] = {
    "agents.create": Right.WRITE_AGENTS,
    "agents.find": Right.READ_AGENTS,
    "agents.counted": Right.READ_AGENTS,
    "agents.show": Right.READ_AGENTS,
    "agents.update": Right.WRITE_AGENTS,
    "agents.share": Right.WRITE_AGENTS,
    "agents.unshare": Right.WRITE_AGENTS,
    "agents.delete": Right.WRITE_AGENTS,
    "groups.create": Right.MANAGE_USERS,
    "groups.find": Right.READ_AGENTS,
    "groups.show": Right.MANAGE_USERS,
    "groups.delete": Right.MANAGE_USERS,
    "groups.add": Right.MANAGE_USERS,
    "groups.remove": Right.MANAGE_USERS,
    "tasks.submit": Right.WRITE_TASKS,
    "tasks.submit_all": Right.WRITE_TASKS,
    "tasks.retry": Right.WRITE_TASKS,
    "tasks.show": Right.READ_TASKS,
    "tasks.standing": Right.READ_TASKS,
    "tasks.find": Right.READ_TASKS,
    "tasks.page": Right.READ_TASKS,
    "tasks.follow": Right.READ_TASKS,
    "tasks.cancel": Right.WRITE_TASKS,
    "tasks.answer": Right.WRITE_TASKS,
    "resources.fleet": Right.READ_AGENTS,
    "resources.history": Right.READ_AGENTS,
    "statistics.read": Right.READ_TASKS,
    "statistics.rates": Right.READ_TASKS,
    "changes.missed": Right.READ_TASKS,
    "changes.watch": Right.READ_TASKS,
    "traces.show": Right.READ_TASKS,
    "logs.find": Right.READ_TASKS,
    "logs.watch": Right.READ_TASKS,
    "attention.find": Right.READ_AGENTS,
    "calls.call": Right.CALL,
    "instances.admit": Right.CONNECT,
    "tokens.issue": Right.WRITE_TOKENS,
    "tokens.of_agent": Right.READ_TOKENS,
    "tokens.show": Right.READ_TOKENS,
    "tokens.rotate": Right.WRITE_TOKENS,
    "tokens.renew": Right.CONNECT,
    "tokens.revoke": Right.WRITE_TOKENS,
    "users.whoami": Right.BE_KNOWN,
    "users.create": Right.MANAGE_USERS,
    "users.find": Right.MANAGE_USERS,
    "users.show": Right.MANAGE_USERS,
    "users.update": Right.MANAGE_USERS,
    "users.delete": Right.MANAGE_USERS,
    "sessions.log_in": Right.OPEN,
    "sessions.make_key": Right.OPEN,
    "sessions.current": Right.BE_KNOWN,
    "sessions.log_out": Right.BE_KNOWN,
    "sessions.find": Right.MANAGE_OWN_KEYS,
    "sessions.find_of": Right.MANAGE_USERS,
    "sessions.end": Right.MANAGE_OWN_KEYS,
    "sessions.end_others": Right.MANAGE_OWN_KEYS,
    "sessions.end_of": Right.MANAGE_USERS,
    "single_sign_on.begin": Right.OPEN,
    "single_sign_on.begin_link": Right.MANAGE_OWN_KEYS,
    "single_sign_on.finish": Right.OPEN,
    "identities.find": Right.MANAGE_OWN_KEYS,
    "identities.find_of": Right.MANAGE_USERS,
    "identities.remove": Right.MANAGE_OWN_KEYS,
    "identities.remove_of": Right.MANAGE_LOGINS,
    "invitations.create": Right.MANAGE_LOGINS,
    "invitations.find": Right.MANAGE_USERS,
    "invitations.revoke": Right.MANAGE_USERS,
    "invitations.show": Right.OPEN,
    "invitations.accept": Right.OPEN,
    "accounts.show": Right.MANAGE_OWN_KEYS,
    "accounts.change_password": Right.MANAGE_OWN_KEYS,
    "accounts.enrol": Right.MANAGE_OWN_KEYS,
    "accounts.confirm": Right.MANAGE_OWN_KEYS,
    "accounts.disenrol": Right.MANAGE_OWN_KEYS,
    "accounts.reset_totp": Right.MANAGE_LOGINS,
    "keys.create": Right.MANAGE_OWN_KEYS,
    "keys.create_for": Right.MANAGE_USERS,
    "keys.find": Right.MANAGE_OWN_KEYS,
    "keys.find_all": Right.MANAGE_LOGINS,
    "keys.revoke": Right.BE_KNOWN,
    "logins.begin": Right.OPEN,
    "logins.collect": Right.OPEN,
    "logins.show": Right.MANAGE_OWN_KEYS,
    "logins.approve": Right.MANAGE_OWN_KEYS,
    "logins.deny": Right.MANAGE_OWN_KEYS,
    "system.key_set": Right.OPEN,
    "system.ready": Right.OPEN,
    "system.figures": Right.OPEN,
    "system.limits": Right.BE_KNOWN,
    "system.about": Right.BE_KNOWN,
    "metrics.read": Right.READ_METRICS,
    "metrics.token_ends": Right.READ_TOKENS,
    "signing.find": Right.MANAGE_SIGNING_KEYS,
    "signing.rotate": Right.MANAGE_SIGNING_KEYS,
    "signing.withdraw": Right.MANAGE_SIGNING_KEYS,
    "audit.find": Right.READ_AUDIT,
    "audit.rows": Right.READ_AUDIT,
    "audit.verify": Right.READ_AUDIT,
    "audit.check": Right.READ_AUDIT,
    "audit.checked": Right.READ_AUDIT,
    "audit.archives": Right.READ_AUDIT,
    "audit.archive": Right.ARCHIVE_AUDIT,
    "backups.make": Right.MANAGE_BACKUPS,
    "backups.find": Right.MANAGE_BACKUPS,
}
"""What each use case needs, by its module and name."""


@lru_cache(maxsize=1_024)
def _granted(scopes: tuple[str, ...]) -> frozenset[Right]:
    """Return the rights whose word these scopes have: kept, for it is asked at every request."""
    return frozenset(right for right, scope in _SCOPES.items() if scope is not None and allows(scopes, scope))


def require(who: Principal | None, right: Right) -> None:
    """Let somebody pass who has this right; None is whoever has shown no credential.

    Raises:
        Unauthenticated: without a credential.
        Forbidden: the credential is not good for this (`insufficient_scope`), or the role has not this right.
    """
    if right is Right.OPEN:
        return
    if who is None:
        raise Unauthenticated(f"this needs an API key: {SEND_A_KEY}")
    scope = _SCOPES[right]
    if scope is None and isinstance(who.credential, AgentToken):
        raise insufficient(Scope.EVERYTHING)
    if scope is not None and right not in _granted(who.scopes):
        raise insufficient(scope)
    if not role_allows(who.user.role, right):
        only = right in _OF_ADMINISTRATORS
        raise Forbidden(
            "only an administrator may do this" if only else "a viewer changes nothing: an administrator gives roles"
        )


def may(who: Principal, right: Right) -> bool:
    """Tell whether somebody has a right; see `require`."""
    try:
        require(who, right)
    except Forbidden:
        return False
    return True


def role_allows(role: Role, right: Right) -> bool:
    """Tell whether users of this role may do this, with a credential that is good for it."""
    return right in _OF[role]


def to_give(who: Principal, asked: Sequence[str] | None) -> tuple[str, ...]:
    """Return what a key is good for that somebody makes: what they ask for, else all that their own is good for.

    Raises:
        InvalidInput: a word is none of `API_KEY_SCOPES` (`unknown_scope`).
        Forbidden: their own is not good for it (`insufficient_scope`), or their role has not all that it stands for.
    """
    if asked is None:
        return who.scopes
    scopes = parse_scopes(" ".join(asked), API_KEY_SCOPES)
    for scope in scopes:
        if not covers(who.scopes, scope):
            raise insufficient(scope)
        if who.user.role is Role.VIEWER and not covers(_FOR_READING, scope):
            raise Forbidden("the keys of a viewer are for reading: an administrator gives roles")
        if who.user.role is not Role.ADMIN and scope in _FOR_ADMINISTRATORS:
            raise Forbidden(f"{scope} is for administrators alone: a key of yours would be good for nothing by that")
    return scopes


def to_last(who: Principal, asked: float | None, now: float) -> float | None:
    """Return for how many seconds a key or link is good that somebody makes: as they ask, else as long as their key.

    None: until it is revoked. A session is a person, who comes again when it is over: it bounds nothing. So is an
    agent's token that a key makes not bound by that: it is the agent's, and known by who made it.

    Raises:
        Forbidden: it would be good for longer than the key that makes it.
    """
    held = who.credential
    if not isinstance(held, ApiKey) or held.expires_at is None:
        return asked
    left = held.expires_at - now
    if asked is not None and asked > left:
        raise Forbidden(
            f"the key that you identify yourself with ends in {span(left)}, and makes none that is good for "
            "longer: log in again, or make it with a key that is good until it is revoked"
        )
    return left if asked is None else asked


def require_over(who: Principal, *roles: Role) -> None:
    """Let somebody make, or change the account of, a user who has or gets these roles.

    Whoever has an administrator's account has everything: what is good for less must not come by it.

    Raises:
        Forbidden: an administrator is among them, and the credential is not good for everything (`insufficient_scope`).
    """
    if Role.ADMIN in roles and not covers(who.scopes, Scope.EVERYTHING):
        raise insufficient(Scope.EVERYTHING)


def require_other(who: Principal, user: User, instead: str) -> None:
    """Let somebody change what a user logs in with who is not themselves: `instead` says how they do it of their own.

    Of one's own it needs the password again. A session that was left open, or a key that soon ends, has none.

    Raises:
        Conflict: they are that user (`own_account`).
    """
    if user.id == who.user.id:
        raise Conflict(f"this is done to others, and {user.name} is yourself: {instead}", code="own_account")


def logged_in_now(who: Principal, now: float) -> bool:
    """Tell whether it is certain that somebody is at their browser still, for they have just logged in."""
    session = who.credential
    return isinstance(session, BrowserSession) and now - session.created_at <= RECENT_LOGIN


def require_recent(who: Principal, now: float) -> None:
    """Let somebody give rights that outlast their session: whoever finds their browser later must not.

    An API key bounds what it makes itself (`to_give`, `to_last`), and a program has nobody to ask.

    Raises:
        Forbidden: they come with a session that was begun longer ago than `RECENT_LOGIN` (`log_in_again`).
    """
    if isinstance(who.credential, BrowserSession) and not logged_in_now(who, now):
        raise log_in_again("this gives rights that outlast your session")


def require_share(who: Principal, access: AccessLevel) -> None:
    """Let somebody share an agent of their own for this, or put others into a group that one is so shared with.

    Whoever manages an agent has its tokens and sees its tasks: what is good for neither must not come by them through
    whom it is shared with.

    Raises:
        Forbidden: what they have shown is not good for all that this gives (`insufficient_scope`).
    """
    for scope in (Scope.TOKENS_WRITE, Scope.TASKS_READ) if access is not AccessLevel.CALL else ():
        if not covers(who.scopes, scope):
            raise insufficient(scope)


def require_call(who: Principal, agent: str, skill: str) -> None:
    """Let somebody ask for this skill of `name` or `owner/name`, if what they have shown is good for it.

    Raises:
        Forbidden: it is good for other agents or skills (`insufficient_scope`). Whether there is this one is not told.
    """
    scope = Scope.AGENT_CALL if isinstance(who.credential, AgentToken) else Scope.TASKS_CALL
    if not covers(who.scopes, scope):
        word = f"{scope}:{full_name(agent, who.user.name)}/{skill}"
        if not covers(who.scopes, word):
            raise insufficient(word)


def require_change(who: Principal, task: Task) -> None:
    """Let somebody act on a task that they see.

    Raises:
        Forbidden: what they have shown is good for tasks that were asked for with it, and this one was not.
    """
    if who.acts_on.key_id not in (None, task.caller.id):
        raise insufficient(Scope.TASKS_WRITE)


def insufficient(word: str) -> Forbidden:
    """Return the answer to whoever has a credential that is not good for this (RFC 6750 section 3.1)."""
    makes = "atlas tokens create AGENT" if word.startswith("agent:") else "atlas keys create"
    fix = (
        "`atlas login` gives you a key for all you may" if word == Scope.EVERYTHING else f"`{makes} --scope` makes one"
    )
    return Forbidden(
        f"what you identify yourself with is not good for this: it lacks the scope {word[:250]}; {fix}",
        code="insufficient_scope",
    )


def log_in_again(why: str) -> Forbidden:
    """Return the answer to whoever has to have logged in just now, and why."""
    return Forbidden(
        f"{why}: log out and in again with your browser, and do this there within {RECENT_LOGIN / 60:.0f} minutes",
        code="log_in_again",
    )


def key_invalid() -> Unauthenticated:
    """Return the answer to a key that is not known, was revoked, or is of a user who is disabled."""
    return Unauthenticated("this API key is not known or not valid any more", code="key_invalid")


def key_expired() -> Unauthenticated:
    """Return the answer to a key whose time is over."""
    return Unauthenticated(
        "this API key has expired: log in again with `atlas login URL --code`, or have a new one made",
        code="key_expired",
    )


def not_theirs(agent: AgentRecord, needed: AccessLevel) -> Forbidden:
    """Return the answer to whoever sees an agent and may not do this with it."""
    if needed is AccessLevel.OWN:
        return Forbidden(f"only its owner may do this with {agent.full_name}, or an administrator")
    return Forbidden(
        f"{agent.full_name} is shared with you for calling: its owner may share it for managing "
        f"(`atlas agents share {agent.full_name} --with NAME --manage`)"
    )


def share_ended() -> NotFound:
    """Return the answer to whoever managed an agent until just now."""
    return NotFound("the agent was just shared with you for managing, and is no more", code="agent_not_found")


def no_task(task_id: str) -> NotFound:
    """Return the answer to whoever asks for a task that is not there, or not theirs."""
    return NotFound(f"there is no task {task_id[:64]!r}", code="task_not_found")


def no_agent(name: str) -> NotFound:
    """Return the answer to whoever asks for an agent that is not there, or not theirs."""
    return NotFound(f"there is no agent {name[:130]!r}: `atlas agents` lists yours", code="agent_not_found")
