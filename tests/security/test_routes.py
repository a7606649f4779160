"""Every route of the HTTP API, asked by everybody: one table, which says of each route which use case it is.

What that use case answers whom stands in the table of use cases (`tests.integration.usecases.test_matrix.MATRIX`); what
is added here is what only a door knows: keys that have expired, were revoked, or are good for something else, and an
agent's token where an API key belongs.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy import Engine, event

from agentic_atlas.api.app import ROUTES
from agentic_atlas.auth import Scope, digest
from agentic_atlas.backend.domain.records import AccessLevel, AgentRecord, ApiKey, Role, Share, User
from agentic_atlas.backend.engine.api_keys import issue_key
from agentic_atlas.backend.rights import RIGHT_OF, Principal, Right
from agentic_atlas.backend.usecases import tokens
from agentic_atlas.platform import assets
from agentic_atlas.platform.app import ROUTES as PAGES
from agentic_atlas.platform.pages.settings.page import PARTS
from tests.integration.api.network import Api, api
from tests.integration.usecases.test_matrix import ANY_KEYS, MATRIX, OPEN, PASSWORD, ROLE, SCOPE, UNKNOWN, World

pytestmark = pytest.mark.anyio

ALL = "ok"


@dataclass
class Asked:
    """What is asked of a route: what stands in its path, its body, its query, and its head."""

    path: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


Ask = Callable[[dict[str, Any]], Asked]
"""Makes of a use case's arguments what is asked of its route."""


class Row(NamedTuple):
    """A route: its use case (None: a page, which anybody may read), what is asked of it, and answers that differ."""

    use_case: str | None
    ask: Ask
    differs: Mapping[str, str] = MappingProxyType({})


def in_path(*names: str, **body: Any) -> Ask:
    """Ask with these arguments in the path, and this body."""
    return lambda args: Asked({name: str(args[name]) for name in names}, body)


def in_body(*names: str, **renamed: str) -> Ask:
    """Ask with these arguments in the body, by these names."""
    return lambda args: Asked(
        body={name: args[name] for name in names} | {told: args[name] for told, name in renamed.items()}
    )


def of_agent(*names: str, by: str = "name", to: str = "", **body: Any) -> Ask:
    """Ask for an agent in the path, with these arguments in the body."""

    def ask(args: dict[str, Any]) -> Asked:
        owner, _, name = args[by].partition("/")
        path = {"owner": owner, "name": name} | ({to: args[to]} if to else {})
        return Asked(path, {one: args[one] for one in names} | body)

    return ask


def unshared(args: dict[str, Any]) -> Asked:
    return of_agent(to="subjects")(args | {"subjects": ",".join(args["subjects"])})


def submitted(ask: Any) -> dict[str, Any]:
    return {"agent": ask.agent, "skill": ask.skill, "input": json.loads(bytes(ask.input))}


def empty(_: dict[str, Any]) -> Asked:
    return Asked()


def stylesheet(_: dict[str, Any]) -> Asked:
    _, _, digest, name = assets.address("atlas.css").split("/")
    return Asked({"digest": digest, "name": name})


def skill_of(args: dict[str, Any]) -> Asked:
    asked = of_agent()(args)
    return Asked({**asked.path, "skill": "greet"})


def run(args: dict[str, Any]) -> Asked:
    """Ask for a task by the form of its skill."""
    ask = args["ask"]
    owner, _, name = ask.agent.partition("/")
    said = {"do": "run", "json": bytes(ask.input).decode()}
    return Asked({"owner": owner, "name": name, "skill": ask.skill}, said)


def expected(row: Row) -> dict[str, str]:
    """Return what a route answers each, of its use case's answers and of what only a door knows."""
    everybody = (
        "nobody",
        "other",
        "viewer",
        "caller",
        "manager",
        "token",
        "expired",
        "revoked",
        "narrow",
        "admin",
        "owner",
    )
    answers = MATRIX[row.use_case][1] if row.use_case else OPEN
    if answers is OPEN:
        return dict.fromkeys(everybody, ALL) | dict(row.differs)
    owner = row.differs.get("owner", answers.owner)
    said = {
        "nobody": UNKNOWN, "other": answers.other, "caller": answers.caller, "manager": answers.manager,
        # Somebody who is a viewer, and with whom the owner shares for managing.
        "viewer": answers.viewer if answers.viewer == ROLE else answers.manager,
        "token": "key_invalid", "expired": "key_expired", "revoked": "key_invalid",
        "narrow": owner if row.use_case in ANY_KEYS else SCOPE, "admin": answers.admin, "owner": owner,
    }  # fmt: skip
    return said | dict(row.differs)


def page_of(use_case: str, ask: Callable[[dict[str, Any]], Asked] = empty) -> Row:
    """Return the row of a page: where there is nothing to be seen, it says so."""
    row = Row(use_case, ask)
    return row._replace(differs={who: ALL for who, answer in expected(row).items() if answer == "nothing"})


def without(code: str, use_case: str, ask: Ask) -> Row:
    """Return the row of a page of something that is not there, which is told to who would see it."""
    answers = MATRIX[use_case][1]
    return Row(use_case, ask, {who: code for who in answers._fields if getattr(answers, who) == ALL})


NO_KEY = {"admin": "signing_key_not_found"}
TABLE: dict[str, Row] = {
    "POST /api/v1/tasks": Row("tasks.submit", lambda args: Asked(body=submitted(args["ask"]))),
    "POST /api/v1/tasks/batch": Row(
        "tasks.submit_all", lambda args: Asked(body={"tasks": [submitted(ask) for ask in args["asks"]]})
    ),
    # The one task that is asked about: what else is there is of other rows.
    "GET /api/v1/tasks": Row("tasks.find", lambda args: Asked(query={"prefix": args["newest"]})),
    "GET /api/v1/tasks/{task_id}": Row("tasks.show", in_path("task_id")),
    "GET /api/v1/tasks/{task_id}/trace": Row("traces.show", in_path("task_id")),
    "GET /api/v1/tasks/{task_id}/events": Row("tasks.page", in_path("task_id")),
    "POST /api/v1/tasks/{task_id}/cancel": Row("tasks.cancel", in_path("task_id", reason="enough")),
    "POST /api/v1/tasks/{task_id}/input": Row("tasks.answer", in_path("task_id", answer=1)),
    "POST /api/v1/tasks/{task_id}/retry": Row("tasks.retry", in_path("task_id")),
    "GET /api/v1/agents": Row("agents.find", empty),
    "POST /api/v1/agents": Row("agents.create", in_body("name")),
    "GET /api/v1/agents/{owner}/{name}/tokens": Row("tokens.of_agent", of_agent(by="agent_name")),
    "POST /api/v1/agents/{owner}/{name}/tokens": Row("tokens.issue", of_agent(by="agent_name")),
    "GET /api/v1/agents/{owner}/{name}": Row("agents.show", of_agent()),
    "PATCH /api/v1/agents/{owner}/{name}": Row("agents.update", of_agent("description")),
    "PUT /api/v1/agents/{owner}/{name}/shares": Row("agents.share", of_agent("subjects", "access")),
    "DELETE /api/v1/agents/{owner}/{name}/shares/{subjects}": Row("agents.unshare", unshared),
    "DELETE /api/v1/agents/{owner}/{name}": Row("agents.delete", of_agent()),
    "POST /api/v1/tokens/{token_id}/rotate": Row("tokens.rotate", in_path("token_id")),
    "DELETE /api/v1/tokens/{token_id}": Row("tokens.revoke", in_path("token_id")),
    "GET /api/v1/whoami": Row("users.whoami", empty),
    "GET /api/v1/users": Row("users.find", empty),
    "POST /api/v1/users": Row("users.create", in_body("name", "role")),
    "PATCH /api/v1/users/{name}": Row("users.update", in_path("name", disabled=False)),
    "DELETE /api/v1/users/{name}": Row("users.delete", in_path("name")),
    # Everybody here has come with a key of their own.
    "GET /api/v1/api-keys": Row("keys.find", empty, dict.fromkeys(("other", "viewer", "caller", "manager"), ALL)),
    "POST /api/v1/api-keys": Row("keys.create", empty),
    "GET /api/v1/api-keys/all": Row("keys.find_all", empty),
    "DELETE /api/v1/api-keys/{key_id}": Row("keys.revoke", in_path("key_id")),
    "GET /api/v1/groups": Row("groups.find", empty),
    "POST /api/v1/groups": Row("groups.create", in_body("name")),
    "DELETE /api/v1/groups/{name}": Row("groups.delete", in_path("name")),
    "PUT /api/v1/groups/{name}/members/{user}": Row("groups.add", in_path("name", "user")),
    "DELETE /api/v1/groups/{name}/members/{user}": Row("groups.remove", in_path("name", "user")),
    "GET /api/v1/users/me": Row("accounts.show", empty),
    "PUT /api/v1/users/me/password": Row("accounts.change_password", in_body("current", "new")),
    "POST /api/v1/users/me/totp": Row("accounts.enrol", in_body("password")),
    "POST /api/v1/users/me/totp/confirm": Row("accounts.confirm", in_body("code")),
    "DELETE /api/v1/users/me/totp": Row("accounts.disenrol", in_body("password")),
    "DELETE /api/v1/users/{name}/totp": Row("accounts.reset_totp", in_path("name")),
    "POST /api/v1/session": Row("sessions.log_in", in_body("name", "password")),
    "POST /api/v1/session/key": Row("sessions.make_key", in_body("name", "password", "host")),
    "GET /api/v1/session": Row("sessions.current", empty),
    "DELETE /api/v1/session": Row("sessions.log_out", empty),
    "GET /api/v1/sessions": Row("sessions.find", empty),
    "DELETE /api/v1/sessions": Row("sessions.end_others", empty),
    "DELETE /api/v1/sessions/{session_id}": Row("sessions.end", in_path("session_id")),
    "GET /api/v1/users/{name}/sessions": Row("sessions.find_of", lambda args: Asked({"name": args["user"]})),
    "DELETE /api/v1/users/{name}/sessions": Row("sessions.end_of", lambda args: Asked({"name": args["user"]})),
    # Whatever it came to, a browser is sent on.
    "GET /login/oidc": Row(None, empty),
    "GET /login/oidc/callback": Row(None, empty),
    "POST /api/v1/users/me/identities": Row("single_sign_on.begin_link", in_body("password")),
    "GET /api/v1/users/me/identities": Row("identities.find", empty),
    "DELETE /api/v1/users/me/identities/{identity_id}": Row(
        "identities.remove", in_path("identity_id", password=PASSWORD)
    ),
    "GET /api/v1/users/{name}/identities": Row("identities.find_of", lambda args: Asked({"name": args["user"]})),
    "DELETE /api/v1/users/{name}/identities/{identity_id}": Row(
        "identities.remove_of", lambda args: Asked({"name": args["user"], "identity_id": args["identity_id"]})
    ),
    "POST /api/v1/invitations": Row("invitations.create", in_body("role", user="name")),
    "GET /api/v1/invitations": Row("invitations.find", empty),
    "DELETE /api/v1/invitations/{invitation_id}": Row("invitations.revoke", in_path("invitation_id")),
    "POST /api/v1/invitations/show": Row("invitations.show", in_body("secret")),
    "POST /api/v1/invitations/accept": Row("invitations.accept", in_body("secret", "password")),
    # The eleventh within a minute from one address.
    "POST /api/v1/login-codes": Row("logins.begin", in_body("host"), {"owner": "too_many_requests"}),
    "POST /api/v1/login-codes/token": Row("logins.collect", in_body("device_code")),
    "POST /api/v1/login-codes/show": Row("logins.show", in_body("user_code")),
    "POST /api/v1/login-codes/approve": Row("logins.approve", in_body("user_code")),
    "POST /api/v1/login-codes/deny": Row("logins.deny", in_body("user_code")),
    "GET /.well-known/jwks.json": Row("system.key_set", empty),
    "GET /healthz": Row(None, empty),
    "GET /metrics": Row("metrics.read", empty),
    "GET /metrics/agents": Row("metrics.token_ends", empty, dict.fromkeys(("other", "caller"), ALL)),
    "GET /readyz": Row("system.ready", empty),
    "GET /api/v1/signing-keys": Row("signing.find", empty),
    "POST /api/v1/signing-keys": Row("signing.rotate", empty),
    "DELETE /api/v1/signing-keys/{key_id}": Row("signing.withdraw", in_path("key_id")),
    "GET /api/v1/attention": Row("attention.find", empty),
    # Nobody is connected; whose processes are seen by whom is in `tests/integration/api/test_resources.py`.
    "GET /api/v1/resources": Row(
        "resources.fleet", empty, dict.fromkeys(("admin", "owner", "other", "viewer", "caller", "manager"), "nothing")
    ),
    "GET /api/v1/resources/history": Row("resources.history", lambda args: Asked(query={"agent": args["agent"]})),
    "GET /api/v1/logs": Row("logs.find", lambda args: Asked(query={"task": args["of"].task})),
    # As a page, for its stream has no end.
    "GET /api/v1/logs/stream": Row(
        "logs.find", lambda args: Asked(query={"task": args["of"].task}, headers={"Accept": "application/json"})
    ),
    "GET /api/v1/statistics": Row("statistics.read", lambda args: Asked(query={"agent": args["agent"]})),
    "GET /api/v1/audit": Row("audit.find", empty),
    "GET /api/v1/audit/rows": Row("audit.rows", empty),
    "GET /api/v1/audit/verification": Row("audit.verify", empty),
    "GET /api/v1/audit/archives": Row("audit.archives", empty),
    "POST /api/v1/audit/archives": Row("audit.archive", lambda _: Asked(body={"before": "1970-01-01T00:00:01Z"})),
    "GET /api/v1/backups": Row("backups.find", empty),
    "POST /api/v1/backups": Row("backups.make", empty),
    "GET /api/v1/about": Row("system.about", empty),
    "GET /api/v1/limits": Row("system.limits", empty),
    "GET /": Row(None, empty),
    "GET /docs": Row(None, empty),
    "GET /api/v1/openapi.json": Row(None, empty),
    "GET /login": Row(None, empty),
    "POST /login": Row("sessions.log_in", in_body("name", "password")),
    "POST /logout": Row("sessions.log_out", empty),
    "GET /login/code": page_of("users.whoami"),
    "POST /login/code": Row("logins.show", in_body("user_code")),
    "POST /login/code/approve": Row("logins.approve", in_body("user_code")),
    "POST /login/code/deny": Row("logins.deny", in_body("user_code")),
    "GET /assets/{digest}/{name}": Row(None, stylesheet),
    "GET /overview": page_of("agents.find"),
    "GET /agents": page_of("agents.find"),
    "GET /tasks": page_of("tasks.find"),
    "GET /events": Row("changes.missed", empty),
    "GET /palette": page_of("agents.find"),
    "GET /settings": page_of("accounts.show"),
    "POST /settings/password": Row("accounts.change_password", in_body("current", "new", again="new")),
    "POST /settings/totp": Row("accounts.enrol", in_body("password")),
    "POST /settings/totp/confirm": Row("accounts.confirm", in_body("code")),
    "POST /settings/totp/end": Row("accounts.disenrol", in_body("password")),
    "POST /settings/identities": Row("single_sign_on.begin_link", in_body("password")),
    "POST /settings/identities/{identity_id}/remove": Row(
        "identities.remove", in_path("identity_id", password=PASSWORD)
    ),
    "GET /settings/sessions": page_of("sessions.find"),
    "POST /settings/sessions/end": Row("sessions.end_others", empty),
    "POST /settings/sessions/{session_id}/end": Row("sessions.end", in_path("session_id")),
    "GET /settings/people": Row("users.find", empty),
    "GET /settings/people/{name}": Row("users.show", in_path("name")),
    "POST /settings/people/{name}": Row("users.update", in_path("name", disabled="false")),
    "POST /settings/people/{name}/sessions/end": Row("sessions.end_of", lambda args: Asked({"name": args["user"]})),
    "POST /settings/people/{name}/totp/end": Row("accounts.reset_totp", in_path("name")),
    "POST /settings/people/{name}/identities/{identity_id}/remove": Row(
        "identities.remove_of", lambda args: Asked({"name": args["user"], "identity_id": args["identity_id"]})
    ),
    "POST /settings/people/{name}/delete": Row("users.delete", in_path("name")),
    "POST /settings/invitations": Row("invitations.create", in_body("role", user="name")),
    "POST /settings/invitations/{invitation_id}/withdraw": Row("invitations.revoke", in_path("invitation_id")),
    # Those that somebody is in they see where they share an agent.
    "GET /settings/groups": Row("users.find", empty),
    "POST /settings/groups": Row("groups.create", in_body("name")),
    "GET /settings/groups/{name}": Row("groups.show", in_path("name")),
    "POST /settings/groups/{name}/members": Row(
        "groups.add", lambda args: Asked({"name": args["name"]}, {"name": args["user"]})
    ),
    "POST /settings/groups/{name}/members/{user}/remove": Row("groups.remove", in_path("name", "user")),
    "POST /settings/groups/{name}/delete": Row("groups.delete", in_path("name")),
    "GET /settings/keys": page_of("keys.find"),
    "GET /settings/keys/new": page_of("users.whoami"),
    "POST /settings/keys/new": Row("keys.create", lambda _: Asked(body={"reach": "all"})),
    "POST /settings/keys/{key_id}/revoke": Row("keys.revoke", in_path("key_id")),
    "GET /settings/signing-keys": page_of("signing.find"),
    "POST /settings/signing-keys": Row("signing.rotate", empty),
    "GET /settings/signing-keys/{key_id}/withdraw": Row("signing.find", lambda _: Asked({"key_id": "none"}), NO_KEY),
    "POST /settings/signing-keys/{key_id}/withdraw": Row("signing.withdraw", in_path("key_id", sure="yes")),
    "GET /settings/audit": page_of("audit.find"),
    "GET /settings/audit/check": page_of("audit.checked"),
    "POST /settings/audit/check": Row("audit.check", empty),
    "POST /settings/audit/export": Row("audit.rows", empty),
    "GET /settings/limits": page_of("system.limits"),
    "GET /settings/about": page_of("system.about"),
    "GET /agents/token": page_of("agents.find"),
    "POST /agents/token": Row("tokens.issue", in_body(agent="agent_name")),
    "GET /agents/{owner}/{name}": Row("agents.show", of_agent()),
    "GET /agents/{owner}/{name}/tokens": Row("tokens.of_agent", of_agent(by="agent_name")),
    "GET /agents/{owner}/{name}/tasks": Row("agents.show", of_agent()),
    "GET /agents/{owner}/{name}/settings": Row("agents.show", of_agent()),
    "POST /agents/{owner}/{name}/settings": Row("agents.update", of_agent("description")),
    "POST /agents/{owner}/{name}/admission": Row("agents.update", of_agent(disabled="false")),
    "POST /agents/{owner}/{name}/shares": Row("agents.share", of_agent(subjects="everyone")),
    "POST /agents/{owner}/{name}/shares/end": Row("agents.unshare", of_agent(subject="eve")),
    "POST /agents/{owner}/{name}/delete": Row("agents.delete", of_agent(sure="yes")),
    "GET /agents/{owner}/{name}/skills/{skill}": without("skill_not_found", "agents.show", skill_of),
    "POST /agents/{owner}/{name}/skills/{skill}": Row("tasks.submit", run),
    "GET /tokens/{token_id}": Row("tokens.show", in_path("token_id")),
    "POST /tokens/{token_id}/rotate": Row("tokens.rotate", in_path("token_id")),
    "POST /tokens/{token_id}/revoke": Row("tokens.revoke", in_path("token_id")),
    "GET /tasks/{task_id}": Row("tasks.show", in_path("task_id")),
    "GET /tasks/{task_id}/files/{number}": without(
        "file_not_found", "tasks.show", lambda args: Asked({"task_id": str(args["task_id"]), "number": "1"})
    ),
    "GET /tasks/{task_id}/output": Row("tasks.page", in_path("task_id")),
    "GET /tasks/{task_id}/compare": Row("tasks.show", in_path("task_id")),
    "POST /tasks/{task_id}/cancel": Row("tasks.cancel", in_path("task_id")),
    "POST /tasks/{task_id}/retry": Row("tasks.retry", in_path("task_id")),
    "POST /tasks/{task_id}/answer": Row("tasks.answer", in_path("task_id", question="1", json="1")),
}

FORMS = {f"{route.method} {route.path}" for route in PAGES if route.form}
"""Routes whose body is the form of a page."""

OTHERS = ("other", "caller", "manager", "admin", "viewer")
"""Those to whom a name without an owner is none of ada's."""


def rows() -> dict[str, Row]:
    """Return the whole table: an agent of one's own is also named without its owner."""
    short = {}
    for route, row in TABLE.items():
        if "/api/v1/agents/{owner}/" not in route:
            continue  # a page says whose it is
        use_case = MATRIX[row.use_case or ""][1]
        hidden = {who: "agent_not_found" for who in OTHERS if getattr(use_case, who) != ROLE or who != "viewer"}
        short[route.replace("{owner}/", "")] = row._replace(differs=hidden)
    return TABLE | short


class Doors(World):
    """The world of the table of use cases, where everybody comes with something to show."""

    def __init__(self, atlas: Api, admin: Principal) -> None:
        super().__init__(atlas, admin)
        vic = User("usr_vic", "vic", Role.VIEWER, 0.0)
        self.vic = Principal(vic, ApiKey("key_vic", vic.id, "laptop", b"vic", 0.0), ("*",))

    @property
    def people(self) -> list[Principal]:
        return [self.vic, *super().people]

    async def furnish(self) -> None:
        await super().furnish()
        keys = {"other": self.eve, "viewer": self.vic, "caller": self.cal, "manager": self.max, "owner": self.ada}
        shown = {name: await self.key(who.user) for name, who in keys.items()}
        jwt = await tokens.issue(self.eve, self.application, self.token.credential.agent)  # type: ignore[union-attr]
        admin = str(self.atlas.admin.headers["Authorization"]).removeprefix("Bearer ")
        revoked = await self.key(self.ada.user)
        key = await self.atlas.engine.access.authenticate(revoked)
        await self.engine.store.users.revoke_key(key.credential.id, None, self.engine.clock())
        self.engine.access.forget()
        over = ApiKey("key_over", self.ada.user.id, "", digest("atlas_over"), 0.0, expires_at=1.0)
        await self.engine.store.users.add_key(over)
        self.shown: dict[str, str] = shown | {
            "nobody": "", "admin": admin, "token": jwt.token, "revoked": revoked, "expired": "atlas_over",
            "narrow": await self.key(self.ada.user, Scope.TOKENS_READ),
            "narrower": await self.key(self.ada.user, Scope.AGENTS_READ),
        }  # fmt: skip

    async def key(self, user: User, scope: Scope = Scope.EVERYTHING) -> str:
        return (await issue_key(self.engine, user, (scope,), "shown"))[1]

    async def agent(self, owner: Principal | None = None) -> AgentRecord:
        agent = await super().agent(owner)
        if agent.owner_id == self.ada.user.id:
            await self.engine.store.shares.put(agent.id, [Share(f"user:{self.vic.user.id}", AccessLevel.MANAGE)], 0.0)
        return agent

    async def ask(self, route: str, who: str, asked: Asked) -> httpx.Response:
        method, _, path = route.partition(" ")
        for name, value in asked.path.items():
            path = path.replace("{" + name + "}", value)
        headers = asked.headers | ({"Authorization": f"Bearer {self.shown[who]}"} if self.shown[who] else {})
        content = json.dumps(asked.body) if method not in ("GET",) else None
        if route in FORMS:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            content = urlencode(asked.body)
        # Whoever has logged in was given a cookie, which is not for whoever asks next.
        self.atlas.anonymous.cookies.clear()
        return await self.atlas.anonymous.request(method, path, params=asked.query, content=content, headers=headers)


def told(answer: httpx.Response) -> str:
    """Return an answer as the tables have it."""
    if answer.status_code >= 400:
        return str(answer.json()["error"]["code"])
    if "json" not in answer.headers.get("Content-Type", ""):
        return "ok"
    said = answer.json()
    if said.get("results"):
        (one,) = said["results"]
        return str(one["error"]["code"]) if "error" in one else "ok"
    return "ok" if said.get("items", [1]) else "nothing"


async def world(atlas: Api) -> Doors:
    key = str(atlas.admin.headers["Authorization"]).removeprefix("Bearer ")
    made = Doors(atlas, await atlas.engine.access.authenticate(key))
    await made.furnish()
    return made


async def arranged(made: Doors, row: Row) -> Asked:
    """Make what is asked about, anew for each who asks."""
    args = {} if row.use_case is None else await MATRIX[row.use_case][0](made)
    if row.use_case == "tasks.find":
        args["newest"] = (await made.engine.store.tasks.find(args["which"], limit=1))[0][0].task.id
    if row.use_case == "tasks.page":
        await made.engine.dispatcher.cancel(args["task_id"], "so that its events come to an end")
    return row.ask(args)


async def test_every_route_answers_each_who_asks_as_the_tables_say(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        made = await world(atlas)
        wrong = {}
        for route, row in rows().items():
            for who, answer in expected(row).items():
                shows = who
                if who == "narrow" and row.use_case and RIGHT_OF[row.use_case] is Right.READ_TOKENS:
                    shows = "narrower"
                found = told(await made.ask(route, shows, await arranged(made, row)))
                if found != answer:
                    wrong[route, who] = (found, answer)
        assert wrong == {}


def test_every_route_has_a_row() -> None:
    assert {f"{route.method} {route.path}" for route in [*ROUTES, *PAGES]} == set(rows()), "a new route needs a row"


def test_the_settings_lead_nobody_to_what_they_may_not_see() -> None:
    needed = {part.path: RIGHT_OF[TABLE[f"GET {part.path}"].use_case or ""] for part in PARTS}
    assert needed == {part.path: part.right for part in PARTS}


HIDDEN = sorted(route for route, row in rows().items() if expected(row)["other"].endswith("_not_found"))
"""Routes at which somebody may ask for what is not theirs."""
ABSENT = {
    "name": "nothing",
    "task_id": "tsk_none",
    "token_id": "tok_none",
    "key_id": "key_none",
    "session_id": "ses_none",
    "identity_id": "idn_none",
}


async def test_what_is_not_theirs_is_answered_as_what_is_not_there_after_the_same_looks(tmp_path: Path) -> None:
    looks: list[str] = []

    def listen(driver: sqlite3.Connection, _: object) -> None:
        driver.set_trace_callback(looks.append)

    event.listen(Engine, "connect", listen)
    try:
        async with api(tmp_path) as atlas:
            made = await world(atlas)
            await made.ask("GET /api/v1/whoami", "other", Asked())
            for route in HIDDEN:
                row = rows()[route]
                if not row.ask.__qualname__.startswith(("in_path", "of_agent")):
                    continue  # what is named in a body, or comes to whoever asks by themselves
                hers = await arranged(made, row)
                none = Asked({**hers.path, **{name: ABSENT[name] for name in hers.path if name in ABSENT}}, hers.body)
                seen = []
                # Twice: what is remembered of the first time tells nothing either.
                for asked in (hers, none) * 2:
                    looks.clear()
                    answer = await made.ask(route, "other", asked)
                    text = answer.text
                    for value in asked.path.values():
                        text = text.replace(value, "…")
                    seen.append((answer.status_code, text, _shapes(looks)))
                assert seen[0][0] == 404, (route, seen[0])
                assert seen == [seen[0]] * 4, (route, [one[2] for one in seen])
    finally:
        event.remove(Engine, "connect", listen)


def _shapes(looks: list[str]) -> list[str]:
    """Return what was looked for, without the values; refusals are written down by themselves, a while later."""
    asked = [look for look in looks if look.startswith("SELECT") and "audit" not in look]
    return [re.sub(r"'[^']*'|\b\d+(?:\.\d+)?\b", "?", look) for look in asked]
