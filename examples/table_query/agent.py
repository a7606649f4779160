"""An agent that answers SQL over the CSV, Parquet and Excel files in a folder of yours.

The files and the work stay on this machine. What a caller gets is the answer to one SELECT, bounded in rows and bytes;
the SQL can change nothing, and reaches nothing but the tables.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from dotenv import dotenv_values
from pydantic import Field
from tables.answers import Description, TableList, describe_table, list_tables
from tables.catalog import Catalog
from tables.errors import FolderMissing, QueryFailed, UnknownTable
from tables.limits import MOST_ROWS, Limits
from tables.table import Answer

from agentic_atlas import Agent, Context
from agentic_atlas.errors import ConfigurationError, Unavailable

HERE = Path(__file__).resolve().parent
_SETTINGS = {**dotenv_values(HERE / ".env"), **os.environ}  # noqa: TID251 - this agent's own settings


def _path(variable: str, default: str) -> Path:
    """A path from the settings; one that is not absolute is meant from this file's folder."""
    return HERE / Path(_SETTINGS.get(variable) or default).expanduser()


def _number(variable: str, default: int, most: int) -> int:
    """A whole number from the settings. Raises ConfigurationError."""
    text = _SETTINGS.get(variable) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise ConfigurationError(f"{variable} is {text!r}: set it to a whole number from 1 to {most:,}")
    return int(text)


def _limits() -> Limits:
    return Limits(
        query_seconds=_number("TABLES_QUERY_SECONDS", 30, 3_600),
        memory_megabytes=_number("TABLES_QUERY_MEMORY_MB", 1_024, 1_048_576),
    )


catalog = Catalog(folder=_path("TABLES_FOLDER", "data"), cache=_path("TABLES_CACHE", ".table_query"))


@asynccontextmanager
async def checked(_agent: Agent) -> AsyncIterator[None]:
    """Says what is wrong before the agent connects, and not with the first question."""
    try:
        catalog.open(_limits())
    except FolderMissing as error:
        raise ConfigurationError(str(error)) from None
    except OSError as error:
        raise ConfigurationError(f"the folder of TABLES_CACHE cannot be used: {error}") from None
    yield


# Four queries at a time: each may take the memory set above.
agent = Agent(
    "table_query",
    description="Answers SQL (DuckDB) over the CSV, Parquet and Excel files in a folder on its owner's machine",
    concurrency=4,
    lifespan=checked,
)


@agent.skill
async def tables(ctx: Context) -> TableList:
    """List the tables: name, file, columns with their types, rows; and the files that were skipped, with the reason."""

    async def tell(ready: int, total: int) -> None:
        await ctx.progress(ready / total, f"{ready} of {total} files ready")

    try:
        listing = await catalog.tables(tell)
    except FolderMissing as error:
        raise _away() from error
    ctx.log.info("listed", tables=len(listing.tables), skipped=len(listing.skipped))
    return list_tables(listing)


@agent.skill
async def describe(
    ctx: Context, table: Annotated[str, "Name of a table, as `tables` lists it", Field(max_length=200)]
) -> Description:
    """Describe the columns of a table: type, nulls, different values, smallest and largest, examples."""
    try:
        return describe_table(*await catalog.describe(table))
    except UnknownTable as error:
        ctx.reject(str(error), code="unknown_table")
    except QueryFailed as error:
        ctx.reject(str(error), code=error.code)
    except FolderMissing as error:
        raise _away() from error


@agent.skill
async def query(
    ctx: Context,
    sql: Annotated[str, "One SELECT in DuckDB's SQL, over the tables that `tables` lists", Field(max_length=20_000)],
    limit: Annotated[int, "Rows wanted", Field(ge=1, le=MOST_ROWS)] = 100,
) -> Answer:
    """Run one SELECT over the tables and return its columns and first rows."""
    try:
        answer = await catalog.query(sql, limit)
    except QueryFailed as error:
        ctx.log.info("rejected", code=error.code)
        ctx.reject(str(error), code=error.code)
    except FolderMissing as error:
        raise _away() from error
    ctx.log.info("answered", rows=len(answer.rows), columns=len(answer.columns), seconds=answer.seconds)
    return answer


def _away() -> Unavailable:
    """The error itself names a path on this machine, which is not for a caller."""
    return Unavailable("the folder of tables is not there at the moment", code="folder_missing")


if __name__ == "__main__":
    agent.run()
