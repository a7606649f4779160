"""`atlas up`: router, backend and API in one process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from agentic_atlas.cli import output
from agentic_atlas.cli.command.declared import Option
from agentic_atlas.cli.options import Json

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from agentic_atlas.compose.network import Network
    from agentic_atlas.settings import Settings


def up(
    host: Annotated[str | None, Option(help="Address to listen on; 127.0.0.1 without it.")] = None,
    http_port: Annotated[int | None, Option(help="Port of the API; 8000 without it, 0: any free one.")] = None,
    router_port: Annotated[
        int | None,
        Option(help="Port where agents connect; 8080 without it, 0: any free one."),
    ] = None,
    data_dir: Annotated[
        Path | None,
        Option(help="Folder of the data; ~/.local/share/agentic-atlas without it."),
    ] = None,
    log_level: Annotated[str | None, Option(help="debug, info (without it), warning or error.")] = None,
    as_json: Json = False,
) -> None:
    """Start a network on this machine: router, backend and API in one process, until Ctrl-C.

    The first start makes an administrator and writes their API key to your credentials file, which the other commands
    use. Every option can be set as ATLAS_… in the environment.
    """
    from agentic_atlas.compose import logs
    from agentic_atlas.compose.program import run

    given: dict[str, Any] = {
        "host": host,
        "http_port": http_port,
        "router_port": router_port,
        "data_dir": data_dir,
        "log_level": log_level,
    }
    settings = read_settings({name: value for name, value in given.items() if value is not None})
    log = logs.configure(settings.log_level, settings.log_format)
    run(lambda stop: _serve(settings, log, stop, as_json=as_json))


async def _serve(settings: Settings, log: FilteringBoundLogger, stop: Any, *, as_json: bool) -> None:
    from agentic_atlas.compose.network import network
    from agentic_atlas.sdk import environment

    # What is wrong with that file is told before anything is up.
    before = environment.read_credentials().default
    async with network(settings, log) as up:
        credentials = await _credentials(up, settings)
        if as_json:
            output.document({"api_url": up.api_url, "router_url": up.router_url, "data_dir": str(settings.data_dir)})
        else:
            _tell(up, settings, credentials)
            if before not in (None, up.api_url):
                output.say(f"Commands go to this network from now on, not to {before}: ATLAS_API_URL chooses.")
        await stop.wait()
        if not as_json:
            output.say("stopping …")


async def _credentials(up: Network, settings: Settings) -> str:
    """See that this user's commands get in, and tell how."""
    from agentic_atlas.backend.services import users
    from agentic_atlas.errors import Unauthenticated
    from agentic_atlas.sdk import environment

    held = environment.read_credentials().api_key(up.api_url)
    if held is not None:
        try:
            principal = await up.backend.access.authenticate(held)
        except Unauthenticated:
            pass  # Of another data folder, or revoked: whoever owns the data gets a new one.
        else:
            # Where the other commands go: to the network that was started last.
            path = environment.remember(up.api_url, held)
            return f"{principal.user.name}, by {path}"
    issued = await users.bootstrap(up.backend, settings.admin) or await users.recover(up.backend)
    path = environment.remember(up.api_url, issued.secret)
    return f"{issued.user.name}, with a new API key in {path}"


def read_settings(given: dict[str, Any]) -> Settings:
    """Return the settings of the server on this machine: what is given on the command line wins.

    Raises:
        ConfigurationError: a value is not acceptable.
    """
    from pydantic import ValidationError

    from agentic_atlas.errors import ConfigurationError
    from agentic_atlas.settings import Settings

    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        source = f"--{name.replace('_', '-')}" if name in given else f"ATLAS_{name.upper()}"
        raise ConfigurationError(f"{source} is not acceptable: {first['msg']}") from None


def _tell(up: Network, settings: Settings, credentials: str) -> None:
    from agentic_atlas._version import __version__

    output.say(f"Agentic Atlas {__version__} is up.")
    output.fields(
        [
            ("  API", up.api_url),
            ("  Router", up.router_url),
            ("  Data", str(settings.data_dir)),
            ("  You are", credentials),
        ]
    )
    output.say("Next: `atlas init hello`, then `python agent.py` in that folder. Ctrl-C stops.")
