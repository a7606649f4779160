"""`atlas logout`: forgets a platform's API key on this machine, and ends it on the platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from agentic_atlas.cli import connection, output, platforms
from agentic_atlas.cli.command.declared import Option
from agentic_atlas.cli.options import Json, PlatformUrl
from agentic_atlas.errors import AtlasError, InvalidInput, Unauthenticated

if TYPE_CHECKING:
    from agentic_atlas.sdk.credentials import StoredKey


def logout(
    *,
    url: PlatformUrl = None,
    keep_key: Annotated[
        bool, Option("--keep-key", help="Only forget the key here: on the platform it stays valid.")
    ] = False,
    json: Json = False,
) -> None:
    """Forget a platform's API key on this machine, and revoke it there."""
    from agentic_atlas.sdk import environment

    address = environment.platform_url(url)
    held = environment.read_credentials()
    key = held.api_key(address)
    set_here = environment.variables().get("ATLAS_API_KEY") or key
    if key is not None and set_here != key and not keep_key:
        raise InvalidInput(
            f"commands act with ATLAS_API_KEY here, and the key kept for {address} is another one: "
            "`unset ATLAS_API_KEY` first to revoke that, or only forget it with --keep-key; `atlas keys revoke` "
            "ends the one in the variable"
        )
    why_not = "" if keep_key or key is None else _revoke(address, key)
    environment.forget(address)
    revoked = key is not None and not keep_key and not why_not
    if json:
        output.document({"url": address, "forgotten": key is not None, "revoked": revoked})
    elif key is None:
        output.say(f"No API key for {address} is stored here.")
    else:
        output.say(f"Forgot the API key for {address}" + (", and revoked it there." if revoked else "."))
    if key is not None and not json:
        output.aside(_way_back(address, held.entry(address), kept=not revoked))
        platforms.tell_moved(held)
    if why_not:
        output.aside(f"The key could not be revoked and stays valid on the platform: {why_not}")
    if "ATLAS_API_KEY" in environment.overriding(address):
        output.aside("ATLAS_API_KEY is still set here: commands go on to act with its key.")


def _way_back(url: str, of: StoredKey | None, *, kept: bool) -> str:
    """Say how one gets in again: the key that is gone may have been the only one."""
    with_key = f"`atlas login {url}` with {'it' if kept else 'another key'}"
    user = of.user if of is not None and of.user else "NAME"
    return (
        f"To get in again: {with_key}, with `--user {user}` and a password, or with `--code`; with none of these, "
        "start the network anew on its machine (`atlas up`), which makes its administrator a new key."
    )


def _revoke(url: str, key: str) -> str:
    """Make the key worthless; return why that did not work, or nothing."""
    try:
        connection.run(revoke(url, key))
    except Unauthenticated:
        return ""  # Worthless already.
    except AtlasError as error:
        # Whatever the platform says or does not say, the key is not to stay on this machine.
        return error.message
    return ""


async def revoke(url: str, key: str, *, of_logins: bool = False) -> bool:
    """Make a key worthless that this machine held, with itself; `of_logins`: unless it was made otherwise.

    Returns whether it is worthless now. Raises Unauthenticated when it was before.
    """
    async with connection.connect(url, key) as atlas:
        held = (await atlas.people.whoami()).api_key
        assert held is not None  # it was shown one
        if held.from_login or not of_logins:
            await atlas.keys.revoke(held.id)
            return True
        return False
