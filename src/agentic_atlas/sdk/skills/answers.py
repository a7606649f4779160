"""What a skill expects as an answer: told to the person as JSON Schema, and checked when the answer comes."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw
from pydantic import ValidationError

from agentic_atlas.errors import InvalidInput, PayloadTooLarge
from agentic_atlas.protocol.messages import NULL
from agentic_atlas.protocol.schemas import SCHEMA_BYTES, SchemaRefused, cost_of
from agentic_atlas.sdk.forms.faults import faults_of_json, sentence, why
from agentic_atlas.sdk.forms.plain import json_text
from agentic_atlas.sdk.forms.simpler import NoJsonForm
from agentic_atlas.sdk.forms.typed import UNKNOWN, TypeForm, json_value


class AnswerForm:
    """The form of an answer.

    Attributes:
        schema: JSON Schema, or null when any value will do.
    """

    def __init__(self, wanted: object) -> None:
        """Take a type (Python's, or a Pydantic model), a JSON Schema, or None for any value.

        Raises:
            InvalidInput: it has no JSON Schema (`invalid_question`).
            PayloadTooLarge: that has more than 64 KiB.
        """
        self._form: TypeForm | None = None
        self.schema = NULL
        if wanted is None:
            return
        try:
            if isinstance(wanted, Mapping):
                self.schema = Raw(json_text(json_value(wanted)))
            else:
                self._form = TypeForm(wanted)
                self.schema = Raw(msgspec.json.encode(self._form.json_schema()))
        except (*UNKNOWN, NoJsonForm, RecursionError) as error:
            raise _impossible(why(error)) from None
        if memoryview(self.schema).nbytes > SCHEMA_BYTES:
            raise PayloadTooLarge(f"the schema of an answer has more than {SCHEMA_BYTES} bytes: use simpler types")
        try:
            cost_of(msgspec.json.decode(self.schema))
        except SchemaRefused as error:
            raise _impossible(error.message) from None

    def read(self, answer: Raw) -> object:
        """Return the answer: as the type that was asked for, or as plain JSON values.

        Raises:
            InvalidInput: it fits the schema and still not the type, which checks more (`invalid_answer`).
        """
        if self._form is None:
            return msgspec.json.decode(answer)
        try:
            return self._form.read(bytes(answer))
        except ValidationError as error:
            found = faults_of_json(error, bytes(answer))
            raise InvalidInput(
                f"the answer does not fit: {sentence(found)}", code="invalid_answer", detail=found
            ) from None


def _impossible(reason: str) -> InvalidInput:
    return InvalidInput(f"an answer cannot have this form: {reason}", code="invalid_question")
