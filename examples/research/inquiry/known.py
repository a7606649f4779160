"""What the other agents answer, as far as it is used here.

Each answer is read into one of these; more fields than these do not matter, fewer or other ones make the answer
unreadable, which is told in the report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from inquiry.words import name_words

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "DOUBLE", "FLOAT", "REAL")
_KEYS = frozenset({"id", "nr", "no", "num", "number", "key", "code", "zip", "postcode", "year", "phone", "index"})


class Kind(StrEnum):
    """What a column holds."""

    NUMBER = "number"
    TEXT = "text"
    TIME = "time"
    OTHER = "other"


@dataclass(frozen=True)
class Column:
    """A column of a table; `type` is DuckDB's name for it."""

    name: str
    type: str

    @property
    def kind(self) -> Kind:
        """What can be done with it."""
        type_ = self.type.upper().removeprefix("U")
        if type_.endswith("]") or type_.startswith(("STRUCT", "MAP", "NION")):
            return Kind.OTHER
        if type_.startswith(_NUMBERS):
            return Kind.NUMBER
        if type_.startswith(("VARCHAR", "ENUM", "UID")):
            return Kind.TEXT
        return Kind.TIME if type_.startswith(("DATE", "TIMESTAMP")) else Kind.OTHER

    @property
    def words(self) -> tuple[str, ...]:
        """The words its name is made of."""
        return name_words(self.name)

    @property
    def is_key(self) -> bool:
        """Whether its numbers only tell rows apart: nobody wants the sum of postcodes."""
        return bool(self.words) and self.words[-1] in _KEYS


@dataclass(frozen=True)
class Table:
    """A table of the tables' agent."""

    name: str
    file: str
    rows: int
    columns: list[Column]
    sheet: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def words(self) -> tuple[str, ...]:
        """The words its name is made of, without the `t` that stands before one that begins with a digit."""
        words = name_words(self.name)
        return words[1:] if len(words) > 1 and words[0] == "t" else words


@dataclass(frozen=True)
class Line:
    """Something that was left out, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class TableList:
    """The answer of `tables`."""

    tables: list[Table]
    table_count: int
    skipped: list[Line]
    skipped_count: int


@dataclass(frozen=True)
class Totals:
    """How much is in the index of documents."""

    files: int
    skipped: int


@dataclass(frozen=True)
class Library:
    """The answer of `status`."""

    totals: Totals
    skipped: list[Line]
    incomplete: list[Line]


@dataclass(frozen=True)
class Position:
    """A place in a file: the number of a line, page, paragraph, slide or row, from 1."""

    unit: str
    number: int


@dataclass(frozen=True)
class Hit:
    """A passage that was found; found words stand between `**`."""

    file: str
    position: Position
    snippet: str
    title: str = ""
    heading: str = ""
    score: float = 0.0


@dataclass(frozen=True)
class Hits:
    """The answer of `search`; not `complete` while files are still being read."""

    hits: list[Hit]
    complete: bool = True


@dataclass(frozen=True)
class Rows:
    """The answer of `query`."""

    columns: list[Column]
    rows: list[list[object]]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Use:
    """How much of something is in use, in bytes."""

    total_bytes: int
    free_bytes: int
    used_percent: float


@dataclass(frozen=True)
class Disk(Use):
    """A mounted disk."""

    path: str


@dataclass(frozen=True)
class Load:
    """How many processes ran or wanted to, on average."""

    last_minute: float
    last_5_minutes: float
    last_15_minutes: float


@dataclass(frozen=True)
class Sensor:
    """A temperature."""

    sensor: str
    celsius: float


@dataclass(frozen=True)
class Overview:
    """The answer of `overview`; None is what the machine does not tell."""

    taken_at: datetime
    cores: int
    system: str = ""
    uptime_seconds: float | None = None
    load: Load | None = None
    cpu_percent: float | None = None
    memory: Use | None = None
    swap: Use | None = None
    disks: list[Disk] = field(default_factory=list)
    temperatures: list[Sensor] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Finding:
    """Something about the machine that should be looked at."""

    severity: str
    sentence: str


@dataclass(frozen=True)
class Health:
    """The answer of `health`."""

    findings: list[Finding]
    checked: list[str]
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Process:
    """One process of the machine."""

    name: str
    pid: int
    user: str | None = None
    cpu_percent: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Processes:
    """The answer of `processes`."""

    processes: list[Process]
    process_count: int
