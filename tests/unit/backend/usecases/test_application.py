"""What a door holds of the backend, and that no use case begins before the right to it was looked at."""

from __future__ import annotations

import pytest

from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import users
from agentic_atlas.backend.usecases.application import USE_CASES, use_case
from agentic_atlas.errors import Forbidden, Unauthenticated
from tests.unit.backend.network import NOW, Network, as_agent


async def test_a_door_learns_who_somebody_is_and_what_time_it_is() -> None:
    network = Network()
    with pytest.raises(Unauthenticated):
        await network.application.authenticate("atlas_none")
    with pytest.raises(Unauthenticated):
        await network.application.authenticate(None)
    assert network.application.now() == NOW


def test_a_function_without_a_right_is_no_use_case() -> None:
    async def anything(who: Principal, engine: Engine) -> None: ...

    with pytest.raises(KeyError, match="anything"):
        use_case(anything)
    assert not [name for name in USE_CASES if name.endswith(".anything")]


async def test_a_use_case_is_refused_before_it_begins() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    nobody: Principal | None = None
    with pytest.raises(Unauthenticated):
        users.whoami(nobody, network.application)  # type: ignore[arg-type, unused-coroutine]
    with pytest.raises(Forbidden):
        users.whoami(as_agent(ada, agent), network.application)  # type: ignore[unused-coroutine]
    assert await users.whoami(ada, network.application) == "net_1"


def test_a_use_case_keeps_its_name_and_what_is_said_of_it() -> None:
    assert USE_CASES["users.whoami"] is users.whoami
    assert users.whoami.__doc__ == "Return the id of the network that the principal is known in."
