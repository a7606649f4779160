"""What a backup is and what it holds, written in the backup itself. Pure.

A backup is an uncompressed tar with the database, the files of the key ring, and `manifest.json`. The manifest is the
last member, so a file that has one was written to its end.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from agentic_atlas.errors import ConfigurationError

FORMAT = 1
"""Number of the form described here; a later one is refused."""

MANIFEST = "manifest.json"
DATABASE = "atlas.sqlite3"
KEYS = "keys"

LONGEST_MANIFEST = 1024 * 1024
"""Bytes; it is read whole."""
LONGEST_KEY_FILE = 65_536
"""Bytes of a file of keys in a backup."""
MOST_MEMBERS = 100
"""Files in a backup."""

DAMAGED = "backup_damaged"
NEWER = "backup_newer"

_KEY_FILE = re.compile(rf"{KEYS}/[A-Za-z0-9_-][A-Za-z0-9_.-]{{0,100}}")
_NAME = re.compile(r"atlas-(\d{8}T\d{6}\.\d{3})Z\.tar")
_TIME = "%Y%m%dT%H%M%S.%f"


_Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.+-]{1,64}$")]


class Member(msgspec.Struct, frozen=True):
    """One file of a backup."""

    name: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    """64 hexadecimal digits."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself."""

    format: Annotated[int, msgspec.Meta(ge=1)] = FORMAT
    version: _Word
    """Of Agentic Atlas, that made it."""
    schema: _Word
    """Revision of the database's schema."""
    network: _Word
    """Id of the network it is of."""
    made_at: Annotated[datetime, msgspec.Meta(tz=True)]
    members: tuple[Member, ...]
    """Every other file in it."""

    def encoded(self) -> bytes:
        """Return it as it is written."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


class _Head(msgspec.Struct, frozen=True):
    """What the manifests of all formats begin with."""

    format: Annotated[int, msgspec.Meta(ge=1)]
    version: _Word = "(unknown)"


def read_manifest(data: bytes) -> Manifest:
    """Return the manifest.

    Raises:
        ConfigurationError: it is of a later format (`backup_newer`), or not a manifest (`backup_damaged`).
    """
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.format > FORMAT:
            raise newer(head.version, f"format {head.format}, this version reads up to {FORMAT}")
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise damaged(f"its {MANIFEST} can't be read: {error}") from None
    names = [member.name for member in manifest.members]
    if len(set(names)) != len(names) or DATABASE not in names or f"{KEYS}/ring.json" not in names:
        raise damaged(f"its {MANIFEST} does not name a database and a ring of keys, each once")
    return manifest


def check_name(name: str, seen: Sequence[str]) -> None:
    """Raise ConfigurationError (`backup_damaged`) for a member that a backup does not have, or has already had."""
    if name in seen or len(seen) >= MOST_MEMBERS:
        raise damaged(f"it holds {name[:100]!r} twice, or too many files")
    if name not in (DATABASE, MANIFEST) and not _KEY_FILE.fullmatch(name):
        raise damaged(f"it holds {name[:100]!r}, which no backup does")


def longest(name: str) -> int | None:
    """Return how many bytes this member may have; None: as many as there are."""
    return {DATABASE: None, MANIFEST: LONGEST_MANIFEST}.get(name, LONGEST_KEY_FILE)


def backup_name(at: float) -> str:
    """Return the name of the backup made at this time, in seconds since 1970."""
    return f"atlas-{datetime.fromtimestamp(at, UTC).strftime(_TIME)[:-3]}Z.tar"


def made_at(name: str) -> float | None:
    """Return when the backup of this name was made; None when it is no name of ours."""
    match = _NAME.fullmatch(name)
    try:
        return datetime.strptime(match[1], _TIME).replace(tzinfo=UTC).timestamp() if match else None
    except ValueError:
        return None


def damaged(what: str) -> ConfigurationError:
    """Return the error for a file that is no backup, or not a whole one."""
    return ConfigurationError(f"this is no whole backup: {what}; use another one", code=DAMAGED)


def newer(version: str, why: str) -> ConfigurationError:
    """Return the error for a backup that a later version made."""
    return ConfigurationError(
        f"this backup was made by Agentic Atlas {version} ({why}): install that version or a later one to restore it",
        code=NEWER,
    )
