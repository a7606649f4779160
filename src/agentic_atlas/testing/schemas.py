"""The schemas of a network in memory, checked with what agents are written with; implements `backend.ports.Schemas`.

An input is read as its skill will read it, an answer to a question by its JSON Schema; its agent reads it again.
"""

from collections.abc import Iterable, Sequence

import msgspec
from pydantic_core import ValidationError

from agentic_atlas.backend.domain.records import Payload
from agentic_atlas.errors import InvalidInput
from agentic_atlas.sdk.forms.faults import faults_of_json, sentence
from agentic_atlas.sdk.forms.of_schema import check_of
from agentic_atlas.sdk.skills.skill import Skill


class SkillSchemas:
    """Knows the schemas of these skills."""

    def __init__(self, skills: Iterable[Skill]) -> None:
        self._skills = {bytes(skill.spec().input_schema): skill.signature for skill in skills}

    async def check(self, schema: bytes, value: Payload, *, what: str, name: str, whose: str) -> None:
        """See the port."""
        signature = self._skills.get(schema)
        if signature is not None:
            signature.read_input(value.text, name)
            return
        try:
            check_of(msgspec.json.decode(schema)).validate_json(value.text)
        except ValidationError as error:
            found = faults_of_json(error, value.text, name=name)
            raise InvalidInput(f"{what} does not fit {name}: {sentence(found)}", detail=found) from None

    async def check_declared(self, schemas: Sequence[tuple[str, bytes]], whose: str) -> None:
        """Take them: the agent looked at them when they were declared."""

    def check_question(self, schema: bytes, what: str) -> None:
        """Take it: the agent looked at it before it asked."""
