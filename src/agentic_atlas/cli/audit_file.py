"""An export or archive of the audit log, checked without the network that it is of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from agentic_atlas.errors import AtlasError, ConfigurationError

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.audit import AuditAnchor, AuditEntry, AuditHead, AuditReport

_Line = TypeVar("_Line")

LONGEST_LINE = 64 * 1024
"""Bytes of a line of an export."""


class AuditBroken(AtlasError):
    """The audit log is not as it was written, or what is there is none."""

    default_code = "audit_broken"


def check(files: Sequence[Path]) -> AuditReport:
    """Return what is wrong with exports and archives, each of which goes on where the one before it ends.

    Raises:
        AuditBroken: a line of one is no row, or the last one no head or anchor; or it does not go on there.
        ConfigurationError: a file can't be read.
    """
    from msgspec.structs import replace

    report, last = _check(files[0], None)
    for file in files[1:]:
        more, last = _check(file, last)
        report = replace(more, rows=report.rows + more.rows, archived=report.archived, flaws=report.flaws + more.flaws)
    return report


def _check(file: Path, before: AuditHead | None) -> tuple[AuditReport, AuditHead]:
    """Check a file that goes on where another one ends, if one does; return also where this one ends."""
    from agentic_atlas.backend.domain.audit import ChainCheck
    from agentic_atlas.protocol.caller.audit import AuditAnchor, AuditHead

    first, last = _ends(file)
    begin, anchor = _read(first, AuditAnchor), _read(last, AuditAnchor)
    end = _read(last, AuditHead) or anchor
    if end is None:
        raise AuditBroken(f"{file} does not end with the signed head of a log: it is cut off, or no export")
    if before is not None and (begin is None or (begin.archived, begin.hash) != (before.seq, before.hash)):
        raise AuditBroken(f"{file} does not go on behind row {before.seq}, where the file before it ends")
    head = end if isinstance(end, AuditHead) else _as_head(end)
    anchored = begin is None or (begin.key == head.key and _is_signed(begin))
    checking = ChainCheck(head.network, head, signed=_is_signed(end), anchor=begin, anchored=anchored)
    checking.take(_entries(file, begins=begin is not None))
    return checking.report(closed=True), head


def _ends(file: Path) -> tuple[bytes, bytes]:
    """Return the first line and the last one."""
    lines = _lines(file)
    first = last = next(lines, b"")
    for line in lines:
        last = line
    return first, last


def _read(line: bytes, kind: type[_Line]) -> _Line | None:
    import msgspec

    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _as_head(anchor: AuditAnchor) -> AuditHead:
    from agentic_atlas.protocol.caller.audit import AuditHead

    return AuditHead(
        network=anchor.network,
        seq=anchor.archived,
        hash=anchor.hash,
        at=anchor.at,
        key=anchor.key,
        signature=anchor.signature,
    )


def _entries(file: Path, *, begins: bool) -> Iterator[AuditEntry]:
    """Yield what is between the first line, where that is no row, and the last one."""
    import msgspec

    from agentic_atlas.protocol.caller.audit import AuditEntry

    waiting = b""
    for number, line in enumerate(_lines(file)):
        if waiting:
            entry = _read(waiting, AuditEntry)
            if entry is None or msgspec.json.encode(entry) != waiting:
                raise AuditBroken(f"line {number} of {file} is no row of an audit log")
            yield entry
        waiting = b"" if begins and number == 0 else line


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as opened:
            while line := opened.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    raise AuditBroken(f"{file} is no export of an audit log")
                yield line.rstrip(b"\n")
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}", code="no_file") from None


def _is_signed(head: AuditHead | AuditAnchor) -> bool:
    from agentic_atlas.backend.domain.audit import signed_part

    try:
        from agentic_atlas.auth.keys import is_signed
    except ImportError:
        raise ConfigurationError(
            "a signature is checked by what only the server installs: pip install 'agentic-atlas[server]'"
        ) from None
    return is_signed(signed_part(head), head.signature, head.key)
