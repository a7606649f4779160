"""From answers to the sections of a report, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from inquiry import markdown
from inquiry.answers import Found, TableAnswer
from inquiry.citations import Citation, Citations, line, place
from inquiry.known import Hit
from inquiry.machine import describe
from inquiry.passages import choose
from inquiry.plan import Agents, Source
from inquiry.wish import NoRow

_MOST_BYTES = 180_000
"""Longest report, so that it fits an event of a task together with its citations."""


@dataclass(frozen=True)
class Section:
    """A piece of the report as it is streamed: a title, its text in Markdown, and what the text cites."""

    title: str
    text: str
    citations: list[Citation]
    kind: Literal["section"] = "section"

    @property
    def markdown(self) -> str:
        """The section with its title."""
        return f"## {self.title}\n\n{self.text}"


@dataclass(frozen=True)
class Report:
    """The last piece: the whole report in Markdown, and everything it cites."""

    report: str
    citations: list[Citation]
    kind: Literal["report"] = "report"


def answer_section(number: int, found: Found, agents: Agents, citations: Citations) -> Section:
    """The answers to one question: tables first, they say it exactly; then the machine; then passages."""
    blocks: list[str] = []
    cited: list[Citation] = []
    for one in found.tables:
        if isinstance(one, NoRow):
            blocks.append(_no_row(one))
        else:
            cited.append(citations.rows(agents[Source.TABLES], one.query, one.sql))
            blocks.append(_rows(one, cited[-1]))
    blocks += [describe(told.answer, told.topics) for told in found.machine]
    answered = bool(found.machine) or any(isinstance(one, TableAnswer) for one in found.tables)
    passages = choose(found.part.search, found.hits, answered=answered)
    for hit in passages.shown:
        cited.append(citations.passage(agents[Source.DOCUMENTS], hit))
        blocks.append(_passage(hit, cited[-1]))
    if passages.remark:
        blocks.append(passages.remark)
    text = "\n\n".join(blocks) or _nothing(found)
    return Section(f"{number}. {markdown.plain(found.part.question.text)}", text, cited)


def sources_section(citations: Citations) -> Section:
    """All citations by number."""
    text = "\n".join(line(citation) for citation in citations.all) or "None: nothing was found."
    return Section("Sources", text, list(citations.all))


def whole(question: str, sections: Sequence[Section], citations: Citations) -> Report:
    """The report of these sections; sections at its end are left out when it would be too long."""
    text = f"# {markdown.plain(question, 500)}"
    for section in sections:
        longer = f"{text}\n\n{section.markdown}"
        if len(longer.encode()) > _MOST_BYTES:
            text += f"\n\n*Left out, because the report would be too long: {section.title}*"
            continue
        text = longer
    return Report(f"{text}\n", list(citations.all))


def _rows(answer: TableAnswer, citation: Citation) -> str:
    query, rows = answer.query, answer.rows
    lines = rows.rows[: query.limit]
    single = len(lines) == 1 and not query.groups and query.figures
    if not lines:
        shown = "No row."
    elif single:
        shown = "; ".join(
            f"**{markdown.plain(column.name)}: {markdown.cell(value)}**"
            for column, value in zip(rows.columns, lines[0], strict=False)
        )
    else:
        shown = markdown.table([column.name for column in rows.columns], lines)
    # Of "the highest" the first few are all that was asked for.
    left_out = rows.notes if query.order is None else []
    others = [markdown.plain(note) for note in (*query.table.notes, *left_out)]
    remarks = "; ".join([query.told, *query.notes, *others])
    return f"{shown}\n\nFrom {place(citation)}: {remarks} [{citation.number}]"


def _no_row(one: NoRow) -> str:
    values = ", ".join(f"“{value}”" for value in one.values)
    table = f"{markdown.code(one.table)} ({markdown.plain(one.file)})"
    return f"The table {table} has no row with {markdown.plain(values)}."


def _passage(hit: Hit, citation: Citation) -> str:
    about = hit.heading or hit.title
    under = f", “{markdown.plain(about, 100)}”" if about else ""
    return f"{markdown.quoted(citation.quote)}\n>\n> — {place(citation)}{under} [{citation.number}]"


def _nothing(found: Found) -> str:
    if found.failures:
        return "No answer: see below what could not be done."
    asked = bool(found.part.search or found.part.wishes or found.part.machine)
    return "Nothing was found." if asked else "Nobody could be asked: see below."
