"""How a network and its processes are after what was done to them: what none of them may ever have said or found."""

from __future__ import annotations

import httpx

from tests.e2e.processes import PATIENCE, Platform, Process

BAD_SIGNS = (
    "Traceback",
    "never retrieved",
    "was never awaited",
    "ResourceWarning",
    "Task was destroyed",
    "Exception in",
    "invariant_violated",
)
"""What no process of ours may print, whatever is done to it."""


def spotless(process: Process) -> None:
    """Fail when a process printed what it may not."""
    said = [line for line in process.lines if any(sign in line for sign in BAD_SIGNS)]
    assert not said, f"{said[0]}\n{process.output[-20_000:]}"


def nothing_hangs(platform: Platform) -> None:
    """Fail when the network itself has found something that hangs, or had to set something right."""
    told = httpx.get(f"{platform.url}/healthz", timeout=PATIENCE, trust_env=False).json()
    broken = {name: count for part in ("invariants", "violations") for name, count in told[part].items() if count}
    assert not broken, broken
