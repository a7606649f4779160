"""`atlas backup`: the whole network in one file; by the server if it runs, else here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from agentic_atlas.cli import connection, output
from agentic_atlas.cli.command.declared import Argument, Option
from agentic_atlas.cli.options import Json
from agentic_atlas.errors import AtlasError, ConfigurationError, Unavailable

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.backups import BackupInfo

LONGEST = 3_600.0
"""Seconds that a server may take; it copies a GB in much less than a minute on most disks."""
MEGABYTE = 1_000_000

SECRET = "It is as secret as the data folder: the keys that sign tokens are in it."  # noqa: S105  # not one itself
ELSEWHERE = (
    "It is not moved: that path is on the server's machine, which is not this one, or this user may not read it. "
    "Fetch it from there."
)


def backup(
    file: Annotated[
        Path | None,
        Argument(help="Where to put it: a new file, or a folder."),
    ] = None,
    data_dir: Annotated[
        Path | None,
        Option(help="Folder of the network's data; ATLAS_DATA_DIR without it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy the whole network into one file: tasks, agents, users, tokens, and the keys that sign them.

    A network that runs makes the copy itself and goes on meanwhile; administrators may ask for it. For one that does
    not run the copy is made here, of ATLAS_DATA_DIR or --data-dir. Without FILE the backup stays in the folder for
    backups (ATLAS_BACKUP_DIR, else `backups` in the data folder).
    """
    if file is not None:
        _check_free(file)
    # What the environment says holds for all commands, and the platform they are asked to use comes first.
    made = _made(None, expected=_by_environment()) if data_dir is None else _made(data_dir)
    placed = made if file is None else _moved(made, file)
    if as_json:
        output.document(_facts(placed))
    else:
        output.say(f"Backed up to {placed.path} ({megabytes(placed.size)}).")
        output.aside(SECRET)
    if file is not None and placed is made:
        output.aside(ELSEWHERE)


def _by_environment() -> Path | None:
    from agentic_atlas.cli.up import read_settings
    from agentic_atlas.settings import in_environment

    return read_settings({}).data_dir if "data_dir" in in_environment() else None


def megabytes(size: int) -> str:
    """Write a number of bytes for a person."""
    return f"{size / MEGABYTE:.1f} MB"


def _check_free(file: Path) -> None:
    """Raise ConfigurationError where no backup can be put, before one is made."""
    if file.exists() and not file.is_dir():
        raise ConfigurationError(f"{file} is there already: choose another name, or remove it", code="file_exists")
    if not file.absolute().parent.is_dir():
        raise ConfigurationError(f"there is no folder {file.parent}: make it first", code="no_folder")


def _made(data_dir: Path | None, *, expected: Path | None = None) -> BackupInfo:
    """Have the backup made by whoever owns the data: the server, or nobody else, so that it can be done here.

    A server on this machine has to be the one whose data is `expected`.
    """
    if data_dir is not None:
        try:
            return _here(data_dir)
        except ConfigurationError as error:
            if error.code != "store_in_use":
                raise
        return _of(data_dir, _asked())
    try:
        made = _asked()
        return made if expected is None or not _asks_this_machine() else _of(expected, made)
    except (Unavailable, ConfigurationError) as error:
        if not _may_be_stopped(error):
            raise
        refused = error
    try:
        return _here(None)
    except ConfigurationError as error:
        if error.code == "store_in_use":
            text = (
                f"the network runs and has to be asked for a backup, which failed: {refused.message} ({error.message})"
            )
            raise ConfigurationError(text, code=error.code) from None
        raise (refused if error.code == "no_data" else error) from None


def _asked() -> BackupInfo:
    """Have the server make it."""

    async def work() -> BackupInfo:
        async with connection.connect(timeout=LONGEST) as atlas:
            return await atlas.backups.create()

    with output.progress("the server is making a backup"):
        return connection.run(work())


def _of(data_dir: Path, made: BackupInfo) -> BackupInfo:
    """Return a backup made by a server, unless it seems to be of another network than the one in the folder."""
    from agentic_atlas.cli.up import read_settings

    kept = read_settings({"data_dir": data_dir}).backups.resolve()
    if Path(made.path).parent.resolve() != kept:
        raise ConfigurationError(
            f"the server that was asked keeps its backups elsewhere than {kept}, so it may not be the one that uses "
            f"{data_dir}: set ATLAS_API_URL to that one's address, or ATLAS_BACKUP_DIR as that one has it (what was "
            f"made is {made.path})",
            code="other_network",
        )
    return made


def _here(data_dir: Path | None) -> BackupInfo:
    """Make it in this process, which owns the data meanwhile."""
    from agentic_atlas.cli.up import read_settings
    from agentic_atlas.compose.backup import back_up

    settings = read_settings({} if data_dir is None else {"data_dir": data_dir})
    done = 0
    with output.progress("making a backup") as tell:

        def told(size: int) -> None:
            nonlocal done
            done += size
            tell(f"making a backup: {megabytes(done)} written")

        return connection.run(back_up(settings, told))


def _may_be_stopped(error: AtlasError) -> bool:
    """Tell whether the network may be this machine's and not run: nothing answers, or nobody is logged in."""
    if error.code not in (Unavailable.default_code, ConfigurationError.default_code):
        return False
    return isinstance(error, ConfigurationError) or _asks_this_machine()


def _asks_this_machine() -> bool:
    from agentic_atlas.sdk import environment
    from agentic_atlas.sdk.address import Address

    return Address(environment.platform_url(None), api_key="").loopback


def _moved(made: BackupInfo, file: Path) -> BackupInfo:
    """Bring the backup to where it is wanted; the same when it is on another machine, or not for this user to read."""
    import os

    from agentic_atlas.compose.backup import move

    source = Path(made.path)
    if not os.access(source, os.R_OK) or source.stat().st_size != made.size:
        return made
    target = file / made.name if file.is_dir() else file
    try:
        return move(made, target)
    except OSError as error:
        text = f"the backup is made, and is whole, but can't be moved from {source} to {target}: {error.strerror}"
        raise ConfigurationError(text, code="not_moved") from error


def _facts(made: BackupInfo) -> dict[str, object]:
    return {"name": made.name, "path": made.path, "size": made.size, "made_at": made.made_at, "sha256": made.sha256}
