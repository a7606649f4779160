"""Backups as the API shows them."""

from datetime import datetime

import msgspec

from agentic_atlas.api.views.times import at
from agentic_atlas.backend.ports import Backup


class BackupView(msgspec.Struct):
    """A backup."""

    name: str
    path: str
    """Where it is, on the server's machine."""
    size: int
    """Bytes."""
    made_at: datetime
    """Everything acknowledged before is in it."""
    sha256: str | None
    """Of the file, in hexadecimal; lists leave it out."""


class BackupPage(msgspec.Struct):
    """Backups, newest first."""

    items: list[BackupView]


def backup_view(backup: Backup) -> BackupView:
    """Show a backup."""
    return BackupView(backup.name, backup.path, backup.size, at(backup.made_at), backup.sha256)
