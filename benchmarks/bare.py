"""A route that answers at once, in the HTTP server of this tree: what `benchmarks.tasks` compares a task with.

python -m benchmarks.bare PORT
"""

from __future__ import annotations

import asyncio
import sys
import time

import structlog

from agentic_atlas.compose import http
from agentic_atlas.compose.program import run
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.transport.crowd import Crowd


async def bare(request: Request) -> Response:
    return Response(fields=[("content-type", "application/json")], body=await request.body.read())


async def serve(stop: asyncio.Event) -> None:
    log = structlog.get_logger()
    listener, crowd = http.listen("127.0.0.1", int(sys.argv[1]), "PORT"), Crowd(10_000, log, time.monotonic)
    print("listening", flush=True)
    await http.until(stop, http.HttpServer(bare, listener, drain=1, crowd=crowd, log=log))


if __name__ == "__main__":
    run(serve)
