"""Where a network that runs here stands among those its user knows: who they are in it, and where commands go.

Commands go where a person chose. Where nobody chose they go where they went, as long as that network answers; else to
the one that has just been started, and a network that ends leaves them to another one that runs here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentic_atlas.cli.reach import first_that_answers, reach
from agentic_atlas.errors import ConfigurationError, Unauthenticated
from agentic_atlas.sdk import environment
from agentic_atlas.sdk.credentials import Credentials, StoredKey

if TYPE_CHECKING:
    from agentic_atlas.backend.rights import Principal
    from agentic_atlas.compose.network import Network
    from agentic_atlas.settings import Settings


@dataclass(frozen=True)
class LocalNetwork:
    """Of this user in the network that has come up.

    Attributes:
        user: who they are in it.
        credentials: the file that their key is in.
        is_new: the key has just been made.
        elsewhere: the network that commands go to; empty: to this one.
        answers: that one does so now.
        principal: who the key belongs to.
        before: where commands went before it came up; None: nowhere.
        chosen: a person had chosen that.
        passing: its port was any free one.
        first_login: a link with which an administrator sets a password, while none has one; else nothing.
    """

    user: str
    credentials: Path
    is_new: bool
    elsewhere: str
    answers: bool
    principal: Principal
    before: str | None
    chosen: bool
    passing: bool
    first_login: str


async def enter(up: Network, settings: Settings) -> LocalNetwork:
    """See that this user's commands get in.

    Raises:
        ConfigurationError: the credentials file cannot be read or written.
    """
    url, folder, passing = up.addresses.api_url, str(settings.data_dir.resolve()), settings.http_port == 0
    held = environment.read_credentials()
    principal, key, is_new = await _key(up, settings, held, folder)
    elsewhere, answers = await _elsewhere(held, url, folder)
    # A network has one address, and those of free ports that were never taken back lead nowhere.
    gone = [at for at, entry in held.started_from(folder).items() if entry.passing or not passing]

    def stand(held: Credentials) -> Credentials:
        chosen = held.chosen
        for at in gone:
            held = held.without(at)
        entry = StoredKey(key, user=principal.user.name, folder=folder, passing=passing)
        # Commands that come to it although somebody chose were sent to this very network, at another address.
        return held.with_entry(url, entry, default=not elsewhere, chosen=chosen)

    path = environment.change_credentials(stand)
    return LocalNetwork(
        user=principal.user.name,
        credentials=path,
        is_new=is_new,
        elsewhere=elsewhere,
        answers=answers,
        principal=principal,
        before=held.default,
        chosen=held.chosen,
        passing=passing,
        first_login=await _first_login(up, settings),
    )


async def leave(up: Network, standing: LocalNetwork) -> str:
    """Let commands that nobody sent here by choice go to another network that runs here, and forget an address that
    nobody will find again.

    Returns where they go from now on, when that has changed; else nothing.
    """
    url, handed_on = up.addresses.api_url, ""
    try:
        held = environment.read_credentials()
        if held.is_default(url) and (standing.passing or not held.chosen):
            handed_on = await _hand_on(held, url, standing)
        if standing.passing:
            environment.forget(url)
            if standing.is_new:
                await _revoke(up, standing.principal)
    except ConfigurationError:
        pass  # The network ends all the same; whoever reads the file next is told what is wrong with it.
    return handed_on


async def _key(up: Network, settings: Settings, held: Credentials, folder: str) -> tuple[Principal, str, bool]:
    """Return who this user is, with a key: one that is stored, else a new one for whoever owns the data."""
    from agentic_atlas.backend.usecases import machine

    here = held.entry(up.addresses.api_url)
    for entry in ([here] if here is not None else []) + list(held.started_from(folder).values()):
        try:
            return await up.engine.access.authenticate(entry.api_key), entry.api_key, False
        except Unauthenticated:
            continue  # Of another data folder, or revoked.
    key = await machine.bootstrap(up.engine, settings.admin) or await machine.recover(up.engine)
    return await up.engine.access.authenticate(key), key, True


async def _first_login(up: Network, settings: Settings) -> str:
    from agentic_atlas.backend.usecases import machine

    secret = await machine.first_login(up.engine, settings.admin)
    return up.addresses.invitation(secret) if secret else ""


async def _elsewhere(held: Credentials, url: str, folder: str) -> tuple[str, bool]:
    """Return the network that commands stay with, and whether it answers; nothing when they come to this one."""
    default = held.default
    entry = None if default is None or held.is_default(url) else held.entry(default)
    if default is None or entry is None or entry.folder == folder:
        return "", False
    answers = not isinstance(await reach(default, entry.api_key), str)
    # Where a network on any free port was, nobody will find it again.
    stays = answers or (held.chosen and not entry.passing)
    return (default if stays else ""), answers


async def _hand_on(held: Credentials, url: str, standing: LocalNetwork) -> str:
    """Let commands go to another network of this machine that answers, or to where they went before."""
    before = standing.before or ""
    others = {at: entry for at, entry in held.without(url).platforms.items() if entry.folder or at == before}
    returns = before if standing.passing and before in others else ""
    next_one = returns if standing.chosen and returns else await first_that_answers(others.items()) or returns
    if next_one:
        chosen = standing.chosen and next_one == returns
        environment.change_credentials(lambda held: held.using(next_one, chosen=chosen))
    return next_one


async def _revoke(up: Network, principal: Principal) -> None:
    from agentic_atlas.backend.usecases import keys
    from agentic_atlas.backend.usecases.application import Application

    await keys.revoke(principal, Application(up.engine), principal.credential.id)
