"""What files became, kept on disk: one JSON file for each of them, beside its Parquet files.

A file's key changes with the file, so what is here is never out of date, only unused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tables.jobs import import_of
from tables.table import Import

_OURS: Final = re.compile(r"(?:tmp_)?([0-9a-f]{40})(-\d+)?\.(json|parquet|part)")


class Cache:
    """A folder of this package alone. Files in it that are not ours are never touched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> None:
        """Makes the folder, readable for its owner alone. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def target(self, key: str) -> Path:
        """What the names of a file's Parquet files begin with."""
        return self.folder / key

    def load(self, key: str) -> Import | None:
        """What the file of this key became; None when that is not known."""
        try:
            found = import_of(json.loads((self.folder / f"{key}.json").read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            return None  # not there, or cut short when the disk was full: the file is read again
        whole = all(not part.parquet or (self.folder / part.parquet).is_file() for part in found.parts)
        return found if whole else None

    def save(self, key: str, made: Import) -> None:
        """Keeps what a file became. Raises OSError."""
        path = self.folder / f"{key}.json"
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(made)), "utf-8")
        part.replace(path)

    def sweep(self, keys: Collection[str]) -> None:
        """Removes what belongs to no file of these keys."""
        for path in self.folder.iterdir():
            found = _OURS.fullmatch(path.name)
            if found and found[1] not in keys:
                path.unlink(missing_ok=True)
