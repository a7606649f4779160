"""People log in and out; their sessions are listed and ended."""

from agentic_atlas.auth import Scope
from agentic_atlas.backend.domain.people import BrowserSession, Entered, Visitor
from agentic_atlas.backend.engine.api_keys import issue_key
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal, require_over
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.backend.usecases.shown import new_api_key
from agentic_atlas.errors import NotFound
from agentic_atlas.protocol.caller.people import NewApiKey


@use_case
async def log_in(
    who: Principal | None, engine: Engine, name: str, password: str, code: str, visitor: Visitor
) -> Entered:
    """Begin a session of whoever has this name and password; the one that their browser had until now ends.

    Raises:
        Unauthenticated: they are wrong (`login_failed`), or a one-time password is missing (`code_required`).
        Busy: too many tries were wrong, or too many people log in (`too_many_logins`).
    """
    user, entry = await engine.people.verified(name, password, code, visitor)
    entered = await engine.people.logged_in.begin(user, visitor, engine.ids, engine.entropy, entry)
    engine.changes.account(user.id)
    return entered


@use_case
async def make_key(
    who: Principal | None, engine: Engine, host: str, *, name: str, password: str, code: str, visitor: Visitor
) -> NewApiKey:
    """Make an API key for the machine called `host` of whoever has this name and password.

    Raises as `log_in` does, and InvalidInput for a host that can't be called so.
    """
    user, entry = await engine.people.verified(name, password, code, visitor)
    scopes, label = (Scope.EVERYTHING,), f"atlas login on {host}"
    key, secret = await issue_key(engine, user, scopes, label, engine.logins.key_lifetime, login=entry)
    return new_api_key(key, user, secret)


@use_case
async def current(who: Principal, engine: Engine) -> BrowserSession:
    """Return the session that asks; raises NotFound (`session_not_found`) to who comes with an API key."""
    if not isinstance(who.credential, BrowserSession):
        raise NotFound("you came with an API key, and have no session", code="session_not_found")
    return who.credential


@use_case
async def log_out(who: Principal, engine: Engine) -> None:
    """End the session that asks; nothing for who comes with an API key, which `keys.revoke` ends."""
    if isinstance(who.credential, BrowserSession):
        await engine.people.end(user_id=who.user.id, id=who.credential.id)
        engine.changes.account(who.user.id)


@use_case
async def find(who: Principal, engine: Engine) -> list[BrowserSession]:
    """Return one's own sessions that are not over, those that were used last first."""
    return await engine.people.logged_in.live(who.user.id)


@use_case
async def find_of(who: Principal, engine: Engine, user: str) -> list[BrowserSession]:
    """Return the sessions of the user of this name.

    Raises:
        NotFound: no such user (`user_not_found`). Forbidden: see `rights.require_over`.
    """
    named = await engine.access.user(user)
    require_over(who, named.role)
    return await engine.people.logged_in.live(named.id)


@use_case
async def end(who: Principal, engine: Engine, session_id: str) -> None:
    """End a session of one's own, administrators anybody's; raises NotFound (`session_not_found`)."""
    if not await engine.people.end(user_id=who.visible.user_id, id=session_id):
        raise NotFound(f"there is no session {session_id[:64]!r}", code="session_not_found")
    if who.visible.user_id is None:
        engine.changes.everything()  # it may be anybody's
    else:
        engine.changes.account(who.user.id)


@use_case
async def end_others(who: Principal, engine: Engine) -> int:
    """End all one's own sessions but the one that asks; return how many."""
    ended = await engine.people.end(user_id=who.user.id, but=who.credential.id)
    engine.changes.account(who.user.id)
    return len(ended)


@use_case
async def end_of(who: Principal, engine: Engine, user: str) -> int:
    """End all sessions of the user of this name; return how many.

    Raises:
        NotFound: no such user (`user_not_found`). Forbidden: see `rights.require_over`.
    """
    named = await engine.access.user(user)
    require_over(who, named.role)
    ended = await engine.people.end(user_id=named.id)
    engine.changes.account(named.id)
    return len(ended)
