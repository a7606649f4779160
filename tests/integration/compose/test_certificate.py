"""A certificate that was renewed is what new connections are shown."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from agentic_atlas.compose.certificate import Certificate
from tests.certificates import certificate


async def test_connections_from_then_on_are_shown_what_was_read_again(tmp_path: Path) -> None:
    files, newer = certificate(tmp_path), tmp_path / "newer"
    newer.mkdir()
    one, seen = Certificate(*files), []
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=one.context) as server:
        port = server.sockets[0].getsockname()[1]
        seen.append(await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port)))
        for old, new in zip(files, certificate(newer), strict=True):
            new.replace(old)
        assert one.look()
        seen.append(await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port)))
    assert seen[0] != seen[1]
    assert seen[1] == files[0].read_text()
