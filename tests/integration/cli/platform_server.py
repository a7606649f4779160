"""A platform for the commands' tests: the few answers of the HTTP API they need, from one small table of facts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from agentic_atlas.protocol.caller.agents import AgentInfo, NewToken, RevokedToken, TokenInfo
from agentic_atlas.protocol.caller.attention import AttentionItem
from agentic_atlas.protocol.caller.logs import LogInfo
from agentic_atlas.protocol.caller.people import ApiKeyInfo, GroupInfo, NewApiKey, SigningKeyInfo, WhoAmI
from agentic_atlas.protocol.caller.resources import Fleet, ResourceHistory
from agentic_atlas.protocol.caller.statistics import StatisticsInfo
from agentic_atlas.protocol.caller.tasks import TaskInfo, TaskSummary
from agentic_atlas.protocol.caller.traces import TraceInfo
from tests.integration.client.client_server import Answer, Asked, Server, error, events
from tests.shown import answer

GREET = {
    "name": "greet",
    "description": "Greet someone",
    "input_schema": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "times": {"type": "integer", "default": 1}},
        "required": ["name"],
    },
    "streams": False,
}
AT = "2026-11-22T19:29:08.123Z"


def event(seq: int, kind: str, **data: object) -> str:
    body = json.dumps({"seq": seq, "at": AT, "kind": kind, "attempt": 1, "data": data})
    return f"id: {seq}\nevent: {kind}\ndata: {body}\n\n"


@dataclass
class Platform:
    """What there is, and what became of what was asked. `task` is how every task ends."""

    server: Server
    agents: dict[str, dict[str, Any]] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=lambda: {"state": "completed", "output": "Hello, Ada!"})
    ids: list[str] = field(default_factory=list)
    """Of the tasks that are listed; without any there is one, `t1`."""
    beginning: str = ""
    """Of the events: what the first connection has of them before it is cut."""
    stream: str = ""
    refuses: Answer | None = None
    backup: Path | None = None
    """The backup that the server makes; None: one on another machine."""
    tokens: list[dict[str, Any]] = field(default_factory=list)
    """Of every agent; without any there is one that is active."""
    revoked: list[str] = field(default_factory=list)
    """What ends with a token that is revoked; it alone by default."""
    retired: dict[str, str] = field(default_factory=dict)
    """What a token that is made by rotation takes the place of; that which was named by default."""
    keys: list[dict[str, Any]] = field(default_factory=list)
    shares: dict[str, str] = field(default_factory=dict)
    ended: list[dict[str, Any]] = field(default_factory=list)
    """The tokens that end with what is shared."""
    role: str = "admin"
    may_look: bool = True
    """Whether the key is good for a look at an agent."""
    groups: dict[str, list[str]] = field(default_factory=dict)
    statistics: dict[str, Any] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)
    fleet: dict[str, Any] = field(default_factory=dict)
    attention: list[dict[str, Any]] = field(default_factory=list)
    trace: dict[str, Any] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    """Of logs, newest first."""
    streamed: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """What a stream of logs tells, before the agent is gone."""
    where: dict[str, str] = field(default_factory=lambda: {"router_url": "ws://127.0.0.1:8080/ws"})
    """Where it says that it is."""
    answers: Answer | None = None
    """To the answer of a question; without it the task goes on."""

    def answer(self, asked: Asked) -> Answer:
        if self.refuses is not None:
            return self.refuses
        if asked.path.endswith("/trace"):
            return Answer(answer(TraceInfo, **self.trace))
        first, *rest = asked.path.removeprefix("/api/v1/").split("/")
        routes: dict[str, Callable[[Asked, list[str]], Answer]] = {
            "agents": self._agents,
            "groups": self._groups,
            "tasks": self._tasks,
            "tokens": self._tokens,
            "api-keys": self._keys,
            "signing-keys": self._signing,
            "whoami": self._whoami,
            "backups": self._backups,
            "attention": lambda *_: Answer({"items": [answer(AttentionItem, **one) for one in self.attention]}),
            "logs": self._logs,
            "resources": self._resources,
            "statistics": lambda *_: Answer(answer(StatisticsInfo, **self.statistics)),
        }
        return routes[first](asked, rest)

    def _resources(self, asked: Asked, rest: list[str]) -> Answer:
        if rest:
            return Answer(answer(ResourceHistory, **{"since": AT, "until": AT, "step": 60, **self.history}))
        return Answer(answer(Fleet, **{"at": AT, **self.fleet}))

    def add_agent(self, name: str = "hello", *skills: dict[str, Any], **more: object) -> None:
        self.agents[name] = answer(AgentInfo, name=name, full_name=f"ada/{name}", skills=list(skills), **more)

    def submitted(self) -> dict[str, Any]:
        """Return the body of the only submission."""
        (asked,) = [asked for asked in self.server.asked if (asked.method, asked.path) == ("POST", "/api/v1/tasks")]
        return dict(asked.body)

    def _agents(self, asked: Asked, rest: list[str]) -> Answer:
        if not rest and asked.method == "GET":
            left_out = ("skills", "instances")
            items = [{name: part for name, part in one.items() if name not in left_out} for one in self.agents.values()]
            return Answer({"items": items, "next": None})
        if not rest:
            self.add_agent(asked.body["name"])
            return Answer(self.agents[asked.body["name"]], 201)
        if asked.method == "GET" and not self.may_look:
            return error(403, "insufficient_scope", "it lacks the scope agents:read")
        rest = rest[1:] if rest[0] == "ada" else rest
        if rest[0] not in self.agents:
            return error(404, "agent_not_found", f"there is no agent `{rest[0]}`")
        token = {"id": "k1", "agent": f"ada/{rest[0]}", "name": "box", "status": "active"}
        token |= {"issued_at": AT, "expires_at": AT}
        if rest[1:] == ["tokens"] and asked.method == "POST":
            return Answer(answer(NewToken, **token, token="eyJ.a-b_c.d"), 201)
        if rest[1:] == ["tokens"]:
            return Answer({"items": [answer(TokenInfo, **one) for one in self.tokens or [token]]})
        return self._of_agent(asked, rest)

    def _of_agent(self, asked: Asked, rest: list[str]) -> Answer:
        if rest[1:2] == ["shares"]:
            access = asked.body.get("access", "call") if asked.method == "PUT" else None
            for subject in asked.body["subjects"] if access else unquote(rest[2]).split(","):
                self.shares.pop(subject, None)
                self.shares |= {subject: access} if access else {}
            items = [{"subject": name, "access": what} for name, what in sorted(self.shares.items())]
            return Answer({"items": items, "ended": self.ended if access is None else []})
        if asked.method == "PATCH":
            return Answer(self.agents[rest[0]] | {"full_name": f"ada/{asked.body.get('name', rest[0])}"})
        if asked.method == "DELETE":
            del self.agents[rest[0]]
            return Answer(b"", 204)
        return Answer(self.agents[rest[0]])

    def _logs(self, asked: Asked, rest: list[str]) -> Answer:
        if not rest:
            return Answer({"items": [answer(LogInfo, **one) for one in self.lines], "next": None})
        if not self.streamed:
            return error(404, "agent_not_found", "there is no agent")
        told, self.streamed = self.streamed, []
        shown = [(kind, answer(LogInfo, **data) if kind == "line" else data) for kind, data in told]
        return events("".join(f"event: {kind}\ndata: {json.dumps(data)}\n\n" for kind, data in shown), cut=True)

    def _groups(self, asked: Asked, rest: list[str]) -> Answer:
        if not rest and asked.method == "GET":
            groups = [answer(GroupInfo, name=name, members=members) for name, members in self.groups.items()]
            return Answer({"items": groups, "next": None})
        name = rest[0] if rest else asked.body["name"]
        if rest[1:] or asked.method == "POST":
            members = self.groups.setdefault(name, [])
            if rest[1:]:
                (members.append if asked.method == "PUT" else members.remove)(rest[2])
            return Answer(answer(GroupInfo, name=name, members=members))
        return Answer(answer(GroupInfo, name=name, members=self.groups.pop(name), ended=self.ended))

    def _tokens(self, asked: Asked, rest: list[str]) -> Answer:
        if not rest[0].startswith(("k", "tok_")):
            return error(404, "token_not_found", f"there is no token '{rest[0]}'")
        if rest[1:] == ["rotate"]:
            made = {"id": "tok_new", "agent": "ada/hello", "name": "box", "lineage": rest[0], "expires_at": AT}
            retired = self.retired or {rest[0]: AT}
            replaced = {"replaces": list(retired), "replaces_at": list(retired.values())}
            return Answer(answer(NewToken, **made, **replaced, token="eyJ.n-e_w.d"), 201)
        return Answer(answer(RevokedToken, id=rest[0], status="revoked", ended=self.revoked or [rest[0]]))

    def _keys(self, asked: Asked, rest: list[str]) -> Answer:
        if asked.method == "POST":
            ends = AT if "expires_in" in asked.body else None
            said = {"user": asked.body.get("user", "ada"), "scopes": asked.body.get("scopes", ["*"])}
            return Answer(answer(NewApiKey, id="key_9", key="atlas_new", expires_at=ends, **said), 201)
        if asked.method == "DELETE":
            return Answer(answer(ApiKeyInfo, id=rest[0], revoked_at=AT))
        return Answer({"items": [answer(ApiKeyInfo, **one) for one in self.keys]})

    def _signing(self, asked: Asked, rest: list[str]) -> Answer:
        old = {"id": "kid_old", "signs": False, "created_at": AT, "retires_at": AT}
        old |= {"tokens": 3, "connected": 1, "agents": ["ada/courier", "ada/scout"]}
        if asked.method == "DELETE" and rest[0] != old["id"]:
            return error(409, "key_in_use", "this key signs")
        if asked.method == "DELETE":
            return Answer(answer(SigningKeyInfo, **old))
        signs = {"id": "kid_new", "signs": True, "created_at": AT}
        return Answer({"items": [answer(SigningKeyInfo, **one) for one in (signs, old)]})

    def _tasks(self, asked: Asked, rest: list[str]) -> Answer:
        running = {"id": "t1", "agent": "ada/hello", "skill": "greet", "created_at": AT, "state": "working"}
        done = running | {"ended_at": "2026-11-22T19:29:10.000Z", "input": {"name": "Ada"}} | self.task
        if rest[1:] == ["events"] and self.beginning:
            text, self.beginning = self.beginning, ""
            return events(text, cut=True)
        if rest[1:] == ["events"]:
            return events(self.stream)
        if rest[1:] == ["input"]:
            return self.answers or Answer(answer(TaskInfo, **done | {"questions": [], "state": "working"}))
        if rest[1:] == ["retry"]:
            return Answer(answer(TaskInfo, **running | {"id": "t2", "retry_of": "t1"}), 201)
        if not rest and asked.method == "GET":
            return self._listed(asked, done)
        if not rest and asked.body["agent"] == "globe":
            return error(404, "agent_not_found", "there is no agent `globe`")
        if not rest:
            return Answer(answer(TaskInfo, **running | self.task_note()), 201)
        return Answer(answer(TaskInfo, **done))

    def _listed(self, asked: Asked, done: dict[str, Any]) -> Answer:
        fitting = [one for one in self.ids or ["t1"] if one.startswith(asked.query.get("prefix", ""))]
        start, limit = int(asked.query.get("after", 0)), int(asked.query["limit"])
        items = [answer(TaskSummary, **done | {"id": one}) for one in fitting[start : start + limit]]
        return Answer({"items": items, "next": str(start + limit) if len(fitting) > start + limit else None})

    def task_note(self) -> dict[str, Any]:
        return {"note": self.task["note"]} if "note" in self.task else {}

    def _backups(self, asked: Asked, rest: list[str]) -> Answer:
        path = self.backup or Path("/nowhere/backups/atlas-1.tar")
        size = path.stat().st_size if self.backup else 1_000_000
        return Answer({"name": path.name, "path": str(path), "size": size, "made_at": AT, "sha256": None}, 201)

    def _whoami(self, asked: Asked, rest: list[str]) -> Answer:
        user, api_key = {"name": "ada", "role": self.role}, {"id": "a1", "name": "laptop"}
        return Answer(answer(WhoAmI, user=user, api_key=api_key, network="home", version="0.1.0", **self.where))
