"""Where the audit log's head is kept: a signed file beside the keys; and the log of a network that is not up."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from structlog.typing import FilteringBoundLogger

from agentic_atlas.auth import SigningKey, is_signed, read_head, save_head
from agentic_atlas.backend.archive.manifest import DATABASE, KEYS
from agentic_atlas.backend.domain.audit import ChainCheck, ChainHead, signed_part
from agentic_atlas.backend.store.audit import all_rows
from agentic_atlas.backend.store.copying import describe, read_closed
from agentic_atlas.backend.store.lock import owned
from agentic_atlas.compose.restore import finish_restore
from agentic_atlas.errors import ConfigurationError
from agentic_atlas.files import FileRefused
from agentic_atlas.protocol.caller.audit import AuditHead, AuditReport


class HeadFile:
    """`ports.AuditHeads`, in the folder of keys."""

    def __init__(self, folder: Path, key: SigningKey, network: str, log: FilteringBoundLogger) -> None:
        self._folder = folder
        self._key = key
        self._network = network
        self._log = log
        self._faulty = False

    async def keep(self, head: ChainHead, now: float) -> None:
        """See the port."""
        at = datetime.fromtimestamp(int(now), UTC)
        unsigned = AuditHead(
            network=self._network, seq=head.seq, hash=head.hash, at=at, key=self._key.public, signature=""
        )
        signed = msgspec.structs.replace(unsigned, signature=self._key.sign(signed_part(unsigned)))
        try:
            await asyncio.to_thread(save_head, self._folder, msgspec.json.encode(signed))
            self._faulty = False
        except FileRefused as error:
            if not self._faulty:
                self._faulty = True
                self._log.error("audit_head_not_kept", reason=error.message)

    def kept(self) -> AuditHead | None:
        """See the port."""
        return head_in(self._folder)

    def signed(self, head: AuditHead) -> bool:
        """See the port."""
        return head.key == self._key.public and is_signed(signed_part(head), head.signature, head.key)


def head_in(folder: Path) -> AuditHead | None:
    """Return the head that a folder of keys holds; raises FileRefused."""
    data = read_head(folder)
    try:
        return None if data is None else msgspec.json.decode(data, type=AuditHead)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        fix = "restore the folder from a backup, or remove this file: the log then says that it was not there"
        raise FileRefused(folder, "holds no head of the audit log", fix=fix, code="key_file_refused") from None


def check_folder(data_dir: Path) -> AuditReport:
    """Check the log in a data folder; its network is not up meanwhile.

    Raises:
        ConfigurationError: there is no network in it (`no_data`), a server uses it (`store_in_use`), or what is kept of
            the log can't be read.
    """
    database = data_dir / DATABASE
    finish_restore(data_dir)
    if not database.exists():
        raise ConfigurationError(f"there is no network in {data_dir}", code="no_data")
    with owned(database):
        head = head_in(data_dir / KEYS)
        signed = head is None or is_signed(signed_part(head), head.signature, head.key)
        check = ChainCheck(describe(database).network, head, signed=signed)
        read_closed(database, lambda connection: check.take(all_rows(connection)))
        return check.report()
