"""What a form says of a place: what it is for, what may stand there, and what it is unless it is given. Pure."""

from typing import Final

from agentic_atlas.platform.forms import json_text
from agentic_atlas.platform.forms.schema import Alternative, Root
from agentic_atlas.platform.forms.spots import Spot
from agentic_atlas.platform.templating import plural
from agentic_atlas.protocol.schemas.words import FORMS

_LONGEST: Final = 600
"""Characters of what an agent says of a place."""
_LONGEST_EXAMPLE: Final = 100
_KINDS: Final = {
    "choices": "Choice", "integer": "Whole number", "number": "Number", "string": "Text", "object": "Object",
    "array": "List", "any": "JSON",
}  # fmt: skip
_FORMATS: Final = {
    "date": "Date", "date-time": "Date and time", "time": "Time", "duration": "Duration", "base64": "File",
    "base64url": "File", "uri": "Address", "email": "E-mail address", "uuid": "UUID",
}  # fmt: skip
_BOUNDS: Final = (
    ("minimum", "at least", ""), ("exclusiveMinimum", "more than", ""), ("maximum", "at most", ""),
    ("exclusiveMaximum", "less than", ""), ("multipleOf", "a multiple of", ""), ("minLength", "at least", "character"),
    ("maxLength", "at most", "character"), ("minItems", "at least", "item"), ("maxItems", "at most", "item"),
    ("pattern", "like", ""),
)  # fmt: skip


def about(spot: Spot) -> str:
    """Return what there is to know of a place."""
    one = spot.alternatives[0]
    said = spot.schema.get("description") or (one.schema.get("description") if len(spot.alternatives) == 1 else None)
    parts = [said.strip()[:_LONGEST]] if isinstance(said, str) and said.strip() else []
    if len(spot.alternatives) == 1:
        bounds = [
            _bound(spot.root, one.schema[name], words, noun) for name, words, noun in _BOUNDS if name in one.schema
        ]
        form = _FORMATS.get(one.format, "")
        parts += [_sentence([form, *bounds])] if form or bounds else []
    if "default" in spot.schema and spot.way == "filled":
        default = spot.root.once(json_text.written, spot.schema["default"])
        parts += [f"Unless given: {default}"] if len(default) <= _LONGEST else []
    return ". ".join(part.removesuffix(".") for part in parts) + ("." if parts else "")


def example(spot: Spot, one: Alternative) -> str:
    """Return what could stand in a place; empty: that is not known."""
    listed = spot.schema.get("examples", one.schema.get("examples"))
    known = listed[0] if isinstance(listed, list) and listed else FORMS.get(one.format, "")
    first = spot.schema.get("default") or known
    text = (first if isinstance(first, str) else spot.root.once(json_text.written, first))[:_LONGEST_EXAMPLE]
    return "" if json_text.HIDDEN.search(text) else text


def kind_words(root: Root, one: Alternative) -> str:
    """Return what an alternative is called."""
    title = one.schema.get("title")
    if isinstance(title, str) and title:
        return title[:60]
    if one.kind == "array":
        inner = one.part("items").get("type")
        return f"List of {_KINDS[inner].lower()}s" if isinstance(inner, str) and inner in _PLURAL else "List"
    if one.kind == "choices" and len(one.choices) == 1:
        return root.once(json_text.written, one.choices[0])[:60]
    return _FORMATS.get(one.format, "Text") if one.kind == "string" else _KINDS[one.kind]


_PLURAL: Final = ("integer", "number", "string", "object", "array")


def _bound(root: Root, value: object, words: str, noun: str) -> str:
    if noun and isinstance(value, int):
        return f"{words} {plural(value, noun)}"
    return f"{words} {value if isinstance(value, str) else root.once(json_text.written, value)}"


def _sentence(parts: list[str]) -> str:
    text = ", ".join(part for part in parts if part)
    return text[:1].upper() + text[1:_LONGEST]
