"""A payload in hand: the text that is passed on as it came, and what it says, which is read once at the most."""

from typing import Final

import msgspec

from agentic_atlas.errors import InvalidInput

_UNREAD: Final = object()


class Payload:
    """A JSON text. Not to be shared between threads.

    Attributes:
        text: as it came; whoever took it in has seen that it is well-formed and no deeper than a message may be.
    """

    __slots__ = ("_said", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._said: object = _UNREAD

    def read(self) -> object:
        """Return what it says, which is kept until `forget`; raises InvalidInput for a number beyond all range."""
        if self._said is _UNREAD:
            try:
                self._said = msgspec.json.decode(self.text)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise InvalidInput(f"this is not JSON: {error}") from None
        return self._said

    def forget(self) -> None:
        """Let go of what was read: values take many times the room of their text."""
        self._said = _UNREAD
