"""The process that checks: one request after the other from standard input, each within a bound of time and memory.

Whatever a check does, the kernel ends this process when its time is over, and it can't have more memory than it may.
It ends with the server, too: then its input ends. It has nothing of the server's, no socket, file or secret.
"""

import os
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from agentic_atlas.backend.domain.kept import Kept
from agentic_atlas.backend.domain.records import InputFault, Payload
from agentic_atlas.backend.domain.schemas import Validator, compiled_size, look_at
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.schemas import Cost

SECONDS: Final = 0.5
"""Processor time of a check; compiling its schema has as much."""
MEMORY: Final = 384 * 1024 * 1024
"""Bytes of memory beyond those at its start."""
KEPT: Final = 64 * 1024 * 1024
"""Bytes of compiled schemas that are kept, as estimated."""
_NICE: Final = 5

HEAD: Final = struct.Struct(">III")
"""Lengths of schema, value and name, which follow. Without a value the schema is only looked at."""
LENGTH: Final = struct.Struct(">I")


class CheckAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is said to a request: first whether the value fits; then, if it does not, another one with the faults."""

    fits: bool = False
    faults: tuple[InputFault, ...] = ()
    cost: Cost | None = None
    """Of a schema that was only looked at."""
    refused: tuple[str, str] | None = None
    """Code and message of why nothing can be checked."""


def compiled(kept: Kept[bytes, Validator], schema: bytes) -> Validator:
    """Return the schema ready for use, as kept or made; raises InvalidInput when it is none."""
    known = kept.get(schema)
    if known is None:
        cost = look_at(schema)
        known = kept.keep(schema, Validator(schema), compiled_size(schema, cost))
    return known


def serve(ready: Callable[[bytes], Validator], requests: BinaryIO, answers: BinaryIO, seconds: float = SECONDS) -> None:
    """Answer requests until there are no more; each of the steps of one may take `seconds`, or the process ends."""
    while head := requests.read(HEAD.size):
        schema, value, name = (requests.read(length) for length in HEAD.unpack(head))
        for answer in _answers(ready, schema, value, name.decode(), seconds):
            said = msgspec.json.encode(answer)
            answers.write(LENGTH.pack(len(said)) + said)
            answers.flush()
        _within(0.0)


def _answers(
    ready: Callable[[bytes], Validator], schema: bytes, value: bytes, name: str, seconds: float
) -> Iterator[CheckAnswer]:
    _within(seconds)
    try:
        if not value:
            yield CheckAnswer(fits=True, cost=look_at(schema))
            return
        validator = ready(schema)
        _within(seconds)
        parsed = Payload(value).read()
    except InvalidInput as error:
        yield CheckAnswer(refused=(error.code, error.message))
        return
    fits = validator.fits(parsed)
    yield CheckAnswer(fits)
    if not fits:
        _within(seconds)
        yield CheckAnswer(faults=tuple(validator.faults(parsed, name)))


def _within(seconds: float) -> None:
    """End this process when it has used so much processor time; 0: it may go on for as long as it wants."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def confine(memory: int = MEMORY) -> None:
    """Bound what this process may take, and leave its end to the server."""
    for interrupt in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(interrupt, signal.SIG_IGN)
    # On uvloop a child has every descriptor that may be inherited, `close_fds` or not.
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_NICE)
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    except (OSError, ValueError):
        return  # Not on every system; what a check can fill is bounded by its time.


def main(ready: Callable[[bytes], Validator] | None = None, seconds: float = SECONDS) -> None:
    """Say that it is ready, and serve."""
    confine()
    answers = sys.stdout.buffer
    answers.write(b"\n")
    answers.flush()
    serve(ready or partial(compiled, Kept(KEPT)), sys.stdin.buffer, answers, seconds)


if __name__ == "__main__":
    main()
