"""An agent that writes every start and end of its handlers to a file: what ran is proved by those who ran it.

A program of its own, started by `stage`. A line is written by one call in append mode, so it is there whole or not at
all, whatever ends the process.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator

from agentic_atlas import Agent, Context

LEDGER = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
PARTS = 4
"""Chunks of a streamed output."""

agent = Agent(os.environ["AGENT"], concurrency=int(os.environ.get("CONCURRENCY", "4")))


@agent.skill(max_attempts=100)
async def repeatable(ctx: Context, payload: str, seconds: float) -> str:
    """May run again when its agent is lost."""
    return await work(ctx, payload, seconds)


@agent.skill(delivery="at_most_once")
async def once(ctx: Context, payload: str, seconds: float) -> str:
    """Must never start twice."""
    return await work(ctx, payload, seconds)


@agent.skill(max_attempts=100)
def blocking(ctx: Context, payload: str, seconds: float) -> str:
    """Runs in a thread."""
    note(ctx, "start")
    ctx.progress(0.5)
    time.sleep(seconds)
    note(ctx, "end")
    return digest(payload)


@agent.skill(max_attempts=100)
async def stream(ctx: Context, payload: str, seconds: float) -> AsyncIterator[str]:
    """Streams the digest in pieces."""
    note(ctx, "start")
    whole = digest(payload)
    size = len(whole) // PARTS
    for part in range(PARTS):
        await asyncio.sleep(seconds / PARTS)
        if part == PARTS - 1:
            note(ctx, "end")
        yield whole[part * size : (part + 1) * size]


async def work(ctx: Context, payload: str, seconds: float) -> str:
    note(ctx, "start")
    await ctx.progress(0.5, "half way")
    await asyncio.sleep(seconds)
    note(ctx, "end")
    return digest(payload)


def note(ctx: Context, what: str) -> None:
    os.write(LEDGER, f"{ctx.task_id} {ctx.attempt} {what} {os.getpid()}\n".encode())


def digest(payload: str) -> str:
    return hashlib.sha256(payload.encode()).hexdigest()


if __name__ == "__main__":
    agent.run()
