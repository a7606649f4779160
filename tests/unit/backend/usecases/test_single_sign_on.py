"""People are known by issuer and subject; names and addresses at the provider let nobody in as somebody else."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.accounts import SignOn, Vouched
from agentic_atlas.backend.domain.people import BrowserSession, Entered, Visitor, set_password
from agentic_atlas.backend.domain.records import ApiKey, Role
from agentic_atlas.backend.ports import AuditFilter
from agentic_atlas.backend.rights import RECENT_LOGIN, Principal
from agentic_atlas.backend.usecases import accounts, identities, keys, sessions, single_sign_on, users
from agentic_atlas.errors import AtlasError, Conflict, Forbidden, NotFound, Unauthenticated, Unavailable
from agentic_atlas.protocol.caller.audit import AuditEntry
from tests.unit.backend.network import Network

BACK, HERE = "http://atlas/login/oidc/callback", Visitor("10.0.0.1")
PASSWORD = "tall trees by the sea"


class Vouching:
    """Implements `backend.accounts.IdentityProvider`: vouches for whoever's name is the code."""

    issuer = "https://id.example.org"

    async def address(self, redirect_uri: str, *, state: str, nonce: str, verifier: str) -> str:
        return f"state={state}"

    async def vouch(self, redirect_uri: str, *, code: str, nonce: str, verifier: str) -> Vouched:
        assert (redirect_uri, nonce != verifier) == (BACK, True)
        return Vouched(f"sub-{code}", code.partition("@")[0], code if "@" in code else "")


def prepared(create: bool = True, domains: tuple[str, ...] = ()) -> Network:
    network = Network()
    network.engine.people.sign_on = SignOn(Vouching(), create, Role.VIEWER, domains)
    return network


async def back(network: Network, code: str, who: Principal | None = None, issuer: str | None = None) -> Entered:
    if who is None:
        address, secret = await single_sign_on.begin(None, network.application, BACK, HERE)
    else:
        address, secret = await single_sign_on.begin_link(who, network.application, PASSWORD, BACK, HERE)
    state = parse_qs(address)["state"][0]
    return await single_sign_on.finish(None, network.application, secret, state, code, issuer, HERE)


async def with_password(network: Network, name: str = "ada") -> Principal:
    """Return a new user who has a password, known by an API key."""
    who = await network.user(name)
    await have_password(network, who, PASSWORD)
    return who


async def have_password(network: Network, who: Principal, password: str) -> None:
    kept, at = await network.passwords.hash(password), network.clock()
    await network.store.accounts.change(who.user.id, set_password(kept, at))


async def away(network: Network, who: Principal, password: str = PASSWORD) -> tuple[str, str]:
    """Begin to link an identity; return the secret and the state to come back with."""
    address, secret = await single_sign_on.begin_link(who, network.application, password, BACK, HERE)
    return secret, parse_qs(address)["state"][0]


async def refused_back(network: Network, secret: str, state: str) -> str:
    """Come back from the provider, and return the code of the refusal; nothing is linked."""
    with pytest.raises(AtlasError) as refused:
        await single_sign_on.finish(None, network.application, secret, state, "ada", None, HERE)
    assert await network.store.accounts.identified(Vouching.issuer, "sub-ada") is None
    return refused.value.code


async def test_who_is_vouched_for_is_made_once_and_known_again() -> None:
    network = prepared()
    first = await back(network, "Ada Lovelace@example.org")
    assert (first.user.name, first.user.role) == ("ada-lovelace", Role.VIEWER)
    again = await back(network, "Ada Lovelace@example.org", issuer=Vouching.issuer)
    assert again.user == first.user
    assert (await network.application.recognise(again.secret)).user == first.user


@pytest.mark.parametrize(
    ("called", "name"), [("ADA", "ada"), ("tokens", "tokens-2"), ("é", "user"), ("_-_", "user"), ("x" * 99, "x" * 60)]
)
async def test_who_is_made_is_called_as_at_the_provider_as_far_as_names_go(called: str, name: str) -> None:
    assert (await back(prepared(), called)).user.name == name


async def test_a_namesake_is_another_user() -> None:
    network = prepared()
    ada = await network.user("ada", Role.ADMIN)
    entered = await back(network, "ada@example.org")
    assert (entered.user.name, entered.user.id != ada.user.id) == ("ada-2", True)


async def test_nobody_is_made_where_that_is_not_set_nor_of_another_domain() -> None:
    for network, code in (
        (prepared(create=False), "ada@example.org"),
        (prepared(domains=("example.org",)), "ada@evil.example.org"),
        (prepared(domains=("example.org",)), "ada"),
    ):
        with pytest.raises(Forbidden) as refused:
            await back(network, code)
        assert refused.value.code == "not_invited"
        assert await network.store.users.find(limit=9) == []
    assert (await back(prepared(domains=("example.org",)), "ada@Example.org")).user.name == "ada"


async def test_who_is_logged_in_links_an_identity_that_is_nobody_elses() -> None:
    network = prepared(create=False)
    ada, eve = await with_password(network), await with_password(network, "eve")
    first = await back(network, "ada@example.org", ada)
    assert (first.user, first.linked) == (ada.user, True)
    again = await back(network, "ada@example.org", ada)
    assert (again.user, again.linked, again.identity) == (ada.user, True, first.identity)
    entered = await back(network, "ada@example.org")
    assert (entered.user, entered.linked, entered.identity) == (ada.user, False, first.identity)
    with pytest.raises(Conflict) as refused:
        await back(network, "ada@example.org", eve)
    assert refused.value.code == "identity_taken"


async def test_who_has_a_password_says_it_again_to_link_an_identity() -> None:
    network = prepared()
    ada = await with_password(network)
    for wrong in ("", "wrong"):
        with pytest.raises(Unauthenticated) as refused:
            await away(network, ada, wrong)
        assert refused.value.code == "login_failed"


async def test_who_has_none_has_to_have_logged_in_a_moment_ago() -> None:
    network = prepared()
    key = await network.user()
    begun = await network.engine.people.logged_in.begin(key.user, HERE, network.engine.ids, network.engine.entropy)
    session = await network.application.recognise(begun.secret)
    network.clock.now += RECENT_LOGIN
    secret, state = await away(network, session, "")
    network.clock.now += 1
    for who in (key, session):
        with pytest.raises(Forbidden, match="log out and in again with your browser") as refused:
            await away(network, who, "")
        assert refused.value.code == "log_in_again"
    assert (await single_sign_on.finish(None, network.application, secret, state, "ada", None, HERE)).linked


async def test_nothing_is_linked_for_whom_the_credential_or_the_password_was_taken_meanwhile() -> None:
    network = prepared()
    root = await network.user("root", Role.ADMIN)
    ada = await with_password(network)
    assert isinstance(ada.credential, ApiKey)

    in_session = await sessions.log_in(None, network.application, "ada", PASSWORD, "", HERE)
    left = await away(network, await network.application.recognise(in_session.secret))
    await sessions.end_of(root, network.application, "ada")
    assert await refused_back(network, *left) == "login_failed"

    left = await away(network, ada)
    network.clock.now += 1
    await have_password(network, ada, PASSWORD)
    assert await refused_back(network, *left) == "login_failed"

    left = await away(network, ada)
    await users.update(root, network.application, "ada", role=None, disabled=True)
    assert await refused_back(network, *left) == "login_failed"
    await users.update(root, network.application, "ada", role=None, disabled=False)

    left = await away(network, ada)
    await keys.revoke(ada, network.application, ada.credential.id)
    assert await refused_back(network, *left) == "login_failed"


async def test_nobody_stays_logged_in_by_what_was_removed_while_they_came_in(monkeypatch: pytest.MonkeyPatch) -> None:
    network = prepared()
    ada = await with_password(network)
    linked = await back(network, "ada", ada)
    add = network.store.sessions.add

    async def removed_before(session: BrowserSession, *more: Any) -> Any:
        monkeypatch.undo()
        assert await identities.remove(ada, network.application, linked.identity, PASSWORD, HERE) == (1, 0)
        return await add(session, *more)

    monkeypatch.setattr(network.store.sessions, "add", removed_before)
    with pytest.raises(Unauthenticated) as refused:
        await back(network, "ada")
    assert refused.value.code == "login_failed"
    assert await network.engine.people.logged_in.live(ada.user.id) == []


async def test_nobody_comes_in_by_linking_who_began_it_with_a_password_that_changes_before_their_session_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = prepared()
    ada = await with_password(network)
    left = await away(network, ada)
    add = network.store.sessions.add

    async def changed_before(session: BrowserSession, *more: Any) -> Any:
        monkeypatch.undo()
        network.clock.now += 1
        await accounts.change_password(ada, network.application, PASSWORD, "low hills behind it", HERE)
        return await add(session, *more)

    monkeypatch.setattr(network.store.sessions, "add", changed_before)
    with pytest.raises(Unauthenticated) as refused:
        await single_sign_on.finish(None, network.application, *left, "ada", None, HERE)
    assert refused.value.code == "login_failed"
    assert await network.engine.people.logged_in.live(ada.user.id) == []


async def test_the_log_tells_whether_an_identity_was_linked_and_which() -> None:
    network = prepared()
    ada = await with_password(network)
    linked = await back(network, "ada", ada)
    await back(network, "ada")
    rows = await network.store.audit.find(AuditFilter(action="single_sign_on.finish"), limit=9)
    told = [(row.detail["linked"], row.detail["identity"]) for row in rows]
    assert sorted(told) == [(False, linked.identity), (True, linked.identity)]


async def refusals(network: Network) -> list[AuditEntry]:
    await network.engine.trail.settle()
    found = await network.store.audit.find(AuditFilter(action="single_sign_on"), limit=9)
    return [row for row in found if row.outcome != "ok"]


async def test_the_log_tells_who_was_not_let_in_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    network = prepared(create=False)
    with pytest.raises(Forbidden):
        await back(network, "eve@example.org")
    (row,) = await refusals(network)
    assert (row.outcome, row.who.kind, row.object.kind) == ("not_invited", "nobody", "identity")
    assert row.detail == {
        "issuer": Vouching.issuer,
        "subject": "sub-eve@example.org",
        "email": "eve@example.org",
        "why": "nobody is linked to it, and nobody is made",
    }


async def test_the_log_tells_who_wanted_an_identity_that_is_somebody_elses() -> None:
    network = prepared()
    ada, eve = await with_password(network), await with_password(network, "eve")
    await back(network, "ada", ada)
    with pytest.raises(Conflict):
        await back(network, "ada", eve)
    (row,) = await refusals(network)
    assert (row.outcome, row.who.name, row.detail) == ("identity_taken", "eve", {"why": "it is linked to ada"})


async def test_the_log_tells_of_a_user_who_is_made_and_of_who_came_in_that_they_were() -> None:
    network = prepared()
    for _ in range(2):
        await back(network, "ada")
    (made,) = await network.store.audit.find(AuditFilter(action="users.create"), limit=9)
    assert (made.who.kind, made.object.name, made.detail["role"]) == ("system", "ada", "viewer")
    rows = await network.store.audit.find(AuditFilter(action="single_sign_on.finish"), limit=9)
    assert [(row.detail["made"], row.detail["identity"]) for row in rows] == [
        (False, made.detail["identity"]),
        (True, made.detail["identity"]),
    ]


async def test_what_the_provider_says_is_wrong_is_in_the_log_on_one_line_and_short() -> None:
    network = prepared()
    address, secret = await single_sign_on.begin(None, network.application, BACK, HERE)
    state = parse_qs(address)["state"][0]
    said = "access_denied he would not\n" + "x" * 500
    with pytest.raises(Unauthenticated):
        await single_sign_on.finish(None, network.application, secret, state, "", None, HERE, said)
    (row,) = await refusals(network)
    why = str(row.detail["why"])
    assert why.startswith("the log-in failed: the identity provider let nobody in: access_denied he would not?xxx")
    assert len(why) < 200


async def test_a_provider_that_cannot_be_had_is_told_of_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    network = prepared()

    async def away(*_: object, **__: object) -> str:
        raise Unavailable("the identity provider can't be reached", code="provider_unavailable")

    monkeypatch.setattr(Vouching, "address", away)
    with pytest.raises(Unavailable):
        await single_sign_on.begin(None, network.application, BACK, HERE)
    (row,) = await refusals(network)
    assert (row.action, row.outcome) == ("single_sign_on.begin", "provider_unavailable")
    assert row.detail == {"why": "the identity provider can't be reached"}


async def test_who_is_disabled_is_not_let_in_nor_an_answer_of_another_issuer_or_without_a_code() -> None:
    network = prepared()
    root = await network.user("root", Role.ADMIN)
    await back(network, "ada")
    await users.update(root, network.application, "ada", role=None, disabled=True)
    for code, issuer in (("ada", None), ("eve", "https://evil.example.org"), ("", None)):
        with pytest.raises(Unauthenticated) as refused:
            await back(network, code, issuer=issuer)
        assert refused.value.code == "login_failed"


async def test_a_network_without_a_provider_says_so() -> None:
    network = Network()
    with pytest.raises(NotFound) as refused:
        await single_sign_on.begin(None, network.application, BACK, replace(HERE, session="x"))
    assert refused.value.code == "no_provider"
    with pytest.raises(AtlasError):
        await single_sign_on.finish(None, network.application, "x", "x", "x", None, HERE)
