"""A catalog that keeps itself up to date while an event loop runs.

Changes are found by listing the folder again, in the background and before each question, not by notifications of the
operating system: those are lost on network drives, in containers and when there are too many, and a list of a thousand
files takes a few milliseconds.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from library.catalog import Catalog, Status, Step
from library.document import Limits
from library.errors import FolderMissing
from library.index import Line
from library.search import Hit

PATIENCE = 1.0
"""Seconds a question waits for files that have just changed, before it is answered from what is known."""
_PAUSE = 2.0
"""Seconds between two looks at the folder while nobody asks."""
_PASSING = (FolderMissing, sqlite3.Error, OSError)
"""What ends by itself: a drive that is not mounted, a full disk. The next look is the next try."""

_log = logging.getLogger(__name__)

Tell = Callable[[Step], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, and whether all files had been read by then."""

    hits: list[Hit]
    complete: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What indexing came to. The lists hold the first files by name; the numbers count all."""

    files_indexed: int
    files_read_now: int
    files_removed: int
    files_skipped: int
    characters: int
    seconds: float
    skipped: list[Line]
    incomplete: list[Line]


class LiveLibrary:
    """Open it with `async with library.open():` on the loop that uses it."""

    def __init__(self, folder: Path, database: Path, limits: Limits | None = None) -> None:
        self._folder = folder
        self._database = database
        self._limits = limits
        self._turn = asyncio.Lock()
        self._begun = 0.0  # when the last refresh that came to its end began
        self._opened: tuple[Catalog, ThreadPoolExecutor] | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Opens the index, and follows the folder until the block ends.

        Raises FolderMissing, NotAnIndex, and sqlite3.Error when the index cannot be used.
        """
        if not self._folder.is_dir():
            raise FolderMissing(self._folder)
        catalog = await asyncio.to_thread(Catalog, self._folder, self._database, self._limits)
        # One thread reads and writes, so that files that take long never hold up the threads that search.
        writer = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._opened = (catalog, writer)
        failure: Exception | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                following = tasks.create_task(self._follow(), name="follow the folder")
                try:
                    yield
                except Exception as error:  # noqa: BLE001 - of the caller's block: raised again as it is, in no group
                    failure = error
                following.cancel()
            if failure is not None:
                raise failure
        finally:
            self._opened = None
            await asyncio.to_thread(catalog.close)
            await asyncio.to_thread(writer.shutdown, cancel_futures=True)

    async def search(self, query: str, limit: int) -> Answer:
        """The best passages for a query, from an index as new as PATIENCE allows. Raises EmptyQuery."""
        complete = await self._caught_up()
        catalog, _ = self._running()
        return Answer(await asyncio.to_thread(catalog.search, query, limit), complete)

    async def index(self, *, everything: bool, tell: Tell) -> Report:
        """Brings the index up to date now, telling each step; with `everything`, reads unchanged files again.

        Raises FolderMissing and sqlite3.Error.
        """
        began = asyncio.get_running_loop().time()
        last = await self._refreshed(everything=everything, tell=tell)
        status = await self.status()
        return Report(
            files_indexed=status.totals.files,
            files_read_now=last.total,
            files_removed=last.removed,
            files_skipped=status.totals.skipped,
            characters=status.totals.characters,
            seconds=round(asyncio.get_running_loop().time() - began, 2),
            skipped=status.skipped,
            incomplete=status.incomplete,
        )

    async def status(self) -> Status:
        """What is in the index, and what is not."""
        catalog, _ = self._running()
        return await asyncio.to_thread(catalog.status)

    def _running(self) -> tuple[Catalog, ThreadPoolExecutor]:
        assert self._opened is not None, "the library is used outside of `async with library.open()`"
        return self._opened

    async def _follow(self) -> None:
        said = ""
        while True:
            try:
                if self._running()[0].due():
                    await self._refreshed()
                problem = ""
            except _PASSING as error:
                problem = str(error)
            if problem and problem != said:
                _log.warning("changes in the folder cannot be followed at the moment: %s", problem)
            said = problem
            await asyncio.sleep(_PAUSE)

    async def _caught_up(self) -> bool:
        asked = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(PATIENCE):
                if self._running()[0].due():
                    await self._refreshed(unless_since=asked)
        except (TimeoutError, *_PASSING):
            return False
        return True

    async def _refreshed(
        self, *, everything: bool = False, tell: Tell | None = None, unless_since: float = math.inf
    ) -> Step:
        """One refresh from beginning to end; given up between two batches when the waiting task is cancelled.

        Questions asked at the same moment share one: it is left out when another has begun `unless_since`, and ended.
        """
        catalog, writer = self._running()
        loop = asyncio.get_running_loop()
        last = Step(0, 0, 0)
        async with self._turn:
            if self._begun >= unless_since:
                return last
            began = loop.time()
            steps = catalog.refresh(everything=everything)
            while step := await loop.run_in_executor(writer, next, steps, None):
                last = step
                if tell is not None:
                    await tell(step)
            self._begun = began
        return last
