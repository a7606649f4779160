"""The process that a network runs in, as people are told of it."""

import asyncio
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from agentic_atlas._version import __version__
from agentic_atlas.backend.archive.manifest import DATABASE
from agentic_atlas.backend.ports import Clock
from agentic_atlas.compose.certificate import Certificate
from agentic_atlas.compose.limits import limits_of
from agentic_atlas.observe import series
from agentic_atlas.observe.series import SeriesSample
from agentic_atlas.protocol.caller.system import LimitInfo, ServerInfo
from agentic_atlas.settings import Settings


class RunningServer:
    """`ports.ServerProcess`."""

    def __init__(
        self,
        settings: Settings,
        certificate: Certificate | None,
        clock: Clock,
        parts: Sequence[Callable[[], Iterable[SeriesSample]]] = (),
    ) -> None:
        """It starts now; `parts` tell what is scraped of the process, its store and its router, once they are there."""
        self._parts = parts
        self._settings = settings
        self._certificate = certificate
        self._clock = clock
        self._started = clock()

    async def limits(self) -> Sequence[LimitInfo]:
        """See the port; the source is read for the first who asks."""
        return await asyncio.to_thread(limits_of, self._settings)

    async def about(self, rows: Mapping[str, int]) -> ServerInfo:
        """See the port."""
        certificate, data_dir = self._certificate, self._settings.data_dir
        return ServerInfo(
            version=__version__,
            python=f"{platform.python_implementation()} {platform.python_version()}",
            system=f"{platform.system()} {platform.release()} on {platform.machine()}",
            started_at=_time(self._started),
            now=_time(self._clock()),
            certificate_until=_time(certificate.expires_at) if certificate else None,
            certificate_names=certificate.names if certificate else (),
            data_dir=str(data_dir.absolute()),
            store_bytes=await asyncio.to_thread(_bytes, data_dir / DATABASE),
            rows=dict(rows),
        )

    def samples(self) -> Iterable[SeriesSample]:
        """See the port."""
        yield SeriesSample(series.STORE_BYTES, _bytes(self._settings.data_dir / DATABASE))
        for part in self._parts:
            yield from part()


def _bytes(database: Path) -> int:
    """Return how much a database takes, with what SQLite keeps beside it."""
    files = (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm")))
    return sum(file.stat().st_size for file in files if file.exists())


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
