"""Limits: what is in force, what each means, what sets it, and how much of it is used."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import system
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.platform.page import PageGroup
from agentic_atlas.platform.pages.settings.page import SECTION, SettingsPage, place_for
from agentic_atlas.platform.wording import duration
from agentic_atlas.protocol.caller.system import LimitInfo

pages = PageGroup(SECTION)

PATH = "/settings/limits"

_TITLES: Final[Mapping[str, str]] = {
    "OpenLimits": "Tasks that have not ended",
    "EngineSettings": "Callers",
    "Limits": "Messages of agents",
    "RouterSettings": "Connections of agents",
    "TokenTerms": "Tokens of agents",
    "SessionTimes": "Sessions of people",
    "LogLimits": "Logs of agents",
}
"""What is bounded by the limits of each part."""
_NONE: Final = "0: no limit"


class LimitRow(Struct, frozen=True):
    """A limit in words.

    Attributes:
        name: its own, without underscores.
        value: in force, with its unit.
        default: what it would be; empty: it is that.
        used: how much of it is, where that is counted.
        most: of how much, where there is an end.
        variable: that sets it; empty: none does.
        meaning: what it bounds: its parts, and whether each is code.
    """

    name: str
    value: str
    default: str
    used: int | None
    most: int
    variable: str
    meaning: Sequence[tuple[str, bool]]


class LimitsView(SettingsPage, frozen=True):
    """Every limit that may be chosen for a network.

    Attributes:
        groups: limits with the name of what they bound.
    """

    groups: Sequence[tuple[str, Sequence[LimitRow]]]


@pages.page("GET", PATH, "settings_limits.html")
async def show(application: Application, who: Principal) -> LimitsView:
    """Show the limits that are in force."""
    return LimitsView(place=place_for(who, PATH), groups=grouped(await system.limits(who, application)))


def grouped(limits: Sequence[LimitInfo]) -> list[tuple[str, list[LimitRow]]]:
    """Return limits with the name of what they bound, in their order."""
    parts = dict.fromkeys(one.part for one in limits)
    return [(_TITLES.get(part, part), [_row(one) for one in limits if one.part == part]) for part in parts]


def said(value: float, unit: str, meaning: str = "") -> str:
    """Write a limit with its unit."""
    if not value and _NONE in meaning:
        return "none"
    if unit == "seconds":
        return duration(value)
    if unit != "bytes":
        return f"{value:,.12g} {unit}".rstrip()
    size, name = next(one for one in ((1024 * 1024, "MiB"), (1024, "KiB"), (1, "bytes")) if value % one[0] == 0)
    return f"{value / size:,.12g} {name}"


def _row(limit: LimitInfo) -> LimitRow:
    return LimitRow(
        name=limit.name.replace("_", " ").capitalize().replace("Tls", "TLS"),
        value=said(limit.value, limit.unit, limit.meaning),
        default="" if limit.value == limit.default else said(limit.default, limit.unit, limit.meaning),
        used=limit.used,
        most=int(limit.value),
        variable=limit.variable,
        meaning=[(text, place % 2 == 1) for place, text in enumerate(limit.meaning.split("`")) if text],
    )
