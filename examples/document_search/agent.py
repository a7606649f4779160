"""An agent that answers questions from the documents in a folder of yours.

The documents, the index and the search stay on this machine. What a caller gets is the answer: snippets of at most 280
characters, each with the file's name and the place in it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dotenv import dotenv_values
from library.catalog import Status, Step
from library.errors import EmptyQuery, FolderMissing, NotAnIndex
from library.live import LiveLibrary, Report
from library.search import MOST_HITS, Hit
from pydantic import Field

from agentic_atlas import Agent, Context
from agentic_atlas.errors import ConfigurationError, Unavailable

HERE = Path(__file__).resolve().parent
_SETTINGS = {**dotenv_values(HERE / ".env"), **os.environ}  # noqa: TID251 - this agent's own settings


def _path(variable: str, default: str) -> Path:
    """A path from the settings; one that is not absolute is meant from this file's folder."""
    return HERE / Path(_SETTINGS.get(variable) or default).expanduser()


documents = LiveLibrary(
    folder=_path("DOCUMENTS_FOLDER", "documents"),
    database=_path("DOCUMENTS_INDEX", ".document_search/index.sqlite3"),
)


@asynccontextmanager
async def following(_agent: Agent) -> AsyncIterator[None]:
    """Indexes the folder while the agent runs, from its start on."""
    try:
        async with documents.open():
            yield
    except (FolderMissing, NotAnIndex) as error:
        raise ConfigurationError(str(error)) from None


agent = Agent(
    "document_search",
    description="Finds passages in the text, Markdown, HTML, PDF and Office files of a folder on its owner's machine",
    lifespan=following,
)


@dataclass(frozen=True)
class SearchAnswer:
    """What was found for a query, the best first."""

    hits: list[Hit]
    complete: Annotated[
        bool, Field(description="False while files are still being read: the same question may find more later")
    ]


@agent.skill
async def search(
    ctx: Context,
    query: Annotated[
        str, "A question or some words; words in double quotes must stand together", Field(max_length=2_000)
    ],
    limit: Annotated[int, "Passages wanted", Field(ge=1, le=MOST_HITS)] = 5,
) -> SearchAnswer:
    """Find the passages that answer a question, each with its file, place and a snippet with the found words marked."""
    try:
        answer = await documents.search(query, limit)
    except EmptyQuery as error:
        ctx.reject(str(error), code="empty_query")
    ctx.log.info("searched", hits=len(answer.hits), complete=answer.complete)
    return SearchAnswer(answer.hits, answer.complete)


@agent.skill
async def index(ctx: Context, everything: Annotated[bool, "Read unchanged files again as well"] = False) -> Report:
    """Bring the index up to date now, and report what is in it and what was skipped, with the reason."""

    async def tell(step: Step) -> None:
        if step.total:
            await ctx.progress(step.done / step.total, f"{step.done} of {step.total} files read")

    try:
        report = await documents.index(everything=everything, tell=tell)
    except FolderMissing as error:
        # The error itself names a path on this machine, which is not for a caller.
        raise Unavailable("the folder of documents is not there at the moment", code="folder_missing") from error
    ctx.log.info("indexed", files=report.files_indexed, read=report.files_read_now, skipped=report.files_skipped)
    return report


@agent.skill
async def status() -> Status:
    """Tell what is indexed and what was skipped, with the reason."""
    return await documents.status()


if __name__ == "__main__":
    agent.run()
