"""Cursors of a list: opaque to whoever pages, and checked when they come back."""

import base64

from agentic_atlas.errors import InvalidInput

_MARK = "1:"
_LONGEST = 200


def cursor_after(last_id: str) -> str:
    """Return the cursor of the part that begins after the item with this id."""
    return base64.urlsafe_b64encode(f"{_MARK}{last_id}".encode()).decode().rstrip("=")


def id_in(cursor: str) -> str:
    """Return the id in a cursor. Raises InvalidInput (`invalid_cursor`) for what `cursor_after` never returned."""
    try:
        text = base64.urlsafe_b64decode(cursor[:_LONGEST] + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        text = ""
    last_id = text.removeprefix(_MARK)
    if not last_id or cursor_after(last_id) != cursor:
        raise InvalidInput("this cursor is not from a list of ours; begin without one", code="invalid_cursor")
    return last_id
