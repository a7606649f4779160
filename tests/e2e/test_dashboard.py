"""The dashboard and the rules that come with the documentation: a Prometheus reads a network, and each finds series."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]  # mkdocs brings it, without types

from agentic_atlas import Client
from agentic_atlas.observe.series import ALL, Series, SeriesKind
from tests.docs.pages import DOCS, blocks
from tests.e2e.processes import PATIENCE, Platform, Process, connected, free_port, program

DASHBOARD = json.loads((DOCS / "running" / "grafana-dashboard.json").read_text())
RULES = DOCS / "running" / "prometheus-rules.yml"
QUERIES = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
ALERTS = [
    (rule["alert"], rule["expr"]) for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
]
VARIABLES = {"$__rate_interval": "10s", "$agent": ".*", "$job": ".*"}
OF_PROMETHEUS = {"job", "instance", "le"}
"""Labels that it adds by itself."""
EVERYWHERE = {"up"}
"""What it tells of itself."""
_SELECTED = re.compile(r"\b(?P<name>(?:atlas|process)_[a-z_]+|up)\b(?:\{(?P<labels>[^}]*)\})?")
_BY = re.compile(r"\bby \((?P<labels>[^)]*)\)")

AGENT = """
from agentic_atlas import Agent

agent = Agent("dash")

@agent.skill
async def echo(text: str) -> str:
    return text

@agent.skill
async def fail() -> None:
    raise ValueError("no")

agent.run()
"""


def scraped() -> dict[str, Series]:
    """Return what Prometheus calls each series."""
    names: dict[str, Series] = {}
    for one in ALL:
        ends = ("_bucket", "_sum", "_count") if one.kind is SeriesKind.HISTOGRAM else ("",)
        names |= {one.name + end: one for end in ends}
    return names


@pytest.mark.parametrize(("title", "query"), [*QUERIES, *ALERTS])
def test_a_query_asks_for_what_is_declared(title: str, query: str) -> None:
    declared = scraped()
    selected = list(_SELECTED.finditer(re.sub(r'"[^"]*"', '""', query)))
    assert selected, title
    known: set[str] = set()
    for one in selected:
        assert one["name"] in declared.keys() | EVERYWHERE, one["name"]
        labels = set(declared[one["name"]].labels) if one["name"] in declared else set()
        asked = {label.partition("=")[0].rstrip("!") for label in (one["labels"] or "").split(",") if label}
        assert asked <= labels | OF_PROMETHEUS, title
        known |= labels
    for by in _BY.finditer(query):
        assert {label.strip() for label in by["labels"].split(",")} <= known | OF_PROMETHEUS, title


def test_every_series_of_a_network_is_on_the_dashboard() -> None:
    shown = {one["name"] for _, query in QUERIES for one in _SELECTED.finditer(query)}
    declared = scraped()
    assert {declared[name] for name in shown} == set(ALL)


@contextmanager
def prometheus(folder: Path, platform: Platform) -> Iterator[httpx.Client]:
    """Run one that is set up as documented, and looks every second; give a client of its API."""
    (documented,) = [block for block in blocks(DOCS / "running" / "health.md") if block.title == "prometheus.yml"]
    key = folder / "atlas.key"
    key.write_text(platform.atlas("keys", "create", "--scope", "metrics:read", "--scope", "tokens:read").split()[0])
    text = documented.text
    for old, new in {
        "scrape_interval: 15s": "scrape_interval: 1s",
        "scrape_interval: 5m": "scrape_interval: 1s",
        "/etc/prometheus/atlas.key": str(key),
        "127.0.0.1:8000": platform.url.removeprefix("http://"),
    }.items():
        assert old in text
        text = text.replace(old, new)
    settings, port = folder / "prometheus.yml", free_port()
    settings.write_text(f"global:\n  evaluation_interval: 1s\nrule_files: [{RULES}]\n{text}")
    process = Process(
        program("prometheus"),
        f"--config.file={settings}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
        folder=folder,
        environ={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
    )
    try:
        process.wait_for("Server is ready")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", trust_env=False) as api:
            yield api
    finally:
        process.stop()


def asked(api: httpx.Client, query: str) -> list[Any]:
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    answer = api.get("/query", params={"query": query})
    assert answer.status_code == 200, f"{query}: {answer.text}"
    return list(answer.json()["data"]["result"])


def until(seen: Callable[[], bool], why: Callable[[], object]) -> None:
    ends = time.monotonic() + 2 * PATIENCE
    while not seen():
        assert time.monotonic() < ends, why()


def test_each_query_finds_series_and_each_rule_can_be_evaluated_while_a_network_works(
    platform: Platform, tmp_path: Path
) -> None:
    with (
        prometheus(tmp_path, platform) as api,
        Client(platform.url, api_key=platform.api_key) as client,
        platform.agent("dash", AGENT, token=platform.token("dash")) as agent,
    ):
        agent.wait_for(connected)
        with platform.agent("dash", AGENT, token=platform.token("dash")) as leaving:
            leaving.wait_for(connected)
        assert httpx.get(platform.router_url.replace("ws://", "http://")).status_code == 426
        missing = [query for _, query in QUERIES]

        def complete() -> bool:
            for _ in range(20):
                client.call("dash", "echo", {"text": "hi"})
            client.submit("dash", "fail").wait(PATIENCE)
            missing[:] = [query for query in missing if not asked(api, query)]
            return not missing

        until(complete, lambda: missing)
        (agents,) = asked(api, "atlas_agent_token_expiry_seconds")
        assert agents["metric"]["agent"] == "admin/dash"
        evaluated: list[Any] = []

        def judged() -> bool:
            evaluated[:] = [rule for group in api.get("/rules").json()["data"]["groups"] for rule in group["rules"]]
            return {rule["health"] for rule in evaluated} == {"ok"}

        until(judged, lambda: evaluated)
        assert {rule["name"] for rule in evaluated} == {alert for alert, _ in ALERTS}
