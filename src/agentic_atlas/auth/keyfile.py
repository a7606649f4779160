"""Where a ring's keys are kept: a folder that nobody but its owner can read.

`<kid>.pem` holds the private key that signs, `ring.json` the ring: a JWK set of all its keys, and which one is
active. `ring.json` alone decides; a key file it does not name is never used. Every file is written under another name,
synced and then put in place whole, key before ring, so a process killed at any moment leaves the old ring or the new
one.

`audit.pem` signs the head of the audit log, which `audit.json` keeps, and the anchor of what was archived, in
`audit-anchor.json`: a key of its own, that is never rotated.

`sealing.key` seals what the database holds of secrets that have to be read again; it is never rotated.

One process at a time rotates. Two that start at once on an empty folder agree on the ring of whichever was first.
"""

import json
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentic_atlas.auth import base64url, strict_json
from agentic_atlas.auth.errors import KeyRefused
from agentic_atlas.auth.keys import MAX_PEM_BYTES, KeyRing, SigningKey, jwks, load_jwks
from agentic_atlas.auth.sealing import SEALING_KEY_BYTES
from agentic_atlas.files import FileRefused, make_folder, open_own

RING_FILE: Final = "ring.json"
AUDIT_KEY: Final = "audit.pem"
AUDIT_HEAD: Final = "audit.json"
AUDIT_ANCHOR: Final = "audit-anchor.json"
SEALING_KEY: Final = "sealing.key"
_MAX_HEAD_BYTES: Final = 4_096
_MAX_RING_BYTES: Final = 65_536
_KID: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_BEGIN_ANEW: Final = "restore the folder from a backup, or remove it and replace every token that was issued"
_RESTORE: Final = "restore it from a backup, or remove it and let who has one-time passwords set them up anew"
_LET_IN: Final = "let this user own the folder of keys, on a disk with room that takes hard links"


def load_or_create_ring(
    folder: Path, now: float, generate: Callable[[], Ed25519PrivateKey] = Ed25519PrivateKey.generate
) -> KeyRing:
    """Return the ring kept in `folder`; if there is none, make the folder (0700) and a ring of one new key.

    `now` is in seconds since 1970. Safe to call from several processes.

    Raises:
        FileRefused: the folder or a file in it can be read by others, is damaged, or cannot be read or written.
    """
    with _as_refusal(folder):
        make_folder(folder)
        _check_private(folder, folder.stat().st_mode, "700")
        if (folder / RING_FILE).exists():
            return _load(folder)
        ring = KeyRing(SigningKey.generate(now, generate))
        _write(_pem_path(folder, ring.active.kid), ring.active.to_pem())
        if _write(folder / RING_FILE, _ring_document(ring, now), overwrite=False):
            return ring
        _remove(_pem_path(folder, ring.active.kid))  # another process was faster
        return _load(folder)


def save_ring(folder: Path, ring: KeyRing, now: float) -> None:
    """Put a rotated ring in place of the one in `folder`, and remove the private keys that sign no more.

    Call it before the first token is minted with the new key. Keys past their retire time are left out.

    Raises:
        FileRefused: the folder can be read by others or cannot be written.
    """
    with _as_refusal(folder):
        _check_private(folder, folder.stat().st_mode, "700")
        _write(_pem_path(folder, ring.active.kid), ring.active.to_pem())
        _write(folder / RING_FILE, _ring_document(ring, now))
        for pem in folder.glob("*.pem"):
            if _KID.fullmatch(pem.stem) and pem.stem != ring.active.kid:
                pem.unlink(missing_ok=True)


def load_or_create_sealing_key(folder: Path, entropy: Callable[[int], bytes]) -> bytes:
    """Return the key of `sealing.Seal`; make it where there is none. The folder is there already.

    Raises:
        FileRefused: it can be read by others, is damaged, or cannot be read or written.
    """
    path = folder / SEALING_KEY
    with _as_refusal(folder):
        if not path.exists():
            _write(path, base64url.encode(entropy(SEALING_KEY_BYTES)).encode("ascii"), overwrite=False)
        try:
            key = base64url.decode(_read(path, MAX_PEM_BYTES).decode("ascii"))
        except ValueError:
            key = b""
    if len(key) != SEALING_KEY_BYTES:
        raise _refused(path, "does not hold the key that seals secrets", fix=_RESTORE)
    return key


def ring_files(folder: Path) -> dict[str, bytes]:
    """Return the files that the ring in `folder` is made of, the key that seals, and the anchor of the audit log, by
    name: what a backup has to keep as it is after the copy of the database. They are secret.

    Raises:
        FileRefused: there is no whole ring, or it cannot be read.
    """
    with _as_refusal(folder):
        while True:
            ring = _read(folder / RING_FILE, _MAX_RING_BYTES)
            pem = _pem_path(folder, _load(folder).active.kid)
            files = {RING_FILE: ring, pem.name: _read(pem, MAX_PEM_BYTES)}
            for name, most in ((SEALING_KEY, MAX_PEM_BYTES), (AUDIT_ANCHOR, _MAX_HEAD_BYTES)):
                if (folder / name).exists():
                    files[name] = _read(folder / name, most)
            if _read(folder / RING_FILE, _MAX_RING_BYTES) == ring:
                return files  # else it was rotated meanwhile, and these would not belong together


def load_or_create_audit_key(
    folder: Path, now: float, generate: Callable[[], Ed25519PrivateKey] = Ed25519PrivateKey.generate
) -> SigningKey:
    """Return the key that signs the audit log's head; make it where there is none. The folder is there already.

    Raises:
        FileRefused: it can be read by others, is damaged, or cannot be read or written.
    """
    path = folder / AUDIT_KEY
    with _as_refusal(folder):
        if not path.exists():
            _write(path, SigningKey(generate(), int(now)).to_pem(), overwrite=False)
        try:
            return SigningKey.from_pem(_read(path, MAX_PEM_BYTES), int(now))
        except KeyRefused:
            raise _refused(path, "does not hold the key that signs the audit log", fix=_BEGIN_ANEW) from None


def read_head(folder: Path, *, anchor: bool = False) -> bytes | None:
    """Return the head of the audit log, or its anchor, as it was saved; None when there is none. Raises FileRefused."""
    path = folder / (AUDIT_ANCHOR if anchor else AUDIT_HEAD)
    with _as_refusal(folder):
        return _read(path, _MAX_HEAD_BYTES) if path.exists() else None


def save_head(folder: Path, head: bytes, *, anchor: bool = False) -> None:
    """Put a head, or an anchor, in the place of the one before, on the disk before this returns. Raises FileRefused."""
    with _as_refusal(folder):
        _write(folder / (AUDIT_ANCHOR if anchor else AUDIT_HEAD), head)


def audit_files(folder: Path) -> dict[str, bytes]:
    """Return the head of the audit log and the key that signs it, as files by their name: what a backup has to keep.

    Raises FileRefused.
    """
    head = read_head(folder)
    with _as_refusal(folder):
        files = {AUDIT_KEY: _read(folder / AUDIT_KEY, MAX_PEM_BYTES)} if (folder / AUDIT_KEY).exists() else {}
    return files if head is None else {**files, AUDIT_HEAD: head}


def _load(folder: Path) -> KeyRing:
    try:
        return _load_once(folder)
    except FileNotFoundError:
        # The ring was rotated between the reading of its two files: now they belong together.
        return _load_once(folder)


def _load_once(folder: Path) -> KeyRing:
    try:
        document = strict_json.loads_object(_read(folder / RING_FILE, _MAX_RING_BYTES))
        by_kid = dict(load_jwks(document))
        active = by_kid.pop(str(document.get("active")))
        pem = _pem_path(folder, active.kid)
        signing = SigningKey.from_pem(_read(pem, MAX_PEM_BYTES), active.created_at)
        ring = KeyRing(signing, tuple(by_kid.values()))
    except (ValueError, KeyError, KeyRefused):
        # `from None`: a JSON error carries the document, a key error may carry the key.
        raise _refused(folder, "does not hold a whole ring of keys", fix=_BEGIN_ANEW) from None
    if signing.verification() != active:
        raise _refused(pem, "holds another key than the ring says", fix=_BEGIN_ANEW)
    for key in ring.retired:  # a rotation may have been killed before its last step
        _remove(_pem_path(folder, key.kid))
    return ring


def _ring_document(ring: KeyRing, now: float) -> bytes:
    return json.dumps({"active": ring.active.kid, "keys": jwks(ring, now)}, indent=1).encode("ascii")


def _pem_path(folder: Path, kid: str) -> Path:
    return folder / f"{kid}.pem"  # a kid is base64url: it cannot leave the folder


def _remove(path: Path) -> None:
    if path.exists():  # asked first: a folder mounted read-only refuses even to remove what is not there
        path.unlink(missing_ok=True)


def _read(path: Path, limit: int) -> bytes:
    # Nobody else can put a second name into this folder, and another process may be about to take one away.
    with os.fdopen(open_own(path, os.O_RDONLY, alone=False), "rb") as file:
        _check_private(path, os.fstat(file.fileno()).st_mode, "600")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise _refused(path, f"is longer than {limit} bytes", fix=_BEGIN_ANEW)
    return data


def _check_private(path: Path, mode: int, wanted: str) -> None:
    if stat.S_IMODE(mode) & 0o077:
        raise _refused(path, "is open to other users of this machine", fix=f"chmod {wanted} {path}")


def _write(path: Path, data: bytes, *, overwrite: bool = True) -> bool:
    """Put a whole file (0600) at `path`, on the disk before this returns; False when one is there already."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")  # O_EXCL, mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            Path(name).replace(path)
        else:
            path.hardlink_to(name)  # unlike a rename, it never takes the place of a file
    except FileExistsError:
        return False
    finally:
        Path(name).unlink(missing_ok=True)
    _sync_folder(path.parent)
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _as_refusal(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        path = Path(error.filename) if isinstance(error.filename, str) else folder
        fix = _BEGIN_ANEW if isinstance(error, FileNotFoundError) else _LET_IN
        raise _refused(path, f"cannot be used ({error.strerror})", fix=fix) from error


def _refused(path: Path, what: str, *, fix: str) -> FileRefused:
    return FileRefused(path, what, fix=fix, code="key_file_refused")
