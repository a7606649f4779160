"""Counts what a piece of work costs, while it runs: no times, so the same work has the same figures on any machine.

It begins before anything of the product is imported, for it takes the place of what it counts: databases are opened
with a callback for their statements, and event loops are asyncio's own, whose methods can be seen.
"""

from __future__ import annotations

import asyncio
import dis
import sqlite3
import sys
import threading
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

SOURCE = str(Path(__file__).parents[1] / "src" / "agentic_atlas") + "/"
CODEC = "protocol/codec.py"
"""Encodes and decodes the frames between agents and router, and nothing else does."""

FIGURES = ("files", "calls", "hops", "encodes", "decodes", "tasks", "futures", "commits", "reads")
"""What is counted of one piece of work:

- files: of the product, that any code ran in; calls: of its functions (a coroutine that goes on is not called again)
- hops: from one thread to an event loop in another; tasks and futures: of asyncio, that the product makes
- encodes, decodes: of frames
- commits, reads: of the database; a read is a query, whichever thread asks
"""

_LOOP = {"call_soon_threadsafe": "hops", "create_task": "tasks", "create_future": "futures"}
_ASYNCIO = str(Path(asyncio.__file__).parent) + "/"
_STARTS = dis.opmap["RESUME"]


class Counts:
    """Counts in all threads that begin after `install`, while it is on."""

    def __init__(self) -> None:
        self._on = False
        self._starts: dict[CodeType, bytes] = {}
        self._names: dict[str, str] = {}
        self._clear()

    def _clear(self) -> None:
        self.files: dict[str, Counter[str]] = {}
        self.packages: Counter[str] = Counter()
        self.others: Counter[str] = Counter()

    def install(self) -> None:
        """See everything from now on; before the product is imported."""
        sys.modules["uvloop"] = None  # type: ignore[assignment]  # its loops are not Python: nothing could be seen
        opened = sqlite3.connect

        def connect(*given: object, **more: object) -> sqlite3.Connection:
            connection: sqlite3.Connection = opened(*given, **more)  # type: ignore[call-overload]
            connection.set_trace_callback(self._statement)
            return connection

        sqlite3.connect = sqlite3.dbapi2.connect = connect  # type: ignore[attr-defined]
        threading.setprofile(self._seen)
        sys.setprofile(self._seen)

    def begin(self) -> None:
        """Count from 0."""
        self._clear()
        self._on = True

    def end(self) -> dict[str, int]:
        """Count no more; return the figures."""
        self._on = False
        return {"files": len(self.files), "calls": self.packages.total()} | {
            name: self.others[name] for name in FIGURES if name not in ("files", "calls")
        }

    def seen(self) -> int:
        """Return a number that grows with everything that is seen."""
        return self.packages.total() + self.others.total()

    def _statement(self, text: str) -> None:
        if self._on:
            self.others["statements"] += 1
            if text.startswith("COMMIT"):
                self.others["commits"] += 1
            elif text.startswith("SELECT"):
                self.others["reads"] += 1

    def _seen(self, frame: FrameType, event: str, argument: object) -> None:
        if not self._on:
            return
        if event == "call":
            self._called(frame)
        elif event == "c_call":
            name = getattr(argument, "__name__", "")
            of = getattr(argument, "__self__", None)
            # Also `bytes.decode` is called there, which only looks whether they are UTF-8.
            if name in ("encode", "decode") and not isinstance(of, bytes | str) and _is(frame, CODEC):
                self.others[f"{name}s"] += 1

    def _called(self, frame: FrameType) -> None:
        code = frame.f_code
        file = code.co_filename
        if file.startswith(SOURCE):
            file = file.removeprefix(SOURCE)
            self.files.setdefault(file, Counter())[code.co_qualname] += 1
            # Comprehensions are functions in some versions of Python, and not in others.
            if (not code.co_name.startswith("<") or code.co_name == "<lambda>") and self._begins(frame):
                self.packages[file.partition("/")[0].removesuffix(".py")] += 1
        elif code.co_name in _LOOP and file.startswith(_ASYNCIO):
            figure = _LOOP[code.co_name]
            # A pool's thread that has done its work for us is the one that hops; nothing of ours runs there any more.
            if figure == "hops" or _by_product(frame):
                self.others[figure] += 1

    def _begins(self, frame: FrameType) -> bool:
        """Tell a call from a coroutine or a generator that goes on: it is at the RESUME of its beginning."""
        code = frame.f_code
        instructions = self._starts.get(code)
        if instructions is None:
            instructions = self._starts[code] = code.co_code
        place = frame.f_lasti
        return place < 0 or instructions[place] != _STARTS or instructions[place + 1] & 3 == 0


def _is(frame: FrameType, file: str) -> bool:
    return frame.f_code.co_filename == SOURCE + file


def _by_product(frame: FrameType | None) -> bool:
    """Tell whether it is the product that made asyncio do this."""
    while frame is not None and frame.f_code.co_filename.startswith(_ASYNCIO):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith(SOURCE)
