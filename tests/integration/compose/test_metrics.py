"""Everything that is declared is told by a network that does something, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from agentic_atlas import Agent, AsyncClient
from agentic_atlas.backend.usecases import machine
from agentic_atlas.compose.network import network
from agentic_atlas.observe.logs import logger
from agentic_atlas.observe.series import ALL, SeriesKind
from agentic_atlas.settings import Settings

WITHIN = 20
"""Seconds in which all is counted: it is within two."""

KINDS = {SeriesKind.COUNTER: "counter", SeriesKind.GAUGE: "gauge", SeriesKind.HISTOGRAM: "histogram"}
LATER = {"atlas_task_queue_seconds", "atlas_store_write_seconds", "atlas_loop_lag_seconds"}
"""What is counted a second later."""


@asynccontextmanager
async def working(folder: Path) -> AsyncIterator[tuple[str, str, AsyncClient]]:
    """Have a network in which an agent has done something; give its URL, its administrator's key and a client."""
    settings = Settings(data_dir=folder / "data", http_port=0, router_port=0)
    async with network(settings, logger("error")) as up, asyncio.timeout(60):
        url, key = up.addresses.api_url, await machine.bootstrap(up.engine, "ada") or ""
        async with AsyncClient(url, api_key=key) as ada:
            await ada.agents.create("echo")
            token = await ada.tokens.create("echo")
            agent = Agent("echo", token=token.token, router_url=up.addresses.router_url)

            @agent.skill
            async def say(text: str) -> str:
                return text

            @agent.skill
            async def fail() -> None:
                raise ValueError("no")

            async with asyncio.TaskGroup() as group:
                group.create_task(agent.serve())
                await seen(url, key, lambda found: sum(one.value for one in found["atlas_slots"].samples))
                assert await ada.call("echo", "say", {"text": "hi"}) == "hi"
                handle = await ada.submit("echo", "fail")
                assert (await handle.wait(30)).state == "failed"
                yield url, key, ada
                agent.stop()


async def scraped(url: str, key: str, path: str = "/metrics") -> dict[str, Metric]:
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}) as scraper:
        answer = (await scraper.get(path)).raise_for_status()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


async def seen(url: str, key: str, done: Callable[[dict[str, Metric]], object]) -> dict[str, Metric]:
    """Return what is scraped once it is so."""
    async with asyncio.timeout(WITHIN):
        while True:
            found = await scraped(url, key)
            if done(found):
                return found
            await asyncio.sleep(0.05)


async def test_a_network_at_work_tells_of_every_series_and_of_no_other(tmp_path: Path) -> None:
    async with working(tmp_path) as (url, key, _):
        async with httpx.AsyncClient() as stranger:
            assert (await stranger.get(f"{url}/metrics")).status_code == 401
        found = await seen(url, key, lambda found: all(found[name].samples for name in LATER))
        assert set(found) == {one.name.removesuffix("_total") for one in ALL}
        for one in ALL:
            family = found[one.name.removesuffix("_total")]
            assert family.type == KINDS[one.kind], one.name
            assert family.documentation == one.meaning
            labels = {frozenset(sample.labels) - {"le"} for sample in family.samples}
            assert labels <= {frozenset(one.labels)}, one.name
            assert family.samples or one.name in {"atlas_handshakes_refused_total", "atlas_connections_ended_total"}


async def test_what_an_agent_did_is_in_the_figures(tmp_path: Path) -> None:
    async with working(tmp_path) as (url, key, _):
        found = await seen(url, key, lambda found: sum(one.value for one in found["atlas_tasks_ended"].samples) == 2)
        ended = {tuple(one.labels.values()): one.value for one in found["atlas_tasks_ended"].samples}
        assert ended == {("", "completed"): 1, ("handler_error", "failed"): 1}
        whole = {
            sample.labels["skill"]: sample.value
            for sample in found["atlas_task_seconds"].samples
            if sample.name.endswith("_count")
        }
        assert whole == {"say": 1, "fail": 1}
        assert {one.labels["agent"] for one in found["atlas_task_seconds"].samples} == {"ada/echo"}
        asked = {tuple(sorted(one.labels.items())): one.value for one in found["atlas_http_requests"].samples}
        assert asked[("method", "POST"), ("route", "/api/v1/tasks"), ("status", "201")] >= 2
        frames = {(one.labels["direction"], one.labels["type"]) for one in found["atlas_frames"].samples}
        assert {("in", "hello"), ("out", "welcome"), ("out", "task"), ("in", "result")} <= frames


async def test_what_nobody_knows_is_counted_without_its_path(tmp_path: Path) -> None:
    async with working(tmp_path) as (url, key, _):
        async with httpx.AsyncClient() as stranger:
            asked = (("GET", "/no/such"), ("PUT", "/healthz"), ("BREW", "/healthz"), ("GET", "/healthz"))
            for method, path in asked:
                await stranger.request(method, url + path)
        found = (await scraped(url, key))["atlas_http_requests"].samples
        asked = {tuple(one.labels.values()): one.value for one in found}
        assert {
            ("", "", "404"): 1,
            ("", "", "405"): 1,
            ("", "", "400"): 1,
            ("GET", "/healthz", "200"): 1,
        }.items() <= asked.items()
