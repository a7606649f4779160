"""Text that leaves a handler for a log, an event or an error: bounded, valid Unicode, without tokens."""

from typing import Final

from agentic_atlas.observe.redaction import redact

SHORT: Final = 1_000
"""Characters of an event's name, a field or a message that are kept."""

_NAME_LENGTH = 200
_NAME_OF_TYPE = type.__dict__["__name__"].__get__


def presentable(text: object, limit: int = SHORT) -> str:
    """Return the text without tokens and lone surrogates (no UTF-8 for those), cut to `limit` characters.

    What is no text is described (`describe`): it comes from handlers, and nothing they give may fail here.
    """
    if type(text) is not str:
        return describe(text, limit)
    # What is far beyond the limit need not be searched; the margin keeps a token at the cut from showing its head.
    clean = redact(text[: limit + 8_192]).encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


def describe(value: object, limit: int = SHORT) -> str:
    """Return `str(value)` in a presentable form, also of objects that fail to describe themselves."""
    try:
        # Joined: what a subclass of str gives for itself may be one again, with methods of its own.
        return presentable("".join((str(value),)), limit)
    except BaseException as error:  # noqa: BLE001 - the object is the user's, so __str__ may raise anything
        return presentable(f"<{type_name(value)}, whose text fails with {type_name(error)}>", limit)


def type_name(value: object) -> str:
    """Return the name of the value's type, which no class can keep from being read."""
    return presentable(str(_NAME_OF_TYPE(type(value))), _NAME_LENGTH)
