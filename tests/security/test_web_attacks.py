"""What other people's pages, proxies that nobody named and peers with odd names can do: nothing.

That a single session, cookie or host is treated so is shown where they are (`tests/unit/http`,
`tests/integration/api`); here it is every route that there is, and so every one that is yet to come. How long heads and
bodies may take is shown for each (`tests/integration/api/test_server.py`), and here of a real process.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest

from agentic_atlas.api import app as of_api
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import machine
from agentic_atlas.compose import logs
from agentic_atlas.compose.network import Network, network
from agentic_atlas.http.routes import Route
from agentic_atlas.platform import app as of_platform
from agentic_atlas.settings import Settings
from tests.debug_log import debug_log
from tests.e2e.processes import Platform
from tests.security.hostile import NASTY
from tests.security.test_jwt_attacks import UPGRADE, asked

ROUTES = [*of_api.ROUTES, *of_platform.ROUTES]
EVIL = "https://evil.example"
PASSWORD = "tall trees by the sea"
ADA = {"name": "ada", "password": PASSWORD}
CHANGING = [route for route in ROUTES if route.method != "GET"]
ANOTHER_SITE: dict[str, dict[str, str]] = {
    "another origin": {"Origin": EVIL},
    "no origin of a page": {"Origin": "null"},
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "another host of the site": {"Sec-Fetch-Site": "same-site"},
}


@asynccontextmanager
async def up(folder: Path, **more: object) -> AsyncIterator[tuple[Network, httpx.AsyncClient]]:
    """Have a network, and a page of its own in which ada is logged in, who administers it."""
    settings = Settings(data_dir=folder, http_port=0, router_port=0, drain=0.0, **more)  # type: ignore[arg-type]  # a test's
    async with network(settings, debug_log()) as one:
        await machine.bootstrap(one.engine, "ada")
        secret = await machine.first_login(one.engine, "ada")
        url = one.addresses.api_url
        async with httpx.AsyncClient(base_url=url, trust_env=False) as page:
            await page.post("/api/v1/invitations/accept", json={"secret": secret, "password": PASSWORD})
            assert (await page.post("/api/v1/session", json=ADA, headers={"Origin": url})).status_code == 201
            yield one, page


def path_of(route: Route) -> str:
    return re.sub(r"\{\w+\}", "some", route.path)


async def test_no_route_that_changes_something_does_so_for_another_page(tmp_path: Path) -> None:
    async with up(tmp_path) as (_, page):
        done = []
        for route in CHANGING:
            for name, said in ANOTHER_SITE.items():
                answer = await page.request(route.method, path_of(route), json={}, headers=said)
                if answer.status_code != 403 or answer.json()["error"]["code"] != "cross_site":
                    done.append((route.method, route.path, name, answer.status_code))
        assert done == []
        assert (await page.get("/api/v1/session")).status_code == 200, "nobody was logged out meanwhile"


async def test_in_a_session_no_route_changes_something_for_whoever_does_not_say_where_it_is(tmp_path: Path) -> None:
    # Routes that ask nobody who they are have no use for a session.
    in_sessions = [route for route in CHANGING if any(kind is Principal for _, kind in route.types)]
    assert len(in_sessions) > len(CHANGING) / 2
    async with up(tmp_path) as (_, page):
        done = []
        for route in in_sessions:
            for said in ({}, {"Origin": "http://127.0.0.1:1"}):
                answer = await page.request(route.method, path_of(route), json={}, headers=said)
                if answer.status_code != 403 or answer.json()["error"]["code"] != "cross_site":
                    done.append((route.method, route.path, answer.status_code))
        assert done == []


async def test_no_answer_lets_another_page_read_it(tmp_path: Path) -> None:
    async with up(tmp_path) as (_, page):
        letting = []
        for route in ROUTES:
            asks = {"Origin": EVIL, "Access-Control-Request-Method": route.method}
            for method in ("OPTIONS", route.method):
                answer = await page.request(method, path_of(route), headers=asks)
                if any(name.startswith("access-control-") for name in answer.headers) or (
                    method == "OPTIONS" and answer.is_success
                ):
                    letting.append((method, route.path))
        assert letting == []


async def test_no_route_answers_to_a_name_that_is_not_the_networks(tmp_path: Path) -> None:
    async with up(tmp_path) as (one, page):
        for route in ROUTES:
            answer = await page.request(route.method, path_of(route), headers={"Host": "evil.example"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (421, "foreign_host"), route.path
        router = urlsplit(one.addresses.router_url)
        url = one.addresses.router_url
        assert (await asked(url, "GET /ws HTTP/1.1", *UPGRADE))[1] != "foreign_host"
        reader, writer = await asyncio.open_connection(router.hostname, router.port)
        writer.write("\r\n".join(["GET /ws HTTP/1.1", "Host: evil.example", *UPGRADE, "", ""]).encode())
        assert (await reader.readline()).split()[1] == b"421"
        writer.transport.abort()


FORWARDED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Port": "1",
    "X-Real-IP": "203.0.113.9",
    "Forwarded": "for=203.0.113.9;host=evil.example;proto=https",
    "X-Original-URL": "/api/v1/users",
    "X-HTTP-Method-Override": "DELETE",
}


@pytest.mark.parametrize(
    ("proxies", "seen"), [("", "127.0.0.1"), ("10.0.0.1", "127.0.0.1"), ("127.0.0.1", "203.0.113.9")]
)
async def test_what_a_proxy_says_counts_from_those_that_were_named_and_of_the_address_alone(
    tmp_path: Path, proxies: str, seen: str
) -> None:
    async with up(tmp_path, trusted_proxies=proxies) as (one, page):
        own = {"Origin": one.addresses.api_url, **FORWARDED}
        entered = await page.post("/api/v1/session", json=ADA, headers=own)
        assert entered.status_code == 201
        assert entered.json()["address"] == seen
        assert not any("Secure" in cookie for cookie in entered.headers.get_list("set-cookie"))
        invited = await page.post("/api/v1/invitations", json={"user": "eve"}, headers=own)
        assert invited.json()["link"].startswith(one.addresses.api_url)
        assert "evil" not in (await page.get("/api/v1/whoami", headers=FORWARDED)).text


async def test_every_page_may_load_and_be_shown_by_nothing_but_its_own(tmp_path: Path) -> None:
    async with up(tmp_path) as (_, page):
        pages = [route for route in ROUTES if route.text.startswith("text/html")]
        assert pages
        for route in pages:
            head = (await page.request(route.method, route.path, headers={"Accept": "text/html"})).headers
            policy = head["content-security-policy"]
            assert "default-src 'none'" in policy, route.path
            assert "frame-ancestors 'none'" in policy, route.path
            assert "unsafe" not in policy, route.path
            assert head["x-content-type-options"] == "nosniff"
            assert head["referrer-policy"] in ("no-referrer", "same-origin")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield io.StringIO()
    root.handlers, root.level = handlers, level


@pytest.mark.parametrize("name", NASTY)
def test_a_line_of_the_log_is_one_line_whatever_is_in_it(logged: io.StringIO, name: str) -> None:
    log = logs.configure("debug", "json", logged)
    log.warning("request_failed", path=NASTY[name], agent=NASTY[name])
    log.warning(NASTY[name])
    logging.getLogger("library").warning("seen: %s", NASTY[name])
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["request_failed", NASTY[name], "library_warned"]
    assert lines[-1]["message"] == f"seen: {NASTY[name]}"


@pytest.mark.parametrize("name", NASTY)
def test_a_line_on_a_console_is_one_line_in_which_a_terminal_has_nothing_to_obey(
    logged: io.StringIO, name: str
) -> None:
    log = logs.configure("debug", "console", logged)
    log.warning("request_failed", path=NASTY[name], agent=f"x{NASTY[name]}")
    log.warning(NASTY[name])
    logging.getLogger("library").warning("seen: %s", NASTY[name])
    shown = logged.getvalue()
    assert len(shown.splitlines()) == 3
    assert all(character.isprintable() or character == "\n" for character in shown)


async def test_whatever_somebody_calls_things_each_line_of_the_log_is_one(tmp_path: Path, logged: io.StringIO) -> None:
    log = logs.configure("debug", "json", logged)
    async with network(Settings(data_dir=tmp_path, http_port=0, router_port=0, drain=0.0), log) as one:
        key = await machine.bootstrap(one.engine, "ada")
        address = urlsplit(one.addresses.api_url)
        async with httpx.AsyncClient(base_url=one.addresses.api_url, trust_env=False) as http:
            for text in (text for text in NASTY.values() if text.isascii() or "\ud800" not in text):
                http.headers["Authorization"] = f"Bearer {key}"
                await http.post("/api/v1/agents", json={"name": text, "description": text})
                await http.post("/api/v1/invitations", json={"user": text})
                await http.post("/api/v1/login-codes", json={"host": text})
                await http.get(f"/api/v1/agents/{quote(text)}?{quote(text)}={quote(text)}")
                for url in (address, urlsplit(one.addresses.router_url)):
                    reader, writer = await asyncio.open_connection(url.hostname, url.port)
                    head = f"GET /{text} HTTP/1.1\r\nHost: {url.netloc}\r\nUser-Agent: {text}\r\n\r\n"
                    writer.write(head.encode("utf-8"))
                    writer.write_eof()
                    assert (await reader.read(9)).startswith(b"HTTP/1.1 ")
                    writer.transport.abort()
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert lines
    assert not [line for line in lines if "agt_forged" in str(line.get("agent"))]
    assert not [line for line in lines if line["event"] == "agent_connected"]


async def test_who_is_slow_is_cut_off_and_keeps_nobody_waiting(
    tmp_path: Path, found: Callable[[str, str, str], None]
) -> None:
    platform = Platform(tmp_path / "network")
    try:
        platform.start()
        took, longest = await _slow(platform)
    finally:
        platform.kill()
    cut = ", ".join(f"{name} after {seconds:.1f} s" for name, seconds in took.items())
    found("slow peers", f"cut off: {cut}", f"nobody else waited longer than {1e3 * longest:.0f} ms")
    # A head has 10 s, a body that comes with a byte a second 10 and a look; the rest is for a machine that is busy.
    assert all(seconds < 11.0 if "head" in name else 10.0 <= seconds < 12.0 for name, seconds in took.items()), took
    assert longest < 1.0


async def _slow(platform: Platform) -> tuple[dict[str, float], float]:
    """Let many be slow in their own way; return after how long each was cut off, and how long others waited."""
    api, router = urlsplit(platform.url), urlsplit(platform.router_url)
    post = f"POST /api/v1/session HTTP/1.1\r\nHost: {api.netloc}\r\nContent-Type: application/json\r\n"
    ways = {
        "a head at the API": (api, "GET / HTTP/1.1\r\nHost: a\r\nX: ", b"a"),
        "a head at the router": (router, "GET /ws HTTP/1.1\r\nHost: a\r\nX: ", b"a"),
        "a body": (api, post + "Content-Length: 4000\r\n\r\n", b" "),
        "a body in chunks": (api, post + "Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    }
    async with httpx.AsyncClient(base_url=platform.url, trust_env=False) as http, asyncio.TaskGroup() as group:
        cut = {name: [group.create_task(_drip(*way)) for _ in range(20)] for name, way in ways.items()}
        longest = 0.0
        while not all(one.done() for many in cut.values() for one in many):
            began = time.monotonic()
            assert (await http.get("/healthz")).status_code == 200
            longest = max(longest, time.monotonic() - began)
            await asyncio.sleep(0.1)
    return {name: max(one.result() for one in many) for name, many in cut.items()}, longest


async def _drip(to: object, begin: str, piece: bytes) -> float:
    """Send a request piece by piece, one a second; return after how many seconds it was cut off."""
    reader, writer = await asyncio.open_connection(to.hostname, to.port)  # type: ignore[attr-defined]
    began = time.monotonic()
    writer.write(begin.encode())
    ended = asyncio.ensure_future(reader.read())
    while not ended.done() and time.monotonic() - began < 30:
        writer.write(piece)
        await asyncio.wait([ended], timeout=1.0)
    took = time.monotonic() - began
    writer.transport.abort()
    await asyncio.wait([ended])
    assert ended.exception() is None or isinstance(ended.exception(), ConnectionResetError)
    return took
