"""A route that answers at once, in the HTTP server of this tree: what `benchmarks.tasks` compares a task with.

python -m benchmarks.bare PORT
"""

from __future__ import annotations

import asyncio
import sys
import time

import structlog
from fastapi import FastAPI, Request
from starlette.responses import Response

from agentic_atlas.compose import http
from agentic_atlas.compose.crowd import OpenConnections
from agentic_atlas.compose.program import run

app = FastAPI()


@app.post("/")
async def bare(request: Request) -> Response:
    return Response(await request.body(), media_type="application/json")


async def serve(stop: asyncio.Event) -> None:
    crowd = OpenConnections(10_000, structlog.get_logger(), time.monotonic)
    server = http.HttpServer(app, http.listen("127.0.0.1", int(sys.argv[1]), "PORT"), drain=1, crowd=crowd)
    print("listening", flush=True)
    await http.until(stop, server)


if __name__ == "__main__":
    run(serve)
