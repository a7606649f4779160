"""Puts restored files in the place of those of a data folder, so that a kill at any moment leaves the old or the new.

Two names, the database and the folder of keys, cannot change at the same instant. So the new files are made whole in
`.restoring` first; the one rename of that folder to `.restored-<time>` decides. From then on the new data is what
counts, and whoever opens the folder next, holding its lock, first finishes the moving (`finish`). What was there goes
into `before-restore-<time>`, which is a data folder itself.
"""

import shutil
from pathlib import Path

from agentic_atlas.backend.archive.manifest import DATABASE, KEYS
from agentic_atlas.backend.archive.tarball import synced
from agentic_atlas.errors import ConfigurationError

STAGE = ".restoring"
_DECIDED = ".restored-"
ASIDE = "before-restore-"

_LOGS = (f"{DATABASE}-wal", f"{DATABASE}-shm")
"""Belong to the old database: a new one under its name must never meet them."""


def has_data(folder: Path) -> bool:
    """Tell whether the folder holds a network."""
    return any((folder / name).exists() for name in (DATABASE, KEYS, *_LOGS))


def stage(folder: Path) -> Path:
    """Return an empty folder where the new files are made; what an earlier try left is removed."""
    new = folder / STAGE
    if new.exists():
        shutil.rmtree(new)
    new.mkdir(mode=0o700)
    return new


def unfinished(folder: Path) -> bool:
    """Tell whether a restore was interrupted here."""
    return (folder / STAGE).exists() or _decided(folder) is not None


def decide(folder: Path, time: str) -> None:
    """Let what is staged take the place of what is there, from now on and whatever happens; `finish` does it.

    Args:
        folder: of the data; this process holds its lock.
        time: part of a file's name.
    """
    new = folder / STAGE
    for place in (new / KEYS, new):
        synced(place)
    name, number = time, 1
    while (folder / f"{ASIDE}{name}").exists():
        number += 1
        name = f"{time}-{number}"
    new.rename(folder / f"{_DECIDED}{name}")
    synced(folder)


def finish(folder: Path) -> Path | None:
    """Do what is left of a restore that was decided, and remove what is left of one that was not.

    This process holds the folder's lock. Returns where the data that was there has gone, if any was moved now.

    Raises:
        ConfigurationError: a file can't be moved; it can be tried again.
    """
    try:
        if (folder / STAGE).exists():
            shutil.rmtree(folder / STAGE)
        new = _decided(folder)
        return None if new is None else _placed(folder, new)
    except OSError as error:
        raise ConfigurationError(
            f"a restore into {folder} can't be finished ({error.filename}: {error.strerror}): let this user write there"
        ) from error


def _placed(folder: Path, new: Path) -> Path | None:
    aside = folder / (ASIDE + new.name.removeprefix(_DECIDED))
    for name, besides in ((DATABASE, _LOGS), (KEYS, ())):
        if not (new / name).exists():
            continue  # is in its place already: what has that name now is the new one
        for old in (*besides, name):
            if (folder / old).exists():
                aside.mkdir(mode=0o700, exist_ok=True)
                (folder / old).rename(aside / old)
        if aside.exists():
            synced(aside)
        (new / name).rename(folder / name)
    synced(folder)
    new.rmdir()
    return aside if aside.exists() else None


def _decided(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob(f"{_DECIDED}*"))), None) if folder.is_dir() else None
