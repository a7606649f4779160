"""`atlas attention`: what needs you."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentic_atlas.cli import connection, output, times
from agentic_atlas.cli.options import Iso, Json, Utc

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.attention import AttentionItem


def show(*, utc: Utc = False, iso: Iso = False, json: Json = False) -> None:
    """Show what needs you, with what to do: questions, tokens that end soon, agents that are gone."""
    clock = times.clock(utc=utc, iso=iso)

    async def work() -> list[AttentionItem]:
        async with connection.connect() as atlas:
            return (await atlas.statistics.attention()).items

    found = connection.run(work())
    if json:
        output.document({"items": found})
    elif not found:
        output.aside("Nothing needs you.")
    else:
        rows = [(one.what, clock.short(one.since), clock.short(one.until), one.todo) for one in found]
        output.table(("what", "since", "until", "what to do"), rows, shrinks=("what",))
