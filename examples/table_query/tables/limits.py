"""What one file and one query may take, in one place."""

from __future__ import annotations

from dataclasses import dataclass

MOST_FILES = 1_000
"""Files of the folder that are looked at."""
MOST_COLUMNS = 2_000
"""Columns a table may have."""
LONGEST_NAME = 300
"""Characters the name of a column may have."""
MOST_SHEETS = 100
MOST_ROWS = 1_000
"""Rows one answer may have."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the processes that read files and run queries."""

    query_seconds: float = 30.0
    memory_megabytes: int = 1_024
    """What DuckDB may take for one query; the process around it gets `_OVERHEAD` of worker.py more."""
    threads: int = 2
    answer_bytes: int = 1024 * 1024
    """Longest answer as JSON."""
    cell_characters: int = 10_000
    """Longest text in one cell of an answer; a longer one is cut."""
    import_seconds: float = 120.0
    """For reading one file for the first time, or after a change."""
    import_megabytes: int = 1_024
    """What DuckDB may take for that."""
    grace_seconds: float = 1.0
    """What a process gets to stop by itself after its time; then it is ended."""
    file_bytes: int = 4 * 1024**3
    """Largest file that is converted, and largest result. Parquet files are used where they are, at any size."""
    sheet_cells: int = 3_000_000
    """Filled and empty cells up to the last one, over all sheets of a workbook."""
    unpacked_bytes: int = 1024**3
    """An Excel file is an archive; its parts together."""
