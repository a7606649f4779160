"""Backups for tests, right ones and odd ones."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import msgspec

from agentic_atlas.backend.archive.manifest import MANIFEST, Manifest, Member
from agentic_atlas.backend.archive.tarball import Content, Sink, write

AT = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
FILES = {"atlas.sqlite3": b"pages" * 1_000, "keys/ring.json": b"{}", "keys/abc-_1.pem": b"PEM"}


def manifest(members: tuple[Member, ...], **changes: object) -> Manifest:
    plain = Manifest(version="0.1.0", schema="0001", network="net_1", made_at=AT, members=members)
    return msgspec.structs.replace(plain, **changes)


def members(files: dict[str, bytes]) -> tuple[Member, ...]:
    return tuple(Member(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items())


def backup(path: Path) -> Path:
    """Write a right one, as the product does."""
    with Sink(path) as sink:
        write(sink, [Content.of(name, data) for name, data in FILES.items()], manifest)
    return path


def odd(path: Path, change: Callable[[tarfile.TarFile], None], said: Manifest | None = None) -> Path:
    """Write one with the right files and manifest, and what `change` adds after them."""
    with tarfile.open(path, "w:") as tar:
        for name, data in FILES.items():
            add(tar, name, data)
        add(tar, MANIFEST, (said or manifest(members(FILES))).encoded())
        change(tar)
    return path


def add(tar: tarfile.TarFile, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, to: str = "") -> None:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), kind, to
    tar.addfile(info, BytesIO(data))
