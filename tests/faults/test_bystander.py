"""Who has nothing to do with a flood: every call of theirs is answered, and the server's memory stays bounded.

How long the calls take is measured by `benchmarks/bystander.py`; a loaded machine is not to fail a test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.bystander import Stage, looking_on, looking_on_at
from benchmarks.floods_wire import FLOODS
from tests.e2e.processes import connected
from tests.e2e.programs import ECHO
from tests.faults.floods import MEGABYTE, api, percentile, resident, sound, up

MOST_GROWN = 150 * MEGABYTE


@pytest.mark.timeout(400)
async def test_who_has_nothing_to_do_with_a_flood_is_answered_during_all_of_them(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    seconds = 8.0 if soak else 0.4

    with up(tmp_path / "network") as platform, platform.agent("echo", ECHO) as echo:
        echo.wait_for(connected)

        async with api(platform) as own, api(platform) as others:
            async with looking_on(platform, own) as before:
                await asyncio.sleep(min(seconds, 2.0))
            resting = resident(platform)
            for name, flood in FLOODS.items():
                during = await looking_on_at(flood, Stage(platform, others, seconds), own)
                grown = max(during.peak, resident(platform)) - resting
                assert (during.failed, grown < MOST_GROWN) == (0, True), (name, grown)
                found(
                    "7 bounded, no collateral",
                    f"flood: {name.replace('_', ' ')}",
                    f"p99 {percentile(before.took, 0.99) * 1000:.0f} ms before, "
                    f"{percentile(during.took, 0.99) * 1000:.0f} ms during; memory {grown / MEGABYTE:+.0f} MB",
                )
        assert echo.stop() == 0
    sound(platform)
