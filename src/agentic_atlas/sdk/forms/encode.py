"""What a caller gives, as JSON: fields of an input, answers. The same for clients, `ctx.call` and tests."""

from collections.abc import Mapping

import msgspec

from agentic_atlas.errors import InvalidInput
from agentic_atlas.sdk.forms.plain import json_text, plain
from agentic_atlas.sdk.forms.simpler import NoJsonForm


def encode_input(fields: Mapping[str, object]) -> bytes:
    """Return the fields of an input as a JSON object.

    Raises:
        InvalidInput: one of them has no JSON form; the message names it, `detail` its place.
    """
    return _encode(dict(fields), "the input cannot be sent")


def encode_answer(value: object) -> bytes:
    """Return the answer to a question as JSON.

    Raises:
        InvalidInput: it has no JSON form.
    """
    return _encode(value, "the answer cannot be sent")


def encode_request(asked: msgspec.Struct) -> bytes:
    """Return the body of a request, in which inputs and answers are JSON already.

    Raises:
        InvalidInput: a text in it is not Unicode.
    """
    try:
        return json_text(asked)
    except NoJsonForm as error:
        raise InvalidInput(f"the request cannot be sent: {error.reason}") from error.__cause__


def _encode(value: object, problem: str) -> bytes:
    try:
        return json_text(plain(value, _write_object))
    except NoJsonForm as error:
        detail = [{"path": error.pointer, "message": error.reason}]
        raise InvalidInput(f"{problem}: {error}", detail=detail) from error.__cause__


def _write_object(value: object) -> object:
    # Pydantic is there already when such an object is; without one it need not be loaded for a call.
    from agentic_atlas.sdk.forms.typed import write_object

    return write_object(value)
