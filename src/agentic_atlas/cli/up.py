"""`atlas up`: router, backend and API in one process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from agentic_atlas.cli import output
from agentic_atlas.cli.command.declared import Option
from agentic_atlas.cli.options import Json

if TYPE_CHECKING:
    from agentic_atlas.cli.standing import LocalNetwork
    from agentic_atlas.compose.addresses import Addresses
    from agentic_atlas.observe.logs import Log
    from agentic_atlas.settings import Settings

EXPOSED = (
    "other machines can reach this network, and keys and tokens travel to it unencrypted, as ATLAS_ALLOW_PLAINTEXT "
    "allows: give it a certificate (--tls-cert, --tls-key), or put a proxy with TLS in front of it"
)


def up(  # noqa: PLR0913  # each is an option of the command
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
    tls_cert: Annotated[Path | None, Option(help="Certificate with its chain, in PEM: https:// and wss://.")] = None,
    tls_key: Annotated[Path | None, Option(help="Private key of the certificate, in PEM.")] = None,
    log_level: Annotated[str | None, Option(help="trace, debug, info (without it), warning or error.")] = None,
    no_open: Annotated[bool, Option(help="Open no browser, as it does at a person's own screen.")] = False,
    as_json: Json = False,
) -> None:
    """Start a network on this machine: router, backend and API in one process, until Ctrl-C.

    The first start makes an administrator and writes their API key to your credentials file, which the other commands
    use. Every option can be set as ATLAS_… in the environment.
    """
    from agentic_atlas.compose import logs
    from agentic_atlas.compose.program import run
    from agentic_atlas.sdk import environment

    given: dict[str, object] = {
        "host": host,
        "http_port": http_port,
        "router_port": router_port,
        "data_dir": data_dir,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "log_level": log_level,
        "open_browser": False if no_open else None,
    }
    settings = read_settings({name: value for name, value in given.items() if value is not None})
    plain = bool(environment.variables().get("NO_COLOR"))
    log = logs.configure(settings.log_level, settings.log_format, colours=not plain, payloads=settings.log_payloads)
    run(lambda stop: _serve(settings, log, stop, as_json=as_json))


async def _serve(settings: Settings, log: Log, stop: Any, *, as_json: bool) -> None:
    from agentic_atlas.cli import browser, standing
    from agentic_atlas.compose.network import network
    from agentic_atlas.compose.program import settled
    from agentic_atlas.sdk import environment

    # What is wrong with that file is told before anything is up.
    environment.read_credentials()
    async with network(settings, log) as up:
        here = await standing.enter(up, settings)
        if up.addresses.exposed:
            log.warning("exposed", message=EXPOSED)
        if as_json:
            output.document(_facts(up.addresses, settings, here))
        else:
            _tell(up.addresses, settings, here)
            if settings.open_browser and browser.is_at_hand(environment.variables()):
                # Not the first link: its secret would be on a command line.
                browser.show(up.addresses.page)
        settled()
        await stop.wait()
        if not as_json:
            output.say("stopping …")
        handed_on = await standing.leave(up, here)
        if handed_on and not as_json:
            output.say(f"Commands go to {handed_on} now.")


def read_settings(given: dict[str, object]) -> Settings:
    """Return the settings of the server on this machine: what is given on the command line wins.

    Raises:
        ConfigurationError: a value is not acceptable.
    """
    from agentic_atlas.settings import misspelt, read

    for sentence in misspelt():
        output.aside(sentence)
    return read(given, named=lambda name: f"--{name.replace('_', '-')}")


def _facts(where: Addresses, settings: Settings, here: LocalNetwork) -> dict[str, object]:
    seen = dict(zip(("public_url", "public_router_url"), where.for_others, strict=False))
    if here.first_login:
        seen["first_login"] = here.first_login
    return {"api_url": where.api_url, "router_url": where.router_url, "data_dir": str(settings.data_dir), **seen}


def _tell(where: Addresses, settings: Settings, here: LocalNetwork) -> None:
    from agentic_atlas._version import __version__

    key = f"with a new API key in {here.credentials}" if here.is_new else f"by {here.credentials}"
    output.say(f"Agentic Atlas {__version__} is up: {where.page}")
    output.fields(
        [
            ("  API", "" if where.page == where.api_url else where.api_url),
            ("  Router", where.router_url),
            ("  Others", " and ".join(where.for_others)),
            ("  Data", str(settings.data_dir)),
            ("  You are", f"{here.user}, {key}"),
            ("  Log in", f"{here.first_login} (sets a password; once, within 15 minutes)" if here.first_login else ""),
        ]
    )
    if here.elsewhere:
        state = "which answers" if here.answers else "which was chosen and does not answer now"
        output.say(f"Commands go to {here.elsewhere}, {state}: `atlas platforms use {where.api_url}` changes that.")
        output.say("Ctrl-C stops.")
    else:
        output.say("Next: `atlas init hello`, then `python agent.py` in that folder. Ctrl-C stops.")
