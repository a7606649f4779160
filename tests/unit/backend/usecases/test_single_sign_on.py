"""People are known by issuer and subject; names and addresses at the provider let nobody in as somebody else."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.accounts import SignOn, Vouched
from agentic_atlas.backend.domain.people import Entered, Visitor
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import single_sign_on, users
from agentic_atlas.errors import AtlasError, Conflict, Forbidden, NotFound, Unauthenticated
from tests.unit.backend.network import Network

BACK, HERE = "http://atlas/login/oidc/callback", Visitor("10.0.0.1")


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
        address, secret = await single_sign_on.begin_link(who, network.application, BACK, HERE)
    state = parse_qs(address)["state"][0]
    return await single_sign_on.finish(None, network.application, secret, state, code, issuer, HERE)


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
    ada, eve = await network.user(), await network.user("eve")
    assert (await back(network, "ada@example.org", ada)).user == ada.user
    assert (await back(network, "ada@example.org", ada)).user == ada.user
    assert (await back(network, "ada@example.org")).user == ada.user
    with pytest.raises(Conflict) as refused:
        await back(network, "ada@example.org", eve)
    assert refused.value.code == "identity_taken"


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
