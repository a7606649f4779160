"""Every setting of the server, once. Read from the environment (`ATLAS_…`); the command line wins over it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65_535)]


def _data_dir() -> Path:
    return Path.home() / ".local" / "share" / "agentic-atlas"


class Settings(BaseSettings):
    """Settings of `atlas up`. Durations are seconds, sizes bytes."""

    model_config = SettingsConfigDict(env_prefix="ATLAS_", frozen=True, extra="ignore")

    data_dir: Annotated[Path, Field(default_factory=_data_dir)]
    """Folder of the database and the signing keys; made when missing, for its owner only."""

    backup_dir: Path | None = None
    """Folder where `atlas backup` and the API keep backups; `backups` in the data folder when it is not set."""

    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback lets other machines in: put TLS in front of it."""

    http_port: Port = 8000
    """Port of platform and API; 0: any free one."""

    router_port: Port = 8080
    """Port where agents connect; 0: any free one."""

    public_url: str | None = None
    """Address of the API as others see it, for instance `https://atlas.example.org`."""

    public_router_url: str | None = None
    """Address of the router as agents see it, for instance `wss://atlas.example.org/ws`."""

    allowed_hosts: str = ""
    """Further names by which this network is asked, separated by commas; `.example.org` for all below it, `*` for any.
    Addresses, names without a dot, this machine's own and those of the public addresses are always answered."""

    admin: str = "admin"
    """Name of the administrator that the first start makes."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe messages to log."""

    log_format: Literal["console", "json"] | None = None
    """How to log; `console` on a terminal and `json` elsewhere when it is not set."""

    beat_every: Annotated[float, Field(ge=0.05, le=24)] = 10.0
    """Time between two heartbeats of an agent; a connection that is silent for two of them is dead."""

    grace: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    """How long a cut connection keeps its tasks."""

    message_bytes: Annotated[int, Field(ge=65_536, le=64 * 1024 * 1024)] = 4 * 1024 * 1024
    """Longest message between agent and router; an input, output or event may have three quarters of it."""

    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    """Most connections of agents at the same time."""

    max_connections_per_address: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Most of them from one address; 0: no limit of its own."""

    queue_per_agent: Annotated[int, Field(ge=1, le=10_000_000)] = 20_000
    """Most tasks that wait for one agent; more are answered 429 (`agent_queue_full`)."""

    open_per_caller: Annotated[int, Field(ge=1, le=10_000_000)] = 10_000
    """Most tasks of one caller that have not ended; more are answered 429 (`too_many_open_tasks`)."""

    open_per_user: Annotated[int, Field(ge=1, le=10_000_000)] = 50_000
    """Most tasks of one user, by whichever key or agent, that have not ended; more are answered 429
    (`too_many_open_tasks`)."""

    open_tasks: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Most tasks of everybody that have not ended; more are answered 429 (`network_full`)."""

    watchers_per_task: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Most watchers of one task's events at the same time; more are answered 429 (`too_many_watchers`)."""

    watchers_per_key: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Most watchers with one API key at the same time; more are answered 429 (`too_many_watchers`)."""

    drain: Annotated[float, Field(ge=0, le=600)] = 5.0
    """Most time a stop waits for requests that are being answered, and for what agents have reported to be stored."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names and addresses of this network, as they are set."""
        urls = (url for url in (self.public_url, self.public_router_url) if url)
        return (self.host, *urls, *self.allowed_hosts.split(","))

    @property
    def backups(self) -> Path:
        """Where backups are kept."""
        return self.backup_dir or self.data_dir / "backups"
