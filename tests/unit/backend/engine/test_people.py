"""Who is let in: the right password, and the right one-time password once; and everybody else is told the same."""

from __future__ import annotations

import pyotp
import pytest
from msgspec.structs import replace

from agentic_atlas.auth.totp import STEP, recovery_digest
from agentic_atlas.backend.domain.people import Visitor, set_password
from agentic_atlas.backend.domain.records import User
from agentic_atlas.backend.engine.guesses import CODE_TRIES, CODE_WINDOW, TRIES
from agentic_atlas.errors import Busy, Unauthenticated
from tests.unit.backend.network import NOW, Network

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
HERE = Visitor("10.0.0.1")


async def prepared(*, totp: bool = False) -> tuple[Network, User]:
    network = Network()
    user = (await network.user()).user
    await network.store.accounts.change(user.id, set_password(await network.passwords.hash("right"), NOW))
    if totp:
        codes = (recovery_digest("aaaa-bbbb"),)
        await network.store.accounts.change(
            user.id, lambda held: replace(held, totp=SECRET, totp_at=NOW, recovery=codes)
        )
    return network, user


async def refusal(network: Network, name: str, password: str, code: str = "") -> tuple[str, str]:
    with pytest.raises(Unauthenticated) as refused:
        await network.engine.people.verified(name, password, code, HERE)
    return refused.value.code, refused.value.message


async def test_the_right_password_lets_in_and_all_else_is_answered_alike_after_the_same_work() -> None:
    network, user = await prepared()
    assert (await network.engine.people.verified("ada", "right", "", HERE))[0] == user
    await network.user("keys-only")
    answers = set()
    for name in ("ada", "nobody", "keys-only"):
        before = network.passwords.checked
        answers.add(await refusal(network, name, "wrong"))
        assert network.passwords.checked == before + 1
    await network.store.users.update(user.id, NOW, disabled_at=NOW)
    answers.add(await refusal(network, "ada", "right"))
    assert {code for code, _ in answers} == {"login_failed"}
    assert len(answers) == 1


async def test_tries_run_out_for_a_name_that_is_there_and_for_one_that_is_not() -> None:
    network, _ = await prepared()
    for name in ("ada", "nobody"):
        for _ in range(TRIES):
            await refusal(network, name, "wrong")
        before = network.passwords.checked
        with pytest.raises(Busy):
            await network.engine.people.verified(name, "right", "", HERE)
        assert network.passwords.checked == before, "who has to wait costs no hash"
    assert await network.engine.people.verified("ada", "right", "", Visitor("10.0.0.2"))


async def test_a_try_that_nobody_had_time_to_look_at_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    network, _ = await prepared()

    async def busy(*_: object, **__: object) -> tuple[bool, str | None]:
        raise Busy("later", code="too_many_logins")

    with monkeypatch.context() as crowded:
        crowded.setattr(network.passwords, "check", busy)
        for _ in range(TRIES * 2):
            with pytest.raises(Busy, match="later"):
                await network.engine.people.verified("ada", "right", "", HERE)
    assert await network.engine.people.verified("ada", "right", "", HERE)


async def test_a_device_counts_as_known_only_for_whom_it_was_logged_in() -> None:
    network, user = await prepared()
    entered = await network.engine.people.logged_in.begin(user, HERE, network.engine.ids, network.engine.entropy)
    for _ in range(TRIES):
        await refusal(network, "ada", "wrong")
    for device, comes_in in ((entered.device, True), ("atlas_device_other", False)):
        visitor = replace(HERE, device=device)
        if comes_in:
            assert await network.engine.people.verified("ada", "right", "", visitor)
        else:
            with pytest.raises(Busy):
                await network.engine.people.verified("ada", "right", "", visitor)


async def test_a_hash_is_made_anew_when_its_parameters_have_changed() -> None:
    network, user = await prepared()
    network.passwords.rounds = 2
    await network.engine.people.verified("ada", "right", "", HERE)
    account = await network.store.accounts.get(user.id)
    assert account is not None
    assert account.password == "2:thgir"
    assert account.password_at == NOW


async def test_a_one_time_password_is_asked_for_and_taken_once() -> None:
    network, _ = await prepared(totp=True)
    assert (await refusal(network, "ada", "wrong"))[0] == "login_failed"
    assert (await refusal(network, "ada", "right"))[0] == "code_required"
    code = pyotp.TOTP(SECRET).at(int(NOW))
    assert await network.engine.people.verified("ada", "right", code, HERE)
    assert (await refusal(network, "ada", "right", code))[0] == "login_failed"
    network.clock.now += STEP
    earlier = pyotp.TOTP(SECRET).at(int(NOW))
    assert (await refusal(network, "ada", "right", earlier))[0] == "login_failed"
    assert await network.engine.people.verified("ada", "right", pyotp.TOTP(SECRET).at(int(network.clock.now)), HERE)
    assert (await refusal(network, "ada", "right", "000"))[0] == "login_failed"


async def test_a_recovery_code_is_taken_once_however_it_is_typed() -> None:
    network, _ = await prepared(totp=True)
    assert await network.engine.people.verified("ada", "right", " AAAA bbbb ", HERE)
    assert (await refusal(network, "ada", "right", "aaaa-bbbb"))[0] == "login_failed"


async def test_wrong_one_time_passwords_run_out_too() -> None:
    network, _ = await prepared(totp=True)
    for number in range(TRIES):
        await refusal(network, "ada", "right", f"{number:06}")
    with pytest.raises(Busy):
        await network.engine.people.verified("ada", "right", pyotp.TOTP(SECRET).at(int(NOW)), HERE)


def from_anywhere(number: int) -> Visitor:
    return Visitor(f"2001:db8:0:{number:x}::1")


async def run_out(network: Network) -> None:
    """Say as many wrong one-time passwords as one may, from somewhere else each time."""
    for number in range(CODE_TRIES):
        with pytest.raises(Unauthenticated):
            await network.engine.people.verified("ada", "right", f"{number:06}", from_anywhere(number))


async def test_wrong_one_time_passwords_behind_the_right_password_run_out_wherever_they_are_said() -> None:
    network, user = await prepared(totp=True)
    await run_out(network)
    now = pyotp.TOTP(SECRET).at(int(NOW))
    for code in (now, "aaaa-bbbb"):
        with pytest.raises(Busy) as refused:
            await network.engine.people.verified("ada", "right", code, from_anywhere(CODE_TRIES))
        assert (refused.value.code, refused.value.retry_after) == ("too_many_codes", CODE_WINDOW)
    await network.store.accounts.change(user.id, set_password(await network.passwords.hash("another"), NOW))
    assert await network.engine.people.verified("ada", "another", now, from_anywhere(CODE_TRIES))


async def test_a_browser_that_the_account_knows_comes_in_beside_who_guesses_one_time_passwords() -> None:
    network, user = await prepared(totp=True)
    engine = network.engine
    entered = await engine.people.logged_in.begin(user, HERE, engine.ids, engine.entropy)
    known = Visitor("10.0.0.2", device=entered.device)
    await run_out(network)
    assert await engine.people.verified("ada", "right", pyotp.TOTP(SECRET).at(int(NOW)), known)


async def test_who_has_not_the_password_makes_nobody_wait_for_one_time_passwords() -> None:
    network, _ = await prepared(totp=True)
    for number in range(2 * CODE_TRIES):
        with pytest.raises(Unauthenticated):
            await network.engine.people.verified("ada", "wrong", f"{number:06}", from_anywhere(number))
    assert await network.engine.people.verified("ada", "right", pyotp.TOTP(SECRET).at(int(NOW)), HERE)


async def test_one_time_passwords_that_are_right_do_not_count() -> None:
    network, _ = await prepared(totp=True)
    for _ in range(2 * CODE_TRIES):
        network.clock.now += STEP
        code = pyotp.TOTP(SECRET).at(int(network.clock.now))
        assert await network.engine.people.verified("ada", "right", code, HERE)


async def test_who_says_their_password_again_needs_no_one_time_password() -> None:
    network, user = await prepared(totp=True)
    assert (await network.engine.people.confirmed(user, "right", HERE)).totp == SECRET
    with pytest.raises(Unauthenticated):
        await network.engine.people.confirmed(user, "wrong", HERE)
