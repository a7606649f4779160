"""`atlas restore`: a backup in place of a network's data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from agentic_atlas.cli import output, times
from agentic_atlas.cli.command.declared import Argument, Option
from agentic_atlas.cli.options import Json

if TYPE_CHECKING:
    from agentic_atlas.compose.restore import Restored

KEYS_BACK = """\
Signing keys that were withdrawn after that are good again, and whoever has one makes tokens: \
nothing here tells which. Look through `atlas keys list --signing`, and withdraw those first."""
KEYS_KEPT = "Signing keys that were withdrawn after that stay so."
FOLLOWS = """\
All else that let people and agents in is as it was at that moment, so look through it: passwords, one-time passwords \
and recovery codes; identities; who is disabled, deleted, or an administrator; groups and shares.
Tokens and API keys that were revoked after that are valid again: look through `atlas tokens list AGENT` and \
`atlas keys list --all`, and revoke again.
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

        restored = put_back(file, settings.data_dir, force=force, told=told)
    if as_json:
        output.document(_facts(restored, settings.data_dir))
        return
    made, ended = times.clock().full(restored.manifest.made_at), restored.ended
    output.say(f"Restored network {restored.manifest.network} as of {made} into {settings.data_dir}.")
    if restored.aside is not None:
        output.say(f"What was there is in {restored.aside}.")
    output.page(KEYS_KEPT if restored.keys_kept else KEYS_BACK, beside=True)
    output.page(
        f"Whoever was logged in logs in again: that ended {ended['sessions']:,} sessions, "
        f"{ended['login_keys']:,} API keys of `atlas login` and {ended['invitations']:,} links.",
        beside=True,
    )
    output.page(FOLLOWS, beside=True)


def _facts(restored: Restored, folder: Path) -> dict[str, object]:
    manifest, aside = restored.manifest, restored.aside
    return {
        "data_dir": str(folder),
        "network": manifest.network,
        "made_at": manifest.made_at,
        "version": manifest.version,
        "schema": manifest.schema,
        "set_aside": None if aside is None else str(aside),
        "ended": dict(restored.ended),
        "withdrawn_keys_stay_so": restored.keys_kept,
    }
