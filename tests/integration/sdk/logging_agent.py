"""An agent whose skills log in all ways that there are; started as a program of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

from agentic_atlas import Agent, Context

agent = Agent("worker", concurrency=8)
library = logging.getLogger("some.library")
library.setLevel(logging.INFO)


@agent.skill
async def endless(ctx: Context, word: str) -> None:
    """Log and print, then wait to be killed."""
    library.info("%s begins", word)
    print(f"{word} prints")
    ctx.log.info("tells", word=word)
    library.info("%s waits", word)
    await asyncio.sleep(3600)


@agent.skill
async def fails(ctx: Context, word: str) -> None:
    """Raise an error."""
    raise ValueError(f"no {word} here")


@agent.skill
async def chats(lines: int, seconds: float) -> int:
    """Log so many lines in so many seconds."""
    began = time.monotonic()
    for number in range(lines):
        library.info("line %06d of a chatty skill that goes on and on", number)
        ahead = began + number * seconds / lines - time.monotonic()
        if ahead > 0:
            await asyncio.sleep(ahead)
    return lines


@agent.skill
def leaves_a_thread() -> None:
    """Start a thread that fails."""
    thread = threading.Thread(target=lambda: [][1], name="a thread that fails")
    thread.start()
    thread.join()


@agent.skill(process=True)
def apart(word: str) -> str:
    """Log and print in a process of its own."""
    library.info("%s logs", word)
    print(f"{word} prints")
    print("no end", end="")
    threading.Thread(target=library.warning, args=("a thread logs",)).start()
    return word


if __name__ == "__main__":
    agent.run()
