"""An agent that answers questions with the help of three others: documents, tables and the machine.

It plans who can contribute, asks them in parallel, and writes a report: direct answers first, each with its source,
then what was looked at and what could not be done. No language model takes part: every sentence of the report is from
a file, a table or a measurement, or says what was done.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

from dotenv import dotenv_values
from inquiry.ask import Asker
from inquiry.compose import Report, Section
from inquiry.inquiry import Inquiry
from inquiry.plan import Scope, Source, ToldPlan, When
from pydantic import Field

from agentic_atlas import Agent, Context

HERE = Path(__file__).resolve().parent
_SETTINGS = {**dotenv_values(HERE / ".env"), **os.environ}  # noqa: TID251 - this agent's own settings

AGENTS = {
    Source.DOCUMENTS: _SETTINGS.get("DOCUMENTS_AGENT", "document_search") or "",
    Source.TABLES: _SETTINGS.get("TABLES_AGENT", "table_query") or "",
    Source.MACHINE: _SETTINGS.get("MACHINE_AGENT", "system_report") or "",
}
"""Who is asked; an empty name means that there is none."""

agent = Agent(
    "research",
    description="Answers questions from documents, tables and the machine by asking other agents; cites every answer",
)

Asked = Annotated[str, "One question, or several of them", Field(min_length=1, max_length=4_000)]


@agent.skill(timeout=300)
async def report(
    ctx: Context,
    question: Asked,
    documents: Annotated[bool, "Search documents"] = True,
    tables: Annotated[bool, "Ask tables"] = True,
    machine: Annotated[When, "Ask about the machine the agents run on"] = "when asked",
) -> AsyncIterator[Annotated[Section | Report, Field(discriminator="kind")]]:
    """Answer a question in a cited report: streams its sections, and last the whole in Markdown with all citations."""
    inquiry = _inquiry(ctx, question, Scope(documents, tables, machine))
    cited = 0
    async with aclosing(inquiry.pieces()) as pieces:
        async for piece in pieces:
            cited = len(piece.citations)
            yield piece
    ctx.log.info("reported", calls=sum(inquiry.asker.asked.values()), citations=cited)


@agent.skill(timeout=120)
async def plan(
    ctx: Context,
    question: Asked,
    documents: Annotated[bool, "Search documents"] = True,
    tables: Annotated[bool, "Ask tables"] = True,
    machine: Annotated[When, "Ask about the machine the agents run on"] = "when asked",
) -> ToldPlan:
    """Tell what would be asked of whom to answer a question, and ask nothing but what they have."""
    return await _inquiry(ctx, question, Scope(documents, tables, machine)).plan()


def _inquiry(ctx: Context, question: str, scope: Scope) -> Inquiry:
    async def call(name: str, skill: str, input: Mapping[str, object]) -> object:
        return await ctx.call(name, skill, **input)

    return Inquiry(question, scope, AGENTS, Asker(call))


if __name__ == "__main__":
    agent.run()
