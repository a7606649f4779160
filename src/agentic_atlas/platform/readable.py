"""Which JSON texts are read for a page: of the others it shows how they begin, or leaves them as they are. Pure."""

from typing import Final

MOST_VALUES: Final = 20_000
"""Values of a JSON text that is read for a page. Each costs the event loop more than its bytes tell."""


def readable(text: str | bytes) -> bool:
    """Tell whether a JSON text surely has no more values than are read; commas and brackets in strings count too."""
    if isinstance(text, str):
        return sum(map(text.count, ",[{")) < MOST_VALUES
    return sum(map(text.count, (b",", b"[", b"{"))) < MOST_VALUES
