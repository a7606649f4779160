"""What is the same for every request: whom it is for, who sends it, in which form; and the page at the root."""

from __future__ import annotations

import asyncio
import json
import re
import time
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.compose import http
from agentic_atlas.compose.http import Handler
from agentic_atlas.http.cookies import Cookies
from agentic_atlas.http.messages import Answered, Request, Response, StreamingResponse
from agentic_atlas.http.routes import Refusal, RouteGroup, Routes, in_json
from agentic_atlas.http.turns import Turns
from agentic_atlas.platform import app as platform
from tests.integration.api.network import GREET, Api, api
from tests.integration.api.test_server import CROWD, LOG, PATIENCE, count

Send = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def prepared(folder: Path) -> AsyncIterator[Api]:
    async with api(folder) as running, asyncio.timeout(PATIENCE):
        yield running


def front(handler: Handler) -> Routes:
    """Return what answers all requests for `/` by a handler."""
    group = RouteGroup("test")
    for method in ("GET", "POST", "DELETE"):
        group.at(method, "/")(handler)
    return Routes(
        group.routes, {Turns: Turns(time.monotonic), Cookies: Cookies()}, Hosts(["https://atlas.example.org"])
    )


@asynccontextmanager
async def over_the_wire(handler: Handler = count, refusal: Refusal = in_json) -> AsyncIterator[Send]:
    """Run a test that sends bytes to a server, and gets all that is answered before the connection ends."""
    listener, stop = http.listen("127.0.0.1", 0, "PORT"), asyncio.Event()

    async def send(data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            writer.write(data)
            return await reader.read()
        finally:
            writer.transport.abort()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        server = http.HttpServer(front(handler), listener, drain=1, crowd=CROWD, log=LOG)
        server.refusal = refusal
        group.create_task(http.until(stop, server))
        try:
            yield send
        finally:
            stop.set()


def request(*lines: str, first: str = "GET / HTTP/1.1") -> bytes:
    return "\r\n".join([first, *lines, "Connection: close", "", ""]).encode("latin-1")


def told(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower(), answer
    return int(head.split()[1]), json.loads(body)["error"]["code"]


def fault(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


REFUSED = {
    "no host": (request(), 400, "bad_host"),
    "two hosts": (request("Host: a", "Host: a"), 400, "bad_host"),
    "a host that is none": (request("Host: a b"), 400, "bad_host"),
    "somebody else's host": (request("Host: secret.example"), 421, "foreign_host"),
    "a target elsewhere": (request("Host: a", first="GET http://secret.example/ HTTP/1.1"), 421, "foreign_host"),
    "a target elsewhere, and no host": (request(first="GET http://a/ HTTP/1.1"), 400, "bad_host"),
    "no target": (request("Host: a", first="GET secret HTTP/1.1"), 400, "malformed_request"),
    "HTTP/2.0": (request("Host: a", first="GET / HTTP/2.0"), 505, "http_version"),
    "HTTP/0.9": (request("Host: a", first="GET / HTTP/0.9"), 505, "http_version"),
    "a line that is no field": (request("Host: a", "secret"), 400, "malformed_request"),
    "a field with a control character": (request("Host: a", "A: sec\x00ret"), 400, "malformed_request"),
    "no request line": (b"secret\r\n\r\n", 400, "malformed_request"),
    "a path that is no text": (request("Host: a", first="GET /\xff HTTP/1.1"), 400, "malformed_request"),
    "two lengths": (request("Host: a", "Content-Length: 1", "Content-Length: 2"), 400, "malformed_request"),
    "a chunk of no size": (request("Host: a", "Transfer-Encoding: chunked") + b"secret\r\n", 400, "malformed_request"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed_request"),
    "a head of 100 kB": (request("Host: a", "Authorization: " + "s" * 100_000), 431, "head_too_long"),
    "a head of 1 MB": (request("Host: a", "Authorization: " + "s" * 1_000_000), 431, "head_too_long"),
    "a thousand fields": (request("Host: a", *["A: " + "s" * 70] * 1_000), 431, "head_too_long"),
    "an address of 100 kB": (request("Host: a", first=f"GET /{'s' * 100_000} HTTP/1.1"), 431, "head_too_long"),
    "a page elsewhere": (
        request("Host: a", "Origin: http://secret.example", first="POST / HTTP/1.1"),
        403,
        "cross_site",
    ),
    "a page of no name": (request("Host: a", "Origin: null", first="POST / HTTP/1.1"), 403, "cross_site"),
    "a page, by its browser": (
        request("Host: a", "Sec-Fetch-Site: cross-site", first="DELETE / HTTP/1.1"),
        403,
        "cross_site",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_request_that_is_wrong_gets_an_answer_in_our_form_that_quotes_nothing(name: str) -> None:
    sent, status, code = REFUSED[name]

    async with over_the_wire() as send:
        answer = await send(sent)
        assert told(answer) == (status, code)
        assert b"secret" not in answer
        assert b"ssss" not in answer


@pytest.mark.parametrize(
    "sent",
    [
        request("Host: localhost:8000"),
        request("Host: 127.0.0.1"),
        request("Host: Atlas.example.org"),
        request(first="GET / HTTP/1.0"),
        request("Host: a", "Origin: http://elsewhere.example"),
        request("Host: a", "Origin: http://a", first="POST / HTTP/1.1"),
        request("Host: proxy", "Origin: https://atlas.example.org", first="POST / HTTP/1.1"),
        request("Host: a", "Sec-Fetch-Site: same-origin", first="POST / HTTP/1.1"),
        request("Host: a", first="GET http://a/ HTTP/1.1"),
        request("Host: secret.example", first="GET http://atlas.example.org HTTP/1.1"),
        request("Host: a", "Upgrade: websocket"),
    ],
)
async def test_what_is_right_is_handed_on(sent: bytes) -> None:
    async with over_the_wire() as send:
        assert (await send(sent)).startswith(b"HTTP/1.1 200 ")


async def test_the_head_of_a_stream_is_answered_without_the_stream_and_the_connection_goes_on() -> None:
    places: list[str] = []

    @contextmanager
    def place() -> Iterator[None]:
        places.append("taken")
        yield
        places.append("left")

    async def stream(_request: Request) -> StreamingResponse:
        return StreamingResponse([("content-type", "text/event-stream")], endless(b"never"), place())

    async with over_the_wire(stream) as send:
        twice = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + request("Host: a", first="HEAD / HTTP/1.1")
        answered = await send(twice)
        assert answered.count(b"HTTP/1.1 200 OK") == 2
        assert b"never" not in answered
        assert places == 2 * ["taken", "left"]


async def test_a_stream_to_http_1_0_ends_with_its_connection() -> None:
    async def two() -> AsyncGenerator[bytes, None]:
        yield b"one, "
        yield b"two"

    async def stream(_request: Request) -> StreamingResponse:
        return StreamingResponse([], two())

    async with over_the_wire(stream) as send:
        old, new = await send(request(first="GET / HTTP/1.0")), await send(request("Host: a"))
    assert old.endswith(b"\r\n\r\none, two")
    assert new.endswith(b"5\r\none, \r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_a_stream_ends_with_its_connection_when_more_was_sent_behind_its_request() -> None:
    begun, heard = asyncio.Event(), asyncio.Event()

    async def waiting() -> AsyncGenerator[bytes, None]:
        begun.set()
        try:
            yield await asyncio.Event().wait() and b""
        finally:
            heard.set()

    async def stream(_request: Request) -> StreamingResponse:
        return StreamingResponse([], waiting())

    async with over_the_wire(stream) as send:
        asking = asyncio.ensure_future(send(2 * b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        await begun.wait()
        asking.cancel()
        await heard.wait()


async def test_what_goes_wrong_in_a_stream_ends_its_connection_and_is_in_the_log() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"a part"
        raise KeyError("a secret")

    async def stream(_request: Request) -> StreamingResponse:
        return StreamingResponse([], broken())

    with capture_logs() as log:
        async with over_the_wire(stream) as send:
            answered = await send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answered.endswith(b"a part\r\n")
    assert [(line["event"], line["log_level"], line["path"]) for line in log] == [("request_failed", "error", "/")]


async def test_what_nobody_foresaw_is_answered_without_its_reason_which_is_in_the_log() -> None:
    async def broken(_request: Request) -> Response:
        raise KeyError("a secret")

    with capture_logs() as log:
        async with over_the_wire(broken) as send:
            answered = await send(request("Host: a"))
    assert told(answered) == (500, "internal")
    assert b"secret" not in answered
    assert [line["event"] for line in log] == ["request_failed"]


async def test_what_nobody_foresaw_is_a_page_to_a_browser() -> None:
    async def broken(_request: Request) -> Response:
        raise KeyError("a secret")

    with capture_logs() as log:
        async with over_the_wire(broken, platform.refusal) as send:
            answered = await send(request("Host: a", "Accept: text/html"))
    assert answered.startswith(b"HTTP/1.1 500 ")
    assert b"its log has the reason" in answered
    assert b"secret" not in answered
    assert [line["event"] for line in log] == ["request_failed"]


async def test_a_line_break_in_a_field_of_an_answer_is_no_other_field() -> None:
    async def misled(_request: Request) -> Response:
        return Response(fields=[("location", "/\r\nset-cookie: stolen")])

    async with over_the_wire(misled) as send:
        assert b"stolen" not in await send(request("Host: a"))


async def endless(part: bytes) -> AsyncGenerator[bytes, None]:
    yield part
    await asyncio.Event().wait()


async def test_nothing_is_written_between_the_parts_of_an_answer_whatever_is_sent_behind_its_request() -> None:
    async def streaming(_request: Request) -> StreamingResponse:
        return StreamingResponse([], endless(b"a part"))

    listener, stop = http.listen("127.0.0.1", 0, "PORT"), asyncio.Event()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        server = http.HttpServer(front(streaming), listener, drain=1, crowd=CROWD, log=LOG)
        group.create_task(http.until(stop, server))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(2 * b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await reader.readuntil(b"a part")
        writer.write(b"no request\r\n\r\n")
        with suppress(ConnectionError):
            answer += await reader.read()
        writer.transport.abort()
        stop.set()
    assert answer.count(b"HTTP/1.1") == 1


async def test_a_request_that_is_cut_off_ends_quietly(tmp_path: Path) -> None:
    with capture_logs() as log:
        async with api(tmp_path) as atlas:
            listener, stop = http.listen("127.0.0.1", 0, "PORT"), asyncio.Event()
            ended = asyncio.Event()

            async def watched(request: Request) -> Answered:
                try:
                    return await atlas.anonymous._transport.handler(request)  # type: ignore[attr-defined, no-any-return]
                finally:
                    ended.set()

            async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
                group.create_task(http.until(stop, http.HttpServer(watched, listener, drain=1, crowd=CROWD, log=LOG)))
                _, writer = await asyncio.open_connection(*listener.getsockname())
                head = b"POST /api/v1/login-codes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                writer.write(head + b'Content-Length: 10\r\n\r\n{"')
                writer.close()
                await ended.wait()
                stop.set()
    assert not [line for line in log if line["log_level"] == "error"]


async def test_head_is_answered_wherever_get_is(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        await atlas.connect(atlas.admin, "hello", GREET)
        ask = {"agent": "hello", "skill": "greet", "input": {"name": "Ada"}}
        task = (await atlas.admin.post("/api/v1/tasks", json=ask)).json()["id"]
        document = (await atlas.admin.get("/api/v1/openapi.json")).json()
        plain = [path for path, methods in document["paths"].items() if "get" in methods and "{" not in path]
        plain.remove(endless := "/api/v1/logs/stream")
        for path in [*plain, "/docs", "/api/v1/agents/hello", f"/api/v1/tasks/{task}", "/nothing"]:
            got, head = await atlas.admin.get(path), await atlas.admin.head(path)
            assert head.status_code == got.status_code, path
            assert head.headers.get("content-type") == got.headers.get("content-type"), path
            assert head.content == b""
        # What would go on until the task has ended, or for ever, is not begun.
        for stream in (f"/api/v1/tasks/{task}/events", endless):
            begun = await atlas.admin.head(stream)
            assert (begun.status_code, begun.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        refused = await atlas.admin.head("/api/v1/login-codes")
        assert (refused.status_code, refused.headers["allow"], refused.content) == (405, "POST", b"")


async def test_a_method_that_is_not_there_is_told_all_that_are(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        refused = await atlas.admin.put("/api/v1/tasks")
        assert fault(refused) == (405, "method_not_allowed")
        assert refused.headers["allow"] == "GET, HEAD, POST"


async def test_a_slash_too_many_is_no_place_and_redirects_nowhere(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        for path in ("/healthz/", "/api/v1/agents/", "/docs/"):
            answer = await atlas.admin.get(path)
            assert fault(answer) == (404, "not_found")
            assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Content-Type", "application/json")], 201),
        ([("content-type", "Application/JSON ; charset=utf-8")], 201),
        ([("Content-Type", "application/json"), ("Content-Encoding", "Identity")], 201),
        ([("Content-Type", "text/plain")], 415),
        ([("Content-Type", "text/plain; application/json")], 415),
        ([("Content-Type", "application/x-www-form-urlencoded")], 415),
        ([("Content-Type", "application/json"), ("Content-Type", "text/plain")], 415),
        ([], 415),
        ([("Content-Type", "application/json"), ("Content-Encoding", "gzip")], 415),
        ([("Content-Type", "application/json"), ("Content-Encoding", "identity, gzip")], 415),
        ([("Content-Type", "application/json"), ("Content-Encoding", ""), ("Content-Encoding", "gzip")], 415),
    ],
)
async def test_a_body_is_json_and_says_so_and_is_not_compressed(
    tmp_path: Path, headers: list[tuple[str, str]], status: int
) -> None:
    async with prepared(tmp_path) as atlas:
        bare = httpx.AsyncClient(transport=atlas.anonymous._transport, base_url="http://atlas")
        answer = await bare.post("/api/v1/login-codes", content=b'{"host":"box"}', headers=headers)
        assert answer.status_code == status
        if status == 415:
            assert answer.json()["error"]["code"].startswith("unsupported_")


async def test_a_body_that_may_be_left_out_may_and_the_document_says_which(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        bare = httpx.AsyncClient(transport=atlas.anonymous._transport, base_url="http://atlas")
        bare.headers["Authorization"] = atlas.admin.headers["Authorization"]
        assert (await bare.post("/api/v1/api-keys")).status_code == 201
        paths = (await bare.get("/api/v1/openapi.json")).json()["paths"]
        required = {
            path: each["post"]["requestBody"]["required"]
            for path, each in paths.items()
            if "requestBody" in each.get("post", {})
        }
        assert required["/api/v1/tasks"]
        assert required["/api/v1/users"]
        assert not required["/api/v1/api-keys"]
        assert not required["/api/v1/tasks/{task_id}/cancel"]


async def test_the_document_names_the_types_that_are_answered(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        paths = (await atlas.admin.get("/api/v1/openapi.json")).json()["paths"]
        for path in ("/metrics", "/healthz", "/readyz", "/.well-known/jwks.json", "/api/v1/whoami"):
            told = list(paths[path]["get"]["responses"]["200"]["content"])
            assert told == [(await atlas.admin.get(path)).headers["content-type"]], path


async def test_the_root_leads_a_browser_to_the_platform_and_tells_programs_where_things_are(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        page = await atlas.anonymous.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert (page.status_code, page.headers["location"]) == (303, "/overview")
        said = (await atlas.anonymous.get("/", headers={"Accept": "*/*"})).json()
        assert said["name"] == "Agentic Atlas"
        for place in said["places"]:
            assert (await atlas.admin.get(place)).status_code == 200, place


async def test_the_page_of_the_api_loads_nothing(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        page = await atlas.anonymous.get("/docs")
        assert page.headers["content-type"].startswith("text/html")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
        assert b64encode(sha256(style.encode()).digest()).decode() in policy
        links = re.findall(r'(?:href|src)="([^"#][^"]*)"', page.text)
        assert links == ["/api/v1/openapi.json"]
        assert (await atlas.anonymous.get(links[0])).status_code == 200
