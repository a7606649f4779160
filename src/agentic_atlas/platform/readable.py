"""Which JSON texts are read for a page: of the others it shows how they begin, or leaves them as they are. Pure."""

from typing import Final

MOST_VALUES: Final = 20_000
"""Values of a JSON text that is read for a page. Each costs the event loop more than its bytes tell."""

_MOST_QUOTES: Final = 4 * MOST_VALUES
"""Two around each name, and two around each value."""


def readable(text: str | bytes) -> bool:
    """Tell whether a JSON text has no more values than are read, however long they are."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if _marks(data) < MOST_VALUES:
        return True
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    # What stands in a string is no value, and a table that is one text has many commas.
    return data.count(b'"') <= _MOST_QUOTES and _marks(b"".join(data.split(b'"')[::2])) < MOST_VALUES


def _marks(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")
