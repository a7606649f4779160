"""The only reader of the environment: `.env`, the process environment, and where the credentials file is.

An agent's `.env` lies beside the file that is run; the process environment wins over it. A value that cannot be used
is one sentence that says which, why and what to do; no sentence ever holds the token.
"""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.observe import logs
from agentic_atlas.protocol.messages import LONGEST_TOKEN
from agentic_atlas.sdk import credentials as store
from agentic_atlas.sdk import dotenv_file
from agentic_atlas.sdk.address import QUOTES, Address, base_url, on_loopback, router_url
from agentic_atlas.sdk.credentials import Credentials, StoredKey
from agentic_atlas.sdk.dotenv_file import EnvFile
from agentic_atlas.sdk.lines.settings import VARIABLES, LineSettings, line_settings
from agentic_atlas.sdk.misspelt import PREFIX, unread

ROUTER_URL: Final = "ws://localhost:8080/ws"
API_URL: Final = "http://localhost:8000"
_LOGGING: Final = ("ATLAS_LOG_LEVEL", "ATLAS_LOG_FORMAT", "ATLAS_LOG_PAYLOADS")

PAUSE_VARIABLES: Final = ("ATLAS_MAX_MEMORY", "ATLAS_MAX_CPU", "ATLAS_PAUSE_ON_BATTERY", "ATLAS_QUIET_HOURS")
AGENT_VARIABLES: Final = (
    "AGENT_JWT_TOKEN",
    "ROUTER_WS_URL",
    "BACKEND_API_BASE_URL",
    "ATLAS_SPOOL",
    *_LOGGING,
    *PAUSE_VARIABLES,
    *VARIABLES,
)
CLIENT_VARIABLES: Final = ("ATLAS_API_URL", "ATLAS_API_KEY", "ATLAS_ALLOW_PLAINTEXT")
_YES: Final = ("1", "true")
_OURS: Final = (PREFIX, "AGENT_")

_WHERE_FROM: Final = (
    "`atlas tokens create NAME --create-agent --env .env`, run beside your agent's file, writes one there, with the "
    "router's address"
)
_COPY_AGAIN: Final = "copy the whole token again, without quotes, spaces or line breaks"


@dataclass(frozen=True)
class AgentSettings:
    """What an agent is told from outside; its text form does not hold the token."""

    token: str = field(repr=False)
    """`AGENT_JWT_TOKEN`."""
    router_url: str = ROUTER_URL
    """`ROUTER_WS_URL`."""
    api_url: str = API_URL
    """`BACKEND_API_BASE_URL`."""
    log_level: str = "info"
    """`ATLAS_LOG_LEVEL`: one of `logs.LEVELS`."""
    log_format: str | None = None
    """`ATLAS_LOG_FORMAT`: one of `logs.FORMATS`; None: console on a terminal, JSON elsewhere."""
    log_payloads: bool = False
    """`ATLAS_LOG_PAYLOADS`: whether level trace shows what is in messages."""
    env_file: Path | None = None
    """The `.env` that was read, or None."""
    colours: bool = True
    """Whether a terminal gets colours: unless `NO_COLOR` is set (no-color.org)."""
    lines: LineSettings = field(default_factory=LineSettings)
    """What of the log is told to the network, and kept in a file."""
    spool: Path | None = None
    """`ATLAS_SPOOL`: where results are kept until the router has them; None: in memory only."""
    renewed: Path | None = None
    """Where renewed tokens are kept: in `XDG_STATE_HOME`; None: in memory only."""
    token_from_file: bool = False
    """Whether the token came from `env_file`, so that a new one would appear there too."""
    pauses: Mapping[str, str] = field(default_factory=dict)
    """Those of `PAUSE_VARIABLES` that are set; `sdk.resources.pausing` reads them."""
    warnings: tuple[str, ...] = ()
    """What works and should be changed, one sentence each, for the log."""


def variables(environ: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Return the environment that counts: the given one, else that of the process."""
    return os.environ if environ is None else environ


def load(
    folder: Path | None,
    environ: Mapping[str, str] | None = None,
    *,
    env_file: Path | None = None,
    said: Mapping[str, str] | None = None,
) -> AgentSettings:
    """Return an agent's settings. `folder` is that of its file, None when there is none (an interactive session).

    `env_file` is read in place of the `.env` that would be found, and `said` counts before the environment.

    Raises:
        ConfigurationError: the token is missing, or a value cannot be used; the message names the fix.
    """
    path = env_file or dotenv_file.find(folder)
    file = dotenv_file.read(path) if path is not None else None
    in_file = file.values if file is not None else {}
    given = {**variables(environ), **(said or {})}
    # An empty variable is one that is not set: that is how compose files and shells pass on what they do not have.
    values = {**in_file, **{name: value.strip() for name, value in given.items() if value.strip()}}
    state = _users_folder("XDG_STATE_HOME", ".local/state", given)
    spool = _spool(values.get("ATLAS_SPOOL"), state)
    router = router_url(values.get("ROUTER_WS_URL", ROUTER_URL), "ROUTER_WS_URL")
    if router.startswith("wss:"):
        check_trust(given)
    check_plaintext(router, "the token", "ROUTER_WS_URL is", values)
    from_file = "AGENT_JWT_TOKEN" in in_file and not given.get("AGENT_JWT_TOKEN", "").strip()
    return AgentSettings(
        token=_token(values.get("AGENT_JWT_TOKEN"), file),
        router_url=router,
        api_url=base_url(values.get("BACKEND_API_BASE_URL", API_URL), "BACKEND_API_BASE_URL"),
        log_level=_one_of("ATLAS_LOG_LEVEL", values.get("ATLAS_LOG_LEVEL", "info"), logs.LEVELS),
        log_format=_one_of("ATLAS_LOG_FORMAT", values["ATLAS_LOG_FORMAT"], logs.FORMATS)
        if "ATLAS_LOG_FORMAT" in values
        else None,
        log_payloads=values.get("ATLAS_LOG_PAYLOADS", "").lower() in _YES,
        env_file=path,
        colours=not given.get("NO_COLOR"),
        lines=line_settings(values, state),
        spool=spool,
        renewed=None if state is None else state / "tokens",
        token_from_file=from_file and file is not None and file.again,
        pauses={name: values[name] for name in PAUSE_VARIABLES if name in values},
        warnings=(
            *(_file_warnings(file, holds_token=from_file) if file is not None else ()),
            *_misspelt(given),
            *((_HOMELESS,) if spool is None and not values.get("ATLAS_SPOOL") else ()),
        ),
    )


def client_settings(
    url: str | None = None, api_key: str | None = None, environ: Mapping[str, str] | None = None
) -> Address:
    """Return where the API is and the key for it: what is given, else `ATLAS_API_URL` and `ATLAS_API_KEY`, else the
    credentials file, whose keys are used for their own platform only. `address.address` checks what is returned.

    Raises:
        ConfigurationError: there is no key, or the file cannot be used; the message names the fix.
    """
    given = variables(environ)
    key: str | None = api_key or given.get("ATLAS_API_KEY", "").strip()
    address = url or _api_url(given)
    if key and address:
        return Address(address, key)
    held = read_credentials(environ)
    address = address or held.default
    key = key or (held.api_key(address) if address else None)
    if not key:
        raise ConfigurationError(" ".join((_no_key(address, held), *_misspelt(given))))
    return Address(address or API_URL, key)


def _no_key(address: str | None, held: Credentials) -> str:
    if address is None:
        return (
            "no network is known here: start one with `atlas up` (one that runs here already makes you a key when it "
            "is started anew), log in to one elsewhere with `atlas login URL`, or put its address into ATLAS_API_URL "
            "and a key into ATLAS_API_KEY."
        )
    known = f" Keys are kept here for {', '.join(sorted(held.platforms))}." if held.platforms else ""
    return (
        f"there is no API key for {address}: log in with `atlas login {address}`, start a network here with "
        "`atlas up` (one that runs here already makes you a key when it is started anew), or put a key into "
        f"ATLAS_API_KEY.{known}"
    )


def _api_url(given: Mapping[str, str]) -> str | None:
    value = given.get("ATLAS_API_URL", "").strip()
    return base_url(value, "ATLAS_API_URL") if value else None


def platform_url(url: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    """Return the platform that is meant, in its one form: what is given, else `ATLAS_API_URL`, else that of the last
    login, else the one on this machine.

    Raises:
        ConfigurationError: it is no address, or the credentials file cannot be used.
    """
    given = variables(environ)
    return base_url(url or _api_url(given) or read_credentials(environ).default or API_URL)


def overriding(url: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the variables that are set and keep the stored key of this platform from being used by default."""
    given = variables(environ)
    elsewhere = bool(given.get("ATLAS_API_URL")) and platform_url(environ=environ) != base_url(url)
    return ["ATLAS_API_URL"] * elsewhere + ["ATLAS_API_KEY"] * bool(given.get("ATLAS_API_KEY"))


def credentials_path(environ: Mapping[str, str] | None = None) -> Path:
    """Return where this user's API keys are: `~/.config/agentic-atlas/credentials.json`, `XDG_CONFIG_HOME` respected.

    Raises:
        ConfigurationError: the user has no home folder.
    """
    folder = _users_folder("XDG_CONFIG_HOME", ".config", variables(environ))
    if folder is None:
        raise ConfigurationError("this user has no home folder: set XDG_CONFIG_HOME, or use ATLAS_API_KEY")
    return folder / "credentials.json"


def read_credentials(environ: Mapping[str, str] | None = None) -> Credentials:
    """Return this user's API keys; raises as `credentials.read` does."""
    return store.read(credentials_path(environ))


def remember(
    url: str, api_key: str, environ: Mapping[str, str] | None = None, *, user: str = "", default: bool = True
) -> Path:
    """Store a key, and make its platform the default when that is wanted; return the file.

    Raises as `credentials.read` and `write` do.
    """
    entry = StoredKey(api_key, user=user)
    return change_credentials(lambda held: held.with_entry(url, entry, default=default, chosen=default), environ)


def forget(url: str, environ: Mapping[str, str] | None = None) -> bool:
    """Remove the key of a platform; False when there is none. Raises as `credentials.read` and `write` do."""
    if read_credentials(environ).entry(url) is None:
        return False
    change_credentials(lambda held: held.without(url), environ)
    return True


def change_credentials(change: Callable[[Credentials], Credentials], environ: Mapping[str, str] | None = None) -> Path:
    """Write what `change` makes of the credentials, unless that is the same; return the file.

    Raises as `credentials.read` and `write` do.
    """
    path = credentials_path(environ)
    store.change(path, change)
    return path


def _token(token: str | None, file: EnvFile | None) -> str:
    if not token:
        looked = "there is no .env file"
        if file is not None:
            looked = f"{file.path} has none" + "".join(f" (line {line} cannot be read)" for line in file.broken[:1])
        raise ConfigurationError(f"AGENT_JWT_TOKEN is not set, and {looked}: {_WHERE_FROM}")
    fault = token_fault(token)
    if fault is not None:
        raise ConfigurationError(f"AGENT_JWT_TOKEN {fault}: {_COPY_AGAIN}")
    return token


def token_fault(token: str) -> str | None:
    """Return why this text, which is not empty, cannot be a token; None when it can."""
    return next((what for is_wrong, what in _TOKEN_FAULTS if is_wrong(token)), None)


_TOKEN_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")

_TOKEN_FAULTS: Final[tuple[tuple[Callable[[str], bool], str], ...]] = (
    (lambda token: len(token) > LONGEST_TOKEN, f"is longer than {LONGEST_TOKEN} characters"),
    (lambda token: token.lower().startswith("bearer "), "begins with the word Bearer, which is not part of it"),
    (lambda token: token[0] in QUOTES or token[-1] in QUOTES, "has quotes around it"),
    (lambda token: any(character.isspace() for character in token), "has spaces or line breaks in it"),
    (lambda token: token.startswith("<") or token.endswith(">"), "is still the placeholder of an example"),
    (lambda token: not _TOKEN_CHARACTERS.issuperset(token), "has characters that no token has"),
    (lambda token: token.count(".") != 2 or not all(token.split(".")), "does not have the three parts of a token"),
)


_HOMELESS: Final = (
    "this user has no home folder, so results are kept in memory only: name a folder with ATLAS_SPOOL, or say "
    "ATLAS_SPOOL=off"
)


def _spool(value: str | None, state: Path | None) -> Path | None:
    if value is None:
        return None if state is None else state / "spool"
    if value.lower() == "off":
        return None
    path = Path(value)
    if not path.is_absolute():
        raise ConfigurationError("ATLAS_SPOOL has to be the absolute path of a folder, or off")
    return path


def _users_folder(variable: str, below_home: str, given: Mapping[str, str]) -> Path | None:
    """Return our folder of a kind; None when the user has no home folder."""
    # Only an absolute path counts (XDG Base Directory Specification).
    base = Path(given.get(variable) or "")
    if not base.is_absolute():
        own = home(given)
        if own is None:
            return None
        base = own / below_home
    return base / "agentic-atlas"


def home(environ: Mapping[str, str] | None = None) -> Path | None:
    """Return this user's home folder: `HOME` when it is an absolute path, else what the system says; None for none."""
    named = Path(variables(environ).get("HOME") or "")
    if named.is_absolute():
        return named
    try:
        import pwd
    except ImportError:  # Windows
        return Path.home()
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None


def check_plaintext(url: str, secret: str, where: str, environ: Mapping[str, str] | None = None) -> None:
    """See that nobody on the way to this address can read what is sent there, unless that is meant.

    Args:
        url: an address that was checked.
        secret: what would be read.
        where: what says so, for the error, with its verb.
        environ: instead of the process's own.

    Raises:
        ConfigurationError: it is another machine's and not encrypted, and `ATLAS_ALLOW_PLAINTEXT` is not `1`
            (`plaintext_refused`).
    """
    scheme = url.partition(":")[0]
    allowed = variables(environ).get("ATLAS_ALLOW_PLAINTEXT", "").strip().lower() in _YES
    if scheme not in ("ws", "http") or on_loopback(url) or allowed:
        return
    raise ConfigurationError(
        f"{where} {url}, and {secret} would travel there unencrypted: use {scheme}s://, or say ATLAS_ALLOW_PLAINTEXT=1 "
        "where nobody can listen on the way",
        code="plaintext_refused",
    )


def check_trust(environ: Mapping[str, str] | None = None) -> None:
    """See that what `SSL_CERT_FILE` or `SSL_CERT_DIR` names is there: OpenSSL would trust nobody, and not say why.

    Raises:
        ConfigurationError: it is not there, or cannot be read.
    """
    for name, look in (("SSL_CERT_FILE", _open), ("SSL_CERT_DIR", os.listdir)):
        named = first_set(name, environ=environ)
        try:
            if named is not None:
                look(named[1])
        except OSError as error:
            raise ConfigurationError(f"{name} can't be used: {error.filename}: {error.strerror}") from None


def _open(path: str) -> None:
    with Path(path).open("rb"):
        pass


def first_set(*names: str, environ: Mapping[str, str] | None = None) -> tuple[str, str] | None:
    """Return the first of these variables that has a value, with it; None for none."""
    given = variables(environ)
    return next(((name, given[name]) for name in names if given.get(name)), None)


def _one_of(name: str, value: str, allowed: Collection[str]) -> str:
    if value.lower() not in allowed:
        raise ConfigurationError(f"{name} has to be one of {', '.join(allowed)}")
    return value.lower()


def _file_warnings(file: EnvFile, *, holds_token: bool) -> list[str]:
    path = file.path
    said = [f"line {line} of {path} cannot be read, and is left out" for line in file.broken]
    if holds_token and file.open_to_others:
        said.append(f"{path} holds a token and other users of this machine can read it: chmod 600 {path}")
    known = (*AGENT_VARIABLES, *CLIENT_VARIABLES)
    for name, near in unread(file.values, known, ours=_OURS):
        said.append(f"{name} in {path} is nothing that an agent reads" + (f": did you mean {near}?" if near else ""))
    return said


def _misspelt(given: Mapping[str, str]) -> list[str]:
    """Say of each variable of the process that is almost one of ours which one that is."""
    names = (name for name in given if name.startswith(_OURS))
    found = unread(names, (*AGENT_VARIABLES, *CLIENT_VARIABLES))
    return [f"{name} is set and nothing reads it: did you mean {near}?" for name, near in found]


def for_child(**changes: str) -> dict[str, str]:
    """Return this process's environment for a child, without what tells this one where its network is.

    What is logged, and how, is told on.
    """
    elsewhere = ("ATLAS_", "AGENT_JWT_", "ROUTER_WS_URL", "BACKEND_API_BASE_URL")
    kept = {
        name: value
        for name, value in variables().items()
        if name in (*_LOGGING, *VARIABLES) or not name.startswith(elsewhere)
    }
    return kept | changes
