"""What can be set from outside: the server's own settings, and those of its parts that a person may choose.

A default, and what it is, stands with the part that it belongs to; here is only that it may be set, and how far. The
name of a variable is made from the field's (`ATLAS_…`); the command line wins over the environment.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_type_hints

import msgspec
from msgspec import Meta

from agentic_atlas.backend.domain.logs import LogLimits
from agentic_atlas.backend.engine.census import OpenLimits
from agentic_atlas.backend.engine.engine import EngineSettings, TokenTerms
from agentic_atlas.backend.engine.logged_in import SessionTimes
from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.caller.values import LONGEST
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.protocol.refusals import refusal
from agentic_atlas.router.settings import RouterSettings
from agentic_atlas.sdk import environment
from agentic_atlas.sdk.address import base_url, router_url
from agentic_atlas.sdk.misspelt import PREFIX, unread

T = TypeVar("T")
Port = Annotated[int, Meta(ge=0, le=65_535)]


def _data_dir() -> Path:
    home = environment.home()
    if home is None:
        raise ConfigurationError("this user has no home folder: name one for the data with ATLAS_DATA_DIR")
    return home / ".local" / "share" / "agentic-atlas"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of `atlas up`. Durations are seconds, sizes bytes."""

    data_dir: Path = msgspec.field(default_factory=_data_dir)
    """Folder of the database and the signing keys; made when missing, for its owner only."""

    backup_dir: Path | None = None
    """Folder where `atlas backup` and the API keep backups; `backups` in the data folder when it is not set."""

    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0`: all of this machine. Anything but loopback lets other machines in, and needs
    TLS: of its own (`ATLAS_TLS_CERT`), or of a proxy in front of it, whose addresses are the public ones."""

    http_port: Port = 8000
    """Port of platform and API; 0: any free one."""

    router_port: Port = 8080
    """Port where agents connect; 0: any free one."""

    public_url: str | None = None
    """Address of the API as others see it, for instance `https://atlas.example.org`; new agents get it."""

    public_router_url: str | None = None
    """Address of the router as agents see it, for instance `wss://atlas.example.org/ws`; new agents get it."""

    allowed_hosts: str = ""
    """Further names by which this network is asked, separated by commas; `.example.org` for all below it, `*` for any.
    Addresses, names without a dot, this machine's own and those of the public addresses are always answered."""

    tls_cert: Path | None = None
    """File of the certificate that both listeners show, with its chain, in PEM; read again when it changes."""

    tls_key: Path | None = None
    """File of its private key, in PEM and unencrypted."""

    allow_plaintext: bool = False
    """`1`: listen without TLS where other machines can send keys and tokens, which can be read on the way."""

    trusted_proxies: str = ""
    """Addresses or networks of proxies in front of it, separated by commas, that are believed about where a request
    comes from (`X-Forwarded-For`)."""

    oidc_issuer: str | None = None
    """Address of an identity provider (OpenID Connect) that people log in with; it has to know
    `…/login/oidc/callback`."""

    oidc_client_id: str = ""
    """Id that the identity provider gave this network."""

    oidc_client_secret: str = ""
    """Secret that it gave with that."""

    oidc_create: bool = False
    """Make a user of whoever the provider vouches for and nobody here is linked to."""

    oidc_role: Literal["admin", "member", "viewer"] = "member"
    """Role of users who are made so."""

    oidc_domains: str = ""
    """Domains of e-mail addresses, verified by the provider, whose users are made; separated by commas, none: all."""

    outgoing_hosts: str = ""
    """Hosts inside your own network that this server may send requests to, separated by commas; that of the identity
    provider's address is among them. All others have to have public addresses."""

    admin: str = "admin"
    """Name of the administrator that the first start makes."""

    log_level: Literal["trace", "debug", "info", "warning", "error"] = "info"
    """Least severe lines to log; `trace`: each message between agents, router and backend too."""

    log_payloads: bool = False
    """`1`: at level trace, also what is in the messages, inputs and outputs among them; cut, and without tokens."""

    log_format: Literal["console", "json"] | None = None
    """How to log; `console` on a terminal and `json` elsewhere when it is not set."""

    open_browser: bool = True
    """`0`: open no browser when it is up. One is opened at the terminal of a person whose screen this machine has: not
    in a pipe, in CI, or over SSH without a display."""

    drain: Annotated[float, Meta(ge=0, le=600)] = 5.0
    """Most time a stop waits for requests that are being answered, and for what agents have reported to be stored."""

    router: RouterSettings = RouterSettings()
    engine: EngineSettings = EngineSettings()

    @property
    def names(self) -> tuple[str, ...]:
        """Names and addresses of this network, as they are set."""
        urls = (url for url in (self.public_url, self.public_router_url) if url)
        return (self.host, *urls, *self.allowed_hosts.split(","))

    @property
    def backups(self) -> Path:
        """Where backups are kept."""
        return self.backup_dir or self.data_dir / "backups"


_TASKS: Final = Meta(ge=1, le=10_000_000)

OF_PARTS: Final[Mapping[str, tuple[type, Meta]]] = {
    "login_lifetime": (EngineSettings, Meta(ge=60, le=366 * 86_400)),
    "session_idle": (SessionTimes, Meta(ge=300, le=LONGEST)),
    "session_lifetime": (SessionTimes, Meta(ge=300, le=LONGEST)),
    "max_token_lifetime": (TokenTerms, Meta(ge=1, le=LONGEST)),
    "max_token_age": (TokenTerms, Meta(ge=0, le=10 * LONGEST)),
    # Silence of half a minute is where boxes on the way begin to close connections.
    "beat_every": (RouterSettings, Meta(ge=0.05, le=24)),
    "grace": (RouterSettings, Meta(ge=0.1, le=3600)),
    "message_bytes": (Limits, Meta(ge=65_536, le=64 * 1024 * 1024)),
    "max_connections": (RouterSettings, Meta(ge=1, le=1_000_000)),
    "max_connections_per_address": (RouterSettings, Meta(ge=0, le=1_000_000)),
    "queue_per_agent": (OpenLimits, _TASKS),
    "open_per_caller": (OpenLimits, _TASKS),
    "open_per_user": (OpenLimits, _TASKS),
    "open_tasks": (OpenLimits, _TASKS),
    "watchers_per_task": (EngineSettings, Meta(ge=1, le=100_000)),
    "watchers_per_key": (EngineSettings, Meta(ge=1, le=100_000)),
    "logs_age": (LogLimits, Meta(ge=60, le=10 * LONGEST)),
    "logs_agent_bytes": (LogLimits, Meta(ge=1_000_000, le=10**12)),
    "logs_bytes": (LogLimits, Meta(ge=1_000_000, le=10**13)),
    "requests_per_second": (EngineSettings, Meta(ge=0, le=100_000)),
}
"""What may be set, of which part, and within which bounds; all else of the parts is for whoever builds a network, and
for tests."""

_PARTS: Final = ("router", "engine")
OWN: Final = tuple(name for name in Settings.__struct_fields__ if name not in _PARTS)
NAMES: Final = (*OWN, *OF_PARTS)
"""Everything that can be set."""

_ADDRESSES: Final[Mapping[str, Callable[[str, str], str]]] = {"public_url": base_url, "public_router_url": router_url}


def variable(name: str) -> str:
    """Return the variable of the environment that sets this."""
    return f"{PREFIX}{name.upper()}"


def kind_of(name: str) -> Any:
    """Return the type of what can be set, with its bounds."""
    if name not in OF_PARTS:
        return get_type_hints(Settings, include_extras=True)[name]
    part, bounds = OF_PARTS[name]
    return Annotated[get_type_hints(part)[name], bounds]


def in_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what is set in the environment; an empty variable counts as none."""
    values = environment.variables(environ)
    return {name: value for name in NAMES if (value := values.get(variable(name)))}


def read(
    given: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    named: Callable[[str], str] = variable,
) -> Settings:
    """Return the settings: those that are given, else those of the environment, else the defaults.

    `named` says what an error calls something that was given.

    Raises:
        ConfigurationError: a value is not acceptable; the sentence begins with where it was set.
    """
    given = given or {}
    values: dict[str, Any] = {}
    for name, value in {**in_environment(environ), **given}.items():
        values[name] = _acceptable(name, value, named(name) if name in given else variable(name))
    return Settings(
        **{name: value for name, value in values.items() if name in OWN},
        router=_part(RouterSettings, values),
        engine=EngineSettings(
            messages=Limits.of(_part(Limits, values).message_bytes),
            open=_part(OpenLimits, values),
            tokens=_part(TokenTerms, values),
            sessions=_part(SessionTimes, values),
            logs=_part(LogLimits, values),
            **_chosen(EngineSettings, values),
        ),
    )


def misspelt(names: Iterable[str] | None = None) -> list[str]:
    """Say of each variable that begins as ours do, and is none, which one it is almost; one sentence each."""
    given = (name for name in (environment.variables() if names is None else names) if name.startswith(PREFIX))
    known = [*map(variable, NAMES), *environment.AGENT_VARIABLES, *environment.CLIENT_VARIABLES]
    return [f"{name} is set and nothing reads it: did you mean {near}?" for name, near in unread(given, known)]


def _acceptable(name: str, value: object, source: str) -> object:
    kind = kind_of(name)
    try:
        checked: object = msgspec.convert(value, kind, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{source} {refusal(error, kind, value).message}") from None
    check = _ADDRESSES.get(name)
    return check(str(checked), source) if check is not None else checked


def _path(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(kind)


def _chosen(part: type, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in OF_PARTS and OF_PARTS[name][0] is part}


def _part(part: type[T], values: Mapping[str, Any]) -> T:
    return part(**_chosen(part, values))
