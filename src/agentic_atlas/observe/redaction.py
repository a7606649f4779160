"""What looks like a secret does not get into a log, an error or an event."""

import re
import string
from typing import Final

_REDACTED: Final = "[redacted]"
_MARGIN: Final = 8_192
"""Characters beyond a cut that are searched for tokens too: none is longer."""
_OF_TOKENS: Final = string.ascii_letters + string.digits + "_-."
_SHORTEST_TOKEN: Final = 40  # characters; a piece shorter than that cannot reach into a token's signature

# After its first letters this always matches, so a run is read once, never again from its middle: linear time.
_SUSPECT: Final = re.compile(r"(?:eyJ|atlas_)[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
# A capital or a digit within one secret's length tells a secret from a long name such as a metric's.
_SECRET: Final = re.compile(r"atlas_(?=[a-z_-]{0,42}[A-Z0-9])[A-Za-z0-9_-]{20}")


def redact(text: str) -> str:
    """Replace whatever looks like a JWT (RFC 7519) or like a secret of a network's by `[redacted]`, in linear time.

    It errs on the side of hiding: what hangs on a secret by a dot, a dash or a letter goes with it.
    """
    return _SUSPECT.sub(_hide, text)


def shortened(text: str, most: int) -> str:
    """Return the text redacted, and without its middle when it is longer than `most` characters."""
    if len(text) <= most:
        return redact(text)
    half = most // 2
    # A token at the far edge of a margin would not be seen for one: what may be a part of it goes.
    margin = text[half : half + _MARGIN]
    head = redact(text[:half] + (margin.rstrip(_OF_TOKENS) or margin))[:half]
    margin = text[-half - _MARGIN : -half]
    tail = redact((margin.lstrip(_OF_TOKENS) or margin) + text[-half:])[-half:]
    return f"{head} … {len(text) - most} characters … {tail}"


def _hide(suspect: re.Match[str]) -> str:
    run = suspect[0]
    return _REDACTED if _looks_like_jwt(run) or _SECRET.search(run) else run


def _looks_like_jwt(run: str) -> bool:
    start = run.find("eyJ")  # base64url of `{"`, how every compact JOSE header begins
    return start >= 0 and len(run) - start >= _SHORTEST_TOKEN and run.find(".", start) >= 0
