"""Names of tables: made from file names so that SQL takes them without quotes, and no two are the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

_LONGEST = 60
_SEPARATORS = re.compile(r"[\W_]+")
SHEET_MARK = "__"
"""Between the name of a workbook and that of a sheet; no other name holds it, so none can be taken for a sheet."""
# Words that DuckDB does not take for a table where they stand alone; a test asks DuckDB for them.
_SPOKEN_FOR = """
all analyse analyze and anti any array as asc asof asymmetric at authorization binary both by case cast check collate
collation column concurrently constraint create cross default deferrable desc describe distinct do else end except
false fetch for foreign freeze from full glob group having ilike in initially inner intersect into is isnull join
lambda lateral leading left like limit natural not notnull null offset on only or order outer overlaps pivot
pivot_longer pivot_wider placing positional primary qualify references returning right select semi show similar some
summarize symmetric table tablesample then to trailing true union unique unpack unpivot using variadic verbose when
where window with
"""
_WORDS = frozenset(_SPOKEN_FOR.split())


def safe(text: str) -> str:
    """The text as a name in lower case: letters of any script, digits and single `_`; at most 60 characters."""
    name = _SEPARATORS.sub("_", unicodedata.normalize("NFKC", text).lower()).strip("_")[:_LONGEST].rstrip("_")
    if not name:
        return "t"
    return f"t_{name}" if name in _WORDS or not name[0].isalpha() else name


def name_files(paths: Iterable[str]) -> dict[str, str]:
    """A name for each path (with `/`, relative to the folder): `2024/sales.csv` is `t_2024_sales`.

    Where two would have the same, the later by name gets its ending too, then a number.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for path in sorted(paths):
        bare = _without_endings(path)
        names[path] = _free(safe(bare), safe(f"{bare} {path[len(bare) :]}"), taken)
    return names


def name_sheets(workbook: str, sheets: list[str]) -> list[str]:
    """Names for the sheets of a workbook: its own for a single one, else `budget__march`."""
    if len(sheets) == 1:
        return [workbook]
    taken: set[str] = set()
    return [f"{workbook}{SHEET_MARK}{_free(safe(sheet), safe(sheet), taken)}" for sheet in sheets]


def _without_endings(path: str) -> str:
    name = PurePosixPath(path)
    if name.suffix.lower() == ".gz":
        name = name.with_suffix("")
    return str(name.with_suffix(""))


def _free(first: str, second: str, taken: set[str]) -> str:
    name, number = first, 1
    if name in taken:
        name = second
    while name in taken:
        number += 1
        name = f"{second}_{number}"
    taken.add(name)
    return name
