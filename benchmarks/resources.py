"""What it costs an agent to look at itself: processor time of a look, at the rate of beats, and of one with limits.

Beside it a look that asks psutil for the children, which goes through all processes of the machine.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import psutil

from agentic_atlas.router.settings import RouterSettings
from agentic_atlas.sdk.link.health import LOOK_EVERY
from agentic_atlas.sdk.resources.measuring import Gauge
from agentic_atlas.sdk.resources.sampling import Sampler

LOOKS = 500
CHILDREN = 4


def main() -> None:
    waiting = [subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in range(CHILDREN)]
    try:
        sampler, process = Sampler(time.monotonic), psutil.Process()
        gauge = Gauge(sampler)
        alone = cost(lambda: gauge.read(time.monotonic() + 1e6))
        searched = cost(lambda: (sampler(), process.children(recursive=True)))
    finally:
        for child in waiting:
            child.kill()
            child.wait()
    beat = RouterSettings().beat_every
    print(f"{'look':>28} {'µs':>7} {'% of a core at beats':>21} {'with limits':>12}")
    for name, seconds in (("ours", alone), ("with psutil's children", searched)):
        print(f"{name:>28} {1e6 * seconds:7.0f} {100 * seconds / beat:21.4f} {100 * seconds / LOOK_EVERY:12.4f}")
    print(f"{'ratio':>28} {alone / searched:7.2f}")


def cost(look: Callable[[], object]) -> float:
    """Return the seconds of the processor that a look takes."""
    look()
    began = time.process_time()
    for _ in range(LOOKS):
        look()
    return (time.process_time() - began) / LOOKS


if __name__ == "__main__":
    main()
