"""Backups, as they are shown to administrators."""

from datetime import datetime
from typing import TypeAlias

from agentic_atlas.protocol.caller.values import Listing, Shown


class BackupInfo(Shown, frozen=True, kw_only=True):
    """A backup on the server's machine."""

    name: str
    path: str
    size: int
    """Bytes."""
    made_at: datetime
    """Everything acknowledged before is in it."""
    sha256: str | None
    """Of the file, in hexadecimal; lists leave it out."""


BackupList: TypeAlias = Listing[BackupInfo]
"""Backups, newest first."""
