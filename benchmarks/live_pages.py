"""Pages that are open while tasks run: what they cost the server, what they miss, and whether a tab grows.

Ten pages, each in a browser's profile of its own, so that each has its own stream, are open on Overview and Tasks while
an agent is given so many tasks a second. What the server takes then is compared with what it takes without a page.

```console
$ python -m benchmarks.live_pages
$ python -m benchmarks.live_pages --seconds 10
```
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

import psutil
from playwright.sync_api import Page

from agentic_atlas import Client
from tests.browser import browser
from tests.e2e.processes import Platform, connected
from tests.e2e.programs import ECHO
from tests.looked_at import Window, log_in, set_password, window

PER_SECOND = 50
SECONDS = 60.0
PAGES = ("/overview", "/tasks")
OPEN = 10
SHOWN = 50
"""Tasks that the first page of the list has."""
SETTLED = 5.0
"""Seconds within which every page shows how things ended."""
EVERY = 5.0
"""Seconds between two looks at a tab's memory."""
WIDTH = 8
"""Tasks that are asked for at the same time at the most."""


@contextmanager
def load(atlas: Client) -> Iterator[list[str]]:
    """Have so many tasks a second run meanwhile; yields the ids of those that ended, in the order of their making."""
    asked: list[str] = []
    over = Event()

    def one() -> str:
        task = atlas.submit("echo", "say", {"text": "hello"})
        task.result(timeout=30)
        return task.id

    def all_of_them(pool: ThreadPoolExecutor) -> None:
        due, going = time.monotonic(), []
        while not over.is_set():
            going.append(pool.submit(one))
            due += 1 / PER_SECOND
            over.wait(max(0.0, due - time.monotonic()))
        asked.extend(sorted(future.result() for future in going))

    with ThreadPoolExecutor(WIDTH) as workers, ThreadPoolExecutor(1) as pacer:
        pacing = pacer.submit(all_of_them, workers)
        try:
            yield asked
        finally:
            over.set()
            pacing.result()


def cpu(server: psutil.Process) -> float:
    """Return the seconds that a server has taken, with the processes it has begun."""
    return sum(sum(one.cpu_times()[:2]) for one in (server, *server.children(recursive=True)))


def taken(server: psutil.Process, seconds: float, wait: Callable[[], None]) -> float:
    """Return what a server takes of a core for so long; `wait` is called again and again."""
    began, before = time.monotonic(), cpu(server)
    while time.monotonic() - began < seconds:
        wait()
    return (cpu(server) - before) / (time.monotonic() - began)


def heap(page: Page) -> int:
    """Return the bytes of a tab's objects and nodes that are in use, after all that can be collected is."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = int(session.send("Runtime.getHeapUsage")["usedSize"])
    session.detach()
    return used


def missed(pages: list[Window], newest: list[str]) -> int:
    """Return how many rows of all lists are not those of the newest tasks, each as it ended, when the time is over."""
    expected = [[task, "completed"] for task in reversed(newest[-SHOWN:])]
    read = "[...document.querySelectorAll('tbody tr')].map((one) => [one.querySelector('th').innerText.trim()," + (
        " one.querySelector('.badge').innerText])"
    )
    ends, wrong = time.monotonic() + SETTLED, 0
    for one in pages:
        while (seen := one.page.evaluate(read)) != expected and time.monotonic() < ends:
            one.page.wait_for_timeout(100)
        wrong += sum(row not in seen for row in expected)
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long pages are open")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder, ExitStack() as held:
        platform = Platform(Path(folder) / "network").start()
        held.callback(platform.kill)
        set_password(platform)
        assert platform.process is not None
        server = psutil.Process(platform.process.pid)
        atlas = held.enter_context(Client(platform.url, api_key=platform.api_key))
        held.enter_context(platform.agent("echo", ECHO)).wait_for(connected)
        opened = held.enter_context(browser())
        with load(atlas):
            taken(server, 3.0, lambda: time.sleep(0.1))  # all of it is loaded then
            alone = taken(server, seconds / 2, lambda: time.sleep(0.1))
        pages = [held.enter_context(window(opened, platform)) for _ in range(OPEN)]
        for number, one in enumerate(pages):
            log_in(one)
            one.go(PAGES[number % len(PAGES)])
        heaps: list[list[int]] = [[] for _ in PAGES]

        def wait() -> None:
            pages[0].page.wait_for_timeout(EVERY * 1000)
            for number, known in enumerate(heaps):
                known.append(heap(pages[number].page))

        with load(atlas) as asked:
            beside = taken(server, seconds, wait)
        lists = [one for number, one in enumerate(pages) if PAGES[number % len(PAGES)] == "/tasks"]
        wrong = missed(lists, asked)
        print(f"{len(asked)} tasks in {seconds:.0f} s, {OPEN} pages open")
        print(f"server, without a page   {alone * 100:5.1f} % of a core")
        print(f"server, with all of them {beside * 100:5.1f} % of a core: {(beside - alone) * 100:.1f} more")
        print(f"rows that are not as they ended, {SETTLED:.0f} s later: {wrong}")
        for path, known in zip(PAGES, heaps, strict=True):
            third = len(known) // 3 or 1
            # In the first third a tab's scripts are compiled, and what they need is made.
            before, last = (min(some) >> 10 for some in (known[-2 * third : -third] or known, known[-third:]))
            print(f"{path}: objects of a tab {before} KiB in the second third of the time, {last} in the last")
        faults = [fault for one in pages for fault in one.faults]
        if wrong or faults:
            sys.exit(f"pages were wrong: {faults or 'see above'}")


if __name__ == "__main__":
    main()
