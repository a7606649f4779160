"""What the process tests run in other processes. It imports little: each of those processes imports it."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentic_atlas.errors import Conflict


@dataclass
class Order:
    count: int


class Awkward(Exception):
    """An error that cannot be made again from what pickle keeps of it."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def double(order: Order) -> dict[str, int]:
    return {"answer": order.count * 2, "pid": os.getpid()}


def divide(by: int) -> float:
    return 1 / by


def refuse() -> None:
    raise Conflict("not today", code="closed")


def awkward() -> None:
    raise Awkward(1, 2)


def leave() -> None:
    raise SystemExit(3)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def vanish() -> None:
    os._exit(7)


def unpicklable() -> Any:
    return lambda: None


def hang(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)


def deaf(path: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang(path)


def leave_a_child(path: str) -> None:
    """Start something that lives on, and die as when memory is short."""
    if os.fork() == 0:
        hang(path)
    _wait_for(path)
    crash()


def hang_with_a_child(path: str) -> None:
    if os.fork() == 0:
        hang(path)
    time.sleep(60)


def start_something(path: str) -> str:
    if os.fork() == 0:
        hang(path)
    _wait_for(path)
    return "started"


def be_signalled(path: str) -> str:
    """Wait until all processes of a service were signalled."""
    Path(path).write_text(str(os.getpid()))
    _wait_for(f"{path}.go")
    return "finished"


def _wait_for(path: str) -> None:
    deadline = time.monotonic() + 30
    while not (Path(path).exists() and Path(path).read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
