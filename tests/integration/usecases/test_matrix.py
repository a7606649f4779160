"""Every use case, asked for by everybody: what is not theirs is refused, or does not exist for them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pyotp
import pytest
from msgspec.structs import replace

from agentic_atlas.auth import AGENT_SCOPES, API_KEY_SCOPES, Scope
from agentic_atlas.backend import usecases
from agentic_atlas.backend.domain.logs import LogFilter
from agentic_atlas.backend.domain.people import LinkedIdentity, Visitor, begin_totp, end_totp
from agentic_atlas.backend.domain.records import (
    AccessLevel,
    AgentRecord,
    ApiKey,
    Group,
    Instance,
    Role,
    Share,
    SkillRecord,
    Token,
    User,
)
from agentic_atlas.backend.engine.api_keys import issue_key
from agentic_atlas.backend.engine.invitations import issue_invitation
from agentic_atlas.backend.ports import AuditFilter, TaskFilter
from agentic_atlas.backend.rights import RIGHT_OF, AgentToken, Principal, Right
from agentic_atlas.backend.usecases import tasks, tokens
from agentic_atlas.backend.usecases.application import USE_CASES, Application
from agentic_atlas.backend.usecases.logs import LogsOf
from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.caller.tasks import SubmitRequest, TaskInfo
from agentic_atlas.protocol.inside.messages import Arrived, Called, Identity, InstanceRef, Renew
from agentic_atlas.protocol.messages import Call, Hello, InstanceInfo, LogLine, Policy, Raw, Reply
from agentic_atlas.protocol.versions import PROTOCOL_VERSION
from tests.integration.api.network import Api, api

NAMES = [one.name for one in pkgutil.iter_modules(usecases.__path__)]
MODULES = [importlib.import_module(f"{usecases.__name__}.{name}") for name in NAMES]

UNKNOWN = "unauthenticated"
SCOPE = "insufficient_scope"


class Answers(NamedTuple):
    """What each of them is answered: `ok`, `nothing` for what is empty, or a code."""

    nobody: str
    other: str
    token: str
    """Whoever has the token of another user's agent."""
    admin: str
    owner: str
    viewer: str
    """The owner, had they become a viewer."""
    caller: str
    """With whom the owner shares their agents for calling."""
    manager: str
    """With whom the owner shares their agents for managing."""


ROLE = "forbidden"
OPEN = Answers("ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok")
ANYBODYS = OPEN._replace(nobody=UNKNOWN, token=SCOPE)
"""What people do for themselves, viewers too."""
MEMBERS = ANYBODYS._replace(viewer=ROLE)
"""What people do for themselves who are more than viewers."""
ADMINISTRATORS = Answers(UNKNOWN, ROLE, SCOPE, "ok", ROLE, ROLE, ROLE, ROLE)
AGENTS = Answers(UNKNOWN, SCOPE, "ok", SCOPE, SCOPE, SCOPE, SCOPE, SCOPE)
"""What only agents do."""


def own(hidden: str, found: str = "ok") -> Answers:
    """What is done with what is one's own and never shared, by viewers too."""
    return Answers(UNKNOWN, hidden, SCOPE, found, found, found, hidden, hidden)


def seen(hidden: str, found: str = "ok", *, caller: str | None = None) -> Answers:
    """What who manages an agent does with it and its tasks, viewers too."""
    return own(hidden, found)._replace(caller=caller or hidden, manager=found)


def managed(hidden: str, found: str = "ok", *, caller: str | None = None, manager: str | None = None) -> Answers:
    """What who manages an agent does with it and its tasks, and is more than a viewer."""
    return seen(hidden, found, caller=caller)._replace(viewer=ROLE, manager=manager or found)


class World:
    """A network in which ada owns agents and shares them with cal and max, and eve owns another one."""

    def __init__(self, atlas: Api, admin: Principal) -> None:
        self.atlas = atlas
        self.engine = atlas.engine
        self.application = Application(atlas.engine)
        self.admin = admin
        self.ada = self._user("ada")
        self.eve = self._user("eve")
        self.cal, self.max = self._user("cal"), self._user("max")
        self._numbers = count(1)
        self._password: str | None = None

    def _user(self, name: str) -> Principal:
        user = User(f"usr_{name}", name, Role.MEMBER, 0.0)
        return Principal(user, ApiKey(f"key_{name}", user.id, "laptop", name.encode() * 8, 0.0), ("*",))

    @property
    def people(self) -> list[Principal]:
        """Everybody who may ask."""
        return [self.ada, self.eve, self.cal, self.max, self.admin]

    async def furnish(self) -> None:
        for one in self.people[:-1]:
            await self.engine.store.users.add(one.user)
        eves = await self.agent(self.eve)
        self.token = Principal(self.eve.user, AgentToken("tok_eve", eves.id, eves.full_name), AGENT_SCOPES)

    def name(self) -> str:
        return f"n{next(self._numbers)}"

    async def knows_password(self, user: User) -> None:
        """Let a user have the password that all have here, and no one-time passwords."""
        # One hash for all of them: it is made to take its time.
        self._password = kept = self._password or await self.engine.people.passwords.hash(PASSWORD)
        await self.engine.store.accounts.change(user.id, lambda held: end_totp(replace(held, password=kept)))

    async def agent(self, owner: Principal | None = None) -> AgentRecord:
        user = (owner or self.ada).user
        agent = AgentRecord(self.engine.ids("agt"), user.id, user.name, self.name(), 0.0)
        await self.engine.store.agents.add(agent)
        if user is self.ada.user:
            for who, level in ((self.cal, AccessLevel.CALL), (self.max, AccessLevel.MANAGE)):
                await self.engine.store.shares.put(agent.id, [Share(f"user:{who.user.id}", level)], 0.0)
        return agent

    async def skilled(self) -> AgentRecord:
        """Return an agent of ada's that has declared a skill."""
        agent = await self.agent()
        await self.engine.store.agents.declare(
            agent.id, [SkillRecord(agent.id, "greet", "", b"{}", b"null", Policy(), False, 0.0)]
        )
        return agent

    async def task(self) -> TaskInfo:
        made, _ = await tasks.submit(self.ada, self.application, await asked(self))
        return made


Arrange = Callable[[World], Awaitable[dict[str, Any]]]
"""Makes what the use case is asked about, anew for each who asks; returns the arguments."""


async def asked(world: World) -> SubmitRequest:
    agent = await world.skilled()
    return SubmitRequest(agent.full_name, "greet", Raw(b'{"name":"Ada"}'))


async def nothing(_: World) -> dict[str, Any]:
    return {}


async def from_now_on(_: World) -> dict[str, Any]:
    return {"after": None}


async def watched(_: World) -> dict[str, Any]:
    return {"after": None, "keep_alive": 60.0}


async def new_name(world: World) -> dict[str, Any]:
    return {"name": world.name()}


async def new_user(world: World) -> dict[str, Any]:
    return {"name": world.name(), "role": Role.MEMBER}


async def page(world: World) -> dict[str, Any]:
    await world.agent()
    return {"limit": 10, "after": None}


async def agent_named(world: World) -> dict[str, Any]:
    return {"name": (await world.agent()).full_name}


async def agent_shared(world: World) -> dict[str, Any]:
    return await agent_named(world) | {"subjects": ["everyone"], "access": AccessLevel.CALL}


async def agent_unshared(world: World) -> dict[str, Any]:
    return await agent_named(world) | {"subjects": ["eve"]}


async def group_named(world: World) -> dict[str, Any]:
    group = Group(world.engine.ids("grp"), world.name(), 0.0)
    await world.engine.store.groups.add(group)
    return {"name": group.name}


async def group_page(world: World) -> dict[str, Any]:
    await group_named(world)
    return {"limit": 10, "after": None}


async def membership(world: World) -> dict[str, Any]:
    return await group_named(world) | {"user": "ada"}


async def of_agent(world: World) -> dict[str, Any]:
    return {"agent_name": (await world.agent()).full_name}


async def agent_gone(world: World) -> dict[str, Any]:
    agent = await world.agent()
    await world.engine.store.agents.seen({agent.id: world.engine.clock() - 3_600})
    return {}


async def counts_of_agent(world: World) -> dict[str, Any]:
    return {"agent": (await world.agent()).full_name}


async def rates_of_agent(world: World) -> dict[str, Any]:
    return {"names": [(await world.agent()).full_name], "since": 0.0}


async def with_token(world: World) -> dict[str, Any]:
    token = (await token_of_hers(world))["token_id"]
    return {"agent_name": (await world.engine.store.tokens.bearer(token))[1].full_name}


async def agent_change(world: World) -> dict[str, Any]:
    return await agent_named(world) | {"description": "mine", "disabled": None}


async def token_of_hers(world: World) -> dict[str, Any]:
    token = Token(world.engine.ids("tok"), (await world.agent()).id, "laptop", 0.0, 4e9)
    await world.engine.store.tokens.add(token)
    return {"token_id": token.id}


async def token_in_use(world: World) -> dict[str, Any]:
    """Have an instance of ada's agent be connected."""
    agent = await world.agent()
    token = AgentToken("tok_used", agent.id, agent.full_name, expires_at=4e9)
    instance = Instance(world.engine.ids("ins"), agent.id, token.id, 1, 0.0)
    world.engine.access.came(instance, Principal(world.ada.user, token, AGENT_SCOPES))
    return {}


async def a_renewal(world: World) -> dict[str, Any]:
    """Return what an instance of ada's agent asks; who has another token is told that it is not for this one."""
    token = (await token_of_hers(world))["token_id"]
    agent = (await world.engine.store.tokens.bearer(token))[1]
    return {"said": Renew(1, InstanceRef(agent.id, "ins_ada", 1), token)}


async def user_change(_: World) -> dict[str, Any]:
    return {"name": "ada", "role": None, "disabled": False}


async def key_for(_: World) -> dict[str, Any]:
    return {"user": "ada"}


async def hers(world: World) -> ApiKey:
    key, _ = await issue_key(world.engine, world.ada.user, (Scope.EVERYTHING,), "hers")
    return key


async def key_of_hers(world: World) -> dict[str, Any]:
    return {"key_id": (await hers(world)).id}


async def key_listed(world: World) -> dict[str, Any]:
    await hers(world)
    return {}


async def applicant(world: World) -> dict[str, Any]:
    return {"host": "laptop", "address": world.name()}


async def user_code(world: World) -> dict[str, Any]:
    codes = world.engine.logins.begin("laptop", world.name(), now=world.engine.clock(), entropy=world.engine.entropy)
    return {"user_code": codes.user_code}


async def device_code(world: World) -> dict[str, Any]:
    codes = world.engine.logins.begin("laptop", world.name(), now=world.engine.clock(), entropy=world.engine.entropy)
    approver = await hers(world)
    now = world.engine.clock()
    world.engine.logins.approve(codes.user_code, user_id=world.ada.user.id, key_digest=approver.digest, now=now)
    return {"device_code": codes.device_code}


async def a_request(world: World) -> dict[str, Any]:
    return {"ask": await asked(world)}


async def requests(world: World) -> dict[str, Any]:
    return {"asks": [await asked(world)]}


async def task_of_hers(world: World) -> dict[str, Any]:
    return {"task_id": (await world.task()).id}


async def ended_task(world: World) -> dict[str, Any]:
    task = await world.task()
    await world.engine.dispatcher.cancel(task.id, "enough")
    return {"task_id": task.id}


async def tasks_of_hers(world: World) -> dict[str, Any]:
    return {"which": TaskFilter(prefix=(await world.task()).id), "limit": 10, "after": None}


async def after_the_first(world: World) -> dict[str, Any]:
    return await task_of_hers(world) | {"after": 0}


async def followed(world: World) -> dict[str, Any]:
    return await after_the_first(world) | {"keep_alive": 1.0}


async def lines_of_hers(world: World) -> dict[str, Any]:
    task, book = await world.task(), world.engine.logs
    assert book is not None
    said = LogLine(world.engine.clock(), "info", "a line", "task", task.id)
    owner = (await world.engine.store.traces.owners([task.id]))[task.id]
    await book.keep(owner.agent_id, world.name(), 1, [said], 0)
    return {"which": LogFilter(), "of": LogsOf(task=task.id), "limit": 9}


async def lines_watched(world: World) -> dict[str, Any]:
    return {"which": LogFilter(), "of": LogsOf(task=(await world.task()).id), "last": 9, "keep_alive": 1.0}


async def reason(world: World) -> dict[str, Any]:
    return await task_of_hers(world) | {"reason": "enough"}


async def an_answer(world: World) -> dict[str, Any]:
    return await task_of_hers(world) | {"value": b"1", "number": None}


class Unheard:
    def __call__(self, reply: Reply) -> bool:
        assert reply.error is not None and reply.error.code == "parent_not_running"
        return True

    async def drained(self) -> None: ...


async def a_call(world: World) -> dict[str, Any]:
    """Return a call for a task that another instance runs: whoever has the right to call is told so."""
    asked_for = Call("call_1", (await world.task()).id, 1, "ada/other", "greet", Raw(b"{}"))
    said = Called(InstanceRef("agt_eve", "ins_eve", 1), asked_for)
    return {"said": said, "replies": Unheard()}


async def an_arrival(world: World) -> dict[str, Any]:
    """Return a `hello` of ada's agent; whoever has the token of another one is told that theirs is not for it."""
    token = (await token_of_hers(world))["token_id"]
    agent = (await world.engine.store.tokens.bearer(token))[1]
    hello = Hello(PROTOCOL_VERSION, InstanceInfo("ins_ada"), [])
    shown = Identity(token, agent.id, 4e9, key_id=world.engine.signing.ring.active.kid)
    return {"said": Arrived(1, shown, hello)}


async def of_the_log(world: World) -> dict[str, Any]:
    await tokens.issue(world.ada, world.application, (await world.agent()).full_name)
    return {"which": AuditFilter(), "limit": 10}


async def rows_of_the_log(_: World) -> dict[str, Any]:
    return {"after": 0, "limit": 10}


async def long_ago(_: World) -> dict[str, Any]:
    return {"before": 1.0}


async def rotated_key(world: World) -> dict[str, Any]:
    old = world.engine.signing.ring.active.kid
    await world.engine.signing.rotate()
    return {"key_id": old}


async def backed_up(world: World) -> dict[str, Any]:
    if not await world.engine.backups.find():
        await world.engine.backups.make()
    return {}


PASSWORD = "tall trees by the sea"
HERE = Visitor("10.0.0.1")


async def somebody(world: World) -> User:
    """Return a new user who has a password."""
    user = User(world.engine.ids("usr"), world.name(), Role.MEMBER, 0.0)
    await world.engine.store.users.add(user)
    await world.knows_password(user)
    return user


async def credentials(world: World) -> dict[str, Any]:
    user = await somebody(world)
    return {"name": user.name, "password": PASSWORD, "code": "", "visitor": HERE}


async def machine_credentials(world: World) -> dict[str, Any]:
    return await credentials(world) | {"host": "laptop"}


async def a_session(world: World, user: User) -> str:
    begun = await world.engine.people.logged_in.begin(user, HERE, world.engine.ids, world.engine.entropy)
    return begun.session.id


async def session_of_hers(world: World) -> dict[str, Any]:
    return {"session_id": await a_session(world, world.ada.user)}


async def session_listed(world: World) -> dict[str, Any]:
    for one in (world.ada, world.admin):
        await a_session(world, one.user)
    return {}


async def hers_by_name(world: World) -> dict[str, Any]:
    await a_session(world, world.ada.user)
    return {"user": "ada"}


async def somebody_named(world: World) -> dict[str, Any]:
    return {"name": (await somebody(world)).name}


async def invited(world: World) -> dict[str, Any]:
    return {"name": world.name(), "role": Role.MEMBER}


async def an_invitation(world: World) -> dict[str, Any]:
    made, _ = await issue_invitation(world.engine, await somebody(world))
    return {"invitation_id": made.id}


async def an_invitation_listed(world: World) -> dict[str, Any]:
    await an_invitation(world)
    return {}


async def a_link(world: World) -> dict[str, Any]:
    return {"secret": (await issue_invitation(world.engine, await somebody(world)))[1]}


async def a_link_and_password(world: World) -> dict[str, Any]:
    return await a_link(world) | {"password": PASSWORD}


async def own_password(world: World) -> dict[str, Any]:
    """Let everybody have the same password, and no one-time passwords."""
    for one in world.people:
        await world.knows_password(one.user)
    return {"password": PASSWORD, "visitor": HERE}


async def new_password(world: World) -> dict[str, Any]:
    await own_password(world)
    return {"current": PASSWORD, "new": PASSWORD[::-1], "visitor": HERE}


async def enrolled(world: World) -> dict[str, Any]:
    return await own_password(world) | {"where": "here"}


PROVIDERLESS = Answers(*["no_provider"] * len(Answers._fields))


async def departure(_: World) -> dict[str, Any]:
    return {"redirect_uri": "http://atlas/login/oidc/callback", "visitor": HERE}


async def departure_to_link(world: World) -> dict[str, Any]:
    return await departure(world) | {"password": PASSWORD}


async def returning(_: World) -> dict[str, Any]:
    return {"secret": "x", "state": "x", "code": "x", "issuer": None, "visitor": HERE}


async def known_as(world: World, user: User) -> dict[str, Any]:
    """Let a user be known by something at a provider, and have another way in."""
    await world.knows_password(user)
    identity = LinkedIdentity("https://id.example.org", world.name(), user.id, world.engine.clock())
    assert await world.engine.store.accounts.link(identity)
    return {"identity_id": identity.id}


async def identity_of_hers(world: World) -> dict[str, Any]:
    return await own_password(world) | await known_as(world, world.ada.user)


async def identities_listed(world: World) -> dict[str, Any]:
    for one in (world.ada, world.admin):
        await known_as(world, one.user)
    return {}


async def hers_known_as(world: World) -> dict[str, Any]:
    await known_as(world, world.ada.user)
    return {"user": "ada"}


async def identity_of_somebody(world: World) -> dict[str, Any]:
    user = await somebody(world)
    return {"user": user.name} | await known_as(world, user)


async def a_code(world: World) -> dict[str, Any]:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    for one in world.people:
        await world.engine.store.accounts.change(one.user.id, end_totp)
        await world.engine.store.accounts.change(one.user.id, begin_totp(secret))
    return {"code": pyotp.TOTP(secret).at(int(world.engine.clock()))}


MATRIX: dict[str, tuple[Arrange, Answers]] = {
    "agents.create": (new_name, MEMBERS),
    "agents.find": (page, ANYBODYS),
    "agents.counted": (nothing, ANYBODYS),
    "agents.show": (agent_named, seen("agent_not_found", caller="ok")),
    "agents.update": (agent_change, managed("agent_not_found", caller=ROLE)),
    "agents.share": (agent_shared, managed("agent_not_found", caller=ROLE, manager=ROLE)),
    "agents.unshare": (agent_unshared, managed("agent_not_found", caller=ROLE, manager=ROLE)),
    "agents.delete": (agent_named, managed("agent_not_found", caller=ROLE, manager=ROLE)),
    "groups.create": (new_name, ADMINISTRATORS),
    # Nobody else is in it.
    "groups.find": (group_page, own("nothing")._replace(owner="nothing", viewer="nothing")),
    "groups.show": (group_named, ADMINISTRATORS),
    "groups.delete": (group_named, ADMINISTRATORS),
    "groups.add": (membership, ADMINISTRATORS),
    "groups.remove": (membership, ADMINISTRATORS),
    "tokens.issue": (of_agent, managed("agent_not_found", caller=ROLE)),
    "tokens.of_agent": (with_token, seen("agent_not_found", caller=ROLE)),
    "tokens.show": (token_of_hers, seen("token_not_found")),
    "tokens.rotate": (token_of_hers, managed("token_not_found")),
    "tokens.renew": (a_renewal, AGENTS._replace(token="token_unknown")),
    "tokens.revoke": (token_of_hers, managed("token_not_found")),
    "users.whoami": (nothing, ANYBODYS),
    "users.create": (new_user, ADMINISTRATORS),
    "users.find": (page, ADMINISTRATORS),
    "users.show": (somebody_named, ADMINISTRATORS),
    "users.update": (user_change, ADMINISTRATORS),
    "users.delete": (somebody_named, ADMINISTRATORS),
    "sessions.log_in": (credentials, OPEN),
    "sessions.make_key": (machine_credentials, OPEN),
    # All of them come with keys, and are told so.
    "sessions.current": (nothing, own("session_not_found", "session_not_found")),
    "sessions.log_out": (nothing, ANYBODYS),
    "sessions.find": (session_listed, own("nothing")),
    "sessions.find_of": (hers_by_name, ADMINISTRATORS),
    "sessions.end": (session_of_hers, own("session_not_found")),
    "sessions.end_others": (session_listed, ANYBODYS),
    "sessions.end_of": (hers_by_name, ADMINISTRATORS),
    "single_sign_on.begin": (departure, PROVIDERLESS),
    "single_sign_on.begin_link": (departure_to_link, own("no_provider", "no_provider")),
    "single_sign_on.finish": (returning, PROVIDERLESS),
    "identities.find": (identities_listed, own("nothing")),
    "identities.find_of": (hers_known_as, ADMINISTRATORS),
    # Each removes one of their own.
    "identities.remove": (identity_of_hers, own("identity_not_found")._replace(admin="identity_not_found")),
    "identities.remove_of": (identity_of_somebody, ADMINISTRATORS),
    "invitations.create": (invited, ADMINISTRATORS),
    "invitations.find": (an_invitation_listed, ADMINISTRATORS),
    "invitations.revoke": (an_invitation, ADMINISTRATORS),
    "invitations.show": (a_link, OPEN),
    "invitations.accept": (a_link_and_password, OPEN),
    "accounts.show": (nothing, ANYBODYS),
    "accounts.change_password": (new_password, ANYBODYS),
    "accounts.enrol": (enrolled, ANYBODYS),
    "accounts.confirm": (a_code, ANYBODYS),
    "accounts.disenrol": (own_password, ANYBODYS),
    "accounts.reset_totp": (somebody_named, ADMINISTRATORS),
    "keys.create": (nothing, ANYBODYS),
    "keys.create_for": (key_for, ADMINISTRATORS),
    "keys.find": (key_listed, own("nothing")),
    "keys.find_all": (page, ADMINISTRATORS),
    "keys.revoke": (key_of_hers, own("api_key_not_found")),
    "logins.begin": (applicant, OPEN),
    "logins.collect": (device_code, OPEN),
    "logins.show": (user_code, ANYBODYS),
    "logins.approve": (user_code, ANYBODYS),
    "logins.deny": (user_code, ANYBODYS),
    "tasks.submit": (a_request, managed("agent_not_found", caller="ok")),
    "tasks.submit_all": (requests, managed("agent_not_found", caller="ok")),
    "tasks.retry": (ended_task, managed("task_not_found")),
    "tasks.show": (task_of_hers, seen("task_not_found")),
    "tasks.standing": (task_of_hers, seen("task_not_found")),
    "tasks.find": (tasks_of_hers, seen("nothing")),
    "tasks.page": (after_the_first, seen("task_not_found")),
    "tasks.follow": (followed, seen("task_not_found")),
    "tasks.cancel": (reason, managed("task_not_found")),
    # There is no question: whoever may answer is told so.
    "tasks.answer": (an_answer, managed("task_not_found", "no_open_question")),
    "attention.find": (agent_gone, seen("nothing")),
    "traces.show": (task_of_hers, seen("task_not_found")),
    "resources.fleet": (nothing, ANYBODYS),
    "resources.history": (counts_of_agent, seen("agent_not_found", caller=ROLE)),
    "statistics.read": (counts_of_agent, seen("agent_not_found", caller="ok")),
    "statistics.rates": (rates_of_agent, seen("ok")),
    "logs.find": (lines_of_hers, seen("task_not_found")),
    "logs.watch": (lines_watched, seen("task_not_found")),
    "changes.missed": (from_now_on, ANYBODYS),
    "changes.watch": (watched, ANYBODYS),
    "calls.call": (a_call, AGENTS),
    "instances.admit": (an_arrival, AGENTS._replace(token="token_unknown")),
    "audit.find": (of_the_log, ADMINISTRATORS),
    "audit.rows": (rows_of_the_log, ADMINISTRATORS),
    "audit.verify": (nothing, ADMINISTRATORS),
    "audit.check": (nothing, ADMINISTRATORS),
    "audit.checked": (nothing, ADMINISTRATORS),
    "audit.archives": (nothing, ADMINISTRATORS._replace(admin="nothing")),
    "audit.archive": (long_ago, ADMINISTRATORS._replace(admin="nothing_to_archive")),
    "signing.find": (nothing, ADMINISTRATORS),
    "signing.rotate": (nothing, ADMINISTRATORS),
    "signing.withdraw": (rotated_key, ADMINISTRATORS),
    "backups.make": (nothing, ADMINISTRATORS),
    "backups.find": (backed_up, ADMINISTRATORS),
    "system.key_set": (nothing, OPEN),
    "system.ready": (nothing, OPEN),
    "system.figures": (nothing, OPEN),
    "system.limits": (nothing, ANYBODYS),
    "system.about": (nothing, ANYBODYS),
    "metrics.read": (nothing, ADMINISTRATORS),
    "metrics.token_ends": (token_in_use, seen("nothing")),
}

READS = {
    Scope.TASKS_READ: {
        "tasks.show",
        "tasks.standing",
        "tasks.find",
        "tasks.page",
        "tasks.follow",
        "changes.missed",
        "changes.watch",
        "traces.show",
        "logs.find",
        "logs.watch",
        "statistics.read",
        "statistics.rates",
    },
    Scope.AGENTS_READ: {
        "agents.find",
        "agents.counted",
        "agents.show",
        "groups.find",
        "attention.find",
        "resources.fleet",
        "resources.history",
    },
    Scope.TOKENS_READ: {"tokens.of_agent", "tokens.show", "metrics.token_ends"},
}
TASKS_WRITE = {"tasks.submit", "tasks.submit_all", "tasks.retry", "tasks.cancel", "tasks.answer"}
NARROW: dict[Scope, set[str]] = READS | {
    # All others are of tasks that this key has not asked for (see the test); what is counted is not counted by keys.
    Scope.TASKS_CALL: {"tasks.submit", "tasks.submit_all"},
    Scope.TASKS_WRITE: READS[Scope.TASKS_READ] | TASKS_WRITE,
    Scope.AGENTS_WRITE: {name for name, right in RIGHT_OF.items() if right is Right.WRITE_AGENTS}
    | READS[Scope.AGENTS_READ],
    Scope.TOKENS_WRITE: READS[Scope.TOKENS_READ] | {"tokens.issue", "tokens.rotate", "tokens.revoke"},
    Scope.USERS_ADMIN: {name for name, right in RIGHT_OF.items() if right is Right.MANAGE_USERS},
    Scope.AUDIT_READ: {name for name, right in RIGHT_OF.items() if right is Right.READ_AUDIT},
    Scope.METRICS_READ: {"metrics.read"},
    Scope.EVERYTHING: set(MATRIX) - {"calls.call"},
}
"""What a key of an administrator's is good for that has one scope, besides what any key is."""
OF_TASKS = NARROW[Scope.TASKS_WRITE] - {"statistics.read", "statistics.rates"}
ANY_KEYS = {"users.whoami", "sessions.current", "sessions.log_out", "system.limits", "system.about"} | {
    name for name in MATRIX if RIGHT_OF[name] is Right.OPEN
}


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    async with api(folder) as atlas:
        key = str(atlas.admin.headers["Authorization"]).removeprefix("Bearer ")
        made = World(atlas, await atlas.engine.access.authenticate(key))
        await made.furnish()
        yield made


async def answer(made: World, name: str, who: Principal | None, arguments: dict[str, Any]) -> str:
    use_case: Any = USE_CASES[name]
    try:
        found = await use_case(who, made.application, **arguments)
    except AtlasError as error:
        return error.code
    if isinstance(found, list) and found and isinstance(found[0], AtlasError):
        return found[0].code
    items = found[0] if isinstance(found, tuple) and found else found
    return "nothing" if isinstance(items, list | tuple) and not items else "ok"


IN_ORDER = sorted(RIGHT_OF, key=lambda name: (not name.endswith(".find"), name))
"""Lists first: later there is something in them of everybody."""


@pytest.mark.anyio
async def test_every_use_case_answers_each_who_asks_as_the_matrix_says(tmp_path: Path) -> None:
    wrong = {}
    async with world(tmp_path) as made:
        viewer = replace(made.ada, user=replace(made.ada.user, role=Role.VIEWER))
        who = (None, made.eve, made.token, made.admin, made.ada, viewer, made.cal, made.max)
        for name in IN_ORDER:
            arrange, expected = MATRIX[name]
            found = Answers(*[await answer(made, name, one, await arrange(made)) for one in who])
            if found != expected:
                wrong[name] = (found, expected)
    assert wrong == {}


@pytest.mark.anyio
async def test_a_key_with_one_scope_is_good_for_that_and_nothing_else(tmp_path: Path) -> None:
    wrong = {}
    async with world(tmp_path) as made:
        for name in IN_ORDER:
            arrange, expected = MATRIX[name]
            for scope in API_KEY_SCOPES:
                narrow = Principal(made.admin.user, made.admin.credential, (scope,))
                found = await answer(made, name, narrow, await arrange(made))
                hidden = scope is Scope.TASKS_CALL and name in OF_TASKS - NARROW[scope]
                refused = expected.other if hidden else SCOPE
                if found != (expected.admin if name in NARROW[scope] | ANY_KEYS else refused):
                    wrong[name, scope] = found
    assert wrong == {}


async def an_administrator(made: World) -> User:
    user = User(made.engine.ids("usr"), made.name(), Role.ADMIN, 0.0)
    await made.engine.store.users.add(user)
    await a_session(made, user)
    return user


def by_name(word: str, **more: object) -> Callable[[World, User], Awaitable[dict[str, Any]]]:
    async def arrange(_: World, user: User) -> dict[str, Any]:
        return {word: user.name} | more

    return arrange


async def their_invitation(made: World, user: User) -> dict[str, Any]:
    return {"invitation_id": (await issue_invitation(made.engine, user))[0].id}


async def one_more(made: World, _: User) -> dict[str, Any]:
    return {"name": made.name(), "role": Role.ADMIN}


async def their_identities(made: World, user: User) -> dict[str, Any]:
    await known_as(made, user)
    return {"user": user.name}


async def their_identity(made: World, user: User) -> dict[str, Any]:
    return {"user": user.name} | await known_as(made, user)


async def their_keys(made: World, user: User) -> dict[str, Any]:
    await issue_key(made.engine, user, (Scope.TASKS_READ,), "theirs")
    return {"user": user.name, "limit": 9}


OVER_ADMINISTRATORS = {
    "users.create": one_more,
    "users.update": by_name("name", role=Role.MEMBER, disabled=None),
    "users.delete": by_name("name"),
    "sessions.find_of": by_name("user"),
    "sessions.end_of": by_name("user"),
    "identities.find_of": their_identities,
    "identities.remove_of": their_identity,
    "invitations.create": by_name("name", role=None),
    "invitations.revoke": their_invitation,
    "accounts.reset_totp": by_name("name"),
    "users.show": by_name("name"),
    "keys.create_for": by_name("user", scopes=["users:admin"]),
    "keys.find_all": their_keys,
}
"""What is done to one user, or looked at of one, by whoever manages users or what they log in with."""
OF_NOBODYS_ACCOUNT = {
    *("users.find", "invitations.find"),
    *("groups.create", "groups.show", "groups.delete", "groups.add", "groups.remove"),
}
"""What else they do: who is there, and with whom agents are shared, which gives an administrator nothing."""


@pytest.mark.anyio
async def test_a_key_for_users_alone_acts_on_no_administrator_and_looks_at_none(tmp_path: Path) -> None:
    answers = {}
    async with world(tmp_path) as made:
        narrow = replace(made.admin, scopes=(Scope.USERS_ADMIN,))
        for name, arrange in OVER_ADMINISTRATORS.items():
            for who in (narrow, made.admin):
                arguments = await arrange(made, await an_administrator(made))
                answers[name, who.scopes] = await answer(made, name, who, arguments)
    assert {found for (_, scopes), found in answers.items() if scopes == (Scope.USERS_ADMIN,)} == {SCOPE}, answers
    assert {found for (_, scopes), found in answers.items() if scopes != (Scope.USERS_ADMIN,)} == {"ok"}, answers


def test_it_is_said_of_all_that_managing_users_is_whether_it_may_be_done_to_an_administrator() -> None:
    managing = {name for name, right in RIGHT_OF.items() if right in (Right.MANAGE_USERS, Right.MANAGE_LOGINS)}
    assert managing == OVER_ADMINISTRATORS.keys() | OF_NOBODYS_ACCOUNT


def test_every_use_case_has_a_right_and_a_row() -> None:
    assert set(USE_CASES) == set(RIGHT_OF) == set(MATRIX), "a use case needs a row: what is everybody answered?"


def test_what_works_on_the_engine_is_a_use_case_and_takes_who_asks_first() -> None:
    for module in MODULES:
        noun = module.__name__.rpartition(".")[2]
        if noun in ("application", "machine"):
            continue  # what use cases are made with; and what no door may have
        for name, function in vars(module).items():
            if not inspect.isfunction(function) or function.__module__ != module.__name__ or name.startswith("_"):
                continue
            takes = list(inspect.signature(inspect.unwrap(function), eval_str=True).parameters.values())
            kinds = [one.annotation.__name__ for one in takes if inspect.isclass(one.annotation)]
            if "Engine" in kinds or f"{noun}.{name}" in USE_CASES:
                assert USE_CASES.get(f"{noun}.{name}") is function, f"{noun}.{name} is no use case"
                assert takes[0].name == "who"
