"""The end of a report: what was looked at, what could not be done, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from inquiry import markdown
from inquiry.answers import Found, Looked
from inquiry.ask import Failure
from inquiry.compose import Section
from inquiry.known import Line
from inquiry.plan import Agents, Plan, Scope, Source

MOST_LINES = 50
"""Lines for files that were left out, for each agent."""


@dataclass(frozen=True, slots=True)
class Course:
    """How the report came about."""

    agents: Agents
    scope: Scope
    looked: Looked
    plan: Plan
    found: Sequence[Found]
    asked: Mapping[tuple[str, str], int]
    """How often each skill of each agent was called."""


def looked_section(course: Course) -> Section:
    """Who was asked what, and who was not, with the reason."""
    lines = [_documents(course), _tables(course), _machine(course)]
    return Section("What was looked at", "\n".join(f"- {line}" for line in lines), [])


def undone_section(course: Course) -> Section:
    """Everything that may be missing from the answers."""
    lines = list(undone(course))
    text = "\n".join(lines) or "Nothing: all that was asked answered, and all files were read."
    return Section("What could not be done, and why", text, [])


def undone(course: Course) -> Iterator[str]:
    """The lines of that section, which are those of a plan too."""
    failures = [*course.looked.failures, *(failure for found in course.found for failure in found.failures)]
    yield from (f"- {line}" for line in dict.fromkeys(map(_failed, failures)))
    if course.plan.left_out:
        yield f"- {course.plan.left_out} further questions were left out: ask them by themselves"
    if any(found.hits is not None and not found.hits.complete for found in course.found):
        name = course.agents[Source.DOCUMENTS]
        yield f"- `{name}` was still reading files: the same question may find more in a moment"
    library, tables = course.looked.known.library, course.looked.known.tables
    if library is not None:
        name = course.agents[Source.DOCUMENTS]
        yield from _left_out(f"`{name}` did not read", library.skipped, library.totals.skipped)
        yield from _left_out(f"`{name}` read only in part", library.incomplete, len(library.incomplete))
    if tables is not None:
        name = course.agents[Source.TABLES]
        yield from _left_out(f"`{name}` made no table of", tables.skipped, tables.skipped_count)


def _failed(failure: Failure) -> str:
    what = f"`{failure.agent}`" if failure.gone else f"`{failure.agent}.{failure.skill}`"
    return f"{what}: {markdown.plain(failure.reason)}"


def _left_out(what: str, lines: Sequence[Line], count: int) -> Iterator[str]:
    if not count:
        return
    yield f"- {what} {_counted(count, 'file')}:"
    shown = lines[:MOST_LINES]
    yield from (f"  - {markdown.plain(line.file, 200)}: {markdown.plain(line.reason, 200)}" for line in shown)
    if count > len(shown):
        yield f"  - … and {count - len(shown)} more"


def _documents(course: Course) -> str:
    name, library = course.agents[Source.DOCUMENTS], course.looked.known.library
    if not name or not course.scope.documents:
        return "documents: not asked, as was wished" if name else "documents: there is no agent for them"
    if library is None:
        return f"documents: `{name}` did not answer"
    searches = course.asked.get((name, "search"), 0)
    has = f"has {_counted(library.totals.files, 'file')} in its index and skipped {library.totals.skipped}"
    return f"documents: `{name}` {has}; it was searched {_times(searches)}"


def _tables(course: Course) -> str:
    name, tables = course.agents[Source.TABLES], course.looked.known.tables
    if not name or not course.scope.tables:
        return "tables: not asked, as was wished" if name else "tables: there is no agent for them"
    if tables is None:
        return f"tables: `{name}` did not answer"
    queries = course.asked.get((name, "query"), 0)
    asked = f"it was asked {_times(queries)}" if queries else "none of them fits the question"
    return f"tables: `{name}` has {_counted(tables.table_count, 'table')}; {asked}"


def _machine(course: Course) -> str:
    name = course.agents[Source.MACHINE]
    if not name or course.scope.machine == "never":
        return "machine: not asked, as was wished" if name else "machine: there is no agent for it"
    skills = [skill for agent, skill in course.asked if agent == name and skill in _MACHINE_SKILLS]
    if not skills:
        return "machine: not asked, because nothing in the question is about it"
    return f"machine: `{name}` was asked for {', '.join(skills)}"


_MACHINE_SKILLS = ("overview", "health", "processes")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _times(count: int) -> str:
    return {0: "not at all", 1: "once", 2: "twice"}.get(count, f"{count} times")
