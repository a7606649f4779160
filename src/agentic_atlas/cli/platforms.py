"""`atlas platforms`: the networks known here, and the one that commands go to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import click

from agentic_atlas.cli import connection, output, reach
from agentic_atlas.cli.command.declared import Argument, Option
from agentic_atlas.cli.options import Json
from agentic_atlas.errors import ConfigurationError, InvalidInput

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.people import WhoAmI
    from agentic_atlas.sdk.credentials import Credentials

PlatformName = Annotated[str, Argument(help="Its address, or a part of it that no other has.")]


def show_list(*, json: Json = False) -> None:
    """List the networks: which answer, whose key is kept for each, and where commands go (`*`)."""
    from agentic_atlas.sdk import environment

    held = environment.read_credentials()
    reached = connection.run(reach.reach_all(held.platforms))
    current = _current(held)
    if json:
        output.document({"items": [_facts(url, held, found, current) for url, found in reached.items()]})
    elif not reached:
        output.aside("No network is known here: start one with `atlas up`, or log in with `atlas login URL`.")
    else:
        rows = [
            ("*" if url == current else "", url, _state(found), _user(url, held, found))
            for url, found in reached.items()
        ]
        output.table(("", "platform", "state", "you are"), rows)
    _tell_overriding(current)


def use(*, platform: PlatformName, json: Json = False) -> None:
    """Let commands go to this network."""
    from agentic_atlas.sdk import environment

    url = _named(environment.read_credentials(), platform)
    path = environment.change_credentials(lambda held: held.using(url))
    if json:
        output.document({"url": url, "credentials": str(path)})
    else:
        output.say(f"Commands go to {url} now.")
    _tell_overriding(url)


def forget(
    *,
    platform: Annotated[str | None, Argument(help="As for `use`.")] = None,
    dead: Annotated[bool, Option("--dead", help="All that don't answer now.")] = False,
    json: Json = False,
) -> None:
    """Forget a network and the key for it. The key stays valid there: `atlas logout` revokes it as well."""
    from agentic_atlas.sdk import environment

    if (platform is None) == (not dead):
        raise click.UsageError("name a platform, or say --dead")
    held = environment.read_credentials()
    gone = [_named(held, platform)] if platform is not None else _dead(held)
    for url in gone:
        environment.forget(url)
    if json:
        output.document({"forgotten": gone, "current": environment.read_credentials().default})
    else:
        output.say(f"Forgot {', '.join(gone)}." if gone else "All networks known here answer.")
        tell_moved(held)


def key(
    *,
    platform: Annotated[str | None, Argument(help="As for `use`; without it the one that commands go to.")] = None,
    json: Json = False,
) -> None:
    """Print the API key that commands use, for a script: `key=$(atlas platforms key)`. Whoever has it acts as you."""
    from agentic_atlas.sdk import environment

    if platform is None:
        used = environment.client_settings()
        url, secret = used.url, used.api_key
    else:
        held = environment.read_credentials()
        url = _named(held, platform)
        secret = held.platforms[url].api_key
    if json:
        output.document({"url": url, "api_key": secret})
    else:
        output.say(secret)


def tell_moved(before: Credentials) -> None:
    """Say where commands go now that a network was forgotten, when that is elsewhere than before."""
    from agentic_atlas.sdk import environment

    now = environment.read_credentials().default
    if now != before.default:
        output.aside(f"Commands go to {now} now." if now else "No network is known here any more.")


def _dead(held: Credentials) -> list[str]:
    return [url for url, found in connection.run(reach.reach_all(held.platforms)).items() if found == reach.SILENT]


def _named(held: Credentials, text: str) -> str:
    """Return the address of the only platform that this may mean."""
    try:
        if held.entry(text) is not None:
            return held.using(text).default or text
    except ConfigurationError:
        pass  # Not an address: a part of one.
    found = [url for url in held.platforms if text and text in url]
    if len(found) > 1:
        raise InvalidInput(f"`{text}` may mean {' or '.join(found)}: give more of the address")
    if not found:
        raise InvalidInput(
            f"no network is known here as `{text}`: `atlas platforms` lists them, `atlas login URL` adds one"
        )
    return found[0]


def _current(held: Credentials) -> str:
    """Return the address of a list that commands go to; nothing when it is in none."""
    from agentic_atlas.sdk import environment

    url = environment.platform_url()
    return next((known for known in held.platforms if held.using(known).is_default(url)), "")


def _state(found: WhoAmI | str) -> str:
    return found if isinstance(found, str) else "answers"


def _user(url: str, held: Credentials, found: WhoAmI | str) -> str:
    return held.platforms[url].user if isinstance(found, str) else found.user.name


def _facts(url: str, held: Credentials, found: WhoAmI | str, current: str) -> dict[str, object]:
    return {
        "url": url,
        "current": url == current,
        "state": _state(found),
        "reachable": found != reach.SILENT,
        "user": _user(url, held, found),
        "data_dir": held.platforms[url].folder or None,
    }


def _tell_overriding(url: str) -> None:
    from agentic_atlas.sdk import environment

    for name in environment.overriding(url) if url else ():
        output.aside(f"{name} is set here and wins over what was chosen: unset it to use the choice.")
