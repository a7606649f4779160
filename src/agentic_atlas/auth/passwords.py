"""Which passwords are taken: long ones that nobody tries first. How they are hashed is seen to in `compose.hashing`."""

import unicodedata
from typing import Final

from agentic_atlas.errors import InvalidInput

SHORTEST: Final = 12
"""Characters of a password, at the least: what is shorter is guessed by whoever has a copy of the database."""
LONGEST: Final = 256
"""Characters of a password, at the most: none is cut."""
FEWEST_DIFFERENT: Final = 5
"""Different characters in a password, at the least."""

_COMMON: Final = frozenset(
    (
        "123456789012", "1234567890123", "12345678901234", "123456789012345", "1234567890123456", "0123456789012",
        "1q2w3e4r5t6y", "1qaz2wsx3edc", "1qaz2wsx3edc4rfv", "qwertyuiop12", "qwertyuiop123", "qwertyuiop1234",
        "qwertyuiop[]", "qwerty123456", "qwerty1234567", "qwerty12345678", "qwerty123456789", "asdfghjkl123",
        "asdfghjkl;'\\", "zxcvbnm12345", "password1234", "password12345", "password123456", "password1234567",
        "password12345678", "password!234", "password123!", "passwordpassword", "passw0rd1234", "p@ssw0rd1234",
        "p@ssword1234", "mypassword123", "yourpassword", "changemeplease", "changeme1234", "changeme12345",
        "letmein12345", "letmein123456", "welcome12345", "welcome123456", "administrator", "administrator1",
        "admin1234567", "admin12345678", "adminadminadmin", "adminpassword", "rootpassword", "iloveyou1234",
        "iloveyou12345", "abcdefghijkl", "abcdefghijklm", "abcdefghijklmnop", "abcdefghijklmnopqrstuvwxyz",
        "abcd12345678", "abc123456789", "abcdef123456", "a1b2c3d4e5f6", "football1234", "baseball1234",
        "princess1234", "dragon123456", "monkey123456", "sunshine1234", "superman1234", "trustno11234",
        "agenticatlas", "agentic-atlas", "agenticatlas1", "correcthorsebatterystaple",
        "correct horse battery staple",
    )
)  # fmt: skip
"""The commonest of those that are long enough."""


def plain(password: str) -> str:
    """Return a password in the one form in which it is hashed, whichever way a keyboard writes its letters (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def check_acceptable(password: str, user: str) -> None:
    """Refuse a password that is guessed early; `user` is the name of whose it is.

    Raises:
        InvalidInput: it is too short, too long, too common, or says the user's name (`weak_password`).
    """
    text = plain(password)
    if not SHORTEST <= len(text) <= LONGEST:
        raise _weak(f"a password has {SHORTEST} to {LONGEST} characters: a few words in a row are good")
    folded = text.casefold()
    if folded in _COMMON or len(set(folded)) < FEWEST_DIFFERENT:
        raise _weak("this password is among the first that anybody tries: choose another one")
    if len(user) >= 3 and len(folded.replace(user.casefold(), "")) < SHORTEST // 2:
        raise _weak("a password is more than one's own name: choose another one")


def _weak(why: str) -> InvalidInput:
    return InvalidInput(why, code="weak_password")
