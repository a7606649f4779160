"""One's own sessions are listed and ended, and nobody else's."""

from __future__ import annotations

import pytest

from agentic_atlas.platform.pages.settings import sessions as pages
from tests.unit.backend.usecases.test_accounts import HERE, OLD, log_in, prepared
from tests.unit.platform.pages.settings.test_account import form, page, refusal

pytestmark = pytest.mark.anyio


async def test_sessions_are_those_of_one_alone_and_are_ended() -> None:
    network, ada = await prepared()
    here, there, third = [await log_in(network, OLD) for _ in range(3)]
    view = await pages.show(network.application, here)
    assert [one.current for one, _ in view.sessions].count(True) == 1
    assert (view.others, {one.address for one, _ in view.sessions}) == (2, {HERE.address})
    request = form()
    left = page(await pages.end(there.credential.id, request, network.application, here))
    assert there.credential.id not in [one.id for one, _ in left.sessions]
    assert "there is no session" in refusal(await pages.end("ses_none", request, network.application, here), 404)
    alone = page(await pages.end_others(request, network.application, here))
    assert [one.id for one, _ in alone.sessions] == [here.credential.id] != [third.credential.id]
    assert alone.said is not None
    assert (alone.said.text, (await pages.show(network.application, ada)).others) == ("1 session ended.", 1)
