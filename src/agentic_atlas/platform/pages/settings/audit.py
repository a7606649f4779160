"""Audit log: who did what to what, whether the log of it is as it was written, and all of it as a file."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

import msgspec
from pydantic import BaseModel, Field

from agentic_atlas.backend.audited import ACTIONS, NOUNS
from agentic_atlas.backend.ports import AuditFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import audit
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.errors import InvalidInput
from agentic_atlas.http.messages import Response, StreamingResponse
from agentic_atlas.http.routes import WHOLE
from agentic_atlas.http.turns import Turns
from agentic_atlas.platform.page import PageGroup, see_other
from agentic_atlas.platform.pages.settings.page import SECTION, SettingsPage, place_for
from agentic_atlas.platform.pages.tokens import Choice
from agentic_atlas.platform.wording import duration
from agentic_atlas.protocol.caller import audit_words
from agentic_atlas.protocol.caller.audit import AuditArchive, AuditCheck, AuditEntry, AuditReport, AuditRows, lines_of

pages = PageGroup(SECTION)

PATH = "/settings/audit"
_CHECK: Final = f"{PATH}/check"

LINES_IN_PAGE = 50
"""Rows in one page of the log."""
_AT_ONCE: Final = 500
"""Rows that are read of an export at once."""
_OF_EXPORT: Final = (
    ("content-type", "application/octet-stream"),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "same-origin"),
)


class SoughtRows(BaseModel):
    """What somebody looks for; what is empty narrows nothing."""

    who: Annotated[str, Field(max_length=200)] = ""
    action: Annotated[str, Field(max_length=64)] = ""
    object: Annotated[str, Field(max_length=200)] = ""
    address: Annotated[str, Field(max_length=64)] = ""
    since: Annotated[str, Field(max_length=10)] = ""
    until: Annotated[str, Field(max_length=10)] = ""


class AuditLine(msgspec.Struct, frozen=True):
    """A row of the log, as it is read.

    Attributes:
        entry: the row.
        who: who it was.
        what: what it was done to.
        details: all other facts, in words.
        facts: the same, as they stand in the row.
    """

    entry: AuditEntry
    who: str
    what: str
    details: str
    facts: str


class AuditView(SettingsPage, frozen=True):
    """Part of the audit log, newest first.

    Attributes:
        lines: its rows.
        sought: what is looked for, by the names of the query.
        narrowed: something is.
        actions: that may be looked for.
        fault: why nothing can be found; empty: it can.
        check: the check that goes on, else the last one; None: there was none since the start.
        archives: files with archived rows: the first of their numbers, and the file.
        after: the cursor of this part; empty: it is the newest.
        next: the cursor of the part that follows; empty: there is none.
    """

    lines: Sequence[AuditLine]
    sought: Mapping[str, str]
    narrowed: bool
    actions: Sequence[Choice]
    fault: str
    check: AuditCheck | None
    archives: Sequence[tuple[int, AuditArchive]]
    after: str
    next: str


class CheckView(SettingsPage, frozen=True):
    """What a check of the log came to, or how far it is.

    Attributes:
        check: it; None: there was none since the start.
        report: what it came to; None: nothing yet.
        wrong: the first row that is not as it was written, in words; empty: each is.
        took: how long, until its end or until now.
    """

    check: AuditCheck | None
    report: AuditReport | None
    wrong: str
    took: str


@pages.page("GET", PATH, "settings_audit.html")
async def show(
    application: Application,
    who: Principal,
    turns: Turns,
    wanted: SoughtRows,
    after: Annotated[int | None, Field(ge=0, le=2**53), WHOLE] = None,
) -> AuditView:
    """Look through the log, newest first."""
    fault, found = "", list[AuditEntry]()
    async with turns.turn(who.user.id):
        try:
            found = await audit.find(who, application, sought(wanted), limit=LINES_IN_PAGE, before=after)
        except InvalidInput as error:
            fault = error.message
        archives = await audit.archives(who, application)
    said = {name: value for name, value in wanted.model_dump().items() if value}
    return AuditView(
        place=place_for(who, PATH),
        lines=[line(entry) for entry in found],
        sought=SoughtRows().model_dump() | said,
        narrowed=bool(said),
        actions=actions(wanted.action),
        fault=fault,
        check=await audit.checked(who, application),
        archives=[(one.anchor.archived - one.rows + 1, one) for one in archives],
        after="" if after is None else str(after),
        next=str(found[-1].seq) if len(found) == LINES_IN_PAGE else "",
    )


@pages.page("GET", _CHECK, "settings_audit_check.html")
async def checked(application: Application, who: Principal) -> CheckView:
    """Show what the last check of the log came to, or how far it is."""
    check = await audit.checked(who, application)
    now = datetime.fromtimestamp(application.now(), UTC)
    return CheckView(
        place=place_for(who, PATH),
        check=check,
        report=check.report if check else None,
        wrong=first_wrong(check.report) if check and check.report else "",
        took=duration(((check.ended_at or now) - check.begun_at).total_seconds()) if check else "",
    )


@pages.at("POST", _CHECK, listed=False)
async def check(application: Application, who: Principal) -> Response:
    """Have the log checked, and show how far that is."""
    await audit.check(who, application)
    return see_other(_CHECK)


@pages.at("POST", f"{PATH}/export", listed=False)
async def export(application: Application, who: Principal) -> StreamingResponse:
    """Send all of the log as a file, as `atlas audit export` writes it; one that was cut off has no last line."""
    first = await audit.rows(who, application, after=0, limit=_AT_ONCE)
    named = ("content-disposition", f'attachment; filename="audit-{first.network}.jsonl"')
    return StreamingResponse((*_OF_EXPORT, named), _lines(application, who, first))


async def _lines(application: Application, who: Principal, first: AuditRows) -> AsyncGenerator[bytes, None]:
    async def rows(after: int) -> AuditRows:
        if not after:
            return first
        # It takes a while, in which they may lose the right.
        return await audit.rows(await application.again(who), application, after=after, limit=_AT_ONCE)

    async for one in lines_of(rows, _AT_ONCE):
        yield msgspec.json.encode(one) + b"\n"


def first_wrong(report: AuditReport) -> str:
    """Return the first row that is not as it was written, and in what; nothing when each is."""
    if not report.flaws:
        return ""
    first = min(report.flaws, key=lambda flaw: flaw.seq)
    return f"row {first.seq:,}, {first.kind.replace('_', ' ')}: {first.message}"


def sought(wanted: SoughtRows) -> AuditFilter:
    """Return what is looked for; raises InvalidInput for a day that is none."""
    since, until = _day(wanted.since), _day(wanted.until, timedelta(days=1))
    return AuditFilter(
        action=wanted.action.strip() or None,
        who=wanted.who.strip() or None,
        object=wanted.object.strip() or None,
        since=since.timestamp() if since else None,
        until=until.timestamp() if until else None,
        address=wanted.address.strip() or None,
    )


def line(entry: AuditEntry) -> AuditLine:
    """Return a row as it is read."""
    facts = msgspec.json.format(msgspec.json.encode(entry.detail), indent=2).decode() if entry.detail else ""
    return AuditLine(entry, audit_words.who(entry), audit_words.what(entry.object), audit_words.details(entry), facts)


def actions(chosen: str) -> list[Choice]:
    """Return what may be looked for: all that is done to something, and each of it."""
    found = [Choice("", "Anything", chosen=not chosen)]
    for noun in NOUNS:
        found.append(Choice(noun, f"{noun.replace('_', ' ')}: all", chosen=chosen == noun))
        found += [Choice(one, one, chosen=chosen == one) for one in ACTIONS if one.startswith(f"{noun}.")]
    known = any(one.chosen for one in found)
    return found if known else [*found, Choice(chosen, chosen, chosen=True)]


def _day(text: str, more: timedelta = timedelta()) -> datetime | None:
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
        return datetime(found.year, found.month, found.day, tzinfo=UTC) + more
    except (ValueError, OverflowError):
        raise InvalidInput(f"{text!r} is no day: write one like 2026-11-30") from None
