"""`client.audit`: who did what to what, for administrators."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime

from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.caller.audit import (
    ArchiveRequest,
    AuditAnchor,
    AuditArchive,
    AuditArchiveList,
    AuditEntry,
    AuditHead,
    AuditPage,
    AuditReport,
    AuditRows,
    lines_of,
)
from agentic_atlas.sdk.client.http import Api, pages

_PAGE = 500


class AsyncAudit:
    """The audit log of a network, as `AsyncClient.audit`; for administrators."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(
        self,
        *,
        action: str | None = None,
        who: str | None = None,
        object: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        address: str | None = None,
    ) -> AsyncGenerator[AuditEntry, None]:
        """Yield what was done, newest first.

        Args:
            action: only this, for instance `tokens.revoke`, or all of a noun: `tokens`.
            who: only by who has this id or name.
            object: only to what has this id or name.
            since: an aware time; only what was done from then on.
            until: likewise; only what was done before.
            address: only what was asked from there.
        """
        wanted = {"action": action, "who": who, "object": object, "address": address}
        for name, at in (("since", since), ("until", until)):
            wanted[name] = None if at is None else _aware(at, name).isoformat()
        return pages(self._api, "/audit", AuditPage, wanted)

    async def export(self) -> AsyncGenerator[AuditEntry | AuditHead | AuditAnchor, None]:
        """Yield all rows as they were written, and then the log's signed head; first of all what they go on behind.

        That is the signed anchor of what was archived, if anything was.

        Each of them as a line of JSON is an export that `atlas audit verify FILE` checks anywhere.
        """

        async def rows(after: int) -> AuditRows:
            return await self._api.send("GET", "/audit/rows", AuditRows, query={"after": after, "limit": _PAGE})

        async for line in lines_of(rows, _PAGE):
            yield line

    async def verify(self) -> AuditReport:
        """Have the server look at every row; `flaws` says which are not as they were written."""
        return await self._api.send("GET", "/audit/verification", AuditReport)

    async def archives(self) -> Sequence[AuditArchive]:
        """Return the files with archived rows on the server's machine, the newest first; at most 100."""
        return (await self._api.send("GET", "/audit/archives", AuditArchiveList)).items

    async def archive(self, before: datetime) -> AuditArchive:
        """Have the rows that are older than this aware time put into a file on the server's machine.

        They are removed from the log, which goes on behind the signed anchor of the last of them.

        Raises:
            Conflict: none is older, or the log is not as it was written.
        """
        body = ArchiveRequest(before=_aware(before, "before"))
        return await self._api.send("POST", "/audit/archives", AuditArchive, body=body, repeatable=False)


def _aware(at: datetime, name: str) -> datetime:
    if at.tzinfo is None:
        raise InvalidInput(f"`{name}` needs a time zone: datetime.now(UTC) - timedelta(…), for instance")
    return at.astimezone(UTC)
