from __future__ import annotations

import pytest

from agentic_atlas.errors import AtlasError, Busy, Conflict, Unavailable
from agentic_atlas.sdk.client.errors import ConnectionCut
from agentic_atlas.sdk.client.http import LASTING, LONGEST_PAUSE, Sources, Tries, pause
from tests.integration.client.client_server import Time

DOWN = Unavailable("down", retry_after=0.0)
CUT = ConnectionCut("cut", retry_after=0.0)


def wait(error: AtlasError, tries: int = 1, waited: float = 0.0, patience: float = 5.0, **more: bool) -> float | None:
    return pause(error, tries=tries, waited=waited, patience=patience, repeatable=more.get("repeatable", True))


def test_pauses_double_up_to_a_longest_one() -> None:
    pauses = [wait(DOWN, tries=n, patience=100) for n in range(1, 9)]
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == LONGEST_PAUSE


def test_the_server_says_how_long_to_wait_at_least() -> None:
    assert wait(Busy("later", retry_after=4.0)) == 4.0


def test_nothing_is_tried_once_patience_is_over() -> None:
    assert wait(Busy("later", retry_after=6.0)) is None
    assert wait(DOWN, waited=4.95) is None
    assert wait(DOWN, patience=0.0) is None


def test_who_asks_too_often_has_patience_for_a_crowd_of_their_own() -> None:
    often = Busy("wait", code="too_many_requests", retry_after=1.0)
    assert wait(often, waited=58.0) == 1.0
    assert wait(often, waited=59.5) is None
    assert wait(Busy("full", code="agent_queue_full", retry_after=1.0), waited=58.0) is None
    assert wait(often, patience=0.0) is None


def test_only_what_may_be_better_next_time_is_tried_again() -> None:
    assert wait(Conflict("name in use")) is None
    for code in LASTING:
        assert wait(Unavailable("away", code=code)) is None


def test_a_request_that_may_have_arrived_is_only_repeated_where_that_does_no_harm() -> None:
    assert wait(CUT) is not None
    assert wait(CUT, repeatable=False) is None
    assert wait(DOWN, repeatable=False) is not None


async def test_patience_counts_from_the_first_failure_and_anew_after_a_sign_of_life() -> None:
    time = Time()
    tries = Tries(Sources(clock=time.clock, sleep=time.sleep, chance=lambda: 0.0), patience=4.0)

    time.now += 1000
    for _ in range(5):
        await tries.again(DOWN)
    with pytest.raises(Unavailable):
        await tries.again(DOWN)
    tries.alive()
    await tries.again(DOWN)
    assert time.slept[-1] == LONGEST_PAUSE, "the pause still grows: nothing was achieved"
    tries.progress()
    await tries.again(DOWN)
    assert time.slept[-1] == 0.1
