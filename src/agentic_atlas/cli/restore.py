"""`atlas restore`: a backup in place of a network's data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from agentic_atlas.cli import output, times
from agentic_atlas.cli.command.declared import Argument, Option
from agentic_atlas.cli.options import Json

if TYPE_CHECKING:
    from agentic_atlas.backend.archive.manifest import Manifest

FOLLOWS = """\
What was revoked after that is valid again: look through `atlas tokens list AGENT`, and revoke again.
Tokens and API keys made after that are void, their holders need new ones.
Tasks that were running then are taken up again; those that may run only once end `outcome_unknown`."""


def restore(
    file: Annotated[Path, Argument(help="The backup.")],
    data_dir: Annotated[
        Path | None,
        Option(help="Folder to put it in; ATLAS_DATA_DIR without it."),
    ] = None,
    force: Annotated[bool, Option("--force", help="Move the network that is there aside.")] = False,
    as_json: Json = False,
) -> None:
    """Put a backup in place of a network's data. The network must not run.

    The backup is checked as a whole before anything is moved. What was there is not deleted but moved aside, and only
    with --force. `atlas up` then goes on from the moment of the backup.
    """
    from agentic_atlas.cli.backup import megabytes
    from agentic_atlas.cli.up import read_settings
    from agentic_atlas.compose.restore import restore as put_back

    if not file.is_file():
        raise click.UsageError(f"there is no file {file}")
    settings = read_settings({} if data_dir is None else {"data_dir": data_dir})
    done = 0
    with output.progress("reading the backup") as tell:

        def told(size: int) -> None:
            nonlocal done
            done += size
            tell(f"restoring: {megabytes(done)} written")

        manifest, aside = put_back(file, settings.data_dir, force=force, told=told)
    if as_json:
        output.document(_facts(manifest, aside, settings.data_dir))
        return
    made = times.clock().full(manifest.made_at)
    output.say(f"Restored network {manifest.network} as of {made} into {settings.data_dir}.")
    if aside is not None:
        output.say(f"What was there is in {aside}.")
    output.page(FOLLOWS, beside=True)


def _facts(manifest: Manifest, aside: Path | None, folder: Path) -> dict[str, object]:
    return {
        "data_dir": str(folder),
        "network": manifest.network,
        "made_at": manifest.made_at,
        "version": manifest.version,
        "schema": manifest.schema,
        "set_aside": None if aside is None else str(aside),
    }
