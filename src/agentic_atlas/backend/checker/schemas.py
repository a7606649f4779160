"""JSON Schemas of skills and questions: looked at when an agent declares them, applied before a value is accepted.

They come from agents. What surely costs little is checked right here; all else in a process of its own, so that a
check which takes longer than anybody thought costs one task and nobody else's time.
"""

from collections.abc import Sequence

import msgspec

from agentic_atlas.backend.domain.kept import Kept
from agentic_atlas.backend.domain.records import InputFault, Payload
from agentic_atlas.backend.domain.schemas import Validator, compiled_size, look_at
from agentic_atlas.backend.ports import Checker
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.schemas import NO_COST, SCHEMA_BYTES, Cost, check_together, cost_of
from agentic_atlas.protocol.schemas.words import sentence

SMALL_SCHEMA = 2 * 1024
"""Bytes of a schema, or of all those of a registration, that are looked at here: some milliseconds at the most."""
SMALL_PATTERNS = 48 * 1024
"""Bytes of the regular expressions in it."""
FEW_STEPS = 10_000
"""Most steps of a check that is made here: about as long."""
FEW_REASONS = 5_000
"""Most steps for which it is also told here where a value is wrong, and most bytes of such a value."""

KEPT = 32 * 1024 * 1024
"""Bytes of compiled schemas that are kept."""
_EMPTY = b"null"


class _Known(msgspec.Struct, frozen=True):
    """A schema that was looked at."""

    cost: Cost
    short: int
    """Bytes of a value that surely takes few steps, so that it need not be counted how many."""
    validator: Validator | None
    """None: it is only used apart."""


class JsonSchemas:
    """Implements `ports.Schemas`.

    Attributes:
        kept: the last used ones, ready for use.
    """

    def __init__(self, checker: Checker, *, kept: int = KEPT) -> None:
        self._checker = checker
        self.kept: Kept[bytes, _Known] = Kept(kept)

    async def check(self, schema: bytes, value: Payload, *, what: str, name: str, whose: str) -> None:
        """Check a payload; `what` and `name` say in errors what it is and for whom, `whose` is the asking user's id.

        Raises:
            InvalidInput: it breaks the schema, with the faults in `detail`; or that takes too long to tell
                (`schema_too_costly`).
            Busy: too many checks of this user wait.
        """
        try:
            faults = await self._faults(schema, value, name, whose)
        except InvalidInput as error:
            if error.code == "invalid_schema":
                # Declared when another version took it.
                raise _unusable(f"the schema of {name} is not taken, which its author can mend", error) from None
            raise
        if faults is not None:
            raise _misfit(what, name, faults)

    async def _faults(self, schema: bytes, value: Payload, name: str, whose: str) -> Sequence[InputFault] | None:
        """Check here what surely costs little, and all else apart; see `ports.Checker.check`."""
        known = self._looked_at(schema) if len(schema) <= SMALL_SCHEMA else None
        if known is not None and known.validator is not None:
            steps = 0 if len(value.text) <= known.short else known.cost.of(value.text)
            if steps <= FEW_STEPS and known.validator.fits(value.read()):
                return None
            if steps <= FEW_REASONS and len(value.text) <= FEW_REASONS:
                return known.validator.faults(value.read(), name)
        return await self._checker.check(schema, value.text, name=name, whose=whose)

    async def check_declared(self, schemas: Sequence[tuple[str, bytes]], whose: str) -> None:
        """Refuse schemas that can't be used; each comes with what it is the schema of, `null` stands for none.

        Raises:
            InvalidInput: what is wrong with which (`invalid_schema`).
            Busy: too many checks of this user wait.
        """
        size, patterns = sum(len(schema) for _, schema in schemas), 0
        check_together(size, patterns)
        for what, schema in schemas:
            try:
                patterns += (await self._declared(schema, whose, apart=size > SMALL_SCHEMA)).patterns
            except InvalidInput as error:
                raise _unusable(what, error) from None
            check_together(size, patterns)

    def check_question(self, schema: bytes, what: str) -> None:
        """Refuse the schema of a question that can't be used; a long one is looked at when there is an answer.

        Raises:
            InvalidInput: see `check_declared`.
        """
        if schema == _EMPTY or SMALL_SCHEMA < len(schema) <= SCHEMA_BYTES:
            return
        try:
            look_at(schema)
        except InvalidInput as error:
            raise _unusable(what, error) from None

    async def _declared(self, schema: bytes, whose: str, *, apart: bool) -> Cost:
        if schema == _EMPTY:
            return NO_COST
        if apart and len(schema) <= SCHEMA_BYTES:
            return await self._checker.look_at(schema, whose=whose)
        return look_at(schema)

    def _looked_at(self, schema: bytes) -> _Known:
        known = self.kept.get(schema)
        if known is not None:
            return known
        cost = cost_of(msgspec.json.decode(schema))
        small = cost.patterns <= SMALL_PATTERNS
        size = compiled_size(schema, cost) if small else len(schema)
        known = _Known(cost, cost.longest(FEW_REASONS), Validator(schema) if small else None)
        return self.kept.keep(schema, known, size)


def _unusable(what: str, error: InvalidInput) -> InvalidInput:
    return InvalidInput(f"{what}: {error.message}", code=error.code)


def _misfit(what: str, name: str, faults: Sequence[InputFault]) -> InvalidInput:
    told = sentence([(fault.path, fault.message) for fault in faults])
    where = f": {told}" if told else "; telling where would take too long"
    return InvalidInput(f"{what} does not fit {name}{where}", detail=msgspec.to_builtins(faults) or None)
