"""Who may do what; what is not theirs does not exist for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, event

from tests.integration.api.network import GREET, api

OPEN = {
    ("GET", "/"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/api/v1/login-codes"),
    ("POST", "/api/v1/login-codes/token"),
    ("POST", "/api/v1/session"),
    ("POST", "/api/v1/session/key"),
    ("GET", "/login/oidc"),
    ("GET", "/login/oidc/callback"),
    ("POST", "/api/v1/invitations/show"),
    ("POST", "/api/v1/invitations/accept"),
}
"""What needs no key."""


def operations(document: dict[str, dict[str, dict[str, object]]]) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]


def filled(path: str, **names: str) -> str:
    for name, value in (
        {"name": "secret", "owner": "ada", "task_id": "tsk_x", "token_id": "t", "key_id": "k", "session_id": "s"}
        | names
    ).items():
        path = path.replace("{" + name + "}", value)
    return path


async def test_every_operation_refuses_whoever_has_no_valid_key_in_one_shape(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        document = (await atlas.anonymous.get("/api/v1/openapi.json")).json()
        told = {one for one in operations(document) if "security" in document["paths"][one[1]][one[0].lower()]}
        assert told == OPEN
        guarded = [one for one in operations(document) if one not in OPEN]
        assert len(guarded) > 25
        for method, path in guarded:
            for headers in (
                {},
                {"Authorization": "Bearer atlas_" + "x" * 43},
                {"Authorization": "Basic YTpi"},
                {"Authorization": "Bearer a b"},
            ):
                answer = await atlas.anonymous.request(method, filled(path), headers=headers, json={})
                assert answer.status_code == 401, (method, path)
                assert set(answer.json()["error"]) == {"code", "message", "detail"}


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "this needs an API key"),
        ({"Authorization": "KEY"}, "the Authorization header is not the word Bearer, a space and one token"),
        ({"Authorization": "Bearer"}, "the Authorization header has no token"),
        ({"Authorization": "Bearer " + "x" * 5000}, "the Authorization header is longer than"),
    ],
)
async def test_a_key_that_is_not_where_it_belongs_is_told_where_and_nothing_of_tokens(
    tmp_path: Path, headers: dict[str, str], says: str
) -> None:
    async with api(tmp_path) as atlas:
        key = str(atlas.admin.headers["Authorization"]).removeprefix("Bearer ")
        said = {name: value.replace("KEY", key) for name, value in headers.items()}
        answer = await atlas.anonymous.get("/api/v1/agents", headers=said)
        assert answer.status_code == 401
        message = answer.json()["error"]["message"]
        assert message.startswith(says)
        assert message.endswith(": send it as `Authorization: Bearer atlas_…`")
        assert key not in answer.text
        assert "atlas tokens" not in message


async def test_one_members_things_do_not_exist_for_another(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        ada, eve = await atlas.member("ada"), await atlas.member("eve")
        await ada.post("/api/v1/agents", json={"name": "secret"})
        agent_id = await atlas.connect(ada, "secret", GREET)
        token = (await ada.get("/api/v1/agents/secret/tokens")).json()["items"][0]["id"]
        task = (
            await ada.post("/api/v1/tasks", json={"agent": "secret", "skill": "greet", "input": {"name": "x"}})
        ).json()
        key = (await ada.get("/api/v1/api-keys")).json()["items"][0]["id"]
        document = (await atlas.anonymous.get("/api/v1/openapi.json")).json()
        for method, path in operations(document):
            if "{" not in path or path.split("/")[3] in ("users", "invitations", "groups", "signing-keys"):
                continue  # administrators', who see all there is
            mine = filled(path, task_id=task["id"], token_id=token, key_id=key)
            none = filled(path, name="nothing", task_id="tsk_none", token_id="tok_none", key_id="key_none")
            body = {"subjects": ["eve"]} if path.endswith("/shares") else {}
            seen, absent = [await eve.request(method, url, json=body) for url in (mine, none)]
            assert (seen.status_code, absent.status_code) == (404, 404), (method, mine, seen.text)
            assert seen.json()["error"]["code"] == absent.json()["error"]["code"]
        call = {"agent": "ada/secret", "skill": "greet", "input": {"name": "x"}}
        assert (await eve.post("/api/v1/tasks", json=call)).status_code == 404
        assert (await eve.get("/api/v1/tasks")).json()["items"] == []
        assert (await eve.get("/api/v1/agents")).json()["items"] == []
        assert atlas.router.closed == []
        assert atlas.engine.credit.online(agent_id) == 1
        shown = await atlas.admin.get("/api/v1/agents/ada/secret")
        assert shown.json()["full_name"] == "ada/secret"


async def test_neither_the_answer_nor_the_work_for_it_tells_whether_anothers_agent_exists(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        ada, eve = await atlas.member("ada"), await atlas.member("eve")
        for name in ("known", "unknown"):
            await ada.post("/api/v1/agents", json={"name": name})
        await atlas.connect(ada, "known", GREET, instance="ins_1")
        token = (await ada.get("/api/v1/agents/known/tokens")).json()["items"][0]["id"]
        task = {"agent": "known", "skill": "greet", "input": {"name": "x"}}
        task_id = (await ada.post("/api/v1/tasks", json=task)).json()["id"]
        asked = [
            ("GET", "/api/v1/agents/{}", None, ("ada/known", "ada/unknown", "ada/nothing")),
            ("PATCH", "/api/v1/agents/{}", {}, ("ada/known", "ada/unknown", "ada/nothing", "nobody/known")),
            ("GET", "/api/v1/agents/{}/tokens", None, ("ada/known", "ada/unknown", "ada/nothing")),
            ("POST", "/api/v1/agents/{}/tokens", {}, ("ada/known", "ada/unknown", "ada/nothing")),
            ("GET", "/api/v1/tasks?agent={}", None, ("ada/known", "ada/unknown", "ada/nothing")),
            ("POST", "/api/v1/tasks", task, ("ada/known", "ada/unknown", "ada/nothing")),
            ("GET", "/api/v1/tasks/{}", None, (task_id, "tsk_nothing")),
            ("GET", "/api/v1/tasks/{}/events", None, (task_id, "tsk_nothing")),
            ("POST", "/api/v1/tasks/{}/cancel", {}, (task_id, "tsk_nothing")),
            ("POST", "/api/v1/tasks/{}/retry", None, (task_id, "tsk_nothing")),
            ("DELETE", "/api/v1/agents/{}", None, ("ada/known", "ada/unknown", "ada/nothing")),
            ("GET", "/api/v1/backups?{}", None, ("a=1", "b=1")),
            ("POST", "/api/v1/tasks/{}/input", {"answer": 1}, (task_id, "tsk_nothing")),
            ("DELETE", "/api/v1/tokens/{}", None, (token, "tok_nothing")),
        ]
        await eve.get("/api/v1/whoami")
        for method, path, body, names in asked:
            seen = set()
            for name in names:
                named = body | {"agent": name} if body and "agent" in body else body
                with statements() as made:
                    answer = await eve.request(method, path.format(name), json=named)
                seen.add((answer.status_code, answer.text.replace(name, "…"), tuple(made)))
            assert len(seen) == 1, (method, path, seen)


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect the statements that are put to a database meanwhile."""
    made: list[str] = []

    def put(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        made.append(statement)

    event.listen(Engine, "before_cursor_execute", put)
    try:
        yield made
    finally:
        event.remove(Engine, "before_cursor_execute", put)


async def test_whoever_waits_for_a_task_has_its_payloads_read_at_the_end_and_not_before(tmp_path: Path) -> None:
    file = tmp_path / "atlas.sqlite3"
    async with api(tmp_path, database=file) as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "work"})
        await atlas.connect(atlas.admin, "work", GREET)
        asked = {"agent": "work", "skill": "greet", "input": {"name": "x"}}
        task = (await atlas.admin.post("/api/v1/tasks", json=asked)).json()["id"]
        key = atlas.admin.headers["Authorization"]
    async with api(tmp_path, database=file) as atlas:
        atlas.anonymous.headers["Authorization"] = key
        with statements() as made:
            answer = await atlas.anonymous.get(f"/api/v1/tasks/{task}", params={"wait": 0.05})
        assert answer.json()["input"] == {"name": "x"}
        # That it is open is known without the store.
        assert ["tasks.input," in one for one in made if "FROM tasks" in one] == [True]


async def test_members_do_not_administer(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        ada = await atlas.member("ada")
        for answer in (
            await ada.get("/api/v1/users"),
            await ada.post("/api/v1/users", json={"name": "bob"}),
            await ada.patch("/api/v1/users/ada", json={"role": "admin"}),
            await ada.post("/api/v1/api-keys", json={"user": "admin"}),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


async def test_a_key_with_a_scope_does_what_that_says_and_is_told_what_it_lacks_for_all_else(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "work"})
        await atlas.connect(atlas.admin, "work", GREET)
        asked = {"agent": "work", "skill": "greet", "input": {"name": "x"}}
        made = await atlas.admin.post("/api/v1/api-keys", json={"name": "cron", "scopes": ["tasks:write"]})
        assert (made.status_code, made.json()["scopes"]) == (201, ["tasks:write"])
        narrow = atlas.with_key(made.json()["key"])
        task = (await narrow.post("/api/v1/tasks", json=asked)).json()["id"]
        assert (await narrow.get(f"/api/v1/tasks/{task}")).json()["input"] == {"name": "x"}
        assert (await narrow.get("/api/v1/whoami")).json()["api_key"]["scopes"] == ["tasks:write"]
        for method, path, body, lacks in (
            ("GET", "/api/v1/agents", None, "agents:read"),
            ("POST", "/api/v1/agents/work/tokens", {}, "tokens:write"),
            ("GET", "/api/v1/users", None, "users:admin"),
            ("GET", "/api/v1/api-keys", None, "*"),
            ("POST", "/api/v1/api-keys", {"scopes": ["tasks:write"]}, "*"),
            ("POST", "/api/v1/backups", None, "*"),
        ):
            error = (await narrow.request(method, path, json=body)).json()["error"]
            assert error["code"] == "insufficient_scope", path
            assert error["message"].partition(";")[0].endswith(f"it lacks the scope {lacks}")
        assert (await narrow.delete(f"/api/v1/api-keys/{made.json()['id']}")).status_code == 200
        assert (await narrow.get("/api/v1/whoami")).status_code == 401


async def test_an_administrators_narrow_key_makes_no_key_that_is_good_for_more(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await atlas.member("ada")
        narrow = atlas.with_key(
            (await atlas.admin.post("/api/v1/api-keys", json={"scopes": ["users:admin"]})).json()["key"]
        )
        refusal = await narrow.post("/api/v1/api-keys", json={"user": "ada", "scopes": ["*"]})
        assert (refusal.status_code, refusal.json()["error"]["code"]) == (403, "insufficient_scope")
        adas = (await narrow.post("/api/v1/api-keys", json={"user": "ada"})).json()
        assert (adas["user"], adas["scopes"]) == ("ada", ["users:admin"])
        assert (await atlas.with_key(adas["key"]).get("/api/v1/tasks")).status_code == 403


async def test_a_narrow_key_makes_no_administrator_and_changes_the_account_of_none(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await atlas.member("ada")
        await atlas.admin.post("/api/v1/users", json={"name": "root", "role": "admin"})
        narrow = atlas.with_key(
            (await atlas.admin.post("/api/v1/api-keys", json={"scopes": ["users:admin"]})).json()["key"]
        )
        for method, path, body in (
            ("POST", "/api/v1/users", {"name": "eve", "role": "admin"}),
            ("PATCH", "/api/v1/users/ada", {"role": "admin"}),
            ("PATCH", "/api/v1/users/root", {"role": "member"}),
            ("PATCH", "/api/v1/users/root", {"disabled": True}),
            ("DELETE", "/api/v1/users/root", None),
            ("DELETE", "/api/v1/users/root/sessions", None),
            ("DELETE", "/api/v1/users/root/totp", None),
            ("POST", "/api/v1/invitations", {"user": "eve", "role": "admin"}),
            ("POST", "/api/v1/invitations", {"user": "root"}),
            ("POST", "/api/v1/invitations", {"user": "admin"}),
            ("POST", "/api/v1/api-keys", {"user": "root"}),
        ):
            answer = await narrow.request(method, path, json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "insufficient_scope"), (path, body)
            assert answer.json()["error"]["message"].partition(";")[0].endswith("it lacks the scope *")
        users = (await atlas.admin.get("/api/v1/users")).json()["items"]
        assert [(user["name"], user["role"]) for user in users] == [
            ("ada", "member"), ("admin", "admin"), ("root", "admin"),
        ]  # fmt: skip
        for method, path, body in (
            ("POST", "/api/v1/users", {"name": "eve"}),
            ("PATCH", "/api/v1/users/ada", {"role": "viewer"}),
            ("DELETE", "/api/v1/users/ada/sessions", None),
            ("DELETE", "/api/v1/users/eve", None),
        ):
            assert (await narrow.request(method, path, json=body)).is_success, path


async def test_a_narrow_key_sets_what_nobody_logs_in_with_for_whoever_does_that_is_them(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await atlas.member("ada")
        narrow = atlas.with_key(
            (await atlas.admin.post("/api/v1/api-keys", json={"scopes": ["users:admin"]})).json()["key"]
        )
        for method, path, body in (
            ("POST", "/api/v1/invitations", {"user": "ada"}),
            ("POST", "/api/v1/invitations", {"user": "eve"}),
            ("DELETE", "/api/v1/users/ada/totp", None),
            ("DELETE", "/api/v1/users/ada/identities/idn_none", None),
        ):
            answer = await narrow.request(method, path, json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "insufficient_scope"), (path, body)
        assert (await atlas.admin.get("/api/v1/invitations")).json()["items"] == []
        assert [user["name"] for user in (await atlas.admin.get("/api/v1/users")).json()["items"]] == ["ada", "admin"]


async def test_whoever_administers_does_not_come_by_their_own_account_as_by_anothers(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        for method, path, body, own in (
            ("POST", "/api/v1/invitations", {"user": "admin"}, "PUT /api/v1/users/me/password"),
            ("DELETE", "/api/v1/users/admin/totp", None, "DELETE /api/v1/users/me/totp"),
            ("DELETE", "/api/v1/users/admin/identities/idn_none", None, "DELETE /api/v1/users/me/identities"),
        ):
            answer = await atlas.admin.request(method, path, json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "own_account"), path
            assert own in answer.json()["error"]["message"]
        assert (await atlas.admin.get("/api/v1/invitations")).json()["items"] == []


@pytest.mark.parametrize(
    ("scopes", "code"),
    [
        *[(scopes, "invalid_input") for scopes in ([], "tasks:read", [None], ["*"] * 33, ["t" * 251])],
        *[([word], "unknown_scope") for word in ("agent:call", "tasks:*", "tasks:call:ada", "tasks:write:own")],
    ],
)
async def test_what_is_no_scope_of_a_key_is_refused(scopes: object, code: str, tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        answer = await atlas.admin.post("/api/v1/api-keys", json={"scopes": scopes})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
        assert "scope" in answer.json()["error"]["message"]


async def test_a_revoked_key_and_a_disabled_user_are_out_at_once(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        ada = await atlas.member("ada")
        second = (await ada.post("/api/v1/api-keys", json={"name": "second"})).json()
        other = atlas.with_key(second["key"])
        assert (await other.get("/api/v1/whoami")).status_code == 200
        await ada.delete(f"/api/v1/api-keys/{second['id']}")
        assert (await other.get("/api/v1/whoami")).status_code == 401
        assert (await atlas.admin.patch("/api/v1/users/ada", json={"disabled": True})).status_code == 200
        assert (await ada.get("/api/v1/whoami")).status_code == 401
        await atlas.admin.patch("/api/v1/users/ada", json={"disabled": False})
        assert (await ada.get("/api/v1/whoami")).status_code == 200


async def test_an_administrator_can_not_shut_themselves_out(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        for change in ({"disabled": True}, {"role": "member"}):
            assert (await atlas.admin.patch("/api/v1/users/admin", json=change)).status_code == 409


async def test_a_key_that_expires_is_refused_from_then_on(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        key = (await atlas.admin.post("/api/v1/api-keys", json={"expires_in": 1})).json()
        client = atlas.with_key(key["key"])
        ends = atlas.engine.clock() + 30
        # 429: a fast machine asks more often in that second than one user may.
        while (answer := await client.get("/api/v1/whoami")).status_code in (200, 429):
            assert atlas.engine.clock() < ends
        assert answer.json()["error"]["code"] == "key_expired"
        assert "atlas login URL --code" in answer.json()["error"]["message"]


async def test_secrets_are_shown_once_and_stored_as_digests(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        token = (await atlas.admin.post("/api/v1/agents/hello/tokens", json={})).json()
        key = (await atlas.admin.post("/api/v1/api-keys", json={})).json()
        for answer in (
            await atlas.admin.get("/api/v1/agents/hello/tokens"),
            await atlas.admin.get("/api/v1/agents/hello"),
            await atlas.admin.get("/api/v1/api-keys"),
            await atlas.admin.get("/api/v1/whoami"),
        ):
            assert isinstance(answer, httpx.Response)
            assert token["token"] not in answer.text
            assert key["key"] not in answer.text
        stored = await atlas.engine.store.users.keys_of((await atlas.admin.get("/api/v1/whoami")).json()["user"]["id"])
        assert all(len(one.digest) == 32 for one in stored)


async def test_a_key_is_told_by_how_it_begins_and_when_it_was_used_is_seen_at_once(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        made = (await atlas.admin.post("/api/v1/api-keys", json={})).json()
        assert (made["prefix"], made["last_used_at"]) == (made["key"][:12], None)
        user = await atlas.with_key(made["key"]).get("/api/v1/whoami")
        used = user.json()["api_key"]
        assert used["prefix"] == made["prefix"]
        assert used["last_used_at"] is not None
        for _ in range(2):  # before it is stored, and after
            listed = (await atlas.admin.get("/api/v1/api-keys")).json()["items"]
            (shown,) = [one for one in listed if one["id"] == made["id"]]
            assert shown == used
            await atlas.engine.sightings.store()
