"""Signing keys: Ed25519, named by their content, rotated with an overlap, published as a JWK set.

One key signs; keys that signed before it only verify, and only until their retire time. Their private halves are not
kept: a key that has been rotated out can never sign again.

Sources: RFC 8037 (Ed25519 in JOSE), RFC 7517 (JWK sets), RFC 7638 (thumbprints as key ids). `iat` and `exp` of a JWK,
here the times of creation and retirement, are those of OpenID Federation 1.0.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, NotRequired, TypedDict

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from agentic_atlas.auth import base64url
from agentic_atlas.auth.errors import KeyRefused

MAX_KEYS: Final = 64
"""Most keys in a ring or a key set; a rotation a day with an overlap of two months stays below."""

MAX_PEM_BYTES: Final = 4096
"""Bytes of a key in PEM."""
_PUBLIC_BYTES: Final = 32


class Jwk(TypedDict):
    """One public key as RFC 8037 writes it, of those in `/.well-known/jwks.json`. `iat` and `exp` are seconds since
    1970; no `exp`: no end yet."""

    kty: str
    crv: str
    alg: str
    use: str
    kid: str
    x: str
    iat: int
    exp: NotRequired[int]


def thumbprint(public: Ed25519PublicKey) -> str:
    """Return the key's id: the SHA-256 thumbprint of its JWK (RFC 7638, members as in RFC 8037 section 2)."""
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{base64url.encode(public.public_bytes_raw())}"}}'
    return base64url.encode(hashlib.sha256(canonical.encode("ascii")).digest())


@dataclass(frozen=True)
class VerificationKey:
    """A public key and the time until which it verifies.

    Attributes:
        created_at: seconds since 1970.
        retire_at: seconds since 1970 from which on it verifies nothing; None while it is the signing key.
        kid: its thumbprint; two keys are equal when these and their times are.
    """

    public: Ed25519PublicKey = field(repr=False, compare=False)
    created_at: int
    retire_at: int | None = None
    kid: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kid", thumbprint(self.public))

    @property
    def x(self) -> str:
        """Its 32 bytes in base64url, as in a JWK."""
        return base64url.encode(self.public.public_bytes_raw())

    def usable(self, now: float) -> bool:
        """Say whether it still verifies at `now`, seconds since 1970."""
        return self.retire_at is None or now < self.retire_at


@dataclass(frozen=True)
class SigningKey:
    """The private key that signs, never shown by `repr`; `created_at` in seconds since 1970."""

    private: Ed25519PrivateKey = field(repr=False, compare=False)
    created_at: int
    kid: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kid", thumbprint(self.private.public_key()))

    @classmethod
    def generate(
        cls, now: float, generate: Callable[[], Ed25519PrivateKey] = Ed25519PrivateKey.generate
    ) -> "SigningKey":
        """Return a key that nobody has, by whose id no command takes it for an option; `now` in seconds since 1970."""
        while (key := cls(generate(), int(now))).kid.startswith("-"):
            pass
        return key

    def verification(self, retire_at: int | None = None) -> VerificationKey:
        """Return its public half, which verifies until `retire_at`."""
        return VerificationKey(self.private.public_key(), self.created_at, retire_at)

    @property
    def public(self) -> str:
        """Its public half: 32 bytes in base64url."""
        return base64url.encode(self.private.public_key().public_bytes_raw())

    def sign(self, data: bytes) -> str:
        """Return the signature of these bytes, in base64url (RFC 8032)."""
        return base64url.encode(self.private.sign(data))

    def to_pem(self) -> bytes:
        """Write the private key as unencrypted PKCS 8; whoever holds these bytes can issue tokens."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @classmethod
    def from_pem(cls, pem: bytes, created_at: int) -> "SigningKey":
        """Read what `to_pem` writes.

        Raises:
            KeyRefused: not one unencrypted Ed25519 private key of at most `MAX_PEM_BYTES`.
        """
        if len(pem) > MAX_PEM_BYTES:
            raise KeyRefused("this is too long for a private key")
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
            # `from None`: the library's text may quote what it read.
            raise KeyRefused("this is not an unencrypted PKCS 8 private key") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyRefused("this private key is not of the kind Ed25519")
        return cls(private, created_at)


@dataclass(frozen=True)
class KeyRing:
    """The key that signs, and those that signed before it and still verify.

    Raises:
        KeyRefused: the same key twice, more than `MAX_KEYS`, or a retired key without a retire time.
    """

    active: SigningKey
    retired: tuple[VerificationKey, ...] = ()

    def __post_init__(self) -> None:
        if any(key.retire_at is None for key in self.retired):
            raise KeyRefused("a key that signs no more has no retire time")
        _by_kid(self._all())

    def _all(self) -> tuple[VerificationKey, ...]:
        return (self.active.verification(), *self.retired)

    @cached_property
    def verification(self) -> Mapping[str, VerificationKey]:
        """Every key of the ring by its id, those past their retire time included: all that a router needs."""
        return _by_kid(self._all())

    def rotate(self, new: SigningKey, now: float, overlap: int) -> "KeyRing":
        """Return the ring in which `new` signs and the present key verifies for `overlap` more seconds.

        Choose an overlap as long as the longest life of a token; tokens that outlive it are refused. Keys whose time
        is over are left out.

        Raises:
            KeyRefused: `new` is in the ring already, or the ring would hold more than `MAX_KEYS`.
        """
        outgoing = self.active.verification(int(now) + overlap)
        return replace(self, active=new, retired=tuple(k for k in (outgoing, *self.retired) if k.usable(now)))

    def without(self, kid: str) -> "KeyRing":
        """Return the ring without this key, which signs no more: its tokens are worthless from now on."""
        return replace(self, retired=tuple(key for key in self.retired if key.kid != kid))


def jwks(ring: KeyRing, now: float) -> list[Jwk]:
    """Return the keys of the JWK set of those that verify at `now`, the signing one first (RFC 7517 section 5)."""
    return [_jwk(key) for key in ring.verification.values() if key.usable(now)]


def _jwk(key: VerificationKey) -> Jwk:
    jwk: Jwk = {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
        "kid": key.kid,
        "x": key.x,
        "iat": key.created_at,
    }
    if key.retire_at is not None:
        jwk["exp"] = key.retire_at
    return jwk


def read_keys(keys: Iterable[tuple[str, int, int | None]]) -> Mapping[str, VerificationKey]:
    """Return keys by their ids, given as public half, time of creation and retire time.

    Raises KeyRefused for what is no key, for the same one twice, and for more than `MAX_KEYS`.
    """
    return _by_kid([VerificationKey(_load_public(x), created_at, retire_at) for x, created_at, retire_at in keys])


def load_jwks(document: object) -> Mapping[str, VerificationKey]:
    """Read a JWK set of what `jwks` writes, as decoded JSON; return the keys by their ids.

    Keys of other kinds are passed over (RFC 7517 section 5).

    Raises:
        KeyRefused: not a JWK set, no Ed25519 key in it, more than `MAX_KEYS` of them, or a key that is not what its
            id says, is private, or is meant for something else than EdDSA signatures.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_KEYS:
        raise KeyRefused(f"this is not a JWK set of 1 to {MAX_KEYS} keys")
    ours = [entry for entry in entries if isinstance(entry, dict) and entry.get("crv") == "Ed25519"]
    if not ours:
        raise KeyRefused("this JWK set has no Ed25519 key")
    return _by_kid([_load_jwk(entry) for entry in ours])


def _by_kid(keys: Sequence[VerificationKey]) -> Mapping[str, VerificationKey]:
    """Return keys by their ids.

    Raises:
        KeyRefused: the same key twice, or more than `MAX_KEYS`.
    """
    by_kid = {key.kid: key for key in keys}
    if len(by_kid) != len(keys):
        raise KeyRefused("the same key occurs twice")
    if len(by_kid) > MAX_KEYS:
        raise KeyRefused(f"there are more than {MAX_KEYS} keys")
    return by_kid


def _load_jwk(entry: Mapping[object, object]) -> VerificationKey:
    if "d" in entry:
        raise KeyRefused("this JWK set holds a private key: it must not be used again, rotate it")
    if (entry.get("kty"), entry.get("alg"), entry.get("use")) != ("OKP", "EdDSA", "sig"):
        raise KeyRefused("a key of this JWK set is not for EdDSA signatures")
    retire_at = _seconds(entry["exp"]) if "exp" in entry else None
    key = VerificationKey(_load_public(entry.get("x")), _seconds(entry.get("iat")), retire_at)
    if entry.get("kid") != key.kid:
        raise KeyRefused("the id of a key in this JWK set is not its thumbprint")
    return key


def _load_public(x: object) -> Ed25519PublicKey:
    try:
        raw = base64url.decode(x) if isinstance(x, str) and len(x) <= MAX_PEM_BYTES else b""
    except ValueError:
        raw = b""
    if len(raw) != _PUBLIC_BYTES:
        raise KeyRefused(f"the x of a key in this JWK set is not base64url of {_PUBLIC_BYTES} bytes")
    return Ed25519PublicKey.from_public_bytes(raw)


def is_signed(data: bytes, signature: str, public: str) -> bool:
    """Tell whether this is the signature of these bytes by the key with this public half."""
    try:
        _load_public(public).verify(base64url.decode(signature), data)
    except (KeyRefused, ValueError, InvalidSignature):
        return False
    return True


def _seconds(value: object) -> int:
    if type(value) is not int or value < 0:  # bool is an int to isinstance
        raise KeyRefused("iat and exp of a key are whole seconds since 1970")
    return value
