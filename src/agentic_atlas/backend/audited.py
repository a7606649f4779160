"""Which use cases the audit log tells of, and what it says of each. Pure, and the one place where that is decided.

It tells of all that changes who may do what, and of what somebody decides about a task; of tasks that are asked for,
and of what is only looked at, where somebody has not the right to it. The registry of use cases does the writing
(`usecases.application`): a use case says nothing of it itself, unless it is refused a part of what it was asked for.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from agentic_atlas.backend.rights import RIGHT_OF
from agentic_atlas.errors import Busy, Forbidden, InvalidInput, NotFound, Unauthenticated, Unavailable
from agentic_atlas.protocol.caller.audit import AuditObject
from agentic_atlas.protocol.caller.values import Json
from agentic_atlas.protocol.schemas.words import meant


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says of a use case; arguments are those by which it is called."""

    kind: str
    """What it is done to. Its id and name are those of what the use case returns, or of one of several (`of`); before
    there is anything, or if it has none, those in the arguments below. Empty: what they are called tells."""
    of: int = -1
    """Which of several that are returned it is."""
    id_in: str = ""
    """Argument that has the id."""
    name_in: str = ""
    """Argument that has the name."""
    user_in: str = ""
    """Argument in which whoever is refused has named a user. It is the name only where there is one: people type their
    passwords into it."""
    told: tuple[str, ...] = ()
    """Arguments that are facts of the row, where they are given. None of them is ever a secret or a payload."""
    shown: tuple[str, ...] = ()
    """Likewise attributes of what is returned."""
    waits: bool = True
    """Whoever asked is answered when the row is on disk; else it is within a second."""
    done: bool = True
    """What was done is told of; else what was refused alone."""
    refused: tuple[type[Exception], ...] = (Unauthenticated, Forbidden, NotFound)
    """Errors that say that somebody may not do it: these are told of as well."""
    why: bool = False
    """What was wrong is a fact of a refusal: whoever operates the network has to know it."""

    def object_of(self, arguments: Mapping[str, Any], result: object = None) -> AuditObject:
        """Return what it was done to, or should have been."""
        if not self.kind:
            return _sought(arguments)
        made = result[self.of] if isinstance(result, tuple) and result else result
        name = getattr(made, "full_name", None) or getattr(made, "name", None) or arguments.get(self.name_in) or ""
        found = getattr(made, "id", None) or getattr(made, f"{self.kind}_id", None) or arguments.get(self.id_in) or ""
        return AuditObject(kind=self.kind, id=str(found), name=str(name))

    def facts(self, arguments: Mapping[str, Any], result: object = None) -> dict[str, Json]:
        """Return what else there is to say of it."""
        given = {name: arguments[name] for name in self.told if arguments.get(name) is not None}
        return given | {name: getattr(result, name) for name in self.shown if hasattr(result, name)}


_SOUGHT: Final = {"task_id": "task", "token_id": "token", "agent_name": "agent", "agent": "agent", "user": "user"}
"""What arguments name that somebody looks for."""


def _sought(arguments: Mapping[str, Any]) -> AuditObject:
    if (ask := arguments.get("ask")) is not None:
        return AuditObject(kind="skill", name=f"{ask.agent}/{ask.skill}")
    for name, kind in _SOUGHT.items():
        if (found := arguments.get(name)) is not None:
            return AuditObject(kind=kind, **{"id" if name.endswith("_id") else "name": str(found)})
    return AuditObject(kind="", name=str(arguments.get("name") or ""))


_ELSE: Final = Audited(kind="", done=False, refused=(Forbidden,))
_TASK: Final = Audited(kind="task", id_in="task_id", waits=False)

AUDITED: Final[Mapping[str, Audited]] = {
    "agents.create": Audited(kind="agent", name_in="name"),
    "agents.update": Audited(kind="agent", name_in="name", told=("name", "rename", "disabled", "description")),
    "agents.share": Audited(kind="agent", of=0, name_in="name", told=("subjects", "access")),
    "agents.unshare": Audited(kind="agent", of=0, name_in="name", told=("subjects",)),
    "agents.delete": Audited(kind="agent", name_in="name"),
    "tokens.issue": Audited(
        kind="token", name_in="name", told=("description", "lifetime", "scopes", "renews"), shown=("agent",)
    ),
    "tokens.rotate": Audited(kind="token", id_in="token_id", told=("overlap", "lifetime"), shown=("agent", "replaces")),
    "tokens.renew": Audited(kind="token", waits=False),
    "tokens.revoke": Audited(kind="token", id_in="token_id", shown=("agent",)),
    "users.create": Audited(kind="user", name_in="name", told=("role",)),
    "users.update": Audited(kind="user", name_in="name", told=("role", "disabled")),
    "users.delete": Audited(kind="user", name_in="name"),
    "sessions.log_in": Audited(kind="session", user_in="name", refused=(Unauthenticated, Busy)),
    "sessions.make_key": Audited(
        kind="api_key", user_in="name", told=("host",), shown=("user",), refused=(Unauthenticated, Busy)
    ),
    "sessions.log_out": Audited(kind="session"),
    "sessions.end": Audited(kind="session", id_in="session_id"),
    "sessions.end_others": Audited(kind="session"),
    "sessions.end_of": Audited(kind="session", name_in="user"),
    "single_sign_on.begin": Audited(kind="session", done=False, refused=(Unavailable,), why=True),
    "single_sign_on.begin_link": Audited(
        kind="account", refused=(Unauthenticated, Forbidden, NotFound, Unavailable), why=True
    ),
    # Whose identity it is that is refused, it tells of itself.
    "single_sign_on.finish": Audited(
        kind="session",
        told=("issuer",),
        shown=("linked", "made", "identity"),
        refused=(Unauthenticated, Unavailable),
        why=True,
    ),
    "identities.remove": Audited(kind="identity", id_in="identity_id"),
    "identities.remove_of": Audited(kind="identity", id_in="identity_id", told=("user",)),
    "invitations.create": Audited(kind="invitation", of=0, told=("name", "role", "lifetime")),
    "invitations.revoke": Audited(kind="invitation", id_in="invitation_id", shown=("user",)),
    "invitations.accept": Audited(kind="user"),
    "accounts.change_password": Audited(kind="account"),
    "accounts.enrol": Audited(kind="account"),
    "accounts.confirm": Audited(kind="account"),
    "accounts.disenrol": Audited(kind="account"),
    "accounts.reset_totp": Audited(kind="account", name_in="name"),
    "groups.create": Audited(kind="group", of=0, name_in="name"),
    "groups.delete": Audited(kind="group", of=0, name_in="name"),
    "groups.add": Audited(kind="group", of=0, name_in="name", told=("user",)),
    "groups.remove": Audited(kind="group", of=0, name_in="name", told=("user",)),
    "keys.create": Audited(kind="api_key", name_in="name", told=("lifetime", "scopes")),
    "keys.create_for": Audited(kind="api_key", name_in="name", told=("user", "lifetime", "scopes")),
    "keys.revoke": Audited(kind="api_key", id_in="key_id"),
    # Whoever waits for an approval asks again and again: that it is not there yet is no refusal.
    "logins.collect": Audited(kind="api_key", shown=("user",), refused=(Forbidden,)),
    "logins.approve": Audited(kind="login", shown=("host", "address")),
    "logins.deny": Audited(kind="login", shown=("host", "address")),
    "signing.rotate": Audited(kind="signing_key"),
    "signing.withdraw": Audited(kind="signing_key", id_in="key_id", shown=("tokens", "connected")),
    "backups.make": Audited(kind="backup"),
    "audit.archive": Audited(kind="audit", shown=("rows", "path"), refused=(Unauthenticated, Forbidden)),
    "tasks.retry": msgspec.structs.replace(_TASK, shown=("retry_of",)),
    "tasks.cancel": _TASK,
    "tasks.answer": msgspec.structs.replace(_TASK, told=("number",)),
}
"""What the log says of each use case that it tells of, by its module and name."""


def audited(use_case: str) -> Audited:
    """Return what the log says of a use case by its module and name; of all others that somebody may not do it."""
    return AUDITED.get(use_case, _ELSE)


OF_ITSELF: Final = (
    *("audit.broken", "audit.lost", "backups.restore"),
    *("instances.admit", "instances.take_over", "keys.use", "invitations.end", "keys.end", "tokens.end"),
)
"""What it tells of besides: what was found of itself, that it is that of a backup, who was kept out, who came in
another's place, what ended with a right."""

ACTIONS: Final = (*sorted({*AUDITED, *OF_ITSELF}),)
"""All that it tells of, besides that somebody has not the right to anything else."""
NOUNS: Final = (*dict.fromkeys(action.partition(".")[0] for action in ACTIONS),)


def unknown_action(action: str) -> InvalidInput | None:
    """Return the answer to whoever looks for what is never told of; None for what may be."""
    if action in ACTIONS or action in NOUNS or action in RIGHT_OF:
        return None
    noun = action.partition(".")[0]
    there = [known for known in ACTIONS if known.startswith(f"{noun}.")]
    every = f"; {noun} alone is all of these" if there else ""
    return InvalidInput(
        f"the audit log tells of no {action[:64]!r}{meant(action, (noun, *there) if there else (*NOUNS, *ACTIONS))}: "
        f"it tells of {', '.join(there or NOUNS)}{every}",
        code="unknown_action",
    )
