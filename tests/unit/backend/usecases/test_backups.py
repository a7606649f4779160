"""Backups are for administrators, who get what there is of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentic_atlas.auth import Scope
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.usecases import backups
from agentic_atlas.errors import Forbidden
from tests.unit.backend.network import Network


async def test_an_administrator_makes_backups_and_finds_them_newest_first() -> None:
    network = Network()
    root = await network.user("root", Role.ADMIN)
    made = [await backups.make(root, network.application) for _ in range(2)]
    assert await backups.find(root, network.application) == made[::-1] == network.shelf.kept


async def test_nobody_else_has_the_secrets_of_the_network_written_down() -> None:
    network = Network()
    root = await network.user("root", Role.ADMIN)
    narrow = replace(root, scopes=(Scope.USERS_ADMIN,))
    for who in (await network.user(), narrow):
        for ask in (backups.make, backups.find):
            with pytest.raises(Forbidden):
                await ask(who, network.application)
    assert network.shelf.kept == []
