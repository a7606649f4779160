"""JSON Schemas of skills and questions: looked at when an agent declares them, applied before a value is accepted.

They come from agents. What surely costs little is checked right here; all else in a process of its own, so that a
check which takes longer than anybody thought costs one task and nobody else's time.
"""

import asyncio

import msgspec

from agentic_atlas.backend.domain.kept import Kept
from agentic_atlas.backend.domain.schemas import Validator
from agentic_atlas.backend.ports import Checker
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.schemas import SCHEMA_BYTES, Cost, SchemaRefused, cost_of
from agentic_atlas.protocol.schemas.words import sentence

MAX_DECLARED_BYTES = 512 * 1024
"""Bytes of all schemas that one instance declares."""
MAX_DECLARED_PATTERNS = 16 * 1024 * 1024
"""Bytes of all their regular expressions when compiled, as estimated."""

SMALL_SCHEMA = 8 * 1024
"""Bytes of a schema that is compiled here: it takes a millisecond or two."""
SMALL_PATTERNS = 48 * 1024
"""Bytes of the regular expressions in it."""
FEW_STEPS = 20_000
"""Most steps of a check that is made here: about as long."""
FEW_REASONS = 5_000
"""Most steps for which it is also told here where a value is wrong, and most bytes of such a value."""

KEPT = 16 * 1024 * 1024
"""Bytes of compiled schemas that are kept."""
_AROUND = 24
"""Bytes that a byte of a schema takes when it is compiled."""
_EMPTY = b"null"


class _Known(msgspec.Struct, frozen=True):
    """A schema that was looked at."""

    cost: Cost
    validator: Validator | None
    """None: it is only used apart."""


class Schemas:
    """All schemas in use.

    Attributes:
        kept: the last used ones, ready for use.
    """

    def __init__(self, checker: Checker, *, kept: int = KEPT) -> None:
        self._checker = checker
        self.kept: Kept[bytes, _Known] = Kept(kept)
        self._one_at_a_time = asyncio.Lock()

    async def check(self, schema: bytes, value: bytes, *, what: str, name: str, whose: str) -> None:
        """Check a JSON text; `what` and `name` say in errors what it is and for whom, `whose` is the asking user's id.

        Raises:
            InvalidInput: it breaks the schema, with the faults in `detail`; or that takes too long to tell
                (`schema_too_costly`).
            Busy: too many checks of this user wait.
        """
        known = self._looked_at(schema)
        if known.validator is not None and known.cost.of(value) <= FEW_STEPS:
            read = msgspec.json.decode(value)
            if known.validator.fits(read):
                return
            if known.cost.of(value) <= FEW_REASONS >= len(value):
                raise _misfit(what, name, [(fault.path, fault.message) for fault in known.validator.faults(read, name)])
        verdict = await self._checker.check(schema, value, name=name, whose=whose)
        if not verdict.fits:
            raise _misfit(what, name, [(fault.path, fault.message) for fault in verdict.faults])

    async def check_declared(self, schemas: list[tuple[str, bytes]]) -> None:
        """Refuse declared schemas that can't be used, each with what it is; `null` stands for none.

        Raises:
            InvalidInput: what is wrong with which (`invalid_schema`).
        """
        async with self._one_at_a_time:
            patterns = 0
            for what, schema in schemas:
                patterns += (await self._declared(schema, what)).patterns
            if patterns > MAX_DECLARED_PATTERNS:
                most = f"{MAX_DECLARED_PATTERNS // 1_048_576} MB"
                raise InvalidInput(f"the patterns in all schemas take more than {most}", code="invalid_schema")

    async def _declared(self, schema: bytes, what: str) -> Cost:
        if len(schema) > SMALL_SCHEMA:
            # Compiling lets others run meanwhile, on a thread.
            return await asyncio.to_thread(check_declared, schema, what)
        await asyncio.sleep(0)
        return check_declared(schema, what)

    def _looked_at(self, schema: bytes) -> _Known:
        known = self.kept.get(schema)
        if known is not None:
            return known
        cost = cost_of(msgspec.json.decode(schema))
        small = len(schema) <= SMALL_SCHEMA and cost.patterns <= SMALL_PATTERNS
        size = len(schema) + (_AROUND * len(schema) + cost.patterns if small else 0)
        return self.kept.keep(schema, _Known(cost, Validator(schema) if small else None), size)


def check_declared(schema: bytes, what: str) -> Cost:
    """Refuse a declared schema that can't be used; returns what it costs.

    Raises:
        InvalidInput: it is longer than 64 KiB, no JSON, no JSON Schema of draft 2020-12, refers to others in a form
            that is not taken, or is too expensive for any value (`invalid_schema`).
    """
    if schema == _EMPTY:
        return Cost(1, 0, 0, 0)
    try:
        if len(schema) > SCHEMA_BYTES:
            raise SchemaRefused(f"a schema of {len(schema)} bytes is over the limit of {SCHEMA_BYTES}", "simplify it")
        cost = cost_of(msgspec.json.decode(schema))
        Validator(schema, patterns=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{what}: not a JSON Schema: {error}", code="invalid_schema") from None
    except InvalidInput as error:
        raise InvalidInput(f"{what}: {error.message}", code="invalid_schema") from None
    return cost


def _misfit(what: str, name: str, faults: list[tuple[str, str]]) -> InvalidInput:
    told = sentence(faults) or "why can't be told: it would take too long"
    detail = [{"path": path, "message": message} for path, message in faults]
    return InvalidInput(f"{what} does not fit {name}: {told}", detail=detail or None)
