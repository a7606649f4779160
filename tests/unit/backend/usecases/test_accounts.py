"""Whoever changes how they come in says their password again; other sessions end with the old password."""

from __future__ import annotations

import pyotp
import pytest

from agentic_atlas.auth.totp import RECOVERY_CODES, STEP
from agentic_atlas.backend.domain.people import Account, Visitor, set_password
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import accounts, invitations, sessions
from agentic_atlas.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from tests.unit.backend.network import NOW, Network

OLD, NEW = "tall trees by the sea", "small birds on a wire"
HERE = Visitor("10.0.0.1")


async def prepared() -> tuple[Network, Principal]:
    network = Network()
    ada = await network.user()
    await network.store.accounts.change(ada.user.id, set_password(await network.passwords.hash(OLD), NOW))
    return network, ada


async def log_in(network: Network, password: str, code: str = "") -> Principal:
    return await network.application.recognise(
        (await sessions.log_in(None, network.application, "ada", password, code, HERE)).secret
    )


async def with_totp(network: Network, who: Principal) -> tuple[str, list[str]]:
    made = await accounts.enrol(who, network.application, OLD, HERE, "atlas.example.org")
    return made.secret, await accounts.confirm(who, network.application, now_shown(network, made.secret))


def now_shown(network: Network, secret: str) -> str:
    return pyotp.TOTP(secret).at(int(network.clock.now))


async def test_another_password_ends_the_other_sessions_and_the_links_that_were_sent() -> None:
    network, _ = await prepared()
    root = await network.user("root", Role.ADMIN)
    here, there = await log_in(network, OLD), await log_in(network, OLD)
    _, _, secret = await invitations.create(root, network.application, "ada", Role.MEMBER)
    with pytest.raises(Unauthenticated):
        await accounts.change_password(here, network.application, "wrong", NEW, HERE)
    with pytest.raises(InvalidInput):
        await accounts.change_password(here, network.application, OLD, "short", HERE)
    assert len(await sessions.find(here, network.application)) == 2
    assert await accounts.change_password(here, network.application, OLD, NEW, HERE) == 1
    left = await sessions.find(here, network.application)
    assert [one.id for one in left] == [here.credential.id] != [there.credential.id]
    with pytest.raises(NotFound):
        await invitations.show(None, network.application, secret)
    with pytest.raises(Unauthenticated):
        await log_in(network, OLD)
    await log_in(network, NEW)


async def test_one_time_passwords_are_needed_once_one_was_confirmed() -> None:
    network, ada = await prepared()
    eve = await network.user("eve")
    assert await accounts.show(eve, network.application) == Account(eve.user.id)
    made = await accounts.enrol(ada, network.application, OLD, HERE, "atlas.example.org")
    assert made.uri == (
        f"otpauth://totp/Agentic%20Atlas:ada%40atlas.example.org?secret={made.secret}&issuer=Agentic%20Atlas"
    )
    assert made.qr.startswith("<svg ")
    assert "script" not in made.qr
    await log_in(network, OLD)
    with pytest.raises(InvalidInput) as refused:
        await accounts.confirm(ada, network.application, "12345")
    assert refused.value.code == "wrong_code"
    shown = now_shown(network, made.secret)
    codes = await accounts.confirm(ada, network.application, shown)
    assert len(set(codes)) == RECOVERY_CODES
    account = await accounts.show(ada, network.application)
    assert (account.totp_at, len(account.recovery)) == (NOW, RECOVERY_CODES)
    assert not {code.encode() for code in codes} & set(account.recovery)
    for code in ("", shown):
        with pytest.raises(Unauthenticated):
            await log_in(network, OLD, code)
    await log_in(network, OLD, codes[0])
    network.clock.now += STEP
    await log_in(network, OLD, now_shown(network, made.secret))


async def test_what_is_needed_is_not_given_out_again_nor_confirmed_twice() -> None:
    network, ada = await prepared()
    with pytest.raises(Conflict):
        await accounts.confirm(ada, network.application, "123456")
    secret, _ = await with_totp(network, ada)
    for ask in (
        lambda: accounts.enrol(ada, network.application, OLD, HERE, "here"),
        lambda: accounts.confirm(ada, network.application, now_shown(network, secret)),
    ):
        with pytest.raises(Conflict) as refused:
            await ask()
        assert refused.value.code == "totp_on"


async def test_one_time_passwords_end_with_the_password_or_by_an_administrator() -> None:
    network, ada = await prepared()
    root = await network.user("root", Role.ADMIN)
    await with_totp(network, ada)
    with pytest.raises(Unauthenticated):
        await accounts.disenrol(ada, network.application, "wrong", HERE)
    await accounts.disenrol(ada, network.application, OLD, HERE)
    await log_in(network, OLD)
    await with_totp(network, ada)
    assert await accounts.reset_totp(root, network.application, "ada") == ada.user
    await log_in(network, OLD)
    assert (await accounts.show(ada, network.application)).recovery == ()
