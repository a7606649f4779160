"""Bounds of settings that something else relies on."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from agentic_atlas.sdk.link.pace import Pace
from agentic_atlas.settings import Settings

IDLE_TIMER = 25.0
"""Seconds after which some box on the way may close a connection that carries nothing."""


def test_a_connection_carries_data_at_least_every_25_seconds_whatever_is_set() -> None:
    longest = 24.0
    assert Settings(beat_every=longest).beat_every + Pace().tick < IDLE_TIMER
    with pytest.raises(ValidationError, match="beat_every"):
        Settings(beat_every=longest + 0.1)
