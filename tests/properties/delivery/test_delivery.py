"""No task is lost, none has two outcomes, none is stuck, in whatever order things happen (guarantees 1-4, 6, 9, 11)."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.findings import add
from tests.properties.delivery.machine import Delivery

STEPS = 50
SOAK_EXAMPLES = 500


@pytest.mark.timeout(900)
def test_every_task_comes_to_one_end_whatever_happens(request: pytest.FixtureRequest) -> None:
    soak = bool(request.config.getoption("--soak"))
    chosen = settings(stateful_step_count=STEPS, deadline=None)
    counts: Counter[str] = Counter()
    run_state_machine_as_test(
        lambda: Delivery(counts), settings=settings(chosen, max_examples=SOAK_EXAMPLES) if soak else chosen
    )
    if soak:
        done = ", ".join(f"{counts[what]} {what}" for what in ("steps", "submits", "connects", "cuts", "restarts"))
        add(request.node, "1-4, 6, 9, 11 the model of delivery", f"{SOAK_EXAMPLES} examples: {done}", "no divergence")
