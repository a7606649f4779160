"""Whole tasks: HTTP submit, durable commits, WebSocket delivery to an agent process and back, answered to the caller.

The baseline is a bare request: the same HTTP server with a route that answers at once, under the same load from the
same client in the same run. Printed is how many of those one whole task costs.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.http_load import Load, load
from tests.e2e.processes import Platform, Process, connected, free_port, python

AGENT = """
from agentic_atlas import Agent

agent = Agent("bench", concurrency=200)

@agent.skill
async def echo(text: str) -> str:
    return text

if __name__ == "__main__":
    agent.run()
"""

BARE = """
import asyncio, sys, time
import structlog
from fastapi import FastAPI, Request
from starlette.responses import Response
from agentic_atlas.compose import http
from agentic_atlas.compose.crowd import Crowd
from agentic_atlas.compose.program import run

app = FastAPI()

@app.post("/")
async def bare(request: Request) -> Response:
    return Response(await request.body(), media_type="application/json")

async def serve(stop: asyncio.Event) -> None:
    crowd = Crowd(10_000, structlog.get_logger(), time.monotonic)
    server = http.HttpServer(app, http.listen("127.0.0.1", int(sys.argv[1]), "PORT"), drain=1, crowd=crowd)
    print("listening", flush=True)
    await http.until(stop, server)

run(serve)
"""


def main(seconds: float = 5.0) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        platform = Platform(Path(folder) / "network").start()
        running.callback(platform.kill)
        agent = running.enter_context(platform.agent("bench", AGENT))
        agent.wait_for(connected)
        port = free_port()
        bare = Process(*python("-c", BARE, str(port)), folder=Path(folder), environ=platform.environ)
        running.callback(bare.kill)
        bare.wait_for("listening")
        body = json.dumps({"agent": "bench", "skill": "echo", "input": {"text": "hello"}}).encode()
        key = f"Authorization: Bearer {platform.api_key}\r\n"
        print(f"{'callers':>8} {'bare req/s':>11} {'tasks/s':>9} {'ratio':>7} {'median ms':>10} {'p99 ms':>8}")
        for callers in (1, 8, 64):
            base = asyncio.run(load("127.0.0.1", port, "/", body, key, callers, seconds / 2))
            api_port = int(platform.url.rpartition(":")[2])
            tasks = asyncio.run(load("127.0.0.1", api_port, "/api/v1/tasks?wait=30", body, key, callers, seconds))
            show(callers, base, tasks)


def show(callers: int, base: Load, tasks: Load) -> None:
    print(
        f"{callers:8} {base.per_second:11.0f} {tasks.per_second:9.0f} {base.per_second / tasks.per_second:7.1f}"
        f" {tasks.median_ms:10.1f} {tasks.p99_ms:8.1f}"
    )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
