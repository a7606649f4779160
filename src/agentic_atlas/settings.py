"""Every setting of the server, once. Read from the environment (`ATLAS_…`); the command line wins over it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.sdk import environment
from agentic_atlas.sdk.address import base_url, router_url
from agentic_atlas.sdk.misspelt import PREFIX, unread

Port = Annotated[int, Field(ge=0, le=65_535)]


def _data_dir() -> Path:
    home = environment.home()
    if home is None:
        raise ConfigurationError("this user has no home folder: name one for the data with ATLAS_DATA_DIR")
    return home / ".local" / "share" / "agentic-atlas"


def _api(url: str) -> str:
    return base_url(url, "ATLAS_PUBLIC_URL")


def _router(url: str) -> str:
    return router_url(url, "ATLAS_PUBLIC_ROUTER_URL")


class Settings(BaseSettings):
    """Settings of `atlas up`. Durations are seconds, sizes bytes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    data_dir: Annotated[Path, Field(default_factory=_data_dir)]
    """Folder of the database and the signing keys; made when missing, for its owner only."""

    backup_dir: Path | None = None
    """Folder where `atlas backup` and the API keep backups; `backups` in the data folder when it is not set."""

    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0`: all of this machine. Anything but loopback lets other machines in: put TLS in
    front of it."""

    http_port: Port = 8000
    """Port of platform and API; 0: any free one."""

    router_port: Port = 8080
    """Port where agents connect; 0: any free one."""

    public_url: Annotated[str, AfterValidator(_api)] | None = None
    """Address of the API as others see it, for instance `https://atlas.example.org`; new agents get it."""

    public_router_url: Annotated[str, AfterValidator(_router)] | None = None
    """Address of the router as agents see it, for instance `wss://atlas.example.org/ws`; new agents get it."""

    allowed_hosts: str = ""
    """Further names by which this network is asked, separated by commas; `.example.org` for all below it, `*` for any.
    Addresses, names without a dot, this machine's own and those of the public addresses are always answered."""

    admin: str = "admin"
    """Name of the administrator that the first start makes."""

    login_lifetime: Annotated[float, Field(ge=60, le=366 * 86_400)] = 90 * 86_400.0
    """How long the API key of a login by code (`atlas login --code`) is good for."""

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


def misspelt(names: Iterable[str] | None = None) -> list[str]:
    """Say of each variable that begins as ours do, and is none, which one it is almost; one sentence each."""
    given = (name for name in (environment.variables() if names is None else names) if name.startswith(PREFIX))
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    found = unread(given, [*known, *environment.AGENT_VARIABLES, *environment.CLIENT_VARIABLES])
    return [f"{name} is set and nothing reads it: did you mean {near}?" for name, near in found]
