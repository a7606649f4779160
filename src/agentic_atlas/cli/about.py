"""`atlas about` and `atlas limits`: what the network's server is, and which limits it keeps to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentic_atlas.cli import connection, output, times
from agentic_atlas.cli.options import Iso, Json, Utc

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.system import LimitInfo, ServerInfo


def about(*, utc: Utc = False, iso: Iso = False, json: Json = False) -> None:
    """Show what the network's server is: version, since when it is up, how much it keeps, when its certificate ends."""

    async def work() -> ServerInfo:
        async with connection.connect() as atlas:
            return await atlas.server.about()

    found = connection.run(work())
    if json:
        output.document(found)
        return
    clock = times.clock(utc=utc, iso=iso)
    rows = (f"{name.replace('_', ' ')} {count:,}" for name, count in found.rows.items())
    output.fields(
        [
            ("version", found.version),
            ("Python", f"{found.python} on {found.system}"),
            ("up since", clock.full(found.started_at)),
            ("API", found.api_url),
            ("router", found.router_url),
            ("certificate", f"until {clock.full(found.certificate_until)}" if found.certificate_until else ""),
            ("for", " ".join(found.certificate_names)),
            ("data", found.data_dir),
            ("store", f"{found.store_bytes / 1_000_000:,.1f} MB: {', '.join(rows)}"),
        ]
    )


def limits(*, json: Json = False) -> None:
    """List the limits that are in force, what sets them, and how much of them is used where that is counted."""

    async def work() -> Sequence[LimitInfo]:
        async with connection.connect() as atlas:
            return await atlas.server.limits()

    found = connection.run(work())
    if json:
        output.document({"items": found})
        return
    rows = [(_name(one), _value(one), "" if one.used is None else f"{one.used:,}", one.meaning) for one in found]
    output.table(("limit", "value", "used", "meaning"), rows, shrinks=("meaning",))


def _name(limit: LimitInfo) -> str:
    """Return what sets it, which says what it is; of what nothing sets, its place."""
    return limit.variable or f"{limit.part}.{limit.name}"


def _value(limit: LimitInfo) -> str:
    said = f"{limit.value:,.12g} {limit.unit}".rstrip()
    return said if limit.value == limit.default else f"{said} (set)"
