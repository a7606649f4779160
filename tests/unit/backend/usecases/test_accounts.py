"""Whoever changes how they come in says their password again; other sessions end with the old password."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pyotp
import pytest

from agentic_atlas.auth.totp import RECOVERY_CODES, STEP
from agentic_atlas.backend.domain.people import Account, Visitor, set_password
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import accounts, invitations, keys, logins, sessions
from agentic_atlas.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from tests.unit.backend.network import NOW, Network, settle

OLD, NEW, MINE = "tall trees by the sea", "small birds on a wire", "another one of theirs"
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
    with pytest.raises(InvalidInput, match="your password already"):
        await accounts.change_password(here, network.application, OLD, OLD, HERE)
    assert await accounts.change_password(here, network.application, OLD, NEW, HERE) == (1, 0)
    left = await sessions.find(here, network.application)
    assert [one.id for one in left] == [here.credential.id] != [there.credential.id]
    with pytest.raises(NotFound):
        await invitations.show(None, network.application, secret)
    with pytest.raises(Unauthenticated):
        await log_in(network, OLD)
    await log_in(network, NEW)


async def test_another_password_ends_the_keys_of_log_ins_and_no_key_that_was_made_on_purpose() -> None:
    network, ada = await prepared()
    here = await log_in(network, OLD)
    machine = {"name": "ada", "password": OLD, "code": "", "visitor": HERE}
    asking = await sessions.make_key(None, network.application, "desk", **machine)
    by_password = await sessions.make_key(None, network.application, "laptop", **machine)
    codes = network.engine.logins.begin("phone", "10.0.0.2", now=NOW, entropy=network.engine.entropy)
    await logins.approve(here, network.application, codes.user_code)
    by_code = await logins.collect(None, network.application, codes.device_code)
    made = await keys.create(here, network.application, name="ci")
    who = await network.application.authenticate(asking.key)
    await network.agent(ada)
    task = (await network.submit(who)).task
    laptop = await network.application.authenticate(by_password.key)
    waiting = asyncio.create_task(network.engine.feed.until_ended(task.id, 60.0, laptop))
    await settle()
    assert await accounts.change_password(who, network.application, OLD, NEW, HERE) == (1, 2)
    with pytest.raises(Unauthenticated):
        await waiting
    for over in (by_password, by_code):
        with pytest.raises(Unauthenticated):
            await network.application.authenticate(over.key)
    for stays in (asking, made):
        assert (await network.application.authenticate(stays.key)).user == ada.user


class Gate:
    """Something asynchronous that is held before it begins, until a test opens it."""

    def __init__(self, held: Callable[..., Awaitable[Any]]) -> None:
        self.held = held
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def __call__(self, *given: object, **more: object) -> Any:
        self.reached.set()
        await self.opened.wait()
        return await self.held(*given, **more)


@pytest.mark.parametrize("way", ["session", "key", "code", "password", "totp"])
@pytest.mark.parametrize("change", ["password", "link"])
async def test_what_is_under_way_with_the_old_password_while_it_is_changed_comes_to_nothing(
    way: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, ada = await prepared()
    root = await network.user("root", Role.ADMIN)
    here, there = await log_in(network, OLD), await log_in(network, OLD)
    link = (await invitations.create(root, network.application, "ada", Role.MEMBER))[2]
    codes = network.engine.logins.begin("phone", "10.0.0.2", now=NOW, entropy=network.engine.entropy)
    await logins.approve(there, network.application, codes.user_code)
    store, on = network.store, network.application
    machine = {"name": "ada", "password": OLD, "code": "", "visitor": HERE}
    ways: dict[str, tuple[Any, str, Callable[[], Coroutine[Any, Any, object]]]] = {
        "session": (store.sessions, "add", lambda: sessions.log_in(None, on, "ada", OLD, "", HERE)),
        "key": (store.users, "add_key", lambda: sessions.make_key(None, on, "laptop", **machine)),
        "code": (store.users, "add_key", lambda: logins.collect(None, on, codes.device_code)),
        "password": (store.accounts, "replace_password", lambda: accounts.change_password(there, on, OLD, MINE, HERE)),
        "totp": (store.accounts, "change", lambda: accounts.disenrol(there, on, OLD, HERE)),
    }
    held_in, write, act = ways[way]
    gate = Gate(getattr(held_in, write))
    with monkeypatch.context() as held:
        held.setattr(held_in, write, gate)
        acting = asyncio.create_task(act())
        await gate.reached.wait()
    network.clock.now += 1.0
    if change == "password":
        await accounts.change_password(here, on, OLD, NEW, HERE)
    else:
        await invitations.accept(None, on, link, NEW)
    gate.opened.set()
    with pytest.raises((Unauthenticated, Forbidden)) as refused:
        await acting
    assert refused.value.code == ("access_denied" if way == "code" else "login_failed")
    live = [one.id for one in await network.engine.people.logged_in.live(ada.user.id)]
    assert live == ([here.credential.id] if change == "password" else [])
    assert [key.id for key in await store.users.keys_of(ada.user.id)] == [ada.credential.id]
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
    with pytest.raises(Conflict, match="`atlas users totp --off`") as refused:
        await accounts.reset_totp(root, network.application, "root")
    assert refused.value.code == "own_account"
