"""People log in over HTTP: with a password, by cookies that no other site can use, and by links that are good once."""

from __future__ import annotations

import asyncio
import html
import re
from pathlib import Path

import httpx
import pyotp
import pytest

from agentic_atlas.backend.engine.guesses import TRIES
from agentic_atlas.backend.engine.logins import WRONG_PER_MINUTE
from agentic_atlas.compose.sources import wall
from tests.integration.api.network import Ahead, Api, api, client_of
from tests.integration.api.test_rights import statements

PASSWORD = "tall trees by the sea"
ADA = {"name": "ada", "password": PASSWORD}
PAGE = {"Origin": "http://atlas", "Sec-Fetch-Site": "same-origin"}


async def invited(atlas: Api, name: str = "ada", role: str = "member") -> str:
    """Return the secret of an invitation."""
    made = await atlas.admin.post("/api/v1/invitations", json={"user": name, "role": role})
    assert made.status_code == 201, made.text
    address, _, secret = str(made.json()["link"]).partition("#invitation=")
    assert address == "http://atlas/login"
    return secret


async def joined(atlas: Api, name: str = "ada", role: str = "member") -> None:
    """Make a user with a password."""
    secret = await invited(atlas, name, role)
    body = {"secret": secret, "password": PASSWORD}
    assert (await atlas.anonymous.post("/api/v1/invitations/accept", json=body)).status_code == 200


def page_of(atlas: Api) -> httpx.AsyncClient:
    """Return a browser's page of this network."""
    page = client_of(atlas.anonymous)
    page.headers.update(PAGE)
    return page


async def logged_in(atlas: Api, name: str = "ada") -> httpx.AsyncClient:
    page = page_of(atlas)
    answer = await page.post("/api/v1/session", json=ADA | {"name": name})
    assert answer.status_code == 201, answer.text
    return page


async def test_an_invitation_is_shown_and_accepted_once(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        secret = await invited(atlas)
        listed = (await atlas.admin.get("/api/v1/invitations")).json()["items"]
        shown = await atlas.anonymous.post("/api/v1/invitations/show", json={"secret": secret})
        assert shown.json() == listed[0]
        assert (shown.json()["user"], secret in shown.text) == ("ada", False)
        weak = await atlas.anonymous.post("/api/v1/invitations/accept", json={"secret": secret, "password": "short"})
        assert (weak.status_code, weak.json()["error"]["code"]) == (422, "weak_password")
        body = {"secret": secret, "password": PASSWORD}
        accepted = await atlas.anonymous.post("/api/v1/invitations/accept", json=body)
        assert (accepted.status_code, accepted.json()["name"]) == (200, "ada")
        again = await atlas.anonymous.post("/api/v1/invitations/accept", json=body)
        assert (again.status_code, again.json()["error"]["code"]) == (404, "invitation_not_found")
        revoked = (await atlas.admin.post("/api/v1/invitations", json={"user": "eve"})).json()
        assert (await atlas.admin.delete(f"/api/v1/invitations/{revoked['id']}")).status_code == 204
        assert (await atlas.admin.get("/api/v1/invitations")).json()["items"] == []


async def test_who_logs_in_acts_by_a_cookie_that_scripts_and_other_sites_do_not_see(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await joined(atlas)
        page = page_of(atlas)
        answer = await page.post("/api/v1/session", json=ADA)
        assert (answer.status_code, answer.json()["user"], answer.json()["current"]) == (201, "ada", True)
        session, device = answer.headers.get_list("set-cookie")
        assert session.startswith("atlas_session=atlas_session_")
        assert session.endswith("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax")
        assert device.startswith("atlas_device=atlas_device_")
        assert (await page.get("/api/v1/session")).json() == answer.json()
        me = (await page.get("/api/v1/whoami")).json()
        assert (me["user"]["name"], me["api_key"], me["session"]["id"]) == ("ada", None, answer.json()["id"])
        assert (await page.post("/api/v1/agents", json={"name": "hello"})).status_code == 201
        assert (await page.delete("/api/v1/session")).status_code == 204
        assert "atlas_session" not in page.cookies
        page.cookies.set("atlas_session", session.partition("=")[2].partition(";")[0])
        gone = await page.get("/api/v1/session")
        assert (gone.status_code, gone.json()["error"]["code"]) == (401, "session_invalid")


@pytest.mark.parametrize(
    ("base", "headers", "secure"),
    [
        ("http://atlas", {"Origin": "http://atlas"}, False),
        ("http://atlas", {}, False),
        ("http://atlas.example.org", {"Origin": "https://atlas.example.org"}, True),
        ("http://atlas.example.org", {}, True),
    ],
)
async def test_behind_tls_no_other_host_can_set_the_cookie(
    tmp_path: Path, base: str, headers: dict[str, str], secure: bool
) -> None:
    async with api(tmp_path, public_url="https://atlas.example.org") as atlas:
        secret = (await atlas.admin.post("/api/v1/invitations", json={"user": "ada"})).json()["link"]
        assert secret.startswith("https://atlas.example.org/login#invitation=")
        body = {"secret": secret.partition("=")[2], "password": PASSWORD}
        await atlas.anonymous.post("/api/v1/invitations/accept", json=body)
        answer = await atlas.anonymous.post(f"{base}/api/v1/session", json=ADA, headers=headers)
        for cookie in answer.headers.get_list("set-cookie"):
            assert cookie.startswith("__Host-atlas_") is secure
            assert cookie.endswith("; Secure") is secure
        value = answer.headers.get_list("set-cookie")[0].partition("=")[2].partition(";")[0]
        for name, known in (("__Host-atlas_session", True), ("atlas_session", not secure)):
            asked = await atlas.anonymous.get(f"{base}/api/v1/session", headers={"Cookie": f"{name}={value}"} | headers)
            assert asked.status_code == (200 if known else 401), name
        twice = {"Cookie": f"__Host-atlas_session={value}; __Host-atlas_session={value}"}
        assert (await atlas.anonymous.get(f"{base}/api/v1/session", headers=twice)).status_code == 401


CROSS = [
    {},
    {"Origin": "http://evil.example.org"},
    {"Origin": "null"},
    {"Origin": "http://atlas:3000"},
    {"Origin": "http://atlas", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
]


async def test_in_a_session_nothing_is_changed_by_a_page_that_is_not_ours(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await joined(atlas, role="admin")
        page = await logged_in(atlas)
        document = (await atlas.anonymous.get("/api/v1/openapi.json")).json()
        changing = [
            (method.upper(), path)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if method != "get" and "security" not in operation
        ]
        assert len(changing) > 20
        page.headers.pop("Origin")
        page.headers.pop("Sec-Fetch-Site")
        for method, path in changing:
            for headers in CROSS:
                answer = await page.request(method, path.replace("{", "").replace("}", ""), json={}, headers=headers)
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site"), (path, headers)
        for headers in CROSS[:4]:
            assert (await page.post("/api/v1/session", json=ADA, headers=headers)).status_code in (201, 403)
        assert (await page.get("/api/v1/session")).status_code == 200


async def test_in_a_session_nothing_is_read_by_a_page_that_is_not_ours_and_links_are_followed(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await joined(atlas)
        page = await logged_in(atlas)
        for headers, status in (
            ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
            ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Origin": "http://atlas:3000"}, 403),
            ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
            ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
        ):
            answer = await page.get("/api/v1/tasks", headers=headers)
            assert answer.status_code == status, headers
            assert "access-control-allow-origin" not in answer.headers
        followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        page.headers.pop("Origin")
        assert (await page.get("/api/v1/session", headers=followed)).status_code == 200
        preflight = {"Origin": "http://evil.example.org", "Access-Control-Request-Method": "POST"}
        answer = await page.request("OPTIONS", "/api/v1/tasks", headers=preflight)
        assert answer.status_code == 405
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_an_api_key_in_a_cookie_and_a_session_in_the_header_are_nothing(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await joined(atlas)
        page = await logged_in(atlas)
        session = page.cookies["atlas_session"]
        key = str(atlas.admin.headers["Authorization"]).removeprefix("Bearer ")
        swapped = await atlas.with_key(session).get("/api/v1/whoami")
        assert (swapped.status_code, swapped.json()["error"]["code"]) == (401, "key_invalid")
        cookie = {"Cookie": f"atlas_session={key}"}
        assert (await atlas.anonymous.get("/api/v1/whoami", headers=cookie)).status_code == 401
        both = await page.get("/api/v1/whoami", headers={"Authorization": f"Bearer {key}"})
        assert both.json()["user"]["name"] == "admin"


async def test_a_wrong_name_and_a_wrong_password_are_one_answer_and_run_out_alike(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await joined(atlas)
        for path, more in (("/api/v1/session", {}), ("/api/v1/session/key", {"host": "laptop"})):
            answers = set()
            for name in ("ada", "nobody"):
                asked = {"name": name, "password": "wrong"} | more
                answer = await atlas.anonymous.post(path, json=asked)
                answers.add((answer.status_code, answer.text, answer.headers.get("set-cookie")))
            assert len(answers) == 1
            assert answers.pop()[0] == 401
        for name in ("ada", "nobody"):
            for _ in range(TRIES - 2):
                await atlas.anonymous.post("/api/v1/session", json={"name": name, "password": "wrong"})
            answer = await atlas.anonymous.post("/api/v1/session", json={"name": name, "password": PASSWORD})
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_logins")
            assert int(answer.headers["retry-after"]) > 600


async def test_the_work_for_a_name_that_is_there_is_that_for_one_that_is_not(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await joined(atlas)
        await atlas.admin.post("/api/v1/users", json={"name": "keys-only"})
        device = {"Cookie": "atlas_device=atlas_device_x"}
        for headers in ({}, device):
            made = []
            for name in ("ada", "nobody", "keys-only"):
                with statements() as put:
                    said = {"name": name, "password": "wrong"}
                    await atlas.anonymous.post("/api/v1/session", json=said, headers=headers)
                made.append(put)
            assert len(made[0]) >= 2
            assert made[0] == made[1] == made[2]


async def test_a_machine_gets_an_api_key_for_name_and_password(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await joined(atlas)
        made = await atlas.anonymous.post("/api/v1/session/key", json=ADA | {"host": "laptop"})
        assert made.status_code == 201
        me = (await atlas.with_key(made.json()["key"]).get("/api/v1/whoami")).json()
        assert (me["user"]["name"], me["api_key"]["name"]) == ("ada", "atlas login on laptop")


async def test_sessions_are_listed_and_ended_by_their_user_and_by_administrators(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await joined(atlas)
        pages = [await logged_in(atlas) for _ in range(4)]
        listed = (await pages[0].get("/api/v1/sessions")).json()["items"]
        assert [one["current"] for one in listed].count(True) == 1
        assert len(listed) == 4
        mine = (await pages[1].get("/api/v1/session")).json()["id"]
        assert (await pages[0].delete(f"/api/v1/sessions/{mine}")).status_code == 204
        assert (await pages[0].delete(f"/api/v1/sessions/{mine}")).status_code == 404
        assert (await pages[1].get("/api/v1/session")).status_code == 401
        assert (await pages[0].delete("/api/v1/sessions")).json() == {"sessions": 2, "keys": 0}
        assert (await atlas.admin.get("/api/v1/users/ada/sessions")).json()["items"][0]["user"] == "ada"
        assert (await atlas.admin.delete("/api/v1/users/ada/sessions")).json() == {"sessions": 1, "keys": 0}
        assert (await pages[0].get("/api/v1/session")).status_code == 401


async def test_a_session_ends_by_itself_when_it_is_not_used(tmp_path: Path) -> None:
    clock = Ahead(wall)
    async with api(tmp_path, clock=clock) as atlas:
        await joined(atlas)
        page = await logged_in(atlas)
        clock.seconds = 8 * 86_400
        assert (await page.get("/api/v1/session")).status_code == 401


async def test_who_is_disabled_or_removed_is_logged_out_at_once(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await joined(atlas)
        page = await logged_in(atlas)
        await atlas.admin.patch("/api/v1/users/ada", json={"disabled": True})
        assert (await page.get("/api/v1/session")).status_code == 401
        assert (await page.post("/api/v1/session", json=ADA)).json()["error"]["code"] == "login_failed"
        await atlas.admin.patch("/api/v1/users/ada", json={"disabled": False})
        page = await logged_in(atlas)
        assert (await atlas.admin.delete("/api/v1/users/ada")).status_code == 204
        assert (await page.get("/api/v1/session")).status_code == 401
        assert (await atlas.admin.get("/api/v1/users/ada/sessions")).status_code == 404


async def test_a_password_that_is_changed_while_it_is_looked_at_lets_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with api(tmp_path) as atlas:
        await joined(atlas)
        page = await logged_in(atlas)
        passwords = atlas.engine.people.passwords
        check, right, changed = passwords.check, asyncio.Queue[bool](), asyncio.Event()

        async def looked_at(password: str, kept: str, *, known: bool) -> tuple[bool, str | None]:
            found = await check(password, kept, known=known)
            right.put_nowait(found[0])
            await changed.wait()
            return found

        ways = (("/api/v1/session", ADA), ("/api/v1/session/key", ADA | {"host": "laptop"}))
        with monkeypatch.context() as held:
            held.setattr(passwords, "check", looked_at)
            coming = [asyncio.create_task(atlas.anonymous.post(path, json=said)) for path, said in ways]
            assert [await right.get() for _ in ways] == [True, True]
        new = {"current": PASSWORD, "new": "small birds on a wire"}
        assert (await page.put("/api/v1/users/me/password", json=new)).status_code == 200
        changed.set()
        for answer in await asyncio.gather(*coming):
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "login_failed")
        assert len((await page.get("/api/v1/sessions")).json()["items"]) == 1
        assert (await page.get("/api/v1/api-keys")).json()["items"] == []


async def test_one_s_own_password_and_one_time_passwords(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await joined(atlas)
        page, other = await logged_in(atlas), await logged_in(atlas)
        new = {"current": PASSWORD, "new": "small birds on a wire"}
        assert (await page.put("/api/v1/users/me/password", json=new | {"current": "x"})).status_code == 401
        assert (await page.put("/api/v1/users/me/password", json=new)).json() == {"sessions": 1, "keys": 0}
        assert (await other.get("/api/v1/session")).status_code == 401
        password = {"password": new["new"]}
        made = (await page.post("/api/v1/users/me/totp", json=password)).json()
        code = pyotp.parse_uri(made["uri"]).now()
        codes = (await page.post("/api/v1/users/me/totp/confirm", json={"code": code})).json()["codes"]
        me = (await page.get("/api/v1/users/me")).json()
        assert (me["user"]["name"], me["recovery_codes"]) == ("ada", len(codes))
        assert me["totp_at"] and me["password_at"]
        needed = await atlas.anonymous.post("/api/v1/session", json={"name": "ada", **password})
        assert (needed.status_code, needed.json()["error"]["code"]) == (401, "code_required")
        replayed = await atlas.anonymous.post("/api/v1/session", json={"name": "ada", **password, "code": code})
        assert replayed.json()["error"]["code"] == "login_failed"
        recovered = await atlas.anonymous.post("/api/v1/session", json={"name": "ada", **password, "code": codes[0]})
        assert recovered.status_code == 201
        assert (await page.request("DELETE", "/api/v1/users/me/totp", json=password)).status_code == 204
        assert (await atlas.admin.delete("/api/v1/users/ada/totp")).json()["name"] == "ada"
        assert (await page.get("/api/v1/users/me")).json()["totp_at"] is None


async def test_the_page_says_who_is_logged_in_and_to_pages_of_others_nobody(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await joined(atlas)
        page = await logged_in(atlas)
        told = '<strong id="who">ada</strong>'
        assert told in (await page.get("/login")).text
        followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert told in (await page.get("/login", headers=followed)).text
        for nobody in (
            page.get("/login", headers=followed | {"Sec-Fetch-Mode": "cors"}),
            atlas.anonymous.get("/login"),
        ):
            assert 'id="who"' not in (await nobody).text
        await page.delete("/api/v1/session")
        assert 'id="who"' not in (await page.get("/login")).text


async def test_a_browser_approves_a_machine_as_a_command_does(tmp_path: Path) -> None:
    clock = Ahead(wall)
    async with api(tmp_path, clock=clock) as atlas:
        await joined(atlas)
        await joined(atlas, "root", "admin")
        ada, root = await logged_in(atlas), await logged_in(atlas, "root")
        for page in (ada, root):
            page.headers["Accept"] = "text/html"
            page.headers["Content-Type"] = "application/x-www-form-urlencoded"
        # Who administers has to have logged in a moment ago; the code stays, to be approved then.
        clock.seconds = 601
        code = (await atlas.anonymous.post("/api/v1/login-codes", json={"host": "box"})).json()["user_code"]
        late = await root.post("/login/code/approve", content=f"user_code={code}")
        assert (late.status_code, f'value="{code}"' in late.text) == (403, True)
        assert 'action="/logout?next=%2Flogin%2Fcode"' in late.text
        done = await ada.post("/login/code/approve", content=f"user_code={code}")
        assert (done.status_code, "box is let in" in done.text) == (200, True)
        wrong = [await ada.post("/login/code", content="user_code=BBBB-BBBB") for _ in range(WRONG_PER_MINUTE + 1)]
        assert [one.status_code for one in wrong] == [404] * WRONG_PER_MINUTE + [429]
        assert ("too many wrong codes" in wrong[-1].text, 'value="BBBB-BBBB"' in wrong[-1].text) == (True, True)


LONG = "x" * 5_000
FORMS = {
    "/settings/keys/new": ({"name": LONG, "only": "ada/books", "scopes": "tasks:call"}, "name"),
    "/settings/invitations": ({"user": LONG}, "user"),
    "/login/code": ({"user_code": LONG}, "user_code"),
    "/agents/token": ({"agent": "books", "name": LONG, "description": "for the <attic>"}, "name"),
    "/agents/root/books/settings": ({"name": "books", "description": LONG + "<b>"}, "description"),
    "/agents/root/books/shares": ({"subjects": LONG}, "subjects"),
}


@pytest.mark.parametrize("path", FORMS)
async def test_what_is_too_long_for_a_form_is_said_at_its_field_and_stays_as_it_was_typed(
    tmp_path: Path, path: str
) -> None:
    async with api(tmp_path) as atlas:
        await joined(atlas, "root", "admin")
        root = await logged_in(atlas, "root")
        await root.post("/api/v1/agents", json={"name": "books"})
        root.headers["Accept"] = "text/html"
        said, field = FORMS[path]
        answer = await root.post(path, data=said, headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status_code == 422
        named = re.search(rf'<(input|textarea)[^>]* name="{field}"[^>]*>', answer.text)
        assert named is not None
        assert 'aria-invalid="true"' in named[0]
        assert re.search(rf'id="about-{field}" class="fault">It has to have a length of at most', answer.text)
        shown = html.unescape(answer.text)
        assert [text for text in said.values() if text not in shown] == []
