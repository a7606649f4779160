"""One's own account: what is changed by its forms, what is shown this once, and what is said at which form."""

from __future__ import annotations

from typing import TypeVar

import pytest

from agentic_atlas.backend.domain.people import Account
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import groups, sessions
from agentic_atlas.http.cookies import Cookies
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.platform.pages.settings import account
from agentic_atlas.platform.pages.settings.account import AccountView, PasswordForm, ended, totp_of
from agentic_atlas.protocol.caller.accounts import Confirmation, IdentityChange, TotpCode
from tests.unit.backend.network import Network
from tests.unit.backend.usecases.test_accounts import NEW, OLD, log_in, now_shown, prepared
from tests.unit.backend.usecases.test_single_sign_on import PASSWORD, Vouching, back, with_password
from tests.unit.backend.usecases.test_single_sign_on import prepared as with_provider
from tests.unit.platform.test_refused import BROWSER, asked

pytestmark = pytest.mark.anyio

WHERE, COOKIES = Whereabouts(), Cookies()
Shown = TypeVar("Shown")


def form() -> Request:
    return asked("/settings", method="POST", accept=BROWSER)


def page(answer: Shown | Response) -> Shown:
    """Return the view of what was done."""
    assert not isinstance(answer, Response), answer.body.decode()
    return answer


def refusal(answer: object, status: int) -> str:
    """Return the page that says what was wrong."""
    assert isinstance(answer, Response)
    assert answer.status == status
    return answer.body.decode()


async def shown(network: Network, who: Principal) -> AccountView:
    return await account.show(network.application, who)


async def test_it_shows_who_one_is_and_nobody_elses_groups() -> None:
    network, ada = await prepared()
    root = await network.user("root", Role.ADMIN)
    for name in ("readers", "writers"):
        await groups.create(root, network.application, name)
    await groups.add(root, network.application, "readers", "ada")
    view = await shown(network, ada)
    assert (view.account.user.name, list(view.groups), view.totp, view.provider) == ("ada", ["readers"], "off", False)
    assert list((await shown(network, root)).groups) == []


async def test_another_password_is_said_twice_and_ends_what_the_one_before_let_in() -> None:
    network, _ = await prepared()
    here = await log_in(network, OLD)
    await log_in(network, OLD)

    async def change(current: str, new: str, again: str = NEW) -> AccountView | Response:
        body = PasswordForm(current=current, new=new, again=again)
        return await account.change_password(body, form(), network.application, here, COOKIES)

    assert "are not the same" in refusal(await change(OLD, "something else"), 422)
    assert "not the password of your account" in refusal(await change("wrong", NEW), 401)
    assert len(await sessions.find(here, network.application)) == 2
    said = page(await change(OLD, NEW)).said
    assert said is not None
    assert (said.form, said.text) == ("password", "You have another password. 1 other session ended.")


def test_what_ended_is_counted_in_words() -> None:
    assert ended(0, 0) == "Nobody else was logged in as you."
    assert ended(2, 1) == "2 other sessions and 1 API key from a log-in ended."
    assert ended(0, 3) == "3 API keys from log-ins ended."


async def test_one_time_passwords_are_set_up_confirmed_and_switched_off() -> None:
    network, ada = await prepared()
    mine = Confirmation(password=OLD)
    begun = page(await account.enrol(mine, form(), network.application, ada, COOKIES))
    assert begun.enrolment is not None
    assert begun.qr is not None
    assert (begun.totp, "atlas" in begun.enrolment.uri) == ("waiting", True)
    # What was shown once is not shown again, and can still be confirmed.
    wrong = await account.confirm(TotpCode(code="000000x"), form(), network.application, ada)
    assert begun.enrolment.secret not in refusal(wrong, 422)
    assert (await shown(network, ada)).totp == "waiting"
    code = TotpCode(code=now_shown(network, begun.enrolment.secret))
    on = page(await account.confirm(code, form(), network.application, ada))
    assert (on.totp, len(on.recovery.splitlines())) == ("on", 10)
    assert (await shown(network, ada)).recovery == ""
    refused = await account.disenrol(Confirmation(password="wrong"), form(), network.application, ada, COOKIES)
    assert "not the password of your account" in refusal(refused, 401)
    assert page(await account.disenrol(mine, form(), network.application, ada, COOKIES)).totp == "off"


def test_how_it_stands_with_one_time_passwords_is_told_apart() -> None:
    assert totp_of(Account("usr_1")) == "off"
    assert totp_of(Account("usr_1", totp="SECRET")) == "waiting"
    assert totp_of(Account("usr_1", totp="", totp_at=1.0)) == "on"


async def test_what_a_provider_knows_one_as_is_linked_by_a_link_and_removed() -> None:
    network = with_provider()
    ada = await with_password(network)
    body = IdentityChange(password=PASSWORD)
    answer = await account.link(body, form(), network.application, ada, WHERE, COOKIES)
    assert isinstance(answer, Response)
    assert 'href="state=' in answer.body.decode()
    kept = [value.partition(";")[0] for name, value in answer.fields if name == "set-cookie"]
    assert [one.partition("=")[0] for one in kept] == ["atlas_oidc", "atlas_back"]
    assert kept[1] == "atlas_back=/settings"
    nobody = await account.link(IdentityChange(), form(), network.application, ada, WHERE, COOKIES)
    assert "not the password of your account" in refusal(nobody, 401)

    await back(network, "ada", ada)
    (known,) = (await shown(network, ada)).identities
    assert (known.issuer, known.subject) == (Vouching.issuer, "sub-ada")
    left = page(await account.unlink(known.id, body, form(), network.application, ada, COOKIES))
    assert (left.identities, left.said is not None and left.said.text) == (
        [],
        "It lets nobody in as you any more. 1 other session ended.",
    )
