"""What all connections of one router share, and routers do not."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from agentic_atlas.protocol.messages import Limits
from agentic_atlas.router.ports import RouterContext
from agentic_atlas.router.settings import RouterSettings
from tests.unit.router.network import Clock, Log


def context() -> RouterContext:
    spawn: Any = None
    return RouterContext(Limits(), RouterSettings(), Clock(), Clock(), Log(), spawn)


def test_no_number_is_used_twice_for_what_the_backend_has_to_answer() -> None:
    one = context()
    first = list(islice(one.numbers, 100))
    assert len({*first, *islice(one.numbers, 100)}) == 200
    assert 0 not in first


def test_a_receipt_for_one_router_is_none_for_another() -> None:
    one, other = context(), context()
    one.receipts[next(one.numbers)] = lambda _: None
    assert other.receipts == {}
    assert next(other.numbers) == 1


def test_nothing_is_said_before_there_is_a_backend() -> None:
    with pytest.raises(AttributeError):
        _ = context().tell
