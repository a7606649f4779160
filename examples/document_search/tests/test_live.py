"""On an event loop the library indexes by itself, follows changes, and answers meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from document_catalogs import reading_processes
from library.catalog import Step
from library.document import Limits
from library.errors import FolderMissing
from library.live import Answer, LiveLibrary


def run(library: LiveLibrary, block: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), library.open():
            await block()

    asyncio.run(main())


async def quiet(_step: Step) -> None:
    """Tells nobody."""


def files(answer: Answer) -> list[str]:
    return sorted(hit.file for hit in answer.hits)


def test_a_change_is_seen_by_the_next_question(folder: Path, database: Path) -> None:
    (folder / "a.txt").write_text("apples")
    library = LiveLibrary(folder, database)

    async def block() -> None:
        report = await library.index(everything=False, tell=quiet)
        assert (report.files_indexed, report.characters) == (1, len("apples"))
        (folder / "b.txt").write_text("more apples")
        assert files(await library.search("apples", 5)) == ["a.txt", "b.txt"]
        (folder / "a.txt").unlink()
        assert files(await library.search("apples", 5)) == ["b.txt"]

    run(library, block)


def test_many_questions_at_once_are_all_answered_from_the_newest_state(folder: Path, database: Path) -> None:
    library = LiveLibrary(folder, database)

    async def block() -> None:
        (folder / "a.txt").write_text("apples")
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(library.search("apples", 5)) for _ in range(50)]
        assert all(files(task.result()) == ["a.txt"] for task in asked)

    run(library, block)


def test_indexing_tells_its_steps_and_what_it_came_to(folder: Path, database: Path) -> None:
    for number in range(70):
        (folder / f"{number}.txt").write_text("apples")
    (folder / "b.txt").write_bytes(b"\0")
    library = LiveLibrary(folder, database)
    told: list[Step] = []

    async def tell(step: Step) -> None:
        told.append(step)

    async def block() -> None:
        await library.index(everything=False, tell=quiet)
        report = await library.index(everything=True, tell=tell)
        assert [step.done for step in told] == [0, 50, 71]
        assert (report.files_read_now, report.files_indexed, report.files_skipped) == (71, 70, 1)
        assert [(line.file, line.reason) for line in report.skipped] == [("b.txt", "is not text: holds NUL bytes")]
        assert (await library.status()).skipped == report.skipped

    run(library, block)


def test_a_question_does_not_wait_for_a_long_file(
    folder: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("library.live.PATIENCE", 0.05)
    (folder / "long.txt").write_text("a new word every time\n" * 400_000)
    library = LiveLibrary(folder, database, Limits())

    async def block() -> None:
        answer = await library.search("word", 5)
        assert answer == Answer([], complete=False)

    run(library, block)
    assert reading_processes() == [], "closing ends the process in the middle of the file"


def test_an_error_of_the_block_comes_out_as_it_is(folder: Path, database: Path) -> None:
    async def block() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run(LiveLibrary(folder, database), block)


def test_without_a_folder_it_does_not_start(tmp_path: Path, database: Path) -> None:
    with pytest.raises(FolderMissing):
        run(LiveLibrary(tmp_path / "missing", database), lambda: asyncio.sleep(0))
    assert not database.exists()
