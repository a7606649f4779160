"""When an agent takes no new tasks, so that its machine is left to others: by what it takes, by power, by the clock.

What runs goes on, and the agent stays connected. It comes back by itself, and a little below its limit only, so that it
does not come and go with each task.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias, TypedDict

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.messages import PauseReason
from agentic_atlas.sdk.resources.measuring import Measured

MEMORY_BACK: Final = 0.9
"""Part of `max_memory` at which it takes tasks again."""
CPU_BACK: Final = 0.8
"""Part of `max_cpu` at which it takes tasks again."""

_DAY: Final = 24 * 60
_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_MEMORY: Final = re.compile(r"(\d+(?:\.\d+)?) ?(?:(%)|(|[kmgt]|[kmg]i)b?)", re.IGNORECASE)
_HOURS: Final = re.compile(r"([01]?\d|2[0-4]):([0-5]\d) ?- ?([01]?\d|2[0-4]):([0-5]\d)")

Span: TypeAlias = tuple[int, int]
"""Minutes of the day from and to; what ends before it begins goes over midnight."""


class PauseOptions(TypedDict, total=False):
    """When an agent takes no new tasks; what `Agent(…)` takes besides its own arguments."""

    max_memory: int | str
    """Memory of the process and its children, in bytes, as `"2 GB"`, or as a part of the machine's or the container's,
    `"25%"`. In place of `ATLAS_MAX_MEMORY`."""
    max_cpu: float
    """Percent of all cores that it may use which the process and its children take, over ten seconds. In place of
    `ATLAS_MAX_CPU`."""
    pause_on_battery: bool
    """Take none while the machine runs on its battery. In place of `ATLAS_PAUSE_ON_BATTERY`."""
    quiet_hours: str
    """Take none at these times of the machine's day: `"22:00-07:00"`, several with commas. In place of
    `ATLAS_QUIET_HOURS`."""


class PauseRules(NamedTuple):
    """The same, read."""

    memory_bytes: int | None = None
    memory_percent: float | None = None
    cpu_percent: float | None = None
    on_battery: bool = False
    quiet: tuple[Span, ...] = ()

    @property
    def any(self) -> bool:
        """Whether there is a reason to look more often than a beat is due."""
        return self != PauseRules()


def variables(options: PauseOptions) -> dict[str, str]:
    """Return the environment variables that say the same."""
    told = {f"ATLAS_{name.upper()}": value for name, value in options.items()}
    return {
        name: {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
        for name, value in told.items()
    }


def rules(values: Mapping[str, str]) -> PauseRules:
    """Return what these variables say.

    Raises:
        ConfigurationError: one can't be read; the message names the fix.
    """
    memory = _memory(values.get("ATLAS_MAX_MEMORY", ""))
    return PauseRules(
        *memory,
        cpu_percent=_cpu(values.get("ATLAS_MAX_CPU", "")),
        on_battery=_switch(values.get("ATLAS_PAUSE_ON_BATTERY", "")),
        quiet=tuple(_hours(one.strip()) for one in values.get("ATLAS_QUIET_HOURS", "").split(",") if one.strip()),
    )


def _memory(text: str) -> tuple[int | None, float | None]:
    if not text:
        return None, None
    read = _MEMORY.fullmatch(text.strip())
    if read is None or not float(read[1]) or (read[2] and float(read[1]) > 100):
        raise ConfigurationError(
            "max_memory (ATLAS_MAX_MEMORY) is a number of bytes, with MB, GB, MiB or GiB behind it or without, or a "
            "percentage up to 100%"
        )
    if read[2]:
        return None, float(read[1])
    return int(float(read[1]) * _UNITS[read[3].lower()]), None


def _cpu(text: str) -> float | None:
    if not text:
        return None
    read = re.fullmatch(r"(\d+(?:\.\d+)?) ?%?", text.strip())
    if read is None or not 0 < float(read[1]) <= 100:
        raise ConfigurationError("max_cpu (ATLAS_MAX_CPU) is percent of all cores, more than 0 and up to 100")
    return float(read[1])


def _switch(text: str) -> bool:
    known = {"": False, "no": False, "0": False, "false": False, "off": False, "yes": True, "1": True, "true": True}
    found = {**known, "on": True}.get(text.strip().lower())
    if found is None:
        raise ConfigurationError("pause_on_battery (ATLAS_PAUSE_ON_BATTERY) is yes or no")
    return found


def _hours(text: str) -> Span:
    read = _HOURS.fullmatch(text)
    if read is not None:
        begin, end = int(read[1]) * 60 + int(read[2]), int(read[3]) * 60 + int(read[4])
        if begin != end and max(begin, end) <= _DAY:
            return begin, end
    raise ConfigurationError(
        "quiet_hours (ATLAS_QUIET_HOURS) are times of the day like 22:00-07:00, several with commas between them"
    )


class Pausing:
    """Whether an agent pauses, and why.

    Attributes:
        reason: the first of its limits that it keeps by taking no tasks; None: it takes them.
        why: the same as a sentence's part, with the figures.
    """

    def __init__(self, rules: PauseRules) -> None:
        self.reason: PauseReason | None = None
        self.why = ""
        self._rules = rules
        self._held: set[PauseReason] = set()

    def look(self, now: Measured, minute: int) -> bool:
        """Take how it is and the minute of the machine's day; True when the reason is another one than before."""
        before, found = self.reason, [one for one in (*self._by_figures(now), *self._by_day(now, minute)) if one]
        self._held = {reason for reason, _ in found}
        self.reason, self.why = found[0] if found else (None, "")
        return self.reason != before

    def _by_figures(self, now: Measured) -> "list[tuple[PauseReason, str] | None]":
        rules, total = self._rules, now.resources.memory_total if now.resources else 0
        limit = rules.memory_bytes or (total * (rules.memory_percent or 0.0) / 100)
        most = rules.cpu_percent or 0.0
        taken, back = _size(now.all_memory), _size(MEMORY_BACK * limit)
        memory = f"its memory of {taken} is over its max_memory of {_size(limit)}, and has to come below {back}"
        cpu = f"its {now.all_cpu:.0f} % of all cores are over its max_cpu of {most:g}, and have to come below "
        return [
            self._over("memory", now.all_memory, limit, MEMORY_BACK, memory),
            self._over("cpu", now.all_cpu, most, CPU_BACK, f"{cpu}{CPU_BACK * most:g}"),
        ]

    def _by_day(self, now: Measured, minute: int) -> "list[tuple[PauseReason, str] | None]":
        power = self._rules.on_battery and now.resources is not None and now.resources.on_battery
        quiet = any(_within(span, minute) for span in self._rules.quiet)
        return [
            ("battery", "its machine runs on its battery") if power else None,
            ("quiet_hours", "these are its quiet hours") if quiet else None,
        ]

    def _over(
        self, reason: PauseReason, value: float, limit: float, back: float, why: str
    ) -> "tuple[PauseReason, str] | None":
        bound = limit * back if reason in self._held else limit
        return (reason, why) if limit and value > bound else None


def _within(span: Span, minute: int) -> bool:
    begin, end = span
    return begin <= minute < end if begin < end else minute >= begin or minute < end


def _size(count: float) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
