"""The server's side of the process that checks: it is started when needed, and again after one that was ended."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec

from agentic_atlas.backend.checker.worker import HEAD, LENGTH, CheckAnswer
from agentic_atlas.backend.domain.records import InputFault
from agentic_atlas.errors import Busy, InvalidInput, Unavailable
from agentic_atlas.protocol.schemas import NO_COST, Cost

PROGRAM: Final = ("-m", "agentic_atlas.backend.checker.worker")
WALL: Final = 5.0
"""Seconds after which a check counts as hanging, however little time the processor had for it."""
START: Final = 30.0
"""Seconds in which the process has to be ready."""
MOST_WAITING: Final = 32
"""Checks of one user that wait."""
_ENDED: Final = (asyncio.IncompleteReadError, ConnectionError, TimeoutError, RuntimeError)
"""What comes of a process that has ended; RuntimeError is what uvloop says of a pipe that is closed already."""


class ProcessChecker:
    """Implements `ports.Checker`: one check at a time, and the users take turns."""

    def __init__(self, environ: Mapping[str, str], program: Sequence[str] = PROGRAM, *, wall: float = WALL) -> None:
        self._environ = environ
        self._program = program
        self._wall = wall
        self._process: Process | None = None
        self._dropped: Process | None = None
        self._turn = asyncio.Lock()
        self._turns: dict[str, asyncio.Lock] = {}
        self._waiting: Counter[str] = Counter()

    @property
    def pid(self) -> int | None:
        """Id of the process that checks; None while there is none."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def check(self, schema: bytes, value: bytes, *, name: str, whose: str) -> Sequence[InputFault] | None:
        """Check a value; see `ports.Checker`. Raises Unavailable, too: no process can be started."""
        answer = await self._request(schema, value, name, whose)
        return None if answer.fits else answer.faults

    async def look_at(self, schema: bytes, *, whose: str) -> Cost:
        """Look at a schema; see `ports.Checker` and `check`."""
        return (await self._request(schema, b"", "", whose)).cost or NO_COST

    async def _request(self, schema: bytes, value: bytes, name: str, whose: str) -> CheckAnswer:
        async with self._own_turn(whose), self._turn:
            answered = False
            try:
                answer = await self._asked(await self._started(), schema, value, name.encode())
                answered = True
            except _ENDED:
                raise _too_costly() from None
            finally:
                if not answered:
                    # Also when whoever asked was cancelled: what it says next would be taken for another's answer.
                    self._drop()
        if answer.refused is not None:
            code, message = answer.refused
            raise InvalidInput(message, code=code)
        return answer

    async def close(self) -> None:
        """End the process."""
        self._drop()
        await self._ended()

    @asynccontextmanager
    async def _own_turn(self, whose: str) -> AsyncIterator[None]:
        if self._waiting[whose] >= MOST_WAITING:
            raise Busy("too many of your inputs wait to be checked: try again in a second", code="too_many_requests")
        self._waiting[whose] += 1
        try:
            async with self._turns.setdefault(whose, asyncio.Lock()):
                yield
        finally:
            self._waiting[whose] -= 1
            if not self._waiting[whose]:
                del self._waiting[whose], self._turns[whose]

    async def _started(self) -> Process:
        if self._process is not None and _usable(self._process):
            return self._process
        self._drop()
        await self._ended()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", *self._program, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=self._environ
            )
            async with asyncio.timeout(START):
                await _read(self._process, 1)
        except (OSError, *_ENDED):
            raise Unavailable("the process that checks inputs does not start", code="checker_unavailable") from None
        return self._process

    async def _asked(self, process: Process, schema: bytes, value: bytes, name: bytes) -> CheckAnswer:
        """Return what is said to a request; without faults when the process ended before it could tell them."""
        assert process.stdin is not None
        async with asyncio.timeout(self._wall):
            process.stdin.writelines([HEAD.pack(len(schema), len(value), len(name)), schema, value, name])
            await process.stdin.drain()
            answer = await _answer(process)
        if answer.fits or answer.refused is not None:
            return answer
        try:
            async with asyncio.timeout(self._wall):
                return await _answer(process)
        except _ENDED:
            self._drop()
            return answer

    def _drop(self) -> None:
        """The process is used no more."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            self._dropped, self._process = self._process, None

    async def _ended(self) -> None:
        """Return when nothing is left of the process that was dropped."""
        process = self._dropped
        if process is not None:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
            await process.stdout.read()
            await process.wait()
            self._dropped = None


def _usable(process: Process) -> bool:
    return process.returncode is None and process.stdin is not None and not process.stdin.is_closing()


async def _answer(process: Process) -> CheckAnswer:
    (length,) = LENGTH.unpack(await _read(process, LENGTH.size))
    return msgspec.json.decode(await _read(process, length), type=CheckAnswer)


async def _read(process: Process, length: int) -> bytes:
    assert process.stdout is not None
    return await process.stdout.readexactly(length)


def _too_costly() -> InvalidInput:
    return InvalidInput(
        "checking this takes longer than a check may: send less at once, or have the skill take simpler types "
        "(say with a tag which case it is, or take Any and check in the function)",
        code="schema_too_costly",
    )


@asynccontextmanager
async def checking(
    environ: Mapping[str, str], program: Sequence[str] = PROGRAM, *, wall: float = WALL
) -> AsyncIterator[ProcessChecker]:
    """Have a checker for this block; its process ends with it, and has no other environment than this."""
    checker = ProcessChecker(environ, program, wall=wall)
    try:
        yield checker
    finally:
        await checker.close()
