"""Logins by code: begun by whoever asks, decided by a user, answered with an API key of that user's."""

from agentic_atlas.backend.domain.people import Account, with_password_of
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.engine.api_keys import issue_key
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.logins import Login
from agentic_atlas.backend.rights import AgentToken, Principal, require_recent, to_last
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.backend.usecases.shown import login_info, new_api_key
from agentic_atlas.errors import Forbidden, Unauthenticated
from agentic_atlas.protocol.caller.people import LoginCodes, LoginInfo, NewApiKey


@use_case
async def begin(who: Principal | None, engine: Engine, host: str, address: str) -> LoginCodes:
    """Begin a login for a machine that calls itself `host`; raises Busy or InvalidInput."""
    return engine.logins.begin(host, address, now=engine.clock(), entropy=engine.entropy)


@use_case
async def show(who: Principal, engine: Engine, user_code: str) -> LoginInfo:
    """Return who asks with this code; raises NotFound (`login_code_not_found`) or Busy."""
    return _shown(who, engine, engine.logins.find(user_code, user_id=who.user.id, now=engine.clock()))


@use_case
async def approve(who: Principal, engine: Engine, user_code: str) -> LoginInfo:
    """Let who asks with this code act as the principal, unless the key or session that approves ends before they come.

    Raises:
        NotFound: no login waits for this code (`login_code_not_found`). Busy: too many wrong codes.
        Forbidden: an agent's token approves nothing; of an administrator see `rights.require_recent`.
    """
    if isinstance(who.credential, AgentToken):
        raise Forbidden("a login is approved by a person")
    now = engine.clock()
    if who.user.role is Role.ADMIN:
        require_recent(who, now)
    login = engine.logins.approve(user_code, user_id=who.user.id, key_digest=who.credential.digest, now=now)
    return _shown(who, engine, login)


@use_case
async def deny(who: Principal, engine: Engine, user_code: str) -> LoginInfo:
    """Turn away who asks with this code; raises NotFound (`login_code_not_found`) or Busy."""
    return _shown(who, engine, engine.logins.deny(user_code, user_id=who.user.id, now=engine.clock()))


@use_case
async def collect(who: Principal | None, engine: Engine, device_code: str) -> NewApiKey:
    """Return a new API key of the user who approved the login, once; it ends after a while, or with who approved it.

    Raises:
        Conflict: `authorization_pending`. Busy: `slow_down`. NotFound: `expired_token`.
        Forbidden: it was denied, or who approved it has lost that right since (`access_denied`).
    """
    login, key_digest = engine.logins.collect(device_code, now=engine.clock())
    name = f"atlas login on {login.host}"
    try:
        user_id = (await engine.people.behind(key_digest)).user.id
        # With another password what they approved with may end: there must be none from here on.
        account = await engine.store.accounts.get(user_id) or Account(user_id)
        approver, entry = await engine.people.behind(key_digest), with_password_of(account)
        by, lasts = approver.made_by, _lasts(approver, engine)
        made, secret = await issue_key(engine, approver.user, approver.scopes, name, lasts, login=entry, made_by=by)
    except Unauthenticated:
        raise _approved_by_nobody() from None
    try:
        # What they approved with may have ended meanwhile, and maybe before this key was there to end with it.
        await engine.people.behind(key_digest)
    except Unauthenticated:
        await engine.store.users.revoke_key(made.id, None, engine.clock())
        raise _approved_by_nobody() from None
    return new_api_key(made, approver.user, secret)


def _shown(who: Principal, engine: Engine, login: Login) -> LoginInfo:
    return login_info(login, engine.clock(), who.scopes, _lasts(who, engine))


def _lasts(approver: Principal, engine: Engine) -> float:
    """Return for how many seconds the key is good that somebody's approval is answered with."""
    most = to_last(approver, None, engine.clock())
    return engine.logins.key_lifetime if most is None else min(engine.logins.key_lifetime, most)


def _approved_by_nobody() -> Forbidden:
    return Forbidden("who approved the login may not do so any more", code="access_denied")
