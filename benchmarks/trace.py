"""What one task, one event to a watcher, one cancel and one resume pass through, in one process that has it all.

```console
$ make trace                     # the figures, and in brackets those that are recorded
$ make trace RECORD=1            # writes them down; a test fails when one grows by more than a tenth
$ make trace ARGS="--files task" # the files on the way of one of them, and what is called there how often
```

A network, an agent and a caller run on asyncio's own loop. After `WARM` rounds that fill the caches, each piece of work
is done until `STEADY` rounds in a row have had no figure that is less than all before, and the least are taken: timers
that fall into a round only add to it. A piece of work ends when nothing has been called for `QUIET`, so that what
follows its answer is counted too.
"""

import argparse
import asyncio
import json
import os
import random
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.counting import FIGURES, Counts

RECORDED = Path(__file__).with_suffix(".json")
WARM = 3
STEADY = 4
MOST_ROUNDS = 30
QUIET = 0.04
"""Seconds; longer than anything here waits for a thread or for the disk."""
AT_ONCE = 30818
"""A seed whose first number is nearly 0: the agent comes back at once, in place of after a part of a second."""

Figures = dict[str, int]
Work = Callable[[], Awaitable[None]]


class Cuttable:
    """Stands between agent and router, in threads of its own; cuts all that goes through."""

    def __init__(self, router_url: str) -> None:
        where = urlsplit(router_url)
        self._to = (where.hostname, where.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.url = where._replace(netloc=f"127.0.0.1:{self._listening.getsockname()[1]}").geturl()
        self.answered = threading.Event()
        """The router has said two things on the newest connection: that it takes it, and `welcome`."""
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection, at once and on both sides."""
        ends, self._ends = self._ends, []
        self.answered.clear()
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let nobody through any more."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._to)
                self._ends += (near, far)
                threading.Thread(target=_copy, args=(near, far), daemon=True).start()
                threading.Thread(target=_copy, args=(far, near, self.answered), daemon=True).start()


def _copy(one: socket.socket, other: socket.socket, answered: threading.Event | None = None) -> None:
    said = 0
    with suppress(OSError), closing(one):
        while data := one.recv(65_536):
            other.sendall(data)
            said += 1
            if answered is not None and said == 2:
                answered.set()
        other.shutdown(socket.SHUT_RDWR)


class Traced:
    """Everything in this process, and the pieces of work that are counted."""

    def __init__(self, counts: Counts, client: Any, cuttable: Cuttable) -> None:
        self._counts = counts
        self._client = client
        self._cuttable = cuttable
        self.contexts: asyncio.Queue[Any] = asyncio.Queue()
        self.release = asyncio.Event()
        self.least: dict[str, Figures] = {}
        self.files: dict[str, dict[str, Counter[str]]] = {}
        self.packages: dict[str, Counter[str]] = {}

    async def task(self) -> Figures:
        """Submit a task, wait for its output."""

        async def work() -> None:
            task = await self._client.submit("traced", "echo", {"text": "hello"})
            assert await task.result(30) == "hello"

        return await self._counted("task", work)

    async def event(self) -> Figures:
        """Tell a watcher of one event of a task that runs."""
        handle, context = await self._held()
        seen: asyncio.Queue[Any] = asyncio.Queue()

        async def watch() -> None:
            async for event in handle.events():
                seen.put_nowait(event)

        async def work() -> None:
            context.progress(0.5, "half")
            while (await seen.get()).kind != "progress":
                pass

        async with asyncio.TaskGroup() as group:
            group.create_task(watch())
            await seen.get()
            figures = await self._counted("event", work)
            self.release.set()
        return figures

    async def cancel(self) -> Figures:
        """Cancel a task that runs, wait for its end."""
        handle, _ = await self._held()

        async def work() -> None:
            await handle.cancel()
            assert (await handle.wait(30)).state == "canceled"

        return await self._counted("cancel", work)

    async def resume(self) -> Figures:
        """Cut the agent off while it has a task, until it has been welcomed again and goes on with it."""
        handle, _ = await self._held()

        async def work() -> None:
            random.seed(AT_ONCE)
            self._cuttable.cut()
            assert await asyncio.to_thread(self._cuttable.answered.wait, 30)

        figures = await self._counted("resume", work)
        self.release.set()
        assert await handle.result(30) is None
        return figures

    async def _held(self) -> tuple[Any, Any]:
        """Return a task that runs until `release`, with its context."""
        self.release.clear()
        handle = await self._client.submit("traced", "hold")
        return handle, await asyncio.wait_for(self.contexts.get(), 30)

    async def _counted(self, name: str, work: Work) -> Figures:
        await self._quiet()
        self._counts.begin()
        await work()
        await self._quiet()
        figures = self._counts.end()
        self.files[name] = dict(sorted(self._counts.files.items()))
        self.packages[name] = self._counts.packages
        return figures

    async def _quiet(self) -> None:
        """Wait until nothing has been called for `QUIET`."""
        loop, quiet = asyncio.get_running_loop(), asyncio.Future[None]()

        def look(before: int) -> None:
            if self._counts.seen() == before:
                quiet.set_result(None)
            else:
                loop.call_later(QUIET, look, self._counts.seen())

        look(-1)
        await quiet


async def _pause() -> None:
    """Let everything else come to rest: whether two writes share a commit is no matter of chance then."""
    over = asyncio.Future[None]()
    asyncio.get_running_loop().call_later(QUIET / 2, over.set_result, None)
    await over


@asynccontextmanager
async def traced(counts: Counts, folder: Path) -> AsyncIterator[Traced]:
    """Have a network, an agent and a caller in this process."""
    # After `Counts.install`, which has to be first.
    from agentic_atlas import Agent, AsyncClient, Context
    from agentic_atlas.backend.usecases import machine
    from agentic_atlas.compose import logs
    from agentic_atlas.compose.network import network
    from agentic_atlas.router.settings import RouterSettings
    from agentic_atlas.settings import Settings

    settings = Settings(data_dir=folder / "data", http_port=0, router_port=0, router=RouterSettings(beat_every=24))
    log = logs.configure("warning", "json")
    async with network(settings, log) as up, AsyncExitStack() as stack:
        key = await machine.bootstrap(up.engine, "admin")
        assert key is not None
        client = await stack.enter_async_context(AsyncClient(up.addresses.api_url, api_key=key))
        cuttable = stack.enter_context(closing(Cuttable(up.addresses.router_url)))
        here = Traced(counts, client, cuttable)
        await client.agents.create("traced")
        token = await client.tokens.create("traced")
        agent = Agent("traced", token=token.token, router_url=cuttable.url)

        @agent.skill
        async def echo(text: str) -> str:
            return text

        @agent.skill
        async def hold(ctx: Context) -> None:
            here.contexts.put_nowait(ctx)
            try:
                await here.release.wait()
            finally:
                await _pause()

        async with asyncio.TaskGroup() as group:
            group.create_task(agent.serve())
            assert await asyncio.to_thread(cuttable.answered.wait, 30)
            for _ in range(WARM):
                await here.task()
            yield here
            agent.stop()


async def measured(counts: Counts) -> Traced:
    """Return what each piece of work costs."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"XDG_STATE_HOME": folder, "XDG_CONFIG_HOME": folder, "ATLAS_LOG_LEVEL": "error"}
        async with traced(counts, Path(folder)) as here:
            pieces = {"task": here.task, "event": here.event, "cancel": here.cancel, "resume": here.resume}
            for name, piece in pieces.items():
                await piece()
                here.least[name] = await _least(piece)
            return here


async def _least(piece: Callable[[], Awaitable[Figures]]) -> Figures:
    least, steady = await piece(), 0
    for _ in range(MOST_ROUNDS):
        figures = await piece()
        less = {name: min(least[name], figures[name]) for name in FIGURES}
        least, steady = less, steady + 1 if less == least else 0
        if steady == STEADY:
            break
    return least


def grown(now: Figures, recorded: Figures) -> list[str]:
    """Return which figures are more than a tenth above those that are recorded, in words."""
    return [f"{name}: {now[name]} in place of {was}" for name, was in recorded.items() if now[name] * 10 > was * 11]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--record", action="store_true", help="write the figures down")
    options.add_argument(
        "--files", metavar="WORK", help="list the files on the way of one piece of work, with what is called"
    )
    options.add_argument("--json", action="store_true", help="print the figures as JSON, and nothing else")
    given = options.parse_args()
    counts = Counts()
    counts.install()
    here = asyncio.run(measured(counts))
    if given.json:
        print(json.dumps(here.least))
        return
    show(here, json.loads(RECORDED.read_text()) if RECORDED.exists() else {})
    if given.files:
        for file, called in here.files[given.files].items():
            print(f"\n{file}  " + " · ".join(f"{name} {times}" for name, times in called.most_common()), end="")
        print()
    if given.record:
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(figures)}" for name, figures in here.least.items())
        RECORDED.write_text(f"{{\n{lines}\n}}\n")


def show(here: Traced, recorded: dict[str, Figures]) -> None:
    """Print a table of the figures, with those that are recorded in brackets where they differ."""
    print(f"{'':8}" + "".join(f"{figure:>16}" for figure in FIGURES))
    for name, figures in here.least.items():
        cells = []
        for figure, now in figures.items():
            before = recorded.get(name, {}).get(figure)
            cells.append(f"{now}" if before in (None, now) else f"{now} ({before})")
        print(f"{name:8}" + "".join(f"{cell:>16}" for cell in cells))
    print("\ncalls by package")
    for name, packages in here.packages.items():
        print(f"{name:8}" + " · ".join(f"{package} {calls}" for package, calls in packages.most_common()))


if __name__ == "__main__":
    main()
