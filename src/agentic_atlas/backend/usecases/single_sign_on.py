"""Single sign-on: people log in at an identity provider, and are known here by what it calls them for ever.

An identity is linked to a user by issuer and subject alone: a name or an address at the provider may be somebody else's
tomorrow, and never lets anybody in as a user who is there.
"""

import re
from collections.abc import Mapping
from itertools import count

from msgspec.structs import replace

from agentic_atlas.backend.accounts import SignOn, Vouched
from agentic_atlas.backend.domain.audit import SYSTEM
from agentic_atlas.backend.domain.names import check_user_name
from agentic_atlas.backend.domain.people import (
    Entered,
    LinkedIdentity,
    Visitor,
    enabled,
)
from agentic_atlas.backend.domain.records import User
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.signing_on import Linker
from agentic_atlas.backend.rights import AgentToken, Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from agentic_atlas.protocol.caller.audit import AuditActor, AuditObject
from agentic_atlas.protocol.caller.values import Json

_ODD = re.compile(r"[^a-z0-9_-]+")
_LONGEST = 60
_MOST_SAID = 120


@use_case
async def begin(who: Principal | None, engine: Engine, redirect_uri: str, visitor: Visitor) -> tuple[str, str]:
    """Return where somebody logs in, and the secret that their browser keeps meanwhile.

    Raises:
        NotFound: the network has no provider (`no_provider`). Busy: too many log in (`too_many_logins`).
        Unavailable: the provider does not answer (`provider_unavailable`).
    """
    return await _depart(engine, redirect_uri, visitor)


@use_case
async def begin_link(
    who: Principal, engine: Engine, password: str, redirect_uri: str, visitor: Visitor
) -> tuple[str, str]:
    """The same for who is logged in, and wants to be known by what the provider calls them: it is another way in.

    Raises as `begin` and, when it is not certain that it is them, as `People.certain` does.
    """
    _sign_on(engine)
    assert not isinstance(who.credential, AgentToken)  # which has not this right
    account = await engine.people.certain(who, password, visitor)
    linker = Linker(who.user.id, who.credential.digest, account.password_at)
    return await _depart(engine, redirect_uri, visitor, linker)


@use_case
async def finish(
    who: Principal | None,
    engine: Engine,
    secret: str,
    state: str,
    code: str,
    issuer: str | None,
    visitor: Visitor,
    fault: str = "",
) -> Entered:
    """Begin a session of whoever came back from the provider with this code.

    `secret` is what their browser kept; `issuer` who the answer says it is of (RFC 9207), if it does; `fault` what the
    provider says was wrong. What is raised says what was wrong to who operates the network: show strangers the code.

    Raises:
        Unauthenticated: it was not begun in this browser, or the provider vouches for nobody; they are to be linked,
            and what they have begun that with is good no more, or their password is another one (`login_failed`).
        Forbidden: nobody here is linked to them, and none is made (`not_invited`).
        Conflict: they are to be linked, and are linked to somebody else (`identity_taken`).
        NotFound: the network has no provider (`no_provider`). Unavailable: it does not answer.
    """
    sign_on = _sign_on(engine)
    departure = engine.people.signing_on.back(secret, state, engine.clock())
    if issuer not in (None, sign_on.provider.issuer):
        raise _failed(f"the answer is of {_shown(issuer)}, and ATLAS_OIDC_ISSUER of another one")
    if not code:
        raise _failed(f"the identity provider let nobody in: {_shown(fault)}")
    vouched = await sign_on.provider.vouch(
        departure.redirect_uri, code=code, nonce=departure.nonce, verifier=departure.verifier
    )
    linker, issuer = departure.linker, sign_on.provider.issuer
    identity = LinkedIdentity(issuer, vouched.subject, linker.user_id if linker else "", engine.clock())
    known = linker is not None or await engine.store.accounts.identified(issuer, vouched.subject) is not None
    user = await (_linked(engine, identity, linker) if linker else _user(engine, sign_on, identity, vouched))
    if user.disabled_at is not None:
        raise _failed(f"{user.name} is disabled")
    # Linked with a password that is another one by now, they would come in by what it was taken from them with.
    entry = enabled if linker is None else linker.entry
    entered = await engine.people.logged_in.begin(user, visitor, engine.ids, engine.entropy, entry)
    now = await engine.store.accounts.identified(issuer, vouched.subject)
    if now is None or now.id != user.id:
        # It was removed meanwhile, and maybe before this session was there to be ended with it.
        await engine.people.end(user_id=user.id, id=entered.id)
        raise _failed(f"the identity was taken from {user.name} meanwhile")
    engine.changes.account(user.id)
    return replace(entered, identity=identity.id, linked=linker is not None, made=not known)


def _failed(why: str) -> Unauthenticated:
    return Unauthenticated(f"the log-in failed: {why}", code="login_failed")


def _shown(said: str | None) -> str:
    """Return what came from elsewhere as it may be read: on one line, and not much of it."""
    return "".join(one if one.isprintable() else "?" for one in said or "no reason")[:_MOST_SAID]


async def _depart(engine: Engine, redirect_uri: str, visitor: Visitor, linker: Linker | None = None) -> tuple[str, str]:
    provider = _sign_on(engine).provider
    departure, secret = engine.people.signing_on.depart(
        redirect_uri, visitor.address, engine.entropy, engine.clock(), linker
    )
    address = await provider.address(
        redirect_uri, state=departure.state, nonce=departure.nonce, verifier=departure.verifier
    )
    return address, secret


def _sign_on(engine: Engine) -> SignOn:
    if engine.people.sign_on is None:
        raise NotFound("this network has no single sign-on: ATLAS_OIDC_ISSUER sets a provider", code="no_provider")
    return engine.people.sign_on


async def _linked(engine: Engine, identity: LinkedIdentity, linker: Linker) -> User:
    """Link an identity; return its user. Who has begun that may have been thrown out while they were away."""
    accounts = engine.store.accounts
    try:
        who = await engine.people.behind(linker.credential)
    except Unauthenticated:
        raise _begun_by_nobody() from None
    if await accounts.link(identity, linker.entry):
        return who.user
    held_by = await accounts.identified(identity.issuer, identity.subject)
    if held_by is None or held_by.id == linker.user_id:
        raise _begun_by_nobody()
    by = AuditActor(kind="user", id=who.user.id, user_id=who.user.id, name=who.user.name)
    _tell(engine, by, identity, "identity_taken", {"why": f"it is linked to {held_by.name}"})
    raise Conflict("this log-in is somebody else's here", code="identity_taken")


def _tell(
    engine: Engine, who: AuditActor | None, identity: LinkedIdentity, code: str, detail: Mapping[str, Json]
) -> None:
    """Have the audit log tell of whom it is that nobody here is, or somebody else."""
    engine.trail.refuse(who, "single_sign_on.finish", AuditObject(kind="identity", id=identity.id), code, detail)


def _begun_by_nobody() -> Unauthenticated:
    return Unauthenticated("you are not logged in as you were when you began this: log in again", code="login_failed")


async def _user(engine: Engine, sign_on: SignOn, identity: LinkedIdentity, vouched: Vouched) -> User:
    """Return whom the provider vouches for: who is linked, or a user who is made."""
    accounts = engine.store.accounts
    user = await accounts.identified(identity.issuer, identity.subject)
    if user is not None:
        return user
    if not sign_on.create or not _invited(sign_on, vouched):
        why = "nobody is linked to it, and nobody is made" if not sign_on.create else "its domain is not among those"
        who = {"subject": _shown(vouched.subject), "email": _shown(vouched.email or "none that is verified")}
        _tell(engine, None, identity, "not_invited", {"why": why, "issuer": identity.issuer, **who})
        raise Forbidden(
            "nobody here is linked to this log-in: log in with your password and link it, or ask an administrator",
            code="not_invited",
        )
    made = await _made(engine, sign_on, identity, vouched)
    if not await accounts.link(replace(identity, user_id=made.id)):
        raise Unauthenticated("this log-in has just been used elsewhere: try again", code="login_failed")
    return made


def _invited(sign_on: SignOn, vouched: Vouched) -> bool:
    domain = vouched.email.rpartition("@")[2].lower()
    return not sign_on.domains or domain in sign_on.domains


async def _made(engine: Engine, sign_on: SignOn, identity: LinkedIdentity, vouched: Vouched) -> User:
    """Make a user who is called as at the provider, or almost so where somebody is called that here."""
    called = (vouched.name or vouched.email).partition("@")[0].lower()
    base = _ODD.sub("-", called)[:_LONGEST].strip("-_") or "user"
    for number in count(1):
        name = base if number == 1 else f"{base}-{number}"
        try:
            user = User(engine.ids("usr"), check_user_name(name), sign_on.role, engine.clock())
            await engine.store.users.add(user)
        except (Conflict, InvalidInput):
            continue
        made = AuditObject(kind="user", id=user.id, name=user.name)
        engine.trail.note(SYSTEM, "users.create", made, {"role": user.role, "identity": identity.id})
        return user
    raise AssertionError("numbers do not end")
