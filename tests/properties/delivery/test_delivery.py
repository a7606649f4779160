"""No task is lost, none has two outcomes, none is stuck, in whatever order things happen (guarantees 1-4, 6, 9, 11)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.findings import add
from tests.properties.delivery.machine import Delivery
from tests.properties.delivery.way import Encoded, Passed, Way
from tests.still_loop import StillLoop

STEPS = 50
SOAK_EXAMPLES = 500


WAYS: dict[str, Callable[[StillLoop], Way]] = {"passed": lambda _: Passed(), "encoded": Encoded}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", WAYS)
def test_every_task_comes_to_one_end_whatever_happens(request: pytest.FixtureRequest, way: str) -> None:
    soak = bool(request.config.getoption("--soak"))
    chosen = settings(stateful_step_count=STEPS, deadline=None)
    counts: Counter[str] = Counter()
    run_state_machine_as_test(
        lambda: Delivery(counts, WAYS[way]), settings=settings(chosen, max_examples=SOAK_EXAMPLES) if soak else chosen
    )
    if soak:
        done = ", ".join(f"{counts[what]} {what}" for what in ("steps", "submits", "connects", "cuts", "restarts"))
        add(request.node, "1-4, 6, 9, 11 the model of delivery", f"{SOAK_EXAMPLES} examples: {done}", "no divergence")
