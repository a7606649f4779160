"""One-time passwords from a clock (RFC 6238), as every authenticator app makes them, and codes for who has lost theirs.

Pure: clock and randomness are arguments. A password is good for its step of 30 s and the one on either side, for clocks
differ; its taker keeps the step, so that none is taken twice.
"""

import hmac
from base64 import b32encode
from collections.abc import Callable
from io import BytesIO
from typing import Final

import pyotp
import segno

from agentic_atlas.auth.secrets import digest

STEP: Final = 30
"""Seconds that one of the passwords is shown."""
ISSUER: Final = "Agentic Atlas"
RECOVERY_CODES: Final = 10
"""Codes that are taken once each in place of a one-time password."""

_SECRET_BYTES: Final = 20  # RFC 4226 section 4, R6
_RECOVERY_BYTES: Final = 10


def new_totp_secret(entropy: Callable[[int], bytes]) -> str:
    """Return a new secret, in base 32."""
    return b32encode(entropy(_SECRET_BYTES)).decode("ascii")


def provisioning_uri(secret: str, user: str, where: str) -> str:
    """Return the `otpauth:` address that an authenticator takes; `where` tells this network from others of its user."""
    return pyotp.TOTP(secret).provisioning_uri(name=f"{user}@{where}", issuer_name=ISSUER)


def qr_svg(text: str) -> str:
    """Return a text as a QR code: an SVG image, without what an XML file begins with."""
    drawn = BytesIO()
    segno.make(text, micro=False).save(drawn, kind="svg", xmldecl=False, scale=4, border=4, light="#fff")
    return drawn.getvalue().decode()


def matching_step(secret: str, code: str, now: float) -> int | None:
    """Return the step whose password this is, of those that count now; the latest if several. None: no such one.

    Nothing is a password of an empty secret: it is that of who has none, or whose can't be read any more.
    """
    if not secret:
        return None
    text = "".join(code.split())
    here = int(now) // STEP
    found = [step for step in (here - 1, here, here + 1) if _same(pyotp.TOTP(secret).at(step * STEP), text)]
    return found[-1] if found else None


def new_recovery_codes(entropy: Callable[[int], bytes]) -> list[str]:
    """Return new codes: `xxxx-xxxx-xxxx-xxxx`, each of 80 bits."""
    return [_grouped(b32encode(entropy(_RECOVERY_BYTES)).decode("ascii").lower()) for _ in range(RECOVERY_CODES)]


def recovery_digest(code: str) -> bytes:
    """Return what to keep of a recovery code, however it was typed."""
    return digest("".join(code.lower().replace("-", "").split()))


def _grouped(code: str) -> str:
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def _same(expected: str, said: str) -> bool:
    return hmac.compare_digest(expected.encode(), said.encode("utf-8", "surrogatepass"))
