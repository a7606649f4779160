"""An export of the audit log, checked without the network that it is of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agentic_atlas.errors import AtlasError, ConfigurationError

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.audit import AuditEntry, AuditHead, AuditReport

LONGEST_LINE = 64 * 1024
"""Bytes of a line of an export."""


class AuditBroken(AtlasError):
    """The audit log is not as it was written, or what is there is none."""

    default_code = "audit_broken"


def check(file: Path) -> AuditReport:
    """Return what is wrong with an export.

    Raises:
        AuditBroken: a line of it is no row, or the last one no head.
        ConfigurationError: the file can't be read.
    """
    from agentic_atlas.backend.domain.audit import ChainCheck, signed_part

    head = _head(file)
    checking = ChainCheck(head.network, head, signed=_is_signed(signed_part(head), head))
    checking.take(_entries(file))
    return checking.report()


def _head(file: Path) -> AuditHead:
    """Return the last line."""
    import msgspec

    from agentic_atlas.protocol.caller.audit import AuditHead

    last = b""
    for line in _lines(file):
        last = line
    try:
        return msgspec.json.decode(last, type=AuditHead)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise AuditBroken(f"{file} does not end with the signed head of a log: it is cut off, or no export") from None


def _entries(file: Path) -> Iterator[AuditEntry]:
    import msgspec

    from agentic_atlas.protocol.caller.audit import AuditEntry

    waiting = b""
    for number, line in enumerate(_lines(file)):
        if waiting:
            try:
                entry = msgspec.json.decode(waiting, type=AuditEntry)
                known = msgspec.json.encode(entry) == waiting
            except (msgspec.MsgspecError, UnicodeDecodeError):
                known = False
            if not known:
                raise AuditBroken(f"line {number} of {file} is no row of an audit log")
            yield entry
        waiting = line


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as opened:
            while line := opened.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    raise AuditBroken(f"{file} is no export of an audit log")
                yield line.rstrip(b"\n")
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}", code="no_file") from None


def _is_signed(data: bytes, head: AuditHead) -> bool:
    try:
        from agentic_atlas.auth.keys import is_signed
    except ImportError:
        raise ConfigurationError(
            "a signature is checked by what only the server installs: pip install 'agentic-atlas[server]'"
        ) from None
    return is_signed(data, head.signature, head.key)
