"""`atlas audit`: who did what to what; and whether the log of it is as it was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from agentic_atlas.cli import connection, output, times
from agentic_atlas.cli.command.declared import Argument, Option, whole
from agentic_atlas.cli.options import Iso, Json, Utc
from agentic_atlas.errors import ConfigurationError

if TYPE_CHECKING:
    from agentic_atlas.cli.times import TimeFormat
    from agentic_atlas.protocol.caller.audit import AuditArchive, AuditEntry, AuditReport

LONGEST = 600.0
"""Seconds that a server may take to check its log."""


def show_list(  # noqa: PLR0913  # each is an option of the command
    *,
    action: Annotated[
        str | None,
        Option("--action", metavar="ACTION", help="Only this, as tokens.revoke; or all of a noun, as tokens."),
    ] = None,
    who: Annotated[str | None, Option("--who", metavar="NAME|ID", help="Only by them.")] = None,
    what: Annotated[str | None, Option("--object", metavar="NAME|ID", help="Only to this.")] = None,
    since: Annotated[
        str | None, Option("--since", metavar="SPAN|TIME", help="Only newer ones: 30m, 12h, 7d, or a time in ISO 8601.")
    ] = None,
    until: Annotated[str | None, Option("--until", metavar="SPAN|TIME", help="Only older ones.")] = None,
    address: Annotated[str | None, Option("--from", metavar="ADDRESS", help="Only what was asked from there.")] = None,
    limit: Annotated[int, Option("--limit", metavar="N", type=whole(1, 10_000), help="How many.")] = 20,
    utc: Utc = False,
    iso: Iso = False,
    json: Json = False,
) -> None:
    """List what was done, newest first; for administrators."""
    clock = times.clock(utc=utc, iso=iso)
    newer, older = (None if at is None else times.moment(at, clock.now()) for at in (since, until))

    async def work() -> tuple[list[AuditEntry], int]:
        found: list[AuditEntry] = []
        async with connection.connect() as atlas:
            async for entry in atlas.audit.list(
                action=action, who=who, object=what, since=newer, until=older, address=address
            ):
                found.append(entry)
                if len(found) == limit:
                    break
            newest = None if found else await anext(atlas.audit.list(), None)
        return found, newest.seq if newest else 0

    found, newest = connection.run(work())
    if json:
        output.document({"items": found})
    elif found:
        columns = ("row", "when", "who", "did", "to", "outcome", "details", "from")
        rows = [_row(entry, clock) for entry in found]
        output.table(columns, rows, shrinks=("who", "to", "details"), drops=("from", "row"))
    else:
        output.aside(
            f"Nothing like that is in the audit log, whose last row is {newest}; what was archived is in its files."
        )


def verify(
    *,
    file: Annotated[
        tuple[Path, ...],
        Argument(
            metavar="[FILE]...",
            help="Exports and archives, in their order; without one the log of the network.",
        ),
    ] = (),
    data_dir: Annotated[
        Path | None, Option("--data-dir", help="Check the log in the data folder of a network that is not up.")
    ] = None,
    key: Annotated[
        str | None,
        Option("--key", metavar="KEY", help="The key that has to have signed it, noted from an earlier check."),
    ] = None,
    json: Json = False,
) -> None:
    """Look at every row of the audit log, and say which are not as they were written.

    A changed, missing or moved row is found, and rows that were cut off at the end or put there. Give --key for a file
    that others had: they may have signed it anew with a key of their own. Whoever can write in the network's data
    folder has its key too, and could make all of it anew: only an export that was kept elsewhere tells.
    """
    if file and data_dir is not None:
        raise click.UsageError("give a FILE or --data-dir, not both")
    report = _report(file, data_dir)
    from agentic_atlas.cli.audit_file import AuditBroken

    if key is not None and (report.head is None or report.head.key != key):
        raise AuditBroken(
            f"the head of the log is not signed with {key}: somebody made it anew, or it is another network's"
        )
    if json:
        output.document(report)
    else:
        _tell(report)
    if report.flaws:
        raise click.exceptions.Exit(1)


def export(
    *,
    file: Annotated[Path | None, Argument(help="A new file; without it the rows are printed.")] = None,
    json: Json = False,
) -> None:
    """Write the audit log as JSON, a row a line, and its signed head as the last one; for administrators.

    `atlas audit verify FILE` checks it wherever it is.
    """

    async def work() -> int:
        rows = 0
        async with connection.connect() as atlas:
            async for line in atlas.audit.export():
                written.write(msgspec.json.encode(line).decode() + "\n")
                rows += isinstance(line, AuditEntry)
        return rows

    import sys

    import msgspec

    from agentic_atlas.protocol.caller.audit import AuditEntry

    if file is None:
        written = sys.stdout
        connection.run(work())
        return
    try:
        with file.open("x", encoding="utf-8", newline="\n") as written:
            rows = connection.run(work())
    except OSError as error:
        raise ConfigurationError(f"{file} can't be written: {error.strerror}", code="file_exists") from None
    if json:
        output.document({"path": str(file.absolute()), "rows": rows})
    else:
        output.say(f"Wrote {rows} rows to {file}.")


def archive(
    *,
    before: Annotated[
        str,
        Option("--before", metavar="SPAN|TIME", help="Older ones than 365d, or than a time in ISO 8601."),
    ],
    json: Json = False,
) -> None:
    """Put old rows of the audit log into a file on the server's machine, and remove them from it; for administrators.

    `atlas audit verify FILE` checks it. The log goes on behind the last of them, and its next checks tell so.
    """
    older = times.moment(before, times.clock().now())

    async def work() -> AuditArchive:
        async with connection.connect(timeout=LONGEST) as atlas:
            return await atlas.audit.archive(older)

    with output.progress("the server is archiving rows of its audit log"):
        made = connection.run(work())
    if json:
        output.document(made)
        return
    output.say(f"Rows {made.anchor.archived - made.rows + 1} to {made.anchor.archived} are in {made.path} now.")
    output.aside("Keep it elsewhere too: backups of the network do not have it.")


def archives(*, utc: Utc = False, iso: Iso = False, json: Json = False) -> None:
    """List the files with archived rows of the audit log, on the server's machine; for administrators."""

    async def work() -> Sequence[AuditArchive]:
        async with connection.connect() as atlas:
            return await atlas.audit.archives()

    found = connection.run(work())
    if json:
        output.document({"items": found})
        return
    clock = times.clock(utc=utc, iso=iso)
    rows = [
        (f"{one.anchor.archived - one.rows + 1:,} to {one.anchor.archived:,}", clock.short(one.anchor.at), one.path)
        for one in found
    ]
    output.table(("rows", "archived", "file"), rows, shrinks=("file",))


def _report(file: tuple[Path, ...], data_dir: Path | None) -> AuditReport:
    if file:
        from agentic_atlas.cli.audit_file import check

        return check(file)
    if data_dir is not None:
        from agentic_atlas.compose.audit import check_folder

        return check_folder(data_dir)

    async def work() -> AuditReport:
        async with connection.connect(timeout=LONGEST) as atlas:
            return await atlas.audit.verify()

    with output.progress("the server is checking its audit log"):
        return connection.run(work())


def _tell(report: AuditReport) -> None:
    for flaw in report.flaws:
        output.say(f"row {flaw.seq}: {flaw.kind}: {flaw.message}")
    if report.flaws:
        output.aside("The audit log is not as it was written.")
        return
    output.say(f"{report.rows} rows are as they were written.")
    output.fields(
        [
            ("network", report.network),
            ("archived", f"up to row {report.archived}" if report.archived else ""),
            ("last hash", report.hash),
            ("signed", f"up to row {report.head.seq}" if report.head else ""),
            ("with key", report.head.key if report.head else ""),
        ]
    )


def _row(entry: AuditEntry, clock: TimeFormat) -> tuple[str, ...]:
    from agentic_atlas.protocol.caller import audit_words

    return (
        str(entry.seq),
        clock.short(entry.at),
        audit_words.who(entry),
        entry.action,
        audit_words.what(entry.object),
        entry.outcome,
        audit_words.details(entry),
        entry.address,
    )
