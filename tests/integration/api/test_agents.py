from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agentic_atlas.auth import load_jwks, verify
from agentic_atlas.protocol.inside.messages import Admit, Heard, TurnAway
from agentic_atlas.protocol.messages import Hello, InstanceInfo, Resources
from tests.integration.api.network import GREET, Api, api


@asynccontextmanager
async def prepared(folder: Path) -> AsyncIterator[Api]:
    async with api(folder) as running:
        yield running


async def test_an_agents_name_is_unique_for_its_owner_only(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        ada = await atlas.member("ada")
        for owner in (atlas.admin, ada):
            assert (await owner.post("/api/v1/agents", json={"name": "hello"})).status_code == 201
        again = await ada.post("/api/v1/agents", json={"name": "hello"})
        assert (again.status_code, again.json()["error"]["code"]) == (409, "agent_exists")
        assert (await ada.get("/api/v1/agents/hello")).json()["owner"] == "ada"
        assert (await atlas.admin.get("/api/v1/agents/ada/hello")).json()["owner"] == "ada"
        names = [agent["full_name"] for agent in (await atlas.admin.get("/api/v1/agents")).json()["items"]]
        assert names == ["ada/hello", "admin/hello"]


async def test_an_agent_shows_what_it_declared_and_where_it_runs(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        await atlas.connect(atlas.admin, "hello", GREET)
        shown = (await atlas.admin.get("/api/v1/agents/hello")).json()
        assert (shown["status"], shown["instances_online"]) == ("online", 1)
        assert [skill["name"] for skill in shown["skills"]] == ["greet"]
        assert shown["skills"][0]["input_schema"]["required"] == ["name"]
        assert [(one["id"], one["online"]) for one in shown["instances"]] == [("ins_1", True)]


async def test_an_instance_is_shown_with_how_it_is_and_what_it_runs(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        await atlas.connect(atlas.admin, "hello", GREET)
        atlas.router.grant("ins_1")
        body = {"agent": "hello", "skill": "greet", "input": {"name": "Ada"}}
        task = (await atlas.admin.post("/api/v1/tasks", json=body)).json()["id"]
        (before,) = (await atlas.admin.get("/api/v1/agents/hello")).json()["instances"]
        assert [before[name] for name in ("cpu", "memory_bytes", "lag", "resources")] == [None] * 4
        more = Resources(threads=7, battery=80.0)
        atlas.router.door.say(Heard(atlas.router.there["ins_1"], 0.0, (), 0.25, 12.34, 84_000_000, more))
        (now,) = (await atlas.admin.get("/api/v1/agents/hello")).json()["instances"]
        assert (now["cpu"], now["memory_bytes"], now["lag"]) == (12.3, 84_000_000, 0.25)
        assert now["resources"] == {"threads": 7, "battery": 80.0}
        assert now["tasks"] == [{"id": task, "skill": "greet", "state": "working"}]
        made = await atlas.admin.post("/api/v1/api-keys", json={"name": "narrow", "scopes": ["agents:read"]})
        narrow = {"Authorization": f"Bearer {made.json()['key']}"}
        (seen,) = (await atlas.anonymous.get("/api/v1/agents/hello", headers=narrow)).json()["instances"]
        assert (seen["cpu"], seen["tasks"]) == (12.3, []), "a key that is not good for reading tasks"


async def test_a_token_is_verified_by_the_published_keys_alone(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        made = (
            await atlas.admin.post("/api/v1/agents/hello/tokens", json={"name": "laptop", "expires_in": 3600})
        ).json()
        keys = load_jwks((await atlas.anonymous.get("/.well-known/jwks.json")).json())
        claims = verify(made["token"], keys, network=atlas.engine.network, now=atlas.engine.clock())
        assert (claims.jti, claims.exp - claims.iat) == (made["id"], 3600)
        assert made["status"] == "active"
        revoked = (await atlas.admin.delete(f"/api/v1/tokens/{made['id']}")).json()
        assert revoked["status"] == "revoked"
        assert atlas.router.closed == [made["id"]]


async def test_a_token_is_rotated_by_whoever_may_make_one_and_is_there_for_nobody_else(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        ada, eve = await atlas.member("ada"), await atlas.member("eve")
        await ada.post("/api/v1/agents", json={"name": "hello"})
        asked = {"name": "laptop", "scopes": ["agent:call:ada/other"], "renewable": False}
        made = (await ada.post("/api/v1/agents/hello/tokens", json=asked)).json()
        assert made["scopes"] == ["agent:connect", "agent:call:ada/other"]
        there = f"/api/v1/tokens/{made['id']}/rotate"
        for one, path in ((eve, there), (ada, "/api/v1/tokens/tok_none/rotate")):
            hidden = await one.post(path, json={})
            assert (hidden.status_code, hidden.json()["error"]["code"]) == (404, "token_not_found")
        assert (await atlas.anonymous.post(there, json={})).status_code == 401
        for odd in ({"overlap": -1}, {"overlap": "1h"}, {"expires_in": 0}, {"unknown": 1}):
            assert (await ada.post(there, json=odd)).status_code == 422
        answer = await ada.post(there, json={"overlap": 0})
        rotated = answer.json()
        assert answer.status_code == 201
        assert (rotated["lineage"], rotated["name"], rotated["scopes"]) == (made["id"], "laptop", made["scopes"])
        assert atlas.router.closed == [made["id"]]
        keys = load_jwks((await atlas.anonymous.get("/.well-known/jwks.json")).json())
        claims = verify(rotated["token"], keys, network=atlas.engine.network, now=atlas.engine.clock())
        assert (claims.jti, claims.lineage) == (rotated["id"], made["id"])
        listed = (await ada.get("/api/v1/agents/hello/tokens")).json()["items"]
        assert [one["status"] for one in listed] == ["active", "rotated"]
        await ada.delete(f"/api/v1/tokens/{made['id']}")
        over = await ada.post(there, json={})
        assert (over.status_code, over.json()["error"]["code"]) == (409, "token_revoked")


async def test_disabling_and_deleting_an_agent_close_its_connections(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        agent_id = await atlas.connect(atlas.admin, "hello", GREET)
        disabled = (await atlas.admin.patch("/api/v1/agents/hello", json={"disabled": True})).json()
        assert disabled["status"] == "disabled"
        call = {"agent": "hello", "skill": "greet", "input": {"name": "x"}}
        refused = await atlas.admin.post("/api/v1/tasks", json=call)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "agent_disabled")
        assert (await atlas.admin.patch("/api/v1/agents/hello", json={"disabled": False})).json()["disabled"] is False
        assert atlas.router.readmitted == [agent_id]
        assert (await atlas.admin.delete("/api/v1/agents/hello")).status_code == 204
        assert (await atlas.admin.get("/api/v1/agents/hello")).status_code == 404
        assert atlas.router.closed == [agent_id, agent_id]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("DELETE", "/api/v1/tokens/{token}"), "token_revoked"),
        (("PATCH", "/api/v1/agents/ada/hello", {"disabled": True}), "agent_disabled"),
        (("DELETE", "/api/v1/agents/ada/hello"), "token_unknown"),
        (("PATCH", "/api/v1/users/ada", {"disabled": True}), "owner_disabled"),
    ],
)
async def test_an_agent_that_was_let_in_before_is_not_once_it_may_not_any_more(
    tmp_path: Path, change: tuple[Any, ...], code: str
) -> None:
    async with prepared(tmp_path) as atlas:
        ada = await atlas.member("ada")
        await ada.post("/api/v1/agents", json={"name": "hello"})
        agent = await atlas.connect(ada, "hello", GREET)
        token = (await ada.get("/api/v1/agents/hello/tokens")).json()["items"][0]["id"]
        identity, hello = atlas.shown(token, agent), Hello(1, InstanceInfo("ins_1"), [GREET])
        assert isinstance(await atlas.router.arrive(identity, hello), Admit)
        method, path, *body = change
        changed = await atlas.admin.request(method, path.format(token=token), json=body[0] if body else None)
        assert changed.is_success, changed.text
        refused = await atlas.router.arrive(identity, hello)
        assert isinstance(refused, TurnAway)
        assert refused.failure.code == code


async def test_errors_of_the_framework_have_the_same_shape(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        missing = await atlas.admin.get("/api/v1/nothing")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
        wrong = await atlas.admin.put("/api/v1/agents")
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
        limit = await atlas.admin.get("/api/v1/tasks?limit=100000")
        assert (limit.status_code, limit.json()["error"]["detail"][0]["path"]) == (422, "/query/limit")


async def test_the_api_describes_itself_to_people_and_programs_without_loading_anything(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        document = (await atlas.anonymous.get("/api/v1/openapi.json")).json()
        page = await atlas.anonymous.get("/docs")
        assert page.headers["content-type"].startswith("text/html")
        for path in document["paths"]:
            assert path in page.text
        for name in document["components"]["schemas"]:
            assert f'id="{name}"' in page.text
        assert "http://" not in page.text.replace("http://json-schema.org", "")
        assert "https://" not in page.text
        assert "<script" not in page.text


async def test_an_agent_is_last_seen_when_it_was_heard_and_that_is_stored_once_in_a_while(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        await atlas.connect(atlas.admin, "hello", GREET)

        async def seen() -> float:
            shown = (await atlas.admin.get("/api/v1/agents/hello")).json()
            listed = (await atlas.admin.get("/api/v1/agents")).json()["items"][0]
            ages = [atlas.engine.clock() - parsed(one["last_seen_at"]) for one in (shown, listed)]
            assert abs(ages[0] - ages[1]) < 5
            return ages[0]

        atlas.monotonic.seconds += 200.0
        await atlas.connect(atlas.admin, "hello", GREET, instance="ins_2")
        atlas.monotonic.seconds += 100.0
        assert 100 <= await seen() < 105, "of two instances the last one counts"
        await atlas.engine.sightings.store()
        for instance in ("ins_1", "ins_2"):
            await atlas.leave(instance, silent=100.0)
        assert 100 <= await seen() < 105


def parsed(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
