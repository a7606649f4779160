"""How a form's fields change when an item is added or removed. Pure: what else is filled in stays as it is."""

import re
from typing import Final

from agentic_atlas.platform.forms.spots import MOST_ITEMS, Fields

_ADD: Final = "add "
_REMOVE: Final = "remove "
_ITEM: Final = re.compile(r"(?P<list>.+)(?P<mark>[/*])(?P<number>[0-9]{1,5})", re.DOTALL)


def edited(fields: Fields, do: str) -> dict[str, str]:
    """Return the fields after what a button says: `add LIST` or `remove ITEM`, by names of fields; else as they are."""
    if do.startswith(_ADD):
        name = do.removeprefix(_ADD)
        return {**fields, f"{name}:n": str(min(_count(fields, name) + 1, MOST_ITEMS))}
    found = _ITEM.fullmatch(do.removeprefix(_REMOVE)) if do.startswith(_REMOVE) else None
    count = _count(fields, found["list"]) if found else 0
    if found is None or int(found["number"]) >= count:
        return dict(fields)
    begin, gone = found["list"] + found["mark"], int(found["number"])
    kept: dict[str, str] = {}
    for name, value in fields.items():
        behind = re.match(re.escape(begin) + r"([0-9]{1,5})(?![0-9])", name)
        number = int(behind[1]) if behind else -1
        if number != gone:
            kept[name if number < gone or not behind else f"{begin}{number - 1}{name[behind.end() :]}"] = value
    return {**kept, f"{found['list']}:n": str(count - 1)}


def _count(fields: Fields, name: str) -> int:
    said = fields.get(f"{name}:n", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 6 else 0
