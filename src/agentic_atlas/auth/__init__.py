"""Who may come in: agent tokens, the keys that sign them, scopes, and random secrets.

Everything here is pure but `keyfile`, which keeps the keys in a folder. The backend mints and publishes its
keys as a JWK set; a router verifies from that set alone. Nothing can be skipped: there is no way to read a token
without verifying it.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from agentic_atlas.auth.claims import AUDIENCE, MAX_ID, MAX_NAME, AgentClaims
from agentic_atlas.auth.errors import (
    KeyRefused,
    TokenRefused,
)
from agentic_atlas.auth.scopes import (
    AGENT_SCOPES,
    API_KEY_SCOPES,
    Scope,
    allows,
    covers,
    format_scopes,
    parse_scopes,
)
from agentic_atlas.auth.secrets import MAX_TOKEN_BYTES, digest, new_secret, read_bearer

if TYPE_CHECKING:
    from agentic_atlas.auth.keyfile import (
        audit_files,
        load_or_create_audit_key,
        load_or_create_ring,
        load_or_create_sealing_key,
        read_head,
        ring_files,
        save_head,
        save_ring,
    )
    from agentic_atlas.auth.keys import (
        Jwk,
        KeyRing,
        SigningKey,
        VerificationKey,
        is_signed,
        jwks,
        load_jwks,
        read_keys,
    )
    from agentic_atlas.auth.sealing import Seal
    from agentic_atlas.auth.tokens import CLOCK_LEEWAY, key_id, mint, verify

_HOME: Final = {
    "keyfile": (
        "audit_files", "load_or_create_audit_key", "load_or_create_ring", "load_or_create_sealing_key", "read_head",
        "ring_files", "save_head", "save_ring",
    ),
    "keys": (
        "Jwk", "KeyRing", "SigningKey", "VerificationKey", "is_signed",
        "jwks", "load_jwks", "read_keys",
    ),
    "sealing": ("Seal",),
    "tokens": ("CLOCK_LEEWAY", "key_id", "mint", "verify"),
}  # fmt: skip
_MODULE: Final = {name: module for module, names in _HOME.items() for name in names}
"""What signs and verifies, which only a server has the libraries for: imported when it is first used."""

__all__ = [
    "AGENT_SCOPES",
    "API_KEY_SCOPES",
    "AUDIENCE",
    "CLOCK_LEEWAY",
    "MAX_ID",
    "MAX_NAME",
    "MAX_TOKEN_BYTES",
    "AgentClaims",
    "Jwk",
    "KeyRefused",
    "KeyRing",
    "Scope",
    "Seal",
    "SigningKey",
    "TokenRefused",
    "VerificationKey",
    "allows",
    "audit_files",
    "covers",
    "digest",
    "format_scopes",
    "is_signed",
    "jwks",
    "key_id",
    "load_jwks",
    "load_or_create_audit_key",
    "load_or_create_ring",
    "load_or_create_sealing_key",
    "mint",
    "new_secret",
    "parse_scopes",
    "read_bearer",
    "read_head",
    "read_keys",
    "ring_files",
    "save_head",
    "save_ring",
    "verify",
]


def __getattr__(name: str) -> Any:
    module = _MODULE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
